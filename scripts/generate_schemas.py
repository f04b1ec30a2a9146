"""Write the JSON schema of every stream, from the typed classes of the `stripe` package.

The classes are read, not run: their annotations name types that exist only while type checking.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import stripe
from stripe._object_classes import OBJECT_CLASSES

from scripts import generated
from scripts.stripe_package import PackageError, embedded, members, reachable, resource
from tap_stripe_connect.catalog import API_VERSION, SECRETS, STREAMS, Listed, Nested, columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.stripe_package import Class, Field

Schema: TypeAlias = dict[str, Any]

SCHEMAS = Path(__file__).parents[1] / "tap_stripe_connect" / "schemas"

TIMES = frozenset(json.loads(Path(__file__).with_name("unix_times.json").read_text("utf-8")))
"""Names of integers that are unix times, which Stripe's types do not mark."""
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

COLUMN_TYPES: Mapping[str, Schema] = {
    "boolean": SIMPLE["bool"],
    "date-time": DATE_TIME,
    "object": OPEN_OBJECT,
    "string": STRING,
}
TAP_COLUMNS: Mapping[str, Schema] = {
    column.name: COLUMN_TYPES[column.type] for column in columns.OWN
}
"""Columns that the tap adds to Stripe's objects."""


class SchemaError(PackageError):
    """The `stripe` package has a type that the rules for schemas do not cover."""


def nullable(schema: Schema) -> Schema:
    """Return a schema that also allows null."""
    return {**schema, "type": [schema["type"], "null"]}


@dataclass(frozen=True)
class Builder:
    """Builds the schema of one stream's objects, and collects special paths."""

    verbatim: frozenset[str] = frozenset()
    unasked: frozenset[str] = frozenset()
    expandable: list[str] = field(default_factory=list)
    """Values that can be an id or an object."""
    whole: list[str] = field(default_factory=list)
    """Open objects that can be whole Stripe objects, so that they may contain secrets."""
    missed: set[str] = field(default_factory=set)
    """The paths of `unasked` that were found."""

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
        """Return the schema of a value that is not null, or None if it is omitted."""
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
        """Return the schema of an integer or unix time; raise an error if it is ambiguous."""
        if name == "int" and item.name in TIMES:
            return DATE_TIME
        if name == "int" and LOOKS_LIKE_TIME.search(f"{item.name} {item.doc}"):
            raise SchemaError(f"{path} looks like a unix time, but unix_times.json lacks it")
        return SIMPLE[name]

    def union(self, types: Sequence[ast.expr], item: Field, path: str) -> Schema | None:
        """Return a string for an open enum, and an open object for several kinds of objects."""
        if len(types) > 1 and all(any(embedded(node, item.owner)) for node in types):
            return self.open(path)
        first, *others = (self.value(node, item, path) for node in types)
        if any(other != first for other in others):
            raise SchemaError(f"{path}: no rule for a union of different types")
        return first

    def object(self, inner: Class, item: Field, path: str) -> Schema:
        """Return the schema of an object, which is open if its fields recurse."""
        if inner.is_resource:
            # An error carries whole objects, as they were when it happened.
            of_error = item.owner.definition.name.endswith("Error")
            if of_error or inner in reachable(inner):
                return self.open(path)
        properties = self.properties(inner, f"{path}.")
        return {"type": "object", "properties": properties} if properties else OPEN_OBJECT

    def open(self, path: str) -> Schema:
        """Return the schema of a value that can be an object of several kinds."""
        self.whole.append(path)
        return OPEN_OBJECT


def stream_schema(stream: Listed | Nested) -> Schema:
    """Return the schema of one stream."""
    owner = resource(*OBJECT_CLASSES[stream.object])
    verbatim = stream.verbatim if isinstance(stream, Listed) else frozenset()
    builder = Builder(verbatim, stream.unasked)
    stripes = builder.properties(owner)
    if isinstance(stream, Nested) and stream.parent_field not in stripes:
        id_, object_, *others = {**stripes, stream.parent_field: nullable(STRING)}.items()
        stripes = dict([id_, object_, *sorted(others)])
    if taken := sorted(stripes.keys() & TAP_COLUMNS):
        raise SchemaError(f"{stream.name}: Stripe has fields named like the tap's own: {taken}")
    gone = stream.unasked - builder.missed
    if unknown := sorted({*stream.key, *verbatim, *gone} - {*stripes, *TAP_COLUMNS}):
        raise SchemaError(f"{stream.name}: Stripe has no fields {unknown}")
    first, *last = ((name, nullable(schema)) for name, schema in TAP_COLUMNS.items())
    properties = dict([first, *stripes.items()])
    for column in columns.SHARED:
        properties.setdefault(column.name, nullable(COLUMN_TYPES[column.type]))
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
    """Return the contents of the schema files, by file name."""
    if stripe.api_version != API_VERSION:
        raise SchemaError(
            f"the stripe package is for API version {stripe.api_version}, the tap for {API_VERSION}"
        )
    return {
        f"{stream.name}.json": json.dumps(stream_schema(stream), indent=2) + "\n"
        for stream in STREAMS
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write changed files, or with `--check` name them; return the exit code."""
    return generated.main(__doc__, SCHEMAS, "*.json", texts, arguments)


if __name__ == "__main__":
    sys.exit(main())
