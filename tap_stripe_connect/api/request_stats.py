"""What the requests of a run have cost, by account and route."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, replace

Endpoint = tuple[str | None, str]
"""The account as the header names it, None for the key's own; and the path without ids."""


@dataclass
class Cost:
    """What some requests have cost."""

    requests: int = 0
    retries: int = 0
    waited: float = 0.0
    """Seconds that threads waited before a retry, added up."""

    def add(self, other: Cost) -> None:
        """Add what others have cost."""
        self.requests += other.requests
        self.retries += other.retries
        self.waited += other.waited


class RequestStats:
    """Counts requests, retries and waits; safe to use from any thread."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self._lock = threading.Lock()
        self._costs: defaultdict[Endpoint, Cost] = defaultdict(Cost)
        self._limits: set[str] = set()

    def sent(self, account: str | None, route: str) -> None:
        """Count a request."""
        with self._lock:
            self._costs[account, route].requests += 1

    def retried(self, account: str | None, route: str, seconds: float) -> None:
        """Count a request that has to be sent again after so many seconds."""
        with self._lock:
            self._costs[account, route].add(Cost(retries=1, waited=seconds))

    def limited(self, limit: str) -> bool:
        """Take note that one of Stripe's limits was reached; tell whether that is news."""
        with self._lock:
            news = limit not in self._limits
            self._limits.add(limit)
            return news

    def costs(self) -> dict[Endpoint, Cost]:
        """Return what has been counted so far, as a copy."""
        with self._lock:
            return {asked: replace(cost) for asked, cost in self._costs.items()}

    def total(self) -> Cost:
        """Return the sum of it all."""
        total = Cost()
        for cost in self.costs().values():
            total.add(cost)
        return total
