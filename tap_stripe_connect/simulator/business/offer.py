"""What the business sells: plans in several currencies, and coupons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.simulator.business.chance import stream, stripe_id, token
from tap_stripe_connect.simulator.business.money import CURRENCIES, Currency
from tap_stripe_connect.simulator.business.rhythm import DAY, HOUR
from tap_stripe_connect.simulator.business.story import Story

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Product:
    """A thing on the price list; `cents` are US cents a month, or a unit if metered."""

    name: str
    cents: float
    metered: bool = False


TIERS = (Product("Starter", 1900), Product("Team", 4900), Product("Business", 14900))
"""Each subscription has one of these, and can move up."""

SEAT = Product("Extra seat", 900)

ADD_ONS = (
    SEAT,
    Product("Messages", 0.8, metered=True),
    Product("Extra storage", 500),
    Product("Priority support", 2900),
    Product("API calls", 0.02, metered=True),
    Product("Reports", 1500),
    Product("Audit log", 1200),
    Product("Single sign-on", 2500),
    Product("Custom domain", 700),
    Product("Backups", 600),
    Product("Assistant credits", 4, metered=True),
    Product("Onboarding", 3900),
)


def sold_by(product: Product, interval: str) -> bool:
    """Return whether `product` is sold by the `interval`, month or year."""
    return interval == "month" or not product.metered


_MONTHS_IN_A_YEARLY_PRICE = 10
_YEARLY_RISE = 0.05
"""Tiers cost that much more on each new price list."""


@dataclass(frozen=True, slots=True)
class Price:
    """One product at one price: Stripe's plan and price object of the same id."""

    id: str
    product: Product
    product_id: str
    currency: Currency
    interval: str
    amount: int | None
    """Minor units; None for metered prices finer than that."""
    decimal: str
    """The amount in minor units, with fractions."""
    created: int
    retired: int | None
    """When a newer price list replaced it, None if none has yet."""

    @property
    def title(self) -> str:
        """What invoices call it."""
        if self.amount is None:
            return f"{self.product.name} (at {self.decimal} {self.currency.code} minor units each)"
        return f"{self.product.name} (at {self.currency.text(self.amount)} / {self.interval})"

    def cost(self, quantity: int) -> int:
        """Return what `quantity` costs, in minor units, half a unit rounded up."""
        if self.amount is not None:
            return self.amount * quantity
        return int(float(self.decimal) * quantity + 0.5)

    def plan(self, *, livemode: bool) -> dict[str, Any]:
        """Return the fields of the plan object."""
        return {
            "id": self.id,
            "active": self.retired is None,
            "amount": self.amount,
            "amount_decimal": self.decimal,
            "created": self.created,
            "currency": self.currency.code,
            "interval": self.interval,
            "livemode": livemode,
            "meter": self._meter,
            "nickname": f"{self.product.name} {self.currency.code.upper()} {self.interval}ly",
            "product": self.product_id,
            "usage_type": "metered" if self.product.metered else "licensed",
        }

    def price(self, *, livemode: bool) -> dict[str, Any]:
        """Return the fields of the price object."""
        plan = self.plan(livemode=livemode)
        recurring = {
            "interval": self.interval,
            "interval_count": 1,
            "meter": self._meter,
            "usage_type": plan["usage_type"],
        }
        same = ("id", "active", "created", "currency", "livemode", "nickname", "product")
        return {name: plan[name] for name in same} | {
            "recurring": recurring,
            "unit_amount": self.amount,
            "unit_amount_decimal": self.decimal,
        }

    @property
    def _meter(self) -> str | None:
        return self.product_id.replace("prod", "mtr") if self.product.metered else None


class PriceList:
    """Every price there was up to a moment."""

    def __init__(self, seed: int, start: int, until: int) -> None:
        """Set the prices of a business that opened at `start`."""
        self._by_key: dict[tuple[str, str, str], list[Price]] = {}
        released = [start, *takewhile(lambda moment: moment < until, _price_list_days(start))]
        retired = [day + HOUR if day + HOUR < until else None for day in released[1:]]
        releases = list(zip(released, [*retired, None], strict=True))
        once: list[tuple[int, int | None]] = [(start, None)]
        for currency in CURRENCIES:
            for interval in ("month", "year"):
                for product in (*TIERS, *ADD_ONS):
                    if sold_by(product, interval):
                        key = (product.name, interval, currency.code)
                        # Add-ons never get dearer.
                        own = releases if product in TIERS else once
                        self._by_key[key] = _prices(seed, product, currency, interval, own)

    def __iter__(self) -> Iterator[Price]:
        """Go through all prices, retired ones too."""
        for versions in self._by_key.values():
            yield from versions

    def price(self, product: Product, interval: str, currency: Currency, at: int) -> Price:
        """Return what `product` is sold for at the moment `at`."""
        versions = self._by_key[product.name, interval, currency.code]
        return next(
            price for price in reversed(versions) if price.created <= at or price is versions[0]
        )


