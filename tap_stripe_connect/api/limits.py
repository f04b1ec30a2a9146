"""The request budget: when the next request may go out."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PER_ENDPOINT = 25
"""Requests per second that Stripe allows an endpoint (https://docs.stripe.com/rate-limits)."""

ENDPOINT_SHARE = 1 / 4
"""Part of the whole budget that an endpoint gets where Stripe has raised an account's limits."""


class Limiter:
    """Keeps all threads together within the budget, in all and for each endpoint.

    Requests go out at even distances, so that no burst provokes a 429.
    """

    def __init__(
        self,
        requests_per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Allow `requests_per_second` in all, and each endpoint what Stripe gives it of that."""
        self._pause = 1 / requests_per_second
        self._endpoint_pause = 1 / max(PER_ENDPOINT, requests_per_second * ENDPOINT_SHARE)
        self._clock = clock
        self._lock = threading.Lock()
        self._free_from = 0.0
        self._endpoint_free_from: defaultdict[str, float] = defaultdict(float)

    def wait(self, endpoint: str, sleep: Callable[[float], None]) -> None:
        """Return when a request to `endpoint` (a route, ids left out) may go out."""
        # A turn is taken when it has come, never ahead of time: whoever waits for an endpoint
        # holds up nobody else, and those who wait notice a hold.
        while delay := self._turn(endpoint):
            sleep(delay)

    def _turn(self, endpoint: str) -> float:
        """Take a turn if there is one now and return 0; else the seconds until there may be."""
        with self._lock:
            now = self._clock()
            free_from = max(self._free_from, self._endpoint_free_from[endpoint])
            if free_from > now:
                return free_from - now
            self._free_from = now + self._pause
            self._endpoint_free_from[endpoint] = now + self._endpoint_pause
            return 0.0

    def hold(self, seconds: float) -> None:
        """Let nobody send for `seconds`: what refused one of us would refuse all."""
        with self._lock:
            self._free_from = max(self._free_from, self._clock() + seconds)
