"""Acceptance cases A: incremental runs are right."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from importlib import resources
from itertools import cycle, pairwise
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tap_stripe_connect.catalog import LISTED, STREAMS
from tap_stripe_connect.catalog.endpoints import EVENT_TYPES
from tap_stripe_connect.catalog.kinds import Relist
from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.simulator.business import populate
from tap_stripe_connect.simulator.faults import Fault
from tests.acceptance.cases.steps import YEAR, next_run, routes, untimed
from tests.support.harness import (
    DAY,
    NOW,
    Warehouse,
    add_samples,
    change_types,
    config_for,
    cuts,
    expected,
    run,
    selecting,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.journal import Request
    from tap_stripe_connect.simulator.server import Simulator

FOLLOWED = {listed.object: listed for listed in LISTED.values() if listed.changes == "feed"}
"""Lists whose changes events tell of, by their objects."""
PREVIEWS = {"invoice.upcoming"}
"""Types whose object exists nowhere else."""


def published_event_types() -> list[str]:
    """Return every event type that Stripe's own package knows."""
    source = resources.files("stripe.params") / "_webhook_endpoint_create_params.py"
    found = re.findall(r'"([a-z0-9_]+(?:\.[a-z0-9_]+)+)"', source.read_text("utf-8"))
    return sorted(set(found) - PREVIEWS)


def test_a02_a_payload_of_an_old_version_never_becomes_a_row(stripe: Simulator) -> None:
    """After `invoice.updated` the row is what a new read gives at the pinned version."""
    fields = {
        "id": "in_1",
        "parent": {
            "type": "subscription_details",
            "subscription_details": {"subscription": "sub_1", "metadata": {}},
        },
        "lines": [{"id": "il_1"}],
    }
    stripe.world.platform.create("invoice", fields, at=NOW - 2 * DAY)
    first = run(config_for(stripe))
    second = next_run(
        stripe,
        first,
        "invoices",
        "events",
        change=lambda account: account.update("invoice", "in_1", {"description": "new"}),
    )
    payload = second.records("events")[0]["data"]["object"]
    (row,) = second.records("invoices")
    assert payload["subscription"] == "sub_1"
    assert "parent" not in payload
    assert row["parent"]["subscription_details"]["subscription"] == "sub_1"
    assert "subscription" not in row
    wanted = expected(stripe.world.platform)["invoices"]
    assert [untimed(row)] == [untimed(other) for other in wanted.values()]
    jsonschema.validate(row, second.schema("invoices"))


def test_a03_an_update_gives_the_same_keys_and_nulls_as_a_first_load(stripe: Simulator) -> None:
    """An event on every object that did not change gives the same rows of every stream again."""
    account = stripe.world.platform
    populate(account, seed=8, customers=12, start=NOW - YEAR, until=NOW - 40 * DAY)
    add_samples(account, at=NOW - 40 * DAY)
    first = run(config_for(stripe))

    def touch_all(account: Account) -> None:
        for object_, listed in FOLLOWED.items():
            for found in list(account.objects(object_)):
                account.add_event(change_types(listed)[-1], found)

    names = [stream.name for stream in STREAMS if stream.name != "events"]
    second = next_run(stripe, first, *names, change=touch_all)
    loaded = Warehouse().load(first.messages).tables
    updated = Warehouse().load(second.messages).tables
    for name in names:
        assert loaded[name]
        assert {key: untimed(row) for key, row in updated[name].items()} == {
            key: untimed(row) for key, row in loaded[name].items()
        }


