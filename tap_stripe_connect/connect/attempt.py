"""One attempt to connect an account: its state, its link, and that it ends once."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from typing import TYPE_CHECKING

from tap_stripe_connect.connect.oauth import authorize_link

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_stripe_connect.connect.oauth import Application

LIFETIME = 600.0
"""Seconds that a link is good for."""


class Attempt:
    """A link that was handed out, waiting for its answer."""

    def __init__(
        self,
        application: Application,
        *,
        again: bool = False,
        state: str = "",
        lifetime: float = LIFETIME,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Mint a link, or with `state` take up one of an earlier process."""
        self.state = state or secrets.token_urlsafe(32)
        self.link = authorize_link(application, self.state, again=again)
        self.deadline = clock() + lifetime
        """When the link stops being good, in seconds of the monotonic clock."""
        self._clock = clock
        self._claimed = False
        self._lock = threading.Lock()

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self._clock() >= self.deadline

    @property
    def open(self) -> bool:
        """Whether it still waits for an answer."""
        return not self._claimed and not self.expired

    def matches(self, state: str) -> bool:
        """Tell whether an answer belongs to this attempt, in time that does not depend on it."""
        return hmac.compare_digest(self.state.encode(), state.encode(errors="surrogatepass"))

    def claim(self) -> bool:
        """Return True to the first caller, which alone may end the attempt."""
        with self._lock:
            first = not self._claimed
            self._claimed = True
            return first
