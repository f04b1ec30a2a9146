"""What the simulated business did in the last 30 days, as events tell it."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import pytest

from tap_stripe_connect.simulator.business import populate
from tap_stripe_connect.simulator.business.story import Story, tell
from tap_stripe_connect.simulator.events import RETENTION
from tap_stripe_connect.simulator.world import World

Document = dict[str, Any]
Told = tuple[int, str, Document, Document | None]

START = int(datetime(2024, 6, 1, tzinfo=UTC).timestamp())
UNTIL = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())


class Notebook:
    """An account that writes down what it is told."""

    def __init__(self) -> None:
        """Start empty."""
        self.id = "acct_1Example"
        self.livemode = False
        self.objects: dict[str, Document] = {}
        self.events: list[Told] = []

    def insert(self, document: Document, /) -> None:
        """Keep the object."""
        assert document["id"] not in self.objects
        self.objects[document["id"]] = document

    def add_event(
        self,
        type_: str,
        payload: Document,
        /,
        *,
        at: int | None = None,
        previous: Document | None = None,
    ) -> None:
        """Keep the event."""
        assert at is not None
        self.events.append((at, type_, payload, previous))


@pytest.fixture(scope="module", name="account")
def populated() -> Notebook:
    """Return an account with a business in it."""
    notebook = Notebook()
    populate(notebook, seed=3, customers=500, start=START, until=UNTIL)
    return notebook


def test_types(account: Notebook) -> None:
    """Creations and changes of every kind of object are told."""
    assert {type_ for _, type_, _, _ in account.events} >= {
        "charge.failed",
        "charge.refunded",
        "charge.succeeded",
        "coupon.created",
        "customer.created",
        "customer.subscription.created",
        "customer.subscription.deleted",
        "customer.subscription.updated",
        "customer.updated",
        "invoice.created",
        "invoice.finalized",
        "invoice.paid",
        "invoice.payment_failed",
        "invoice.upcoming",
        "plan.created",
        "plan.updated",
    }


def test_only_the_last_thirty_days(account: Notebook) -> None:
    """No event is older than Stripe keeps them, none comes from the future."""
    assert all(UNTIL - RETENTION <= at < UNTIL for at, _, _, _ in account.events)


def test_new_objects_are_told_of(account: Notebook) -> None:
    """Each object of the last 30 days has one event of its creation, older ones have none."""
    created = defaultdict(list)
    for at, type_, payload, _ in account.events:
        if type_.endswith(".created") or type_ in {"charge.succeeded", "charge.failed"}:
            created[payload["id"]].append(at)
    recent = {
        id_: [document["created"]]
        for id_, document in account.objects.items()
        if document["created"] >= UNTIL - RETENTION
    }
    assert created == recent


def test_the_last_event_shows_the_object_as_it_is(account: Notebook) -> None:
    """Objects that changed lately look like the newest event about them says."""
    newest: dict[str, tuple[int, Document]] = {}
    for at, _, payload, _ in account.events:
        if "id" in payload and at >= newest.get(payload["id"], (0, {}))[0]:
            newest[payload["id"]] = (at, payload)
    for id_, (_, payload) in newest.items():
        # These two count silently.
        now = {**account.objects[id_], "times_redeemed": 0, "next_invoice_sequence": 0}
        assert {**payload, "times_redeemed": 0, "next_invoice_sequence": 0} == now


def test_updates_tell_what_was_before(account: Notebook) -> None:
    """Updates carry the former values of what changed, other events carry none."""
    for _, type_, payload, previous in account.events:
        assert (previous is not None) == type_.endswith(".updated")
        for name, value in (previous or {}).items():
            assert payload.get(name) != value


def test_upcoming_invoices_have_no_id(account: Notebook) -> None:
    """An announced invoice is told whole but without an id, and is not among the invoices."""
    upcoming = [payload for _, type_, payload, _ in account.events if type_ == "invoice.upcoming"]
    assert 5 < len(upcoming) < 100
    for invoice in upcoming:
        assert "id" not in invoice
        assert invoice["object"] == "invoice"
        assert invoice["customer"] in account.objects
        assert invoice["lines"]["data"]
        assert all(line["invoice"] is None for line in invoice["lines"]["data"])


def test_a_server_takes_all_events() -> None:
    """A simulated account stores the business, with its events in their older API version."""
    account = World(now=UNTIL).platform
    populate(account, seed=3, customers=40, start=START, until=UNTIL)
    events = list(account.objects("event"))
    assert len(events) > 50
    assert all(event["api_version"] == "2022-11-15" for event in events)
    assert all(event["type"] and event["data"]["object"] for event in events)


def test_a_story_ends_where_it_is_cut() -> None:
    """What begins later does not exist, what changes later has not changed yet."""
    story = Story("coupon", {"id": "HALF", "created": UNTIL - 10}, "coupon.created")
    story.change(UNTIL - 5, "coupon.updated", name="Half off")
    story.change(UNTIL, "coupon.updated", name="Half off all")
    notebook = Notebook()
    tell(notebook, story, UNTIL - 10)
    assert not notebook.objects
    assert not notebook.events
    tell(notebook, story, UNTIL)
    assert notebook.objects["HALF"]["name"] == "Half off"
    assert [(at, type_, previous) for at, type_, _, previous in notebook.events] == [
        (UNTIL - 10, "coupon.created", None),
        (UNTIL - 5, "coupon.updated", {"name": None}),
    ]
