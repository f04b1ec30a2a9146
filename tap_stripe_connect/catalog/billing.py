"""Billing: invoices, subscriptions and what they hold."""

from tap_stripe_connect.catalog.kinds import Embedded, List

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
)

STREAMS = (
    CREDIT_NOTES,
    Embedded("credit_note_line_items", CREDIT_NOTES, "lines"),
    INVOICES,
    # Two invoices can hold lines of the same id.
    Embedded("invoice_line_items", INVOICES, "lines", key=("account_id", "invoice", "id")),
    SUBSCRIPTIONS,
    Embedded("subscription_items", SUBSCRIPTIONS, "items"),
    List(
        "subscription_schedules",
        "/v1/subscription_schedules",
        "rak_subscription_read",
        touched_by={"subscription": ("schedule",)},
    ),
)
