"""Regression tests: minimal schedules after which the warehouse once differed from Stripe."""

from __future__ import annotations

import pytest

from tests.property import corpus
from tests.property.schedule_run import ScheduleRun
from tests.property.steps import Create, Initial, Run, Schedule, SetChildren, Wait
from tests.support.harness import DAY


def test_an_item_that_left_before_its_event_is_marked() -> None:
    """The run that saw the late event skipped it, as the subscription's digest was known."""
    ScheduleRun(corpus.LATE_REMOVAL).play()


@pytest.mark.parametrize("schedule", corpus.THERE_AND_BACK)
def test_what_was_there_and_back_is_written_again(schedule: Schedule) -> None:
    """A killed run had written the state between; the digest in STATE matched the final one."""
    ScheduleRun(schedule).play()


def test_an_earlier_start_date_loads_what_a_later_one_skipped() -> None:
    """The bookmark of the feed claimed objects that start_date had excluded."""
    ScheduleRun(corpus.PASSED_OVER).play()


def test_a_touched_object_outside_start_date_stays_outside() -> None:
    """A refund brought the charge in, and its later changes were left out."""
    ScheduleRun(corpus.TOUCHED_OUTSIDE).play()


def test_a_gap_in_the_feed_is_refetched_below_start_date_too() -> None:
    """Rows that an earlier start_date had brought kept their values from before the gap."""
    ScheduleRun(corpus.HOLE_BELOW_START).play()


@pytest.mark.parametrize("schedule", corpus.UNCLAIMED_BELOW_START)
def test_what_a_killed_load_wrote_is_followed_below_a_later_start_date(schedule: Schedule) -> None:
    """Its rows were skipped as too old, and their removed lines stayed for ever."""
    ScheduleRun(schedule).play()


@pytest.mark.parametrize("schedule", corpus.UNCLAIMED_BELOW_START_AND_GONE)
def test_what_a_killed_run_read_again_is_followed_below_a_later_start_date(
    schedule: Schedule,
) -> None:
    """No STATE recorded that the new object had been written, so its deletion was skipped."""
    ScheduleRun(schedule).play()


@pytest.mark.parametrize("schedule", corpus.HOLE_TWICE_KILLED)
def test_refetching_a_gap_is_resumed_after_a_kill(schedule: Schedule) -> None:
    """The STATE did not say how far below start_date to list."""
    ScheduleRun(schedule).play()


def test_a_truncated_404_is_retried() -> None:
    """A 404 without its body counted as an error of the stream."""
    ScheduleRun(corpus.CUT_OFF_REFUSAL).play()


def test_records_without_a_state_are_followed() -> None:
    """A first load is killed after records and before their STATE; then a line is deleted."""
    ScheduleRun(
        Schedule(
            (Initial(Create(0, "invoice", 0, count=1), DAY),),
            (),
            tuple(
                step
                for part in range(1, 20)
                for step in (
                    Create(0, "invoice", part, count=1),
                    Run(unselected=("events",), cut=part / 20),
                    SetChildren(0, "invoice", part, first=0, count=0),
                    Wait(400),
                )
            ),
            final_wait=1000,
            start=None,
        )
    ).play()


def test_a_line_whose_event_is_late_is_marked_after_its_invoice() -> None:
    """The digest of a deletion did not count the children that left before it."""
    ScheduleRun(corpus.LATE_LINE_OF_A_DELETED_INVOICE).play()
