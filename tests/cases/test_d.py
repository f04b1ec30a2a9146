"""Acceptance cases D: many accounts, each by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness import DAY, NOW, config_for, run, selecting

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.server import Simulator


@pytest.mark.parametrize(("setting", "code"), [("fail", 1), ("warn", 0)])
def test_d06_a_revoked_account_stops_no_other(
    stripe: Simulator, caplog: pytest.LogCaptureFixture, setting: str, code: int
) -> None:
    """Of three accounts the second is lost: told once, its bookmarks kept, the others read."""
    names = ["acct_1One", "acct_1Two", "acct_1Three"]
    for name in names:
        stripe.world.add_account(name).create("coupon", {"id": "OLD"}, at=NOW - 9 * DAY)
    config = config_for(stripe, account_ids=names, on_account_error=setting)
    catalog = selecting("coupons", "customers", "charges")
    first = run(config, catalog=catalog)
    stripe.world.clock.advance(DAY)
    for name in names:
        stripe.world.accounts[name].create("coupon", {"id": "NEW"}, at=NOW + 60)
    stripe.world.disconnect("acct_1Two")
    caplog.clear()
    second = run(config, state=first.state, catalog=catalog)
    assert second.exit_code == code
    assert {row["account_id"] for row in second.records("coupons")} == {"acct_1One", "acct_1Three"}
    assert len([one for one in caplog.messages if "acct_1Two could not be read" in one]) == 1
    stripe.world.add_account("acct_1Two")
    third = run(config, state=second.state, catalog=catalog)
    assert [(row["account_id"], row["id"]) for row in third.records("coupons")] == [
        ("acct_1Two", "NEW")
    ]
