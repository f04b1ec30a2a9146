"""Counts requests, retries and retry waits, by account and endpoint."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, replace

Endpoint = tuple[str | None, str]
"""The account as the request header names it, None for the key's own; and the path without ids."""


@dataclass
class Cost:
    """What a number of requests have cost."""

    requests: int = 0
    retries: int = 0
    waited: float = 0.0
    """Total seconds that threads waited before retries."""

    def add(self, other: Cost) -> None:
        """Add another cost to this one."""
        self.requests += other.requests
        self.retries += other.retries
        self.waited += other.waited


class RequestStats:
    """Thread-safe request counters of one run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._costs: defaultdict[Endpoint, Cost] = defaultdict(Cost)
        self._limits: set[str] = set()

    def sent(self, account: str | None, route: str) -> None:
        """Count a request."""
        with self._lock:
            self._costs[account, route].requests += 1

    def retried(self, account: str | None, route: str, seconds: float) -> None:
        """Count a retry that waits for so many seconds first."""
        with self._lock:
            self._costs[account, route].add(Cost(retries=1, waited=seconds))

    def limited(self, limit: str) -> bool:
        """Record that a rate limit of Stripe's was reached; return whether for the first time."""
        with self._lock:
            first = limit not in self._limits
            self._limits.add(limit)
            return first

    def costs(self) -> dict[Endpoint, Cost]:
        """Return a copy of the counters."""
        with self._lock:
            return {endpoint: replace(cost) for endpoint, cost in self._costs.items()}

    def total(self) -> Cost:
        """Return the sum over all accounts and endpoints."""
        total = Cost()
        for cost in self.costs().values():
            total.add(cost)
        return total
