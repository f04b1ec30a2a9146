"""The load that the page server serves: objects, creation times and conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from benchmarks.objects import LINES

DAY = 86_400
YEAR = 365 * DAY
MARGIN = DAY
"""Seconds before the present without objects, so that all are before each tap's horizon."""


@dataclass(frozen=True)
class Span:
    """Objects spread evenly over a range of creation times."""

    count: int
    begin: int
    """Unix seconds, included."""
    end: int
    """Unix seconds, not included."""


@dataclass(frozen=True)
class Conditions:
    """Latency, rate limits and encoding of the server."""

    latency: float = 0.0
    """Seconds before each response."""
    slow_every: int = 0
    """Every n-th request takes `slow_seconds`; 0 for none."""
    slow_seconds: float = 10.0
    per_second: int = 0
    """Requests per second before status 429; 0 for no limit."""
    per_endpoint: int = 0
    gzip: bool = False
    """Whether to compress for clients that accept it."""


@dataclass(frozen=True)
class Load:
    """Everything that one page server serves."""

    now: int
    """The server's clock, which stands still, in unix seconds."""
    spans: Mapping[str, tuple[Span, ...]]
    """By Stripe's object name, oldest first; other lists are empty."""
    conditions: Conditions = field(default_factory=Conditions)
    lines: int = LINES
    """Line items of each invoice."""
    bytes: Mapping[str, int] = field(default_factory=dict)
    """Sizes of objects that differ from the default, by Stripe's object name."""


def even(count: int, now: int) -> tuple[Span, ...]:
    """Spread objects over the last two years."""
    return (Span(count, now - 2 * YEAR, now - MARGIN),)


def dense_second(count: int, now: int) -> tuple[Span, ...]:
    """Create all objects within the same second, a year ago."""
    return (Span(count, now - YEAR, now - YEAR + 1),)


def dense_day(count: int, now: int) -> tuple[Span, ...]:
    """Create all objects on the same day, a year ago."""
    return (Span(count, now - YEAR, now - YEAR + DAY),)


def empty_years(count: int, now: int) -> tuple[Span, ...]:
    """Leave a gap of ten years between two months of objects."""
    month = 30 * DAY
    first, last = now - MARGIN - 10 * YEAR - 2 * month, now - MARGIN - month
    return (Span(count // 2, first, first + month), Span(count - count // 2, last, last + month))


class CreationTimes(Sequence[int]):
    """The creation times of objects by number, never decreasing; computed on access."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        self._count = sum(span.count for span in spans)

    def __len__(self) -> int:
        """Return the number of objects."""
        return self._count

    @overload
    def __getitem__(self, number: int) -> int: ...
    @overload
    def __getitem__(self, number: slice) -> list[int]: ...
    def __getitem__(self, number: int | slice) -> int | list[int]:
        """Return when an object was created, in unix seconds."""
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(self._count))]
        for span in self._spans:
            if number < span.count:
                return span.begin + (span.end - span.begin) * number // span.count
            number -= span.count
        raise IndexError(number)
