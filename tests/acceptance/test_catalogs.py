"""Input catalogs in runs: those written by hand and by older tools."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tap_stripe_connect.catalog import STREAMS
from tap_stripe_connect.errors import TapError
from tap_stripe_connect.tap import TapStripeConnect
from tests.support.harness import NOW, config_for, run, selecting

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.server import Simulator
    from tests.support.harness import Json, Output

CUSTOMER = {
    "id": "cus_1",
    "name": "N",
    "email": "a@example.com",
    "address": {"city": "Basel", "country": "CH"},
    "metadata": {"a": "b"},
}


@pytest.fixture
def customer(stripe: Simulator) -> Simulator:
    """Serve a customer and a coupon."""
    stripe.world.platform.create("customer", CUSTOMER, at=NOW - 1000)
    stripe.world.platform.create("coupon", {"id": "C"}, at=NOW - 1000)
    return stripe


def entry_of(catalog: Json, name: str) -> Any:
    """Return a stream's entry in a catalog."""
    (found,) = (entry for entry in catalog["streams"] if entry["tap_stream_id"] == name)
    return found


def metadata_of(entry: Json, *path: str) -> Json:
    """Return an entry's metadata of a property, or of the stream."""
    crumbs = [part for name in path for part in ("properties", name)]
    (found,) = (item for item in entry["metadata"] if item["breadcrumb"] == crumbs)
    metadata: Json = found["metadata"]
    return metadata


def catalog_warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings about catalogs."""
    return [one.getMessage() for one in caplog.records if one.getMessage().startswith("catalog: ")]


def valid_record(output: Output, name: str) -> Json:
    """Return the only record of a stream, after validating it against its schema."""
    (record,) = output.records(name)
    schema = output.schema(name)
    assert record.keys() <= schema["properties"].keys()
    jsonschema.validate(record, schema)
    assert {message["stream"] for message in output.messages if "stream" in message} == {name}
    return record


def test_a_discovered_catalog_needs_no_warning(
    customer: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """The log does not mention it."""
    output = run(config_for(customer), catalog=selecting("customers"))
    assert valid_record(output, "customers")["address"]["city"] == "Basel"
    assert catalog_warnings(caplog) == []


def test_what_a_trimmed_schema_leaves_out_is_not_written(
    customer: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Records and schema agree at any depth; keys cannot be trimmed; one line reports it."""
    catalog = selecting("customers")
    properties = entry_of(catalog, "customers")["schema"]["properties"]
    for name in ("email", "id", "updated_at"):
        del properties[name]
    del properties["address"]["properties"]["country"]
    record = valid_record(run(config_for(customer), catalog=catalog), "customers")
    assert (record["id"], record["name"], "email" in record) == ("cus_1", "N", False)
    assert "country" not in record["address"]
    assert record["address"]["city"] == "Basel"
    (line,) = catalog_warnings(caplog)
    assert line.startswith("catalog: customers: its schema lacks ")
    assert "email" in line
    assert "address.country" in line
    assert "--discover" in line


@pytest.mark.parametrize("schema", [None, {}, {"type": "object"}, {"properties": {}}])
def test_an_entry_without_a_schema_means_the_whole_stream(
    customer: Simulator, caplog: pytest.LogCaptureFixture, schema: Json | None
) -> None:
    """A name and a selection are enough."""
    entry: Json = {
        "tap_stream_id": "customers",
        "metadata": [{"breadcrumb": [], "metadata": {"selected": True}}],
    }
    if schema is not None:
        entry["schema"] = schema
    output = run(config_for(customer), catalog={"streams": [entry]})
    assert valid_record(output, "customers")["address"]["city"] == "Basel"
    assert output.schema("customers") == run(config_for(customer)).schema("customers")
    assert catalog_warnings(caplog) == []


@pytest.mark.parametrize(
    ("yes", "no"),
    [("true", "false"), ("TRUE", "False"), ("yes", "no"), (1, 0), ("1", "0")],
    ids=repr,
)
def test_flags_as_text_are_parsed(
    customer: Simulator, caplog: pytest.LogCaptureFixture, yes: Any, no: Any
) -> None:
    """`"selected": "false"` deselects a stream or a field, and costs no request."""
    catalog = selecting("customers")
    entry = entry_of(catalog, "customers")
    metadata_of(entry)["selected"] = yes
    metadata_of(entry, "email")["selected"] = no
    metadata_of(entry, "address", "city")["selected"] = no
    metadata_of(entry_of(catalog, "coupons"))["selected"] = no
    record = valid_record(run(config_for(customer), catalog=catalog), "customers")
    assert "email" not in record
    assert record["address"]["country"] == "CH"
    assert "city" not in record["address"]
    assert not any(one.path == "/v1/coupons" for one in customer.journal.requests)
    assert sorted(line.partition(" should ")[0] for line in catalog_warnings(caplog)) == [
        "catalog: coupons: `selected`",
        "catalog: customers: `selected`",
    ]
    assert all(str(no) in line for line in catalog_warnings(caplog))


@pytest.mark.parametrize("invalid", ["maybe", 5, 1.5, [], {"a": 1}])
def test_an_ambiguous_flag_is_rejected(customer: Simulator, invalid: Any) -> None:
    """Nothing is read, as the meaning is unclear."""
    catalog = selecting("customers")
    metadata_of(entry_of(catalog, "customers"))["selected"] = invalid
    with pytest.raises(TapError, match="the entry of stream 'customers' is malformed"):
        run(config_for(customer), catalog=catalog)
    assert customer.journal.count() == 0


