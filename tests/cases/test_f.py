"""Acceptance cases F: the fewest requests that give the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_stripe_connect.simulator import bulk
from tests.cases.steps import YEAR, next_run, routes
from tests.harness import DAY, NOW, config_for, run, selecting

if TYPE_CHECKING:
    import pytest

    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.server import Simulator

NAMES = ("invoices", "invoice_line_items")


def test_f02_lines_cost_no_request_of_their_own(stripe: Simulator) -> None:
    """5,000 invoices of 8 lines take list pages alone; 13 new ones bring only their lines."""
    account = stripe.world.platform
    bulk.load(account, invoices=5000, lines=8, start=NOW - YEAR, until=NOW - DAY)
    first = run(config_for(stripe), catalog=selecting(*NAMES))
    assert first.counts == {"invoices": 5000, "invoice_line_items": 40_000}
    assert set(routes(stripe)) == {"/v1/invoices"}
    # Windows side by side end in pages that are not full.
    assert 50 <= len(routes(stripe)) <= 1.2 * 50 + 50

    def bill(account: Account) -> None:
        for place in range(13):
            lines = [{"id": f"il_new_{place}_{line}"} for line in range(8)]
            account.create("invoice", {"id": f"in_new_{place}", "lines": lines})

    second = next_run(stripe, first, *NAMES, change=bill)
    assert second.counts == {"invoices": 13, "invoice_line_items": 104}
    asked = routes(stripe)
    asked.remove("/v1/events")
    assert len(asked) <= 13
    assert set(asked) <= {"/v1/invoices", "/v1/invoices/{id}"}


def test_f04_one_list_gives_what_a_hundred_retrieves_give(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 changed charges of one hour: at most two list calls, and the very same rows."""
    account = stripe.world.platform
    bulk.load(account, charges=100, start=NOW - 10 * DAY, until=NOW - 10 * DAY + 3600)
    first = run(config_for(stripe), catalog=selecting("charges"))

    def refund_all(account: Account) -> None:
        for charge in list(account.objects("charge")):
            account.update("charge", charge["id"], {"refunded": True}, event="charge.refunded")

    listed = next_run(stripe, first, "charges", change=refund_all)
    asked = routes(stripe)
    assert asked.count("/v1/charges") <= 2
    assert asked.count("/v1/charges/{id}") == 0
    monkeypatch.setattr("tap_stripe_connect.sync.changes.NEAR", -1)
    stripe.journal.clear()
    retrieved = run(config_for(stripe), state=first.state, catalog=selecting("charges"))
    assert routes(stripe).count("/v1/charges/{id}") == 100
    rows = [sorted(one.records("charges"), key=str) for one in (listed, retrieved)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 100
