"""What one subscription is for: its items, what they cost, and how they change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.simulator.business import consumption, invoicing, offer
from tap_stripe_connect.simulator.business.chance import poisson, stripe_id

if TYPE_CHECKING:
    from random import Random

    from tap_stripe_connect.simulator.business.customers import Customer

Period = tuple[int, int]
"""Beginning and end, unix seconds."""

MOST_ITEMS = 12
# How many subscriptions have 1, 2, 3 … items.
_ITEMS = (46, 21, 12, 7, 4, 3, 2, 1.5, 1, 1, 0.8, 0.7)
_DROP_ITEM, _CHANGE_SEATS = 0.02, 0.05


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all items of a subscription."""

    subscription: str
    customer: Customer
    interval: str
    prices: offer.PriceList

    def price(self, product: offer.Product, at: int) -> offer.Price:
        """Return what `product` costs on these terms if taken at the moment `at`."""
        return self.prices.price(product, self.interval, self.customer.country.currency, at)

    def add_ons(self) -> list[offer.Product]:
        """Return what can be taken besides a tier."""
        return [product for product in offer.ADD_ONS if offer.sold_by(product, self.interval)]


class Items:
    """The items of a subscription: a tier first, then add-ons."""

    def __init__(self, rng: Random, terms: Terms, start: int) -> None:
        """Choose what a new subscription has."""
        self._rng = rng
        self._terms = terms
        sold = terms.add_ons()
        tier = rng.choices(offer.TIERS, (50, 35, 15))[0]
        more = rng.choices(range(MOST_ITEMS), _ITEMS)[0]
        products = [tier, *rng.sample(sold, min(more, len(sold)))]
        self._items = [self._take(product, start) for product in products]

    def _take(self, product: offer.Product, at: int) -> invoicing.Item:
        seats = 1 + poisson(self._rng, 4 * self._terms.customer.appetite)
        quantity = seats if product is offer.SEAT else 1
        return invoicing.Item(
            id=stripe_id(self._rng, "si"),
            price=self._terms.price(product, at),
            quantity=quantity,
            created=at,
            subscription=self._terms.subscription,
        )

    def fields(self, period: Period, *, livemode: bool) -> list[dict[str, Any]]:
        """Return the subscription item objects in a billing period."""
        return [item_fields(item, period, livemode=livemode) for item in self._items]

    def trial_line(self, period: Period) -> invoicing.Line:
        """Return the line of an invoice over nothing that begins a trial."""
        line = invoicing.item_line(self._rng, self._items[0], period)
        text = f"Trial period for {self._items[0].price.product.name}"
        return line | {"amount": 0, "description": text}

    def due(self, rng: Random, period: Period, used_since: int | None) -> list[invoicing.Line]:
        """Return what a renewal costs: the coming `period`, what was used, and extras.

        `used_since` is when the last period began, None if there was none.
        """
        lines = []
        customer, begin = self._terms.customer, period[0]
        for item in self._items:
            if not item.price.product.metered:
                lines.append(invoicing.item_line(rng, item, period))
            elif used_since is not None:
                used = consumption.usage(rng, item.price.product, customer.appetite, begin)
                metered = replace(item, quantity=used)
                lines.append(invoicing.item_line(rng, metered, (used_since, begin)))
        if used_since is not None and self._terms.interval == "month":
            lines += consumption.extras(rng, customer, begin, self._terms.subscription)
        return lines[: invoicing.MOST_LINES]

    def drift(self) -> None:
        """Take more or fewer seats, drop an add-on, now and then."""
        rng = self._rng
        if rng.random() < _CHANGE_SEATS:
            self._items = [
                replace(item, quantity=max(1, item.quantity + rng.randrange(-1, 4)))
                if item.price.product is offer.SEAT
                else item
                for item in self._items
            ]
        if rng.random() < _DROP_ITEM and len(self._items) > 1:
            self._items = self._items[:-1]

    def upgrade(self, at: int, period: Period) -> list[invoicing.Line] | None:
        """Move to the next tier: return what the rest of `period` costs more, None at the top."""
        old = self._items[0]
        tier = offer.TIERS.index(old.price.product) + 1
        if tier == len(offer.TIERS):
            return None
        new = replace(old, price=self._terms.price(offer.TIERS[tier], at))
        self._items = [new, *self._items[1:]]
        return [
            invoicing.prorated(self._rng, old, at, period, credit=True),
            invoicing.prorated(self._rng, new, at, period),
        ]

    def add(self, at: int, period: Period) -> list[invoicing.Line] | None:
        """Take one more add-on: return what the rest of `period` costs, None if all are taken."""
        taken = {item.price.product for item in self._items}
        products = [product for product in self._terms.add_ons() if product not in taken]
        if not products or len(self._items) == MOST_ITEMS:
            return None
        item = self._take(self._rng.choice(products), at)
        self._items = [*self._items, item]
        if item.price.product.metered:
            return []
        return [invoicing.prorated(self._rng, item, at, period)]


def item_fields(item: invoicing.Item, period: Period, *, livemode: bool) -> dict[str, Any]:
    """Return one subscription item object in a billing period."""
    fields = {
        "id": item.id,
        "created": item.created,
        "current_period_end": period[1],
        "current_period_start": period[0],
        "plan": item.price.plan(livemode=livemode),
        "price": item.price.price(livemode=livemode),
        "quantity": item.quantity,
        "subscription": item.subscription,
    }
    # Of a metered item Stripe knows no quantity.
    return fields | {"quantity": None} if item.price.product.metered else fields
