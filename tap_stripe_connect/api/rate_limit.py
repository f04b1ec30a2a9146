"""Client-side rate limiting: when the next request may be sent, and how a 429 slows it down."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PER_ENDPOINT = 25
"""Requests per second that Stripe allows an endpoint (https://docs.stripe.com/rate-limits)."""

ENDPOINT_SHARE = 1 / 4
"""Share of the total rate that one endpoint gets, where Stripe has raised an account's limits."""

MAX_CATCH_UP = 0.05
"""Seconds by which a request may be late without delaying the one after it."""

MARGIN = 0.01
"""Fraction by which a second is taken to be longer: requests may arrive less evenly than sent."""

MIN_DELAY = 1e-6
"""Shorter delays, in seconds, are not worth sleeping for."""

MIN_RATE = 1 / 16
"""Floor for the rate after repeated 429s, as a fraction of the full rate."""

RECOVERY_PER_SECOND = 1 / 20
"""Fraction of the full rate that is regained in each second without a 429."""


class RateBucket:
    """Spaces requests evenly at one rate, which a 429 halves and which then recovers gradually."""

    def __init__(self, per_second: float) -> None:
        self._full_rate = self._rate = per_second
        self._resume_at = 0.0
        self._next = 0.0
        self._sent: deque[float] = deque(maxlen=max(1, int(per_second)))
        self._idle = 0.0
        self._idle_until = 0.0

    def rate(self, now: float) -> float:
        """Return the requests per second that are allowed at `now`."""
        recovered = self._full_rate * RECOVERY_PER_SECOND * max(0.0, now - self._resume_at)
        return min(self._full_rate, self._rate + recovered)

    def next_slot(self, now: float) -> float:
        """Return when the next request may be sent without any second exceeding the rate."""
        rate = self.rate(now)
        per_second = max(1, int(rate))
        if len(self._sent) < per_second:
            return self._next
        return max(self._next, self._sent[-per_second] + per_second / rate * (1 + MARGIN))

    def take(self, now: float) -> None:
        """Use the slot at `now` for a request."""
        self.idle_slots(now)
        self._sent.append(now)
        self._next = max(self._next, now - MAX_CATCH_UP) + 1 / self.rate(now)

    def idle_slots(self, now: float) -> int:
        """Return how many slots were not used, within the last second at most."""
        idle_seconds = now - max(self.next_slot(now), self._idle_until)
        if idle_seconds > MAX_CATCH_UP:
            rate = self.rate(now)
            self._idle = min(max(rate, 1.0), self._idle + idle_seconds * rate)
            self._idle_until = now
        return int(self._idle)

    def spend_idle(self, slots: int) -> None:
        """Count idle slots as used, because somebody is about to use them."""
        self._idle = max(0.0, self._idle - slots)

    def back_off(self, now: float, seconds: float) -> None:
        """Send nothing for `seconds`, then continue at half the rate.

        Requests in flight at the same time are rejected together, which halves the rate only once.
        """
        if now >= self._resume_at:
            self._rate = max(self._full_rate * MIN_RATE, self.rate(now) / 2)
        self._resume_at = max(self._resume_at, now + seconds)
        self._next = max(self._next, now + seconds)


class Limiter:
    """Keeps all threads within the total rate and within the rate of each endpoint."""

    def __init__(
        self,
        requests_per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        per_endpoint = max(PER_ENDPOINT, requests_per_second * ENDPOINT_SHARE)
        self._clock = clock
        self._lock = threading.Lock()
        self._total = RateBucket(requests_per_second)
        self._endpoints: defaultdict[str, RateBucket] = defaultdict(
            lambda: RateBucket(per_endpoint)
        )
        self._queues: defaultdict[str, deque[object]] = defaultdict(deque)

    def wait(self, endpoint: str, sleep: Callable[[float], None]) -> None:
        """Block until a request to `endpoint`, which is a path without ids, may be sent."""
        # A slot is taken when it is due, never in advance. A thread that waits for one endpoint
        # therefore does not delay the others, and waiting threads react to a 429.
        ticket = object()
        with self._lock:
            self._queues[endpoint].append(ticket)
        try:
            while delay := self._take_slot(endpoint, ticket):
                sleep(delay)
        finally:
            with self._lock:
                self._queues[endpoint].remove(ticket)

    def _take_slot(self, endpoint: str, ticket: object) -> float:
        """Take a slot and return 0, or return the seconds until there may be one."""
        with self._lock:
            now = self._clock()
            bucket = self._endpoints[endpoint]
            # Later tickets sleep until their own slot, not until the next one.
            ahead = self._queues[endpoint].index(ticket)
            slot = max(self._total.next_slot(now), bucket.next_slot(now))
            slot += ahead / bucket.rate(now)
            if slot - now > MIN_DELAY:
                return slot - now
            self._total.take(now)
            bucket.take(now)
            return 0.0

    def back_off(self, endpoint: str, reason: str, seconds: float) -> None:
        """Send nothing for `seconds` and slow down all threads after a 429.

        If the reason (`Stripe-Rate-Limited-Reason`) is a limit of the endpoint (`endpoint-…`),
        only requests to that endpoint slow down.
        """
        with self._lock:
            limited = self._endpoints[endpoint] if reason.startswith("endpoint") else self._total
            limited.back_off(self._clock(), seconds)

    def idle_slots(self, endpoint: str, spend: int = 0) -> int:
        """Return how many more requests to `endpoint` could have been sent recently.

        Up to `spend` of them count as used from now on.
        """
        with self._lock:
            now = self._clock()
            bucket = self._endpoints[endpoint]
            slots = min(bucket.idle_slots(now), self._total.idle_slots(now))
            if not slots and not self._queues[endpoint]:
                slots = int(now >= max(bucket.next_slot(now), self._total.next_slot(now)))
            for limited in (bucket, self._total):
                limited.spend_idle(min(slots, spend))
            return slots
