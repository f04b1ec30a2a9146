"""Charges: paid, declined, refunded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tap_stripe_connect.simulator.business.chance import stripe_id, token
from tap_stripe_connect.simulator.business.rhythm import DAY, HOUR
from tap_stripe_connect.simulator.business.story import Story

if TYPE_CHECKING:
    from random import Random

    from tap_stripe_connect.simulator.business.customers import Card, Customer


class Decline(NamedTuple):
    """Why an issuer said no."""

    code: str
    reason: str
    message: str
    advice: str


_DECLINES = (
    Decline("card_declined", "insufficient_funds", "has insufficient funds", "try_again_later"),
    Decline("card_declined", "generic_decline", "was declined", "try_again_later"),
    Decline("card_declined", "do_not_honor", "was declined", "try_again_later"),
    Decline("expired_card", "expired_card", "has expired", "confirm_card_data"),
    Decline("processing_error", "processing_error", "could not be processed", "try_again_later"),
)
_DECLINE_WEIGHTS = (50, 22, 14, 9, 5)

_FULL_REFUNDS, _PARTIAL_REFUNDS = 0.02, 0.02


class Purchase(NamedTuple):
    """What a charge is for."""

    amount: int
    """Minor units."""
    currency: str
    description: str
    payment_intent: str
    metadata: dict[str, str]
    livemode: bool
    recurring: bool = True


def charge(rng: Random, customer: Customer, purchase: Purchase, at: int, *, paid: bool) -> Story:
    """Return a charge of the customer's card, made at `at`; some `paid` ones are refunded later."""
    fields = {
        "id": stripe_id(rng, "ch"),
        "amount": purchase.amount,
        "billing_details": {
            "address": customer.address,
            "email": customer.email,
            "name": customer.name,
            "phone": customer.phone,
        },
        "calculated_statement_descriptor": "SIMULATED BUSINESS",
        "created": at,
        "currency": purchase.currency,
        "customer": customer.id,
        "description": purchase.description,
        "livemode": purchase.livemode,
        "metadata": purchase.metadata
        | {"customer_number": str(customer.number), "region": customer.country.code},
        "payment_intent": purchase.payment_intent,
        "payment_method": customer.card.id,
        "payment_method_details": {
            "type": "card",
            "card": _card_details(rng, customer.card, purchase),
        },
        "radar_options": {},
        "receipt_email": customer.email,
        **(_success(rng, purchase.amount) if paid else _failure(rng)),
    }
    story = Story("charge", fields, "charge.succeeded" if paid else "charge.failed")
    if paid:
        _maybe_refund(rng, story, purchase.amount)
    return story


def _success(rng: Random, amount: int) -> dict[str, Any]:
    return {
        "amount_captured": amount,
        "balance_transaction": stripe_id(rng, "txn"),
        "outcome": {
            "network_status": "approved_by_network",
            "risk_level": "normal",
            "risk_score": min(64, int(rng.expovariate(1 / 14))),
            "seller_message": "Payment complete.",
            "type": "authorized",
        },
        "receipt_number": f"{rng.randrange(10_000):04}-{rng.randrange(10_000):04}",
        "receipt_url": f"https://pay.stripe.com/receipts/payment/{token(rng, 132)}",
    }


def _failure(rng: Random) -> dict[str, Any]:
    decline = rng.choices(_DECLINES, _DECLINE_WEIGHTS)[0]
    return {
        "captured": False,
        "failure_code": decline.code,
        "failure_message": f"Your card {decline.message}.",
        "outcome": {
            "advice_code": decline.advice,
            "network_advice_code": "02",
            "network_decline_code": f"{rng.randrange(4, 92):02}",
            "network_status": "declined_by_network",
            "reason": decline.reason,
            "risk_level": "normal",
            "risk_score": min(74, int(rng.expovariate(1 / 22))),
            "seller_message": "The bank did not approve the payment.",
            "type": "issuer_declined",
        },
        "paid": False,
        "status": "failed",
    }


def _card_details(rng: Random, card: Card, purchase: Purchase) -> dict[str, Any]:
    return {
        "amount_authorized": purchase.amount,
        "authorization_code": f"{rng.randrange(1_000_000):06}",
        "brand": card.brand,
        "checks": {
            "address_line1_check": "pass",
            "address_postal_code_check": "pass",
            "cvc_check": None if purchase.recurring else "pass",
        },
        "country": card.country,
        "description": f"{card.brand.capitalize()} {card.funding}",
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "extended_authorization": {"status": "disabled"},
        "fingerprint": card.fingerprint,
        "funding": card.funding,
        "iin": card.iin,
        "incremental_authorization": {"status": "unavailable"},
        "issuer": f"Example Bank {card.country}",
        "last4": card.last4,
        "multicapture": {"status": "unavailable"},
        "network": card.network,
        "network_token": {"used": card.wallet is not None},
        "network_transaction_id": f"{rng.randrange(10**15):015}",
        "overcapture": {
            "maximum_amount_capturable": purchase.amount,
            "status": "unavailable",
        },
        "regulated_status": "unregulated",
        "stored_credential_usage": "recurring" if purchase.recurring else None,
        "three_d_secure": None if purchase.recurring else _three_d_secure(rng),
        "wallet": {"type": card.wallet, card.wallet: {}, "dynamic_last4": card.last4}
        if card.wallet
        else None,
    }


def _three_d_secure(rng: Random) -> dict[str, Any]:
    return {
        "authentication_flow": "frictionless",
        "electronic_commerce_indicator": "05",
        "result": "authenticated",
        "transaction_id": f"{rng.getrandbits(128):032x}",
        "version": "2.2.0",
    }


def _maybe_refund(rng: Random, story: Story, amount: int) -> None:
    chance = rng.random()
    at = story.created + HOUR + int(rng.expovariate(1 / (5 * DAY)))
    part = max(1, round(amount * rng.uniform(0.1, 0.7)))
    if chance < _FULL_REFUNDS:
        story.change(at, "charge.refunded", amount_refunded=amount, refunded=True)
    elif chance < _FULL_REFUNDS + _PARTIAL_REFUNDS and part < amount:
        story.change(at, "charge.refunded", amount_refunded=part)
