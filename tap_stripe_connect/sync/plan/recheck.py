"""Checking a list for objects that were created or changed without an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_stripe_connect.sync.plan.fingerprint import Fingerprints
from tap_stripe_connect.sync.state.bookmark import EMPTY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_stripe_connect.catalog import Listed
    from tap_stripe_connect.sync.emit.conversions import Json
    from tap_stripe_connect.sync.plan.list_state import ListState
    from tap_stripe_connect.sync.state.bookmark import Bookmark
    from tap_stripe_connect.sync.state.ranges import Range

DAY = 86_400

_encode = msgspec.json.Encoder(order="deterministic").encode


class Recheck:
    """Compares the newest rows of a list with the event feed and with the last check.

    Rows without an event are written. A list with `recheck_days` is compared with its last check
    day by day; the days that differ have to be listed again.

    `ids_with_events` are the ids in the events since `events_from`. If they are None, rows are not
    compared with events.
    """

    def __init__(
        self,
        listed: Listed,
        horizon: int,
        last: Bookmark,
        events_from: int,
        ids_with_events: frozenset[str] | None,
    ) -> None:
        self._days = listed.recheck_days
        self._events_from = events_from
        self._ids_with_events = ids_with_events
        self._horizon = horizon
        self._checked_at = last.checked_at
        self.start = self._first_day(horizon) if self._days else events_from
        """Start of the creation times to list, in unix seconds; the end is the horizon."""
        text = last.fingerprints if self._days else ""
        self._previous_rows = Fingerprints.decoded(text, self._first_day(last.checked_at), DAY)
        self._same_rows = Fingerprints(DAY)
        self._new_rows = Fingerprints(DAY)
        self._seen_days: set[int] = set()

    def _first_day(self, horizon: int) -> int:
        return (horizon // DAY - self._days) * DAY

    @property
    def needed(self) -> bool:
        """Whether there is anything to list."""
        return bool(self._days) or self._ids_with_events is not None

    def without_events(self, objects: Iterable[Json]) -> list[Json]:
        """Return the objects of a page without an event; add all of them to the comparison."""
        found = []
        for value in objects:
            created = value.get("created")
            if type(created) is not int:
                continue
            if self._days:
                self._seen_days.add(created // DAY)
                rows = self._same_rows if created < self._checked_at else self._new_rows
                rows.add(created, _encode(value))
            known = self._ids_with_events is None or value.get("id") in self._ids_with_events
            if created >= self._events_from and not known:
                found.append(value)
        return found

    def changed_days(self) -> list[Range]:
        """Return the days whose rows differ from the last check."""
        return [
            (max(day * DAY, self.start), min((day + 1) * DAY, self._horizon))
            for day in sorted(self._seen_days)
            if self._same_rows.of(day) != self._previous_rows.of(day)
        ]

    def fingerprints(self) -> str:
        """Return the fingerprints that the next check compares with."""
        if not self._days:
            return ""
        return self._same_rows.plus(self._new_rows).encoded(self.start, self._horizon)


def recheck_of(
    state: ListState, horizon: int, events_from: int, ids_with_events: frozenset[str] | None
) -> Recheck:
    """Return the check of a list; without a last one if its streams were checked differently."""
    last, *others = state.bookmarks.values()
    alike = all(
        (one.checked_at, one.fingerprints) == (last.checked_at, last.fingerprints) for one in others
    )
    if not state.listed.windowed:
        # The newest rows cannot be listed by themselves.
        ids_with_events = None
    return Recheck(state.listed, horizon, last if alike else EMPTY, events_from, ids_with_events)
