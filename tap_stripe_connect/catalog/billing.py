"""Billing: invoices, subscriptions and what they hold."""

from tap_stripe_connect.catalog.columns import ACCOUNT
from tap_stripe_connect.catalog.kinds import Embedded, List

IN_ITEMS = frozenset({"plan.tiers", "price.currency_options", "price.tiers"})
"""Five levels below the list of subscriptions, where Stripe expands four. `plans` has tiers."""

CREDIT_NOTES = List("credit_notes", "/v1/credit_notes", "rak_credit_note_read")
INVOICES = List(
    "invoices",
    "/v1/invoices",
    "rak_invoice_read",
    deleted_by=("invoice.deleted",),
    touched_by=dict.fromkeys(("credit_note", "invoice_payment", "invoiceitem"), ("invoice",)),
)
SUBSCRIPTIONS = List(
    "subscriptions",
    "/v1/subscriptions",
    "rak_subscription_read",
    # `customer.subscription.deleted` means cancelled: the object stays.
    touched_by=dict.fromkeys(("discount", "subscription_schedule"), ("subscription",)),
    # Without it Stripe leaves out cancelled subscriptions.
    parameters={"status": "all"},
    unasked=frozenset(f"pending_update.subscription_items[].{path}" for path in IN_ITEMS),
)

STREAMS = (
    CREDIT_NOTES,
    Embedded("credit_note_line_items", CREDIT_NOTES, "lines"),
    INVOICES,
    Embedded(
        "invoice_line_items",
        INVOICES,
        "lines",
        replaced_by=frozenset({"invoice.finalized"}),
        temporary_in="draft",
        # Two invoices can hold lines of the same id.
        key=(ACCOUNT.name, "invoice", "id"),
    ),
    SUBSCRIPTIONS,
    Embedded("subscription_items", SUBSCRIPTIONS, "items", unasked=IN_ITEMS),
    List(
        "subscription_schedules",
        "/v1/subscription_schedules",
        "rak_subscription_read",
        touched_by={"subscription": ("schedule",)},
    ),
)
