"""The request budget: when the next request may go out."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PER_ENDPOINT = 25
"""Requests per second that Stripe allows an endpoint (https://docs.stripe.com/rate-limits)."""

ENDPOINT_SHARE = 1 / 4
"""Part of the whole budget that an endpoint gets where Stripe has raised an account's limits."""


class Pace:
    """Hands out moments at even distances, so that no burst provokes a 429."""

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        """Allow `per_second` moments a second, the first one at once."""
        self._pause = 1 / per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._free_from = 0.0

    def reserve(self) -> float:
        """Take the next free moment and return the seconds until then."""
        with self._lock:
            now = self._clock()
            moment = max(now, self._free_from)
            self._free_from = moment + self._pause
            return moment - now

    def hold(self, seconds: float) -> None:
        """Hand out no moment earlier than `seconds` from now."""
        with self._lock:
            self._free_from = max(self._free_from, self._clock() + seconds)


class Limiter:
    """Keeps all threads together within the budget, in all and for each endpoint."""

    def __init__(
        self,
        requests_per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Allow `requests_per_second` in all, and each endpoint what Stripe gives it of that."""
        self._per_endpoint = max(PER_ENDPOINT, requests_per_second * ENDPOINT_SHARE)
        self._clock = clock
        self._lock = threading.Lock()
        self._all = Pace(requests_per_second, clock)
        self._endpoints: dict[str, Pace] = {}

    def wait(self, endpoint: str, sleep: Callable[[float], None]) -> None:
        """Return when a request to `endpoint` (a route, ids left out) may go out."""
        with self._lock:
            pace = self._endpoints.get(endpoint)
            if pace is None:
                pace = self._endpoints[endpoint] = Pace(self._per_endpoint, self._clock)
        # The budget of all is taken last: whoever waits for an endpoint holds up nobody else.
        for turn in (pace, self._all):
            if delay := turn.reserve():
                sleep(delay)

    def hold(self, seconds: float) -> None:
        """Let nobody send for `seconds`: what refused one of us would refuse all."""
        self._all.hold(seconds)
