"""Stripe objects into records, for every stream, from the generated schemas."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_stripe_connect.catalog import LISTED, NESTED, STREAMS, Listed, Nested, nested_in
from tap_stripe_connect.streams import schema_file
from tap_stripe_connect.sync.emit.records import (
    Compiler,
    Converter,
    RecordContext,
    Records,
    date_time,
    reference,
)
from tap_stripe_connect.sync.state.ranges import unix_time

if TYPE_CHECKING:
    from collections.abc import Iterator

stable = settings(deadline=None, derandomize=True, max_examples=100)

SECONDS = 1_700_000_000
DATE_TIME = "2023-11-14T22:13:20+00:00"
CHANGED = 1_750_000_000
CHANGED_DATE_TIME = "2025-06-15T15:06:40+00:00"
ACCOUNT = "acct_1Example"
FACTS = RecordContext(ACCOUNT, livemode=True, updated=CHANGED)
OPEN_OBJECT = {"a.b": "1", "123": "x", "Ünï": "y", "created": SECONDS, "customer": {"id": "cus_1"}}
"""Nothing in an object without a schema of its own may be touched, whatever it looks like."""
TAP_COLUMNS = ("account_id", "updated_at", "_sdc_deleted_at", "additional_fields")
JUNK: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**18,
    1.5,
    "",
    "text",
    [],
    [None],
    ["text"],
    [{}],
    {},
    {"id": None},
)

Path = tuple[str | int, ...]

every_stream = pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
every_listed = pytest.mark.parametrize("listed", LISTED.values(), ids=lambda stream: stream.name)
every_nested = pytest.mark.parametrize("nested", NESTED.values(), ids=lambda stream: stream.name)


def example(schema: dict[str, Any], expandable: list[str], path: str = "") -> tuple[Any, Any]:
    """Return a value as Stripe can send it, references expanded, and what a record makes of it."""
    kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
    if schema.get("format") == "date-time":
        return SECONDS, DATE_TIME
    if path in expandable:
        return {"id": "ref_1", "object": "whole", "created": SECONDS}, "ref_1"
    if kind == "array":
        sent, wanted = example(schema["items"], expandable, f"{path}[]")
        return [sent, None, sent], [wanted, None, wanted]
    if schema.get("properties"):
        prefix = f"{path}." if path else ""
        inside = {
            name: example(inner, expandable, f"{prefix}{name}")
            for name, inner in schema["properties"].items()
            if path or name not in TAP_COLUMNS
        }
        return (
            {name: pair[0] for name, pair in inside.items()},
            {name: pair[1] for name, pair in inside.items()},
        )
    plain = {
        # Integers that are not declared as times stay integers, also those that could be times.
        "integer": SECONDS,
        "number": 0.1,
        "boolean": False,
        "object": OPEN_OBJECT,
        "string": "0.0000123" if path.endswith("_decimal") else "text",
    }
    return plain[kind], plain[kind]


def sent_and_wanted(stream: Listed | Nested) -> tuple[Any, Any]:
    """Return an object with all fields of a stream, and its record less the tap's columns."""
    schema = schema_file(stream.name)
    sent, wanted = example(schema, schema["x-expandable"])
    own = {"id": "obj_1", "object": stream.object}
    return fresh(sent | own), wanted | own


def fresh(value: Any) -> Any:
    """Return a deep copy, made the way answers of Stripe are decoded."""
    return msgspec.json.decode(msgspec.json.encode(value))


def converter(stream: Listed | Nested) -> Converter:
    """Return the converter of a stream, with its real schema."""
    return Converter(stream, schema_file(stream.name))


def convert(using: Converter, value: Any) -> dict[str, Any] | None:
    """Make a record of an object that changed after it was created."""
    return using.record(value, FACTS)


def all_records() -> Records:
    """Return what makes the records of every stream."""
    return Records({stream.name: converter(stream) for stream in STREAMS})


def family(listed: Listed) -> frozenset[str]:
    """Return the names of the streams that a list feeds."""
    return frozenset({listed.name, *(nested.name for nested in nested_in(listed.name))})


