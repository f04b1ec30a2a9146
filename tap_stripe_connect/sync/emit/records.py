"""Stripe objects into records: times, ids, accounts and children, by a plan for each stream."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.catalog import SECRETS, TAP_COLUMNS, columns, nested_in
from tap_stripe_connect.sync.state.ranges import EARLIEST, LATEST, unix_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_stripe_connect.catalog import Listed, Nested

    Convert = Callable[[Any], Any]

Json = dict[str, Any]
Invalid = list[tuple[str, object]]
"""Values that stood where a time belongs, with their paths."""

ACCOUNT, LIVEMODE = columns.ACCOUNT.name, columns.LIVEMODE.name
UPDATED, DELETED = columns.UPDATED.name, columns.DELETED.name
ADDITIONAL = columns.ADDITIONAL.name

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LEVELS = 30
"""How deep in an object secrets are looked for; Stripe's objects have about ten levels."""

NAMED = 5
"""Rows that a line of the log names; more are counted."""


def date_time(seconds: int | None) -> str | None:
    """Return unix seconds as an ISO 8601 date-time in UTC; None where there is none to express."""
    return None if seconds is None else _iso(seconds)


@lru_cache(maxsize=4096)
def _iso(seconds: int) -> str | None:
    # A row says the same moment several times.
    if not EARLIEST <= seconds <= LATEST:
        return None
    return (EPOCH + timedelta(seconds=seconds)).isoformat()


def reference(value: object) -> object:
    """Return the id of what Stripe sent as an id or as the object itself."""
    return value.get("id") if isinstance(value, dict) else value


def without_secrets(value: object) -> object:
    """Return what Stripe sent, in place, less the fields that hold secrets, at any depth."""
    for one in value if type(value) is list else (value,):
        if type(one) is dict:
            _remove_secrets(one, LEVELS)
    return value


def _remove_secrets(value: Json, levels: int) -> None:
    for name in SECRETS:
        if name in value:
            del value[name]
    metadata = value.get("metadata")  # what users put there is theirs, whatever its name
    for inner in value.values():
        if inner and (kind := type(inner)) is not str and kind is not int and levels:
            if kind is dict:
                if inner is not metadata:
                    _remove_secrets(inner, levels - 1)
            elif kind is list:
                for item in inner:
                    if type(item) is dict:
                        _remove_secrets(item, levels - 1)


@dataclass(frozen=True, slots=True)
class Conversions:
    """What to convert in an object; all other fields stay as they are."""

    times: tuple[tuple[str, str], ...]
    """Fields that are times, with their paths."""
    others: tuple[tuple[str, Convert], ...]
    invalid: Invalid
    """Where values go that are no times; shared with the plans of the objects inside."""

    def apply(self, value: Json) -> None:
        """Convert the fields of `value` in place."""
        for name, path in self.times:
            given = value.get(name)
            if given is not None:
                value[name] = time = _iso(given) if type(given) is int else None
                if time is None:
                    self.invalid.append((path, given))
        for name, convert in self.others:
            given = value.get(name)
            # Most of what could be an object is the id of one, and stays as it is.
            if given is not None and type(given) is not str:
                value[name] = convert(given)


class Compiler:
    """Makes the plan for the objects of a schema file."""

    def __init__(self, schema: Mapping[str, Any], invalid: Invalid) -> None:
        """Read the file's lists of paths, such as `discounts[]` or `card.mandate`."""
        self._references = frozenset(schema.get("x-expandable", ()))
        self._whole = frozenset(schema.get("x-whole", ()))
        self._invalid = invalid

    def plan(self, schema: Mapping[str, Any], prefix: str = "") -> Conversions:
        """Compile the plan for the objects of a schema, or of a part of one."""
        times, others = [], []
        for name, definition in schema.get("properties", {}).items():
            path = f"{prefix}{name}"
            if path in TAP_COLUMNS:
                continue
            if definition.get("format") == "date-time":
                times.append((name, path))
            elif convert := self._conversion(definition, path):
                others.append((name, convert))
        return Conversions(tuple(times), tuple(others), self._invalid)

    def _conversion(self, definition: Mapping[str, Any], path: str) -> Convert | None:
        if definition.get("format") == "date-time":
            return self._time(path)
        if path in self._references:
            return reference
        if path in self._whole:
            return without_secrets
        if "items" in definition:
            convert = self._conversion(definition["items"], f"{path}[]")
            return _for_each(convert) if convert else None
        inner = self.plan(definition, f"{path}.")
        return _inside(inner) if inner.times or inner.others else None

    def _time(self, path: str) -> Convert:
        """Return the conversion of times that are in a list themselves."""
        holder = Conversions((("time", path),), (), self._invalid)

        def convert_time(value: object) -> object:
            held = {"time": value}
            holder.apply(held)
            return held["time"]

        return convert_time


def _for_each(convert: Convert) -> Convert:
    def convert_all(value: object) -> object:
        if not isinstance(value, list):
            return value
        return [convert(item) if item is not None else None for item in value]

    return convert_all


def _inside(inner: Conversions) -> Convert:
    def convert_object(value: object) -> object:
        if isinstance(value, dict):
            inner.apply(value)
        return value

    return convert_object


