"""Who buys: made-up customers with a card each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.simulator.business import words
from tap_stripe_connect.simulator.business.chance import stripe_id, token
from tap_stripe_connect.simulator.business.money import COUNTRIES, Country
from tap_stripe_connect.simulator.business.story import Story

if TYPE_CHECKING:
    from random import Random

    from tap_stripe_connect.simulator.business.invoicing import Discount

_PAY_ON_INVOICE, _PARTNERS = 0.06, 0.02


@dataclass(frozen=True, slots=True)
class Card:
    """The card a customer pays with."""

    id: str
    brand: str
    network: str
    country: str
    funding: str
    iin: str
    """The first six digits, which name the issuer."""
    last4: str
    exp_month: int
    exp_year: int
    fingerprint: str
    wallet: str | None


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer of the business."""

    id: str
    number: int
    created: int
    name: str
    email: str
    phone: str
    address: dict[str, str | None]
    country: Country
    card: Card
    invoice_prefix: str
    pays_on_invoice: bool
    """Gets invoices to pay within 30 days, instead of being charged automatically."""
    appetite: float
    """How much they use and buy, around 1."""
    discount: Discount | None
    """On everything they buy."""


def _card(rng: Random, country: Country) -> Card:
    brands = ("visa", "mastercard", "amex", "jcb" if country.code == "JP" else "discover")
    brand = rng.choices(brands, (52, 33, 10, 5))[0]
    return Card(
        id=stripe_id(rng, "pm"),
        brand=brand,
        network=brand,
        country=country.code,
        funding=rng.choices(("credit", "debit", "prepaid"), (60, 36, 4))[0],
        iin=f"{rng.randrange(400_000, 560_000)}",
        last4=f"{rng.randrange(10_000):04}",
        exp_month=rng.randrange(1, 13),
        exp_year=2029 + rng.randrange(6),
        fingerprint=token(rng, 16),
        wallet=rng.choices((None, "apple_pay", "google_pay"), (80, 13, 7))[0],
    )


def new_customer(rng: Random, number: int, created: int, partner: Discount | None) -> Customer:
    """Return the customer who signs up as the `number`th, at `created`.

    `partner` is the discount they get for ever if they turn out to be a partner.
    """
    country = rng.choices(COUNTRIES, [country.weight for country in COUNTRIES])[0]
    city, postal_code, state = rng.choice(country.places)
    name = words.customer_name(rng)
    return Customer(
        id=stripe_id(rng, "cus", 14),
        number=number,
        created=created,
        name=name,
        email=words.email(name, number),
        phone=f"{country.phone}{number % 10_000:04}",
        address={
            "city": city,
            "country": country.code,
            "line1": words.street(rng),
            "line2": None,
            "postal_code": postal_code,
            "state": state,
        },
        country=country,
        card=_card(rng, country),
        invoice_prefix=token(rng, 8).upper(),
        pays_on_invoice=rng.random() < _PAY_ON_INVOICE,
        appetite=rng.lognormvariate(0, 0.5),
        discount=partner if rng.random() < _PARTNERS else None,
    )


def customer_story(customer: Customer, *, livemode: bool) -> Story:
    """Return the customer object as they signed up."""
    fields: dict[str, Any] = {
        "id": customer.id,
        "address": customer.address,
        "created": customer.created,
        "currency": customer.country.currency.code,
        "description": None,
        "email": customer.email,
        "invoice_prefix": customer.invoice_prefix,
        "invoice_settings": {"default_payment_method": customer.card.id},
        "livemode": livemode,
        "metadata": {"number": str(customer.number)},
        "name": customer.name,
        "phone": customer.phone,
        "preferred_locales": [customer.country.locale],
    }
    if customer.discount:
        fields["discount"] = {
            "id": customer.discount.id,
            "customer": customer.id,
            "source": {"type": "coupon", "coupon": customer.discount.coupon},
            "start": customer.created,
        }
    return Story("customer", fields, "customer.created")
