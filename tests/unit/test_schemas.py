"""The generated schemas: up to date, complete, and simple enough for every target."""

from __future__ import annotations

import ast
import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from stripe._object_classes import OBJECT_CLASSES

from scripts import generate_schemas, stripe_package
from tap_stripe_connect.catalog import SECRETS, STREAMS, Listed, Nested
from tap_stripe_connect.simulator.shapes import optional_paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
TAP_COLUMNS = {
    "account_id": "string",
    "livemode": "boolean",
    "updated_at": "date-time",
    "_sdc_deleted_at": "date-time",
    "additional_fields": "open object",
}
TYPES = {
    "boolean": "boolean",
    "const": "string",
    "decimal": "string",
    "empty_object": "open object",
    "enum": "string",
    "expandable": "string",
    "float": "number",
    "integer": "integer",
    "map": "open object",
    "string": "string",
}
LEFT_OUT = {"list", "void"}
"""Lists with their own endpoints, and `deleted`, which is always `true`."""

RINGS = """
class Outer:
    back: "Back"
    plain: "Plain"
    ring: Optional["Ring"]

class Back:
    outer: List["Outer"]

class Plain:
    id: str

class Ring:
    class Part:
        ring: Optional["Ring"]
    part: Part
"""
"""A module like those of the `stripe` package."""

every_stream = pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)


