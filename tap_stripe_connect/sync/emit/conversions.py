"""Conversion of the fields of Stripe's objects, with a plan compiled from each schema."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.catalog import SECRETS, TAP_COLUMNS
from tap_stripe_connect.sync.state.ranges import EARLIEST, LATEST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Convert = Callable[[Any], Any]

Json = dict[str, Any]
Invalid = list[tuple[str, object]]
"""Values of time fields that are no times, with their paths."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_DEPTH = 30
"""Maximum depth of the search for secrets; Stripe's objects have about ten levels."""


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
