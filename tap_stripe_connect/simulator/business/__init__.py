"""A seeded subscription business that fills an account with years of history."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from tap_stripe_connect.simulator.business import billing, consumption, offer
from tap_stripe_connect.simulator.business.chance import stream, stripe_id
from tap_stripe_connect.simulator.business.customers import Customer, customer_story, new_customer
from tap_stripe_connect.simulator.business.invoicing import Discount
from tap_stripe_connect.simulator.business.money import COUNTRIES, tax_rate
from tap_stripe_connect.simulator.business.rhythm import DAY, HOUR, at_daytime, signup_days
from tap_stripe_connect.simulator.business.story import Account, Story, tell
from tap_stripe_connect.simulator.business.subscriptions import Subscription

if TYPE_CHECKING:
    from random import Random

__all__ = ["populate"]

_SUBSCRIBES, _SUBSCRIBES_AGAIN = 0.96, 0.24


def populate(account: Account, *, seed: int, customers: int, start: int, until: int) -> None:
    """Fill `account` with a business that opened at `start`, as it is at `until` (unix seconds).

    About `customers` sign up in the first three years, slower at first; a longer time has more of
    them, a shorter one fewer. The same arguments give the same business, and a later `until` the
    same one some time on: what was there keeps its ids and its `created`.
    """
    business = _open(account, seed, start, until)
    partner = next(coupon for coupon in business.coupons if coupon.id == "PARTNER15")
    for number, day in zip(count(1), signup_days(customers, start + DAY), strict=False):
        if day >= until:
            break
        rng = stream(seed, "customer", number)
        discount = Discount(stripe_id(rng, "di"), partner.id, partner.percent, None, None)
        customer = new_customer(rng, number, at_daytime(rng, day), discount)
        if customer.created < until:
            _tell_customer(account, business, rng, customer)
    for price in business.prices:
        tell(account, offer.plan_story(price, livemode=business.livemode), until)
    for coupon in business.coupons:
        redeemed = business.redemptions[coupon.id]
        tell(account, offer.coupon_story(coupon, redeemed, livemode=business.livemode), until)


def _open(account: Account, seed: int, start: int, until: int) -> billing.Business:
    coupons = offer.coupons(seed, start, until)
    return billing.Business(
        seed=seed,
        account=account.id,
        livemode=account.livemode,
        until=until,
        prices=offer.PriceList(seed, start, until),
        coupons=coupons,
        tax_rates={
            country.code: tax_rate(country, seed, created=start, livemode=account.livemode)
            for country in COUNTRIES
        },
        redemptions={coupon.id: [] for coupon in coupons},
    )


def _tell_customer(
    account: Account, business: billing.Business, rng: Random, customer: Customer
) -> None:
    story = customer_story(customer, livemode=business.livemode)
    if customer.discount:
        business.redemptions[customer.discount.coupon].append(customer.created)
    subscriptions = _subscribe(business, rng, customer)
    invoices, charges = consumption.purchases(
        business, stream(business.seed, "purchases", customer.number), customer
    )
    invoices += [invoice for each in subscriptions for invoice in each.invoices]
    charges += [charge for each in subscriptions for charge in each.charges]
    billing.number(invoices, customer.invoice_prefix)
    _follow_payments(story, subscriptions, invoices)
    for told in (story, *(each.story for each in subscriptions), *invoices, *charges):
        tell(account, told, business.until)
    for at, preview in (preview for each in subscriptions for preview in each.previews):
        account.add_event("invoice.upcoming", preview, at=at)


def _subscribe(business: billing.Business, rng: Random, customer: Customer) -> list[Subscription]:
    starts = []
    soon, later = rng.randrange(60, 2 * HOUR), rng.randrange(30 * DAY, 500 * DAY)
    if rng.random() < _SUBSCRIBES:
        starts.append(customer.created + soon)
    if rng.random() < _SUBSCRIBES_AGAIN:
        starts.append(customer.created + later)
    return [
        Subscription(
            business, customer, stream(business.seed, "subscription", customer.number, index), at
        )
        for index, at in enumerate(starts)
        if at < business.until
    ]


def _follow_payments(
    story: Story, subscriptions: list[Subscription], invoices: list[Story]
) -> None:
    """Note on the customer when they fell behind, and how many invoices they got."""
    for at, behind in sorted(change for each in subscriptions for change in each.delinquency):
        story.change(at, "customer.updated", delinquent=behind)
    finalized = [moment for invoice in invoices if (moment := billing.finalized_at(invoice))]
    for sequence, moment in enumerate(sorted(finalized), start=2):
        story.change(moment, next_invoice_sequence=sequence)