def test_a03_what_is_only_shown_expanded_survives_an_update(stripe: Simulator) -> None:
    """Three price tiers are three after the nickname changed, though the event has none of them."""
    account = stripe.world.platform
    tiers = [{"up_to": limit, "unit_amount": 5} for limit in (10, 20, None)]
    account.create("plan", {"id": "TIERED", "tiers_mode": "volume", "tiers": tiers})
    account.create("coupon", {"id": "PART", "applies_to": {"products": ["prod_1"]}})
    first = run(config_for(stripe))

    def rename(account: Account) -> None:
        account.update("plan", "TIERED", {"nickname": "new"})
        account.update("coupon", "PART", {"name": "new"})

    second = next_run(stripe, first, "coupons", "plans", "events", change=rename)
    for output in (first, second):
        (plan,) = output.records("plans")
        assert [tier["up_to"] for tier in plan["tiers"]] == [10, 20, None]
        (coupon,) = output.records("coupons")
        assert coupon["applies_to"] == {"products": ["prod_1"]}
        shown = [event["data"]["object"] for event in output.records("events")]
        assert len(shown) == 2
        assert not any("tiers" in one or "applies_to" in one for one in shown)


def test_a03_what_the_selection_drops_is_not_expanded(stripe: Simulator) -> None:
    """With the tiers of plans deselected nothing asks Stripe for them (F11)."""
    run(config_for(stripe), catalog=selecting("plans", only_fields={"plans": ["amount"]}))
    (asked,) = (one for one in stripe.journal.requests if one.path == "/v1/plans")
    assert "expand" not in str(asked.query)


def test_a05_late_events_are_read_by_the_next_run(stripe: Simulator) -> None:
    """An event of 3 s before the run, visible 20 s after it, is not passed by the bookmark."""
    account = stripe.world.platform
    account.create("customer", {"id": "cus_1"}, at=NOW - 9 * DAY)
    zeroth = run(config_for(stripe), catalog=selecting("customers"))
    account.update("customer", "cus_1", {"name": "new"}, event=None)
    account.add_event(
        "customer.updated", account.get("customer", "cus_1") or {}, at=NOW - 3, visible_at=NOW + 20
    )
    first = run(config_for(stripe), state=zeroth.state, catalog=selecting("customers"))
    bookmark = first.state["bookmarks"]["customers"]
    assert first.counts == {}
    assert bookmark["events_until"] == bookmark["covered"][-1][1] == "2025-12-31T23:55:00+00:00"
    stripe.world.clock.advance(30)
    second = run(config_for(stripe), state=first.state, catalog=selecting("customers"))
    assert [row["name"] for row in second.records("customers")] == ["new"]


def test_a06_the_second_of_the_bookmark_gives_each_row_once(stripe: Simulator) -> None:
    """Of three objects of one second the late one comes alone, and then nothing more."""
    account = stripe.world.platform
    for name, visible_at in {"cus_1": NOW - 100, "cus_2": NOW - 100, "cus_3": NOW + 20}.items():
        account.create("customer", {"id": name}, at=NOW - 100, visible_at=visible_at)
    outputs = []
    state = None
    for _ in range(3):
        outputs.append(run(config_for(stripe), state=state, catalog=selecting("customers")))
        state = outputs[-1].state
        assert len(json.dumps(state["bookmarks"]["customers"]["recent"])) < 2048
        stripe.world.clock.advance(60)
    assert [sorted(row["id"] for row in one.records("customers")) for one in outputs] == [
        ["cus_1", "cus_2"],
        ["cus_3"],
        [],
    ]


@pytest.mark.parametrize("order", [("trialing", "active"), ("active", "trialing")])
def test_a07_the_order_of_events_of_one_second_does_not_matter(
    stripe: Simulator, order: tuple[str, str]
) -> None:
    """Two snapshots of one second give one row, in Stripe's present state."""
    account = stripe.world.platform
    account.create("subscription", {"id": "sub_1", "status": "trialing"}, at=NOW - 2 * DAY)
    first = run(config_for(stripe), catalog=selecting("subscriptions"))
    types = {"trialing": "trial_will_end", "active": "updated"}

    def tell(account: Account) -> None:
        document = account.update("subscription", "sub_1", {"status": "active"}, event=None)
        for status in order:
            account.add_event(
                f"customer.subscription.{types[status]}", {**document, "status": status}
            )

    second = next_run(stripe, first, "subscriptions", change=tell)
    assert [row["status"] for row in second.records("subscriptions")] == ["active"]
    assert routes(stripe).count("/v1/subscriptions/{id}") == 1


