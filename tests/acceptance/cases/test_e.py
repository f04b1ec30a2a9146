"""Acceptance cases E: state, and what an interruption leaves."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tap_stripe_connect.errors import TapError
from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.sync.state.format import Bookmarks
from tests.acceptance.cases.steps import YEAR, next_run, routes
from tests.support.harness import DAY, NOW, config_for, run, selecting

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.server import Simulator

NAMES = ("invoices", "invoice_line_items")


def test_e03_a_parent_half_written_is_written_again(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut among the 40 lines of in_7, the next run writes all 40 again."""
    # One reader, and newer invoices that fill the pages before.
    monkeypatch.setattr("tap_stripe_connect.sync.fetch.workers.FIRST_WORKERS", 1)
    monkeypatch.setattr("tap_stripe_connect.sync.fetch.workers.MAX_WORKERS", 1)
    bulk.load(stripe.world.platform, invoices=300, lines=1, start=NOW - DAY, until=NOW)
    for place in range(10):
        lines = [{"id": f"il_{place}_{line}"} for line in range(40)]
        fields = {"id": f"in_{place}", "lines": lines}
        stripe.world.platform.create("invoice", fields, at=NOW - (place + 2) * DAY)
    whole = run(config_for(stripe), catalog=selecting(*NAMES), every_state=True)
    cut = next(
        place
        for place, one in enumerate(whole.messages)
        if one["type"] == "RECORD" and one["record"]["id"] == "il_7_20"
    )
    states = [one["value"] for one in whole.messages[:cut] if one["type"] == "STATE"]
    assert states
    rest = run(config_for(stripe), state=states[-1], catalog=selecting(*NAMES))
    again = [row["id"] for row in rest.records("invoice_line_items") if row["invoice"] == "in_7"]
    assert sorted(again) == sorted(f"il_7_{line}" for line in range(40))
    written = {one["record"]["id"] for one in whole.messages[:cut] if one["type"] == "RECORD"}
    assert len(written | {row["id"] for name in NAMES for row in rest.records(name)}) == 1010


def test_e06_the_state_does_not_grow_with_parents(stripe: Simulator) -> None:
    """Invoices with lines by the thousand: STATE under 4 KB, and at most one a second."""
    account = stripe.world.platform
    bulk.load(account, invoices=6000, lines=1, start=NOW - 3 * YEAR, until=NOW)
    every = run(config_for(stripe), catalog=selecting(*NAMES), every_state=True)
    assert len(every.states) > 20
    assert max(len(json.dumps(state)) for state in every.states) < 4096
    began = time.monotonic()
    usual = run(config_for(stripe), catalog=selecting(*NAMES))
    assert usual.counts == dict.fromkeys(NAMES, 6000)
    # One before the first record, one at the end, and one a second between them.
    assert len(usual.states) <= time.monotonic() - began + 2


def test_e10_a_stream_selected_later_is_loaded_and_others_go_on(stripe: Simulator) -> None:
    """All 250 charges and the one changed customer, though the feed was read up to now."""
    account = stripe.world.platform
    bulk.load(account, customers=150, charges=250, start=NOW - YEAR, until=NOW - DAY)
    first = run(config_for(stripe), catalog=selecting("customers"))
    assert first.counts == {"customers": 150}
    changed = first.records("customers")[70]["id"]
    second = next_run(
        stripe,
        first,
        "customers",
        "charges",
        change=lambda account: account.update("customer", changed, {"name": "new"}),
    )
    assert second.counts == {"customers": 1, "charges": 250}
    asked = routes(stripe)
    assert asked.count("/v1/events") == 1
    assert asked.count("/v1/customers") == 0
    assert asked.count("/v1/customers/{id}") == 1
    third = next_run(stripe, second, "customers", "charges")
    assert third.counts == {}
    assert routes(stripe) == ["/v1/events"]


def test_e12_a_live_state_is_not_taken_for_test_data(stripe: Simulator) -> None:
    """With a test key it is refused before any list call, unless its mode is removed from it."""
    stripe.world.platform.create("coupon", {"id": "C"}, at=NOW - DAY)
    state = run(config_for(stripe), catalog=selecting("coupons")).state
    state["tap_stripe_connect"]["livemode"] = True
    stripe.journal.clear()
    with pytest.raises(TapError, match="live"):
        run(config_for(stripe), state=state, catalog=selecting("coupons"))
    assert routes(stripe) == []
    del state["tap_stripe_connect"]["livemode"]
    output = run(config_for(stripe), state=state, catalog=selecting("coupons"))
    assert output.exit_code == 0
    assert output.counts == {}
    assert output.state["tap_stripe_connect"]["livemode"] is False


def test_e12_another_platforms_state_claims_nothing_of_this_one(stripe: Simulator) -> None:
    """Its bookmarks pass through as they are, and the accounts of this key are loaded."""
    stripe.world.platform.create("coupon", {"id": "C"}, at=NOW - DAY)
    theirs = {"covered": [["1970-01-01T00:00:00+00:00", "2025-12-31T23:00:00+00:00"]]}
    state = {
        "bookmarks": {"coupons": {**theirs, "level_accounts": 1}},
        "tap_stripe_connect": {"version": 1, "livemode": False, "accounts": ["acct_1Theirs"]},
    }
    output = run(config_for(stripe), state=state, catalog=selecting("coupons"))
    assert output.counts == {"coupons": 1}
    before, after = Bookmarks(state), Bookmarks(output.state)
    assert after.get("coupons", "acct_1Theirs") == before.get("coupons", "acct_1Theirs")
