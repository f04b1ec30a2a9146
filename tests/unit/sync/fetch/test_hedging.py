"""From when on an answer is late."""

from __future__ import annotations

import pytest

from tap_stripe_connect.sync.fetch.hedging import FIRST_GUESS, MIN_SECONDS, SLOW_FACTOR, HedgeTimer


def after(answers: list[float]) -> float:
    """Return the patience that these answers leave, in seconds."""
    timer = HedgeTimer()
    for seconds in answers:
        timer.observe(seconds)
    return timer.delay


def test_nothing_is_late_before_it_is_known_how_long_answers_take() -> None:
    """A list that is always slow is not asked for twice from the first page on."""
    assert after([]) == SLOW_FACTOR * FIRST_GUESS


def test_quick_answers_leave_the_least_patience() -> None:
    """Below that a hiccup would cost a request."""
    assert after([0.05] * 100) == MIN_SECONDS


def test_slow_answers_are_waited_for() -> None:
    """What all take is not late."""
    assert after([5.0] * 200) == pytest.approx(SLOW_FACTOR * 5.0, rel=0.01)


def test_a_few_that_take_very_long_are_no_measure() -> None:
    """One in twenty that stalls for a minute leaves the others' measure nearly as it is."""
    assert after(([0.6] * 19 + [60.0]) * 20) <= 1.1 * SLOW_FACTOR * 0.6