def with_children(listed: Listed) -> Any:
    """Return an object of a list that holds two objects in each of its nested lists."""
    sent, _ = sent_and_wanted(listed)
    for nested in nested_in(listed.name):
        children = []
        for number in (1, 2):
            child, _ = sent_and_wanted(nested)
            del child[nested.parent_field]
            children.append(child | {"id": f"child_{number}"})
        sent[nested.list_field] = {"object": "list", "data": children, "has_more": False}
    return sent


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of everything inside a document."""
    inside = list(value.items()) if isinstance(value, dict) else []
    if isinstance(value, list):
        inside = list(enumerate(value))
    for key, inner in inside:
        yield (*path, key)
        yield from paths(inner, (*path, key))


def node(document: Any, path: Path) -> Any:
    """Return what lies at a path."""
    for key in path:
        document = document[key]
    return document


def validator(stream: Listed | Nested) -> jsonschema.Draft7Validator:
    """Return a strict reader of a stream's schema, as the strictest targets are."""
    checker = jsonschema.FormatChecker(formats=())
    checker.checks("date-time")(
        lambda value: not isinstance(value, str) or value in {DATE_TIME, CHANGED_DATE_TIME}
    )
    return jsonschema.Draft7Validator(schema_file(stream.name), format_checker=checker)


@every_stream
def test_every_field_is_converted_as_its_schema_says(stream: Listed | Nested) -> None:
    """Times become date-times, expanded objects ids, and all else stays."""
    sent, wanted = sent_and_wanted(stream)
    using = converter(stream)
    assert convert(using, sent) == wanted | {
        "account_id": ACCOUNT,
        "updated_at": CHANGED_DATE_TIME,
        "_sdc_deleted_at": None,
        "additional_fields": None,
    }
    assert (using.unknown, using.unusable) == (set(), 0)


@every_stream
def test_records_hold_what_the_schema_promises(stream: Listed | Nested) -> None:
    """A strict reader of the schema accepts a record of an object with every field."""
    sent, _ = sent_and_wanted(stream)
    # Stripe has no nulls in lists; only the tap is lenient about them.
    sent = without_null_items(sent)
    assert [
        error.message for error in validator(stream).iter_errors(convert(converter(stream), sent))
    ] == []


