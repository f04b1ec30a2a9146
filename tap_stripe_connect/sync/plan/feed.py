"""The event feed of one account in one run, processed in batches, the oldest first."""

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
"""Hours before a check whose events the next check compares with those seen by then."""

MEMORY_SECONDS = 28 * 24 * HOUR
"""How long the seen events are remembered if no check takes place, in seconds."""

BATCH_OBJECTS = 1000
"""Fewest changed objects in a batch, except in the last one."""


@dataclass(frozen=True)
class Batch:
    """Changes of a part of the feed that is complete."""

    changes: Changes
    until: int
    """All changes before this moment are in this batch or an earlier one, in unix seconds."""
    last: bool
    """Whether the whole feed has been read."""


class Feed:
    """Collects events by hour, and returns complete hours in order."""

    def __init__(
        self,
        account: str,
        since: int,
        horizon: int,
        seen: Bookmark,
        *,
        checked_at: int | None = None,
    ) -> None:
        """Follow the feed from `since`; after a check at `checked_at`, compare older hours too."""
        self._account = account
        self._horizon = horizon
        self.checking = checked_at is not None
        """Whether this run looks for changes without events."""
        # What a killed run has read is not recorded, so it counts as unseen.
        first, last = seen.covered[0][0] if seen.covered else since, last_covered(seen)
        self._known_range = first, max(last, since)
        """The range whose seen events are known."""
        reach = horizon - RECHECK_HOURS * HOUR
        if checked_at:
            # Runs that were killed after the last check have advanced the feed.
            reach = min(reach, max(checked_at, first))
        self.checked_from = reach // HOUR * HOUR
        """Start of the hours that are checked for objects without events, in unix seconds."""
        self.start = min(since, self.checked_from, self._known_range[0]) if self.checking else since
        """Start of the events to read."""
        self.followed_from = max(self.start, since // HOUR * HOUR)
        """Start of the events to follow; earlier events are only compared."""
        self.in_batches = False
        """Whether the feed is processed in several batches."""
        self.complete = False
        """Whether the whole feed has been read."""
        self.has_failures = False
        """Whether a list failed to follow it."""
        self.pending_streams: set[str] = set()
        """Lists that have not followed it to its end."""
        self.late_hours: list[Range] = []
        """Hours with events that earlier runs have not seen, in the batches so far."""
        self._covered: list[Range] = []
        self._hours: dict[int, Changes] = {}
        self._batched_until = self.start
        self._changed_ids: dict[str, set[str]] = {}
        self.remembered_until = last or since
        """End of the range that the saved bookmark of the feed describes."""
        self._seen = Fingerprints.decoded(seen.fingerprints, self._known_range[0], HOUR)
        """Events of the known range that earlier runs have seen."""
        self._seen_now = Fingerprints(HOUR)
        """Events of the same range that this run has read."""
        self._seen_first = Fingerprints(HOUR)
        """Events of later times that this run has read."""

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
        """Record that all events of a range have been added."""
        self._covered = merged([*self._covered, span])

    def next_batch(self) -> Batch | None:
        """Return the changes of the complete hours, without gaps; None if they are too few.

        The last batch can have any size.
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
        # Hours that earlier runs followed are only read to compare them.
        if late or (hour + 1) * HOUR > self.followed_from:
            changes.merge(found, late=late)

    def _hour_differs(self, hour: int) -> bool:
        """Return whether an hour has events that earlier runs have not seen."""
        first, last = self._known_range
        compared = first // HOUR <= hour and hour * HOUR < last
        return self.checking and compared and self._seen_now.of(hour) != self._seen.of(hour)

    def _read_until(self) -> int:
        """Return the end of the part that has been read without gaps."""
        first = self._covered[0] if self._covered else (self.start, self.start)
        return first[1] if first[0] <= self.start else self.start

    def changed_ids(self, stream: str) -> frozenset[str]:
        """Return the ids of changed objects of a list in the checked hours."""
        return frozenset(self._changed_ids.get(stream, ()))

    def bookmark(self, until: int) -> Bookmark:
        """Return the bookmark of a feed that all lists have followed until `until`."""
        # The next check need not compare what this one has compared.
        checked = min(self._horizon - RECHECK_HOURS * HOUR, until - HOUR)
        known_from = checked if self.checking else until - MEMORY_SECONDS
        start = max(self._known_range[0], known_from // HOUR * HOUR)
        if start >= until:
            return EMPTY
        seen = (self._seen_now if self.checking else self._seen).plus(self._seen_first)
        return Bookmark(covered=((start, until),), fingerprints=seen.encoded(start, until))
