"""The journal of all requests to the simulator."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Request:
    """A request and, once sent, its response."""

    at: float
    """Arrival in real monotonic seconds."""
    moment: int
    """Arrival in virtual unix seconds."""
    method: str
    path: str
    template: str
    """The path with `{id}` for ids; one endpoint for Stripe's rate limits."""
    query: list[tuple[str, str]]
    account: str | None
    """The `Stripe-Account` header."""
    context: str | None
    """The `Stripe-Context` header."""
    api_version: str | None
    """The `Stripe-Version` header."""
    request_id: str
    status: int | None = None
    """None until the response is sent."""
    rows: int | None = None
    """Number of objects in a list response."""
    answered_at: float | None = None
    """When the response was sent, in real monotonic seconds."""

    def parameter(self, name: str) -> str | None:
        """Return the first value of a query parameter, such as `created[gte]`."""
        return next((value for key, value in self.query if key == name), None)


class Journal:
    """The requests in order of arrival; safe to use from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._requests: list[Request] = []

    @property
    def requests(self) -> list[Request]:
        """A copy of the list."""
        with self._changed:
            return list(self._requests)

    def count(self, *, path: str | None = None, method: str | None = None) -> int:
        """Count the requests of a path, literal or as a template, and of a method."""
        return sum(
            (path is None or path in {request.path, request.template})
            and (method is None or method == request.method)
            for request in self.requests
        )

    def clear(self) -> None:
        """Remove all requests."""
        with self._changed:
            self._requests.clear()

    def add(self, request: Request) -> None:
        """Add a request."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def answered(self, request: Request, at: float, status: int, rows: int | None) -> None:
        """Record the response to a request."""
        with self._changed:
            request.answered_at, request.status, request.rows = at, status, rows
            self._changed.notify_all()

    def wait_for(self, predicate: Callable[[list[Request]], bool], timeout: float) -> bool:
        """Wait until the requests fulfil the predicate; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: predicate(list(self._requests)), timeout)
