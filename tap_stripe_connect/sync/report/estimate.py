"""How many rows of a list are still to come, by how densely those lie that have been read.

Years that hold no rows are read in a moment, so the share of time that has been read says little.
What lies between two stretches that have been read is taken to be as dense as their ends.
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

EDGE = 10
"""Pages at the end of a stretch that tell how dense what comes next will be."""

SPARSE = 10
"""How many times sparser a page is than those nearer to the end where it no longer counts."""

Sample = tuple[int, int]
"""Rows, and the seconds of creation time that they lie in."""


@dataclass
class Stretch:
    """Creation times without a gap of which all rows have been read."""

    start: int
    end: int
    newest: deque[Sample]
    """Its newest pages, the very newest one first."""
    oldest: deque[Sample]
    """Its oldest pages, the very oldest one first."""

    @property
    def span(self) -> Range:
        """The creation times."""
        return self.start, self.end


class Estimate:
    """The rows that the wanted creation times still hold."""

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
        """Count a page that completed the creation times of `covered`."""
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
        """Count rows of a second that was counted already: it goes on over several pages."""
        for one in self._stretches:
            if one.start == moment:
                known, seconds = one.oldest[0]
                one.oldest[0] = known + rows, seconds

    def rows_left(self) -> tuple[float, float]:
        """Return the rows still to come, and how many more or less they may be."""
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
                    # Whoever names no start has rows from some day on that nobody knows.
                    edges.append(0.0)
                left += (max(edges) + min(edges)) / 2 * (end - start)
                uncertainty += (max(edges) - min(edges)) / 2 * (end - start)
        return left, uncertainty


def _joined(newer: Stretch, older: Stretch) -> Stretch:
    newest = deque(islice([*newer.newest, *older.newest], EDGE))
    oldest = deque(islice([*older.oldest, *newer.oldest], EDGE))
    return Stretch(older.start, newer.end, newest, oldest)


def _density(samples: Iterable[Sample]) -> float:
    """Return the rows per second of some pages, the nearest one first.

    A page that crossed years without rows says nothing of the denser ones that came after it.
    """
    rows = seconds = 0
    for more_rows, more_seconds in samples:
        if rows and more_seconds * rows > SPARSE * max(1, seconds) * max(1, more_rows):
            break
        rows += more_rows
        seconds += more_seconds
    return rows / max(1, seconds)
