"""Acceptance cases C: limits, errors and the network cost time, never rows."""

from __future__ import annotations

import threading
from functools import partial
from itertools import count, pairwise
from typing import TYPE_CHECKING

import pytest

from tap_stripe_connect.api.client import Client
from tap_stripe_connect.api.rate_limit import Limiter
from tap_stripe_connect.catalog import LISTED, STREAMS
from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.simulator.business import populate
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.simulator.server import Simulator
from tap_stripe_connect.simulator.world import World
from tests.acceptance.cases.steps import YEAR, next_run
from tests.support.harness import (
    DAY,
    NOW,
    add_samples,
    change_types,
    cli,
    config_for,
    run,
    selecting,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.collection import Selection
    from tests.support.harness import Json, Output

SECRET = "sk_test_51PlantedSecretThatMustNotShow"


class VirtualTime:
    """The tap's clock, which moves only while somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put this time in the place of real time for requests and their budget."""
        self.now = 0.0
        self.at: dict[float, Callable[[], None]] = {}
        """What happens at which moment."""
        self.turns: list[float] = []
        """When requests were allowed to go out."""
        self._lock = threading.Lock()
        self._seen = threading.local()
        monkeypatch.setattr(Client, "_sleep", lambda _, seconds: self.sleep(seconds))
        monkeypatch.setattr(
            "tap_stripe_connect.sync.session.Limiter", partial(Limiter, clock=self.clock)
        )
        turn = Limiter._take_slot

        def noted_turn(limiter: Limiter, endpoint: str, ticket: object) -> float:
            delay = turn(limiter, endpoint, ticket)
            if not delay:
                self.turns.append(self._seen.moment)
            return delay

        monkeypatch.setattr(Limiter, "_take_slot", noted_turn)

    def clock(self) -> float:
        """Return the time, and remember for this thread what it was told."""
        self._seen.moment = self.now
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        with self._lock:
            self.now += seconds
            for moment in [moment for moment in self.at if moment <= self.now]:
                self.at.pop(moment)()


def ids(output: Output, stream: str = "customers") -> list[str]:
    """Return the ids of a stream's rows, and check that none comes twice."""
    found = [row["id"] for row in output.records(stream)]
    assert len(found) == len(set(found))
    return found


def test_c01_retry_after_is_waited_for(stripe: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """In ten seconds of refusals that ask for three, four requests are sent, none too early."""
    time = VirtualTime(monkeypatch)
    bulk.load(stripe.world.platform, customers=1500, start=NOW - YEAR, until=NOW - DAY)
    stripe.faults.add(Fault(match="/v1/customers", status=429, headers={"Retry-After": "3"}))
    time.at[10.0] = stripe.faults.clear
    output = run(config_for(stripe), catalog=selecting("customers"))
    assert output.exit_code == 0
    assert len(ids(output)) == 1500
    refused = [one for one in stripe.journal.requests if one.status == 429]
    assert 1 <= len(refused) < 5
    # The first turns are those of the account and of the feed.
    waits = [later - earlier for earlier, later in pairwise(time.turns[2:])]
    assert all(wait >= 3 - 1e-9 for wait in waits[: len(refused)])


def test_c01_without_retry_after_all_readers_slow_down(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten seconds of refusals in the middle of a load cost fewer than five requests a reader."""
    time = VirtualTime(monkeypatch)
    bulk.load(stripe.world.platform, customers=5000, start=NOW - YEAR, until=NOW - DAY)
    stripe.faults.add(Fault(match="/v1/customers", skip=8, status=429))
    time.at[10.0] = stripe.faults.clear
    held: list[float] = []
    refuse = Limiter.back_off

    def noted(limiter: Limiter, endpoint: str, reason: str, seconds: float) -> None:
        held.append(seconds)
        refuse(limiter, endpoint, reason, seconds)

    monkeypatch.setattr(Limiter, "back_off", noted)
    output = run(config_for(stripe), catalog=selecting("customers"))
    assert output.exit_code == 0
    assert len(ids(output)) == 5000
    refused = sum(one.status == 429 for one in stripe.journal.requests)
    assert 1 <= refused < 5 * 16
    assert len(held) == refused


@pytest.mark.parametrize(
    ("key", "live"), [("sk_live_A1", True), ("sk_test_A1", False), ("rk_test_A1", False)]
)
def test_c02_no_second_holds_more_requests_than_configured(
    monkeypatch: pytest.MonkeyPatch, key: str, *, live: bool
) -> None:
    """Over all readers, streams and five accounts, by default half of what Stripe allows."""
    time = VirtualTime(monkeypatch)
    world = World(now=NOW, livemode=live)
    world.add_key(key)
    with Simulator(world) as stripe:
        names = [f"acct_1N{place}" for place in range(5)]
        for name in names:
            account = world.add_account(name)
            bulk.load(account, customers=900, charges=400, start=NOW - YEAR, until=NOW - DAY)
        config = config_for(stripe, api_key=key, account_ids=names)
        config.pop("max_requests_per_second")
        output = run(config)
    assert output.counts["customers"] == 4500
    assert len(time.turns) == stripe.journal.count() > 70
    budget = 50 if live else 12
    turns = sorted(time.turns)
    assert all(
        later - earlier >= 1 - 1e-9 for earlier, later in zip(turns, turns[budget:], strict=False)
    )


def test_c03_lock_timeout_and_conflict_are_passing(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """429 `lock_timeout`, then 409, then 200 is one page of rows."""
    monkeypatch.setattr(Client, "backoff", 0.01)
    stripe.world.platform.create("customer", {"id": "cus_1"}, at=NOW - DAY)
    locked = {"error": {"code": "lock_timeout", "message": "This object cannot be accessed"}}
    stripe.faults.add(Fault(match="/v1/customers", status=429, body=locked, times=1))
    stripe.faults.add(Fault(match="/v1/customers", status=409, times=1))
    output = run(config_for(stripe), catalog=selecting("customers"))
    assert output.exit_code == 0
    assert ids(output) == ["cus_1"]
    asked = [one for one in stripe.journal.requests if one.path == "/v1/customers"]
    assert [one.status for one in asked] == [429, 409, 200]
    assert len({tuple(one.query) for one in asked}) == 1


def test_c03_what_stripe_says_not_to_retry_is_not_retried(stripe: Simulator) -> None:
    """A 500 with `Stripe-Should-Retry: false` is asked for once, in no smaller page either."""
    stripe.faults.add(
        Fault(match="/v1/customers", status=500, headers={"Stripe-Should-Retry": "false"})
    )
    output = run(config_for(stripe), catalog=selecting("customers"))
    assert output.exit_code == 1
    assert stripe.journal.count(path="/v1/customers") == 1


def test_c04_damaged_pages_are_asked_for_again(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page 7 cut off twice, page 9 reset, page 11 no list: every row arrives once."""
    monkeypatch.setattr(Client, "backoff", 0.01)
    bulk.load(stripe.world.platform, customers=2000, start=NOW - YEAR, until=NOW - DAY)
    faults = [
        Fault(match="/v1/customers", skip=6, times=2, truncate=0.5),
        Fault(match="/v1/customers", skip=8, times=1, reset=True),
        Fault(match="/v1/customers", skip=10, times=1, not_a_list=True),
    ]
    for fault in faults:
        stripe.faults.add(fault)
    output = run(config_for(stripe), catalog=selecting("customers"))
    assert output.exit_code == 0
    assert len(ids(output)) == 2000
    assert [fault.fired for fault in faults] == [2, 1, 1]


def test_c05_a_list_that_fails_above_thirty_rows(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most three requests are lost for each smaller size, and other lists keep theirs."""
    monkeypatch.setattr(Client, "backoff", 0.01)
    account = stripe.world.platform
    bulk.load(account, invoices=300, customers=300, lines=2, start=NOW - YEAR, until=NOW - DAY)
    stripe.faults.add(Fault(match="/v1/invoices", page_limit=30))
    output = run(config_for(stripe), catalog=selecting("invoices", "customers"))
    assert output.exit_code == 0
    assert len(ids(output, "invoices")) == len(ids(output)) == 300
    asked = stripe.journal.requests
    sizes = [one.parameter("limit") for one in asked if one.path == "/v1/invoices"]
    assert sum(int(size or 10) > 30 for size in sizes) <= 2 * 3
    assert "25" in sizes
    assert {one.parameter("limit") for one in asked if one.path == "/v1/customers"} == {"100"}


def refused(status: int, message: str, **more: str) -> Fault:
    """Refuse every request with these words."""
    return Fault(status=status, body={"error": {"message": message, **more}})


@pytest.mark.parametrize(
    ("settings", "fault", "advice"),
    [
        ({"api_key": SECRET}, None, "check api_key: it must be a valid key, copied completely"),
        ({"api_key": SECRET.replace("sk", "pk")}, None, "use a restricted (rk_…) or secret"),
        (
            {},
            refused(401, f"Expired API Key provided: {SECRET}", code="api_key_expired"),
            "create a new key in Stripe's Dashboard",
        ),
        (
            {},
            refused(403, f"The API key {SECRET} does not allow requests from your IP address."),
            "the key is limited to certain IP addresses",
        ),
        (
            {"all_connected_accounts": True},
            refused(403, "Only Stripe Connect platforms can work with other accounts."),
            "remove account_ids and all_connected_accounts",
        ),
    ],
    ids=["wrong or revoked", "publishable", "expired", "address", "no platform"],
)
def test_c06_credential_errors_end_at_once(
    stripe: Simulator, tmp_path: Path, settings: Json, fault: Fault | None, advice: str
) -> None:
    """At most two requests, a non-zero exit, one line on what to change, and no key in it."""
    if fault:
        stripe.faults.add(fault)
    file = tmp_path / "config.json"
    file.write_text(str(config_for(stripe, **settings)).replace("'", '"').replace("True", "true"))
    result = cli("--config", str(file))
    assert result.returncode == 1
    assert stripe.journal.count() <= 2
    assert result.stdout == ""
    assert result.stderr.count(advice) == 1
    assert "PlantedSecret" not in result.stderr
    assert "Traceback" not in result.stderr


def test_c10_a_list_whose_cursor_aged_out_ends_there(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe drops the event a page ended with while the feed is read: its end, no error."""
    account = stripe.world.platform
    for place in range(250):
        event = {"object": "of_no_stream", "id": f"x_{place}"}
        account.add_event("thing.updated", event, at=NOW - 30 * DAY + place)
    page = account.page
    asked = count(1)

    def age(object_: str, selection: Selection) -> tuple[list[bytes], bool]:
        if next(asked) == 3:
            stripe.world.clock.advance(200)
        return page(object_, selection)

    monkeypatch.setattr(account, "page", age)
    output = run(config_for(stripe), catalog=selecting("events"))
    assert 400 in {one.status for one in stripe.journal.requests}
    assert output.exit_code == 0
    assert len(ids(output, "events")) == 200
    assert output.state["bookmarks"]["events"]["covered"][0][0] == "1970-01-01T00:00:00+00:00"


def test_c12_a_list_that_refuses_its_own_cursors_ends(stripe: Simulator) -> None:
    """More rows in a second than a page holds, and no way on: the list fails, others go on."""
    account = stripe.world.platform
    bulk.load(account, customers=250, start=NOW - DAY, until=NOW - DAY + 1)
    account.create("coupon", {"id": "C"}, at=NOW - DAY)
    body = {"error": {"code": "resource_missing", "message": "No such customer"}}
    stripe.faults.add(Fault(match="starting_after", status=400, body=body))
    output = run(config_for(stripe), catalog=selecting("coupons", "customers"))
    assert output.exit_code == 1
    assert output.counts["coupons"] == 1
    assert len(ids(output)) == 100
    # Giving older parts of the window away begins the count anew.
    assert len([one for one in stripe.journal.requests if one.status == 400]) < 40


@pytest.mark.parametrize("settings", [{}, {"start_date": "2025-06-01"}])
def test_c13_a_strict_stripe_refuses_no_request(stripe: Simulator, settings: Json) -> None:
    """All streams, first load and update, with and without `start_date`: nothing but 200."""
    account = stripe.world.platform
    populate(account, seed=9, customers=15, start=NOW - YEAR, until=NOW - DAY)
    add_samples(account)
    names = [stream.name for stream in STREAMS]
    first = run(config_for(stripe, **settings), catalog=selecting(*names))
    noted = stripe.journal.requests

    def change(account: Account) -> None:
        for listed in LISTED.values():
            if listed.changes != "feed":
                continue
            for found in list(account.objects(listed.object))[:5]:
                type_ = change_types(listed)[0]
                account.update(
                    listed.object, found["id"], {"metadata": {"new": "yes"}}, event=type_
                )
        account.create("invoice", {"lines": [{"id": f"il_{place}"} for place in range(25)]})

    second = next_run(stripe, first, *names, change=change, **settings)
    noted += stripe.journal.requests
    assert first.exit_code == second.exit_code == 0
    assert second.counts.keys() == set(names)
    assert {one.status for one in noted} == {200}
    assert "nan" not in str([one.query for one in noted]).lower()