def test_selection_in_the_schema_is_supported(
    customer: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Singer's old form without metadata: the schema selects each field."""
    catalog = selecting()
    for entry in catalog["streams"]:
        del entry["metadata"]
        entry["schema"]["selected"] = entry["tap_stream_id"] == "customers"
    properties = entry_of(catalog, "customers")["schema"]["properties"]
    properties["email"]["selected"] = False
    properties["address"]["properties"]["country"]["selected"] = "false"
    output = run(config_for(customer), catalog=catalog)
    record = valid_record(output, "customers")
    assert (record["name"], "email" in record) == ("N", False)
    assert record["address"].keys() >= {"city"}
    assert "country" not in record["address"]
    assert '"selected"' not in json.dumps(output.schema("customers"))
    line = "catalog: customers: `selected` belongs in the metadata; read it from the schema"
    assert line in catalog_warnings(caplog)


def test_metadata_takes_precedence_over_selection_in_the_schema(customer: Simulator) -> None:
    """If both are given, the newer form counts."""
    catalog = selecting("customers")
    for entry in catalog["streams"]:
        entry["schema"]["selected"] = entry["tap_stream_id"] != "customers"
    output = run(config_for(customer), catalog=catalog)
    assert output.counts == {"customers": 1}


@pytest.mark.parametrize(
    ("name", "metadata"),
    [
        ("id", {"inclusion": "unsupported"}),
        ("account_id", {"inclusion": "unsupported", "selected": True}),
        ("updated_at", {"inclusion": "unsupported"}),
        ("id", {"inclusion": "available", "selected": False}),
        ("account_id", {"selected": False}),
        ("id", {"selected": "false"}),
    ],
    ids=str,
)
def test_keys_are_written_even_if_deselected(
    customer: Simulator, caplog: pytest.LogCaptureFixture, name: str, metadata: Json
) -> None:
    """A target would lose rows without their key; the log says that it is written."""
    catalog = selecting("customers")
    key_metadata = metadata_of(entry_of(catalog, "customers"), name)
    key_metadata.clear()
    key_metadata |= metadata
    assert valid_record(run(config_for(customer), catalog=catalog), "customers")[name]
    assert (
        f"catalog: customers: {name} cannot be deselected, and will be written"
        in catalog_warnings(caplog)
    )


@pytest.mark.parametrize("keys", [["id"], [], None])
def test_a_catalog_cannot_change_the_key_of_a_stream(
    customer: Simulator, caplog: pytest.LogCaptureFixture, keys: list[str] | None
) -> None:
    """With another key a target would mix accounts, or write every change as a new row."""
    catalog = selecting("customers")
    entry_of(catalog, "customers")["key_properties"] = keys
    output = run(config_for(customer), catalog=catalog)
    (schema,) = (one for one in output.messages if one["type"] == "SCHEMA")
    assert schema["key_properties"] == ["account_id", "id"]
    assert catalog_warnings(caplog) == [
        "catalog: customers: key_properties cannot be changed, and will be account_id, id"
    ]


def test_an_entry_without_key_properties_has_them(customer: Simulator) -> None:
    """Catalogs written by hand leave them out."""
    catalog = selecting("customers")
    del entry_of(catalog, "customers")["key_properties"]
    output = run(config_for(customer), catalog=catalog)
    (schema,) = (one for one in output.messages if one["type"] == "SCHEMA")
    assert schema["key_properties"] == ["account_id", "id"]


def test_a_stream_that_a_catalog_renames_keeps_its_name(
    customer: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says how to rename it, and following that works."""
    catalog = selecting("customers")
    entry_of(catalog, "customers")["stream"] = "stripe_customers"
    valid_record(run(config_for(customer), catalog=catalog), "customers")
    (line,) = catalog_warnings(caplog)
    assert "ignoring the name 'stripe_customers'" in line
    maps = json.loads(line[line.index("{") :].replace("'", '"'))
    output = run(config_for(customer, stream_maps=maps), catalog=selecting("customers"))
    valid_record(output, "stripe_customers")


@pytest.mark.parametrize("catalog", [selecting(), {"streams": []}], ids=["deselected", "empty"])
def test_a_catalog_that_selects_nothing_is_rejected(customer: Simulator, catalog: Json) -> None:
    """A run that reads nothing would look like a success; no request is sent."""
    tap = TapStripeConnect(config=config_for(customer), catalog=deepcopy(catalog))
    with pytest.raises(TapError, match=r"no stream is selected; .*in Meltano, with `select`"):
        tap.sync_all()
    with pytest.raises(TapError, match="no stream is selected"):
        tap.run_connection_test()
    assert customer.journal.count() == 0


def test_streams_that_a_catalog_does_not_name_are_not_read(customer: Simulator) -> None:
    """A catalog lists everything that is selected."""
    catalog = selecting(*(stream.name for stream in STREAMS))
    catalog["streams"] = [entry_of(catalog, "coupons")]
    assert run(config_for(customer), catalog=catalog).counts == {"coupons": 1}
    assert {one.path for one in customer.journal.requests} <= {
        *("/v1/account", "/v1/coupons", "/v1/events")
    }


def test_a_catalog_of_an_older_release_works(
    customer: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Removed columns are dropped; open objects are flattened without loss."""
    catalog = selecting("customers")
    properties = entry_of(catalog, "customers")["schema"]["properties"]
    properties["tax"] = {"type": ["object", "null"], "properties": {"ip": {"type": ["string"]}}}
    for name in ("metadata", "additional_fields"):
        properties[name]["properties"] = {}
    config = config_for(customer, flattening_enabled=True, flattening_max_depth=2)
    record = valid_record(run(config, catalog=catalog), "customers")
    assert json.loads(record["metadata"]) == {"a": "b"}
    assert not any(name.startswith("tax__") for name in record)
    assert catalog_warnings(caplog) == ["catalog: customers: there are no fields tax"]
