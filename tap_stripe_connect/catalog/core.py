"""Core resources: payments and what belongs to them, customers, and the events themselves."""

from tap_stripe_connect.catalog.kinds import EventsAndRecheck, Immutable, List

STREAMS = (
    List(
        "charges",
        "/v1/charges",
        "rak_charge_read",
        # A charge can change without an event for as long as its capture can be awaited.
        EventsAndRecheck(days=7),
        touched_by={"dispute": ("charge",), "refund": ("charge",), "review": ("charge",)},
    ),
    List(
        "customers",
        "/v1/customers",
        "rak_customer_read",
        deleted_by=("customer.deleted",),
        touched_by=dict.fromkeys(("discount", "source", "card", "bank_account"), ("customer",)),
        # Stripe works `tax` out anew whenever it is asked for. The balances have permissions and
        # events of their own; `balance` is there.
        unasked=frozenset({"cash_balance", "invoice_credit_balance", "tax"}),
        reference=True,
    ),
    List("disputes", "/v1/disputes", "rak_dispute_read"),
    List("events", "/v1/events", "rak_event_read", Immutable(), verbatim=frozenset({"data"})),
    List("payouts", "/v1/payouts", "rak_payout_read"),
    # Refunds have no permission of their own.
    List("refunds", "/v1/refunds", "rak_charge_read"),
)
