"""Columns: each can be filled, none has a secret, and none has outdated values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_stripe_connect.catalog import LISTED, NESTED, SECRETS, STREAMS, Listed, Nested
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.streams import schema_file
from tests.support.harness import DAY, NOW, config_for, run, selecting
from tests.unit.sync.emit.test_records import sent_and_wanted, with_children, without_null_items

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_stripe_connect.simulator.server import Simulator

SECRET = "planted_secret_value"

CLOCKED = {"customer", "subscription"}
"""Objects that Stripe does not list if they have a test clock, but only retrieves."""

every_listed = pytest.mark.parametrize("listed", LISTED.values(), ids=lambda stream: stream.name)


def unfilled(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
    """Yield the paths that a schema has and a value lacks."""
    if value is None:
        yield path
    elif "items" in schema:
        for item in value or [None]:
            yield from unfilled(schema["items"], item, f"{path}[]")
    else:
        for name, inner in schema.get("properties", {}).items():
            yield from unfilled(inner, value.get(name), f"{path}.{name}".removeprefix("."))


@every_listed
def test_every_column_can_be_filled(stripe: Simulator, listed: Listed) -> None:
    """If an object has every field, its list returns everything in the schemas.

    Stripe returns some fields only on request, and so does the simulator.
    """
    whole = without_null_items(with_children(listed)) | {"id": "whole_1"}
    if listed.dated:
        whole["created"] = NOW - DAY
    beside = {"_sdc_deleted_at", "additional_fields"}
    if listed.object in CLOCKED:
        whole["test_clock"] = None
        beside.add("test_clock")
    stripe.world.platform.insert(whole)
    streams: list[Listed | Nested] = [listed]
    streams += [nested for nested in NESTED.values() if nested.parent == listed.name]
    output = run(config_for(stripe), catalog=selecting(*(stream.name for stream in streams)))
    for stream in streams:
        record = output.records(stream.name)[0]
        assert set(unfilled(schema_file(stream.name), record, "")) <= beside
        assert record["additional_fields"] is None


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_no_column_is_a_secret(stream: Listed | Nested) -> None:
    """The schemas have no secret at any depth."""
    text = json.dumps(schema_file(stream.name)["properties"])
    assert not any(f'"{name}"' in text for name in SECRETS)


@every_listed
def test_no_secret_is_written(
    stripe: Simulator, caplog: pytest.LogCaptureFixture, listed: Listed
) -> None:
    """Secrets are written neither to columns nor to `additional_fields`."""
    sent, _ = sent_and_wanted(listed)
    secrets = {"confirmation_secret": {"client_secret": SECRET}, "client_secret": SECRET}
    holder = {"object": "source", "deep": [{"deeper": dict(secrets)}], **secrets}
    sent |= {"id": "obj_1", "created": NOW - DAY, "brand_new": holder, "newer": [holder], **secrets}
    for path in schema_file(listed.name)["x-whole"]:
        *way, last = path.split(".")
        place = sent
        for step in way:
            place = place[step]
        place[last] = holder
    page = {"object": "list", "url": listed.path, "has_more": False, "data": [sent]}
    stripe.faults.add(Fault(match=listed.path, body=page))
    output = run(config_for(stripe), catalog=selecting(listed.name))
    (record,) = output.records(listed.name)
    assert SECRET not in json.dumps(record)
    assert record["additional_fields"]["brand_new"] == {
        "object": "source",
        "deep": [{"deeper": {}}],
    }
    assert not any(name in one.message for one in caplog.records for name in SECRETS)


def test_metadata_is_kept_whatever_its_keys(stripe: Simulator) -> None:
    """A metadata key with the name of a secret is not a secret, in events either."""
    metadata = {"client_secret": "mine"}
    stripe.world.platform.create("customer", {"id": "cus_1", "metadata": metadata})
    output = run(config_for(stripe), catalog=selecting("customers", "events"))
    assert output.records("customers")[0]["metadata"] == metadata
    assert output.records("events")[0]["data"]["object"]["metadata"] == metadata


@pytest.mark.parametrize(
    ("object_", "fields"),
    [
        ("coupon", {}),
        ("customer", {}),
        ("invoice", {"status": "draft", "lines": [{"id": "il_1"}]}),
        ("plan", {}),
        ("price", {}),
    ],
)
def test_the_payload_of_a_deletion_adds_no_old_fields(
    stripe: Simulator, caplog: pytest.LogCaptureFixture, object_: str, fields: dict[str, Any]
) -> None:
    """An event has the object in the account's own, older API version; its fields are not new."""
    account = stripe.world.platform
    account.create(object_, {"id": "gone_1", **fields}, at=NOW - 9 * DAY)
    first = run(config_for(stripe))
    stripe.world.clock.advance(DAY)
    account.delete(object_, "gone_1")
    second = run(config_for(stripe), state=first.state)
    gone = [
        record
        for stream in STREAMS
        if stream.name != "events"
        for record in second.records(stream.name)
    ]
    assert {record["id"] for record in gone} == {"gone_1", *(["il_1"] if fields else [])}
    assert all(record["_sdc_deleted_at"] for record in gone)
    assert [record["additional_fields"] for record in gone] == [None] * len(gone)
    assert not any("new fields" in one.message for one in caplog.records)


def test_new_fields_of_existing_objects_are_reported(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A deletion in the same run does not hide them."""
    account = stripe.world.platform
    account.create("customer", {"id": "cus_1"}, at=NOW - 9 * DAY)
    first = run(config_for(stripe))
    stripe.world.clock.advance(DAY)
    account.delete("customer", "cus_1")
    account.create("customer", {"id": "cus_2", "brand_new": 1})
    run(config_for(stripe), state=first.state)
    (line,) = (one.message for one in caplog.records if "new fields" in one.message)
    assert line.startswith("customers: ")
    assert line.endswith(": brand_new")
