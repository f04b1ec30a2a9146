"""What goes wrong on purpose."""

from __future__ import annotations

import re
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import msgspec

from tap_stripe_connect.simulator import parameters, refusal
from tap_stripe_connect.simulator.answers import Reply

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.answers import Call

STATUSES = range(200, 600)


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, eq=False):
    """One way to go wrong, for the requests it matches.

    Without any effect named, such a request is answered as always.
    """

    match: str = ""
    """Regular expression, searched in the decoded path and query."""
    times: int | None = None
    """How many requests it hits; None: all."""
    skip: int = 0
    """How many matching requests still pass before."""
    status: int | None = None
    """Answer with this status instead, with Stripe's error body unless `body` is given."""
    body: Any = None
    """JSON of the answer, or text to send as it is."""
    headers: dict[str, str] = {}
    """Added to the answer."""
    truncate: float | None = None
    """Send only so many bytes of the body, or below 1 that part of it, as if that were all."""
    reset: bool = False
    """Close the connection in the middle of the body, or where `truncate` says."""
    hang: bool = False
    """Never answer."""
    delay: float = 0.0
    """Answer so many seconds later."""
    empty_page: bool = False
    """Answer a list without data that says there is more."""
    repeat_page: bool = False
    """Ignore the cursor."""
    page_limit: int | None = None
    """Fail with 500 when the request asks for more objects than this."""
    not_a_list: bool = False
    """Answer 200 with an empty JSON object."""
    fired: int = 0
    """How many requests it has hit."""

    def __post_init__(self) -> None:
        """Check what would only fail later; a ValueError says what."""
        try:
            re.compile(self.match)
        except re.error as error:
            raise ValueError(f"match is no regular expression: {error}") from error
        if self.status is not None and self.status not in STATUSES:
            raise ValueError(f"status is not between 200 and 599: {self.status}")

    def hits(self, call: Call) -> bool:
        """Tell whether it hits this request, and count it."""
        target = unquote_plus(f"{call.path}?{call.query}" if call.query else call.path)
        if not re.search(self.match, target) or not self._over_page_limit(call):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None and self.fired >= self.times:
            return False
        self.fired += 1
        return True

    def instead(self, call: Call) -> Reply | None:
        """Return the answer that takes the place of the real one, if it does."""
        if self.page_limit is not None:
            return Reply.refused(refusal.server_error())
        if self.not_a_list:
            return Reply(200, b"{}", rows=0)
        if self.empty_page:
            page = {"object": "list", "data": [], "has_more": True, "url": call.path}
            return Reply(200, msgspec.json.encode(page), rows=0)
        if self.body is not None:
            text = isinstance(self.body, str)
            body = self.body.encode() if text else msgspec.json.encode(self.body)
            return Reply(self.status or 200, body)
        if self.status is not None:
            return Reply.refused(_usual(self.status))
        return None

    def asked(self, call: Call) -> Call:
        """Return the request as it shall be understood."""
        return call.without("starting_after", "ending_before") if self.repeat_page else call

    def sent(self, body: bytes) -> bytes:
        """Return how much of the body is sent."""
        if self.truncate is None:
            return body[: len(body) // 2] if self.reset else body
        length = self.truncate * len(body) if self.truncate < 1 else self.truncate
        return body[: int(length)]

    def _over_page_limit(self, call: Call) -> bool:
        if self.page_limit is None:
            return True
        limit = dict(call.pairs).get("limit", str(parameters.DEFAULT_LIMIT))
        return limit.isdecimal() and int(limit) > self.page_limit


def _usual(status: int) -> refusal.Refusal:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return refusal.server_error(status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return refusal.rate_limited("global-rate")
    return refusal.Refusal(status, "The request was refused on purpose.")


class Faults:
    """The faults in force, first match first; safe to use from any thread."""

    def __init__(self) -> None:
        """Start without any."""
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    @property
    def all(self) -> list[Fault]:
        """The faults in force, in their order."""
        with self._lock:
            return list(self._faults)

    def add(self, fault: Fault) -> Fault:
        """Put a fault in force and return it."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Let everything go right again."""
        with self._lock:
            self._faults.clear()

    def hitting(self, call: Call) -> Fault | None:
        """Return the fault that hits a request, if any, and count it."""
        with self._lock:
            return next((fault for fault in self._faults if fault.hits(call)), None)
