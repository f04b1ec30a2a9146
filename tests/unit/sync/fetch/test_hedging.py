"""When a slow request is hedged."""

from __future__ import annotations

import pytest

from tap_stripe_connect.sync.fetch.hedging import FIRST_GUESS, MIN_SECONDS, SLOW_FACTOR, HedgeTimer


def delay_after(latencies: list[float]) -> float:
    """Return the delay before a hedge after some latencies, in seconds."""
    timer = HedgeTimer()
    for seconds in latencies:
        timer.observe(seconds)
    return timer.delay


def test_the_first_delay_is_an_assumption() -> None:
    """The first page of a list that is always slow is not hedged."""
    assert delay_after([]) == SLOW_FACTOR * FIRST_GUESS


def test_fast_responses_have_a_minimum_delay() -> None:
    """With a shorter delay, a hiccup would cost a request."""
    assert delay_after([0.05] * 100) == MIN_SECONDS


def test_slow_responses_raise_the_delay() -> None:
    """A latency that is typical is not slow."""
    assert delay_after([5.0] * 200) == pytest.approx(SLOW_FACTOR * 5.0, rel=0.01)


def test_outliers_hardly_change_the_delay() -> None:
    """One response in twenty stalls for a minute."""
    assert delay_after(([0.6] * 19 + [60.0]) * 20) <= 1.1 * SLOW_FACTOR * 0.6
