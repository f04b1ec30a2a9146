"""Billing: invoices, subscriptions and their items."""

from tap_stripe_connect.catalog.columns import ACCOUNT
from tap_stripe_connect.catalog.kinds import Embedded, List

IN_ITEMS = frozenset({"plan.tiers", "price.currency_options", "price.tiers"})
"""Too deep to expand: five levels below the list of subscriptions, and Stripe expands four. The
stream `plans` has tiers."""

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
    # `customer.subscription.deleted` means canceled; the object still exists.
    touched_by=dict.fromkeys(("discount", "subscription_schedule"), ("subscription",)),
    # By default, Stripe omits canceled subscriptions.
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
        # Two invoices can have lines with the same id.
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