@dataclass(slots=True)
class RecordContext:
    """What a record says beside what Stripe's object says."""

    account: str
    livemode: bool
    """For objects that do not say it themselves."""
    updated: int | None
    """The newest change known, in unix seconds."""
    deleted_at: int | None = None
    """When the object was deleted, in unix seconds."""


class Converter:
    """Makes the records of one stream."""

    def __init__(self, stream: Listed | Nested, schema: Mapping[str, Any]) -> None:
        """Compile the plan from the stream's whole schema file."""
        self.stream = stream
        self.unknown: set[str] = set()
        """Fields that Stripe sent and the schema does not know yet."""
        self.unusable = 0
        """Objects that are of another kind or lack a part of the key."""
        self._invalid_rows: list[str] = []
        self._invalid_count = 0
        self._known = frozenset(schema["properties"])
        self._invalid: Invalid = []
        self._plan = Compiler(schema, self._invalid).plan(schema)
        self._left_out = frozenset(nested.list_field for nested in nested_in(stream.name)) | SECRETS
        self._stripe_key = [name for name in stream.key if name != ACCOUNT]

    def record(self, value: Json, context: RecordContext, updated: int = 0) -> Json | None:
        """Turn one object into a record, in place; None if it cannot be one of this stream.

        `updated` is its own newest change, in unix seconds, where that is not what facts say.
        """
        if value.get("object") != self.stream.object or not all(
            value.get(name) for name in self._stripe_key
        ):
            self.unusable += 1
            return None
        additional = {} if value.keys() <= self._known else self._unknown_fields(value, context)
        self._plan.apply(value)
        if self._invalid:
            additional |= self._invalid_fields(value["id"], context.account)
        value[ACCOUNT] = context.account
        if value.get(LIVEMODE) is None:
            value[LIVEMODE] = context.livemode
        value[UPDATED] = date_time(updated or context.updated) or value.get("created")
        value[DELETED] = date_time(context.deleted_at)
        value[ADDITIONAL] = additional or None
        return value

    def _unknown_fields(self, value: Json, context: RecordContext) -> Json:
        """Take out what the schema does not know, and return what of it is to be kept.

        That is nothing of a deleted object: an event shows it in the account's own API version,
        which is older, so that its unknown fields are not new ones.
        """
        additional = {}
        for name in value.keys() - self._known:
            field = value.pop(name)
            if name not in self._left_out and context.deleted_at is None:
                additional[name] = without_secrets(field)
                self.unknown.add(name)
        return additional

    def _invalid_fields(self, name: str, account: str) -> Json:
        """Return what stood where times belong, by path, and remember the row for the log."""
        found: dict[str, list[object]] = {}
        for path, value in self._invalid:
            found.setdefault(path, []).append(value)
        self._invalid.clear()
        self._invalid_count += 1
        if len(self._invalid_rows) < NAMED:
            self._invalid_rows.append(f"{', '.join(found)} of {name} ({account})")
        return {path: some[0] if len(some) == 1 else some for path, some in found.items()}

    def warnings(self) -> list[str]:
        """Return lines for the log about rows that could not be written as they came."""
        if not self._invalid_rows:
            return []
        rows = "; ".join(self._invalid_rows)
        more = self._invalid_count - len(self._invalid_rows)
        others = f"; and {more} more rows" if more else ""
        what = "invalid times are null, and their values are in additional_fields"
        return [f"{self.stream.name}: {what}: {rows}{others}"]


class Records:
    """Makes the records of the selected streams from the objects of a list."""

    def __init__(self, converters: Mapping[str, Converter]) -> None:
        """Use one converter for each selected stream."""
        self.converters = converters

    def of(
        self, listed: Listed, streams: frozenset[str], value: Json, context: RecordContext
    ) -> Iterator[tuple[str, Json]]:
        """Yield the records that one listed object gives, each with its stream's name.

        `context` tell of the object; its newest change counts for what is nested in it, too.
        """
        for nested in nested_in(listed.name):
            if nested.name not in streams:
                continue
            livemode = value.get(LIVEMODE)
            if livemode is not None:
                context = replace(context, livemode=livemode)
            for child in nested_objects(value, nested):
                created = unix_time(child.get("created")) or 0
                newest = max(created, context.updated or 0)
                record = self.nested_record(nested, child, value, context, newest)
                if record:
                    yield nested.name, record
        if listed.name in streams:
            record = self.converters[listed.name].record(value, context)
            if record:
                yield listed.name, record

    def nested_record(
        self,
        nested: Nested,
        child: Json,
        parent: Mapping[str, Any],
        context: RecordContext,
        updated: int = 0,
    ) -> Json | None:
        """Return the record of an object that was found in its parent."""
        child[nested.parent_field] = child.get(nested.parent_field) or parent.get("id")
        return self.converters[nested.name].record(child, context, updated)


def nested_objects(value: Mapping[str, Any], nested: Nested) -> list[Json]:
    """Return the objects in a nested list; none where Stripe sent something else."""
    found = value.get(nested.list_field)
    held = found.get("data") if isinstance(found, dict) else None
    return [child for child in held if isinstance(child, dict)] if isinstance(held, list) else []
