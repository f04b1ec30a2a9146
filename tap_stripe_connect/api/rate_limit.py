"""The request budget: when the next request may go out, and how it gives way to a refusal."""

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
"""Part of the whole budget that an endpoint gets where Stripe has raised an account's limits."""

LATENESS = 0.05
"""Seconds that a request may go out late without the next one being late as well."""

MARGIN = 0.01
"""Part by which a second is taken to be longer: requests need not arrive as evenly as sent."""

MIN_DELAY = 1e-6
"""Seconds that nobody waits for; a clock need not be able to tell less."""

MIN_RATE = 1 / 16
"""Part of a rate that is left after however many refusals."""

RECOVERY = 1 / 20
"""Part of a rate that comes back in every second without a refusal."""


class RateBucket:
    """One rate: requests at even distances, fewer after a refusal and then gradually more."""

    def __init__(self, per_second: float) -> None:
        """Allow `per_second` until something is refused."""
        self._full = self._left = per_second
        self._since = 0.0
        self._next = 0.0
        self._sent: deque[float] = deque(maxlen=max(1, int(per_second)))
        self._unused = 0.0
        self._counted_until = 0.0

    def rate(self, now: float) -> float:
        """Return the requests per second that are allowed at `now`."""
        recovered = self._full * RECOVERY * max(0.0, now - self._since)
        return min(self._full, self._left + recovered)

    def free_from(self, now: float) -> float:
        """Return when the next turn may be taken; in no second there are more than the rate."""
        rate = self.rate(now)
        whole = max(1, int(rate))
        if len(self._sent) < whole:
            return self._next
        return max(self._next, self._sent[-whole] + whole / rate * (1 + MARGIN))

    def take(self, now: float) -> None:
        """Take a turn."""
        self.unused(now)
        self._sent.append(now)
        self._next = max(self._next, now - LATENESS) + 1 / self.rate(now)

    def unused(self, now: float) -> int:
        """Return how many turns nobody took, of the last second at most."""
        missed = now - max(self.free_from(now), self._counted_until)
        if missed > LATENESS:
            rate = self.rate(now)
            self._unused = min(max(rate, 1.0), self._unused + missed * rate)
            self._counted_until = now
        return int(self._unused)

    def make_up(self, turns: int) -> None:
        """Take note that somebody will take so many turns that were unused."""
        self._unused = max(0.0, self._unused - turns)

    def refused(self, now: float, seconds: float) -> None:
        """Let nobody send for `seconds`, and go on at half the rate.

        Requests that were under way together are refused together; that counts once.
        """
        if now >= self._since:
            self._left = max(self._full * MIN_RATE, self.rate(now) / 2)
        self._since = max(self._since, now + seconds)
        self._next = max(self._next, now + seconds)


class Limiter:
    """Keeps all threads together within the budget, in all and for each endpoint."""

    def __init__(
        self,
        requests_per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Allow `requests_per_second` in all, and each endpoint what Stripe gives it of that."""
        per_endpoint = max(PER_ENDPOINT, requests_per_second * ENDPOINT_SHARE)
        self._clock = clock
        self._lock = threading.Lock()
        self._all = RateBucket(requests_per_second)
        self._endpoints: defaultdict[str, RateBucket] = defaultdict(
            lambda: RateBucket(per_endpoint)
        )
        self._queues: defaultdict[str, deque[object]] = defaultdict(deque)

    def wait(self, endpoint: str, sleep: Callable[[float], None]) -> None:
        """Return when a request to `endpoint` (a route, ids left out) may go out."""
        # A turn is taken when it has come, never ahead of time: whoever waits for an endpoint
        # holds up nobody else, and those who wait notice a refusal.
        ticket = object()
        with self._lock:
            self._queues[endpoint].append(ticket)
        try:
            while delay := self._turn(endpoint, ticket):
                sleep(delay)
        finally:
            with self._lock:
                self._queues[endpoint].remove(ticket)

    def _turn(self, endpoint: str, ticket: object) -> float:
        """Take a turn if there is one now and return 0; else the seconds until there may be."""
        with self._lock:
            now = self._clock()
            pace = self._endpoints[endpoint]
            # Those behind in the queue sleep until it is their turn, not until the next one.
            ahead = self._queues[endpoint].index(ticket)
            free_from = max(self._all.free_from(now), pace.free_from(now))
            free_from += ahead / pace.rate(now)
            if free_from - now > MIN_DELAY:
                return free_from - now
            self._all.take(now)
            pace.take(now)
            return 0.0

    def refused(self, endpoint: str, reason: str, seconds: float) -> None:
        """Hold back for `seconds` and slow down: what refused one of us would refuse all.

        Of an endpoint's own limits (`Stripe-Rate-Limited-Reason: endpoint-…`) only that one
        has to know.
        """
        with self._lock:
            concerned = self._endpoints[endpoint] if reason.startswith("endpoint") else self._all
            concerned.refused(self._clock(), seconds)

    def unused(self, endpoint: str, most: int = 0) -> int:
        """Return how many more requests to `endpoint` could have gone out of late.

        Up to `most` of these are made up for by the caller, and not told again.
        """
        with self._lock:
            now = self._clock()
            pace = self._endpoints[endpoint]
            turns = min(pace.unused(now), self._all.unused(now))
            if not turns and not self._queues[endpoint]:
                turns = int(now >= max(pace.free_from(now), self._all.free_from(now)))
            for one in (pace, self._all):
                one.make_up(min(turns, most))
            return turns
