"""Parsing of query strings as at Stripe."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qsl

from tap_stripe_connect.simulator import errors
from tap_stripe_connect.simulator.collection import Span
from tap_stripe_connect.simulator.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

Parameter: TypeAlias = "str | list[str] | dict[str, str]"

NAME = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<key>.*)\])?", re.DOTALL)
INTEGER = re.compile(r"-?[0-9]{1,15}")
DEFAULT_LIMIT = 10
MAXIMUM_LIMIT = 100


def pairs(query: str) -> list[tuple[str, str]]:
    """Decode a query string, keeping order and empty values."""
    return parse_qsl(query, keep_blank_values=True)


def gather(given: Sequence[tuple[str, str]]) -> dict[str, Parameter]:
    """Collect `a[]=` and `a[0]=` as lists, `a[b]=` as dicts, and the last value of plain names."""
    gathered: dict[str, Parameter] = {}
    for full_name, value in given:
        parts = NAME.fullmatch(full_name)
        if parts is None:
            raise errors.unknown_parameter(full_name)
        name, key = parts["name"], parts["key"]
        held = gathered.get(name)
        if key is None:
            if isinstance(held, (list, dict)):
                raise _mixed(name)
            gathered[name] = value
        elif not key or key.isdigit():
            if held is None:
                held = gathered[name] = []
            if not isinstance(held, list):
                raise _mixed(name)
            held.append(value)
        else:
            if held is None:
                held = gathered[name] = {}
            if not isinstance(held, dict):
                raise _mixed(name)
            held[key] = value
    return gathered


def _mixed(name: str) -> ApiError:
    return ApiError(400, f"Invalid {name}: its values contradict each other", param=name)


def text(name: str, given: Parameter) -> str:
    """Return a plain value."""
    if not isinstance(given, str):
        raise ApiError(400, f"Invalid string: {given}", param=name)
    if not given:
        raise errors.empty_parameter(name)
    return given


def texts(name: str, given: Parameter, most: int | None = None) -> list[str]:
    """Return a list of values, at most `most`."""
    if not isinstance(given, list):
        raise ApiError(400, "Invalid array", param=name)
    if most is not None and len(given) > most:
        raise ApiError(400, f"Array {name} must have at most {most} elements", param=name)
    return [text(f"{name}[{index}]", value) for index, value in enumerate(given)]


def integer(name: str, given: Parameter) -> int:
    """Return an integer."""
    value = text(name, given)
    if not INTEGER.fullmatch(value):
        raise errors.invalid_integer(name, value)
    return int(value)


def flag(name: str, given: Parameter) -> bool:
    """Return true or false."""
    value = text(name, given)
    if value not in {"true", "false"}:
        raise ApiError(400, f"Invalid boolean: {value}", param=name)
    return value == "true"


def choice(name: str, given: Parameter, choices: Collection[str]) -> str:
    """Return one of the choices."""
    value = text(name, given)
    if value not in choices:
        listed = ", ".join(choices)
        raise ApiError(400, f"Invalid {name}: must be one of {listed}", param=name)
    return value


def limit(given: Parameter | None) -> int:
    """Return the page size."""
    if given is None:
        return DEFAULT_LIMIT
    value = integer("limit", given)
    if not 1 <= value <= MAXIMUM_LIMIT:
        raise ApiError(
            400,
            f"This value must be between 1 and {MAXIMUM_LIMIT} (it currently is '{value}').",
            code="parameter_invalid_integer",
            param="limit",
        )
    return value


def span(name: str, given: Parameter) -> Span:
    """Return the range of a time filter; a bare number is that second."""
    if isinstance(given, str):
        moment = integer(name, given)
        return Span(moment, moment + 1)
    if isinstance(given, list):
        raise ApiError(400, "Invalid hash", param=name)
    covered = Span()
    for key, value in given.items():
        if key not in {"gt", "gte", "lt", "lte"}:
            raise errors.unknown_parameter(f"{name}[{key}]")
        moment = integer(f"{name}[{key}]", value)
        if key.startswith("g"):
            covered &= Span(low=moment + (key == "gt"))
        else:
            covered &= Span(high=moment + (key == "lte"))
    return covered
