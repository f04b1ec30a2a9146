"""When to hedge a slow request, based on recent latency."""

from __future__ import annotations

MIN_SECONDS = 1.0
"""Shortest delay before a request is hedged, in seconds."""

FIRST_GUESS = 1.0
"""Assumed latency before the first response, in seconds."""

SLOW_FACTOR = 2
"""Multiple of the typical latency after which a request is hedged."""

SMOOTHING = 20
"""Number of responses that the typical latency averages over, roughly."""


class HedgeTimer:
    """Estimates how long to wait for a page before requesting it a second time."""

    def __init__(self) -> None:
        self._typical = FIRST_GUESS

    @property
    def delay(self) -> float:
        """Seconds to wait before hedging."""
        return max(MIN_SECONDS, SLOW_FACTOR * self._typical)

    def observe(self, seconds: float) -> None:
        """Update the estimate with one latency; outliers are capped."""
        self._typical += (min(seconds, 2 * self._typical) - self._typical) / SMOOTHING
