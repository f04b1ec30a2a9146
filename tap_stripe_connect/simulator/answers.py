"""A request and its answer, without HTTP around them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tap_stripe_connect.simulator import parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_stripe_connect.simulator.refusal import Refusal


@dataclass(frozen=True)
class Call:
    """A request."""

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
        """The fields of a form that was posted; of a repeated name the last counts."""
        return dict(parameters.pairs(self.body))

    def without(self, *names: str) -> Call:
        """Return the request without some query parameters."""
        kept = [(name, value) for name, value in self.pairs if name not in names]
        return replace(self, query=urlencode(kept))


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    body: bytes
    rows: int | None = None
    """How many objects it lists."""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def refused(cls, refusal: Refusal) -> Reply:
        """Answer with an error."""
        return cls(refusal.status, refusal.body, headers=refusal.headers)
