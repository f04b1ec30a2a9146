"""The threads that read: as many as it takes to use the request budget up."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST = 16
"""Threads to begin with; 50 requests a second at 0.3 s each keep 15 busy."""

MOST = 128
"""Threads at most; 100 requests a second at 1 s each keep 100 busy."""


class Readers:
    """Threads that all do the same; `idle` of them wait for something to do."""

    def __init__(self, read: Callable[[], None]) -> None:
        """Prepare to run `read` in each thread."""
        self._read = read
        self._threads: list[threading.Thread] = []
        self.idle = 0

    def start(self) -> None:
        """Start the first threads."""
        for _ in range(FIRST):
            self.grow()

    def grow(self) -> None:
        """Start one more, if there are not enough of them."""
        if len(self._threads) < MOST:
            name = f"reader-{len(self._threads)}"
            thread = threading.Thread(target=self._read, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def join(self, timeout: float) -> None:
        """Wait for all to end, for so many seconds together."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
