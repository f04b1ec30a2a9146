"""The check of one list: what the event feed does not tell of, and what changed without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_stripe_connect.sync.plan.fingerprint import Fingerprints

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_stripe_connect.catalog import Listed
    from tap_stripe_connect.sync.emit.records import Json
    from tap_stripe_connect.sync.state.bookmark import Bookmark
    from tap_stripe_connect.sync.state.ranges import Range

DAY = 86_400

_encode = msgspec.json.Encoder(order="deterministic").encode


class Recheck:
    """Compares the newest rows of a list with the event feed and with the last check.

    Rows that no event names are written. A list with `recheck_days` is compared day by day with
    what it looked like at the last check; the days that differ are to be listed again.
    """

    def __init__(
        self,
        listed: Listed,
        horizon: int,
        last: Bookmark,
        cross_from: int,
        named: frozenset[str] | None,
    ) -> None:
        self._days = listed.recheck_days
        self._events_from = cross_from
        self._ids_with_events = named
        self._horizon = horizon
        self._checked_at = last.checked_at
        self.start = self._first_day(horizon) if self._days else cross_from
        """Start of the creation times to list, in unix seconds; they end at the horizon."""
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
        """Return those of a page's objects that no event names; count all of them."""
        found = []
        for value in objects:
            created = value.get("created")
            if type(created) is not int:
                continue
            if self._days:
                self._seen_days.add(created // DAY)
                rows = self._same_rows if created < self._checked_at else self._new_rows
                rows.add(created, _encode(value))
            named = self._ids_with_events is None or value.get("id") in self._ids_with_events
            if created >= self._events_from and not named:
                found.append(value)
        return found

    def changed_days(self) -> list[Range]:
        """Return the creation times whose rows are not what they were at the last check."""
        return [
            (max(day * DAY, self.start), min((day + 1) * DAY, self._horizon))
            for day in sorted(self._seen_days)
            if self._same_rows.of(day) != self._previous_rows.of(day)
        ]

    def fingerprints(self) -> str:
        """Return what the next check has to know."""
        if not self._days:
            return ""
        return self._same_rows.plus(self._new_rows).encoded(self.start, self._horizon)
