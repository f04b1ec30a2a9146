"""How much is read ahead of what has been written."""

from __future__ import annotations

import pytest

from tap_stripe_connect.sync.room import ASKED, IN_FLIGHT, WAITING, Room

PAGE = 400_000


def asked_for(room: Room, page: int = PAGE) -> int:
    """Ask for pages as long as there is room, and return how many that were."""
    count = 0
    while room.allows(page):
        room.ask(page)
        count += 1
    return count


def test_answers_that_take_long_are_many_at_a_time() -> None:
    """Where what comes is written at once, a hundred ordinary pages are under way."""
    assert asked_for(Room()) == ASKED // PAGE > 100


def test_a_slow_writer_holds_back_those_who_read() -> None:
    """Once pages wait no more are asked for than fit with them, until some are written."""
    room = Room()
    waiting = WAITING + 1
    room.wait(waiting)
    assert room.crowded
    assert asked_for(room) == (IN_FLIGHT - waiting) // PAGE
    room.written(waiting)
    assert not room.crowded
    assert asked_for(room) > 0


@pytest.mark.parametrize("page", [IN_FLIGHT + 1, ASKED + 1])
def test_a_page_of_any_size_comes_alone(page: int) -> None:
    """What is larger than all room there is still comes, when nothing else is under way."""
    room = Room()
    assert room.allows(page)
    room.ask(page)
    assert room.allows(PAGE) == (page + PAGE <= ASKED)
    room.answered(page)
    room.wait(page)
    assert not room.allows(PAGE)
    room.written(page)
    assert room.allows(page)
