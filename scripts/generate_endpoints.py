"""Write the parameters and objects of Stripe's lists, and the objects of its events.

All of it is read from the `stripe` package, as the schemas are.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import stripe

from scripts import generated
from scripts.stripe_events import event_types
from scripts.stripe_package import PLAIN, Class, PackageError, reachable
from scripts.stripe_services import BOUNDS, lists, object_name, objects, requests, typed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from scripts.stripe_services import Get, Kind

CATALOG = Path(__file__).parents[1] / "tap_stripe_connect" / "catalog"
LEVELS = 4
"""Maximum depth of expansion at Stripe."""
FRAME = ("starting_after", "ending_before", "limit", "expand")
"""Parameters for the presentation of a list, not its filters."""
USUAL = ("id", "created", "livemode")
"""Fields that nearly all objects have."""
BOUND_BY = {"after": "gt", "before": "lt"} | {bound: bound for bound in BOUNDS}
"""Bounds of parameters that begin with `created_`."""


# Lists


def list_facts(get: Get) -> dict[str, Any]:
    """Return the facts of a list, without empty ones."""
    kinds = get.parameters
    times = created(kinds)
    apart = {*FRAME, "include", *([times] if isinstance(times, str) else times.values())}
    facts = {
        "objects": get.objects,
        "retrieve": retrieve(get.path),
        "takes": [name for name in FRAME if name in kinds],
        "created": times,
        "required": get.required,
        "filters": {name: kinds[name] for name in kinds if name not in apart},
        "include": included(get),
    }
    return {name: value for name, value in facts.items() if value}


def created(kinds: Mapping[str, Kind]) -> str | dict[str, str]:
    """Return the parameter for a range of creation times, or one parameter per bound.

    There are lists that have neither, which gives nothing.
    """
    if kinds.get("created") == "range":
        return "created"
    ends = {name: name.removeprefix("created_") for name in kinds if name.startswith("created_")}
    return {BOUND_BY[end]: name for name, end in ends.items() if end in BOUND_BY}


def included(get: Get) -> list[str]:
    """Return the fields that a v2 list includes only on request."""
    type_ = get.types.get("include", ast.Pass())
    texts = (node.value for node in ast.walk(type_) if isinstance(node, ast.Constant))
    return [text for text in texts if isinstance(text, str)]


def retrieve(path: str) -> str:
    """Return the path of one of a list's objects, or None."""
    below = re.compile(rf"{re.escape(path)}/{{\w+}}")
    found = [get.path for get in requests() if below.fullmatch(get.path)]
    if len(found) > 1:
        raise PackageError(f"{path}: its objects have several paths: {', '.join(found)}")
    return "".join(found)


# Objects


@cache
def classes() -> Mapping[str, Class]:
    """Return the classes of all listed objects, by object name."""
    found = {}
    for get in lists().values():
        for node in ast.walk(typed(get.items)):
            match node:
                case ast.Name(id=name) | ast.Constant(value=str(name)) if name != "Union":
                    owner = get.service.named(name)
                    found[object_name(owner)] = owner
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class Place:
    """A field, at any depth, with other objects or their ids."""

    path: str
    """With `[]` after arrays."""
    owner: Class
    generic: str
    """`ExpandableField` or `ListObject`."""
    inner: ast.expr
    optional: bool


def places(owner: Class, prefix: str = "") -> Iterator[Place]:
    """Yield the expandable fields of an object, and its nested lists."""
    for item in owner.fields():
        yield from _places(item.type, owner, prefix + item.name, optional=False)


def _places(node: ast.expr, owner: Class, path: str, *, optional: bool) -> Iterator[Place]:
    match node:
        case ast.Subscript(
            value=ast.Name(id="ExpandableField" | "ListObject" as generic), slice=inner
        ):
            yield Place(path, owner, generic, inner, optional)
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            yield from _places(inner, owner, path, optional=True)
        case ast.Subscript(value=ast.Name(id="List"), slice=inner):
            yield from _places(inner, owner, f"{path}[]", optional=optional)
        case ast.Name(id=name) | ast.Constant(value=str(name)) if name not in PLAIN:
            inside = owner.named(name)
            if not (inside.is_resource and endless(inside, owner)):
                yield from places(inside, f"{path}.")


