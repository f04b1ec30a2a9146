"""Which accounts a run reads: shards of them, and the first request for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_stripe_connect.accounts import in_shard
from tap_stripe_connect.sync.state.format import Bookmarks
from tests.support.harness import DAY, NOW, config_for, run, selecting

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.server import Simulator

stable = settings(deadline=None, derandomize=True, max_examples=300)

ACCOUNTS = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1)


@stable
@given(ACCOUNTS, st.integers(1, 64))
def test_each_account_is_in_one_shard(name: str, parts: int) -> None:
    """All shards together have every account, and no two have the same."""
    found = [part for part in range(1, parts + 1) if in_shard(f"acct_{name}", (part, parts))]
    assert len(found) == 1


def test_shards_stay_and_are_alike_in_size() -> None:
    """The hash is the same on every machine, and distributes accounts evenly."""
    assert [in_shard("acct_1Example", (part, 4)) for part in range(1, 5)].index(True) == 1
    sizes = [
        sum(in_shard(f"acct_1N{place}", (part, 16)) for place in range(4800))
        for part in range(1, 17)
    ]
    assert sum(sizes) == 4800
    assert all(240 < size < 360 for size in sizes)


@pytest.mark.parametrize("settings", [{"all_connected_accounts": True}, {"account_ids": []}])
def test_shards_read_each_account_once(stripe: Simulator, settings: dict[str, object]) -> None:
    """That includes the platform's own account; other bookmarks are kept."""
    names = [f"acct_1N{place}" for place in range(20)]
    for name in names:
        stripe.world.add_account(name).create("coupon", {"id": "C"}, at=NOW - DAY)
    stripe.world.platform.create("coupon", {"id": "C"}, at=NOW - DAY)
    if "account_ids" in settings:
        settings = {"account_ids": names, "include_platform": True}
    catalog = selecting("coupons")
    read: list[str] = []
    state = None
    for part in range(1, 4):
        before = Bookmarks(state)
        output = run(
            config_for(stripe, shard=f"{part}/3", **settings), state=state, catalog=catalog
        )
        assert output.exit_code == 0
        mine = [row["account_id"] for row in output.records("coupons")]
        after = Bookmarks(output.state)
        assert all(
            after.get("coupons", name) == before.get("coupons", name)
            for name in {*names, stripe.world.platform.id}.difference(mine)
        )
        read += mine
        state = output.state
    assert sorted(read) == sorted([*names, stripe.world.platform.id])


def test_a_shard_without_accounts_is_no_error(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """It reads nothing, keeps the state, exits 0 and logs it."""
    caplog.set_level("INFO")
    empty = next(f"{part}/9" for part in range(1, 10) if not in_shard("acct_1Simulator", (part, 9)))
    state = {"bookmarks": {}, "others": 5}
    output = run(config_for(stripe, shard=empty), state=state)
    assert output.exit_code == 0
    assert output.counts == {}
    assert output.state["others"] == 5
    assert f"No account is in shard {empty}" in caplog.text
    assert {one.path for one in stripe.journal.requests} <= {"/v1/account"}


@pytest.mark.parametrize(("setting", "code"), [("fail", 1), ("warn", 0)])
@pytest.mark.parametrize("lost", ["acct_1Stranger", "acct_1Stranger,acct_1Other"])
def test_a_first_account_that_is_lost_costs_only_itself(
    stripe: Simulator, lost: str, setting: str, code: int
) -> None:
    """If the first request fails for one account, the others are read nevertheless."""
    stripe.world.add_account("acct_1Known").create("coupon", {"id": "C"}, at=NOW - DAY)
    config = config_for(stripe, account_ids=f"{lost},acct_1Known", on_account_error=setting)
    output = run(config, catalog=selecting("coupons"))
    assert output.exit_code == code
    assert output.counts == {"coupons": 1}


def test_the_platform_named_among_the_accounts_is_read_as_itself(stripe: Simulator) -> None:
    """Its requests have no account header."""
    stripe.world.platform.create("coupon", {"id": "C"}, at=NOW - DAY)
    output = run(config_for(stripe, account_ids=[stripe.world.platform.id]))
    assert output.counts["coupons"] == 1
    assert {one.account for one in stripe.journal.requests} == {None}
