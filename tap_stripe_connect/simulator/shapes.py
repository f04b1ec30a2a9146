"""Complete Stripe objects with all fields that Stripe's API sends."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from tap_stripe_connect import catalog
from tap_stripe_connect.catalog.endpoints import FACTS
from tap_stripe_connect.simulator import samples

_PLAN: dict[str, Any] = {
    "object": "plan",
    "active": True,
    "billing_scheme": "per_unit",
    "currency": "usd",
    "interval": "month",
    "interval_count": 1,
    "livemode": False,
    "usage_type": "licensed",
}
_PRICE: dict[str, Any] = {
    "object": "price",
    "active": True,
    "billing_scheme": "per_unit",
    "currency": "usd",
    "livemode": False,
    "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
    "tax_behavior": "unspecified",
    "type": "recurring",
}
_TAX_RATE: dict[str, Any] = {
    "object": "tax_rate",
    "active": True,
    "inclusive": False,
    "livemode": False,
    "rate_type": "percentage",
}

# Values, other than null, that Stripe sends for fields that are not set, by object and path.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "charge": {
        "object": "charge",
        "amount": 0,
        "amount_captured": 0,
        "amount_refunded": 0,
        "billing_details": {},
        "captured": True,
        "currency": "usd",
        "disputed": False,
        "fraud_details": {},
        "livemode": False,
        "paid": True,
        "refunded": False,
        "status": "succeeded",
    },
    "coupon": {
        "object": "coupon",
        "duration": "once",
        "livemode": False,
        "times_redeemed": 0,
        "valid": True,
    },
    "customer": {
        "object": "customer",
        "balance": 0,
        "delinquent": False,
        "invoice_settings": {},
        "livemode": False,
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "tax_exempt": "none",
    },
    "customer.discount": {"object": "discount"},
    "event": {"object": "event", "livemode": False, "pending_webhooks": 0, "request": {}},
    "invoice": {
        "object": "invoice",
        "amount_due": 0,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": {"enabled": False},
        "collection_method": "charge_automatically",
        "currency": "usd",
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_tax_rates": [],
        "discounts": [],
        "issuer": {"type": "self"},
        "livemode": False,
        "payment_settings": {},
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": 0,
        "status": "draft",
        "status_transitions": {},
        "subtotal": 0,
        "total": 0,
        "total_discount_amounts": [],
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
    },
    "invoice.default_tax_rates[]": _TAX_RATE,
    "line_item": {
        "object": "line_item",
        "amount": 0,
        "currency": "usd",
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "livemode": False,
        "pretax_credit_amounts": [],
        "subtotal": 0,
        "taxes": [],
    },
    "line_item.parent.invoice_item_details": {"proration": False},
    "line_item.parent.subscription_item_details": {"proration": False},
    "plan": _PLAN,
    "subscription": {
        "object": "subscription",
        "automatic_tax": {"enabled": False},
        "billing_mode": {"type": "flexible", "flexible": {"proration_discounts": "included"}},
        "billing_schedules": [],
        "cancel_at_period_end": False,
        "cancellation_details": {},
        "collection_method": "charge_automatically",
        "currency": "usd",
        "default_tax_rates": [],
        "discounts": [],
        "invoice_settings": {"issuer": {"type": "self"}},
        "livemode": False,
        "managed_payments": {"enabled": False},
        "payment_settings": {"save_default_payment_method": "off"},
        "status": "active",
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
    },
    "subscription.default_tax_rates[]": _TAX_RATE,
    "subscription_item": {
        "object": "subscription_item",
        "discounts": [],
        "quantity": 1,
        "tax_rates": [],
    },
    "subscription_item.plan": _PLAN,
    "subscription_item.price": _PRICE,
    "subscription_item.tax_rates[]": _TAX_RATE,
}


@cache
def optional_paths() -> dict[str, list[str]]:
    """Return the fields that Stripe omits, instead of sending null, unless they are set.

    They come from Stripe's TypeScript types; those for Python do not distinguish absent from null.
    """
    file = resources.files(__package__) / "optional_fields.json"
    found: dict[str, list[str]] = json.loads(file.read_bytes())
    return found


@cache
def optional_fields() -> frozenset[str]:
    """Return the same fields by object and path, as in `invoice.shipping_details.phone`."""
    return frozenset(f"{name}.{path}" for name, paths in optional_paths().items() for path in paths)


class _Shape:
    """The fields of an object with their defaults, and the shapes of nested objects."""

    __slots__ = ("_children", "_lists", "_template", "names")

    def __init__(
        self,
        path: str,
        properties: dict[str, Any],
        lists: dict[str, _List],
        defaults: dict[str, Any],
    ) -> None:
        self._lists: dict[str, _List] = {}
        self._children: dict[str, _Shape] = {}
        for name, schema in properties.items():
            if inner := schema.get("properties"):
                self._children[name] = _part(f"{path}.{name}", inner)
            elif inner := schema.get("items", {}).get("properties"):
                self._children[name] = _part(f"{path}.{name}[]", inner)
        empty: dict[str, Any] = {
            name: {} if name == "metadata" else None
            for name in properties
            if f"{path}.{name}" not in optional_fields()
        }
        # Decoding makes fresh lists and objects each time, faster than a deep copy would.
        self._template = msgspec.json.encode(empty)
        self._template = msgspec.json.encode(self.fill(defaults))
        self.names = properties.keys()
        self._lists = lists

    def fill(self, fields: dict[str, Any]) -> dict[str, Any]:
        document: dict[str, Any] = msgspec.json.decode(self._template)
        document.update(fields)
        for name in self._children.keys() & fields.keys():
            value = fields[name]
            fill = self._children[name].fill
            if isinstance(value, dict):
                document[name] = fill(value)
            elif isinstance(value, list):
                document[name] = [fill(item) if isinstance(item, dict) else item for item in value]
        for name, nested in self._lists.items():
            document[name] = nested.fill(document.get(name), document)
        return document


class _List:
    """A nested list object with all its items."""

    __slots__ = ("_inherited", "_shape", "_url")

    def __init__(self, stream: catalog.Nested) -> None:
        self._shape = _shape(stream.object)
        self._url = stream.facts.url
        self._inherited = {stream.parent_field: "id"} if stream.facts.parent_field else {}
        for name in {"created", "livemode"} - lacks(stream.object) - lacks(stream.within.object):
            self._inherited[name] = name

    def fill(self, value: Any, parent: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Return the list object for `value`, which is one already or its items."""
        listed = value if isinstance(value, dict) else {"data": value or []}
        owner = {field: parent[source] for field, source in self._inherited.items()}
        return {
            "object": "list",
            "has_more": False,
            "url": self._url.format_map(parent),
            **listed,
            "data": [self._shape.fill(owner | item) for item in listed["data"]],
        }


