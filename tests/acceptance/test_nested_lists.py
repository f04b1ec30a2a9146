"""Nested lists beyond the embedded rows: read concurrently, each once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from tap_stripe_connect.catalog import LISTED
from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.sync.fetch.backpressure import InFlightBudget
from tap_stripe_connect.sync.fetch.nested import (
    PARTIAL_PAGE_BYTES,
    UnfinishedPage,
    last_unfinished,
    truncated_lists,
)
from tap_stripe_connect.sync.plan.backfill import Backfill
from tap_stripe_connect.sync.plan.jobs import Job, Page
from tests.acceptance.cases.steps import YEAR, next_run, routes
from tests.support.harness import DAY, NOW, config_for, run, selecting
from tests.support.slow_stripe import Slowness, read_slowly

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.server import Simulator
    from tests.support.harness import Json

NAMES = ("invoices", "invoice_line_items")
LINES = "/v1/invoices/{id}/lines"


def history(rows: int) -> list[int]:
    """Return creation times at even distances over two years, the oldest first."""
    return [NOW - DAY - 2 * YEAR * age // rows for age in range(rows, 0, -1)]


# Speed, and number of requests


@pytest.mark.parametrize("seconds", [0.2, 1.0])
def test_lines_are_read_at_the_full_rate_limit(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """5,000 invoices of 25 lines: one request each, in hardly more than 25 a second take."""
    slowness = Slowness(seconds, lines=25)
    reading = read_slowly(monkeypatch, {"/v1/invoices": history(5000)}, 100, slowness)
    assert reading.rows == {"/v1/invoices": bytearray(b"\x01" * 5000)}
    assert reading.nested.total() == 5000
    assert set(reading.nested.values()) == {1}
    assert reading.seconds <= 1.05 * 5000 / 25
    # A page whose lines are being read has arrived; it is not hedged.
    assert len(reading.sent) - 5000 <= 1.1 * 50


def test_a_second_is_covered_once_all_its_pages_are_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The page in which a second ends may be complete before the one in which it begins."""
    monkeypatch.setattr("tap_stripe_connect.sync.fetch.scheduler.MAX_NESTED_AHEAD", 10_000)
    seconds = [NOW - DAY - place // 120 for place in range(600, 0, -1)]
    # Most of the invoices of the first pages have lines to be read, those of the others none.
    slowness = Slowness(0.2, stalls_every=7, stall=3.0, lines=25, long=400)
    reading = read_slowly(monkeypatch, {"/v1/invoices": seconds}, 100, slowness)
    assert reading.rows == {"/v1/invoices": bytearray(b"\x01" * 600)}
    assert reading.nested.total() == 400


def test_lines_leave_other_lists_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another list is as fast as alone, and so are lines."""
    charges = {"/v1/charges": history(50_000)}
    alone = read_slowly(monkeypatch, charges, 100, Slowness(0.2))
    lists = {**charges, "/v1/invoices": history(1000)}
    both = read_slowly(monkeypatch, lists, 100, Slowness(0.2, lines=25))
    assert both.done["/v1/charges"] <= 1.1 * alone.seconds
    assert both.seconds <= 1.05 * 1000 / 25


def test_lines_in_several_pages_come_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of three pages, of which each needs the one before it, still fill the budget."""
    slowness = Slowness(0.2, lines=250)
    reading = read_slowly(monkeypatch, {"/v1/invoices": history(500)}, 100, slowness)
    assert reading.nested.total() == 3 * 500
    assert reading.seconds <= 1.1 * 3 * 500 / 25


def test_without_in_flight_budget_one_page_and_one_list_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However small the memory limit, all rows are read, one after the other."""
    monkeypatch.setattr("tap_stripe_connect.sync.fetch.backpressure.MAX_UNFINISHED", 1)
    monkeypatch.setattr("tap_stripe_connect.sync.fetch.backpressure.MAX_NESTED", 1)
    held: list[int] = []
    hold = InFlightBudget.hold_unfinished

    def holding(budget: InFlightBudget, size: int) -> None:
        hold(budget, size)
        held.append(budget._unfinished)

    monkeypatch.setattr(InFlightBudget, "hold_unfinished", holding)
    slowness = Slowness(0.2, lines=150)
    reading = read_slowly(monkeypatch, {"/v1/invoices": history(300)}, 100, slowness)
    assert reading.rows == {"/v1/invoices": bytearray(b"\x01" * 300)}
    assert reading.nested.total() == 2 * 300
    assert reading.seconds == pytest.approx(0.2 * (2 * 300 + 3), rel=0.05)
    page = 100 * 4_000
    assert max(held) <= page + PARTIAL_PAGE_BYTES + 150 * 4_000
    assert held[-1] == 0


def test_sixty_invoices_of_twelve_lines_take_sixty_requests_and_a_page(stripe: Simulator) -> None:
    """In a first load, however slow they are, and sixty again after changes."""
    bulk.load(stripe.world.platform, invoices=60, lines=12, start=NOW - YEAR, until=NOW - DAY)
    stripe.faults.add(Fault(match="/lines", delay=0.05))
    first = run(config_for(stripe), catalog=selecting(*NAMES))
    assert first.counts == {"invoices": 60, "invoice_line_items": 720}
    assert routes(stripe).count(LINES) == 60
    pages = {tuple(one.query) for one in stripe.journal.requests if one.path == "/v1/invoices"}
    assert len(pages) == 1

    def change(account: Account) -> None:
        for invoice in list(account.objects("invoice")):
            account.update("invoice", invoice["id"], {"description": "new"})

    second = next_run(stripe, first, *NAMES, change=change)
    assert second.counts == first.counts
    assert routes(stripe).count(LINES) == 60


# Changes meanwhile


def invoices(account: Account, count: int, lines: int, prefix: str = "in") -> None:
    """Create invoices `in_0` and following, the oldest first."""
    for place in range(count):
        rows = [{"id": f"il_{place}_{line}"} for line in range(lines)]
        account.create("invoice", {"id": f"{prefix}_{place}", "lines": rows}, at=NOW - DAY + place)


def error(message: str) -> Json:
    """Return the body of a response for something that does not exist."""
    return {"error": {"code": "resource_missing", "message": message}}


def test_an_invoice_that_vanishes_while_lines_are_read_is_left_out(stripe: Simulator) -> None:
    """The others come, its page counts, and the next run has nothing to do."""
    account = stripe.world.platform
    invoices(account, 5, 12)
    body = error("No such invoice: 'in_2'")
    stripe.faults.add(Fault(match="/v1/invoices/in_2/lines", status=404, body=body))
    output = run(config_for(stripe), catalog=selecting(*NAMES))
    assert output.exit_code == 0
    assert {row["id"] for row in output.records("invoices")} == {"in_0", "in_1", "in_3", "in_4"}
    assert output.counts["invoice_line_items"] == 4 * 12
    assert len(output.state["bookmarks"]["invoices"]["covered"]) == 1


def test_a_line_that_a_page_ended_with_may_vanish(stripe: Simulator) -> None:
    """Its list is read from the beginning, and written once."""
    invoices(stripe.world.platform, 1, 250)
    body = error("No such invoice line item: 'il_0_99'")
    match = "/v1/invoices/in_0/lines.*starting_after"
    stripe.faults.add(Fault(match=match, status=400, body=body, times=1))
    output = run(config_for(stripe), catalog=selecting(*NAMES))
    assert output.exit_code == 0
    assert len({row["id"] for row in output.records("invoice_line_items")}) == 250
    assert output.counts == {"invoices": 1, "invoice_line_items": 250}
    assert routes(stripe).count(LINES) == 1 + 1 + 3


def test_lines_that_reject_their_own_cursors_end(stripe: Simulator) -> None:
    """Requests end; only this list fails."""
    account = stripe.world.platform
    invoices(account, 3, 150)
    account.create("coupon", {"id": "C"}, at=NOW - DAY)
    match = "/v1/invoices/in_1/lines.*starting_after"
    stripe.faults.add(Fault(match=match, status=400, body=error("No such line item: 'il_1_99'")))
    output = run(config_for(stripe), catalog=selecting(*NAMES, "coupons"))
    assert output.exit_code == 1
    assert output.counts["coupons"] == 1
    assert len([one for one in stripe.journal.requests if one.status == 400]) == 4


def test_lines_that_cannot_be_read_fail_their_list_alone(stripe: Simulator) -> None:
    """Others go on, no page without all its lines is covered, and the next run reads them all."""
    account = stripe.world.platform
    invoices(account, 30, 12)
    account.create("coupon", {"id": "C"}, at=NOW - DAY)
    body = {"error": {"message": "No"}}
    stripe.faults.add(Fault(match="/v1/invoices/in_7/lines", status=400, body=body))
    names = (*NAMES, "coupons")
    first = run(config_for(stripe), catalog=selecting(*names))
    assert first.exit_code == 1
    assert first.counts["coupons"] == 1
    stripe.faults.clear()
    second = run(config_for(stripe), state=first.state, catalog=selecting(*names))
    assert second.exit_code == 0
    assert len({row["id"] for row in second.records("invoices")}) == 30
    assert second.counts["invoice_line_items"] == 30 * 12


def test_a_revoked_account_takes_its_half_read_pages_with_it(stripe: Simulator) -> None:
    """Others are read to their end."""
    for name, prefix in (("acct_1One", "in"), ("acct_1Two", "inother")):
        invoices(stripe.world.add_account(name), 30, 12, prefix)
    body = {"error": {"code": "account_invalid", "message": "No access to account"}}
    stripe.faults.add(Fault(match="/v1/invoices/in_9/lines", status=403, body=body))
    config = config_for(stripe, all_connected_accounts=True, include_platform=False)
    output = run(config, catalog=selecting(*NAMES))
    lines = Counter(row["account_id"] for row in output.records("invoice_line_items"))
    assert lines["acct_1Two"] == 30 * 12
    assert lines["acct_1One"] < 30 * 12
    assert output.exit_code == 1


def test_a_nested_list_of_no_stream_is_not_read(stripe: Simulator) -> None:
    """Old API versions show the sources of a customer, ten of them; they cost no request."""
    sources = {"object": "list", "data": [], "has_more": True, "url": "/v1/customers/cus_1/sources"}
    page = {
        "object": "list",
        "url": "/v1/customers",
        "has_more": False,
        "data": [
            {"object": "customer", "id": "cus_1", "created": NOW - DAY, "sources": sources},
        ],
    }
    stripe.faults.add(Fault(match=r"/v1/customers(\?|$)", status=200, body=page))
    output = run(config_for(stripe), catalog=selecting("customers"))
    assert output.exit_code == 0
    assert output.counts == {"customers": 1}
    assert sorted(routes(stripe)) == ["/v1/customers", "/v1/events"]


# Pages in parts


def page_of(job: Job, lines: list[int], weight: int) -> Page:
    """Return a page of invoices; those of more than ten lines lack some."""
    found: list[Any] = []
    for place, count in enumerate(lines):
        url = f"/v1/invoices/in_{place}/lines"
        nested = {"data": [], "has_more": count > 10, "url": url}
        found.append({"id": f"in_{place}", "lines": nested})
    return Page(job, frozenset(NAMES), found, (10, 20), weight=weight)


def test_a_page_is_covered_only_with_its_last_object() -> None:
    """Complete objects are written before, so that no whole page is kept in memory."""
    job = Job(LISTED["invoices"], "acct_1Example", None, Backfill([]))
    page = page_of(job, [5, 12, 12, 12], 4 * PARTIAL_PAGE_BYTES)
    lists = truncated_lists(job, page.streams, page.objects)
    unfinished = UnfinishedPage(page, lists)
    assert [one.owner["id"] for one in lists] == ["in_1", "in_2", "in_3"]
    assert unfinished.weight == 4 * PARTIAL_PAGE_BYTES
    lists[1].size = 1000
    first = unfinished.completed(lists[1])
    assert first
    assert [one["id"] for one in first.objects] == ["in_0", "in_2"]
    assert first.covered == (20, 20)
    assert first.weight == 2 * PARTIAL_PAGE_BYTES + 1000
    second = unfinished.vanished(lists[0])
    assert second is None
    assert not unfinished.finished
    last = unfinished.completed(lists[2])
    assert last
    assert [one["id"] for one in last.objects] == ["in_3"]
    assert (last.covered, last.vanished, unfinished.finished) == ((10, 20), 1, True)
    assert unfinished.weight == 0


def test_a_page_that_is_complete_before_the_previous_one_is_covered_with_that() -> None:
    """Both have a part of the same second; in any order of their lists."""
    job = Job(LISTED["invoices"], "acct_1Example", None, Backfill([]))
    for order in permutations(range(3)):
        pages: list[UnfinishedPage] = []
        lists = []
        for covered in ((31, 40), (31, 31), (20, 31)):
            page = replace(page_of(job, [12], 1), covered=covered)
            lists += truncated_lists(job, page.streams, page.objects)
            before = last_unfinished(pages[-1]) if pages else None
            pages.append(UnfinishedPage(page, lists[-1:], before))
        covered_seconds: set[int] = set()
        for place in order:
            part = pages[place].completed(lists[place])
            assert part
            assert part.covered
            covered_seconds |= set(range(*part.covered))
            done = [page.finished for page in pages]
            # The last second of the first page, 30, goes on in both others.
            assert (30 in covered_seconds) <= all(done)
        assert covered_seconds == set(range(20, 40))


def test_lists_of_unselected_streams_do_not_count_as_truncated() -> None:
    """The lines are followed for the stream of lines alone."""
    job = Job(LISTED["invoices"], "acct_1Example", None, Backfill([]))
    page = page_of(job, [12], 1)
    assert truncated_lists(job, frozenset({"invoices"}), page.objects) == []
    assert [one.route for one in truncated_lists(job, page.streams, page.objects)] == [LINES]
