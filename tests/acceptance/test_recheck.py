"""Checks of the event feed: what it shows late, never tells of, or cannot tell of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.harness import DAY, NOW, Warehouse, config_for, run, selecting

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.server import Simulator
    from tests.support.harness import Json, Output

HOUR = 3600


class Tale:
    """Runs one after the other over an account in which time passes."""

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

    def names(self, stream: str, field: str) -> dict[str, Any]:
        """Return a column of a table by id."""
        return {row["id"]: row[field] for row in self.warehouse.tables[stream].values()}

    def hidden(self, hours: float) -> dict[str, Any]:
        """Return the arguments of an event that is shown some hours from now."""
        now = self.stripe.world.clock.now
        return {"at": now, "visible_at": int(now + hours * HOUR)}


def paths(stripe: Simulator) -> list[str]:
    """Return the routes asked for, the key's own account aside, in order of their names."""
    return sorted(one.template for one in stripe.journal.requests if one.path != "/v1/account")


@pytest.mark.parametrize("hours", [1 / 3, 5, 23])
def test_an_event_that_is_shown_late_is_followed_within_a_day_and_a_run(
    stripe: Simulator, hours: float
) -> None:
    """A new customer and a changed one, whose events no run saw in time."""
    tale = Tale(stripe, "customers")
    tale.account.create("customer", {"id": "cus_old", "name": "before"}, at=NOW - 90 * DAY)
    tale.run_after(0)
    tale.run_after(HOUR)
    tale.account.update("customer", "cus_old", {"name": "after"}, event=None)
    changed = tale.account.get("customer", "cus_old") or {}
    tale.account.add_event("customer.updated", changed, **tale.hidden(hours))
    tale.account.insert({**changed, "id": "cus_new", "created": stripe.world.clock.now})
    created = tale.account.get("customer", "cus_new") or {}
    tale.account.add_event("customer.created", created, **tale.hidden(hours))
    for _ in range(9):
        tale.run_after(6 * HOUR)
    assert tale.names("customers", "name") == {"cus_old": "after", "cus_new": "after"}


@pytest.mark.parametrize("pause", [0, 6 * DAY])
def test_an_event_that_is_shown_late_becomes_a_row_too(stripe: Simulator, pause: int) -> None:
    """Also where the next run comes days after it was shown."""
    tale = Tale(stripe, "customers", "events")
    tale.run_after(0)
    customer = tale.account.create("customer", {"id": "cus_1"}, at=NOW)
    tale.run_after(HOUR)
    tale.run_after(HOUR)
    event = tale.account.add_event("customer.updated", customer, **tale.hidden(20))
    tale.run_after(4 * HOUR)
    tale.run_after(HOUR + pause)
    if not pause:
        tale.run_after(DAY)
    assert event["id"] in tale.names("events", "id")


def test_an_object_without_any_event_is_found_within_a_day_and_a_run(stripe: Simulator) -> None:
    """In rare cases Stripe never makes an event."""
    tale = Tale(stripe, "customers", "invoices", "invoice_line_items")
    tale.run_after(0)
    tale.run_after(HOUR)
    tale.account.insert({"id": "cus_1", "object": "customer", "created": NOW + HOUR + 60})
    lines = {"object": "list", "data": [{"id": "il_1", "object": "line_item"}]}
    tale.account.insert(
        {"id": "in_1", "object": "invoice", "created": NOW + HOUR + 60, "lines": lines}
    )
    for _ in range(6):
        tale.run_after(6 * HOUR)
    assert set(tale.names("customers", "id")) == {"cus_1"}
    assert set(tale.names("invoices", "id")) == {"in_1"}
    assert set(tale.names("invoice_line_items", "id")) == {"il_1"}


def test_a_charge_that_changed_without_an_event_is_found_within_a_day_and_a_run(
    stripe: Simulator,
) -> None:
    """The days whose rows differ from the last check are listed again; the others are not."""
    tale = Tale(stripe, "charges")
    for age in range(5):
        tale.account.create("charge", {"id": f"ch_{age}"}, at=NOW - age * DAY - HOUR)
    tale.run_after(0)
    tale.run_after(DAY)
    tale.account.update("charge", "ch_3", {"description": "silent"}, event=None)
    found = tale.run_after(DAY)
    assert [row["id"] for row in found.records("charges")] == ["ch_3"]
    assert found.records("charges")[0]["description"] == "silent"
    assert tale.run_after(DAY).counts == {}


def test_an_idle_account_costs_two_requests_and_one_per_list_when_a_check_is_due(
    stripe: Simulator,
) -> None:
    """The check of each list is a page; nothing is written again."""
    tale = Tale(stripe, "charges", "customers", "coupons", "plans")
    for object_ in ("charge", "customer", "coupon", "plan"):
        tale.account.create(object_, {"id": f"x_{object_}"}, at=NOW - 90 * DAY)
    tale.run_after(0)
    assert tale.run_after(HOUR).counts == {}
    assert paths(stripe) == ["/v1/events"]
    assert tale.run_after(DAY).counts == {}
    assert paths(stripe) == [
        "/v1/charges",
        "/v1/coupons",
        "/v1/customers",
        "/v1/events",
        "/v1/plans",
    ]
    tale.run_after(HOUR)
    assert paths(stripe) == ["/v1/events"]


def test_what_the_feed_told_is_not_written_again_by_a_check(stripe: Simulator) -> None:
    """Objects of the last two days that events name have been written by earlier runs."""
    tale = Tale(stripe, "customers", recheck_interval=0)
    tale.run_after(0)
    for number in range(20):
        tale.account.create("customer", {"id": f"cus_{number}"})
        stripe.world.clock.advance(HOUR)
    assert tale.run_after(HOUR).counts == {"customers": 20}
    assert tale.run_after(HOUR).counts == {}
    assert tale.run_after(HOUR).counts == {}


def test_updated_at_never_goes_back_where_an_event_is_shown_late(stripe: Simulator) -> None:
    """The late event is older than the change that was written last."""
    tale = Tale(stripe, "customers")
    tale.account.create("customer", {"id": "cus_1"}, at=NOW - 90 * DAY)
    tale.run_after(0)
    tale.run_after(HOUR)
    shown = tale.account.get("customer", "cus_1") or {}
    tale.account.add_event("customer.updated", shown, **tale.hidden(5))
    stripe.world.clock.advance(4 * HOUR)
    tale.account.update("customer", "cus_1", {"name": "new"})
    tale.run_after(HOUR)
    before = tale.names("customers", "updated_at")["cus_1"]
    for _ in range(6):
        output = tale.run_after(6 * HOUR)
        for row in output.records("customers"):
            assert row["updated_at"] >= before
            before = row["updated_at"]


def test_a_state_without_what_was_seen_costs_one_check_and_no_row(stripe: Simulator) -> None:
    """States of older releases have neither `checked_at` nor `event_feed`."""
    tale = Tale(stripe, "customers")
    tale.account.create("customer", {"id": "cus_1"}, at=NOW - DAY)
    output = tale.run_after(HOUR)
    entry = output.state["bookmarks"]["customers"]
    del entry["checked_at"]
    assert tale.run_after(HOUR).counts == {}
    assert paths(stripe) == ["/v1/customers", "/v1/events"]
