"""RECORD and SCHEMA: the short way writes what the SDK would, for every selection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tap_stripe_connect.catalog import STREAMS
from tap_stripe_connect.simulator.business import populate
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.streams import StripeStream
from tests.support.harness import DAY, NOW, add_samples, config_for, run, selecting

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.server import Simulator
    from tests.support.harness import Json

YEAR = 365 * DAY


@pytest.fixture
def business(stripe: Simulator) -> Simulator:
    """Serve a small business."""
    populate(stripe.world.platform, seed=5, customers=15, start=NOW - YEAR, until=NOW)
    add_samples(stripe.world.platform)
    return stripe


def by_key(records: list[Json]) -> list[Json]:
    """Return records in an order that does not depend on which page came first."""
    return sorted(records, key=str)


def test_the_short_way_writes_what_the_sdk_writes(
    business: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With everything selected both ways give the same records for every stream."""
    quick = run(config_for(business))
    monkeypatch.setattr(StripeStream, "is_passthrough", False)
    monkeypatch.setattr(StripeStream, "record_messages", StripeStream._generate_record_messages)
    slow = run(config_for(business))
    for stream in STREAMS:
        assert quick.records(stream.name)
        assert by_key(quick.records(stream.name)) == by_key(slow.records(stream.name))
        assert quick.schema(stream.name) == slow.schema(stream.name)


def test_deselected_fields_are_in_neither_schema_nor_records(business: Simulator) -> None:
    """Only what was selected and the keys remain, nested fields too."""
    fields = ["id", "address.country"]
    output = run(
        config_for(business), catalog=selecting("customers", only_fields={"customers": fields})
    )
    schema = output.schema("customers")
    assert set(schema["properties"]) == {"account_id", "id", "updated_at", "address"}
    assert set(schema["properties"]["address"]["properties"]) == {"country"}
    assert set(schema["required"]) == {"account_id", "id"}
    strict = {**schema, "additionalProperties": False}
    strict["properties"]["address"]["additionalProperties"] = False
    assert output.records("customers")
    for record in output.records("customers"):
        jsonschema.validate(record, strict)


def test_an_object_selected_without_its_parts_comes_whole(business: Simulator) -> None:
    """Meltano's `charges.billing_details` means all of it, not an empty object."""
    catalog = selecting("charges", only_fields={"charges": ["billing_details"]})
    output = run(config_for(business), catalog=catalog)
    assert "address" in output.schema("charges")["properties"]["billing_details"]["properties"]
    assert all(record["billing_details"]["email"] for record in output.records("charges"))


@pytest.mark.parametrize(
    ("maps", "check"),
    [
        ({"customers": {"email": None}}, lambda record: "email" not in record),
        (
            {"customers": {"shout": "name.upper() if name else None"}},
            lambda record: record["shout"] == record["name"].upper(),
        ),
        ({"customers": {"__filter__": "id == 'nobody'"}}, lambda _: False),
    ],
)
def test_stream_maps_are_honoured(business: Simulator, maps: Json, check: Any) -> None:
    """Fields can be dropped, computed and records filtered, as with any SDK tap."""
    config = config_for(business, stream_maps=maps, stream_map_config={})
    output = run(config, catalog=selecting("customers"))
    assert all(check(record) for record in output.records("customers"))
    if "__filter__" not in maps["customers"]:
        assert output.records("customers")


def test_flattening_is_honoured(business: Simulator) -> None:
    """Nested objects become columns when the setting asks for it."""
    config = config_for(business, flattening_enabled=True, flattening_max_depth=2)
    output = run(config, catalog=selecting("customers"))
    assert "address__country" in output.schema("customers")["properties"]
    assert all("address__country" in record for record in output.records("customers"))


def test_one_schema_for_each_stream_comes_first(business: Simulator) -> None:
    """All come before the first record, and with them a STATE that stamps the feed."""
    output = run(config_for(business), every_state=True)
    schemas = [one["stream"] for one in output.messages if one["type"] == "SCHEMA"]
    assert sorted(schemas) == sorted({stream.name for stream in STREAMS})
    first_record = next(
        place for place, one in enumerate(output.messages) if one["type"] == "RECORD"
    )
    kinds = [one["type"] for one in output.messages[:first_record]]
    assert kinds == ["SCHEMA"] * len(STREAMS) + ["STATE"]
    assert output.states[0]["bookmarks"]["charges"]["events_until"]


def test_events_are_never_replaced(business: Simulator) -> None:
    """No ACTIVATE_VERSION is ever sent; it would delete events that Stripe has dropped."""
    catalog = selecting("events")
    for entry in catalog["streams"]:
        entry["replication_method"] = "FULL_TABLE"
    output = run(config_for(business), catalog=catalog)
    assert {one["type"] for one in output.messages} == {"SCHEMA", "RECORD", "STATE"}


BARE = {"id": "cus_1", "object": "customer", "created": NOW - 1000, "livemode": False}
"""A customer of whom Stripe knows nothing."""


@pytest.fixture
def bare(stripe: Simulator) -> Simulator:
    """Serve a customer without any field that Stripe can leave out."""
    page = {"object": "list", "url": "/v1/customers", "has_more": False, "data": [BARE]}
    stripe.faults.add(Fault(match="/v1/customers", body=page))
    return stripe


def test_what_stripe_leaves_out_is_null_to_stream_maps(bare: Simulator) -> None:
    """An expression can name any column, whether this object has it or not."""
    maps = {"customers": {"hash": "md5(phone) if phone else 'none'", "gone": "shipping is None"}}
    config = config_for(bare, stream_maps=maps)
    output = run(config, catalog=selecting("customers"))
    (record,) = output.records("customers")
    assert (record["hash"], record["gone"]) == ("none", True)
    assert record.keys() == output.schema("customers")["properties"].keys()


def test_what_stripe_leaves_out_is_left_out_without_stream_maps(bare: Simulator) -> None:
    """A record is as short as Stripe's object where nothing asks for more."""
    (record,) = run(config_for(bare), catalog=selecting("customers")).records("customers")
    ours = {"account_id", "updated_at", "_sdc_deleted_at", "additional_fields"}
    assert record.keys() == BARE.keys() | ours
