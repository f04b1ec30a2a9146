"""The event feed: which objects changed, which are gone, and how to read them again cheaply."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from tap_stripe_connect.catalog import LISTED, nested_in
from tap_stripe_connect.catalog.table import FOLLOWED, TOUCHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_stripe_connect.sync.windows import Range

Json = dict[str, Any]

NEAR = 3600
"""Seconds of creation time within which two changed objects are looked for in one list call."""

TOGETHER = 1000
"""Objects that are looked for in one window at most: windows are read side by side, and each
one that is done moves the feed's position on (A26)."""

_encode = msgspec.json.encode


@dataclass(slots=True)
class Change:
    """What the feed tells of one object; its payloads are never shown as rows (A2)."""

    first: int
    """Time of its oldest event read, in unix seconds; the feed is not claimed beyond it."""
    last: int
    """Time of its newest event read."""
    created: int | None = None
    deleted_at: int = 0
    """Time of the event that says it is gone; 0 for none."""
    alive_at: int = 0
    """Time of the newest event that does not."""
    last_words: bytes = b""
    """The object as its deletion event shows it, as JSON."""
    former: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """Nested objects that an event says were there before it: JSON by stream and id."""

    @property
    def gone(self) -> bool:
        """Whether it certainly no longer exists.

        An id that users choose can be used again, and events of the same second have no order:
        only a deletion that is strictly the newest event decides.
        """
        return self.deleted_at > self.alive_at


class Changes:
    """The changed objects of one account, by the stream that lists them."""

    def __init__(self) -> None:
        """Begin without any."""
        self._by_stream: dict[str, dict[str, Change]] = {name: {} for name in LISTED}

    def of(self, stream: str) -> dict[str, Change]:
        """Return the changes of a listed stream, by object id."""
        return self._by_stream[stream]

    def note(self, event: Json) -> None:
        """Take in one event, in any order; types that nobody has heard of work too (A9)."""
        data = event.get("data")
        moment = event.get("created")
        if not isinstance(data, dict) or not isinstance(moment, int):
            return
        value = data.get("object")
        if not isinstance(value, dict):
            return
        for listed in FOLLOWED.get(value.get("object", ""), ()) if value.get("id") else ():
            change = self._change(listed.name, value["id"], moment)
            change.created = value.get("created") or change.created
            if event.get("type") in listed.deleted_by:
                self._deleted(change, listed.name, value, moment)
            else:
                change.alive_at = max(change.alive_at, moment)
            for nested in nested_in(listed.name):
                before = (data.get("previous_attributes") or {}).get(nested.list_field)
                _remember(change, nested.name, before)
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
            change.last_words = _encode(value)
        for nested in nested_in(stream):
            _remember(change, nested.name, value.get(nested.list_field))


def _remember(change: Change, stream: str, nested_list: object) -> None:
    """Keep the nested objects of a list, to tell later which of them are gone (B4)."""
    rows = nested_list.get("data") if isinstance(nested_list, dict) else None
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("id"):
            change.former.setdefault((stream, row["id"]), _encode(row))


def _touched(value: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield the objects that this one's change alters without an event of theirs (A22)."""
    for listed, path in TOUCHED.get(value.get("object", ""), ()):
        found: Any = value
        for step in path.split("."):
            found = found.get(step) if isinstance(found, dict) else None
        if isinstance(found, dict):
            found = found.get("id")
        if isinstance(found, str) and found:
            yield listed.name, found


@dataclass(frozen=True)
class Rereading:
    """How to read changed objects again."""

    windows: list[tuple[Range, frozenset[str]]]
    """Ranges of creation time with the ids that are looked for in each."""
    single: list[str]
    """Ids to retrieve one by one, those of the oldest events first."""


def rereading(changes: Mapping[str, Change]) -> Rereading:
    """Plan the fewest requests: objects created near each other come in one list call (F4).

    What is not found in a list after all is retrieved, so a wrong guess costs a request and
    never a row.
    """
    dated = sorted((change.created, name) for name, change in changes.items() if change.created)
    windows: list[tuple[Range, frozenset[str]]] = []
    lone = {name for name, change in changes.items() if not change.created}
    group: list[tuple[int, str]] = []
    for created, name in [*dated, (None, "")]:
        if group and (created is None or _parted(created, group)):
            if len(group) == 1:
                lone.add(group[0][1])
            else:
                span = (group[0][0], group[-1][0] + 1)
                windows.append((span, frozenset(member for _, member in group)))
            group = []
        if created is not None:
            group.append((created, name))
    return Rereading(windows, sorted(lone, key=lambda name: (changes[name].first, name)))


def _parted(created: int, group: Sequence[tuple[int, str]]) -> bool:
    """Tell whether an object is looked for apart from those created before it."""
    last = group[-1][0]
    return created - last > NEAR or (created > last and len(group) >= TOGETHER)
