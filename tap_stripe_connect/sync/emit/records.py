"""Records: Stripe's objects with converted fields and the columns that the tap adds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.catalog import SECRETS, columns, nested_in
from tap_stripe_connect.sync.emit.conversions import Compiler, date_time, without_secrets
from tap_stripe_connect.sync.state.ranges import unix_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_stripe_connect.catalog import Listed, Nested
    from tap_stripe_connect.sync.emit.conversions import Invalid, Json

ACCOUNT, LIVEMODE = columns.ACCOUNT.name, columns.LIVEMODE.name
UPDATED, DELETED = columns.UPDATED.name, columns.DELETED.name
ADDITIONAL = columns.ADDITIONAL.name

MAX_ROWS_NAMED = 5
"""Maximum number of rows in a log line; the others are counted."""


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
