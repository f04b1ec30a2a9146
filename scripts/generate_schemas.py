"""Write the JSON schema of every stream, from the typed classes of the `stripe` package.

The classes are read, not run: their annotations name types that exist only while type checking.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import re
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import stripe
from stripe._object_classes import OBJECT_CLASSES

from tap_stripe_connect.catalog import API_VERSION, SECRETS, STREAMS, Listed, Nested

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Schema: TypeAlias = dict[str, Any]

SCHEMAS = Path(__file__).parents[1] / "tap_stripe_connect" / "schemas"

TIMES = frozenset(json.loads(Path(__file__).with_name("unix_times.json").read_text("utf-8")))
"""Names of the integers that are unix times, which Stripe's types don't tell."""
LOOKS_LIKE_TIME = re.compile(
    r"^\w*_(at|date|on|time|timestamp|until)\b|\b(epoch|unix)\b", re.IGNORECASE
)
"""Matched against the name and the description of an integer."""

STRING: Schema = {"type": "string"}
DATE_TIME: Schema = {"type": "string", "format": "date-time"}
# Without `properties`: where there are any, even none by name, flattening keeps those alone.
OPEN_OBJECT: Schema = {"type": "object", "additionalProperties": True}

SIMPLE: Mapping[str, Schema] = {
    "Decimal": STRING,  # exact
    "bool": {"type": "boolean"},
    "float": {"type": "number"},
    "int": {"type": "integer"},
    "str": STRING,
}
GENERIC: Mapping[str, Schema | None] = {
    "ExpandableField": STRING,
    "ListObject": None,  # has an endpoint, and if wanted a stream, of its own
    "Literal": STRING,
    "UntypedStripeObject": OPEN_OBJECT,
}

TAP_COLUMNS: Mapping[str, Schema] = {
    "account_id": STRING,
    "updated_at": DATE_TIME,
    "_sdc_deleted_at": DATE_TIME,
    "additional_fields": OPEN_OBJECT,
}


class SchemaError(Exception):
    """The `stripe` package holds something that the rules for schemas don't cover."""


@dataclass(frozen=True)
class Class:
    """A class of the `stripe` package: a resource, or a part of one that is nested in it."""

    module: str
    definition: ast.ClassDef

    @property
    def is_resource(self) -> bool:
        """Whether its objects also exist outside of others."""
        return self.definition in parsed(self.module).classes.values()

    def named(self, name: str) -> Class:
        """Find the class that this one's annotations call `name`."""
        module = parsed(self.module)
        for classes in (classes_in(self.definition), module.classes):
            if name in classes:
                return Class(self.module, classes[name])
        if name not in module.imports:
            raise SchemaError(f"{self.module} uses a type that it does not name: {name}")
        return resource(*module.imports[name])

    def fields(self) -> list[Field]:
        """Return `id` and `object`, then the other fields in Stripe's order.

        Constants of the class are annotated too, but named in capitals.
        """
        body = self.definition.body
        found = []
        for statement, following in zip(body, [*body[1:], ast.Pass()], strict=True):
            match statement:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=type_) if name.islower():
                    found.append(Field(self, name, type_, docstring(following)))
        return sorted(found, key=lambda one: {"id": 0, "object": 1}.get(one.name, 2))


@dataclass(frozen=True)
class Field:
    """A field as its class declares it."""

    owner: Class
    name: str
    type: ast.expr
    doc: str


@dataclass(frozen=True)
class Module:
    """A module's classes, and where the ones it imports are from, by the names it uses."""

    classes: Mapping[str, ast.ClassDef]
    imports: Mapping[str, tuple[str, str]]


@cache
def parsed(name: str) -> Module:
    """Read a module of the `stripe` package."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise SchemaError(f"there is no module {name}")
    tree = ast.parse(Path(spec.origin).read_text("utf-8"))
    imports = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    return Module(classes_in(tree), imports)


def classes_in(node: ast.Module | ast.ClassDef) -> dict[str, ast.ClassDef]:
    """Return the classes defined directly in a module or class, by name."""
    return {inner.name: inner for inner in node.body if isinstance(inner, ast.ClassDef)}


def resource(module: str, name: str) -> Class:
    """Find a resource by where it is defined."""
    try:
        return Class(module, parsed(module).classes[name])
    except KeyError:
        raise SchemaError(f"{module} defines no class {name}") from None


def docstring(statement: ast.stmt) -> str:
    """Return the text of a statement that is nothing else."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text
    return ""


def members(node: ast.expr) -> Sequence[ast.expr]:
    """Return the types that stand in the brackets of a generic type."""
    return node.elts if isinstance(node, ast.Tuple) else [node]


def embedded(node: ast.expr, owner: Class) -> Iterator[Class]:
    """Yield the classes whose objects, not just ids or lists, come with a value of the type."""
    match node:
        case ast.Name(id=name) | ast.Constant(value=str(name)) if name not in SIMPLE:
            yield owner.named(name)
        case ast.Subscript(value=ast.Name(id="List" | "Optional" | "Union"), slice=inner):
            for member in members(inner):
                yield from embedded(member, owner)


@cache
def reachable(start: Class) -> frozenset[Class]:
    """Return the classes whose objects can come inside those of `start`, at any depth."""
    found: set[Class] = set()
    waiting = [start]
    while waiting:
        owner = waiting.pop()
        inside = {one for item in owner.fields() for one in embedded(item.type, owner)}
        waiting.extend(inside - found)
        found |= inside
    return frozenset(found)


def nullable(schema: Schema) -> Schema:
    """Let the value also be null."""
    return {**schema, "type": [schema["type"], "null"]}


