"""The columns that the tap adds to Stripe's objects, and what it never makes a column of."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Column:
    """One of them."""

    name: str
    type: Literal["boolean", "date-time", "object", "string"]
    """An `object` is open: nothing is known of what it holds."""
    about: str


ACCOUNT = Column("account_id", "string", "The account of the row: `acct_1Example`.")
LIVEMODE = Column("livemode", "boolean", "Whether it is about real money, not test data.")
UPDATED = Column("updated_at", "date-time", "The newest change known, or else the creation.")
DELETED = Column("_sdc_deleted_at", "date-time", "When Stripe said that the object was deleted.")
ADDITIONAL = Column("additional_fields", "object", "What Stripe sends and the schema lacks.")

OWN = (ACCOUNT, UPDATED, DELETED, ADDITIONAL)
"""Stripe has no fields of these names."""

TAP_COLUMNS = tuple(column.name for column in OWN)

SHARED = (LIVEMODE,)
"""Fields that most of Stripe's objects have; the others get them from the tap."""

SECRETS = frozenset({"client_secret", "confirmation_secret"})
"""Names of fields that let whoever reads them act; they are never written, at whatever depth."""
