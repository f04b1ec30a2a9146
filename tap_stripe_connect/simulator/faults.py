"""Faults that are injected into responses."""

from __future__ import annotations

import re
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import msgspec

from tap_stripe_connect.simulator import errors, parameters
from tap_stripe_connect.simulator.calls import Response

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.calls import Call

STATUSES = range(200, 600)


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, eq=False):
    """A fault for the requests that it matches.

    Without any effect, such a request gets its usual response.
    """

    match: str = ""
    """Regular expression, searched in the decoded path and query."""
    times: int | None = None
    """Number of requests it affects; None for all."""
    skip: int = 0
    """Number of matching requests to skip first."""
    status: int | None = None
    """Respond with this status, and Stripe's error body unless `body` is given."""
    body: Any = None
    """JSON of the response, or text to send as it is."""
    headers: dict[str, str] = {}
    """Headers to add to the response."""
    truncate: float | None = None
    """Send only this many bytes of the body, or a share of it below 1."""
    reset: bool = False
    """Close the connection in the middle of the body, or after `truncate`."""
    hang: bool = False
    """Never respond."""
    delay: float = 0.0
    """Delay the response by this many seconds."""
    empty_page: bool = False
    """Respond with an empty page that has more."""
    repeat_page: bool = False
    """Ignore the cursor."""
    page_limit: int | None = None
    """Respond with 500 if `limit` is larger than this."""
    not_a_list: bool = False
    """Respond 200 with an empty JSON object."""
    fired: int = 0
    """Number of requests it has affected."""

    def __post_init__(self) -> None:
        """Raise ValueError for an invalid expression or status."""
        try:
            re.compile(self.match)
        except re.error as error:
            raise ValueError(f"match is no regular expression: {error}") from error
        if self.status is not None and self.status not in STATUSES:
            raise ValueError(f"status is not between 200 and 599: {self.status}")

    def matches(self, call: Call) -> bool:
        """Return whether it applies to this call, and count it."""
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

    def replacement(self, call: Call) -> Response | None:
        """Return the answer that takes the place of the real one, if it does."""
        if self.page_limit is not None:
            return Response.from_error(errors.server_error())
        if self.not_a_list:
            return Response(200, b"{}", rows=0)
        if self.empty_page:
            page = {"object": "list", "data": [], "has_more": True, "url": call.path}
            return Response(200, msgspec.json.encode(page), rows=0)
        if self.body is not None:
            text = isinstance(self.body, str)
            body = self.body.encode() if text else msgspec.json.encode(self.body)
            return Response(self.status or 200, body)
        if self.status is not None:
            return Response.from_error(_default_error(self.status))
        return None

    def modified(self, call: Call) -> Call:
        """Return the call as it is handled."""
        return call.without("starting_after", "ending_before") if self.repeat_page else call

    def sent_part(self, body: bytes) -> bytes:
        """Return the part of the body that is sent."""
        if self.truncate is None:
            return body[: len(body) // 2] if self.reset else body
        length = self.truncate * len(body) if self.truncate < 1 else self.truncate
        return body[: int(length)]

    def _over_page_limit(self, call: Call) -> bool:
        if self.page_limit is None:
            return True
        limit = dict(call.pairs).get("limit", str(parameters.DEFAULT_LIMIT))
        return limit.isdecimal() and int(limit) > self.page_limit


def _default_error(status: int) -> errors.ApiError:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return errors.server_error(status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return errors.rate_limited("global-rate")
    return errors.ApiError(status, "The request was refused on purpose.")


class Faults:
    """The active faults; the first match applies. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    @property
    def all(self) -> list[Fault]:
        """The active faults in their order."""
        with self._lock:
            return list(self._faults)

    def add(self, fault: Fault) -> Fault:
        """Add a fault and return it."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def matching(self, call: Call) -> Fault | None:
        """Return the fault that applies to a call, if any, and count it."""
        with self._lock:
            return next((fault for fault in self._faults if fault.matches(call)), None)
