"""Rendering of stored objects: truncated nested lists and expanded fields."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from tap_stripe_connect.catalog import LISTED, STREAMS, Listed, nested_in
from tap_stripe_connect.catalog.endpoints import FACTS
from tap_stripe_connect.simulator.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Find = Callable[[str, str], dict[str, Any] | None]

EMBEDDED = 10
"""Number of items of a nested list that are embedded in its parent."""
EXPANSION_DEPTH = 4

NESTED_LISTS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        listed.object: tuple(
            (nested.list_field, nested.facts.url) for nested in nested_in(listed.name)
        )
        for listed in LISTED.values()
    }
)
"""Fields with nested lists, and the URL of all their items, by object."""

LISTED_OBJECTS = frozenset(listed.object for listed in LISTED.values())
"""The kinds of objects in the simulator."""

EXPANDABLE: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        object_: {
            path.replace("[]", ""): known
            for path, targets in facts.expandable.items()
            if (known := tuple(name for name in targets if name in LISTED_OBJECTS))
        }
        for object_, facts in FACTS.objects.items()
    }
)
"""Fields with ids of other objects in the simulator, by object."""


INCLUDABLE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        stream.object: frozenset(
            path.replace("[]", "")
            for path in (*(stream.expand if isinstance(stream, Listed) else ()), *stream.unasked)
        )
        for stream in STREAMS
    }
    | {"invoice": frozenset({"confirmation_secret"})}
)
"""Fields that are only included when expanded, by object."""


def encode(document: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return the JSON of a document, whole and as Stripe shows it without expansion."""
    whole = dict(document)
    cut = _unexpanded(document)
    for field, template in NESTED_LISTS.get(document["object"], ()):
        held = document.get(field)
        if not isinstance(held, dict):
            continue
        items = held.get("data") or []
        shown = [_unexpanded(item) for item in items[:EMBEDDED]]
        url = template.format_map({"id": "upcoming", **document})
        whole[field] = {"object": "list", "data": items, "has_more": False, "url": url}
        cut[field] = whole[field] | {"data": shown, "has_more": len(items) > EMBEDDED}
    encoded = msgspec.json.encode(whole)
    return encoded, encoded if cut == whole else msgspec.json.encode(cut)


def _unexpanded(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object without its includable fields and those of its parts."""
    shown: dict[str, Any] = dict(document)
    for path in INCLUDABLE.get(document.get("object", ""), ()):
        shown = without(shown, path)
    for name in ("plan", "price"):
        if isinstance(part := shown.get(name), dict):
            shown[name] = _unexpanded(part)
    return shown


def check_expansion(object_: str, path: str, prefix: str) -> None:
    """Raise ApiError if a path cannot be expanded; in lists, paths start with `data.`."""
    if path.count(".") >= EXPANSION_DEPTH:
        raise ApiError(
            400,
            f"You cannot expand more than {EXPANSION_DEPTH} levels of a property. Property: {path}",
            param="expand",
        )
    if not path.startswith(prefix):
        raise _not_expandable(path)
    if not _is_expandable(object_, path.removeprefix(prefix)):
        raise _not_expandable(path)


def _is_expandable(object_: str, path: str) -> bool:
    """Return whether a path can be expanded through any kind of object on its way."""
    if path in INCLUDABLE.get(object_, ()):
        return True
    return any(
        rest is None or any(_is_expandable(target, rest) for target in targets)
        for _, targets, rest in _steps(object_, path)
    )


def expand(document: dict[str, Any], path: str, find: Find) -> None:
    """Replace ids at a path by the whole objects that `find` returns."""
    object_ = document["object"]
    if path in INCLUDABLE.get(object_, ()):
        _include(document, find(object_, document["id"]) or {}, path.split("."))
        return
    for field, targets, rest in _steps(object_, path):
        *way, last = field.split(".")
        for holder in _holders(document, way):
            held = holder.get(last)
            if isinstance(held, list):
                holder[last] = [_expanded(one, targets, rest, find) for one in held]
            elif held is not None:
                holder[last] = _expanded(held, targets, rest, find)


def _expanded(held: Any, targets: tuple[str, ...], rest: str | None, find: Find) -> Any:  # noqa: ANN401 - JSON
    """Return the replacement of an id, or of an object that is already expanded."""
    if isinstance(held, str):
        found = (find(target, held) for target in targets)
        held = next((one for one in found if one is not None), held)
    if isinstance(held, dict) and rest is not None and "deleted" not in held:
        expand(held, rest, find)
    return held


def without(value: Any, path: str) -> Any:  # noqa: ANN401 - JSON
    """Return a copy of a value without the one at a path."""
    first, _, rest = path.partition(".")
    if isinstance(value, list):
        return [without(item, path) for item in value]
    if not isinstance(value, dict) or first not in value:
        return value
    if rest:
        return value | {first: without(value[first], rest)}
    return {name: inner for name, inner in value.items() if name != first}


def _include(shown: Any, whole: Any, way: list[str]) -> None:  # noqa: ANN401 - JSON
    """Copy the value at a path from the whole object."""
    first, *rest = way
    if not isinstance(shown, dict) or not isinstance(whole, dict) or first not in whole:
        return
    if rest:
        _include(shown.get(first), whole[first], rest)
    else:
        shown[first] = whole[first]


def _holders(value: object, way: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the objects at a path, also within lists."""
    if isinstance(value, list):
        for item in value:
            yield from _holders(item, way)
    elif isinstance(value, dict):
        if way:
            yield from _holders(value.get(way[0]), way[1:])
        else:
            yield value


def _steps(object_: str, path: str) -> Iterator[tuple[str, tuple[str, ...], str | None]]:
    """Yield the fields that a path can start with, their kinds of objects, and the rest."""
    for field, targets in EXPANDABLE.get(object_, {}).items():
        if path == field:
            yield field, targets, None
        elif path.startswith(f"{field}."):
            yield field, targets, path[len(field) + 1 :]


def _not_expandable(path: str) -> ApiError:
    return ApiError(400, f"This property cannot be expanded ({path}).", param="expand")
