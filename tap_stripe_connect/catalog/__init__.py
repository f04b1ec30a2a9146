"""The streams: one table, and how to look things up in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

API_VERSION = "2026-10-28.endive"
"""The Stripe API version that schemas are generated for and that every request asks for."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A stream that Stripe lists at an endpoint of its own."""

    name: str
    object: str
    """Value of Stripe's `object` field on every record."""
    path: str
    permission: str
    """Name of the restricted-key permission that reading needs."""
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Sent with every list request, to undo filters that Stripe applies by default."""
    expand: tuple[str, ...] = ()
    """Fields that Stripe sends only if they are asked for, in lists and retrieves alike (A3)."""
    verbatim: frozenset[str] = frozenset()
    """Fields kept as Stripe sent them, one JSON object without a schema of its own."""
    key: tuple[str, ...] = ("account_id", "id")
    changes: Literal["feed", "none", "unseen"] = "feed"
    """How changes are found: by the event feed; never, the objects stay as they are; or only by
    listing everything again, because Stripe tells nothing of them."""
    touched_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Objects whose events also mean a change of this one's: which field holds its id (A22)."""
    reference: bool = False
    """Whether other objects refer to these, so that `start_date` does not cut them off (A23)."""

    def expanded(self, prefix: str = "") -> dict[str, str]:
        """Return the parameters that ask for `expand`; in lists the prefix is `data.`."""
        return {f"expand[{place}]": f"{prefix}{name}" for place, name in enumerate(self.expand)}


@dataclass(frozen=True, kw_only=True)
class Nested:
    """A stream whose objects come inside those of another stream."""

    name: str
    object: str
    parent: str
    """Stream whose objects hold these."""
    list_field: str
    """Field of the parent that holds the list."""
    parent_field: str
    """Field of these objects that holds the parent's id."""
    key: tuple[str, ...] = ("account_id", "id")


STREAMS: tuple[Listed | Nested, ...] = (
    Listed(
        name="charges",
        object="charge",
        path="/v1/charges",
        permission="rak_charge_read",
        touched_by={"dispute": ("charge",), "refund": ("charge",), "review": ("charge",)},
    ),
    Listed(
        name="coupons",
        object="coupon",
        path="/v1/coupons",
        permission="rak_coupon_read",
        expand=("applies_to",),
        # Redeeming raises times_redeemed; where a discount names its coupon depends on the version.
        touched_by={"discount": ("source.coupon", "coupon")},
        reference=True,
    ),
    Listed(
        name="customers",
        object="customer",
        path="/v1/customers",
        permission="rak_customer_read",
        touched_by={
            "discount": ("customer",),
            "source": ("customer",),
            "card": ("customer",),
            "bank_account": ("customer",),
        },
        reference=True,
    ),
    Listed(
        name="events",
        object="event",
        path="/v1/events",
        permission="rak_event_read",
        verbatim=frozenset({"data"}),
        changes="none",
    ),
    Nested(
        name="invoice_line_items",
        object="line_item",
        parent="invoices",
        list_field="lines",
        parent_field="invoice",
        # Two invoices can hold lines of the same id.
        key=("account_id", "invoice", "id"),
    ),
    Listed(
        name="invoices",
        object="invoice",
        path="/v1/invoices",
        permission="rak_invoice_read",
        touched_by={
            "credit_note": ("invoice",),
            "invoice_payment": ("invoice",),
            "invoiceitem": ("invoice",),
        },
    ),
    Listed(
        name="plans",
        object="plan",
        path="/v1/plans",
        permission="rak_plan_read",
        expand=("tiers",),
        reference=True,
    ),
    Nested(
        name="subscription_items",
        object="subscription_item",
        parent="subscriptions",
        list_field="items",
        parent_field="subscription",
    ),
    Listed(
        name="subscriptions",
        object="subscription",
        path="/v1/subscriptions",
        # Without it Stripe leaves out cancelled subscriptions.
        parameters=MappingProxyType({"status": "all"}),
        permission="rak_subscription_read",
        touched_by={"discount": ("subscription",), "subscription_schedule": ("subscription",)},
    ),
)

LISTED: Mapping[str, Listed] = MappingProxyType(
    {stream.name: stream for stream in STREAMS if isinstance(stream, Listed)}
)
NESTED: Mapping[str, Nested] = MappingProxyType(
    {stream.name: stream for stream in STREAMS if isinstance(stream, Nested)}
)


@cache
def nested_in(parent: str) -> tuple[Nested, ...]:
    """Return the streams whose objects come inside those of the stream `parent`."""
    return tuple(stream for stream in NESTED.values() if stream.parent == parent)
