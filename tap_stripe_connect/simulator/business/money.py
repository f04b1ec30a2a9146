"""Countries of the business with their currencies and taxes, and amounts in minor units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_stripe_connect.simulator.business.chance import stream, stripe_id

if TYPE_CHECKING:
    from typing import Any

_COARSE = 10_000
"""Minor units from which prices are rounded to hundreds, not tens."""


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency and how the business turns its list prices, made in US cents, into it."""

    code: str
    symbol: str
    digits: int
    """Decimal places of the amounts people read; the API's amounts have none."""
    per_cent: float
    """Minor units for one US cent."""

    def convert(self, cents: int) -> int:
        """Return an amount of US cents in minor units of this currency, rounded to look chosen."""
        amount = cents * self.per_cent
        step = 10 if amount < _COARSE else 100
        return max(step, round(amount / step) * step)

    def text(self, amount: int) -> str:
        """Return `amount` (minor units) as people read it."""
        sign = "-" if amount < 0 else ""
        return f"{sign}{self.symbol}{abs(amount) / 10**self.digits:.{self.digits}f}"


USD = Currency("usd", "$", 2, 1.0)
EUR = Currency("eur", "€", 2, 0.94)
GBP = Currency("gbp", "£", 2, 0.8)
JPY = Currency("jpy", "¥", 0, 1.5)
CURRENCIES = (USD, EUR, GBP, JPY)


@dataclass(frozen=True, slots=True)
class Country:
    """Where customers are, and the tax the business adds there."""

    code: str
    currency: Currency
    locale: str
    phone: str
    places: tuple[tuple[str, str, str | None], ...]
    """City, postal code, state."""
    tax_name: str
    tax_percent: float
    """0 where the business adds none."""
    weight: int


COUNTRIES = (
    Country(
        code="US",
        currency=USD,
        locale="en-US",
        phone="+1555010",
        places=(
            ("Springfield", "62701", "IL"),
            ("Portland", "97201", "OR"),
            ("Troy", "12180", "NY"),
        ),
        tax_name="Sales tax",
        tax_percent=0.0,
        weight=52,
    ),
    Country(
        code="DE",
        currency=EUR,
        locale="de-DE",
        phone="+4915550",
        places=(("Berlin", "10115", None), ("Hamburg", "20095", None), ("Jena", "07743", None)),
        tax_name="VAT",
        tax_percent=19.0,
        weight=14,
    ),
    Country(
        code="FR",
        currency=EUR,
        locale="fr-FR",
        phone="+3365550",
        places=(("Lyon", "69001", None), ("Nantes", "44000", None)),
        tax_name="VAT",
        tax_percent=20.0,
        weight=9,
    ),
    Country(
        code="GB",
        currency=GBP,
        locale="en-GB",
        phone="+4477009",
        places=(("Leeds", "LS1 1UR", None), ("Bristol", "BS1 4DJ", None)),
        tax_name="VAT",
        tax_percent=20.0,
        weight=15,
    ),
    Country(
        code="JP",
        currency=JPY,
        locale="ja-JP",
        phone="+8170555",
        places=(("Kyoto", "600-8216", None), ("Sapporo", "060-0001", None)),
        tax_name="JCT",
        tax_percent=10.0,
        weight=10,
    ),
)


def tax_rate(country: Country, seed: int, *, created: int, livemode: bool) -> dict[str, Any] | None:
    """Return the tax rate object for customers in `country`, None where no tax is added."""
    if not country.tax_percent:
        return None
    return {
        "id": stripe_id(stream(seed, "tax", country.code), "txr"),
        "object": "tax_rate",
        "active": True,
        "country": country.code,
        "created": created,
        "description": None,
        "display_name": country.tax_name,
        "effective_percentage": country.tax_percent,
        "flat_amount": None,
        "inclusive": False,
        "jurisdiction": country.code,
        "jurisdiction_level": "country",
        "livemode": livemode,
        "metadata": {},
        "percentage": country.tax_percent,
        "rate_type": "percentage",
        "state": None,
        "tax_type": "jct" if country.code == "JP" else "vat",
    }
