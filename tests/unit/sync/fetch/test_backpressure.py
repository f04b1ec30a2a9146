"""How much is read ahead of what has been written."""

from __future__ import annotations

import pytest

from tap_stripe_connect.sync.fetch.backpressure import (
    HEAVY,
    IN_FLIGHT,
    NESTED,
    REQUESTED,
    REQUESTED_HEAVY,
    UNFINISHED,
    WAITING,
    InFlightBudget,
)

PAGE = 400_000


def asked_for(room: InFlightBudget, page: int = PAGE) -> int:
    """Ask for pages as long as there is room, and return how many that were."""
    count = 0
    while room.allows(page):
        room.ask(page)
        count += 1
    return count


def test_answers_that_take_long_are_many_at_a_time() -> None:
    """Where what comes is written at once, a hundred ordinary pages are under way."""
    assert asked_for(InFlightBudget()) == REQUESTED // PAGE > 100


def test_a_slow_writer_holds_back_those_who_read() -> None:
    """Once pages wait no more are asked for than fit with them, until some are written."""
    room = InFlightBudget()
    waiting = WAITING + 1
    room.wait(waiting)
    assert room.crowded
    assert asked_for(room) == (IN_FLIGHT - waiting) // PAGE
    room.written(waiting)
    assert not room.crowded
    assert asked_for(room) > 0


@pytest.mark.parametrize("page", [IN_FLIGHT + 1, REQUESTED + 1])
def test_a_page_of_any_size_comes_alone(page: int) -> None:
    """What is larger than all room there is still comes, when nothing else is under way."""
    room = InFlightBudget()
    assert room.allows(page)
    room.ask(page)
    assert room.allows(PAGE) == (page + PAGE <= REQUESTED)
    assert not room.allows(page)
    room.answered(page)
    room.wait(page)
    assert not room.allows(PAGE)
    room.written(page)
    assert room.allows(page)


def test_of_heavy_pages_fewer_are_under_way() -> None:
    """Those that come at once must fit into memory, and no reader is started for more."""
    room, page = InFlightBudget(), HEAVY + 1
    assert room.pages(page) == REQUESTED_HEAVY // page
    assert asked_for(room, page) == room.pages(page) + REQUESTED_HEAVY // page
    assert room.pages(page) == 0


def test_pages_that_wait_for_their_lists_are_few() -> None:
    """One may always, or a page larger than all room would never come."""
    room = InFlightBudget()
    assert room.allows_unfinished(UNFINISHED + 1)
    room.hold(UNFINISHED)
    assert not room.allows_unfinished(1)
    room.hold(-UNFINISHED)
    assert room.allows_unfinished(PAGE)


def test_nested_lists_are_read_within_room_of_their_own() -> None:
    """However slowly rows are written, and however many pages are asked for."""
    room = InFlightBudget()
    room.ask(REQUESTED)
    room.wait(IN_FLIGHT)
    assert room.allows_nested(NESTED)
    room.reserve(NESTED)
    assert not room.allows_nested(1)
    room.reserve(-1)
    assert room.allows_nested(1)
