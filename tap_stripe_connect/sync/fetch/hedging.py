"""From when on an answer is late: by what answers have taken so far."""

from __future__ import annotations

MIN_SECONDS = 1.0
"""Seconds that a request may take, at the least."""

FIRST_GUESS = 1.0
"""Seconds that requests are taken to need before any has been answered."""

SLOW_FACTOR = 2
"""How many times what requests usually take makes one late."""

SMOOTHING = 20
"""Requests of which the usual time is a mean, about."""


class HedgeTimer:
    """How long to wait for a page before the same one is asked for once more."""

    def __init__(self) -> None:
        """Begin without having seen an answer."""
        self._typical = FIRST_GUESS

    @property
    def delay(self) -> float:
        """How long a request may take."""
        return max(MIN_SECONDS, SLOW_FACTOR * self._typical)

    def observe(self, seconds: float) -> None:
        """Take note of an answer; the few that take very long are no measure of what is usual."""
        self._typical += (min(seconds, 2 * self._typical) - self._typical) / SMOOTHING
