"""One attempt: its state, its time, and that it ends once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from urllib.parse import parse_qs, urlsplit

from tap_stripe_connect.connect.attempt import LIFETIME, Attempt
from tap_stripe_connect.connect.oauth import CONNECT, Application

APPLICATION = Application("ca_1Test", "http://localhost:8765/callback", livemode=False, url=CONNECT)


def test_states_cannot_be_guessed() -> None:
    """Each attempt has 256 random bits of its own, and they are in its link."""
    attempts = [Attempt(APPLICATION) for _ in range(100)]
    assert len({attempt.state for attempt in attempts}) == 100
    for attempt in attempts:
        assert len(attempt.state) == 43
        assert parse_qs(urlsplit(attempt.link).query)["state"] == [attempt.state]
        assert attempt.state not in repr(attempt)


def test_only_the_whole_state_matches() -> None:
    """No part of it, no other writing, and no odd text matches or fails."""
    attempt = Attempt(APPLICATION, state="s-_1")
    assert attempt.matches("s-_1")
    for other in ("", "s", "s-_", "s-_1 ", "S-_1", "s-_1\0", "ß", "\ud800", "x" * 10_000):
        assert not attempt.matches(other)


def test_time_runs_out() -> None:
    """A link is good for ten minutes of the monotonic clock, and open as long."""
    now = 1000.0
    attempt = Attempt(APPLICATION, clock=lambda: now)
    assert attempt.deadline == now + LIFETIME
    now += LIFETIME - 1
    assert attempt.open
    now += 1
    assert attempt.expired
    assert not attempt.open


def test_one_of_many_may_end_it() -> None:
    """Of all that come at the same moment, one claims it, and it is open no more."""
    for _ in range(50):
        attempt = Attempt(APPLICATION)
        barrier = Barrier(8)

        def claim(attempt: Attempt = attempt, barrier: Barrier = barrier) -> bool:
            barrier.wait()
            return attempt.claim()

        with ThreadPoolExecutor(8) as pool:
            claims = [future.result() for future in [pool.submit(claim) for _ in range(8)]]
        assert sum(claims) == 1
        assert not attempt.open


def test_an_earlier_process_goes_on() -> None:
    """A state that was kept makes the same link again, with the time that is left."""
    first = Attempt(APPLICATION, again=True)
    second = Attempt(APPLICATION, again=True, state=first.state, lifetime=5, clock=lambda: 7.0)
    assert second.link == first.link
    assert second.deadline == 12