@dataclass(frozen=True)
class Builder:
    """Builds the schema of one stream's objects, and collects paths with something special."""

    verbatim: frozenset[str] = frozenset()
    unasked: frozenset[str] = frozenset()
    expandable: list[str] = field(default_factory=list)
    """What can be an id or an object."""
    whole: list[str] = field(default_factory=list)
    """Open objects that can be whole Stripe objects, so that secrets have to be looked for."""
    missed: set[str] = field(default_factory=set)
    """Those of `unasked` that there were."""

    def properties(self, owner: Class, prefix: str = "") -> dict[str, Schema]:
        """Return the schemas of a class's fields."""
        found = {}
        for item in owner.fields():
            path = prefix + item.name
            if path in self.unasked:
                self.missed.add(path)
                continue
            if item.name == "deleted" or item.name in SECRETS:  # `_sdc_deleted_at` says the former
                continue
            if path in self.verbatim:
                schema: Schema | None = self.open(path)
            else:
                schema = self.value(item.type, item, path)
            if schema is not None:
                found[item.name] = nullable(schema)
        return found

    def value(self, node: ast.expr, item: Field, path: str) -> Schema | None:
        """Return the schema of a value that is not null, or nothing where it is left out."""
        match node:
            case ast.Name(id=name) if name in SIMPLE:
                return self.simple(name, item, path)
            case ast.Name(id=name) | ast.Constant(value=str(name)):
                return self.object(item.owner.named(name), item, path)
            case ast.Subscript(value=ast.Name(id="Optional" | "Union"), slice=inner):
                return self.union(members(inner), item, path)
            case ast.Subscript(value=ast.Name(id="List"), slice=inner):
                items = self.value(inner, item, f"{path}[]")
                return items and {"type": "array", "items": items}
            case ast.Subscript(value=ast.Name(id=name)) if name in GENERIC:
                if name == "ExpandableField":
                    self.expandable.append(path)
                return GENERIC[name]
        raise SchemaError(f"{path}: no rule for the type {ast.unparse(node)}")

    def simple(self, name: str, item: Field, path: str) -> Schema:
        """Tell unix times from other integers; one that only looks like a time is an error."""
        if name == "int" and item.name in TIMES:
            return DATE_TIME
        if name == "int" and LOOKS_LIKE_TIME.search(f"{item.name} {item.doc}"):
            raise SchemaError(f"{path} looks like a unix time, but unix_times.json lacks it")
        return SIMPLE[name]

    def union(self, types: Sequence[ast.expr], item: Field, path: str) -> Schema | None:
        """Join an open enum to a string, and objects of several kinds to an open object."""
        if len(types) > 1 and all(any(embedded(node, item.owner)) for node in types):
            return self.open(path)
        first, *others = (self.value(node, item, path) for node in types)
        if any(other != first for other in others):
            raise SchemaError(f"{path}: no rule for a union of different types")
        return first

    def object(self, inner: Class, item: Field, path: str) -> Schema:
        """Return the fields of an object, or leave it open where they would not end."""
        if inner.is_resource:
            # An error carries whole objects, as they were when it happened.
            of_error = item.owner.definition.name.endswith("Error")
            if of_error or inner in reachable(inner):
                return self.open(path)
        properties = self.properties(inner, f"{path}.")
        return {"type": "object", "properties": properties} if properties else OPEN_OBJECT

    def open(self, path: str) -> Schema:
        """Return the schema of what can be a whole object of several kinds."""
        self.whole.append(path)
        return OPEN_OBJECT


def stream_schema(stream: Listed | Nested) -> Schema:
    """Return the schema of one stream."""
    owner = resource(*OBJECT_CLASSES[stream.object])
    verbatim = stream.verbatim if isinstance(stream, Listed) else frozenset()
    builder = Builder(verbatim, stream.unasked)
    stripes = builder.properties(owner)
    if taken := sorted(stripes.keys() & TAP_COLUMNS):
        raise SchemaError(f"{stream.name}: Stripe has fields named like the tap's own: {taken}")
    gone = stream.unasked - builder.missed
    if unknown := sorted({*stream.key, *verbatim, *gone} - {*stripes, *TAP_COLUMNS}):
        raise SchemaError(f"{stream.name}: Stripe has no fields {unknown}")
    first, *last = ((name, nullable(schema)) for name, schema in TAP_COLUMNS.items())
    properties = dict([first, *stripes.items()])
    properties.setdefault("livemode", nullable(SIMPLE["bool"]))
    properties.update(last)
    properties.update(dict.fromkeys(stream.key, STRING))
    return {
        "type": "object",
        "properties": properties,
        "required": list(stream.key),
        "x-expandable": builder.expandable,
        "x-whole": builder.whole,
    }


def texts() -> dict[str, str]:
    """Return what the schema files should hold, by file name."""
    if stripe.api_version != API_VERSION:
        raise SchemaError(
            f"the stripe package is for API version {stripe.api_version}, the tap for {API_VERSION}"
        )
    return {
        f"{stream.name}.json": json.dumps(stream_schema(stream), indent=2) + "\n"
        for stream in STREAMS
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files that changed, or with `--check` name them; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on stale files")
    check = parser.parse_args(arguments).check
    try:
        wanted = texts()
    except SchemaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    present = {path.name: path.read_text("utf-8") for path in SCHEMAS.glob("*.json")}
    stale = sorted(name for name in wanted | present if wanted.get(name) != present.get(name))
    for name in stale:
        print(f"stale: {name}")
        if check:
            continue
        if name in wanted:
            (SCHEMAS / name).write_text(wanted[name], "utf-8", newline="\n")
        else:
            (SCHEMAS / name).unlink()
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
