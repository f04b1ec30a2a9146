"""What the page server serves: how many objects, created when, under which conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from benchmarks.objects import LINES

DAY = 86_400
YEAR = 365 * DAY
MARGIN = DAY
"""Seconds before the present without any objects, so that all lie before every tap's horizon."""


@dataclass(frozen=True)
class Span:
    """Objects spread evenly over a stretch of creation time."""

    count: int
    begin: int
    """Unix seconds, included."""
    end: int
    """Unix seconds, not included."""


@dataclass(frozen=True)
class Conditions:
    """How the server answers."""

    latency: float = 0.0
    """Seconds before each answer."""
    slow_every: int = 0
    """Each so-and-so-many-th request takes `slow_seconds`; 0 for none."""
    slow_seconds: float = 10.0
    per_second: int = 0
    """Requests a second that are not refused; 0 for any number."""
    per_endpoint: int = 0
    gzip: bool = False
    """Whether to compress for clients that accept it."""


@dataclass(frozen=True)
class Load:
    """Everything one page server serves."""

    now: int
    """The server's clock, which stands still, in unix seconds."""
    spans: Mapping[str, tuple[Span, ...]]
    """By Stripe's name of the object, oldest first; what is not named has no objects."""
    conditions: Conditions = field(default_factory=Conditions)
    lines: int = LINES
    """Line items of each invoice."""
    bytes: Mapping[str, int] = field(default_factory=dict)
    """What objects weigh, by Stripe's name of them, where it is not what is usual."""


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
    """Leave ten years empty between a month of objects and another."""
    month = 30 * DAY
    first, last = now - MARGIN - 10 * YEAR - 2 * month, now - MARGIN - month
    return (Span(count // 2, first, first + month), Span(count - count // 2, last, last + month))


class Moments(Sequence[int]):
    """The creation times of objects by their numbers, never decreasing; computed when asked for."""

    def __init__(self, spans: Sequence[Span]) -> None:
        """Number the objects of some spans, oldest first."""
        self._spans = spans
        self._count = sum(span.count for span in spans)

    def __len__(self) -> int:
        """Count the objects."""
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
