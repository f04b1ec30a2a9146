"""Deterministic sample values from a schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_TIME = 1_600_000_000
_SPAN = 100_000_000
"""Range of sample times after `_TIME`, in seconds."""
_OPEN = {"key": "value"}


def fields(
    properties: Mapping[str, Any],
    prefix: str = "",
    ids: Collection[str] = (),
    omitted: Collection[str] = (),
) -> dict[str, Any]:
    """Return a value for each property that is not omitted.

    `ids` are the paths of ids of other objects; all paths begin with the prefix.
    """
    return {
        name: _value(schema, f"{prefix}{name}", ids, omitted)
        for name, schema in properties.items()
        if f"{prefix}{name}" not in omitted
    }


def _value(
    schema: Mapping[str, Any], path: str, ids: Collection[str], omitted: Collection[str]
) -> Any:  # noqa: ANN401 - JSON
    number = crc32(path.encode())
    if "items" in schema:
        return [_value(schema["items"], f"{path}[]", ids, omitted)]
    if inner := schema.get("properties"):
        return fields(inner, f"{path}.", ids, omitted)
    if schema.get("format") == "date-time":
        return _TIME + number % _SPAN
    values: Mapping[str, Any] = {
        "boolean": number % 2 == 0,
        "integer": number % 10_000,
        "number": number % 10_000 / 100,
        "object": dict(_OPEN),
        "string": _text(path, number, ids),
    }
    types = schema["type"]
    return values[types if isinstance(types, str) else types[0]]


def _text(path: str, number: int, ids: Collection[str]) -> str:
    name = path.rpartition(".")[2].removesuffix("[]")
    if path in ids:
        return f"{name}_Sample{number:010}"
    if name == "currency":
        return "usd"
    return f"{number % 10_000}.5" if name.endswith("_decimal") else f"{name} {number % 1_000}"