def without_null_items(value: Any) -> Any:
    """Return a document without the nulls in its lists."""
    if isinstance(value, dict):
        return {key: without_null_items(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_null_items(inner) for inner in value if inner is not None]
    return value


@every_stream
def test_references_sent_as_ids_stay_ids(stream: Listed | Nested) -> None:
    """The usual short form of an id-or-object field gives the same record as the long one."""
    sent, wanted = sent_and_wanted(stream)
    _, short = sent_and_wanted(stream)
    times = [path for path in paths(wanted) if node(wanted, path) == DATE_TIME]
    for path in times:
        node(short, path[:-1])[path[-1]] = SECONDS
    assert convert(converter(stream), fresh(short)) == convert(converter(stream), sent)


@every_stream
def test_an_object_of_nothing_but_nulls_gives_a_record(stream: Listed | Nested) -> None:
    """Every field but the key may be null, and then is null in the record."""
    sent, _ = sent_and_wanted(stream)
    key = {name: sent[name] for name in ("object", *stream.key) if name in sent}
    record = convert(converter(stream), dict.fromkeys(sent) | key)
    assert record == dict.fromkeys(sent) | key | {
        "account_id": ACCOUNT,
        "livemode": True,
        "updated_at": CHANGED_DATE_TIME,
        "_sdc_deleted_at": None,
        "additional_fields": None,
    }


@every_stream
def test_an_object_of_nothing_but_its_key_gives_a_record(stream: Listed | Nested) -> None:
    """Every field but the key may be missing, and then is left out of the record."""
    sent, _ = sent_and_wanted(stream)
    key = {name: sent[name] for name in ("object", *stream.key) if name in sent}
    record = convert(converter(stream), dict(key))
    assert record is not None
    assert record.keys() == {*key, *TAP_COLUMNS, "livemode"}


@every_stream
def test_no_wrong_type_raises(stream: Listed | Nested) -> None:
    """Anything in the place of any field at any depth gives a record that can be written."""
    sent, _ = sent_and_wanted(stream)
    text = msgspec.json.encode(sent)
    using = converter(stream)
    for path in paths(sent):
        if path in {("object",), *((name,) for name in stream.key)}:
            continue
        for junk in JUNK:
            value = msgspec.json.decode(text)
            node(value, path[:-1])[path[-1]] = fresh(junk)
            record = convert(using, value)
            assert record, (path, junk)
            assert [record[name] for name in stream.key if name != "account_id"] == [
                sent[name] for name in stream.key if name != "account_id"
            ]
            msgspec.json.encode(record)


@every_nested
def test_no_damage_to_a_nested_list_raises(nested: Nested) -> None:
    """Anything in the place of a nested list or of what it holds leaves the parent whole."""
    listed = LISTED[nested.parent]
    text = msgspec.json.encode(with_children(listed))
    expected = next(iter(records_of(listed, msgspec.json.decode(text), {listed.name})))
    field = nested.list_field
    for path in [(field,), (field, "data"), (field, "data", 0), (field, "data", 0, "id")]:
        for junk in JUNK:
            value = msgspec.json.decode(text)
            node(value, path[:-1])[path[-1]] = fresh(junk)
            found = list(records_of(listed, value, family(listed)))
            assert found.count(expected) == 1, (path, junk)
            children = [record for name, record in found if name == nested.name]
            assert {"child_1", "child_2"} >= {
                child["id"] for child in children if child["id"] not in JUNK
            }
            assert len(children) >= (len(path) > 2)


def records_of(
    listed: Listed, value: Any, streams: frozenset[str] | set[str], using: Records | None = None
) -> Iterator[tuple[str, Any]]:
    """Make the records that one listed object gives."""
    facts = replace(FACTS, updated=value.get("created"))
    return (using or all_records()).of(listed, frozenset(streams), value, facts)


@every_nested
@pytest.mark.parametrize("created", JUNK, ids=repr)
def test_no_damaged_time_of_a_child_raises(nested: Nested, created: Any) -> None:
    """A child whose own time is no time has that of its parent's change."""
    listed = LISTED[nested.parent]
    value = with_children(listed)
    value[nested.list_field]["data"] = value[nested.list_field]["data"][:1]
    value[nested.list_field]["data"][0]["created"] = created
    (found,) = all_records().of(listed, frozenset({nested.name}), value, FACTS)
    if created != 10**18:
        assert found[1]["updated_at"] == CHANGED_DATE_TIME


@every_nested
def test_a_change_of_the_parent_is_one_of_its_children(nested: Nested) -> None:
    """After an event on the parent, no child is older than that event."""
    listed = LISTED[nested.parent]
    found = all_records().of(listed, frozenset({nested.name}), with_children(listed), FACTS)
    assert [record["updated_at"] for _, record in found] == [CHANGED_DATE_TIME] * 2


@every_stream
def test_a_deleted_object_says_when(stream: Listed | Nested) -> None:
    """The time of a deletion stands beside the last known columns."""
    sent, _ = sent_and_wanted(stream)
    record = converter(stream).record(sent, replace(FACTS, deleted_at=SECONDS))
    assert record is not None
    assert record["_sdc_deleted_at"] == DATE_TIME


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
@stable
@given(data=st.data())
def test_any_mixture_of_damage_gives_a_record(stream: Listed | Nested, data: st.DataObject) -> None:
    """Several fields of any value at once never raise."""
    sent, _ = sent_and_wanted(stream)
    fields = sorted(sent.keys() - {"object", *stream.key})
    damage = data.draw(st.dictionaries(st.sampled_from(fields), json_values, max_size=8))
    assert convert(converter(stream), sent | damage)


@every_stream
def test_unknown_fields_are_kept_apart(stream: Listed | Nested) -> None:
    """What the schema does not know goes to `additional_fields` as it is, and is noted."""
    sent, wanted = sent_and_wanted(stream)
    using = converter(stream)
    new = {"brand_new_field": {"created": SECONDS, "deep": [None, 1.0]}, "another": None}
    record = convert(using, sent | fresh(new))
    assert record is not None
    assert record["additional_fields"] == new
    assert using.unknown == set(new)
    assert {name: record[name] for name in wanted} == wanted
    assert record.keys() == wanted.keys() | set(TAP_COLUMNS)


@every_stream
def test_the_taps_columns_are_the_taps(stream: Listed | Nested) -> None:
    """A field of Stripe's that is named like a column of ours cannot forge that column."""
    sent, _ = sent_and_wanted(stream)
    record = convert(converter(stream), sent | dict.fromkeys(TAP_COLUMNS, "forged"))
    assert record is not None
    assert [record[name] for name in TAP_COLUMNS] == [ACCOUNT, CHANGED_DATE_TIME, None, None]


@pytest.mark.parametrize(
    "stream",
    [stream for stream in STREAMS if "metadata" in schema_file(stream.name)["properties"]],
    ids=lambda stream: stream.name,
)
def test_metadata_arrives_byte_for_byte(stream: Listed | Nested) -> None:
    """Keys with dots, digits and letters of any script survive, in their order."""
    sent, _ = sent_and_wanted(stream)
    text = '{"a.b":"1","123":"x","Ünï":"y","":"","created":"1700000000"}'.encode()
    sent["metadata"] = msgspec.json.decode(text)
    record = convert(converter(stream), sent)
    assert record is not None
    assert msgspec.json.encode(record["metadata"]) == text


def test_payloads_of_events_are_untouched() -> None:
    """`events.data` is what Stripe sent, with its times and expanded objects."""
    sent, _ = sent_and_wanted(LISTED["events"])
    payload, _ = sent_and_wanted(LISTED["invoices"])
    sent["data"] = {"object": payload, "previous_attributes": {"due_date": SECONDS, "new": [None]}}
    text = msgspec.json.encode(sent["data"])
    record = convert(converter(LISTED["events"]), sent)
    assert record is not None
    assert msgspec.json.encode(record["data"]) == text


@every_nested
def test_children_carry_what_their_parent_knows(nested: Nested) -> None:
    """A child has its parent's id and account, its mode if it has none, and no older time."""
    listed = LISTED[nested.parent]
    value = with_children(listed)
    value |= {"id": "parent_1", "livemode": False, "created": SECONDS}
    for child in value[nested.list_field]["data"]:
        child.pop("livemode", None)
    first, second = value[nested.list_field]["data"]
    first["created"] = None
    second["created"] = CHANGED
    children = [record for name, record in records_of(listed, value, family(listed))][:2]
    assert [child["id"] for child in children] == ["child_1", "child_2"]
    assert [child["updated_at"] for child in children] == [DATE_TIME, CHANGED_DATE_TIME]
    for child in children:
        assert child[nested.parent_field] == "parent_1"
        assert (child["account_id"], child["livemode"]) == (ACCOUNT, False)


@every_nested
def test_a_child_keeps_the_parent_it_names(nested: Nested) -> None:
    """Where Stripe says which object a child belongs to, that stands."""
    listed = LISTED[nested.parent]
    value = with_children(listed)
    value[nested.list_field]["data"][0][nested.parent_field] = "named_1"
    _, child = next(iter(records_of(listed, value, {nested.name})))
    assert child[nested.parent_field] == "named_1"


@every_listed
def test_only_what_is_selected_is_made(listed: Listed) -> None:
    """Parent and children are made for just the selected streams, and the parent holds no list."""
    for selected in ({listed.name}, family(listed) - {listed.name}, family(listed)):
        found = list(records_of(listed, with_children(listed), selected))
        assert {name for name, _ in found} == selected
        for name, record in found:
            if name == listed.name:
                assert record["additional_fields"] is None
                assert not record.keys() & {nested.list_field for nested in nested_in(name)}


@every_stream
@pytest.mark.parametrize(
    "fault",
    [{"object": "other"}, {"object": None}, {"id": None}, {"id": ""}],
    ids=str,
)
def test_objects_of_another_kind_or_without_id_are_counted(
    stream: Listed | Nested, fault: dict[str, Any]
) -> None:
    """What cannot be a row of the stream is left out and counted, not sent."""
    using = converter(stream)
    sent, _ = sent_and_wanted(stream)
    assert convert(using, sent | fault) is None
    for name in fault:
        del sent[name]
    assert convert(using, sent) is None
    assert using.unusable == 2


def test_a_line_that_belongs_to_no_invoice_is_counted() -> None:
    """A part of the key that is missing makes an object unusable, also when it is not the id."""
    using = all_records()
    value = with_children(LISTED["invoices"]) | {"id": None}
    assert list(records_of(LISTED["invoices"], value, {"invoice_line_items"}, using)) == []
    assert using.converters["invoice_line_items"].unusable == 2


@every_listed
@pytest.mark.parametrize("absent", [True, False], ids=["missing", "null"])
def test_rows_without_a_time_or_mode_are_sent(listed: Listed, *, absent: bool) -> None:
    """An object without `created` is a record without `updated_at`; the mode is the key's."""
    value = with_children(listed)
    for name in ("created", "livemode"):
        value[name] = None
        if absent:
            del value[name]
    record = dict(records_of(listed, value, {listed.name}))[listed.name]
    assert record["updated_at"] is None
    assert record.get("created") is None
    assert record["livemode"] is True


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0, "1970-01-01T00:00:00+00:00"),
        (SECONDS, DATE_TIME),
        (-1, "1969-12-31T23:59:59+00:00"),
        (-62_135_596_800, "0001-01-01T00:00:00+00:00"),
        (-62_135_596_801, None),
        (253_402_300_799, "9999-12-31T23:59:59+00:00"),
        (253_402_300_800, None),
        (None, None),
        (10**30, None),
    ],
)
def test_date_times_are_iso_in_utc(value: int | None, wanted: str | None) -> None:
    """Unix seconds become ISO 8601 in UTC, as far as its four digits of a year go."""
    assert date_time(value) == wanted


