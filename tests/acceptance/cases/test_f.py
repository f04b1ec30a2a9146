"""Acceptance cases F: the fewest requests that give the same rows, as soon as the budget allows."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import pytest

from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.simulator.business import populate
from tap_stripe_connect.sync.fetch.engine import HEDGE_POLL_SECONDS
from tap_stripe_connect.sync.fetch.hedging import FIRST_GUESS, SLOW_FACTOR
from tap_stripe_connect.sync.plan.events import Changes
from tap_stripe_connect.sync.state.ranges import STRIPE_EPOCH
from tests.acceptance.cases.steps import YEAR, next_run, routes
from tests.support.harness import DAY, NOW, config_for, run, selecting
from tests.support.slow_stripe import Slowness, read_slowly

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.server import Simulator
    from tests.support.harness import Json, Output

NAMES = ("invoices", "invoice_line_items")


@pytest.mark.parametrize(
    ("million", "paths", "budget", "rate"),
    [
        # Limits that Stripe has raised: an endpoint has a quarter of them.
        pytest.param(1.0, ("/v1/charges",), 200, 50, id="charges", marks=pytest.mark.slow),
        pytest.param(0.2, ("/v1/charges", "/v1/invoices"), 50, 50, id="side-by-side"),
        pytest.param(0.2, ("/v1/charges",), 50, 25, id="as-an-endpoint-is-limited"),
    ],
)
def test_f01_a_load_takes_hardly_longer_than_the_budget(
    monkeypatch: pytest.MonkeyPatch,
    million: float,
    paths: tuple[str, ...],
    budget: int,
    rate: int,
) -> None:
    """1M charges, 300 ms for a page, 50 pages a second: at most 1.3 x 200 virtual seconds."""
    each = int(million * 1_000_000) // len(paths)
    # More from year to year, as in a business that grows.
    history = [int(NOW - 10 * YEAR * (1 - (place / each) ** 0.5)) for place in range(each)]
    reading = read_slowly(monkeypatch, dict.fromkeys(paths, history), budget)
    assert reading.rows == dict.fromkeys(paths, bytearray(b"\x01" * each))
    assert reading.seconds <= 1.3 * million * 10_000 / rate
    moments = reading.sent
    grown = [moment for moment in moments if moment >= moments[0] + 2]
    assert len(grown) >= 0.75 * rate * (grown[-1] - grown[0])
    assert all(
        later - earlier >= 1 - 1e-6 for earlier, later in zip(moments, moments[rate:], strict=False)
    )


@pytest.mark.parametrize(
    ("slowness", "share"),
    [
        pytest.param(Slowness(seconds=0.2), 0.93, id="near"),
        pytest.param(Slowness(seconds=1.0), 0.9, id="far"),
        pytest.param(Slowness(seconds=0.2, stalls_every=20, stall=10.0), 0.87, id="stalls"),
    ],
)
def test_f01_slow_answers_cost_a_load_little(
    monkeypatch: pytest.MonkeyPatch, slowness: Slowness, share: float
) -> None:
    """Three lists at Stripe's limits: from the first request to the last row, no row twice."""
    paths = ("/v1/charges", "/v1/customers", "/v1/invoices")
    pages = 1_000
    history = [NOW - DAY - 2 * YEAR * age // (100 * pages) for age in range(100 * pages, 0, -1)]
    reading = read_slowly(monkeypatch, dict.fromkeys(paths, history), 100, slowness)
    assert reading.rows == dict.fromkeys(paths, bytearray(b"\x01" * 100 * pages))
    assert reading.seconds <= len(paths) * pages / 75 / share
    assert len(reading.sent) <= 1.1 * len(paths) * pages + 50


def test_f01_four_lists_take_hardly_longer_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own 25 requests a second until all together have 100."""
    history = [NOW - DAY - 2 * YEAR * age // 40_000 for age in range(40_000, 0, -1)]
    took = []
    for names in (("charges",), ("charges", "customers", "invoices", "plans")):
        lists = {f"/v1/{name}": history for name in names}
        reading = read_slowly(monkeypatch, lists, 100, Slowness(0.3))
        assert reading.rows == dict.fromkeys(lists, bytearray(b"\x01" * len(history)))
        took.append(reading.seconds)
    assert took[1] <= 1.1 * took[0]


def test_f01_a_page_that_is_late_is_asked_for_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether or not there is anything else to read."""
    slowness = Slowness(seconds=0.2, stalls_every=2, stall=60.0)
    history = [STRIPE_EPOCH + (NOW - STRIPE_EPOCH) * place // 110 for place in range(110)]
    reading = read_slowly(monkeypatch, {"/v1/charges": history}, 100, slowness)
    assert reading.rows == {"/v1/charges": bytearray(b"\x01" * 110)}
    assert len(reading.sent) == 3
    assert reading.seconds <= 0.2 + SLOW_FACTOR * FIRST_GUESS + 0.2 + 2 * HEDGE_POLL_SECONDS


def test_f01_a_list_that_is_always_slow_is_not_asked_for_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What takes a second and a half from the beginning is not late."""
    history = [STRIPE_EPOCH + (NOW - STRIPE_EPOCH) * place // 110 for place in range(110)]
    reading = read_slowly(monkeypatch, {"/v1/charges": history}, 100, Slowness(1.5))
    assert len(reading.sent) == 2


@pytest.mark.usefixtures("one_reader")
def test_f02_lines_cost_no_request_of_their_own(stripe: Simulator) -> None:
    """5,000 invoices of 8 lines take list pages alone; 13 new ones bring only their lines."""
    account = stripe.world.platform
    bulk.load(account, invoices=5000, lines=8, start=NOW - YEAR, until=NOW - DAY)
    first = run(config_for(stripe), catalog=selecting(*NAMES))
    assert first.counts == {"invoices": 5000, "invoice_line_items": 40_000}
    assert set(routes(stripe)) == {"/v1/events", "/v1/invoices"}
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
    monkeypatch.setattr("tap_stripe_connect.sync.plan.refetch.WORTHWHILE", 1000)
    stripe.journal.clear()
    retrieved = run(config_for(stripe), state=first.state, catalog=selecting("charges"))
    assert routes(stripe).count("/v1/charges/{id}") == 100
    rows = [sorted(one.records("charges"), key=str) for one in (listed, retrieved)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 100


def test_f04_sparse_bulk_changes_come_in_their_pages(stripe: Simulator) -> None:
    """1,000 customers created two hours apart, all of them changed: ten list calls, no retrieve."""
    account = stripe.world.platform
    bulk.load(account, customers=1000, start=NOW - 2001 * 3600, until=NOW - 3600)
    first = run(config_for(stripe), catalog=selecting("customers"))

    def change(account: Account) -> None:
        for customer in list(account.objects("customer")):
            account.update("customer", customer["id"], {"name": "new"})

    second = next_run(stripe, first, "customers", change=change)
    assert second.counts == {"customers": 1000}
    assert {row["name"] for row in second.records("customers")} == {"new"}
    asked = routes(stripe)
    assert asked.count("/v1/customers") == 10
    assert asked.count("/v1/customers/{id}") == 0


class Payload(dict[str, Any]):
    """A dictionary of which one can tell whether anybody still holds it."""


def spread_evenly(rows: int) -> list[int]:
    """Return creation times at even distances over ten years, the oldest first."""
    return [NOW - DAY - 10 * YEAR * age // rows for age in range(rows, 0, -1)]


def clustered(rows: int) -> list[int]:
    """Return creation times in three days of the ten years, and nowhere else."""
    days = (NOW - age * DAY for age in (3_402, 1_201, 12))
    return [begin + place * DAY // rows for begin in days for place in range(0, rows, 3)]


def one_second(rows: int) -> list[int]:
    """Return one creation time for all rows, five years ago."""
    return [NOW - 5 * YEAR] * rows


@pytest.mark.parametrize("seconds", [0.05, 0.3, 1.0])
@pytest.mark.parametrize(
    ("history", "share"), [(spread_evenly, 1.2), (clustered, 1.5), (one_second, 1.5)]
)
def test_f05_readers_that_wait_search_no_empty_years(
    monkeypatch: pytest.MonkeyPatch,
    history: Callable[[int], list[int]],
    share: float,
    seconds: float,
) -> None:
    """10,000 rows, wherever they lie and however long answers take: 50 requests to find them."""
    lists = {"/v1/charges": history(10_000)}
    reading = read_slowly(monkeypatch, lists, 100, Slowness(seconds))
    assert set(reading.rows["/v1/charges"]) == {1}
    assert len(reading.sent) <= share * 100 + 50


@pytest.mark.usefixtures("one_reader")
def test_f06_of_many_events_only_ids_are_kept(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20,000 events on 200 objects: 200 feed pages, two list calls, and no payload is kept."""
    account = stripe.world.platform
    bulk.load(account, customers=200, start=NOW - YEAR, until=NOW - 10 * DAY)
    first = run(config_for(stripe), catalog=selecting("customers"))
    told: list[weakref.ref[Payload]] = []
    held: list[int] = []
    note, read = Changes.add, Changes.of

    def noting(changes: Changes, event: Json) -> None:
        payload = Payload(event["data"]["object"])
        whole = Payload(event, data=Payload(event["data"], object=payload))
        told.extend(map(weakref.ref, (whole, payload)))
        note(changes, whole)

    def reading(changes: Changes, stream: str) -> Any:
        held.append(sum(one() is not None for one in told))
        return read(changes, stream)

    def change(account: Account) -> None:
        begin = int(stripe.world.clock.now) - 20_000
        for place, customer in enumerate(list(account.objects("customer")) * 100):
            if place < 200:
                account.update("customer", customer["id"], {"name": "new"}, event=None)
            account.add_event("customer.updated", customer, at=begin + place)

    monkeypatch.setattr(Changes, "add", noting)
    monkeypatch.setattr(Changes, "of", reading)
    second = next_run(stripe, first, "customers", change=change)
    assert len(told) == 2 * 20_000
    assert set(held) == {0}
    assert second.counts == {"customers": 200}
    assert {row["name"] for row in second.records("customers")} == {"new"}
    asked = routes(stripe)
    assert asked.count("/v1/customers/{id}") == 0
    assert asked.count("/v1/customers") == 2
    assert asked.count("/v1/events") <= 1.2 * 200 + 50


def test_f08_each_schema_is_sent_once_however_many_parents(stripe: Simulator) -> None:
    """10,000 invoices, and one SCHEMA for their lines."""
    account = stripe.world.platform
    bulk.load(account, invoices=10_000, lines=1, start=NOW - YEAR, until=NOW - DAY)
    output = run(config_for(stripe), catalog=selecting(*NAMES))
    assert output.counts == {"invoices": 10_000, "invoice_line_items": 10_000}
    sent = [one["stream"] for one in output.messages if one["type"] == "SCHEMA"]
    assert sorted(sent) == sorted(NAMES)


@pytest.mark.usefixtures("one_reader")
def test_f09_one_pass_gives_parents_and_children(stripe: Simulator) -> None:
    """Each page is requested once, and the very same pages when one of the two is selected."""
    rows = {"invoices": 2500, "invoice_line_items": 5000}
    bulk.load(stripe.world.platform, invoices=2500, lines=2, start=NOW - YEAR, until=NOW - DAY)
    asked = []
    for names in (NAMES, ("invoice_line_items",), ("invoices",)):
        stripe.journal.clear()
        output = run(config_for(stripe), catalog=selecting(*names))
        assert output.counts == {name: rows[name] for name in names}
        assert set(routes(stripe)) == {"/v1/events", "/v1/invoices"}
        asked.append(sorted(tuple(one.query) for one in stripe.journal.requests))
    assert len(asked[0]) == len(set(asked[0])) == 2 + 25
    assert asked[0] == asked[1] == asked[2]


def test_f11_what_is_not_selected_costs_no_request(stripe: Simulator) -> None:
    """With coupons alone selected only they and the feed are asked for, whatever has changed."""
    account = stripe.world.platform
    populate(account, seed=1, customers=10, start=NOW - YEAR, until=NOW - DAY)
    account.create("coupon", {"id": "C"}, at=NOW - 9 * DAY)
    first = run(config_for(stripe), catalog=selecting("coupons"))
    assert set(routes(stripe)) == {"/v1/coupons", "/v1/events"}

    def change(account: Account) -> None:
        for kind in ("charge", "coupon", "customer", "invoice", "plan", "subscription"):
            for found in list(account.objects(kind)):
                account.update(kind, found["id"], {"metadata": {"changed": "yes"}})
            account.create(kind, {"id": f"new_{kind}"})

    second = next_run(stripe, first, "coupons", change=change)
    assert {"C", "new_coupon"} <= {row["id"] for row in second.records("coupons")}
    assert set(second.counts) == {"coupons"}
    assert set(routes(stripe)) <= {"/v1/events", "/v1/coupons", "/v1/coupons/{id}"}


def test_f11_what_is_deselected_is_not_expanded_when_read_again(stripe: Simulator) -> None:
    """The tiers of a changed plan are asked for only where they are selected."""
    account = stripe.world.platform
    account.create("plan", {"id": "plan_1"}, at=NOW - 9 * DAY)

    def changed(before: Output, only: dict[str, list[str]] | None) -> bool:
        stripe.world.clock.advance(DAY)
        account.update("plan", "plan_1", {"nickname": str(stripe.world.clock.now)})
        stripe.journal.clear()
        catalog = selecting("plans", only_fields=only)
        after = run(config_for(stripe), state=before.state, catalog=catalog)
        assert after.counts == {"plans": 1}
        (asked,) = (one for one in stripe.journal.requests if one.path == "/v1/plans/plan_1")
        return ("expand[0]", "tiers") in asked.query

    first = run(config_for(stripe), catalog=selecting("plans"))
    assert changed(first, None)
    assert not changed(first, {"plans": ["nickname"]})
