"""How stored documents look over HTTP: nested lists cut, fields expanded."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from tap_stripe_connect.catalog import LISTED, STREAMS, Listed, nested_in
from tap_stripe_connect.catalog.endpoints import FACTS
from tap_stripe_connect.simulator.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Find = Callable[[str, str], dict[str, Any] | None]

EMBEDDED = 10
"""How many items of a nested list Stripe sends inside its parent."""
EXPANSION_DEPTH = 4

NESTED_LISTS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        listed.object: tuple(
            (nested.list_field, nested.facts.url) for nested in nested_in(listed.name)
        )
        for listed in LISTED.values()
    }
)
"""Of each object, the fields that hold nested lists, and where the rest of their items is."""

HELD = frozenset(listed.object for listed in LISTED.values())
"""The objects that the simulator has."""

EXPANDABLE: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        object_: {
            path.replace("[]", ""): known
            for path, targets in facts.expandable.items()
            if (known := tuple(name for name in targets if name in HELD))
        }
        for object_, facts in FACTS.objects.items()
    }
)
"""Of each object, the fields that hold ids of objects the simulator has."""


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
"""Of each object, the fields that are only shown to those who expand them."""


def encode(document: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return the JSON of a document, whole and as Stripe shows it to those who expand nothing."""
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
    """Return an object less what is only shown to those who expand it, in its parts, too."""
    shown: dict[str, Any] = dict(document)
    for path in INCLUDABLE.get(document.get("object", ""), ()):
        shown = without(shown, path)
    for name in ("plan", "price"):
        if isinstance(part := shown.get(name), dict):
            shown[name] = _unexpanded(part)
    return shown


def check_expansion(object_: str, path: str, prefix: str) -> None:
    """Refuse what cannot be expanded; in lists, paths start with the prefix `data.`."""
    if path.count(".") >= EXPANSION_DEPTH:
        raise Refusal(
            400,
            f"You cannot expand more than {EXPANSION_DEPTH} levels of a property. Property: {path}",
            param="expand",
        )
    if not path.startswith(prefix):
        raise _not_expandable(path)
    if not _leads_somewhere(object_, path.removeprefix(prefix)):
        raise _not_expandable(path)


def _leads_somewhere(object_: str, path: str) -> bool:
    """Return whether a path can be expanded, through objects of any of the kinds on its way."""
    if path in INCLUDABLE.get(object_, ()):
        return True
    return any(
        rest is None or any(_leads_somewhere(target, rest) for target in targets)
        for _, targets, rest in _steps(object_, path)
    )


def expand(document: dict[str, Any], path: str, find: Find) -> None:
    """Put what `find` returns, whole, for an object's name and an id in the place of its id."""
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
    """Return what comes in the place of an id, or of an object that stands there already."""
    if isinstance(held, str):
        found = (find(target, held) for target in targets)
        held = next((one for one in found if one is not None), held)
    if isinstance(held, dict) and rest is not None and "deleted" not in held:
        expand(held, rest, find)
    return held


def without(value: Any, path: str) -> Any:  # noqa: ANN401 - JSON
    """Return a value without what lies at a path; the value itself stays as it is."""
    first, _, rest = path.partition(".")
    if isinstance(value, list):
        return [without(item, path) for item in value]
    if not isinstance(value, dict) or first not in value:
        return value
    if rest:
        return value | {first: without(value[first], rest)}
    return {name: inner for name, inner in value.items() if name != first}


def _include(shown: Any, whole: Any, way: list[str]) -> None:  # noqa: ANN401 - JSON
    """Put into an object what lies at a path in the whole one."""
    first, *rest = way
    if not isinstance(shown, dict) or not isinstance(whole, dict) or first not in whole:
        return
    if rest:
        _include(shown.get(first), whole[first], rest)
    else:
        shown[first] = whole[first]


def _holders(value: object, way: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the objects that a path leads to, through lists as well."""
    if isinstance(value, list):
        for item in value:
            yield from _holders(item, way)
    elif isinstance(value, dict):
        if way:
            yield from _holders(value.get(way[0]), way[1:])
        else:
            yield value


def _steps(object_: str, path: str) -> Iterator[tuple[str, tuple[str, ...], str | None]]:
    """Yield the fields that a path can start with, what objects they lead to, and the rest."""
    for field, targets in EXPANDABLE.get(object_, {}).items():
        if path == field:
            yield field, targets, None
        elif path.startswith(f"{field}."):
            yield field, targets, path[len(field) + 1 :]


def _not_expandable(path: str) -> Refusal:
    return Refusal(400, f"This property cannot be expanded ({path}).", param="expand")
