"""Invoices: issued, then paid, declined, or given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_stripe_connect.simulator.business import invoicing, payments
from tap_stripe_connect.simulator.business.chance import stripe_id, token
from tap_stripe_connect.simulator.business.rhythm import DAY, HOUR, MINUTE
from tap_stripe_connect.simulator.business.story import Story

if TYPE_CHECKING:
    from random import Random

    from tap_stripe_connect.simulator.business.customers import Customer
    from tap_stripe_connect.simulator.business.offer import Coupon, PriceList

DAYS_UNTIL_DUE = 30
_ACCEPTED = 0.945
"""Share of first attempts that the card's issuer accepts."""
_RETRY_ACCEPTED = 0.5
_RETRY_GAPS = (3 * DAY, 5 * DAY, 7 * DAY)
_PAID_ON_INVOICE = 0.95


@dataclass(frozen=True, slots=True)
class Business:
    """What every part of the business needs to know."""

    seed: int
    account: str
    livemode: bool
    until: int
    prices: PriceList
    coupons: list[Coupon]
    tax_rates: dict[str, dict[str, Any] | None]
    """By country code."""
    redemptions: dict[str, list[int]]
    """By coupon id, when it was redeemed."""


class Bill(NamedTuple):
    """An invoice, the charges made for it, and how that went."""

    invoice: Story
    charges: list[Story]
    failed_at: int | None = None
    """First declined attempt."""
    paid_at: int | None = None
    gave_up_at: int | None = None


_FINALIZED = "invoice.finalized"

_REASON_TEXT = {
    "subscription_create": "Subscription creation",
    "subscription_cycle": "Subscription update",
    "subscription_update": "Subscription update",
    "manual": "Payment for invoice",
}


class Draft(NamedTuple):
    """What an invoice is about."""

    lines: list[invoicing.Line]
    reason: str
    at: int
    subscription: str | None = None
    discount: invoicing.Discount | None = None
    """Instead of the customer's own."""


def invoice_fields(business: Business, customer: Customer, draft: Draft) -> dict[str, Any]:
    """Return the fields of a draft invoice, without an id."""
    lines, at = draft.lines, draft.at
    tax_rate = business.tax_rates[customer.country.code]
    by_mail = customer.pays_on_invoice
    parent = {
        "type": "subscription_details",
        "subscription_details": {"metadata": {}, "subscription": draft.subscription},
    }
    return {
        "account_country": "US",
        "account_name": "Simulated business",
        "auto_advance": True,
        "automatically_finalizes_at": at + HOUR,
        "billing_reason": draft.reason,
        "collection_method": "send_invoice" if by_mail else "charge_automatically",
        "created": at,
        "currency": customer.country.currency.code,
        "customer": customer.id,
        "customer_address": customer.address,
        "customer_email": customer.email,
        "customer_name": customer.name,
        "customer_phone": customer.phone,
        "due_date": at + DAYS_UNTIL_DUE * DAY if by_mail else None,
        "livemode": business.livemode,
        "parent": parent if draft.subscription else None,
        "period_start": min((line["period"]["start"] for line in lines), default=at),
        "period_end": at,
        **invoicing.totals(lines, draft.discount or customer.discount, tax_rate),
    }


def issue(
    business: Business, rng: Random, customer: Customer, draft: Draft, *, first: bool = False
) -> Bill:
    """Return what becomes of a draft: everything that will ever happen to it.

    The `first` invoice of a subscription is charged at once and gets one more attempt that day.
    """
    fields = invoice_fields(business, customer, draft)
    story = Story("invoice", {"id": stripe_id(rng, "in")} | fields, "invoice.created")
    at = story.created if first else story.created + HOUR + rng.randrange(10 * MINUTE)
    _finalize(story, at, f"{business.account}/{'live' if business.livemode else 'test'}", rng)
    due = story.fields["amount_due"]
    if not due:
        _paid(story, at, 0)
        return Bill(story, [], paid_at=at)
    purchase = payments.Purchase(
        amount=due,
        currency=fields["currency"],
        description=_REASON_TEXT[draft.reason],
        payment_intent=stripe_id(rng, "pi"),
        metadata={"invoice": story.fields["id"]},
        livemode=business.livemode,
        recurring=not customer.pays_on_invoice,
    )
    if customer.pays_on_invoice:
        return _wait(rng, customer, story, purchase)
    gaps = (rng.randrange(HOUR, 8 * HOUR),) if first else _RETRY_GAPS
    attempts = [at + rng.randrange(1, 6)]
    for gap in gaps:
        attempts.append(attempts[-1] + gap)
    return _collect(rng, customer, story, purchase, attempts)


