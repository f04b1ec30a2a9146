"""Acceptance cases G: what users are told, and how a run ends."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from tap_stripe_connect.simulator.faults import Fault
from tests.acceptance.cases.steps import next_run
from tests.support.harness import DAY, NOW, config_for, run, selecting

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.server import Simulator
    from tests.support.harness import Json

COUPONS_ONLY = ["rak_coupon_read"]


def test_g09_a_thousand_vanished_objects_are_told_in_a_line(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """What is to be expected is counted, not told one by one."""
    account = stripe.world.platform
    for place in range(1000):
        account.create("invoice", {"id": f"in_{place}", "lines": [{"id": f"il_{place}"}]}, at=NOW)
    first = run(config_for(stripe, lag_seconds=DAY), catalog=selecting("invoices"))

    def vanish(account: Account) -> None:
        for place in range(1000):
            document = account.update("invoice", f"in_{place}", {"description": "last"})
            account.delete("invoice", document["id"], at=NOW + 10 * DAY)

    caplog.clear()
    # Their last event is so new that one of their deletion may still come.
    second = next_run(stripe, first, "invoices", change=vanish, lag_seconds=DAY)
    assert second.exit_code == 0
    loud = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert 1 <= len(loud) <= 2
    assert "1000" in loud[0].getMessage()
    assert len(caplog.records) <= 6


def deny(stripe: Simulator) -> Json:
    """Give a key that may read coupons alone."""
    return {"api_key": stripe.world.add_key("rk_test_few", permissions=COUPONS_ONLY)}


def lose_account(_: Simulator) -> Json:
    """Name an account that is not connected."""
    return {"account_ids": ["acct_1Stranger"], "include_platform": True}


def break_stream(stripe: Simulator) -> Json:
    """Make one list fail for good."""
    stripe.faults.add(Fault(match="/v1/charges", status=400))
    return {}


def everything(stripe: Simulator) -> Json:
    """Let all of these happen."""
    return {**deny(stripe), **lose_account(stripe), **break_stream(stripe)}


@pytest.mark.parametrize(
    ("prepare", "permission", "account", "code"),
    [
        (lambda _: {}, "fail", "fail", 0),
        (deny, "fail", "warn", 1),
        (deny, "warn", "fail", 0),
        (lose_account, "warn", "fail", 1),
        (lose_account, "fail", "warn", 0),
        (break_stream, "warn", "warn", 1),
        (everything, "fail", "fail", 1),
        (everything, "warn", "warn", 1),
    ],
)
def test_g13_the_exit_code_says_whether_all_was_read(
    stripe: Simulator,
    prepare: Callable[[Simulator], Json],
    permission: str,
    account: str,
    code: int,
) -> None:
    """What users asked to be warned of only is no failure; whatever else was lost is one."""
    stripe.world.platform.create("coupon", {"id": "C"}, at=NOW - DAY)
    settings: dict[str, Any] = prepare(stripe)
    config = config_for(
        stripe, on_permission_error=permission, on_account_error=account, **settings
    )
    output = run(config, catalog=selecting("coupons", "charges"))
    assert output.exit_code == code
    assert output.counts == {"coupons": 1}
