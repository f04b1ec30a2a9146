"""The life of a subscription: trial, renewals, changes, failed payments, the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_stripe_connect.simulator import events, shapes
from tap_stripe_connect.simulator.business import billing
from tap_stripe_connect.simulator.business.chance import stream, stripe_id
from tap_stripe_connect.simulator.business.invoicing import Discount, Line
from tap_stripe_connect.simulator.business.items import Items, Period, Terms
from tap_stripe_connect.simulator.business.rhythm import DAY, add_months
from tap_stripe_connect.simulator.business.story import Story

if TYPE_CHECKING:
    from random import Random

    from tap_stripe_connect.simulator.business.customers import Customer

_UPDATED = "customer.subscription.updated"

_TRIAL_DAYS = 14
_YEARLY, _TRIAL, _COUPON = 0.12, 0.2, 0.3
# In how many months something happens; a year has ten times as many.
_CANCEL, _UPGRADE, _ADD = 0.016, 0.014, 0.014
_AT_ONCE = 0.3
"""Share of cancellations that do not wait for the end of the period."""
_PREVIEWED = 0.15
_FEEDBACK = ("too_expensive", "unused", "switched_service", "missing_features", "other")


class Subscription:
    """One subscription with its invoices and charges.

    What happens is drawn in the order of time and never depends on where the story stops, so that
    a longer one begins like a shorter one.
    """

    def __init__(
        self, business: billing.Business, customer: Customer, rng: Random, start: int
    ) -> None:
        """Live from `start` until the end or the business's `until`."""
        self._business = business
        self._customer = customer
        self._rng = rng
        self._id = stripe_id(rng, "sub")
        self.invoices: list[Story] = []
        self.charges: list[Story] = []
        self.delinquency: list[tuple[int, bool]] = []
        """When the customer fell behind, and when that was over."""
        self.previews: list[tuple[int, dict[str, Any]]] = []
        """When Stripe announced which coming invoice."""
        self._months = 12 if rng.random() < _YEARLY else 1
        self._trial = rng.random() < _TRIAL
        self._anchor = start + _TRIAL_DAYS * DAY if self._trial else start
        interval = "year" if self._months > 1 else "month"
        self._items = Items(rng, Terms(self._id, customer, interval, business.prices), start)
        self._discount = self._redeem(start)
        self._cancel_at: int | None = None
        self._alive = True
        self.story = self._begin(start)
        count = 0
        while self._alive and self._boundary(count) < business.until:
            self._renew(count)
            count += 1

    def _boundary(self, count: int) -> int:
        return add_months(self._anchor, count * self._months)

    def _redeem(self, start: int) -> Discount | None:
        rng, currency = self._rng, self._customer.country.currency
        usable = [c for c in self._business.coupons if c.usable(currency, start)]
        wanted, coupon = rng.random() < _COUPON, rng.choice(usable)
        discount = stripe_id(rng, "di")
        if not wanted:
            return None
        self._business.redemptions[coupon.id].append(start)
        end = None if coupon.months is None else add_months(self._anchor, coupon.months)
        return Discount(discount, coupon.id, coupon.percent, coupon.amount, end)

    def _discount_at(self, moment: int) -> Discount | None:
        discount = self._discount
        return discount if discount and (discount.end is None or moment < discount.end) else None

    def _begin(self, start: int) -> Story:
        customer, discount, trial = self._customer, self._discount, self._trial
        tax_rate = self._business.tax_rates[customer.country.code]
        by_mail = customer.pays_on_invoice
        fields = {
            "id": self._id,
            "billing_cycle_anchor": self._anchor,
            "collection_method": "send_invoice" if by_mail else "charge_automatically",
            "created": start,
            "currency": customer.country.currency.code,
            "customer": customer.id,
            "days_until_due": billing.DAYS_UNTIL_DUE if by_mail else None,
            "default_payment_method": None if by_mail else customer.card.id,
            "default_tax_rates": [tax_rate] if tax_rate else [],
            "discounts": [discount.id] if discount else [],
            "items": self._item_fields((start, self._anchor if trial else self._boundary(1))),
            "livemode": self._business.livemode,
            "metadata": {"coupon": discount.coupon} if discount else {},
            "start_date": start,
            "status": "trialing" if trial else "active",
            "trial_end": self._anchor if trial else None,
            "trial_start": start if trial else None,
        }
        if trial:
            line = self._items.trial_line((start, self._anchor))
            bill = self._bill([line], "subscription_create", start)
            fields["latest_invoice"] = bill.invoice.fields["id"]
        return Story("subscription", fields, "customer.subscription.created")

    def _item_fields(self, period: Period) -> list[dict[str, Any]]:
        return self._items.fields(period, livemode=self._business.livemode)

    def _draft(self, lines: list[Line], reason: str, at: int) -> billing.Draft:
        return billing.Draft(lines, reason, at, self._id, self._discount_at(at))

    def _bill(self, lines: list[Line], reason: str, at: int) -> billing.Bill:
        draft = self._draft(lines, reason, at)
        first = reason != "subscription_cycle"
        bill = billing.issue(self._business, self._rng, self._customer, draft, first=first)
        self.invoices.append(bill.invoice)
        self.charges.extend(bill.charges)
        return bill

    def _renew(self, count: int) -> None:
        """Begin the paid period of that number, 0 being the first."""
        begin, end = period = self._boundary(count), self._boundary(count + 1)
        if self._cancel_at == begin:
            self._end(begin)
        elif count == 0 and not self._trial:
            lines = self._items.due(self._rng, period, None)
            bill = self._bill(lines, "subscription_create", begin)
            self.story.fields["latest_invoice"] = bill.invoice.fields["id"]
            self._go_on(bill, period, "incomplete")
        else:
            since = self._boundary(count - 1) if count else self.story.created
            self._items.drift()
            lines = self._items.due(self._rng, period, since)
            bill = self._bill(lines, "subscription_cycle", begin)
            discount = self._discount_at(begin)
            self.story.change(
                begin,
                _UPDATED,
                discounts=[discount.id] if discount else [],
                items=self._item_fields(period),
                latest_invoice=bill.invoice.fields["id"],
                status="active",
            )
            self._go_on(bill, period, "past_due")
        if self._alive:
            self._preview((end, self._boundary(count + 2)))

    def _go_on(self, bill: billing.Bill, period: Period, status_if_declined: str) -> None:
        if bill.failed_at is None:
            self._within(period)
            return
        if status_if_declined == "incomplete":
            self.story.fields["status"] = "incomplete"
        else:
            self.story.change(bill.failed_at, _UPDATED, status=status_if_declined)
        self.delinquency.append((bill.failed_at, True))
        if bill.paid_at is not None:
            self.story.change(bill.paid_at, _UPDATED, status="active")
            self.delinquency.append((bill.paid_at, False))
        elif bill.gave_up_at is not None and status_if_declined == "incomplete":
            self._alive = False
            at = bill.gave_up_at
            self.story.change(at, _UPDATED, status="incomplete_expired", ended_at=at)
        elif bill.gave_up_at is not None:
            self._end(bill.gave_up_at, {"reason": "payment_failed"})

    def _within(self, period: Period) -> None:
        """Let at most one thing happen before the period ends."""
        begin, end = period
        fate = self._rng.random() / (10 if self._months > 1 else 1)
        at = begin + DAY + self._rng.randrange(end - begin - 2 * DAY)
        lines = None
        if fate < _CANCEL:
            self._cancel(at, end)
        elif fate < _CANCEL + _UPGRADE:
            lines = self._items.upgrade(at, period)
        elif fate < _CANCEL + _UPGRADE + _ADD:
            lines = self._items.add(at, period)
        if lines is not None:
            fields: dict[str, Any] = {"items": self._item_fields(period)}
            if lines:
                bill = self._bill(lines, "subscription_update", at)
                fields["latest_invoice"] = bill.invoice.fields["id"]
            self.story.change(at, _UPDATED, **fields)

    def _cancel(self, at: int, end: int) -> None:
        details = {"feedback": self._rng.choice(_FEEDBACK), "reason": "cancellation_requested"}
        if self._rng.random() < _AT_ONCE:
            self._end(at, details)
            return
        self._cancel_at = end
        self.story.change(
            at,
            _UPDATED,
            cancel_at=end,
            cancel_at_period_end=True,
            canceled_at=at,
            cancellation_details=details,
        )

    def _end(self, at: int, details: dict[str, str] | None = None) -> None:
        """End it: without `details`, because it was cancelled before."""
        self._alive = False
        fields: dict[str, Any] = {"ended_at": at, "status": "canceled"}
        if details:
            fields |= {"canceled_at": at, "cancellation_details": details}
        self.story.change(at, "customer.subscription.deleted", **fields)

    def _preview(self, period: Period) -> None:
        """Announce the invoice for the next `period` a week before, for a few."""
        business, begin = self._business, period[0]
        at = begin - 7 * DAY
        announced = self._rng.random() < _PREVIEWED and self._cancel_at is None
        if not announced or not business.until - events.RETENTION <= at < business.until:
            return
        rng = stream(business.seed, "preview", self._id, begin)
        lines = [line | {"invoice": None} for line in self._items.due(rng, period, None)]
        draft = self._draft(lines, "upcoming", begin)
        fields = billing.invoice_fields(business, self._customer, draft)
        preview = shapes.complete("invoice", {"id": "upcoming"} | fields)
        del preview["id"]
        self.previews.append((at, preview))
