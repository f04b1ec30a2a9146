"""Complete objects, made from the schemas."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest

from tap_stripe_connect.catalog import STREAMS, TAP_COLUMNS, Listed, Nested
from tap_stripe_connect.catalog.endpoints import FACTS
from tap_stripe_connect.simulator import samples, shapes


def properties(stream: str) -> dict[str, Any]:
    """Return the fields in the schema of a stream."""
    schema = resources.files("tap_stripe_connect") / "schemas" / f"{stream}.json"
    found: dict[str, Any] = json.loads(schema.read_bytes())["properties"]
    return found


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_has_every_field_that_stripe_always_sends(stream: Listed | Nested) -> None:
    """A completed object has the schema's fields less the optional ones, and the lists inside it.

    An optional field is there only where Stripe has a default for it.
    """
    document = shapes.complete(stream.object, {"id": "x_1"})
    nested = {each.list_field for each in STREAMS if isinstance(each, Nested)} & document.keys()
    absent = {*TAP_COLUMNS, *FACTS.objects[stream.object].lacks}
    if isinstance(stream, Nested) and not stream.facts.parent_field:
        absent.add(stream.parent_field)
    sent = properties(stream.name).keys() - absent
    optional = {name for name in sent if f"{stream.object}.{name}" in shapes.optional_fields()}
    assert document.keys() - optional == (sent - optional) | nested
    assert all(document[name] is not None for name in optional & document.keys())
    assert document["object"] == stream.object
    assert document["id"] == "x_1"


def test_keeps_what_is_given() -> None:
    """Given fields override defaults, also those unknown to the schema."""
    document = shapes.complete("charge", {"id": "ch_1", "paid": False, "brand_new": {"a": 1}})
    assert document["paid"] is False
    assert document["brand_new"] == {"a": 1}
    assert document["metadata"] == {}


def test_completes_objects_inside() -> None:
    """A hash given in part gets its other fields, but for optional ones; they are null."""
    card = {"brand": "visa", "checks": {"cvc_check": "pass"}}
    details = {"type": "card", "card": card}
    document = shapes.complete("charge", {"id": "ch_1", "payment_method_details": details})
    schema = properties("charges")["payment_method_details"]["properties"]["card"]["properties"]
    completed = document["payment_method_details"]["card"]
    assert completed.keys() < schema.keys()
    assert {name for name, value in completed.items() if value is None} == {
        name
        for name in schema.keys() - card.keys()
        if f"charge.payment_method_details.card.{name}" not in shapes.optional_fields()
    }
    assert completed["checks"]["address_line1_check"] is None
    assert completed["checks"]["cvc_check"] == "pass"
    assert document["shipping"] is None


def test_leaves_out_the_other_payment_methods() -> None:
    """Of the details of a payment, Stripe sends those of the method used and no other."""
    details = {"type": "card", "card": {"wallet": {"type": "apple_pay", "apple_pay": {}}}}
    document = shapes.complete("charge", {"id": "ch_1", "payment_method_details": details})
    assert document["payment_method_details"].keys() == {"type", "card"}
    wallet = document["payment_method_details"]["card"]["wallet"]
    assert wallet == {"type": "apple_pay", "apple_pay": {}, "dynamic_last4": None}


def test_leaves_out_what_stripe_leaves_out() -> None:
    """An optional field is only there where it is set, even to null, or has a default."""
    document = shapes.complete("customer", {"id": "cus_1", "name": "N", "currency": None})
    assert (document["name"], document["currency"], document["email"]) == ("N", None, None)
    assert document["tax_exempt"] == "none"
    assert not document.keys() & {"address", "discount", "phone", "test_clock"}
    assert "transfer" not in shapes.complete("charge", {"id": "ch_1"})


def test_wraps_lines_in_a_list_object() -> None:
    """Bare lines become a complete list object that knows the invoice and its mode."""
    document = shapes.complete(
        "invoice", {"id": "in_1", "livemode": True, "lines": [{"id": "il_1"}]}
    )
    lines = document["lines"]
    assert {name: lines[name] for name in ("object", "has_more", "url")} == {
        "object": "list",
        "has_more": False,
        "url": "/v1/invoices/in_1/lines",
    }
    (line,) = lines["data"]
    assert (line["id"], line["invoice"], line["livemode"]) == ("il_1", "in_1", True)
    assert line.keys() >= properties("invoice_line_items").keys() - TAP_COLUMNS


def test_wraps_subscription_items_in_a_list_object() -> None:
    """Items become complete, with the plan and price inside them, and have no mode of their own."""
    items = [{"id": "si_1", "plan": {"id": "plan_1"}, "price": {"id": "plan_1"}}]
    document = shapes.complete("subscription", {"id": "sub_1", "items": items})
    assert document["items"]["url"] == "/v1/subscription_items?subscription=sub_1"
    (item,) = document["items"]["data"]
    assert item["subscription"] == "sub_1"
    assert "livemode" not in item
    assert item["plan"]["object"] == "plan"
    assert item["price"]["recurring"]["interval"] == "month"


@pytest.mark.parametrize("object_", ["charge", "customer", "invoice", "subscription"])
def test_completing_twice_changes_nothing(object_: str) -> None:
    """A complete object is its own completion."""
    once = shapes.complete(object_, {"id": "x_1", "livemode": False})
    assert shapes.complete(object_, once) == once


def test_objects_share_nothing() -> None:
    """A change to one object's default hash or list does not show in the next object."""
    first = shapes.complete("invoice", {"id": "in_1"})
    first["metadata"]["a"] = "b"
    first["discounts"].append("di_1")
    second = shapes.complete("invoice", {"id": "in_2"})
    assert second["metadata"] == {}
    assert second["discounts"] == []


def test_refuses_an_unknown_object() -> None:
    """An object without a stream is an error that names it."""
    with pytest.raises(LookupError, match=r"apps\.secret"):
        shapes.complete("apps.secret", {"id": "appsecret_1"})


def test_samples_have_the_type_of_their_field() -> None:
    """A field has a value of its type, the same each time, unless it is omitted."""
    schema = {
        "at": {"type": ["string", "null"], "format": "date-time"},
        "currency": {"type": ["string", "null"]},
        "customer": {"type": ["string", "null"]},
        "fee_decimal": {"type": ["string", "null"]},
        "flag": {"type": ["boolean", "null"]},
        "list": {"type": ["array", "null"], "items": {"type": "integer"}},
        "open": {"type": ["object", "null"], "additionalProperties": True},
        "gone": {"type": ["string", "null"]},
        "part": {
            "type": ["object", "null"],
            "properties": {name: {"type": ["number", "null"]} for name in ("rate", "gone")},
        },
    }
    found = samples.fields(schema, "x.", {"x.customer"}, {"x.gone", "x.part.gone"})
    assert found == samples.fields(schema, "x.", {"x.customer"}, {"x.gone", "x.part.gone"})
    assert found["currency"] == "usd"
    assert found["customer"].startswith("customer_Sample")
    assert float(found["fee_decimal"])
    kinds = {"at": int, "flag": bool, "list": list, "open": dict, "part": dict}
    assert {name: type(found[name]) for name in kinds} == kinds
    assert type(found["list"][0]) is int
    assert type(found["part"]["rate"]) is float
    assert "gone" not in found
    assert "gone" not in found["part"]
