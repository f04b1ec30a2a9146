"""Virtual time."""

from __future__ import annotations

import threading
import time


class Clock:
    """Virtual time in whole unix seconds, which only moves forward; with real time if running."""

    def __init__(self, now: int, *, running: bool = False) -> None:
        self._lock = threading.Lock()
        self._running = running
        self._base = float(now)
        self._started = time.monotonic()

    @property
    def now(self) -> int:
        """The current moment."""
        return int(self._exact())

    def set(self, moment: int) -> None:
        """Move on to `moment`; raise ValueError if it is in the past."""
        with self._lock:
            if moment < self.now:
                raise ValueError(f"The clock cannot go back from {self.now} to {moment}.")
            self._base = float(moment)
            self._started = time.monotonic()

    def advance(self, seconds: float) -> int:
        """Move on by `seconds` and return the new moment."""
        if seconds < 0:
            raise ValueError(f"The clock cannot go back by {-seconds} seconds.")
        with self._lock:
            self._base += seconds
            return self.now

    def _exact(self) -> float:
        elapsed = time.monotonic() - self._started if self._running else 0.0
        return self._base + elapsed
