"""Windows of creation time: how one is paginated, and where it is split."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.catalog.endpoints import PAGE_SIZE
from tap_stripe_connect.sync.state.ranges import END_OF_TIME, STRIPE_EPOCH, Range

if TYPE_CHECKING:
    from tap_stripe_connect.sync.fetch.nested import UnfinishedPage

MIN_ROWS_TO_SPLIT = 120
"""Estimated rows left in a window below which a second worker saves no time."""

SPARSE_FACTOR = 32
"""How many times sparser the older half of a split window is assumed to be at first.

With this value the older half of a long window can be split again before its first page arrives,
but its halves cannot: years without rows must not cost many requests.
"""

DISORDER = 10
"""Seconds of creation time by which two objects may be listed in the wrong order.

Stripe sets an object's time before it adds the object to the list.
"""


@dataclass(eq=False)
class Window:
    """A range of creation time that is read newest first, page by page.

    Stripe lists newest first. A page therefore completes all times that are newer than its
    oldest row, except for the `DISORDER` seconds next to that row.
    """

    start: int
    """Raised when the older part moves to another window."""
    end: int
    """Lowered as pages arrive; all rows at or above it have been read."""
    streams: frozenset[str]
    """Streams that these rows are read for."""
    wanted: set[str] | None = None
    """Ids still to be found; None if every row is wanted."""
    filter: Range = field(init=False)
    """The range that is requested; a cursor is only valid with the range that returned it."""
    cursor: str | None = None
    reached: int = field(init=False)
    """Lowered as pages arrive; no row below it has been read."""
    boundary_ids: dict[str, int] = field(default_factory=dict)
    """Creation times of rows below `end` that have been read, by id."""
    seen_ids: set[str] = field(default_factory=set)
    """Ids that a restart reads a second time."""
    stalled_restarts: int = 0
    """Consecutive restarts without progress."""
    density: float = 0.0
    """Rows per second of creation time in the last page; at first an estimate, or 0."""
    unfinished: UnfinishedPage | None = None
    """The last page that had to wait for nested lists; it may be complete by now."""
    span: int = 0
    """Seconds of creation time between the newest and the oldest row of the last page."""
    matched: int = 0
    """Rows of the last page that were wanted."""
    requested_at: float = 0.0
    """When a worker acquired the window, in seconds of a monotonic clock."""
    hedges: int = 0
    """How often the request for the next page was hedged."""
    superseded: bool = False
    """Whether another window replaced this one, so that its response is discarded."""

    def __post_init__(self) -> None:
        """Request the whole window."""
        self.filter = (self.start, self.end)
        self.reached = self.end

    def parameters(self) -> dict[str, str]:
        """Return the query of the next page."""
        query = {}
        first, end = self.filter
        if first > 0:
            query["created[gte]"] = str(first)
        if end < END_OF_TIME:
            query["created[lt]"] = str(end)
        if self.cursor:
            query["starting_after"] = self.cursor
        return query

    def restart(self) -> None:
        """Continue without the cursor because Stripe no longer accepts it."""
        self.stalled_restarts = (
            self.stalled_restarts + 1 if self.filter == (self.start, self.end) else 0
        )
        self.filter = (self.start, self.end)
        self.cursor = None
        self.seen_ids = set(self.boundary_ids)

    def take(
        self, rows: list[dict[str, Any]], *, has_more: bool
    ) -> tuple[list[dict[str, Any]], Range]:
        """Advance past a page; return its wanted rows and the range that they complete."""
        upper = self.end
        self.hedges = 0
        # A position can only come from integers between 1970 and 9999.
        stamps = [
            created
            for row in rows
            if type(created := row.get("created")) is int and 0 <= created < END_OF_TIME
        ]
        if stamps:
            self._record_position(min(stamps), max(stamps), len(rows))
        if not has_more or self.reached + DISORDER <= self.start:
            self.end = self.start
        else:
            self.cursor = rows[-1]["id"]
            self._lower_end(rows)
        matched = [row for row in rows if self._matches(row)]
        self.matched = len(matched)
        if self.wanted is not None:
            self.wanted -= {row["id"] for row in matched}
        return matched, (min(self.end, upper), upper)

    def _record_position(self, oldest: int, newest: int, rows: int) -> None:
        self.reached = min(self.reached, oldest + 1)
        self.span = newest - oldest
        self.density = rows / max(1, self.span)

    def _lower_end(self, rows: list[dict[str, Any]]) -> None:
        """Lower the end; the next page may contain more rows of the seconds below it."""
        end = min(self.end, self.reached + DISORDER)
        if end < self.end:
            self.end = end
            self.boundary_ids = {
                name: made for name, made in self.boundary_ids.items() if made < end
            }
        self.boundary_ids |= {
            row["id"]: made
            for row in rows
            if type(made := row.get("created")) is int and made < self.end
        }

    def _matches(self, row: dict[str, Any]) -> bool:
        """Return whether a row is wanted; one without a usable time belongs to every window."""
        created = row.get("created")
        return (
            # No other window reads what is older than 1970.
            (type(created) is not int or max(created, 0) >= self.start)
            and (self.wanted is None or row.get("id") in self.wanted)
            and row.get("id") not in self.seen_ids
        )

    @property
    def finished(self) -> bool:
        """Whether everything in the window has been read."""
        return self.end <= self.start

    @property
    def rows_left(self) -> float:
        """Estimated rows left, from the density of the last page."""
        return self.density * (self.reached - 1 - max(self.start, STRIPE_EPOCH))

    @property
    def splittable(self) -> bool:
        """Whether a second worker would have enough to read.

        The first one continues for `DISORDER` seconds below the split.
        """
        begin = max(self.start, STRIPE_EPOCH)
        enough = MIN_ROWS_TO_SPLIT + 2 * DISORDER * self.density
        return self.reached - 1 - begin > 1 and self.rows_left >= enough

    def split(self) -> Window:
        """Move the older half of the remaining pages to a new window, and return it."""
        pages = ceil(self.rows_left / PAGE_SIZE)
        begin = max(self.start, STRIPE_EPOCH)
        middle = begin + max(1, (self.reached - 1 - begin) * (pages // 2) // pages)
        guess = self.density / SPARSE_FACTOR if self.cursor else 0.0
        older = Window(self.start, middle, self.streams, density=guess)
        self.start = middle
        return older

    def hedge(self) -> Window:
        """Move everything that is left to a new window, and return it."""
        other = Window(self.start, self.end, self.streams)
        other.boundary_ids, other.seen_ids = dict(self.boundary_ids), set(self.boundary_ids)
        other.reached = self.reached
        other.unfinished = self.unfinished
        other.density, other.hedges = self.density, self.hedges + 1
        self.superseded = True
        return other


class WholeList(Window):
    """A list that Stripe cannot filter by creation time.

    The order of its rows is unknown. No time is complete before the whole list has been read, and
    a second worker could not help.
    """

    def parameters(self) -> dict[str, str]:
        """Return the query of the next page."""
        return {"starting_after": self.cursor} if self.cursor else {}

    def hedge(self) -> WholeList:
        """Return a new window that requests the same page."""
        other = WholeList(self.start, self.end, self.streams)
        other.cursor, other.unfinished = self.cursor, self.unfinished
        other.hedges = self.hedges + 1
        self.superseded = True
        return other

    def _record_position(self, oldest: int, newest: int, rows: int) -> None:
        """Ignore the position, because the order is unknown."""

    def _lower_end(self, rows: list[dict[str, Any]]) -> None:
        """Complete nothing yet."""

    def _matches(self, row: dict[str, Any]) -> bool:
        created = row.get("created")
        # Newer objects come from the event feed.
        newer = type(created) is int and self.filter[1] <= created < END_OF_TIME
        return not newer and super()._matches(row)
