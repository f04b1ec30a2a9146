"""Estimate of the rows left in a list, from the density of the rows that have been read.

Years without rows are read in a moment, so the fraction of time that has been read says little.
A gap between two stretches that have been read is assumed to be as dense as their ends.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from tap_stripe_connect.sync.state.ranges import STRIPE_EPOCH, missing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_stripe_connect.sync.state.ranges import Range

EDGE_PAGES = 10
"""Number of pages at the end of a stretch that its density is computed from."""

SPARSE_FACTOR = 10
"""A page that is this many times sparser than those nearer to the end is ignored."""

Sample = tuple[int, int]
"""Rows of a page, and the seconds of creation time that it spans."""


@dataclass
class Stretch:
    """A range of creation time that has been read completely."""

    start: int
    end: int
    newest: deque[Sample]
    """Its newest pages, newest first."""
    oldest: deque[Sample]
    """Its oldest pages, oldest first."""

    @property
    def span(self) -> Range:
        """The creation times."""
        return self.start, self.end


class Estimate:
    """Estimates how many rows are left in ranges of creation time."""

    def __init__(self, wanted: Iterable[Range], until: int) -> None:
        """Estimate for some ranges; nothing is created after `until`, in unix seconds."""
        self._until = until
        self._wanted = [clip for span in wanted if (clip := self._clipped(span))]
        self._stretches: list[Stretch] = []
        self._rows = 0
        self._seconds = 0

    def _clipped(self, span: Range) -> Range | None:
        start, end = max(span[0], STRIPE_EPOCH), min(span[1], self._until)
        return (start, end) if start < end else None

    def read(self, covered: Range, rows: int) -> None:
        """Add a page that completes the creation times `covered`."""
        self._rows += rows
        span = self._clipped(covered)
        if span is None:
            self._add_to_second(covered[0], rows)
            return
        start, end = span
        sample = rows, end - start
        self._seconds += end - start
        joined = Stretch(start, end, deque([sample]), deque([sample]))
        apart = []
        for one in self._stretches:
            if one.start == joined.end:
                joined = _joined(one, joined)
            elif one.end == joined.start:
                joined = _joined(joined, one)
            else:
                apart.append(one)
        self._stretches = [*apart, joined]

    def _add_to_second(self, moment: int, rows: int) -> None:
        """Add rows to a second that several pages share."""
        for one in self._stretches:
            if one.start == moment:
                known, seconds = one.oldest[0]
                one.oldest[0] = known + rows, seconds

    def rows_left(self) -> tuple[float, float]:
        """Return the number of rows left, and its uncertainty."""
        left = uncertainty = 0.0
        spans = [one.span for one in self._stretches]
        newer = {one.start: _density(one.oldest) for one in self._stretches}
        older = {one.end: _density(one.newest) for one in self._stretches}
        for wanted in self._wanted if spans else ():
            for start, end in missing(spans, wanted):
                known = (newer.get(end), older.get(start))
                edges = [one for one in known if one is not None]
                edges = edges or [self._rows / max(1, self._seconds)]
                if start == STRIPE_EPOCH:
                    # Without a start_date, it is unknown when the first row was created.
                    edges.append(0.0)
                left += (max(edges) + min(edges)) / 2 * (end - start)
                uncertainty += (max(edges) - min(edges)) / 2 * (end - start)
        return left, uncertainty


def _joined(newer: Stretch, older: Stretch) -> Stretch:
    newest = deque(islice([*newer.newest, *older.newest], EDGE_PAGES))
    oldest = deque(islice([*older.oldest, *newer.oldest], EDGE_PAGES))
    return Stretch(older.start, newer.end, newest, oldest)


def _density(samples: Iterable[Sample]) -> float:
    """Return the rows per second of pages, nearest first.

    A page that spans years without rows says nothing about the denser rows next to it.
    """
    rows = seconds = 0
    for more_rows, more_seconds in samples:
        if rows and more_seconds * rows > SPARSE_FACTOR * max(1, seconds) * max(1, more_rows):
            break
        rows += more_rows
        seconds += more_seconds
    return rows / max(1, seconds)
