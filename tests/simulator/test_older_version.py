"""Objects in the older API version."""

from __future__ import annotations

from typing import Any

import pytest

from tap_stripe_connect.simulator import shapes
from tap_stripe_connect.simulator.account import OBJECTS
from tap_stripe_connect.simulator.older_version import rendered

TAXES = [
    {
        "amount": 19,
        "tax_behavior": "exclusive",
        "tax_rate_details": {"tax_rate": "txr_1"},
        "taxability_reason": "standard_rated",
        "taxable_amount": 100,
    }
]
TAX_AMOUNTS = [
    {
        "amount": 19,
        "inclusive": False,
        "tax_rate": "txr_1",
        "taxability_reason": "standard_rated",
        "taxable_amount": 100,
    }
]


def test_an_invoice_names_its_subscription_at_the_top() -> None:
    """What moved under `parent` and `total_taxes` is where it was."""
    subscription = {"subscription": "sub_1", "metadata": {"a": "b"}}
    older = rendered(
        {
            "object": "invoice",
            "id": "in_1",
            "parent": {"subscription_details": subscription, "type": "subscription_details"},
            "status": "paid",
            "total_taxes": TAXES,
            "lines": {"object": "list", "data": [], "has_more": False},
        }
    )
    assert not older.keys() & {"parent", "total_taxes"}
    assert older["id"] == "in_1"
    assert older["paid"] is True
    assert older["subscription"] == "sub_1"
    assert older["subscription_details"] == {"metadata": {"a": "b"}}
    assert older["tax"] == 19
    assert older["total_tax_amounts"] == TAX_AMOUNTS


@pytest.mark.parametrize(
    ("parent", "expected"),
    [
        (
            {
                "type": "subscription_item_details",
                "subscription_item_details": {"subscription_item": "si_1", "proration": True},
            },
            {"type": "subscription", "subscription_item": "si_1", "proration": True},
        ),
        (
            {
                "type": "invoice_item_details",
                "invoice_item_details": {"invoice_item": "ii_1", "proration": False},
            },
            {"type": "invoiceitem", "invoice_item": "ii_1", "proration": False},
        ),
        (None, {"type": "invoiceitem", "invoice_item": None, "subscription_item": None}),
    ],
)
def test_a_line_says_itself_where_it_is_from(
    parent: dict[str, Any] | None, expected: dict[str, Any]
) -> None:
    """`type` and the ids of items stand on the line."""
    older = rendered({"object": "line_item", "id": "il_1", "parent": parent, "taxes": TAXES})
    assert expected.items() <= older.items()
    assert older["tax_amounts"] == TAX_AMOUNTS
    assert not older.keys() & {"parent", "pricing", "taxes"}


def test_a_subscription_has_its_period_itself() -> None:
    """The latest period of its items is the subscription's, and the items have none."""
    items = [
        {"object": "subscription_item", "id": "si_1", "current_period_start": 1},
        {"object": "subscription_item", "id": "si_2", "current_period_start": 3},
    ]
    older = rendered({"object": "subscription", "items": {"object": "list", "data": items}})
    assert older["current_period_start"] == 3
    assert older["current_period_end"] is None
    assert [item.keys() for item in older["items"]["data"]] == [{"object", "id"}] * 2


def test_a_charge_names_its_invoice() -> None:
    """`invoice` is on the charge, by what the simulated business notes in its metadata."""
    assert rendered({"object": "charge", "metadata": {"invoice": "in_1"}})["invoice"] == "in_1"
    assert rendered({"object": "charge", "metadata": {}})["invoice"] is None


@pytest.mark.parametrize("object_", sorted({*OBJECTS, "line_item", "subscription_item"}))
def test_every_object_has_an_older_form(object_: str) -> None:
    """Rendering changes no argument and works on objects with nothing set."""
    given = shapes.complete(object_, {"id": "x_1"})
    before = repr(given)
    assert rendered(given)["id"] == "x_1"
    assert repr(given) == before


def test_unknown_objects_stay_as_they_are() -> None:
    """Payloads of kinds the simulator does not have pass through."""
    assert rendered({"object": "refund", "id": "re_1"}) == {"object": "refund", "id": "re_1"}
    assert rendered({"id": "x"}) == {"id": "x"}
