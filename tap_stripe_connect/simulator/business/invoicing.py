"""Invoice lines, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_stripe_connect.simulator.business.chance import stripe_id

if TYPE_CHECKING:
    from random import Random

    from tap_stripe_connect.simulator.business.offer import Price

Line = dict[str, Any]

MOST_LINES = 40
"""Lines an invoice has at most."""


@dataclass(frozen=True, slots=True)
class Discount:
    """A coupon in use."""

    id: str
    coupon: str
    percent: float | None
    amount: int | None
    """Minor units."""
    end: int | None
    """When it stops taking something off, None for never."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing subscribed to."""

    id: str
    price: Price
    quantity: int
    created: int
    subscription: str


class Extra(NamedTuple):
    """Something sold once, for `amount` minor units."""

    text: str
    amount: int
    currency: str


def item_line(rng: Random, item: Item, period: tuple[int, int]) -> Line:
    """Return the line for a subscription item in a billing period."""
    price = item.price
    return {
        "id": stripe_id(rng, "il"),
        "amount": price.cost(item.quantity),
        "currency": price.currency.code,
        "description": f"{item.quantity} x {price.title}",
        "parent": _item_parent(item, proration=False),
        "period": {"start": period[0], "end": period[1]},
        "pricing": _pricing(price.id, price.product_id, price.decimal),
        "quantity": item.quantity,
        "quantity_decimal": str(item.quantity),
        "subscription": item.subscription,
    }


def prorated(
    rng: Random, item: Item, at: int, period: tuple[int, int], *, credit: bool = False
) -> Line:
    """Return the line for what is left of `period` at the moment `at`; a `credit` gives it back."""
    begin, end = period
    amount = round(item.price.cost(item.quantity) * (end - at) / (end - begin))
    text = f"{'Unused' if credit else 'Remaining'} time on {item.price.product.name}"
    return item_line(rng, item, (at, end)) | {
        "amount": -amount if credit else amount,
        "description": text,
        "discountable": False,
        "parent": _item_parent(item, proration=True),
    }


def extra_line(rng: Random, extra: Extra, at: int, subscription: str | None) -> Line:
    """Return the line for something sold at the moment `at`."""
    return {
        "id": stripe_id(rng, "il"),
        "amount": extra.amount,
        "currency": extra.currency,
        "description": extra.text,
        "parent": {
            "type": "invoice_item_details",
            "invoice_item_details": {
                "invoice_item": stripe_id(rng, "ii"),
                "subscription": subscription,
            },
        },
        "period": {"start": at, "end": at},
        "pricing": _pricing(stripe_id(rng, "price"), stripe_id(rng, "prod", 14), str(extra.amount)),
        "quantity": 1,
        "quantity_decimal": "1",
        "subscription": subscription,
    }


def _item_parent(item: Item, *, proration: bool) -> dict[str, Any]:
    return {
        "type": "subscription_item_details",
        "subscription_item_details": {
            "proration": proration,
            "subscription": item.subscription,
            "subscription_item": item.id,
        },
    }


def _pricing(price: str, product: str, unit_amount: str) -> dict[str, Any]:
    return {
        "type": "price_details",
        "price_details": {"price": price, "product": product},
        "unit_amount_decimal": unit_amount,
    }


def shares(total: int, weights: list[int]) -> list[int]:
    """Split `total` in proportion to `weights`, exactly: the last share takes what is left."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    split, seen, given = [], 0, 0
    for weight in weights:
        seen += weight
        split.append(total * seen // whole - given)
        given += split[-1]
    return split


def discounted(lines: list[Line], discount: Discount) -> list[int]:
    """Return what `discount` takes off each line, never more than the lines cost."""
    costs = [line["amount"] if line.get("discountable", True) else 0 for line in lines]
    whole = sum(costs)
    if discount.percent is not None:
        off = round(whole * discount.percent / 100)
    else:
        off = min(discount.amount or 0, whole)
    return shares(off, costs)


def totals(
    lines: list[Line], discount: Discount | None, tax_rate: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the invoice fields that follow from `lines`: the lines themselves and all sums."""
    subtotal = sum(line["amount"] for line in lines)
    off = discounted(lines, discount) if discount else [0] * len(lines)
    finished = [
        _finished(line, line_off, discount, tax_rate)
        for line, line_off in zip(lines, off, strict=True)
    ]
    taxes = sum(tax["amount"] for line in finished for tax in line["taxes"])
    net = subtotal - sum(off)
    due = max(net + taxes, 0)
    return {
        "lines": finished,
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal,
        "total": net + taxes,
        "total_excluding_tax": net,
        "amount_due": due,
        "amount_remaining": due,
        "discounts": [discount.id] if discount else [],
        "total_discount_amounts": _discount_amounts(sum(off), discount),
        "total_pretax_credit_amounts": _credit_amounts(sum(off), discount),
        "total_taxes": [_tax(taxes, net, tax_rate)] if tax_rate else [],
        "default_tax_rates": [tax_rate] if tax_rate else [],
    }


def _finished(
    line: Line, off: int, discount: Discount | None, tax_rate: dict[str, Any] | None
) -> Line:
    net = line["amount"] - off
    tax = round(net * tax_rate["percentage"] / 100) if tax_rate else 0
    return line | {
        "subtotal": line["amount"],
        "discount_amounts": _discount_amounts(off, discount),
        "pretax_credit_amounts": _credit_amounts(off, discount),
        "taxes": [_tax(tax, net, tax_rate)] if tax_rate else [],
    }


def _discount_amounts(off: int, discount: Discount | None) -> list[dict[str, Any]]:
    return [{"amount": off, "discount": discount.id}] if discount else []


def _credit_amounts(off: int, discount: Discount | None) -> list[dict[str, Any]]:
    return [{"amount": off, "discount": discount.id, "type": "discount"}] if discount else []


def _tax(amount: int, taxable: int, tax_rate: dict[str, Any]) -> dict[str, Any]:
    return {
        "amount": amount,
        "tax_behavior": "exclusive",
        "tax_rate_details": {"tax_rate": tax_rate["id"]},
        "taxability_reason": "standard_rated",
        "taxable_amount": taxable,
        "type": "tax_rate_details",
    }