def _price_list_days(start: int) -> Iterator[int]:
    """Yield when new price lists come out: each 15th of December."""
    year = datetime.fromtimestamp(start, UTC).year
    while True:
        moment = int(datetime(year, 12, 15, 9, tzinfo=UTC).timestamp())
        if moment > start + DAY:
            yield moment
        year += 1


def _prices(
    seed: int,
    product: Product,
    currency: Currency,
    interval: str,
    releases: list[tuple[int, int | None]],
) -> list[Price]:
    """Return the prices of a product, one for each time it was released and retired."""
    rng = stream(seed, "price", product.name, currency.code, interval)
    product_id = stripe_id(stream(seed, "product", product.name), "prod", 14)
    months = _MONTHS_IN_A_YEARLY_PRICE if interval == "year" else 1
    prices = []
    for version, (created, retired) in enumerate(releases):
        amount = None
        decimal = f"{product.cents * currency.per_cent:.4f}".rstrip("0").rstrip(".")
        if not product.metered:
            amount = currency.convert(round(product.cents * months * (1 + _YEARLY_RISE * version)))
            decimal = str(amount)
        # The first price list is from the time when Stripe knew plans only.
        price_id = stripe_id(rng, "price") if version else stripe_id(rng, "plan", 14)
        moment = created + rng.randrange(HOUR)
        prices.append(
            Price(
                price_id, product, product_id, currency, interval, amount, decimal, moment, retired
            )
        )
    return prices


def plan_story(price: Price, *, livemode: bool) -> Story:
    """Return the plan that belongs to `price`."""
    fields = price.plan(livemode=livemode) | {"active": True}
    story = Story("plan", fields, "plan.created")
    if price.retired is not None:
        story.change(price.retired, "plan.updated", active=False)
    return story


@dataclass(frozen=True, slots=True)
class Coupon:
    """A coupon; `percent` or, in one `currency`, `amount` (minor units) off."""

    id: str
    name: str
    created: int
    percent: float | None = None
    amount: int | None = None
    currency: str | None = None
    months: int | None = 1
    """How long it takes something off: 1 is once, None for ever."""
    redeem_by: int | None = None

    def usable(self, currency: Currency, at: int) -> bool:
        """Return whether a subscription in `currency` that starts at `at` can use it."""
        in_time = self.created <= at and (self.redeem_by is None or at < self.redeem_by)
        return in_time and self.currency in (None, currency.code)


_SEASONS = ((3, "SPRING", 20.0), (6, "SUMMER", 25.0), (9, "AUTUMN", 15.0), (12, "WINTER", 30.0))


def coupons(seed: int, start: int, until: int) -> list[Coupon]:
    """Return the coupons issued before `until`: lasting ones, and one for each season."""
    rng = stream(seed, "coupons")
    lasting = [
        Coupon("WELCOME10", "10% off the first invoice", start, percent=10.0),
        Coupon("LOYAL20", "20% off for half a year", start, percent=20.0, months=6),
        Coupon("PARTNER15", "Partners", start, percent=15.0, months=None),
        Coupon(token(rng, 8), "A third off", start, percent=33.333, months=3),
        Coupon(token(rng, 8), "Free month", start, percent=100.0),
        *(
            Coupon(
                f"FRIEND-{currency.code.upper()}",
                "Brought by a friend",
                start,
                amount=currency.convert(500),
                currency=currency.code,
            )
            for currency in CURRENCIES
        ),
    ]
    return [*lasting, *_seasonal(start, until)]


def _seasonal(start: int, until: int) -> Iterator[Coupon]:
    year = datetime.fromtimestamp(start, UTC).year
    while True:
        for month, season, percent in _SEASONS:
            created = int(datetime(year, month, 4, 8, 30, tzinfo=UTC).timestamp())
            if created >= until:
                return
            if created >= start:
                yield Coupon(
                    f"{season}{year % 100:02}",
                    f"{season.capitalize()} {year}",
                    created,
                    percent=percent,
                    months=3 if season == "SUMMER" else 1,
                    redeem_by=created + 60 * DAY,
                )
        year += 1


def coupon_story(coupon: Coupon, redemptions: list[int], *, livemode: bool) -> Story:
    """Return the coupon object, redeemed at the moments `redemptions`."""
    durations = {None: "forever", 1: "once"}
    duration = durations.get(coupon.months, "repeating")
    fields = {
        "id": coupon.id,
        "amount_off": coupon.amount,
        "created": coupon.created,
        "currency": coupon.currency,
        "duration": duration,
        "duration_in_months": coupon.months if duration == "repeating" else None,
        "livemode": livemode,
        "name": coupon.name,
        "percent_off": coupon.percent,
        "redeem_by": coupon.redeem_by,
    }
    story = Story("coupon", fields, "coupon.created")
    for times, moment in enumerate(sorted(redemptions), start=1):
        story.change(moment, times_redeemed=times)
    if coupon.redeem_by is not None:
        story.change(coupon.redeem_by, valid=False)
    return story
