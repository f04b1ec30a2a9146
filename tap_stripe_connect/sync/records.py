"""Stripe objects into records: times, ids, accounts and children, by a plan for each stream."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.catalog import nested_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tap_stripe_connect.catalog import Listed, Nested

Json = dict[str, Any]
Step = tuple[str, "Callable[[Any], Any]"]


def date_time(value: object) -> object:
    """Return unix seconds as an ISO 8601 date-time in UTC; anything else as it is."""
    return _iso(value) if type(value) is int else value


@lru_cache(maxsize=4096)
def _iso(seconds: int) -> object:
    # A row says the same moment several times.
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return seconds


def reference(value: object) -> object:
    """Return the id of what Stripe sent as an id or as the object itself (B8)."""
    return value.get("id") if isinstance(value, dict) else value


def steps(schema: Mapping[str, Any], expandable: frozenset[str], prefix: str = "") -> list[Step]:
    """Return what to do with which properties of an object; the others stay as they are.

    `expandable` holds the paths of id-or-object fields, such as `discounts[]` or `card.mandate`.
    """
    found = []
    for name, definition in schema.get("properties", {}).items():
        convert = _conversion(definition, expandable, f"{prefix}{name}")
        if convert:
            found.append((name, convert))
    return found


def _conversion(
    definition: Mapping[str, Any], expandable: frozenset[str], path: str
) -> Callable[[Any], Any] | None:
    if definition.get("format") == "date-time":
        return date_time
    if path in expandable:
        return reference
    if "items" in definition:
        convert = _conversion(definition["items"], expandable, f"{path}[]")
        return _for_each(convert) if convert else None
    if inner := steps(definition, expandable, f"{path}."):
        return _inside(inner)
    return None


def _for_each(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def convert_all(value: object) -> object:
        if not isinstance(value, list):
            return value
        return [convert(item) if item is not None else None for item in value]

    return convert_all


def _inside(inner: Sequence[Step]) -> Callable[[Any], Any]:
    def convert_object(value: object) -> object:
        if isinstance(value, dict):
            apply(inner, value)
        return value

    return convert_object


def apply(plan: Sequence[Step], value: Json) -> None:
    """Convert the properties of `value` that the plan names, in place."""
    for name, convert in plan:
        given = value.get(name)
        # Most of what could be an object is the id of one, and stays as it is.
        if given is not None and type(given) is not str:
            value[name] = convert(given)


@dataclass(slots=True)
class Facts:
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
        """Fields that Stripe sent and the schema does not know yet (B9)."""
        self.unusable = 0
        """Objects that are of another kind or lack a part of the key (A11, A21, B6)."""
        self._known = frozenset(schema["properties"])
        self._steps = steps(schema, frozenset(schema.get("x-expandable", ())))
        self._left_out = frozenset(nested.list_field for nested in nested_in(stream.name))
        self._stripe_key = [name for name in stream.key if name != "account_id"]

    def record(self, value: Json, facts: Facts, updated: int = 0) -> Json | None:
        """Turn one object into a record, in place; None if it cannot be one of this stream.

        `updated` is its own newest change, in unix seconds, where that is not what facts say.
        """
        if value.get("object") != self.stream.object or not all(
            value.get(name) for name in self._stripe_key
        ):
            self.unusable += 1
            return None
        additional = {} if value.keys() <= self._known else self._unknown_fields(value)
        apply(self._steps, value)
        value["account_id"] = facts.account
        if value.get("livemode") is None:
            value["livemode"] = facts.livemode
        value["updated_at"] = date_time(updated or facts.updated)
        value["_sdc_deleted_at"] = date_time(facts.deleted_at)
        value["additional_fields"] = additional or None
        return value

    def _unknown_fields(self, value: Json) -> Json:
        """Take out what the schema does not know, and return it but for nested lists."""
        additional = {}
        for name in value.keys() - self._known:
            field = value.pop(name)
            if name not in self._left_out:
                additional[name] = field
                self.unknown.add(name)
        return additional


class Records:
    """Makes the records of the selected streams from the objects of a list."""

    def __init__(self, converters: Mapping[str, Converter]) -> None:
        """Use one converter for each selected stream."""
        self.converters = converters

    def of(
        self, listed: Listed, streams: frozenset[str], value: Json, facts: Facts
    ) -> Iterator[tuple[str, Json]]:
        """Yield the records that one listed object gives, each with its stream's name.

        `facts` tell of the object; its newest change counts for what is nested in it, too.
        """
        for nested in nested_in(listed.name):
            if nested.name not in streams:
                continue
            livemode = value.get("livemode")
            if livemode is not None:
                facts = replace(facts, livemode=livemode)
            for child in nested_objects(value, nested):
                created = child.get("created")
                created = created if type(created) is int else 0
                newest = max(created, facts.updated or 0)
                record = self.nested_record(nested, child, value, facts, newest)
                if record:
                    yield nested.name, record
        if listed.name in streams:
            record = self.converters[listed.name].record(value, facts)
            if record:
                yield listed.name, record

    def nested_record(
        self,
        nested: Nested,
        child: Json,
        parent: Mapping[str, Any],
        facts: Facts,
        updated: int = 0,
    ) -> Json | None:
        """Return the record of an object that was found in its parent."""
        child[nested.parent_field] = child.get(nested.parent_field) or parent.get("id")
        return self.converters[nested.name].record(child, facts, updated)


def nested_objects(value: Mapping[str, Any], nested: Nested) -> list[Json]:
    """Return the objects in a nested list; none where Stripe sent something else (B6)."""
    found = value.get(nested.list_field)
    held = found.get("data") if isinstance(found, dict) else None
    return [child for child in held if isinstance(child, dict)] if isinstance(held, list) else []