NO_TIMES: tuple[Any, ...] = (
    *(253_402_300_800, -62_135_596_801, 10**30, 1_700_000_000.5, 1_700_000_000.0),
    *("2023-11-14", "", True, [], [SECONDS], {}, {"at": SECONDS}),
)


@every_stream
@pytest.mark.parametrize("invalid", NO_TIMES, ids=repr)
def test_an_invalid_time_is_kept_beside_its_column(stream: Listed | Nested, invalid: Any) -> None:
    """In each time of a stream, however deep, it gives null; the row and the value stay."""
    sent, wanted = sent_and_wanted(stream)
    text = msgspec.json.encode(sent)
    times = [path for path in paths(wanted) if node(wanted, path) == DATE_TIME]
    assert times
    for path in times:
        using = converter(stream)
        value = msgspec.json.decode(text)
        node(value, path[:-1])[path[-1]] = invalid
        record = convert(using, value)
        assert record is not None
        assert node(record, path) is None
        assert list(record["additional_fields"].values()) == [invalid]
        last = [step for step in path if isinstance(step, str)][-1]
        assert all(name.endswith(last) for name in record["additional_fields"])
        (line,) = using.warnings()
        assert line.startswith(f"{stream.name}: invalid times are null")
        assert f"of obj_1 ({ACCOUNT})" in line


