"""Core resources: payments, refunds, disputes, payouts, customers and events."""

from tap_stripe_connect.catalog.kinds import EventsAndRecheck, Immutable, List

STREAMS = (
    List(
        "charges",
        "/v1/charges",
        "rak_charge_read",
        # A charge can change without an event until its capture is due.
        EventsAndRecheck(days=7),
        touched_by={"dispute": ("charge",), "refund": ("charge",), "review": ("charge",)},
    ),
    List(
        "customers",
        "/v1/customers",
        "rak_customer_read",
        deleted_by=("customer.deleted",),
        touched_by=dict.fromkeys(("discount", "source", "card", "bank_account"), ("customer",)),
        # Stripe recalculates `tax` on every request. The expandable balances have their own
        # permissions and events; `balance` is included.
        unasked=frozenset({"cash_balance", "invoice_credit_balance", "tax"}),
        reference=True,
    ),
    List("disputes", "/v1/disputes", "rak_dispute_read"),
    List("events", "/v1/events", "rak_event_read", Immutable(), verbatim=frozenset({"data"})),
    List("payouts", "/v1/payouts", "rak_payout_read"),
    # Refunds have no separate permission.
    List("refunds", "/v1/refunds", "rak_charge_read"),
)