def endless(inside: Class, owner: Class) -> bool:
    """Return whether to stop at a nested object, because it can contain itself."""
    return owner.definition.name.endswith("Error") or inside in reachable(inside)


def object_facts(name: str, owner: Class) -> dict[str, Any]:
    """Return the expandable fields of an object, and its nested lists."""
    expandable = {}
    nested: dict[str, Any] = {}
    for place in places(owner):
        if place.path.count(".") >= LEVELS:
            continue
        held = objects(place.inner, place.owner)
        if place.generic == "ExpandableField":
            expandable[place.path] = held
        else:
            nested[place.path] = {"objects": held, "expand": place.optional}
            if field := parent_field(name, held):
                nested[place.path]["parent_field"] = field
            if url := nested_url(name, owner, place.path, held):
                nested[place.path]["url"] = url
    own = {item.name for item in owner.fields()}
    lacks = [name for name in USUAL if name not in own]
    facts = {"lacks": lacks, "expandable": expandable, "nested": nested}
    return {name: value for name, value in facts.items() if value}


def parent_field(parent: str, held: Collection[str]) -> str:
    """Return the field of nested objects with their parent's id, or None."""
    short = parent.rpartition(".")[2]
    found = []
    for owner in (classes()[name] for name in held):
        own = {item.name for item in owner.fields()}
        refers = [
            place.path
            for place in places(owner)
            if place.path in own and objects(place.inner, place.owner) == [parent]
        ]
        found.append(short if short in own else "".join(refers[:1]))
    return found[0] if len(set(found)) == 1 else ""


def nested_url(parent: str, owner: Class, field: str, held: Collection[str]) -> str:
    """Return the URL of a nested list, below its parent or filtered by it, or None."""
    short = parent.rpartition(".")[2]
    own = {item.name for item in owner.fields()}
    below = {re.sub(r"{\w+}", "{id}", path) for path in lists()}
    for above in paths_of(parent):
        url = f"{above}/{{id}}/{field.replace('.', '_')}"
        if url in below:
            return url
    for path, get in lists().items():
        if "{" in path or get.objects != held or short not in get.parameters:
            continue
        others = set(get.required) - {short}
        if others <= own:
            query = [*(f"{name}={{{name}}}" for name in sorted(others)), f"{short}={{id}}"]
            return f"{path}?{'&'.join(query)}"
    return ""


@cache
def paths_of(name: str) -> Collection[str]:
    """Return the paths of lists with one kind of objects."""
    return [path for path, get in lists().items() if get.objects == [name]]


# Files


def texts() -> dict[str, str]:
    """Return the contents of the files, by file name."""
    endpoints = {
        "api_version": stripe.api_version,
        "lists": {path: list_facts(get) for path, get in lists().items()},
        "objects": {name: object_facts(name, owner) for name, owner in classes().items()},
    }
    return {
        "endpoints.json": f"{written(endpoints, 3)}\n",
        "event_types.json": f"{written(event_types(), 1)}\n",
    }


def written(value: object, levels: int, margin: str = "") -> str:
    """Return JSON with a line for each key of the outer levels."""
    if not levels or not isinstance(value, dict) or not value:
        return json.dumps(value)
    inner = f"{margin}  "
    lines = [
        f"{inner}{json.dumps(name)}: {written(one, levels - 1, inner)}"
        for name, one in value.items()
    ]
    return "\n".join(["{", ",\n".join(lines), f"{margin}}}"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Write changed files, or with `--check` name them; return the exit code."""
    return generated.main(__doc__, CATALOG, "*.json", texts, arguments)


if __name__ == "__main__":
    sys.exit(main())