def test_times_before_1970_are_times() -> None:
    """A negative number of seconds is a moment like any other."""
    sent, _ = sent_and_wanted(LISTED["customers"])
    using = converter(LISTED["customers"])
    record = using.record(sent | {"created": -86_400}, replace(FACTS, updated=None))
    assert record is not None
    assert record["created"] == record["updated_at"] == "1969-12-31T00:00:00+00:00"
    assert (record["additional_fields"], using.warnings()) == (None, [])


def test_several_invalid_times_of_one_list_are_all_kept() -> None:
    """Of a list they are kept together, in their order; times in a list alone work, too."""
    inner = {"type": "object", "properties": {"at": {"type": "string", "format": "date-time"}}}
    bare = {"type": "array", "items": {"type": "string", "format": "date-time"}}
    schema = {"properties": {"rows": {"type": "array", "items": inner}, "moments": bare}}
    invalid: list[tuple[str, object]] = []
    value = {"rows": [{"at": "x"}, {"at": 0}, {"at": "y"}], "moments": [0, "z", None]}
    Compiler(schema, invalid).plan(schema).apply(value)
    epoch = "1970-01-01T00:00:00+00:00"
    assert value["rows"] == [{"at": None}, {"at": epoch}, {"at": None}]
    assert value["moments"] == [epoch, None, None]
    assert invalid == [("rows[].at", "x"), ("rows[].at", "y"), ("moments[]", "z")]


def test_rows_with_invalid_times_are_named_up_to_five() -> None:
    """A line names the first rows and counts the others."""
    using = converter(LISTED["coupons"])
    for number in range(8):
        sent = {"id": f"c{number}", "object": "coupon", "created": "x", "redeem_by": 0.5}
        assert convert(using, sent) is not None
    (line,) = using.warnings()
    assert "created, redeem_by of c0 (acct_1Example); created, redeem_by of c1" in line
    assert "c4" in line
    assert line.endswith("; and 3 more rows")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(0, 0), (-5, -5), (10**12, None), (1.0, None), ("5", None), (True, None), (None, None)],
)
def test_only_whole_seconds_are_a_moment(value: object, wanted: int | None) -> None:
    """What a date-time cannot express is not reckoned with."""
    assert unix_time(value) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("cus_1", "cus_1"), ({"id": "cus_1", "deleted": True}, "cus_1"), ({}, None), (None, None)],
)
def test_references_are_ids(value: object, wanted: object) -> None:
    """An id-or-object field gives the id, also of an object that has been deleted."""
    assert reference(value) == wanted
