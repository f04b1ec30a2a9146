"""Acceptance cases D: many accounts, each by itself."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_stripe_connect.catalog import API_VERSION, STREAMS
from tap_stripe_connect.settings import SettingsError, parse
from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.sync.fetch.engine import Engine
from tap_stripe_connect.sync.state.format import Bookmarks
from tests.acceptance.cases.steps import YEAR
from tests.property.transport import RunOptions, interleaved
from tests.support.harness import (
    DAY,
    NOW,
    Warehouse,
    cli,
    command,
    config_for,
    patient,
    run,
    selecting,
)

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.server import Simulator
    from tests.support.harness import Json, Output

PEAK = Path(__file__).parents[2] / "support/peak.py"
EVERY = [stream.name for stream in STREAMS]


def whose(output: Output, stream: str) -> list[tuple[str, str]]:
    """Return account and id of a stream's rows, in order."""
    return sorted((row["account_id"], row["id"]) for row in output.records(stream))


@pytest.mark.parametrize("named", [True, False])
def test_d01_a_key_that_may_not_ask_who_it_is_reads_all_the_same(
    stripe: Simulator, caplog: pytest.LogCaptureFixture, *, named: bool
) -> None:
    """`/v1/account` gives 403: rows carry the id configured or found, one INFO, exit 0."""
    caplog.set_level("INFO")
    stripe.world.platform.create("coupon", {"id": "C"}, at=NOW - DAY)
    stripe.world.add_key("rk_test_few", permissions=["rak_coupon_read", "rak_event_read"])
    own = {"account_ids": [stripe.world.platform.id]} if named else {}
    output = run(config_for(stripe, api_key="rk_test_few", **own), catalog=selecting("coupons"))
    assert output.exit_code == 0
    assert whose(output, "coupons") == [("acct_1Simulator", "C")]
    (told,) = (one for one in caplog.records if "may not read its own account" in one.message)
    assert told.levelname == "INFO"


def test_d02_one_configuration_reads_the_platform_and_its_accounts(stripe: Simulator) -> None:
    """One charge and three times two: seven rows, each with its account, each call with its own."""
    names = ["acct_1One", "acct_1Two", "acct_1Three"]
    bulk.load(stripe.world.platform, charges=1, start=NOW - YEAR, until=NOW - DAY)
    for name in names:
        account = stripe.world.add_account(name)
        bulk.load(account, charges=2, start=NOW - YEAR, until=NOW - DAY)
    output = run(config_for(stripe, all_connected_accounts=True), catalog=selecting("charges"))
    of = [row["account_id"] for row in output.records("charges")]
    assert sorted(of) == sorted([stripe.world.platform.id, *names, *names])
    asked = [one.account for one in stripe.journal.requests if one.path == "/v1/charges"]
    assert len(asked) == 4
    assert set(asked) == {None, *names}


def test_d03_all_pages_of_accounts_are_read_once(stripe: Simulator) -> None:
    """250 accounts are 250 accounts, found with three calls."""
    for place in range(250):
        account = stripe.world.add_account(f"acct_1N{place}")
        account.create("coupon", {"id": "C"}, at=NOW - DAY)
    config = config_for(stripe, all_connected_accounts=True, include_platform=False)
    output = run(config, catalog=selecting("coupons"))
    assert len(set(whose(output, "coupons"))) == len(output.records("coupons")) == 250
    assert stripe.journal.count(path="/v1/accounts") == 3


def test_d04_ids_that_users_chose_do_not_collide(stripe: Simulator) -> None:
    """Coupon SUMMER in two accounts is two rows after an upsert."""
    for name, percent in (("acct_1One", 10), ("acct_1Two", 20)):
        account = stripe.world.add_account(name)
        account.create("coupon", {"id": "SUMMER", "percent_off": percent}, at=NOW - DAY)
    output = run(config_for(stripe, all_connected_accounts=True), catalog=selecting("coupons"))
    table = Warehouse().load(output.messages).tables["coupons"]
    assert {key: row["percent_off"] for key, row in table.items()} == {
        ("acct_1One", "SUMMER"): 10,
        ("acct_1Two", "SUMMER"): 20,
    }