@cache
def _shape(name: str) -> _Shape:
    stream = next((stream for stream in catalog.STREAMS if stream.object == name), None)
    if stream is None:
        raise LookupError(f"No stream of the catalog holds Stripe's object {name!r}")
    omitted = {*catalog.TAP_COLUMNS, *lacks(name)}
    if isinstance(stream, catalog.Nested) and not stream.facts.parent_field:
        omitted.add(stream.parent_field)
    schema = _schema(stream.name)
    properties = {
        field: inner for field, inner in schema["properties"].items() if field not in omitted
    }
    lists = {nested.list_field: _List(nested) for nested in catalog.nested_in(stream.name)}
    defaults = _DEFAULTS.get(name)
    if defaults is None:
        expandable = frozenset(f"{name}.{path}" for path in schema["x-expandable"])
        defaults = samples.fields(properties, f"{name}.", expandable, optional_fields())
    return _Shape(name, properties, lists, {**defaults, "object": name})


def _part(path: str, properties: dict[str, Any]) -> _Shape:
    return _Shape(path, properties, {}, _DEFAULTS.get(path, {}))


def _schema(stream: str) -> dict[str, Any]:
    file = resources.files("tap_stripe_connect") / "schemas" / f"{stream}.json"
    schema: dict[str, Any] = json.loads(file.read_bytes())
    return schema


def complete(object_: str, fields: dict[str, Any], /) -> dict[str, Any]:
    """Return a Stripe object of the kind `object_` with the fields that Stripe always sends.

    Missing fields are null, or Stripe's defaults; kinds without known defaults get samples of each
    type. Optional fields are omitted, as at Stripe. Fields unknown to the schema are kept. Nested
    lists (`lines`, `items`) may be given as lists of items. Times are unix seconds. Raises
    LookupError for a kind without a stream.
    """
    return _shape(object_).fill(fields)


def has(object_: str, field: str) -> bool:
    """Return whether objects of a kind have a field in the schema."""
    return field in _shape(object_).names


def lacks(object_: str) -> frozenset[str]:
    """Return which of `id`, `created` and `livemode` objects of a kind do not have."""
    return FACTS.objects[object_].lacks
