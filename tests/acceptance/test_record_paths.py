"""Both ways of writing a record, ours and the SDK's: every stream, every kind of selection."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from singer_sdk.singerlib.encoding.simple import SimpleSingerWriter

from tap_stripe_connect.catalog import STREAMS
from tap_stripe_connect.simulator.business import populate
from tap_stripe_connect.simulator.server import Simulator
from tap_stripe_connect.simulator.world import World
from tap_stripe_connect.streams import StripeStream, schema_file
from tap_stripe_connect.sync.emit.messages import MessageWriter, now
from tap_stripe_connect.tap import TapStripeConnect
from tests.support.harness import DAY, NOW, add_samples, config_for, parsed, selecting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.support.harness import Json

EVERY = tuple(stream.name for stream in STREAMS)

ODD: Json = {
    "texts": ["", "Zoë 🎉 \u2028", 'a "quoted" \\ line\n\t\x00\x7f', "</script>"],
    "numbers": [0, -1, 2**63 - 1, -(2**63), 0.1, 12.5, 1e-7, 1.5e300],
    "nothing": [None, {}, [], [[]], {"": None}],
    "switches": [True, False],
}
"""Values that Stripe might send in a field that no schema has."""


def _objects(schema: Json) -> list[str]:
    """Return one path into each object of a schema that lists its properties."""
    return [
        f"{name}.{next(iter(inner['properties']))}"
        for name, inner in schema["properties"].items()
        if inner.get("properties")
    ]


PATTERNS: dict[str, Callable[[Json], list[str]]] = {
    "keys": lambda _: [],
    "one": lambda schema: [next(iter(schema["properties"]))],
    "every-second": lambda schema: list(schema["properties"])[::2],
    "all-but-the-last": lambda schema: list(schema["properties"])[:-1],
    "inside-objects": _objects,
    "our-own": lambda _: ["updated_at", "_sdc_deleted_at", "additional_fields"],
}
"""Selected fields, by the stream's schema."""

SETTINGS: dict[str, Callable[[str], Json]] = {
    "renamed": lambda name: {"stream_maps": {name: {"__alias__": f"my_{name}"}}},
    "computed": lambda name: {"stream_maps": {name: {"double": "id + id", "livemode": None}}},
    "twice": lambda name: {
        "stream_maps": {name: {}, f"{name}_too": {"__source__": name, "double": "id + id"}}
    },
    "left-out": lambda name: {"stream_maps": {name: {"__filter__": "'1' in id"}}},
    "flat": lambda _: {"flattening_enabled": True, "flattening_max_depth": 3},
}
"""Settings that change records, by the stream's name."""


@pytest.fixture(scope="module")
def records() -> dict[str, list[Json]]:
    """Return some records of every stream before they are written, including unusual ones."""
    world = World(now=NOW)
    populate(world.platform, seed=5, customers=15, start=NOW - 365 * DAY, until=NOW)
    add_samples(world.platform)
    with Simulator(world) as stripe:
        tap = TapStripeConnect(config=config_for(stripe), catalog=selecting(*EVERY))
        found = {name: list(tap.records_of(name))[:40] for name in EVERY}
    for some in found.values():
        odd = {"additional_fields": ODD, "_sdc_deleted_at": some[0]["updated_at"]}
        some.append({**deepcopy(some[0]), **odd})
    return found


def stream_of(name: str, fields: list[str] | None = None, **settings: object) -> StripeStream:
    """Return a stream with some of its fields selected, or all of them."""
    only = None if fields is None else {name: fields}
    config = {"api_key": "sk_test_x", **settings}
    if "stream_maps" in settings:
        config["stream_map_config"] = {}
    tap = TapStripeConnect(config=config, catalog=selecting(name, only_fields=only))
    stream = tap.streams[name]
    assert isinstance(stream, StripeStream)
    return stream


def written(
    stream: StripeStream, records: Iterable[Json], capfdbinary: pytest.CaptureFixture[bytes]
) -> list[list[str]]:
    """Return the lines that each writer produces for records, ours first, as comparable text."""
    ours, theirs = MessageWriter(), SimpleSingerWriter()
    capfdbinary.readouterr()
    for schema in stream.schema_messages():
        ours.write_message(schema)
    for record in records:
        ours.write_records(stream, deepcopy(record), now())
    ours.flush()
    short = capfdbinary.readouterr().out
    for schema in stream._generate_schema_messages():
        theirs.write_message(schema)
    columns = {} if stream.is_passthrough else dict.fromkeys(stream.schema["properties"])
    for record in records:
        for message in stream._generate_record_messages({**columns, **deepcopy(record)}):
            theirs.write_message(message)
    return [
        [comparable(one) for one in parsed(way)] for way in (short, capfdbinary.readouterr().out)
    ]


def comparable(message: Json) -> str:
    """Return a message as text that distinguishes 1, true and 1.0, without its time."""
    if "record" in message:
        # What a row lacks is null in ours.
        message["record"] = {k: v for k, v in message["record"].items() if v is not None}
    if "time_extracted" in message:
        moment = datetime.fromisoformat(message["time_extracted"])
        assert moment.utcoffset() == timedelta()
        message["time_extracted"] = "a moment"
    return json.dumps(message, sort_keys=True)


@pytest.mark.parametrize("name", EVERY)
def test_whole_records_go_the_short_way_and_are_the_same(
    records: dict[str, list[Json]], name: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """With all of a stream selected, our lines equal the SDK's."""
    stream = stream_of(name)
    assert stream.is_passthrough
    ours, theirs = written(stream, records[name], capfdbinary)
    assert len(ours) == 1 + len(records[name])
    assert ours == theirs


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("name", EVERY)
def test_selected_fields_are_what_the_sdk_leaves(
    records: dict[str, list[Json]],
    name: str,
    pattern: str,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """Whichever fields are selected, our fast path writes the same lines as the SDK."""
    stream = stream_of(name, PATTERNS[pattern](schema_file(name)))
    assert stream.is_passthrough
    ours, theirs = written(stream, records[name], capfdbinary)
    assert ours == theirs
    fields = {field for line in ours[1:] for field in json.loads(line)["record"]}
    assert set(stream.spec.key) <= fields < set(schema_file(name)["properties"])


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", EVERY)
def test_mapped_records_are_what_the_sdk_makes(
    records: dict[str, list[Json]],
    name: str,
    setting: str,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """Stream maps and flattening give the same records in both writers."""
    stream = stream_of(name, **SETTINGS[setting](name))
    assert not stream.is_passthrough
    ours, theirs = written(stream, records[name], capfdbinary)
    assert ours == theirs
