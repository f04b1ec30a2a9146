"""Sample values, by what a schema says of a field: the same ones every time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIME = 1_600_000_000
_SPAN = 100_000_000
"""Seconds after `_TIME` that sample times lie in."""
_OPEN = {"key": "value"}


def fields(
    properties: Mapping[str, Any], expandable: frozenset[str] = frozenset(), prefix: str = ""
) -> dict[str, Any]:
    """Return a value for each property; `expandable` are the paths of ids of other objects."""
    return {
        name: _value(schema, expandable, f"{prefix}{name}") for name, schema in properties.items()
    }


def _value(schema: Mapping[str, Any], expandable: frozenset[str], path: str) -> Any:  # noqa: ANN401 - JSON
    number = crc32(path.encode())
    if "items" in schema:
        return [_value(schema["items"], expandable, f"{path}[]")]
    if inner := schema.get("properties"):
        return fields(inner, expandable, f"{path}.")
    if schema.get("format") == "date-time":
        return _TIME + number % _SPAN
    values: Mapping[str, Any] = {
        "boolean": number % 2 == 0,
        "integer": number % 10_000,
        "number": number % 10_000 / 100,
        "object": dict(_OPEN),
        "string": _text(path, number, expandable),
    }
    types = schema["type"]
    return values[types if isinstance(types, str) else types[0]]


def _text(path: str, number: int, expandable: frozenset[str]) -> str:
    name = path.rpartition(".")[2].removesuffix("[]")
    if path in expandable:
        return f"{name}_Sample{number:010}"
    if name == "currency":
        return "usd"
    return f"{number % 10_000}.5" if name.endswith("_decimal") else f"{name} {number % 1_000}"
