"""The event feed of one account in one run: what it tells, handed on oldest part first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.sync.plan.events import Changes
from tap_stripe_connect.sync.plan.fingerprint import Fingerprints
from tap_stripe_connect.sync.state.bookmark import EMPTY, Bookmark, last_covered
from tap_stripe_connect.sync.state.ranges import END_OF_TIME, Range, merged

if TYPE_CHECKING:
    from collections.abc import Iterable

HOUR = 3600

RECHECK_HOURS = 48
"""Hours before a check for which the next one compares events with what was seen of them."""

MEMORY_SECONDS = 28 * 24 * HOUR
"""Seconds for which that is remembered where no check comes for long."""

BATCH_OBJECTS = 1000
"""Changed objects that are followed up together while the rest of the feed is being read."""


@dataclass(frozen=True)
class Batch:
    """A part of the feed that has been read whole."""

    changes: Changes
    until: int
    """Everything before this moment has been handed on, in unix seconds."""
    last: bool
    """Whether the whole feed has been read."""


class Feed:
    """Collects events by hour, and hands on the hours that have been read, in order."""

    def __init__(
        self,
        account: str,
        since: int,
        horizon: int,
        seen: Bookmark,
        *,
        checked_at: int | None = None,
    ) -> None:
        """Read on from `since`; check what came before, too, if the last check is told."""
        self._account = account
        self._horizon = horizon
        self.checking = checked_at is not None
        """Whether this run checks what the feed cannot prove."""
        # What a killed run has read is not recorded, so it counts as not seen.
        first, last = seen.covered[0][0] if seen.covered else since, last_covered(seen)
        self._known_range = first, max(last, since)
        """Time of which it is known what earlier runs saw."""
        reach = horizon - RECHECK_HOURS * HOUR
        if checked_at:
            # Runs that were killed after the last check have moved on.
            reach = min(reach, max(checked_at, first))
        self.checked_from = reach // HOUR * HOUR
        """Start of the hours that objects without events are looked for in, in unix seconds."""
        self.start = min(since, self.checked_from, self._known_range[0]) if self.checking else since
        """The feed has to be read from here on."""
        self.followed_from = max(self.start, since // HOUR * HOUR)
        """Changes from here on are all followed; earlier events are only compared."""
        self.in_batches = False
        """Whether the feed was handed on in several parts."""
        self.complete = False
        """Whether the whole feed has been read."""
        self.has_failures = False
        """Whether a list could not be brought up to date with it."""
        self.pending_streams: set[str] = set()
        """Listed streams that have not been brought up to date with it."""
        self.late_hours: list[Range] = []
        """Hours of which earlier runs have not seen all events, as far as handed on."""
        self._covered: list[Range] = []
        self._hours: dict[int, Changes] = {}
        self._batched_until = self.start
        self._changed_ids: dict[str, set[str]] = {}
        self.remembered_until = last or since
        """The bookmark of the feed says what was seen up to there."""
        self._seen = Fingerprints.decoded(seen.fingerprints, self._known_range[0], HOUR)
        """What earlier runs saw of the events of that time."""
        self._seen_now = Fingerprints(HOUR)
        """What this run has read of the same time."""
        self._seen_first = Fingerprints(HOUR)

    def add(self, events: Iterable[dict[str, Any]]) -> None:
        """Add events, in any order."""
        first, last = self._known_range
        for event in events:
            moment = event.get("created")
            if not isinstance(moment, int):
                continue
            hour = moment // HOUR
            if hour not in self._hours:
                self._hours[hour] = Changes(self._account)
            self._hours[hour].add(event)
            name = str(event.get("id")).encode()
            if first <= moment < last:
                self._seen_now.add(moment, name)
            elif last <= moment < self._horizon:
                self._seen_first.add(moment, name)

    def mark_read(self, span: Range) -> None:
        """Record that all events of a range have been noted."""
        self._covered = merged([*self._covered, span])

    def next_batch(self) -> Batch | None:
        """Return what can be followed up now: hours that are read, with all those before them.

        While the rest is being read only a batch that is worth it is returned.
        """
        until = END_OF_TIME if self.complete else self._read_until()
        hours = sorted(hour for hour in self._hours if (hour + 1) * HOUR <= until)
        waiting = sum(len(self._hours[hour]) for hour in hours)
        if not self.complete and waiting < BATCH_OBJECTS:
            return None
        changes = Changes(self._account)
        for hour in hours:
            self._take_hour(hour, changes)
        self._batched_until = until // HOUR * HOUR
        self.in_batches |= not self.complete
        return Batch(changes, min(self._batched_until, self._horizon), self.complete)

    def _take_hour(self, hour: int, changes: Changes) -> None:
        found = self._hours.pop(hour)
        if self.checking and (hour + 1) * HOUR > self.checked_from:
            for stream in found.streams():
                self._changed_ids.setdefault(stream, set()).update(found.of(stream))
        if late := self._hour_differs(hour):
            self.late_hours.append((hour * HOUR, (hour + 1) * HOUR))
        # What earlier runs followed is read only to be compared.
        if late or (hour + 1) * HOUR > self.followed_from:
            changes.merge(found, late=late)

    def _hour_differs(self, hour: int) -> bool:
        """Return whether the feed tells of an hour what earlier runs did not see."""
        first, last = self._known_range
        compared = first // HOUR <= hour and hour * HOUR < last
        return self.checking and compared and self._seen_now.of(hour) != self._seen.of(hour)

    def _read_until(self) -> int:
        """Return the moment up to which everything has been read, from the start on."""
        first = self._covered[0] if self._covered else (self.start, self.start)
        return first[1] if first[0] <= self.start else self.start

    def changed_ids(self, stream: str) -> frozenset[str]:
        """Return the ids of a listed stream that the checked hours told of."""
        return frozenset(self._changed_ids.get(stream, ()))

    def bookmark(self, until: int) -> Bookmark:
        """Return what the next runs have to know of the feed, of which all is followed to there."""
        # What this check has compared already, the next one need not compare again.
        checked = min(self._horizon - RECHECK_HOURS * HOUR, until - HOUR)
        known_from = checked if self.checking else until - MEMORY_SECONDS
        start = max(self._known_range[0], known_from // HOUR * HOUR)
        if start >= until:
            return EMPTY
        seen = (self._seen_now if self.checking else self._seen).plus(self._seen_first)
        return Bookmark(covered=((start, until),), fingerprints=seen.encoded(start, until))
