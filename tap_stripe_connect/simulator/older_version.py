"""Objects in an API version from before the changes of 2025.

Values that the newer object lacks, such as the charge of an invoice, are null.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

API_VERSION = "2022-11-15"

Document = dict[str, Any]


def rendered(document: Document) -> Document:
    """Return an object of any kind in the older version."""
    change = CHANGES.get(document.get("object", ""))
    return document if change is None else change(document)


def _without(document: Document, names: frozenset[str]) -> Document:
    return {name: value for name, value in document.items() if name not in names}


NEW_IN_CHARGE = frozenset({"authorization_code", "level3", "presentment_details"})


def _charge(document: Document) -> Document:
    older = _without(document, NEW_IN_CHARGE)
    older["invoice"] = (document.get("metadata") or {}).get("invoice")
    return older


NEW_IN_CUSTOMER = frozenset({"business_name", "customer_account", "individual_name"})


def _customer(document: Document) -> Document:
    return _without(document, NEW_IN_CUSTOMER)


NEW_IN_INVOICE = frozenset(
    {
        "amount_overpaid",
        "amount_paid_off_stripe",
        "automatically_finalizes_at",
        "confirmation_secret",
        "customer_account",
        "issuer",
        "parent",
        "payments",
        "rendering",
        "status_details",
        "total_pretax_credit_amounts",
        "total_taxes",
    }
)


def _invoice(document: Document) -> Document:
    parent = document.get("parent") or {}
    subscription = parent.get("subscription_details") or {}
    older = _without(document, NEW_IN_INVOICE)
    older |= {
        "application_fee_amount": None,
        "charge": None,
        "discount": None,
        "paid": document.get("status") == "paid",
        "paid_out_of_band": False,
        "payment_intent": None,
        "quote": (parent.get("quote_details") or {}).get("quote"),
        "rendering_options": None,
        "subscription": subscription.get("subscription"),
        "subscription_details": {"metadata": subscription.get("metadata")},
        "tax": _tax(document),
        "total_tax_amounts": _tax_amounts(document.get("total_taxes")),
        "transfer_data": None,
    }
    if isinstance(document.get("lines"), dict):
        older["lines"] = _each(document["lines"], _line_item)
    return older


def _tax(document: Document) -> int | None:
    taxes = document.get("total_taxes")
    return sum(tax["amount"] for tax in taxes) if taxes else None


def _tax_amounts(taxes: list[Document] | None) -> list[Document]:
    return [
        {
            "amount": tax.get("amount"),
            "inclusive": tax.get("tax_behavior") == "inclusive",
            "tax_rate": (tax.get("tax_rate_details") or {}).get("tax_rate"),
            "taxability_reason": tax.get("taxability_reason"),
            "taxable_amount": tax.get("taxable_amount"),
        }
        for tax in taxes or ()
    ]


NEW_IN_LINE_ITEM = frozenset(
    {
        "invoice",
        "parent",
        "pretax_credit_amounts",
        "pricing",
        "quantity_decimal",
        "subtotal",
        "taxes",
    }
)


def _line_item(document: Document) -> Document:
    parent = document.get("parent") or {}
    item = parent.get("subscription_item_details") or parent.get("invoice_item_details") or {}
    of_subscription = parent.get("type") == "subscription_item_details"
    older = _without(document, NEW_IN_LINE_ITEM)
    older |= {
        "invoice_item": item.get("invoice_item"),
        "plan": None,
        "price": None,
        "proration": bool(item.get("proration")),
        "proration_details": item.get("proration_details"),
        "subscription_item": item.get("subscription_item"),
        "tax_amounts": _tax_amounts(document.get("taxes")),
        "tax_rates": [],
        "type": "subscription" if of_subscription else "invoiceitem",
    }
    return older


NEW_IN_SUBSCRIPTION = frozenset(
    {
        "billing_cycle_anchor_config",
        "billing_mode",
        "billing_schedules",
        "customer_account",
        "discounts",
        "invoice_settings",
        "managed_payments",
        "presentment_details",
        "status_details",
    }
)
NEW_IN_SUBSCRIPTION_ITEM = frozenset(
    {"billed_until", "current_period_end", "current_period_start", "current_trial", "discounts"}
)


def _subscription(document: Document) -> Document:
    items = document.get("items") or {}
    older = _without(document, NEW_IN_SUBSCRIPTION)
    for name in ("current_period_end", "current_period_start"):
        moments = [item[name] for item in items.get("data", ()) if item.get(name) is not None]
        older[name] = max(moments, default=None)
    older["discount"] = None
    if items:
        older["items"] = _each(items, _subscription_item)
    return older


def _subscription_item(document: Document) -> Document:
    return _without(document, NEW_IN_SUBSCRIPTION_ITEM)


def _each(listed: Document, change: Callable[[Document], Document]) -> Document:
    return listed | {"data": [change(item) for item in listed.get("data", ())]}


CHANGES: Mapping[str, Callable[[Document], Document]] = MappingProxyType(
    {
        "charge": _charge,
        "customer": _customer,
        "invoice": _invoice,
        "line_item": _line_item,
        "subscription": _subscription,
        "subscription_item": _subscription_item,
    }
)
