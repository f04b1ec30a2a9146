"""Pages into records: what was written before is left out, what is gone is marked."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from tap_stripe_connect.catalog import NESTED, nested_in
from tap_stripe_connect.sync.bookmark import recent_by_object
from tap_stripe_connect.sync.records import Facts, nested_objects, unix_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_stripe_connect.sync.bookmark import Bookmark
    from tap_stripe_connect.sync.changes import Change
    from tap_stripe_connect.sync.jobs import Page
    from tap_stripe_connect.sync.records import Json, Records

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.decode

Written = tuple[str, str]
"""A stream and an account."""

Former = dict[tuple[str, str], bytes]
"""Nested objects as an event showed them: JSON by stream and id."""


@dataclass(frozen=True)
class Floor:
    """The least `updated_at` of rows that earlier runs, or this one, may have written already."""

    updated_at: int = 0
    """Unix seconds; 0 where every row carries the time of its newest known change."""
    created_from: int = 0
    """Rows created before this moment have not been written yet, but for those that changed."""
    changed: int = 0
    """The same of objects that changed: this run may have written them already."""

    def of(self, created: int, change: Change | None) -> int:
        """Return the least `updated_at` of one object, in unix seconds."""
        known = self.updated_at if created >= self.created_from else 0
        return max(known, self.changed) if change else known


NO_FLOOR = Floor()


def _digest(content: bytes, size: int) -> str:
    return blake2b(content, digest_size=size).hexdigest()


def _vanished(page: Page, value: Json, former: Mapping[tuple[str, str], bytes]) -> Former:
    """Return those nested objects of former times that an object no longer holds."""
    there = {
        (nested.name, child.get("id"))
        for nested in nested_in(page.job.listed.name)
        for child in nested_objects(value, nested)
    }
    return {key: last for key, last in former.items() if key not in there}


class Rows:
    """Makes the records of pages, and remembers the newest of them for the next run."""

    def __init__(self, records: Records, *, livemode: bool, horizon: int) -> None:
        """Remember what changed at or after `horizon`, in unix seconds: it will be read again."""
        self._records = records
        self._livemode = livemode
        self._horizon = horizon
        self._before: dict[Written, dict[str, str]] = {}
        self._fresh: defaultdict[Written, dict[str, str]] = defaultdict(dict)
        self._passing: defaultdict[Written, dict[str, str]] = defaultdict(dict)
        self._missing: set[tuple[str, str, str]] = set()
        self.unexplained: Counter[str] = Counter()
        """Objects of each stream that an event named and that no longer exist, though no event
        has told of their end yet."""

    def begin(self, stream: str, account: str, bookmark: Bookmark) -> None:
        """Take note of what the last run wrote."""
        if bookmark.recent:
            self._before[stream, account] = recent_by_object(bookmark)

    def recent(self, stream: str, account: str, *, finished: bool) -> dict[str, str]:
        """Return the digests to keep; until all is read again those of the last run count too."""
        key = stream, account
        fresh = self._fresh.get(key, {})
        if finished:
            return fresh
        return {**self._before.get(key, {}), **self._passing.get(key, {}), **fresh}

    def of(
        self, page: Page, changes: Mapping[str, Change], floor: Floor = NO_FLOOR
    ) -> Iterator[tuple[str, Json]]:
        """Yield the records of a page, each with its stream's name."""
        for value in page.objects:
            change = changes.get(str(value.get("id")))
            yield from self._of_object(page, value, change, floor)
        for name in page.absent:
            change = changes[name]
            if change.deleted_at:
                yield from self._of_deleted(page, name, change, floor)
            elif change.last >= self._horizon:
                self._count_unexplained(page.job.listed.name, page.job.account, name)

    def _count_unexplained(self, stream: str, account: str, name: str) -> None:
        # Two parts of the feed can tell of one object.
        if (stream, account, name) not in self._missing:
            self._missing.add((stream, account, name))
            self.unexplained[stream] += 1

    def _of_object(
        self, page: Page, value: Json, change: Change | None, floor: Floor
    ) -> Iterator[tuple[str, Json]]:
        name = value.get("id")
        created = unix_time(value.get("created")) or 0
        newest = max(created, change.last if change else 0)
        gone = _vanished(page, value, change.former) if change and change.former else {}
        # An event can tell later than the object what left it. And what looks as it did before
        # can have looked otherwise meanwhile, in the output of a run that was killed.
        streams = self._unwritten(page, str(name), newest, [value, newest, sorted(gone)])
        if not streams:
            return
        updated = max(newest, floor.of(created, change))
        facts = Facts(page.job.account, self._livemode, updated or None)
        yield from self._records.of(page.job.listed, streams, value, facts)
        if gone:
            left = Facts(page.job.account, self._livemode, updated, deleted_at=newest)
            yield from self._of_former(streams, gone, str(name), left)

    def _of_deleted(
        self, page: Page, name: str, change: Change, floor: Floor
    ) -> Iterator[tuple[str, Json]]:
        value = _decode(change.last_words)
        streams = self._unwritten(page, name, change.last, {"gone": change.deleted_at})
        moment = change.deleted_at
        updated = max(moment, floor.updated_at)
        facts = Facts(page.job.account, self._livemode, updated, deleted_at=moment)
        yield from self._of_former(streams, change.former, name, facts)
        if page.job.listed.name in streams:
            record = self._records.converters[page.job.listed.name].record(value, facts)
            if record:
                yield page.job.listed.name, record

    def _of_former(
        self,
        streams: frozenset[str],
        former: Mapping[tuple[str, str], bytes],
        parent: str,
        facts: Facts,
    ) -> Iterator[tuple[str, Json]]:
        """Yield tombstones of nested objects that are no longer in their parent (B4, B5)."""
        for (stream, _), last in former.items():
            if stream in streams:
                nested = NESTED[stream]
                child = _decode(last)
                record = self._records.nested_record(nested, child, {"id": parent}, facts)
                if record:
                    yield stream, record

    def _unwritten(self, page: Page, name: str, newest: int, content: object) -> frozenset[str]:
        """Return the streams for which an object has not been written in this state (A6)."""
        account = page.job.account
        ahead = newest >= self._horizon
        before = [
            known for stream in page.streams if (known := self._before.get((stream, account)))
        ]
        # What is neither new nor remembered needs no digest, or memory would grow with the rows.
        if not ahead and not before:
            return page.streams
        short = _digest(name.encode(), 4)
        if not ahead and not any(short in known for known in before):
            return page.streams
        digest = _digest(_encode(content), 8)
        unwritten = set()
        for stream in page.streams:
            key = stream, account
            if self._before.get(key, {}).get(short) != digest:
                unwritten.add(stream)
            (self._fresh if ahead else self._passing)[key][short] = digest
        return frozenset(unwritten)