def load(stream: Listed | Nested) -> dict[str, Any]:
    """Return a stream's schema."""
    text = (ROOT / "tap_stripe_connect" / "schemas" / f"{stream.name}.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def walk(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path and the schema of everything inside a schema; `[]` is an array item."""
    children = [(f"{path}.{name}", child) for name, child in schema.get("properties", {}).items()]
    if "items" in schema:
        children.append((f"{path}[]", schema["items"]))
    for child_path, child in children:
        yield child_path.removeprefix("."), child
        yield from walk(child, child_path)


def hidden(stream: Listed | Nested, path: str) -> bool:
    """Return whether a path has no column, because it is a secret or would have to be expanded."""
    parts = path.replace("[]", "").split(".")
    unasked = tuple(f"{one}{end}" for one in stream.unasked for end in (".", "[]"))
    return bool(SECRETS & {*parts}) or path in stream.unasked or path.startswith(unasked)


def kind(schema: Mapping[str, Any]) -> str:
    """Return a schema's type in one or two words."""
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    name = str(schema.get("format", types[0]))
    return f"open {name}" if schema.get("additionalProperties") else name


def stripe_fields() -> Mapping[str, list[dict[str, str]]]:
    """Read the list of Stripe's fields, by object."""
    found = defaultdict(list)
    with (ROOT / "tests/support/data/stripe_fields.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            found[row["object"]].append(row)
    return dict(found)


FIELDS = stripe_fields()
every_stream_with_a_listing = pytest.mark.parametrize(
    "stream",
    [stream for stream in STREAMS if stream.object in FIELDS],
    ids=lambda stream: stream.name,
)


def expected(name: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and kind of everything that an object's schema must have.

    An embedded object that is not in the list is open: it is one of several kinds, or recursive.
    """
    for row in FIELDS[name]:
        path, of = prefix + row["path"], row["kind"]
        if of in LEFT_OUT:
            continue
        if of.startswith("array<"):
            yield path, "array"
            path, of = f"{path}[]", of.removeprefix("array<").removesuffix(">")
        if row["unix"]:
            of = "date-time"
        elif of == "embedded_resource":
            of = "object" if row["embeds"] in FIELDS else "open object"
        yield path, TYPES.get(of, of)
        if row["embeds"] in FIELDS:
            yield from expected(row["embeds"], f"{path}.")


def expandable(name: str, prefix: str = "") -> Iterator[str]:
    """Yield the paths at which Stripe can replace ids by objects."""
    for row in FIELDS[name]:
        path = prefix + row["path"] + ("[]" if row["kind"].startswith("array<") else "")
        if "expandable" in row["kind"]:
            yield path
        if row["embeds"] in FIELDS:
            yield from expandable(row["embeds"], f"{path}.")


def test_the_files_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    """The schema files match the installed Stripe package and the streams table."""
    assert generate_schemas.main(["--check"]) == 0, capsys.readouterr().out


def test_the_generator_repairs_what_check_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--check` names missing, changed and extra files; without it, they are repaired."""
    monkeypatch.setattr(generate_schemas, "SCHEMAS", tmp_path)
    assert generate_schemas.main([]) == 0
    (tmp_path / "charges.json").write_text("{}")
    (tmp_path / "events.json").unlink()
    (tmp_path / "gone.json").write_text("{}")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    capsys.readouterr()
    assert generate_schemas.main(["--check"]) == 1
    assert capsys.readouterr().out.split() == [
        *("stale:", "charges.json"),
        *("stale:", "events.json"),
        *("stale:", "gone.json"),
    ]
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert generate_schemas.main([]) == 0
    assert generate_schemas.main(["--check"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {f"{one.name}.json" for one in STREAMS}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("API_VERSION", "2020-08-27", "the stripe package is for API version"),
        ("TIMES", frozenset(), "created looks like a unix time"),
        ("TAP_COLUMNS", {"currency": {"type": "string"}}, "named like the tap's own: ['currency']"),
        (
            "STREAMS",
            [Listed("x", "/v1/events", "", key=("y",))],
            "['y']",
        ),
        (
            "STREAMS",
            [
                Listed(
                    "x",
                    "/v1/coupons",
                    "",
                    unasked=frozenset({"applies_to.products", "applies_to.prices"}),
                )
            ],
            "['applies_to.prices']",
        ),
    ],
)
def test_the_generator_rejects_what_it_does_not_know(
    name: str,
    value: object,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A version, time, name or key that does not fit is an error, not a guess."""
    monkeypatch.setattr(generate_schemas, name, value)
    assert generate_schemas.main(["--check"]) == 1
    assert message in capsys.readouterr().err


def test_recursive_objects_are_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object is open if its fields would contain it, or the object of the stream, again."""
    (tmp_path / "rings.py").write_text(RINGS)
    monkeypatch.syspath_prepend(tmp_path)
    outer = stripe_package.resource("rings", "Outer")
    properties = generate_schemas.Builder().properties(outer)
    assert {path: kind(inner) for path, inner in walk({"properties": properties})} == {
        "back": "open object",
        "plain": "object",
        "plain.id": "string",
        "ring": "open object",
    }


@every_stream_with_a_listing
def test_has_all_fields_of_stripe(stream: Listed | Nested) -> None:
    """A schema has exactly Stripe's fields and the tap's columns, with their types."""
    found = {path: kind(schema) for path, schema in walk(load(stream))}
    columns_ = {path: of for path, of in expected(stream.object) if not hidden(stream, path)}
    columns_ |= TAP_COLUMNS
    if isinstance(stream, Listed):
        for name in stream.verbatim:
            columns_ = {
                path: of for path, of in columns_.items() if not path.startswith(f"{name}.")
            }
            columns_[name] = "open object"
    else:
        columns_[stream.parent_field] = "string"
    assert found == columns_


@every_stream_with_a_listing
def test_lists_expandable_fields(stream: Listed | Nested) -> None:
    """The paths in `x-expandable` are those that Stripe can expand, and strings in the schema."""
    schema = load(stream)
    kinds = {path: kind(inner) for path, inner in walk(schema)}
    paths = schema["x-expandable"]
    assert sorted(paths) == sorted(
        path for path in expandable(stream.object) if not hidden(stream, path)
    )
    assert {kinds[path] for path in paths} <= {"string"}


@every_stream
def test_lists_open_objects(stream: Listed | Nested) -> None:
    """The paths in `x-whole` are open objects, without duplicates."""
    schema = load(stream)
    kinds = {path: kind(inner) for path, inner in walk(schema)}
    assert {kinds[path] for path in schema["x-whole"]} <= {"open object"}
    assert len(schema["x-whole"]) == len(set(schema["x-whole"]))


@every_stream
def test_only_the_key_is_required(stream: Listed | Nested) -> None:
    """Properties of the key have a single type; all other properties are nullable."""
    schema = load(stream)
    assert list(schema) == ["type", "properties", "required", "x-expandable", "x-whole"]
    assert schema["required"] == list(stream.key)
    for path, inner in walk(schema):
        if path in stream.key:
            assert inner == {"type": "string"}
        elif path.endswith("[]"):
            assert isinstance(inner["type"], str), path
        else:
            one, null = inner["type"]
            assert (isinstance(one, str), one != "null", null) == (True, True, "null"), path


@every_stream
def test_uses_only_simple_schemas(stream: Listed | Nested) -> None:
    """Every object has properties or is open, every array has items, and there is nothing else."""
    for path, inner in walk(load(stream)):
        keywords = inner.keys() - {"type"}
        match kind(inner):
            case "object":
                assert keywords == {"properties"}, path
                assert inner["properties"], path
            case "open object":
                assert keywords == {"additionalProperties"}, path
                assert inner["additionalProperties"] is True, path
            case "array":
                assert keywords == {"items"}, path
            case "date-time":
                assert keywords == {"format"}, path
                assert "string" in inner["type"], path
            case _:
                assert not keywords, path


@every_stream
def test_columns_have_a_fixed_order(stream: Listed | Nested) -> None:
    """The order is: account, `id` and `object`, other fields of Stripe, columns of the tap."""
    names = list(load(stream)["properties"])
    assert names[:3] == ["account_id", "id", "object"]
    assert names[-3:] == ["updated_at", "_sdc_deleted_at", "additional_fields"]
    stripes = [name for name in names[3:-3] if name != "livemode"]
    assert stripes == sorted(stripes)


@every_stream
def test_is_a_valid_json_schema(stream: Listed | Nested) -> None:
    """It accepts a record with only a key, and requires the key."""
    schema = load(stream)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    record = dict.fromkeys(schema["properties"]) | dict.fromkeys(stream.key, "x")
    assert validator.is_valid(record)
    assert not validator.is_valid(dict.fromkeys(schema["properties"]))


def declared(object_: str, path: str) -> ast.expr:
    """Return the type of a field in the `stripe` package; the path may be `shipping.name`."""
    names = path.replace("[]", "").split(".")
    owners = [stripe_package.resource(*OBJECT_CLASSES[object_])]
    for name in names:
        (item,) = (one for owner in owners for one in owner.fields() if one.name == name)
        owners = list(stripe_package.embedded(item.type, item.owner))
    return item.type


def test_fields_that_the_simulator_omits_are_optional() -> None:
    """They are in the schemas, and optional in the `stripe` package.

    Its types are optional if a field can be absent or null. This also checks objects that no stream
    has yet.
    """
    known = {f"{stream.object}.{path}" for stream in STREAMS for path, _ in walk(load(stream))}
    streamed = {stream.object for stream in STREAMS}
    for object_, paths in optional_paths().items():
        for path in paths:
            assert f"{object_}.{path}" in known or object_ not in streamed, path
            assert ast.unparse(declared(object_, path)).startswith("Optional["), path


def test_events_stay_narrow() -> None:
    """The schema of events has fewer than 25 leaves, however many types of objects they contain."""
    (events,) = (stream for stream in STREAMS if stream.name == "events")
    leaves = [path for path, inner in walk(load(events)) if kind(inner) not in {"object", "array"}]
    assert len(leaves) < 25