@pytest.mark.parametrize("killed", [False, True])
def test_a08_a_change_behind_the_reader_comes_with_the_next_run(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, *, killed: bool
) -> None:
    """A load of 20 minutes, a change at minute 1 to a row already read, also if cut in half."""
    account = stripe.world.platform
    bulk.load(account, customers=10_000, start=NOW - YEAR, until=NOW - DAY)
    newest = next(account.objects("customer"))["id"]
    answered = stripe.journal.answered
    pages = 0

    def answer_slowly(request: Request, at: float, status: int, rows: int | None) -> None:
        nonlocal pages
        answered(request, at, status, rows)
        if request.path == "/v1/customers":
            pages += 1
            stripe.world.clock.advance(12)
            if pages == 5:
                account.update("customer", newest, {"name": "changed at minute 1"})

    monkeypatch.setattr(stripe.journal, "answered", answer_slowly)
    whole = run(config_for(stripe), catalog=selecting("customers"), every_state=True)
    assert stripe.world.clock.now >= NOW + 1200
    parts = list(cuts(whole.messages))
    written, state = parts[len(parts) // 2] if killed else parts[-1]
    assert newest in {one["record"]["id"] for one in written if one["type"] == "RECORD"}
    rest = run(config_for(stripe), state=state, catalog=selecting("customers"))
    tables = Warehouse().load(written).load(rest.messages).tables
    assert tables["customers"]["acct_1Simulator", newest]["name"] == "changed at minute 1"
    assert len(tables["customers"]) == 10_000


def test_a09_every_published_event_type_of_a_stream_brings_its_object(stripe: Simulator) -> None:
    """Each type that Stripe publishes is followed for our objects, and passed over for others."""
    account = stripe.world.platform
    ours: dict[str, tuple[str, str]] = {}
    for type_ in published_event_types():
        for object_ in FOLLOWED.keys() & EVENT_TYPES[type_]:
            ours[type_] = object_, f"{object_}_{type_.replace('.', '_')}"
    assert len(ours) >= 40
    for place, (object_, name) in enumerate(ours.values()):
        account.create(object_, {"id": name}, at=NOW - (40 + place) * DAY)
    first = run(config_for(stripe))

    def tell(account: Account) -> None:
        for type_ in published_event_types():
            if type_ not in ours:
                account.add_event(type_, {"object": "of_no_stream", "id": f"x_{type_}"})
                continue
            object_, name = ours[type_]
            document = account.update(object_, name, {"metadata": {"told": "so"}}, event=None)
            account.add_event(type_, document)

    second = next_run(stripe, first, *LISTED, change=tell)
    names = {name for _, name in ours.values()}
    rows = [row for listed in FOLLOWED.values() for row in second.records(listed.name)]
    assert {row["id"] for row in rows} >= names
    # What our objects refer to, and is not there, is marked.
    assert all(row["_sdc_deleted_at"] for row in rows if row["id"] not in names)
    assert len(second.records("events")) == len(published_event_types())


def test_a10_the_feed_is_asked_for_without_types(stripe: Simulator) -> None:
    """However many streams are selected, no list of types can become too long for Stripe."""
    account = stripe.world.platform
    populate(account, seed=1, customers=5, start=NOW - YEAR, until=NOW - DAY)
    first = run(config_for(stripe))

    def change(account: Account) -> None:
        for object_ in ("customer", "charge", "invoice"):
            name = next(account.objects(object_))["id"]
            account.update(object_, name, {"description": "new"})

    every = next_run(stripe, first, *(stream.name for stream in STREAMS), change=change)
    requests = stripe.journal.requests
    assert {request.status for request in requests} == {200}
    assert not [name for one in requests for name, _ in one.query if name.startswith("type")]
    two = run(config_for(stripe), state=first.state, catalog=selecting("customers", "charges"))
    assert two.counts == {"customers": 1, "charges": 1}
    for name in two.counts:
        assert two.records(name) == every.records(name)


def test_a11_a_refund_in_an_event_of_a_charge_is_no_charge(stripe: Simulator) -> None:
    """`charge.refund.updated` carries a refund; what arrives in charges is the charge itself."""
    stripe.world.platform.create("charge", {"id": "ch_1"}, at=NOW - 2 * DAY)
    first = run(config_for(stripe), catalog=selecting("charges"))
    refund = {"object": "refund", "id": "re_1", "charge": "ch_1", "status": "failed"}
    second = next_run(
        stripe,
        first,
        *(stream.name for stream in STREAMS),
        change=lambda account: account.add_event("charge.refund.updated", refund),
    )
    assert [(row["id"], row["object"]) for row in second.records("charges")] == [("ch_1", "charge")]
    assert not any("re_1" in str(second.records(name)) for name in LISTED if name != "events")
    objects = {stream.name: stream.object for stream in STREAMS}
    records = [one for one in second.messages if one["type"] == "RECORD"]
    assert all(one["record"]["object"] == objects[one["stream"]] for one in records)


def test_a12_objects_that_change_unseen_are_listed_again(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any event, new, changed and expired objects of such a stream arrive each run."""
    monkeypatch.setitem(vars(LISTED["coupons"]), "tracking", Relist())
    account = stripe.world.platform
    account.create("coupon", {"id": "TXN", "name": "pending"}, at=NOW - 9 * DAY)
    first = run(config_for(stripe), catalog=selecting("coupons"))

    def alter(account: Account) -> None:
        account.update("coupon", "TXN", {"name": "available"}, event=None)
        account.create("coupon", {"id": "SESSION", "name": "open"})

    second = next_run(stripe, first, "coupons", change=alter)
    third = next_run(
        stripe,
        second,
        "coupons",
        change=lambda account: account.update("coupon", "SESSION", {"name": "gone"}, event=None),
    )
    names = [{row["id"]: row["name"] for row in one.records("coupons")} for one in (second, third)]
    assert names[0] == {"TXN": "available", "SESSION": "open"}
    assert names[1]["SESSION"] == "gone"


def test_a13_a_refund_told_of_only_by_its_charge_updates_the_charge(stripe: Simulator) -> None:
    """`charge.refunded` alone brings the charge with what was given back."""
    account = stripe.world.platform
    account.create("charge", {"id": "ch_1", "amount": 500}, at=NOW - 2 * DAY)
    first = run(config_for(stripe), catalog=selecting("charges"))
    second = next_run(
        stripe,
        first,
        "charges",
        change=lambda account: account.update(
            "charge", "ch_1", {"amount_refunded": 500, "refunded": True}, event="charge.refunded"
        ),
    )
    (row,) = second.records("charges")
    assert (row["amount_refunded"], row["refunded"]) == (500, True)


def test_a15_a_deleted_customer_keeps_its_columns(stripe: Simulator) -> None:
    """Where Stripe answers a stub, the row is the last payload with the time of the deletion."""
    account = stripe.world.platform
    account.create("customer", {"id": "cus_1", "email": "a@example.com"}, at=NOW - 9 * DAY)
    first = run(config_for(stripe), catalog=selecting("customers"))

    def delete(account: Account) -> None:
        # An update of the same second leaves open which came last, so the customer is read.
        account.update("customer", "cus_1", {"name": "last"})
        account.delete("customer", "cus_1")

    second = next_run(stripe, first, "customers", change=delete)
    (row,) = second.records("customers")
    assert "/v1/customers/{id}" in routes(stripe)
    assert (row["email"], row["name"]) == ("a@example.com", "last")
    assert row["_sdc_deleted_at"] == "2026-01-01T12:00:00+00:00"
    assert next_run(stripe, second, "customers").counts == {}


def test_a17_subscriptions_of_all_eight_statuses_arrive(stripe: Simulator) -> None:
    """One of each status, with the items of cancelled ones too."""
    statuses = {
        "active",
        "canceled",
        "incomplete",
        "incomplete_expired",
        "past_due",
        "paused",
        "trialing",
        "unpaid",
    }
    for status in statuses:
        stripe.world.platform.create(
            "subscription",
            {"id": f"sub_{status}", "status": status, "items": [{"id": f"si_{status}"}]},
        )
    output = run(config_for(stripe))
    assert {row["status"] for row in output.records("subscriptions")} == statuses
    assert {row["id"] for row in output.records("subscription_items")} == {
        f"si_{status}" for status in statuses
    }
    (request,) = (one for one in stripe.journal.requests if one.path == "/v1/subscriptions")
    assert request.parameter("status") == "all"


def test_a21_a_preview_without_an_id_is_not_looked_for(stripe: Simulator) -> None:
    """`invoice.upcoming` in the feed gives one row of events and no request for an invoice."""
    first = run(config_for(stripe))
    preview = {"object": "invoice", "customer": "cus_1", "lines": {"object": "list", "data": []}}
    second = next_run(
        stripe,
        first,
        *(stream.name for stream in STREAMS),
        change=lambda account: account.add_event("invoice.upcoming", preview),
    )
    assert second.counts == {"events": 1}
    assert routes(stripe) == ["/v1/events"]


def test_a23_what_rows_refer_to_is_there_despite_the_start_date(stripe: Simulator) -> None:
    """A 2024 invoice has its 2018 customer and 2019 plan; no customer of any row is missing."""
    account = stripe.world.platform
    account.create("customer", {"id": "cus_2018"}, at=NOW - 8 * YEAR)
    account.create("plan", {"id": "price_2019"}, at=NOW - 7 * YEAR)
    pricing = {"type": "price_details", "price_details": {"price": "price_2019"}}
    account.create(
        "invoice",
        {
            "id": "in_2024",
            "customer": "cus_2018",
            "lines": [{"id": "il_1", "pricing": pricing}],
        },
        at=NOW - YEAR - DAY,
    )
    populate(account, seed=4, customers=20, start=NOW - 5 * YEAR, until=NOW - DAY)
    output = run(config_for(stripe, start_date="2024-01-01"))
    ids = {name: {row["id"] for row in output.records(name)} for name in LISTED}
    assert "cus_2018" in ids["customers"]
    assert "price_2019" in ids["plans"]
    assert "in_2024" in ids["invoices"]
    for name in ("charges", "invoices", "subscriptions"):
        rows = output.records(name)
        assert rows
        assert all(row["created"] >= "2024" for row in rows)
        assert {row["customer"] for row in rows if row["customer"]} <= ids["customers"]


def test_a24_a_row_without_a_creation_time_passes(stripe: Simulator) -> None:
    """It is written, and the bookmark is the one of a run without it."""
    empty = run(config_for(stripe), catalog=selecting("coupons"))
    rows = [
        {"id": "NO_TIME", "object": "coupon", "created": None},
        {"id": "NO_FIELD", "object": "coupon"},
    ]
    page = {"object": "list", "data": rows, "has_more": False, "url": "/v1/coupons"}
    stripe.faults.add(Fault(match="/v1/coupons", body=page))
    output = run(config_for(stripe), catalog=selecting("coupons"))
    assert output.exit_code == 0
    assert {row["id"]: row["updated_at"] for row in output.records("coupons")} == {
        "NO_TIME": None,
        "NO_FIELD": None,
    }
    assert output.state == empty.state


@pytest.mark.parametrize("method", [None, "FULL_TABLE", "INCREMENTAL", "LOG_BASED"])
def test_a25_events_are_never_replaced(stripe: Simulator, method: str | None) -> None:
    """No replication method makes the tap send ACTIVATE_VERSION, in no run without a state."""
    populate(stripe.world.platform, seed=5, customers=5, start=NOW - YEAR, until=NOW)
    catalog = selecting("events")
    for entry in catalog["streams"]:
        if method:
            entry["replication_method"] = method
    for _ in range(2):
        output = run(config_for(stripe), catalog=catalog)
        assert output.counts["events"] > 0
        assert {one["type"] for one in output.messages} == {"SCHEMA", "RECORD", "STATE"}


def test_a26_ten_idle_days_move_every_bookmark(stripe: Simulator) -> None:
    """Where nothing happened the bookmarks end at Stripe's clock less the lag all the same."""
    first = run(config_for(stripe))
    stripe.world.clock.advance(10 * DAY)
    second = run(config_for(stripe), state=first.state)
    for name, bookmark in second.state["bookmarks"].items():
        assert bookmark["covered"][-1][1] == "2026-01-10T23:55:00+00:00"
        if name != "events":
            assert bookmark["events_until"] == "2026-01-10T23:55:00+00:00"


def change_old(account: Account, name: str) -> None:
    """Change a customer; those of three years are far apart, so each takes a retrieve."""
    account.update("customer", name, {"name": "new"})


def create_new(account: Account, _: str) -> None:
    """Create a customer; new ones are close together, so they come in lists."""
    account.create("customer", {"name": "new"})


@pytest.mark.parametrize(
    "acts",
    [(change_old,), (create_new,), (change_old, create_new, create_new)],
    ids=["old", "new", "both"],
)
def test_a26_twenty_five_busy_days_are_claimed_day_by_day(
    stripe: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    acts: tuple[Callable[[Account, str], None], ...],
) -> None:
    """While a thousand objects are read again, the feed's position follows, a day at a time."""
    # In the order in which they are begun, and no more in a step than a day brings.
    monkeypatch.setattr("tap_stripe_connect.sync.fetch.workers.FIRST_WORKERS", 1)
    monkeypatch.setattr("tap_stripe_connect.sync.fetch.workers.MAX_WORKERS", 1)
    monkeypatch.setattr("tap_stripe_connect.sync.plan.refetch.WALK_OBJECTS", 40)
    monkeypatch.setattr("tap_stripe_connect.sync.plan.refetch.MIN_STEPS", 25)
    monkeypatch.setattr("tap_stripe_connect.sync.emit.writer.STATE_COST_FACTOR", 0)
    account = stripe.world.platform
    bulk.load(account, customers=1000, start=NOW - 3 * YEAR, until=NOW - DAY)
    first = run(config_for(stripe), catalog=selecting("customers"))
    for old, act in zip(list(account.objects("customer")), cycle(acts), strict=False):
        stripe.world.clock.advance(25 * DAY / 1000)
        act(account, old["id"])
    second = run(
        config_for(stripe), state=first.state, catalog=selecting("customers"), every_state=True
    )
    assert second.counts == {"customers": 1000}
    positions = [
        datetime.fromisoformat(state["bookmarks"]["customers"]["events_until"])
        for state in (first.state, *second.states)
    ]
    steps = [later - earlier for earlier, later in pairwise(positions)]
    assert min(steps) >= timedelta(0)
    assert max(steps) <= timedelta(days=1, hours=1)
    parts = (
        (sum(one["type"] == "RECORD" for one in part), state)
        for part, state in cuts(second.messages)
    )
    _, halfway = next(part for part in parts if part[0] >= 500)
    assert halfway["bookmarks"]["customers"]["events_until"] >= "2026-01-10"


def test_a27_a_cursor_stays_with_the_filter_it_came_from(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """250 rows of one second arrive once each while the windows around them are split."""
    monkeypatch.setattr("tap_stripe_connect.sync.fetch.workers.FIRST_WORKERS", 4)
    account = stripe.world.platform
    bulk.load(account, customers=3000, start=NOW - YEAR, until=NOW - DAY)
    bulk.load(account, customers=250, start=NOW - 200 * DAY, until=NOW - 200 * DAY + 1)
    output = run(config_for(stripe), catalog=selecting("customers"))
    ids = [row["id"] for row in output.records("customers")]
    assert len(ids) == len(set(ids)) == 3250
    spans: dict[Any, list[str | None]] = {}
    for one in stripe.journal.requests:
        if one.path == "/v1/customers":
            span = one.parameter("created[gte]"), one.parameter("created[lt]")
            spans.setdefault(span, []).append(one.parameter("starting_after"))
    assert len(spans) > 1
    assert all(cursors[0] is None and None not in cursors[1:] for cursors in spans.values())
