"""Virtual time."""

from __future__ import annotations

import pytest

from tap_stripe_connect.simulator.clock import Clock


def test_a_clock_stands_still_until_it_is_moved() -> None:
    """Time passes by `advance` and `set` alone, fractions of a second included."""
    clock = Clock(1_000)
    assert clock.now == 1_000
    assert clock.advance(0.6) == 1_000
    assert clock.advance(0.6) == 1_001
    clock.set(2_000)
    assert clock.now == 2_000


def test_a_clock_does_not_go_back() -> None:
    """Moving to the past is an error and changes nothing."""
    clock = Clock(1_000)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.set(999)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1)
    assert clock.now == 1_000


def test_a_running_clock_moves_on_with_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real seconds add to the moment that was set."""
    real = 50.0
    monkeypatch.setattr("time.monotonic", lambda: real)
    clock = Clock(1_000, running=True)
    real += 7.5
    assert clock.now == 1_007
    clock.set(1_100)
    real += 1
    assert clock.now == 1_101
