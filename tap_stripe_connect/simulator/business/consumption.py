"""What customers use and buy beyond their subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_stripe_connect.simulator.business import billing, invoicing, payments
from tap_stripe_connect.simulator.business.chance import poisson, stripe_id
from tap_stripe_connect.simulator.business.rhythm import (
    DAY,
    MINUTE,
    add_months,
    at_daytime,
    season,
)

if TYPE_CHECKING:
    from random import Random

    from tap_stripe_connect.simulator.business.customers import Customer
    from tap_stripe_connect.simulator.business.offer import Product
    from tap_stripe_connect.simulator.business.story import Story

_USAGE = {"Messages": 4_000, "API calls": 160_000, "Assistant credits": 700}
"""Units in an ordinary month."""
_EXTRAS = ("Training session", "Data import", "Extra report", "Express support", "Template pack")
_GOODS = ("Gift card", "Printed handbook", "Workshop ticket", "Starter kit", "Event pass")

_HEAVY = 2.2
"""Appetite from which customers buy extras every month."""
_EXTRAS_MEAN, _HEAVY_EXTRAS_MEAN = 0.25, 5.0
_ORDERS_MEAN, _MANUAL_MEAN = 0.15, 0.012
_ORDER_DECLINED = 0.04
_KEPT_AS_DRAFT = 0.15


def usage(rng: Random, product: Product, appetite: float, at: int) -> int:
    """Return how many units of a metered product are billed at the moment `at`."""
    return 1 + int(_USAGE[product.name] * appetite * season(at) * rng.lognormvariate(0, 0.3))


def extras(
    rng: Random, customer: Customer, at: int, subscription: str | None
) -> list[invoicing.Line]:
    """Return what a customer bought in a month besides: mostly nothing, for some a long list."""
    heavy = customer.appetite > _HEAVY
    mean = customer.appetite * _HEAVY_EXTRAS_MEAN if heavy else _EXTRAS_MEAN
    return _lines(rng, customer, poisson(rng, mean * season(at)), at, subscription)


def _lines(
    rng: Random, customer: Customer, count: int, at: int, subscription: str | None
) -> list[invoicing.Line]:
    currency = customer.country.currency
    lines = []
    for _ in range(count):
        amount = currency.convert(rng.randrange(5, 40) * 100)
        extra = invoicing.Extra(rng.choice(_EXTRAS), amount, currency.code)
        # With a subscription, extras wait for its next invoice.
        bought = at - rng.randrange(13 * DAY) if subscription else at
        lines.append(invoicing.extra_line(rng, extra, bought, subscription))
    return lines


def purchases(
    business: billing.Business, rng: Random, customer: Customer
) -> tuple[list[Story], list[Story]]:
    """Return the customer's invoices and charges that no subscription made."""
    invoices: list[Story] = []
    charges: list[Story] = []
    month = 0
    while (begin := add_months(customer.created, month)) < business.until:
        month += 1
        days = (add_months(customer.created, month) - begin) // DAY
        mean = _ORDERS_MEAN * (0.5 + customer.appetite / 2)
        for _ in range(poisson(rng, 4 * mean)):
            at = at_daytime(rng, begin + rng.randrange(days) * DAY)
            # Ordered only if the season is right for it.
            if rng.random() * 4 < season(at) ** 2.5:
                charges += _order(business, rng, customer, at)
        for _ in range(poisson(rng, _MANUAL_MEAN * customer.appetite)):
            at = at_daytime(rng, begin + rng.randrange(days) * DAY)
            bill = _manual(business, rng, customer, at)
            invoices.append(bill.invoice)
            charges += bill.charges
    return invoices, charges


def _order(business: billing.Business, rng: Random, customer: Customer, at: int) -> list[Story]:
    """Return the charges of one order: if the card is declined, it goes through a little later."""
    currency = customer.country.currency
    purchase = payments.Purchase(
        amount=currency.convert(rng.choice((2500, 5000, 5000, 7500, 10_000, 20_000, 30_000))),
        currency=currency.code,
        description=rng.choice(_GOODS),
        payment_intent=stripe_id(rng, "pi"),
        metadata={"order": f"{customer.number}-{rng.randrange(10**8):08}"},
        livemode=business.livemode,
        recurring=False,
    )
    outcomes = [False, True] if rng.random() < _ORDER_DECLINED else [True]
    charges = []
    for paid in outcomes:
        charges.append(payments.charge(rng, customer, purchase, at, paid=paid))
        at += rng.randrange(20, 3 * MINUTE)
    return charges


def _manual(business: billing.Business, rng: Random, customer: Customer, at: int) -> billing.Bill:
    """Return an invoice that somebody wrote by hand; some never get further than a draft."""
    lines = _lines(rng, customer, 1 + min(poisson(rng, 2 * customer.appetite), 24), at, None)
    draft = billing.Draft(lines, "manual", at)
    bill = billing.issue(business, rng, customer, draft)
    if rng.random() < _KEPT_AS_DRAFT:
        bill.invoice.changes.clear()
        bill.invoice.fields |= {"auto_advance": False, "automatically_finalizes_at": None}
        return billing.Bill(bill.invoice, [])
    return bill
