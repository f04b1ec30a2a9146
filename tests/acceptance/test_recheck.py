"""Rechecks: events that are shown late, and changes without events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.harness import DAY, NOW, Warehouse, config_for, run, selecting

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.server import Simulator
    from tests.support.harness import Json, Output

HOUR = 3600


class Runs:
    """Successive runs over an account, with time passing between them."""

    def __init__(self, stripe: Simulator, *streams: str, **settings: Any) -> None:
        self.stripe = stripe
        self.warehouse = Warehouse()
        self._streams = streams
        self._settings = {"recheck_interval": DAY, **settings}
        self._state: Json | None = None

    @property
    def account(self) -> Account:
        """The platform's account."""
        return self.stripe.world.platform

    def run_after(self, seconds: float) -> Output:
        """Let time pass and run, with a clean journal."""
        self.stripe.world.clock.advance(seconds)
        self.stripe.journal.clear()
        output = run(
            config_for(self.stripe, **self._settings),
            state=self._state,
            catalog=selecting(*self._streams),
        )
        assert output.exit_code == 0
        self._state = output.state
        self.warehouse.load(output.messages)
        return output

    def column(self, stream: str, field: str) -> dict[str, Any]:
        """Return a column of a table by id."""
        return {row["id"]: row[field] for row in self.warehouse.tables[stream].values()}

    def hidden(self, hours: float) -> dict[str, Any]:
        """Return the arguments of an event that is shown some hours from now."""
        now = self.stripe.world.clock.now
        return {"at": now, "visible_at": int(now + hours * HOUR)}


def requested_routes(stripe: Simulator) -> list[str]:
    """Return the requested routes except for the key's own account, sorted."""
    return sorted(one.template for one in stripe.journal.requests if one.path != "/v1/account")


@pytest.mark.parametrize("hours", [1 / 3, 5, 23])
def test_an_event_that_is_shown_late_is_followed_within_a_day_and_a_run(
    stripe: Simulator, hours: float
) -> None:
    """A new customer and a changed one, whose events become visible late."""
    runs = Runs(stripe, "customers")
    runs.account.create("customer", {"id": "cus_old", "name": "before"}, at=NOW - 90 * DAY)
    runs.run_after(0)
    runs.run_after(HOUR)
    runs.account.update("customer", "cus_old", {"name": "after"}, event=None)
    changed = runs.account.get("customer", "cus_old") or {}
    runs.account.add_event("customer.updated", changed, **runs.hidden(hours))
    runs.account.insert({**changed, "id": "cus_new", "created": stripe.world.clock.now})
    created = runs.account.get("customer", "cus_new") or {}
    runs.account.add_event("customer.created", created, **runs.hidden(hours))
    for _ in range(9):
        runs.run_after(6 * HOUR)
    assert runs.column("customers", "name") == {"cus_old": "after", "cus_new": "after"}


@pytest.mark.parametrize("pause", [0, 6 * DAY])
def test_an_event_that_is_shown_late_becomes_a_row_too(stripe: Simulator, pause: int) -> None:
    """Also if the next run starts days after it became visible."""
    runs = Runs(stripe, "customers", "events")
    runs.run_after(0)
    customer = runs.account.create("customer", {"id": "cus_1"}, at=NOW)
    runs.run_after(HOUR)
    runs.run_after(HOUR)
    event = runs.account.add_event("customer.updated", customer, **runs.hidden(20))
    runs.run_after(4 * HOUR)
    runs.run_after(HOUR + pause)
    if not pause:
        runs.run_after(DAY)
    assert event["id"] in runs.column("events", "id")


def test_an_object_without_any_event_is_found_within_a_day_and_a_run(stripe: Simulator) -> None:
    """In rare cases Stripe never creates an event."""
    runs = Runs(stripe, "customers", "invoices", "invoice_line_items")
    runs.run_after(0)
    runs.run_after(HOUR)
    runs.account.insert({"id": "cus_1", "object": "customer", "created": NOW + HOUR + 60})
    lines = {"object": "list", "data": [{"id": "il_1", "object": "line_item"}]}
    runs.account.insert(
        {"id": "in_1", "object": "invoice", "created": NOW + HOUR + 60, "lines": lines}
    )
    for _ in range(6):
        runs.run_after(6 * HOUR)
    assert set(runs.column("customers", "id")) == {"cus_1"}
    assert set(runs.column("invoices", "id")) == {"in_1"}
    assert set(runs.column("invoice_line_items", "id")) == {"il_1"}


