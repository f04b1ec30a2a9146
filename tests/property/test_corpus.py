"""Stories in which the warehouse once did not say what Stripe says, in their shortest form."""

from __future__ import annotations

import pytest

from tests.property import corpus as kept
from tests.property.model import Story
from tests.property.steps import Fill, Make, Past, Run, Schedule, Wait
from tests.support.harness import DAY


def test_an_item_that_left_before_its_event_is_marked() -> None:
    """A run read the subscription first; the later event found its digest and marked nothing."""
    Story(kept.LATE_REMOVAL).play()


@pytest.mark.parametrize("schedule", kept.THERE_AND_BACK)
def test_what_was_there_and_back_is_written_again(schedule: Schedule) -> None:
    """A killed run had written the state between; its digest before was the one afterwards."""
    Story(schedule).play()


def test_what_start_date_passed_over_is_loaded_once_it_goes_back() -> None:
    """The feed's claim said that all created since was written, also what was cut off."""
    Story(kept.PASSED_OVER).play()


def test_a_touched_object_outside_start_date_stays_outside() -> None:
    """A refund brought the charge in, and its later changes were left out."""
    Story(kept.TOUCHED_OUTSIDE).play()


def test_a_hole_in_the_feed_is_mended_below_start_date_too() -> None:
    """Rows that an earlier start_date had brought stayed as they were before the hole."""
    Story(kept.HOLE_BELOW_START).play()


@pytest.mark.parametrize("schedule", kept.UNCLAIMED_BELOW_START)
def test_what_a_killed_load_wrote_is_followed_below_a_later_start_date(schedule: Schedule) -> None:
    """Its rows were left out as too old, and their vanished lines stayed for ever."""
    Story(schedule).play()


@pytest.mark.parametrize("schedule", kept.UNCLAIMED_BELOW_START_AND_GONE)
def test_what_a_killed_run_read_again_is_followed_below_a_later_start_date(
    schedule: Schedule,
) -> None:
    """No state told that the new object had been written, so its deletion was passed over."""
    Story(schedule).play()


@pytest.mark.parametrize("schedule", kept.HOLE_TWICE_KILLED)
def test_mending_a_hole_goes_on_after_a_kill(schedule: Schedule) -> None:
    """Only the run itself knew how far below start_date it had to list."""
    Story(schedule).play()


def test_a_refusal_that_was_cut_off_is_asked_for_again() -> None:
    """A 404 without its body counted as a fault of the stream."""
    Story(kept.CUT_OFF_REFUSAL).play()


def test_what_no_state_tells_of_is_followed() -> None:
    """A first load is killed after records and before their STATE; then a line is deleted."""
    Story(
        Schedule(
            (Past(Make(0, "invoice", 0, count=1), DAY),),
            (),
            tuple(
                step
                for part in range(1, 20)
                for step in (
                    Make(0, "invoice", part, count=1),
                    Run(unselected=("events",), cut=part / 20),
                    Fill(0, "invoice", part, first=0, count=0),
                    Wait(400),
                )
            ),
            rest=1000,
            start=None,
        )
    ).play()


def test_a_line_whose_event_is_late_is_marked_after_its_invoice() -> None:
    """The digest of a deletion did not count the children that left before it."""
    Story(kept.LATE_LINE_OF_A_DELETED_INVOICE).play()
