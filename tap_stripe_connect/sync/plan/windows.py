"""Windows of creation time: how one is read, and where it is split."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.catalog.endpoints import PAGE_SIZE
from tap_stripe_connect.sync.state.ranges import END_OF_TIME, STRIPE_EPOCH, Range

if TYPE_CHECKING:
    from tap_stripe_connect.sync.fetch.nested import UnfinishedPage

MIN_ROWS_TO_SPLIT = 120
"""Estimated rows left in a window below which a second reader saves no time."""

SPARSE_FACTOR = 32
"""How many times sparser the older half of a window is taken to be, until its first page comes.

Enough for the half of a long one to be split before that, though its halves are not, and little
enough that years without any rows are not searched again and again.
"""

DISORDER = 10
"""Seconds of creation time by which two objects may be listed in the wrong order.

An object gets its time before it gets its place in the list, so one may overtake another.
"""


@dataclass(eq=False)
class Window:
    """A stretch of creation time that is walked newest first, a page at a time.

    A page proves its part at once: Stripe lists newest first, so everything newer than
    the oldest row of a page with more behind it has been seen, but for what `DISORDER` allows.
    """

    start: int
    """Raised when the older part is given to another window."""
    end: int
    """Lowered as pages arrive: what lies at or above it has certainly been read."""
    streams: frozenset[str]
    """Streams that lack these seconds."""
    wanted: set[str] | None = None
    """Ids still looked for; None where every row is wanted."""
    filter: Range = field(init=False)
    """The exact range that the cursor belongs to; a cursor is never used with another."""
    cursor: str | None = None
    reached: int = field(init=False)
    """Lowered as pages arrive: the walk has met nothing below it."""
    boundary_ids: dict[str, int] = field(default_factory=dict)
    """Creation times of rows that have been read though they lie below the end, by id."""
    seen_ids: set[str] = field(default_factory=set)
    """Ids that come a second time after a restart."""
    stalled_restarts: int = 0
    """Restarts in a row that began where the one before did."""
    density: float = 0.0
    """Rows per second of creation time in the last page; before the first a guess, or 0."""
    unfinished: UnfinishedPage | None = None
    """The last page that waits for the nested lists of its objects, perhaps by now no longer."""
    span: int = 0
    """Seconds of creation time between the newest and the oldest row of the last page."""
    matched: int = 0
    """Rows of the last page that were of use."""
    requested_at: float = 0.0
    """When the request that is under way was handed out, in seconds of a monotonic clock."""
    hedges: int = 0
    """How often a request for the next page took so long that another one was sent."""
    superseded: bool = False
    """Whether that happened to this very request: what it still brings is of no use."""

    def __post_init__(self) -> None:
        """Ask for what the window spans when it begins."""
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
        """Go on without the cursor, whose object Stripe no longer knows."""
        self.stalled_restarts = (
            self.stalled_restarts + 1 if self.filter == (self.start, self.end) else 0
        )
        self.filter = (self.start, self.end)
        self.cursor = None
        self.seen_ids = set(self.boundary_ids)

    def take(
        self, rows: list[dict[str, Any]], *, has_more: bool
    ) -> tuple[list[dict[str, Any]], Range]:
        """Move past a page; return its rows of this window and the range they complete."""
        upper = self.end
        self.hedges = 0
        # Texts, and times before 1970 or after 9999, do not tell where a page ends.
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
        """Lower the end; rows of the seconds below it may follow on the next page."""
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
        """Return whether a row belongs to this window; one without a usable time always does."""
        created = row.get("created")
        return (
            # Below the oldest window there is no other.
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
        """Rows still to come if they lie as densely as those of the last page."""
        return self.density * (self.reached - 1 - max(self.start, STRIPE_EPOCH))

    @property
    def splittable(self) -> bool:
        """Whether a second reader would have enough to do.

        The first one reads on for `DISORDER` seconds below the place of the split.
        """
        begin = max(self.start, STRIPE_EPOCH)
        enough = MIN_ROWS_TO_SPLIT + 2 * DISORDER * self.density
        return self.reached - 1 - begin > 1 and self.rows_left >= enough

    def split(self) -> Window:
        """Give the older half of the pages that are left to a new window, and return that."""
        pages = ceil(self.rows_left / PAGE_SIZE)
        begin = max(self.start, STRIPE_EPOCH)
        middle = begin + max(1, (self.reached - 1 - begin) * (pages // 2) // pages)
        guess = self.density / SPARSE_FACTOR if self.cursor else 0.0
        older = Window(self.start, middle, self.streams, density=guess)
        self.start = middle
        return older

    def hedge(self) -> Window:
        """Give all that is left to a new window."""
        other = Window(self.start, self.end, self.streams)
        other.boundary_ids, other.seen_ids = dict(self.boundary_ids), set(self.boundary_ids)
        other.reached = self.reached
        other.unfinished = self.unfinished
        other.density, other.hedges = self.density, self.hedges + 1
        self.superseded = True
        return other


class WholeList(Window):
    """A list that Stripe does not narrow to creation times: it is read from end to end.

    Nobody says in which order its rows come, so nothing is complete before all of it is, and no
    second reader can help.
    """

    def parameters(self) -> dict[str, str]:
        """Return the query of the next page."""
        return {"starting_after": self.cursor} if self.cursor else {}

    def hedge(self) -> WholeList:
        """Ask for the same page once more, in a new window."""
        other = WholeList(self.start, self.end, self.streams)
        other.cursor, other.unfinished = self.cursor, self.unfinished
        other.hedges = self.hedges + 1
        self.superseded = True
        return other

    def _record_position(self, oldest: int, newest: int, rows: int) -> None:
        """Learn nothing from where a page ends."""

    def _lower_end(self, rows: list[dict[str, Any]]) -> None:
        """Claim nothing."""

    def _matches(self, row: dict[str, Any]) -> bool:
        created = row.get("created")
        # What is newer comes otherwise: the event feed tells of it.
        newer = type(created) is int and self.filter[1] <= created < END_OF_TIME
        return not newer and super()._matches(row)
