"""Pages into records: what was written before is left out, what is gone is marked."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from tap_stripe_connect.catalog import NESTED, nested_in
from tap_stripe_connect.sync.emit.records import RecordContext, nested_objects
from tap_stripe_connect.sync.state.ranges import unix_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_stripe_connect.sync.emit.records import Json, Records
    from tap_stripe_connect.sync.plan.events import Change
    from tap_stripe_connect.sync.plan.floor import Floor
    from tap_stripe_connect.sync.plan.jobs import Page
    from tap_stripe_connect.sync.plan.page_output import PageOutput
    from tap_stripe_connect.sync.state.digests import Digests

_decode = msgspec.json.decode

NestedObjects = dict[tuple[str, str], bytes]
"""Nested objects as an event showed them: JSON by stream and id."""


def _removed_children(
    page: Page, value: Json, former: Mapping[tuple[str, str], bytes]
) -> NestedObjects:
    """Return those nested objects of former times that an object no longer holds."""
    there = {
        (nested.name, child.get("id"))
        for nested in nested_in(page.job.listed.name)
        for child in nested_objects(value, nested)
    }
    return {key: last for key, last in former.items() if key not in there}


class RecordFilter:
    """Makes the records of pages, less those that were written before."""

    def __init__(self, records: Records, digests: Digests, *, livemode: bool) -> None:
        self._records = records
        self._livemode = livemode
        self._digests = digests
        self._missing: set[tuple[str, str, str]] = set()
        self.unexplained: Counter[str] = Counter()
        """Objects of each stream that an event named and that no longer exist, though no event
        has told of their end yet."""

    def records_of(self, output: PageOutput) -> Iterator[tuple[str, Json]]:
        """Yield the records of a page, each with its stream's name."""
        page, changes, floor = output.page, output.changes, output.floor
        for value in page.objects:
            change = changes.get(str(value.get("id")))
            yield from self._object_records(page, value, change, floor)
        for name in page.absent:
            change = changes[name]
            if change.deleted_at:
                yield from self._deletion_records(page, name, change, floor)
            elif change.last >= self._digests.horizon:
                self._count_unexplained(page.job.listed.name, page.job.account, name)

    def _count_unexplained(self, stream: str, account: str, name: str) -> None:
        # Two parts of the feed can tell of one object.
        if (stream, account, name) not in self._missing:
            self._missing.add((stream, account, name))
            self.unexplained[stream] += 1

    def _object_records(
        self, page: Page, value: Json, change: Change | None, floor: Floor
    ) -> Iterator[tuple[str, Json]]:
        name = value.get("id")
        created = unix_time(value.get("created")) or 0
        newest = max(created, change.last if change else 0)
        gone = (
            _removed_children(page, value, change.former_children)
            if change and change.former_children
            else {}
        )
        # An event can tell later than the object what left it. And what looks as it did before
        # can have looked otherwise meanwhile, in the output of a run that was killed.
        streams = self._unwritten(page, str(name), newest, [value, newest, sorted(gone)])
        if not streams:
            return
        updated = max(newest, floor.of(created, change))
        context = RecordContext(page.job.account, self._livemode, updated or None)
        yield from self._records.of(page.job.listed, streams, value, context)
        if gone:
            left = RecordContext(page.job.account, self._livemode, updated, deleted_at=newest)
            yield from self._tombstones(streams, gone, str(name), left)

    def _deletion_records(
        self, page: Page, name: str, change: Change, floor: Floor
    ) -> Iterator[tuple[str, Json]]:
        value = _decode(change.last_payload)
        # A late event can name children that left before the end that was written already.
        content = {"gone": change.deleted_at, "children": sorted(change.former_children)}
        streams = self._unwritten(page, name, change.last, content)
        moment = change.deleted_at
        updated = max(moment, floor.updated_at)
        context = RecordContext(page.job.account, self._livemode, updated, deleted_at=moment)
        yield from self._tombstones(streams, change.former_children, name, context)
        if page.job.listed.name in streams:
            record = self._records.converters[page.job.listed.name].record(value, context)
            if record:
                yield page.job.listed.name, record

    def _tombstones(
        self,
        streams: frozenset[str],
        former: Mapping[tuple[str, str], bytes],
        parent: str,
        context: RecordContext,
    ) -> Iterator[tuple[str, Json]]:
        """Yield tombstones of nested objects that are no longer in their parent."""
        for (stream, _), last in former.items():
            if stream in streams:
                nested = NESTED[stream]
                child = _decode(last)
                record = self._records.nested_record(nested, child, {"id": parent}, context)
                if record:
                    yield stream, record

    def _unwritten(self, page: Page, name: str, newest: int, content: object) -> frozenset[str]:
        return self._digests.unwritten(page.streams, page.job.account, name, newest, content)

    def warnings(self) -> list[str]:
        """Return a line for each stream that Stripe sent something unexpected for."""
        lines = []
        for name, converter in self._records.converters.items():
            if converter.unknown:
                fields = ", ".join(sorted(converter.unknown))
                lines.append(f"{name}: new fields of Stripe's are in additional_fields: {fields}")
            if converter.unusable:
                lines.append(f"{name}: left out {converter.unusable} objects without a usable key")
            lines += converter.warnings()
        for name, count in self.unexplained.items():
            lines.append(
                f"{name}: {count} changed objects no longer exist; the next run marks them "
                "when Stripe tells of their deletion"
            )
        return lines
