"""What the requests of a run have cost, by account."""

from __future__ import annotations

import threading
from collections import Counter


class Tally:
    """Counts requests, retries and waits; safe to use from any thread."""

    def __init__(self) -> None:
        """Begin at nothing; the key's own account is counted as None."""
        self._lock = threading.Lock()
        self.requests: Counter[str | None] = Counter()
        self.retries: Counter[str | None] = Counter()
        self.seconds_waited: dict[str | None, float] = {}
        """Seconds that threads waited before a retry, added up."""

    def sent(self, account: str | None) -> None:
        """Count a request."""
        with self._lock:
            self.requests[account] += 1

    def retried(self, account: str | None) -> None:
        """Count a request that has to be sent again."""
        with self._lock:
            self.retries[account] += 1

    def waited(self, account: str | None, seconds: float) -> None:
        """Add up a wait."""
        with self._lock:
            self.seconds_waited[account] = self.seconds_waited.get(account, 0.0) + seconds