def test_a_charge_that_changed_without_an_event_is_found_within_a_day_and_a_run(
    stripe: Simulator,
) -> None:
    """The days whose rows differ from the last check are listed again; the others are not."""
    runs = Runs(stripe, "charges")
    for age in range(5):
        runs.account.create("charge", {"id": f"ch_{age}"}, at=NOW - age * DAY - HOUR)
    runs.run_after(0)
    runs.run_after(DAY)
    runs.account.update("charge", "ch_3", {"description": "silent"}, event=None)
    found = runs.run_after(DAY)
    assert [row["id"] for row in found.records("charges")] == ["ch_3"]
    assert found.records("charges")[0]["description"] == "silent"
    assert runs.run_after(DAY).counts == {}


def test_an_idle_account_costs_two_requests_and_one_per_list_when_a_check_is_due(
    stripe: Simulator,
) -> None:
    """The check of each list is a page; nothing is written again."""
    runs = Runs(stripe, "charges", "customers", "coupons", "plans")
    for object_ in ("charge", "customer", "coupon", "plan"):
        runs.account.create(object_, {"id": f"x_{object_}"}, at=NOW - 90 * DAY)
    runs.run_after(0)
    assert runs.run_after(HOUR).counts == {}
    assert requested_routes(stripe) == ["/v1/events"]
    assert runs.run_after(DAY).counts == {}
    assert requested_routes(stripe) == [
        "/v1/charges",
        "/v1/coupons",
        "/v1/customers",
        "/v1/events",
        "/v1/plans",
    ]
    runs.run_after(HOUR)
    assert requested_routes(stripe) == ["/v1/events"]


def test_what_the_feed_reported_is_not_written_again_by_a_check(stripe: Simulator) -> None:
    """Earlier runs have written the objects that events of the last two days name."""
    runs = Runs(stripe, "customers", recheck_interval=0)
    runs.run_after(0)
    for number in range(20):
        runs.account.create("customer", {"id": f"cus_{number}"})
        stripe.world.clock.advance(HOUR)
    assert runs.run_after(HOUR).counts == {"customers": 20}
    assert runs.run_after(HOUR).counts == {}
    assert runs.run_after(HOUR).counts == {}


def test_updated_at_never_goes_back_where_an_event_is_shown_late(stripe: Simulator) -> None:
    """The late event is older than the last change that was written."""
    runs = Runs(stripe, "customers")
    runs.account.create("customer", {"id": "cus_1"}, at=NOW - 90 * DAY)
    runs.run_after(0)
    runs.run_after(HOUR)
    shown = runs.account.get("customer", "cus_1") or {}
    runs.account.add_event("customer.updated", shown, **runs.hidden(5))
    stripe.world.clock.advance(4 * HOUR)
    runs.account.update("customer", "cus_1", {"name": "new"})
    runs.run_after(HOUR)
    before = runs.column("customers", "updated_at")["cus_1"]
    for _ in range(6):
        output = runs.run_after(6 * HOUR)
        for row in output.records("customers"):
            assert row["updated_at"] >= before
            before = row["updated_at"]


def test_a_state_without_checked_at_costs_one_check_and_no_row(stripe: Simulator) -> None:
    """States of older releases have neither `checked_at` nor `event_feed`."""
    runs = Runs(stripe, "customers")
    runs.account.create("customer", {"id": "cus_1"}, at=NOW - DAY)
    output = runs.run_after(HOUR)
    entry = output.state["bookmarks"]["customers"]
    del entry["checked_at"]
    assert runs.run_after(HOUR).counts == {}
    assert requested_routes(stripe) == ["/v1/customers", "/v1/events"]
