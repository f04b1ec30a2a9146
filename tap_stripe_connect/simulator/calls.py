"""API calls and their responses, independent of the HTTP server."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from tap_stripe_connect.simulator import parameters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_stripe_connect.simulator.errors import ApiError


@dataclass(frozen=True)
class Call:
    """An API call."""

    method: str
    path: str
    """As sent, percent-encoded."""
    query: str = ""
    """As sent, percent-encoded."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name."""
    body: str = ""

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """The query parameters in order."""
        return parameters.pairs(self.query)

    @cached_property
    def form(self) -> dict[str, str]:
        """The fields of a posted form; the last one of a repeated name counts."""
        return dict(parameters.pairs(self.body))

    def without(self, *names: str) -> Call:
        """Return the call without some query parameters."""
        kept = [(name, value) for name, value in self.pairs if name not in names]
        return replace(self, query=urlencode(kept))


@dataclass(frozen=True)
class Response:
    """A response."""

    status: int
    body: bytes
    rows: int | None = None
    """Number of objects in a list."""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_error(cls, error: ApiError) -> Response:
        """Return the response to an error."""
        return cls(error.status, error.body, headers=error.headers)

    @classmethod
    def from_page(cls, encoded: Sequence[bytes], *, has_more: bool, url: str) -> Response:
        """Return a page of a list of encoded objects."""
        end = b'],"has_more":%s,"url":%s}' % (
            b"true" if has_more else b"false",
            msgspec.json.encode(url),
        )
        body = b"".join((b'{"object":"list","data":[', b",".join(encoded), end))
        return cls(200, body, rows=len(encoded))
