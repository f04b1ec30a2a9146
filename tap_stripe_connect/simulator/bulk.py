"""Large numbers of complete objects, for load tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from tap_stripe_connect.simulator import shapes
from tap_stripe_connect.simulator.business.chance import stream
from tap_stripe_connect.simulator.business.customers import customer_story, new_customer
from tap_stripe_connect.simulator.business.invoicing import Item, item_line, totals
from tap_stripe_connect.simulator.business.items import item_fields
from tap_stripe_connect.simulator.business.money import USD
from tap_stripe_connect.simulator.business.offer import PriceList
from tap_stripe_connect.simulator.business.payments import Purchase, charge
from tap_stripe_connect.simulator.business.rhythm import DAY
from tap_stripe_connect.simulator.business.story import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

Spread = Literal["even", "clustered"]

_CLUSTERS = (0.2, 0.5, 0.8)
"""Where in the range the dense days begin."""


class CountingAccount(Account, Protocol):
    """An account that counts its objects."""

    def count(self, object_: str, /) -> int:
        """Return how many objects of a kind there are."""


def load(  # noqa: PLR0913 - a count for each kind
    account: CountingAccount,
    *,
    charges: int = 0,
    invoices: int = 0,
    lines: int = 8,
    customers: int = 0,
    subscriptions: int = 0,
    items: int = 1,
    start: int,
    until: int,
    spread: Spread = "even",
) -> None:
    """Insert objects, created over [start, until), without events.

    Each invoice has `lines` lines, each subscription `items` items. A "clustered" spread puts all
    into three days of the range. Objects of a kind differ in ids, times and amounts only; they
    refer to the customers and subscriptions loaded with them, if there are any.
    """
    owners = {"customer": customers, "subscription": subscriptions}
    samples = _Samples(owners, lines, items, livemode=account.livemode)
    wanted: dict[str, tuple[int, Callable[[int, int], dict[str, Any]]]] = {
        "customer": (customers, samples.customer),
        "subscription": (subscriptions, samples.subscription),
        "invoice": (invoices, samples.invoice),
        "charge": (charges, samples.charge),
    }
    for kind, (count, sample) in wanted.items():
        first = account.count(kind)
        for number, created in enumerate(moments(count, start, until, spread), start=first):
            account.insert(sample(number, created))


def moments(count: int, start: int, until: int, spread: Spread) -> Iterator[int]:
    """Yield `count` moments in [start, until), in order."""
    if spread == "even":
        spans = [(start, until)]
    else:
        length = until - start
        day = min(DAY, length // (2 * len(_CLUSTERS)))
        begins = [start + int(length * part) for part in _CLUSTERS]
        spans = [(begin, begin + day) for begin in begins]
    for index, (begin, end) in enumerate(spans):
        share = count * (index + 1) // len(spans) - count * index // len(spans)
        for number in range(share):
            yield begin + (end - begin) * number // share


def _id(prefix: str, number: int) -> str:
    return f"{prefix}_Bulk{number:020}"


def _items(count: int) -> list[Item]:
    prices = [
        price
        for price in PriceList(0, 0, 1)
        if price.currency is USD and price.interval == "month" and not price.product.metered
    ]
    return [
        Item("si_Bulk", prices[index % len(prices)], 1, 0, "sub_Bulk") for index in range(count)
    ]


def _subscription(items: list[Item], *, livemode: bool) -> dict[str, Any]:
    fields = {
        "id": "sub_Bulk",
        "currency": "usd",
        "items": [item_fields(item, (0, 0), livemode=livemode) for item in items],
        "livemode": livemode,
    }
    return shapes.complete("subscription", fields)


def _invoice(rng: Random, items: list[Item], *, livemode: bool) -> dict[str, Any]:
    lines = [item_line(rng, item, (0, 0)) for item in items]
    fields = {
        "id": "in_Bulk",
        "auto_advance": True,
        "billing_reason": "subscription_cycle",
        "currency": "usd",
        "customer_email": "customer@example.com",
        "livemode": livemode,
        "status": "open",
        **totals(lines, None, None),
    }
    return shapes.complete("invoice", fields)


class _Samples:
    """Complete objects to copy; copies differ in ids, times and amounts only."""

    def __init__(self, owners: dict[str, int], lines: int, items: int, *, livemode: bool) -> None:
        self._owners = owners
        rng = stream("bulk")
        person = new_customer(rng, 0, 0, None)
        purchase = Purchase(4900, "usd", "Order", "pi_Bulk", {}, livemode, recurring=False)
        story = charge(rng, person, purchase, 0, paid=True)
        self._charge = shapes.complete("charge", story.fields)
        self._customer = shapes.complete(
            "customer", customer_story(person, livemode=livemode).fields
        )
        self._subscription = _subscription(_items(items), livemode=livemode)
        self._invoice = _invoice(rng, _items(lines), livemode=livemode)

    def _owner(self, kind: str, prefix: str, number: int) -> str | None:
        there_are = self._owners[kind]
        return _id(prefix, number % there_are) if there_are else None

    def customer(self, number: int, created: int) -> dict[str, Any]:
        email = f"customer.{number}@example.com"
        return self._customer | {"id": _id("cus", number), "created": created, "email": email}

    def subscription(self, number: int, created: int) -> dict[str, Any]:
        subscription = _id("sub", number)
        own = {
            "created": created,
            "current_period_end": created + 30 * DAY,
            "current_period_start": created,
            "subscription": subscription,
        }
        listed = self._subscription["items"]
        items = {
            **listed,
            "url": f"/v1/subscription_items?subscription={subscription}",
            "data": [
                {**item, **own, "id": _id("si", number * len(listed["data"]) + index)}
                for index, item in enumerate(listed["data"])
            ],
        }
        return self._subscription | {
            "id": subscription,
            "billing_cycle_anchor": created,
            "created": created,
            "customer": self._owner("customer", "cus", number),
            "items": items,
            "start_date": created,
        }

    def invoice(self, number: int, created: int) -> dict[str, Any]:
        invoice = _id("in", number)
        subscription = self._owner("subscription", "sub", number)
        own = {
            "invoice": invoice,
            "period": {"start": created, "end": created + 30 * DAY},
            "subscription": subscription,
        }
        listed = self._invoice["lines"]
        lines = {
            **listed,
            "url": f"/v1/invoices/{invoice}/lines",
            "data": [
                {**line, **own, "id": _id("il", number * len(listed["data"]) + index)}
                for index, line in enumerate(listed["data"])
            ],
        }
        return self._invoice | {
            "id": invoice,
            "created": created,
            "customer": self._owner("customer", "cus", number),
            "effective_at": created,
            "lines": lines,
            "number": f"BULK-{number:08}",
            "period_end": created,
            "period_start": created,
        }

    def charge(self, number: int, created: int) -> dict[str, Any]:
        amount = 500 + number * 37 % 50_000
        return self._charge | {
            "id": _id("ch", number),
            "amount": amount,
            "amount_captured": amount,
            "created": created,
            "customer": self._owner("customer", "cus", number),
            "payment_intent": _id("pi", number),
        }
