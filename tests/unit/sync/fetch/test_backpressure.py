"""How much is read ahead of what has been written."""

from __future__ import annotations

import pytest

from tap_stripe_connect.sync.fetch.backpressure import (
    LARGE_PAGE,
    MAX_IN_FLIGHT,
    MAX_NESTED,
    MAX_RECEIVED,
    MAX_REQUESTED,
    MAX_REQUESTED_LARGE,
    MAX_UNFINISHED,
    InFlightBudget,
)

PAGE = 400_000


def requested(budget: InFlightBudget, page: int = PAGE) -> int:
    """Ask for pages as long as there is room, and return how many that were."""
    count = 0
    while budget.can_request(page):
        budget.reserve(page)
        count += 1
    return count


def test_answers_that_take_long_are_many_at_a_time() -> None:
    """Where what comes is written at once, a hundred ordinary pages are under way."""
    assert requested(InFlightBudget()) == MAX_REQUESTED // PAGE > 100


def test_a_slow_writer_holds_back_those_who_read() -> None:
    """Once pages wait no more are asked for than fit with them, until some are written."""
    budget = InFlightBudget()
    waiting = MAX_RECEIVED + 1
    budget.received(waiting)
    assert budget.congested
    assert requested(budget) == (MAX_IN_FLIGHT - waiting) // PAGE
    budget.written(waiting)
    assert not budget.congested
    assert requested(budget) > 0


@pytest.mark.parametrize("page", [MAX_IN_FLIGHT + 1, MAX_REQUESTED + 1])
def test_a_page_of_any_size_comes_alone(page: int) -> None:
    """What is larger than all room there is still comes, when nothing else is under way."""
    budget = InFlightBudget()
    assert budget.can_request(page)
    budget.reserve(page)
    assert budget.can_request(PAGE) == (page + PAGE <= MAX_REQUESTED)
    assert not budget.can_request(page)
    budget.release(page)
    budget.received(page)
    assert not budget.can_request(PAGE)
    budget.written(page)
    assert budget.can_request(page)


def test_of_heavy_pages_fewer_are_under_way() -> None:
    """Those that come at once must fit into memory, and no reader is started for more."""
    budget, page = InFlightBudget(), LARGE_PAGE + 1
    assert budget.spare_requests(page) == MAX_REQUESTED_LARGE // page
    assert requested(budget, page) == budget.spare_requests(page) + MAX_REQUESTED_LARGE // page
    assert budget.spare_requests(page) == 0


def test_pages_that_wait_for_their_lists_are_few() -> None:
    """One may always, or a page larger than all room would never come."""
    budget = InFlightBudget()
    assert budget.can_hold_unfinished(MAX_UNFINISHED + 1)
    budget.hold_unfinished(MAX_UNFINISHED)
    assert not budget.can_hold_unfinished(1)
    budget.hold_unfinished(-MAX_UNFINISHED)
    assert budget.can_hold_unfinished(PAGE)


def test_nested_lists_are_read_within_room_of_their_own() -> None:
    """However slowly rows are written, and however many pages are asked for."""
    budget = InFlightBudget()
    budget.reserve(MAX_REQUESTED)
    budget.received(MAX_IN_FLIGHT)
    assert budget.can_read_nested(MAX_NESTED)
    budget.reserve_nested(MAX_NESTED)
    assert not budget.can_read_nested(1)
    budget.reserve_nested(-1)
    assert budget.can_read_nested(1)