def _collect(
    rng: Random,
    customer: Customer,
    story: Story,
    purchase: payments.Purchase,
    attempts: list[int],
) -> Bill:
    charges: list[Story] = []
    for count, at in enumerate(attempts, start=1):
        paid = rng.random() < (_ACCEPTED if count == 1 else _RETRY_ACCEPTED)
        charges.append(payments.charge(rng, customer, purchase, at, paid=paid))
        failed_at = attempts[0] if count > 1 else None
        if paid:
            _paid(story, at, count)
            return Bill(story, charges, failed_at, paid_at=at)
        story.change(
            at,
            "invoice.payment_failed",
            attempt_count=count,
            attempted=True,
            next_payment_attempt=attempts[count] if count < len(attempts) else None,
        )
    if story.fields["billing_reason"] == "subscription_create":
        gave_up_at = story.created + 23 * HOUR
        _close(story, gave_up_at, "void")
    else:
        gave_up_at = attempts[-1] + rng.randrange(1, 6)
        _close(story, gave_up_at, rng.choice(("uncollectible", "uncollectible", "void", "open")))
    return Bill(story, charges, attempts[0], gave_up_at=gave_up_at)


def _wait(rng: Random, customer: Customer, story: Story, purchase: payments.Purchase) -> Bill:
    """Leave it to the customer to pay by the due date, or a little late."""
    due_date: int = story.fields["due_date"]
    paid = rng.random() < _PAID_ON_INVOICE
    at = due_date - rng.randrange(28 * DAY) + rng.randrange(10 * DAY)
    if paid:
        charge = payments.charge(rng, customer, purchase, at, paid=True)
        _paid(story, at, 1)
        return Bill(story, [charge], paid_at=at)
    gave_up_at = due_date + 30 * DAY
    _close(story, gave_up_at, rng.choice(("uncollectible", "void")))
    return Bill(story, [], gave_up_at=gave_up_at)


def _finalize(story: Story, at: int, path: str, rng: Random) -> None:
    slug = f"{path}_{token(rng, 80)}"
    story.change(
        at,
        _FINALIZED,
        automatically_finalizes_at=None,
        effective_at=at,
        hosted_invoice_url=f"https://invoice.stripe.com/i/{slug}?s=ap",
        invoice_pdf=f"https://pay.stripe.com/invoice/{slug}/pdf?s=ap",
        status="open",
        status_transitions={"finalized_at": at},
        webhooks_delivered_at=story.created,
    )


def finalized_at(story: Story) -> int | None:
    """Return when an invoice is finalized, None if it stays a draft."""
    return next((change.at for change in story.changes if change.event == _FINALIZED), None)


def _paid(story: Story, at: int, attempts: int) -> None:
    due = story.fields["amount_due"]
    story.change(
        at,
        "invoice.paid",
        amount_paid=due,
        amount_remaining=0,
        attempt_count=attempts,
        attempted=True,
        next_payment_attempt=None,
        status="paid",
        status_transitions={"finalized_at": finalized_at(story), "paid_at": at},
    )


def _close(story: Story, at: int, status: str) -> None:
    """Stop collecting: `status` is uncollectible, void, or open if nobody looks after it."""
    transition, event = {
        "uncollectible": ("marked_uncollectible_at", "invoice.marked_uncollectible"),
        "void": ("voided_at", "invoice.voided"),
        "open": (None, "invoice.updated"),
    }[status]
    transitions: dict[str, int | None] = {"finalized_at": finalized_at(story)}
    if transition:
        transitions[transition] = at
    story.change(at, event, auto_advance=False, status=status, status_transitions=transitions)


def number(invoices: list[Story], prefix: str) -> None:
    """Number the invoices of one customer in the order in which they were made."""
    sequence = 0
    for story in sorted(invoices, key=lambda story: (story.created, story.fields["id"])):
        for change in story.changes:
            if change.event == _FINALIZED:
                sequence += 1
                change.fields["number"] = f"{prefix}-{sequence:04}"
