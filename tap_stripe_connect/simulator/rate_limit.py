"""Stripe's rate limits."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Reason: TypeAlias = "Literal['global-rate', 'endpoint-rate']"


@dataclass
class Bucket:
    """A token bucket with a capacity of one second."""

    rate: float
    """Tokens per second."""
    tokens: float
    at: float

    def take(self, now: float) -> bool:
        """Take a token if there is one."""
        self.tokens = min(self.rate, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass
class RateLimit:
    """Limits the rate of requests, in total and per endpoint.

    Requests on behalf of connected accounts count against the platform, the strictest reading
    of Stripe's documentation.
    """

    per_second: float = 100
    per_endpoint: float = 25
    monotonic: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        """Start with full buckets."""
        now = self.monotonic()
        self._all = Bucket(self.per_second, self.per_second, now)
        self._endpoints: defaultdict[str, Bucket] = defaultdict(
            lambda: Bucket(self.per_endpoint, self.per_endpoint, now)
        )

    def exceeded(self, endpoint: str) -> Reason | None:
        """Count a request of an endpoint, and return the limit that it exceeds, if any."""
        now = self.monotonic()
        with self._lock:
            if not self._endpoints[endpoint].take(now):
                return "endpoint-rate"
            if not self._all.take(now):
                return "global-rate"
            return None
