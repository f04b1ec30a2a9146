"""Conversion of Stripe objects to records, with a compiled plan for each stream."""

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
"""Values of time fields that are no times, with their paths."""

ACCOUNT, LIVEMODE = columns.ACCOUNT.name, columns.LIVEMODE.name
UPDATED, DELETED = columns.UPDATED.name, columns.DELETED.name
ADDITIONAL = columns.ADDITIONAL.name

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_DEPTH = 30
"""Maximum depth of the search for secrets; Stripe's objects have about ten levels."""

MAX_ROWS_NAMED = 5
"""Maximum number of rows in a log line; the others are counted."""


def date_time(seconds: int | None) -> str | None:
    """Return unix seconds as an ISO 8601 date-time in UTC; None if it cannot be expressed."""
    return None if seconds is None else _iso(seconds)


@lru_cache(maxsize=4096)
def _iso(seconds: int) -> str | None:
    # A row often contains the same time more than once.
    if not EARLIEST <= seconds <= LATEST:
        return None
    return (EPOCH + timedelta(seconds=seconds)).isoformat()


def reference(value: object) -> object:
    """Return the id of an object that Stripe sent as an id or expanded."""
    return value.get("id") if isinstance(value, dict) else value


def without_secrets(value: object) -> object:
    """Remove fields with secrets at any depth, in place; return `value`."""
    for one in value if type(value) is list else (value,):
        if type(one) is dict:
            _remove_secrets(one, MAX_DEPTH)
    return value


def _remove_secrets(value: Json, levels: int) -> None:
    for name in SECRETS:
        if name in value:
            del value[name]
    metadata = value.get("metadata")  # users choose its keys
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
    """Conversions of an object's fields; other fields stay as they are."""

    times: tuple[tuple[str, str], ...]
    """Fields that are times, with their paths."""
    others: tuple[tuple[str, Convert], ...]
    invalid: Invalid
    """Collects values that are no times; shared with the plans of inner objects."""

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
            # Most expandable fields contain an id, which stays as it is.
            if given is not None and type(given) is not str:
                value[name] = convert(given)


class Compiler:
    """Compiles the plan for the objects of a schema file."""

    def __init__(self, schema: Mapping[str, Any], invalid: Invalid) -> None:
        """Read the file's lists of paths, such as `discounts[]` or `card.mandate`."""
        self._references = frozenset(schema.get("x-expandable", ()))
        self._whole = frozenset(schema.get("x-whole", ()))
        self._invalid = invalid

    def plan(self, schema: Mapping[str, Any], prefix: str = "") -> Conversions:
        """Return the plan for the objects of a schema, or of a part of one."""
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
        """Return the conversion of times that are items of a list."""
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
    """Values of the columns that the tap adds to Stripe's object."""

    account: str
    livemode: bool
    """For objects without a livemode of their own."""
    updated: int | None
    """The newest known change, in unix seconds."""
    deleted_at: int | None = None
    """When the object was deleted, in unix seconds."""


class Converter:
    """Converts objects to the records of one stream."""

    def __init__(self, stream: Listed | Nested, schema: Mapping[str, Any]) -> None:
        """Compile the plan from the stream's complete schema."""
        self.stream = stream
        self.unknown: set[str] = set()
        """Fields that the schema does not contain."""
        self.unusable = 0
        """Number of objects of another kind, or without a complete key."""
        self._invalid_rows: list[str] = []
        self._invalid_count = 0
        self._known = frozenset(schema["properties"])
        self._invalid: Invalid = []
        self._plan = Compiler(schema, self._invalid).plan(schema)
        self._left_out = frozenset(nested.list_field for nested in nested_in(stream.name)) | SECRETS
        self._stripe_key = [name for name in stream.key if name != ACCOUNT]

    def record(self, value: Json, context: RecordContext, updated: int = 0) -> Json | None:
        """Convert an object to a record in place; None if it does not belong to this stream.

        `updated` is the newest change of the object in unix seconds, if it is not the context's.
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
        """Remove the fields that the schema does not contain; return those to keep.

        None are kept of a deleted object. Its event has the account's API version, which is
        usually older, so its unknown fields are old ones.
        """
        additional = {}
        for name in value.keys() - self._known:
            field = value.pop(name)
            if name not in self._left_out and context.deleted_at is None:
                additional[name] = without_secrets(field)
                self.unknown.add(name)
        return additional

    def _invalid_fields(self, name: str, account: str) -> Json:
        """Return the invalid times by path, and record the row for the log."""
        found: dict[str, list[object]] = {}
        for path, value in self._invalid:
            found.setdefault(path, []).append(value)
        self._invalid.clear()
        self._invalid_count += 1
        if len(self._invalid_rows) < MAX_ROWS_NAMED:
            self._invalid_rows.append(f"{', '.join(found)} of {name} ({account})")
        return {path: some[0] if len(some) == 1 else some for path, some in found.items()}

    def warnings(self) -> list[str]:
        """Return log lines about rows with invalid times."""
        if not self._invalid_rows:
            return []
        rows = "; ".join(self._invalid_rows)
        more = self._invalid_count - len(self._invalid_rows)
        others = f"; and {more} more rows" if more else ""
        what = "invalid times are null, and their values are in additional_fields"
        return [f"{self.stream.name}: {what}: {rows}{others}"]


class Records:
    """Converts the objects of a list to records of the selected streams."""

    def __init__(self, converters: Mapping[str, Converter]) -> None:
        self.converters = converters

    def of(
        self, listed: Listed, streams: frozenset[str], value: Json, context: RecordContext
    ) -> Iterator[tuple[str, Json]]:
        """Yield the records of one listed object, each with its stream's name.

        The newest change in `context` also applies to the objects nested inside.
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
        """Return the record of an object nested in `parent`."""
        child[nested.parent_field] = child.get(nested.parent_field) or parent.get("id")
        return self.converters[nested.name].record(child, context, updated)


def nested_objects(value: Mapping[str, Any], nested: Nested) -> list[Json]:
    """Return the objects in a nested list; none if Stripe sent something else."""
    found = value.get(nested.list_field)
    held = found.get("data") if isinstance(found, dict) else None
    return [child for child in held if isinstance(child, dict)] if isinstance(held, list) else []