def test_d05_accounts_come_go_and_return(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A new account is loaded, a lost one skipped; it resumes after 10 days, reloads after 40."""
    world = stripe.world
    config = config_for(stripe, account_ids=["acct_1A"], on_account_error="warn")
    both = {**config, "account_ids": ["acct_1A", "acct_1B"]}
    catalog = selecting("coupons")

    def create(account: str, coupon: str) -> None:
        world.accounts[account].create("coupon", {"id": coupon})
        world.clock.advance(DAY)

    for name in ("acct_1A", "acct_1B"):
        world.add_account(name).create("coupon", {"id": "OLD"}, at=NOW - YEAR)
    output = run(config, catalog=catalog)
    create("acct_1A", "A1")
    output = run(both, state=output.state, catalog=catalog)
    assert whose(output, "coupons") == [("acct_1A", "A1"), ("acct_1B", "OLD")]
    kept = output.state
    world.disconnect("acct_1A")
    create("acct_1A", "A2")
    output = run(both, state=kept, catalog=catalog)
    assert output.exit_code == 0
    assert output.records("coupons") == []
    assert "acct_1A could not be read" in caplog.text
    world.clock.advance(9 * DAY)
    world.add_account("acct_1A")
    assert whose(run(both, state=output.state, catalog=catalog), "coupons") == [("acct_1A", "A2")]
    world.clock.advance(30 * DAY)
    caplog.clear()
    returned = run(both, state=output.state, catalog=catalog)
    assert {("acct_1A", name) for name in ("OLD", "A1", "A2")} <= set(whose(returned, "coupons"))
    assert "lists everything again" in caplog.text


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


def test_d07_five_thousand_idle_accounts_cost_a_request_each(
    stripe: Simulator, tmp_path: Path
) -> None:
    """All streams, nothing changed: 5,050 requests, under 300 MB, every STATE under 1 MB."""
    names = [f"acct_1N{place:012}" for place in range(5000)]
    for name in names:
        stripe.world.add_account(name)
    read = {"covered": [["1970-01-01T00:00:00+00:00", "2025-12-31T23:00:00+00:00"]]}
    until = read["covered"][0][1]
    followed = {**read, "events_until": until, "checked_at": until, "level_accounts": 5000}
    state = {
        "bookmarks": {
            name: {**read, "level_accounts": 5000} if name == "events" else followed
            for name in EVERY
        },
        "tap_stripe_connect": {"version": 1, "livemode": False, "accounts": names},
    }
    config = config_for(stripe, all_connected_accounts=True, include_platform=False)
    output = tmp_path / "output"
    with output.open("wb") as stdout, (tmp_path / "log").open("wb") as log:
        measured = [sys.executable, str(PEAK), str(tmp_path / "peak")]
        ended = subprocess.run(  # noqa: S603 - our own program
            [*measured, *patient(command(tmp_path, config, state=state))],
            stdout=stdout,
            stderr=log,
            check=False,
        )
    assert ended.returncode == 0, (tmp_path / "log").read_text()[-2000:]
    assert stripe.journal.count() <= 5050
    assert int((tmp_path / "peak").read_text("utf-8")) < 300 * 1024
    lines = output.read_bytes().splitlines()
    assert not any(b'"RECORD"' in line[:30] for line in lines)
    assert max(len(line) for line in lines if b'"STATE"' in line[:30]) < 1_000_000
    moved = Bookmarks(json.loads(lines[-1])["value"])
    assert {moved.get("charges", name).events_until for name in names} == {NOW - 300}


def test_d08_no_connected_account_is_asked_for_accounts(stripe: Simulator) -> None:
    """`/v1/accounts` is asked for once, never in the name of a connected account."""
    for name in ("acct_1One", "acct_1Two", "acct_1Three"):
        stripe.world.add_account(name)
    run(config_for(stripe, all_connected_accounts=True))
    (asked,) = (one for one in stripe.journal.requests if one.path == "/v1/accounts")
    assert asked.account is None


class Prompt(random.Random):
    """Lets the main thread take whatever has arrived before anybody asks for more."""

    def random(self) -> float:
        """Return one of the numbers that stand for that."""
        return 0.6 + 0.4 * super().random()


def test_d09_a_long_load_does_not_hold_up_what_changed(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """99 accounts with a change each beside one with a long load: out in the first 200 requests.

    These are one for the accounts, and a page of the feed and an object for each that changed.
    """
    monkeypatch.setattr(Engine, "pages", interleaved(RunOptions(4, Prompt(1))))
    names = [f"acct_1N{place}" for place in range(99)]
    for name in names:
        stripe.world.add_account(name).create("customer", {"id": f"cus_{name}"}, at=NOW - YEAR)
    config = config_for(stripe, all_connected_accounts=True, include_platform=False)
    first = run(config, catalog=selecting(*EVERY))
    whale = stripe.world.add_account("acct_1Whale")
    bulk.load(whale, charges=6_000, start=NOW - 3 * YEAR, until=NOW - DAY)
    stripe.world.clock.advance(DAY / 2)
    for name in names:
        stripe.world.accounts[name].update("customer", f"cus_{name}", {"name": "new"})
    stripe.world.clock.advance(DAY / 2)
    stripe.journal.clear()
    second = run(config, state=first.state, catalog=selecting(*EVERY))
    assert second.counts == {**second.counts, "charges": 6_000, "customers": 99}
    asked = [(one.account, one.template) for one in stripe.journal.requests]
    reads = [place for place, one in enumerate(asked) if one[1] == "/v1/customers/{id}"]
    assert len(reads) == 99
    ahead = [account for account, _ in asked[: reads[-1] + 1]]
    assert len(ahead) - ahead.count("acct_1Whale") <= 200 < len(asked)
    assert ahead.count("acct_1Whale") <= 15
    written = [one["stream"] for one in second.messages if one["type"] == "RECORD"]
    before = written[: len(written) - written[::-1].index("customers")]
    assert before.count("charges") <= 11 * 100


@pytest.mark.parametrize(
    ("key", "settings", "advice"),
    [
        (
            "sk_test_other",
            {"account_ids": ["acct_1One", "acct_1Two", "acct_1Three"]},
            "remove account_ids",
        ),
        ("sk_test_other", {"all_connected_accounts": True}, "remove account_ids and all_connected"),
        ("sk_test_connected", {"account_ids": ["acct_1Two"]}, "remove account_ids"),
        ("sk_test_simulator", {"account_ids": ["acct_1Live"]}, "remove it from account_ids"),
    ],
    ids=["no platform", "no platform to list", "a connected account's", "of the other mode"],
)
def test_d10_a_key_of_the_wrong_kind_ends_at_once(
    stripe: Simulator, tmp_path: Path, key: str, settings: Json, advice: str
) -> None:
    """Two requests at most, a non-zero exit, and one line with the setting to change."""
    world = stripe.world
    for name in ("acct_1One", "acct_1Two", "acct_1Three"):
        world.add_account(name)
    world.add_signup("acct_1Other")
    world.add_key("sk_test_other", account="acct_1Other")
    world.add_key("sk_test_connected", account="acct_1One")
    refused = {"error": {"message": "Only Stripe Connect platforms can work with other accounts."}}
    stripe.faults.add(Fault(match="/v1/accounts", status=403, body=refused))
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config_for(stripe, api_key=key, **settings)))
    result = cli("--config", str(file))
    assert result.returncode == 1
    assert stripe.journal.count() <= 2
    assert result.stdout == ""
    assert result.stderr.count(advice) == 1
    assert "Traceback" not in result.stderr


def test_d11_an_organisations_key_reads_the_accounts_it_names(stripe: Simulator) -> None:
    """Its calls carry `Stripe-Context` and the version; rows carry the account itself."""
    world = stripe.world
    contexts = ["acct_1Sibling", world.platform.id, f"{world.platform.id}/acct_1Connected"]
    accounts = [world.add_signup(contexts[0]), world.platform, world.add_account("acct_1Connected")]
    for account in accounts:
        account.create("coupon", {"id": "C"}, at=NOW - DAY)
    key = world.add_organization_key("sk_org_test_1Example", accounts=contexts[:2])
    config = config_for(stripe, api_key=key, account_ids=contexts)
    catalog = selecting("coupons")
    first = run(config, catalog=catalog)
    assert first.exit_code == 0
    assert whose(first, "coupons") == sorted((account.id, "C") for account in accounts)
    world.clock.advance(DAY)
    accounts[2].create("coupon", {"id": "NEW"}, at=NOW + 60)
    second = run(config, state=first.state, catalog=catalog)
    assert whose(second, "coupons") == [("acct_1Connected", "NEW")]
    asked = stripe.journal.requests
    assert {one.context for one in asked} == set(contexts)
    assert {(one.account, one.api_version, one.status) for one in asked} == {
        (None, API_VERSION, 200)
    }


def test_d11_an_organisations_key_alone_asks_for_nothing(stripe: Simulator) -> None:
    """Without a list of accounts it is a fault of the configuration, before any call."""
    with pytest.raises(SettingsError, match="account_ids is missing"):
        parse(config_for(stripe, api_key="sk_org_test_1Example"))
    assert stripe.journal.count() == 0
