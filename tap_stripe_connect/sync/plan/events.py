"""The event feed: which objects changed, which are gone, and how to read them again cheaply."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from tap_stripe_connect.catalog import nested_in
from tap_stripe_connect.catalog.table import FOLLOWED, TOUCHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_stripe_connect.catalog import Nested

Json = dict[str, Any]

encode = msgspec.json.encode


@dataclass(slots=True)
class Change:
    """What the feed tells of one object; its payloads are never shown as rows."""

    first: int
    """Time of its oldest event read, in unix seconds; the feed is not claimed beyond it."""
    last: int
    """Time of its newest event read."""
    created: int | None = None
    deleted_at: int = 0
    """Time of the event that says it is gone; 0 for none."""
    alive_at: int = 0
    """Time of the newest event that does not."""
    last_payload: bytes = b""
    """The object as its deletion event shows it, as JSON."""
    event: str = ""
    """Id of its newest own event; an event about another object shows nothing of this one."""
    late: bool = False
    """Whether an event of it was not there yet when its hour was followed."""
    replaced: bool = False
    """Whether an event gave its nested objects other ids and did not name the old ones."""
    former_children: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """Nested objects that an event says were there before it: JSON by stream and id."""

    @property
    def gone(self) -> bool:
        """Whether it certainly no longer exists.

        An id that users choose can be used again, and events of the same second have no order:
        only a deletion that is strictly the newest event decides.
        """
        return self.deleted_at > self.alive_at

    def merge(self, other: Change) -> None:
        """Add what other events tell of the same object."""
        if other.last >= self.last:
            self.event = other.event or self.event
        if other.deleted_at >= self.deleted_at:
            self.deleted_at = other.deleted_at
            self.last_payload = other.last_payload or self.last_payload
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)
        self.created = other.created or self.created
        self.alive_at = max(self.alive_at, other.alive_at)
        self.late |= other.late
        self.replaced |= other.replaced
        for key, child in other.former_children.items():
            self.former_children.setdefault(key, child)


class Changes:
    """The changed objects of one account, by the stream that lists them."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._by_stream: defaultdict[str, dict[str, Change]] = defaultdict(dict)

    def of(self, stream: str) -> dict[str, Change]:
        """Return the changes of a listed stream, by object id."""
        return self._by_stream[stream]

    def __len__(self) -> int:
        """Return the number of changed objects."""
        return sum(map(len, self._by_stream.values()))

    def merge(self, later: Changes, *, late: bool = False) -> None:
        """Add what later events tell; `late` marks changes that earlier runs have missed."""
        for stream, changes in later._by_stream.items():
            known = self._by_stream[stream]
            for name, change in changes.items():
                change.late |= late
                if name in known:
                    known[name].merge(change)
                else:
                    known[name] = change

    def streams(self) -> Iterable[str]:
        """Return the listed streams that have changed objects."""
        return self._by_stream.keys()

    def add(self, event: Json) -> None:
        """Add one event, in any order; types that nobody has heard of work too.

        A platform's feed can hold events of connected accounts; they say nothing of its own
        objects.
        """
        data = event.get("data")
        moment = event.get("created")
        if not isinstance(data, dict) or not isinstance(moment, int):
            return
        value = data.get("object")
        if not isinstance(value, dict) or event.get("account") not in {None, self._account}:
            return
        for listed in FOLLOWED.get(value.get("object", ""), ()) if value.get("id") else ():
            change = self._change(listed.name, value["id"], moment)
            if moment >= change.last:
                change.event = event.get("id") or ""
            created = value.get("created")
            change.created = created if type(created) is int else change.created
            if event.get("type") in listed.deleted_by:
                self._deleted(change, listed.name, value, moment)
            else:
                change.alive_at = max(change.alive_at, moment)
            for nested in nested_in(listed.name):
                _note_children(change, nested, event, value)
        for stream, name in _touched(value):
            touched = self._change(stream, name, moment)
            touched.alive_at = max(touched.alive_at, moment)

    def _change(self, stream: str, name: str, moment: int) -> Change:
        known = self._by_stream[stream]
        change = known.get(name)
        if change is None:
            change = known[name] = Change(moment, moment)
        change.first = min(change.first, moment)
        change.last = max(change.last, moment)
        return change

    def _deleted(self, change: Change, stream: str, value: Json, moment: int) -> None:
        if moment >= change.deleted_at:
            change.deleted_at = moment
            change.last_payload = encode(value)
        for nested in nested_in(stream):
            remember(change, nested, value)


def _note_children(change: Change, nested: Nested, event: Json, value: Json) -> None:
    """Keep what an event says of nested objects that may be gone by now."""
    before = event["data"].get("previous_attributes") or {}
    if nested.list_field in before:
        remember(change, nested, before)
    elif event.get("type") in nested.replaced_by:
        change.replaced = True
    if nested.temporary_in and value.get("status") == nested.temporary_in:
        remember(change, nested, value)


def remember(change: Change, nested: Nested, parent: Mapping[str, Any]) -> None:
    """Keep the nested objects of a parent, to tell later which of them are gone."""
    nested_list = parent.get(nested.list_field)
    rows = nested_list.get("data") if isinstance(nested_list, dict) else None
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("id"):
            change.former_children.setdefault((nested.name, row["id"]), encode(row))


def _touched(value: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield the objects that this one's change alters without an event of theirs."""
    for listed, path in TOUCHED.get(value.get("object", ""), ()):
        found: Any = value
        for step in path.split("."):
            found = found.get(step) if isinstance(found, dict) else None
        if isinstance(found, dict):
            found = found.get("id")
        if isinstance(found, str) and found:
            yield listed.name, found
