"""How much is fetched ahead of the writer."""

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
    """Request pages as long as the budget allows; return their number."""
    count = 0
    while budget.can_request(page):
        budget.reserve(page)
        count += 1
    return count


def test_many_requests_are_in_flight_while_the_writer_keeps_up() -> None:
    """A hundred pages of ordinary size are in flight."""
    assert requested(InFlightBudget()) == MAX_REQUESTED // PAGE > 100


def test_a_slow_writer_throttles_the_workers() -> None:
    """While pages wait to be written, the budget for requests is smaller."""
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
    """A page larger than the budget is requested if nothing else is in flight."""
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


def test_fewer_large_pages_are_in_flight() -> None:
    """They have to fit into memory even if all arrive at once."""
    budget, page = InFlightBudget(), LARGE_PAGE + 1
    assert budget.spare_requests(page) == MAX_REQUESTED_LARGE // page
    assert requested(budget, page) == budget.spare_requests(page) + MAX_REQUESTED_LARGE // page
    assert budget.spare_requests(page) == 0


def test_pages_that_wait_for_their_lists_are_few() -> None:
    """One page always may, or a page larger than the budget would never be read."""
    budget = InFlightBudget()
    assert budget.can_hold_unfinished(MAX_UNFINISHED + 1)
    budget.hold_unfinished(MAX_UNFINISHED)
    assert not budget.can_hold_unfinished(1)
    budget.hold_unfinished(-MAX_UNFINISHED)
    assert budget.can_hold_unfinished(PAGE)


def test_nested_lists_have_a_budget_of_their_own() -> None:
    """It does not depend on the writer or on requested pages."""
    budget = InFlightBudget()
    budget.reserve(MAX_REQUESTED)
    budget.received(MAX_IN_FLIGHT)
    assert budget.can_read_nested(MAX_NESTED)
    budget.reserve_nested(MAX_NESTED)
    assert not budget.can_read_nested(1)
    budget.reserve_nested(-1)
    assert budget.can_read_nested(1)
