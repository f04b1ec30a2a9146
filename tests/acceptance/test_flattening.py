"""Flattening, by the tap or by a target: no value is lost, and databases accept the names."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.helpers._flattening import flatten_record, flatten_schema

from tap_stripe_connect.catalog import STREAMS, Listed, Nested
from tap_stripe_connect.simulator.business import populate
from tap_stripe_connect.streams import StripeStream, schema_file
from tap_stripe_connect.tap import TapStripeConnect
from tests.support.harness import DAY, NOW, add_samples, config_for, run, selecting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_stripe_connect.simulator.server import Simulator
    from tests.support.harness import Json

DEPTHS = (1, 2, 3)
LONGEST = 63
"""Significant characters of a name in PostgreSQL."""

every_stream = pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
every_depth = pytest.mark.parametrize("depth", DEPTHS)


def numbered(schema: Json, numbers: Iterator[int]) -> Any:
    """Return a value with every field of a schema, all distinct."""
    kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
    if schema.get("properties"):
        return {name: numbered(inner, numbers) for name, inner in schema["properties"].items()}
    if kind == "object":
        return {"a.b": f"open {next(numbers)}", "inner": {"deep": [f"deep {next(numbers)}"]}}
    if kind == "array":
        return [numbered(schema["items"], numbers), numbered(schema["items"], numbers)]
    number = next(numbers)
    return {"integer": number, "number": number + 0.5, "boolean": True}.get(kind, f"text {number}")


def leaves(value: Any) -> Iterator[Any]:
    """Yield every value in a document, also those in JSON that its texts hold."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        value = json.loads(value)
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    elif value is not None:
        yield value


def sorted_leaves(value: Any) -> list[str]:
    """Return all values in a document, sorted."""
    return sorted(map(repr, leaves(value)))


def flattening(depth: int, **settings: Any) -> TapStripeConnect:
    """Return a tap with flattening enabled, and only the depth set."""
    config = {"api_key": "sk_test_1", "flattening_enabled": True, "flattening_max_depth": depth}
    return TapStripeConnect(config={**config, **settings})


def flat(tap: TapStripeConnect, name: str, record: Json) -> Json:
    """Return what the tap writes for a record."""
    stream = tap.streams[name]
    assert isinstance(stream, StripeStream)
    (message,) = stream.record_messages(record)
    return message.record


def columns(tap: TapStripeConnect, name: str) -> Json:
    """Return the columns that the tap announces."""
    stream = tap.streams[name]
    assert isinstance(stream, StripeStream)
    (message,) = stream.schema_messages()
    found: Json = message.schema["properties"]
    return found


@every_stream
@every_depth
def test_no_value_is_lost_by_flattening_in_the_tap(stream: Listed | Nested, depth: int) -> None:
    """Each value of a record stands in a column that SCHEMA announces, or in JSON within one."""
    tap = flattening(depth)
    record = numbered(schema_file(stream.name), count())
    before = sorted_leaves(record)
    written = flat(tap, stream.name, record)
    assert written.keys() == columns(tap, stream.name).keys()
    assert sorted_leaves(written) == before


@every_stream
@every_depth
def test_no_value_is_lost_by_flattening_in_the_target(stream: Listed | Nested, depth: int) -> None:
    """The SDK's own flattening, as its targets do it, keeps every value in a known column."""
    schema = schema_file(stream.name)
    flattened = flatten_schema(schema, depth, max_key_length=LONGEST)
    record = numbered(schema, count())
    written = flatten_record(record, flattened, depth, max_key_length=LONGEST)
    known = {name: written[name] for name in flattened["properties"]}
    assert sorted_leaves(known) == sorted_leaves(record)


@every_stream
@pytest.mark.parametrize("depth", [*DEPTHS, 4, 5, 6, 9])
def test_flattened_names_fit_databases_without_a_clash(stream: Listed | Nested, depth: int) -> None:
    """Turning flattening on is enough: names have at most 63 characters, and differ."""
    names = list(columns(flattening(depth), stream.name))
    assert max(map(len, names)) <= LONGEST
    assert len({name.lower() for name in names}) == len(names)


def test_a_longer_limit_can_be_set() -> None:
    """The user can change the SDK's setting."""
    names = columns(flattening(3, flattening_max_key_length=255), "invoices")
    assert max(map(len, names)) > LONGEST


@every_depth
def test_what_stripe_added_inside_an_object_is_kept(depth: int) -> None:
    """A field without a column goes to `additional_fields`, under its flattened name."""
    tap = flattening(depth)
    address = {"city": "Basel", "brand_new": {"a": 1}}
    record = {
        "account_id": "acct_1Example",
        "id": "ch_1",
        "billing_details": {"address": address, "newer": "x"},
        "additional_fields": {"top": 5},
    }
    before = sorted_leaves(record)
    written = flat(tap, "charges", record)
    assert written.keys() == columns(tap, "charges").keys()
    assert sorted_leaves(written) == before
    added = json.loads(written["additional_fields"])
    assert (added["top"], added["billing_details__newer"]) == (5, "x")


@every_depth
def test_a_bare_record_has_every_column(depth: int) -> None:
    """Missing fields are null, and an object that is null gets no column."""
    tap = flattening(depth)
    written = flat(tap, "charges", {"account_id": "acct_1Example", "id": "ch_1", "shipping": None})
    assert written.keys() == columns(tap, "charges").keys()
    assert {name for name, value in written.items() if value is not None} == {"account_id", "id"}


def test_a_field_that_is_not_selected_does_not_come_back_flattened(stripe: Simulator) -> None:
    """Selection comes before flattening."""
    stripe.world.platform.create("customer", {"name": "N", "metadata": {"a": "b"}})
    catalog = selecting("customers", only_fields={"customers": ["name"]})
    config = config_for(stripe, flattening_enabled=True, flattening_max_depth=2)
    (record,) = run(config, catalog=catalog).records("customers")
    assert record.keys() == {"account_id", "id", "name", "updated_at"}


@every_depth
def test_a_flattened_run_holds_all_that_an_unflattened_one_does(
    stripe: Simulator, depth: int
) -> None:
    """No value of any stream is missing."""
    populate(stripe.world.platform, seed=5, customers=8, start=NOW - 200 * DAY, until=NOW)
    add_samples(stripe.world.platform)
    nested = run(config_for(stripe))
    config = config_for(stripe, flattening_enabled=True, flattening_max_depth=depth)
    output = run(config)
    for stream in STREAMS:
        records = nested.records(stream.name)
        assert records
        known = output.schema(stream.name)["properties"].keys()
        written = output.records(stream.name)
        assert all(record.keys() == known for record in written)
        assert sorted(map(sorted_leaves, written)) == sorted(map(sorted_leaves, records)), (
            stream.name
        )
