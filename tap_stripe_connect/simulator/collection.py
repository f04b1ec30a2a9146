"""The objects of one type, in the order in which Stripe lists them."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RANK = attrgetter("rank")
FOREVER = 1 << 62


@dataclass(slots=True, eq=False)
class Entry:
    """One object, encoded once."""

    id: str
    created: int
    visible_at: int
    """Time from which reads show it, in unix seconds."""
    whole: bytes
    """JSON with all items of nested lists."""
    rendered: bytes
    """JSON as in Stripe's responses, with truncated nested lists."""
    facts: tuple[tuple[object, ...], ...] = ()
    """The values that the list's filters compare, in their order."""
    rank: tuple[int, int] = (0, 0)
    """Sort key in the list: `created`, shifted by any disorder, and order of arrival."""


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range of `created`, in unix seconds."""

    low: int = -FOREVER
    high: int = FOREVER

    def __and__(self, other: Span) -> Span:
        """Return the intersection."""
        return Span(max(self.low, other.low), min(self.high, other.high))

    def __contains__(self, moment: int) -> bool:
        """Return whether a moment is in the range."""
        return self.low <= moment < self.high


@dataclass(frozen=True, slots=True)
class Selection:
    """The entries that a list request selects."""

    limit: int
    span: Span = field(default_factory=Span)
    matches: Callable[[Entry], bool] | None = None
    starting_after: str | None = None
    ending_before: str | None = None


class UnknownCursorError(LookupError):
    """The cursor is not an object of the same list."""


class Collection:
    """Entries by id and in order; not thread-safe.

    Reads show an entry once `show_due` has been called at or after its `visible_at`.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, Entry] = {}
        self._order: list[Entry] = []
        self._new: list[Entry] = []
        self._waiting: list[Entry] = []
        self._count = 0
        self._disorder = 0

    def disorder(self, seconds: int) -> None:
        """Shift each object's position by up to `seconds`, always the same."""
        self._disorder = seconds
        for entry in self._by_id.values():
            entry.rank = self._rank(entry, entry.rank[1])
        self._order.sort(key=RANK)

    def _rank(self, entry: Entry, arrival: int) -> tuple[int, int]:
        shift = crc32(entry.id.encode()) % (2 * self._disorder + 1) - self._disorder
        return entry.created + shift, arrival

    def __len__(self) -> int:
        """Return the number of entries, even if reads do not show them yet."""
        return len(self._by_id)

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over all entries, newest first."""
        return iter(sorted(self._by_id.values(), key=RANK, reverse=True))

    def __contains__(self, id_: str) -> bool:
        """Return whether the id exists."""
        return id_ in self._by_id

    def get(self, id_: str) -> Entry | None:
        """Return the entry, even if reads do not show it yet."""
        return self._by_id.get(id_)

    def put(self, entry: Entry) -> None:
        """Add an entry, or replace the one of the same id in its position."""
        former = self._by_id.get(entry.id)
        if former is not None and former.created == entry.created:
            former.whole, former.rendered, former.facts = entry.whole, entry.rendered, entry.facts
            return
        if former is None:
            self._count += 1
            entry.rank = self._rank(entry, self._count)
        else:
            self.remove(entry.id)
            entry.rank = self._rank(entry, former.rank[1])
        self._by_id[entry.id] = entry
        self._new.append(entry)

    def remove(self, id_: str) -> None:
        """Remove an entry; raise KeyError for an unknown id."""
        entry = self._by_id.pop(id_)
        for entries in (self._new, self._waiting):
            if entry in entries:
                entries.remove(entry)
                return
        del self._order[bisect_left(self._order, entry.rank, key=RANK)]

    def show_due(self, now: int) -> None:
        """Let reads show the entries that are due by `now`."""
        if not self._new and not self._waiting:
            return
        due: list[Entry] = []
        waiting: list[Entry] = []
        for entry in (*self._waiting, *self._new):
            late = max(entry.created, entry.visible_at) > now
            (waiting if late else due).append(entry)
        self._new, self._waiting = [], waiting
        if len(due) == 1:
            insort(self._order, due[0], key=RANK)
        elif due:
            self._order.extend(due)
            self._order.sort(key=RANK)

    def expire(self, before: int) -> list[str]:
        """Remove entries created before a moment, and return their ids."""
        end = bisect_left(self._order, (before + self._disorder, 0), key=RANK)
        gone = [entry.id for entry in self._order[:end] if entry.created < before]
        if not gone:
            return []
        self._order[:end] = [entry for entry in self._order[:end] if entry.created >= before]
        for id_ in gone:
            del self._by_id[id_]
        return gone

    def visible(self, id_: str) -> Entry | None:
        """Return the entry if reads show it."""
        entry = self._by_id.get(id_)
        if entry is None or self._index(entry) is None:
            return None
        return entry

    def select(self, selection: Selection) -> tuple[list[Entry], bool]:
        """Return a page, newest first, and whether more follow in the direction of paging."""
        low = bisect_left(self._order, (selection.span.low - self._disorder, 0), key=RANK)
        high = bisect_left(self._order, (selection.span.high + self._disorder, 0), key=RANK)
        forward = selection.ending_before is not None
        if selection.ending_before is not None:
            low = self._cursor(selection.ending_before, selection) + 1
        elif selection.starting_after is not None:
            high = self._cursor(selection.starting_after, selection)
        steps = range(low, high) if forward else range(high - 1, low - 1, -1)
        candidates: Iterator[Entry] = map(self._order.__getitem__, steps)
        if self._disorder:
            candidates = (entry for entry in candidates if entry.created in selection.span)
        if selection.matches is not None:
            candidates = filter(selection.matches, candidates)
        found = list(islice(candidates, selection.limit + 1))
        page = found[: selection.limit]
        if forward:
            page.reverse()
        return page, len(found) > selection.limit

    def _cursor(self, id_: str, selection: Selection) -> int:
        entry = self._by_id.get(id_)
        index = None if entry is None else self._index(entry)
        if (
            entry is None
            or index is None
            or entry.created not in selection.span
            or (selection.matches is not None and not selection.matches(entry))
        ):
            raise UnknownCursorError(id_)
        return index

    def _index(self, entry: Entry) -> int | None:
        index = bisect_left(self._order, entry.rank, key=RANK)
        if index < len(self._order) and self._order[index] is entry:
            return index
        return None
