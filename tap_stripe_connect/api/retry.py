"""When to retry, how long to wait, and when failures amount to an outage."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tap_stripe_connect.api.errors import ErrorAction, StripeError

if TYPE_CHECKING:
    from tap_stripe_connect.api.responses import ApiRequest

MAX_BACKOFF = 30
"""Longest wait before a retry, in seconds, unless Stripe asks for a longer one."""


def backoff(attempts: int, first: float) -> float:
    """Return the seconds to wait after so many attempts: exponential, with jitter."""
    return min(first * 2.0 ** (attempts - 1), MAX_BACKOFF) * random.uniform(0.5, 1)  # noqa: S311


class Outage:
    """Measures for how long no request has succeeded.

    A long outage ends the run. Otherwise, every list of every account would use up its own
    retries, which takes hours.
    """

    def __init__(self) -> None:
        self._since: float | None = None

    def over(self) -> None:
        """Record a successful response."""
        self._since = None

    def failed(self, error: StripeError, now: float) -> None:
        """Record a failed attempt; an error that is not retried shows that Stripe responds."""
        if error.action is not ErrorAction.RETRY:
            self._since = None
        elif self._since is None:
            self._since = now

    def final_error(
        self, error: StripeError, request: ApiRequest, now: float, limit: float
    ) -> StripeError:
        """Return the error to raise after all retries; it ends the run after `limit` seconds."""
        seconds = now - self._since if self._since is not None else 0.0
        if error.action is not ErrorAction.RETRY or seconds < limit:
            return error
        return request.failure(
            f"No successful response for {seconds / 60:.0f} minutes; last error: {error.message}",
            ErrorAction.STOP,
            status=error.status,
            code=error.code,
            request_id=error.request_id,
            advice="Stripe or the network has a problem; run again later, nothing is lost",
        )
