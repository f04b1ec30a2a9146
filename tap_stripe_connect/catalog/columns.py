"""Columns that the tap adds to Stripe's objects, and fields that it never writes."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Column:
    """A column that the tap adds."""

    name: str
    type: Literal["boolean", "date-time", "object", "string"]
    """An `object` can have any properties."""
    about: str


ACCOUNT = Column("account_id", "string", "The account that the object belongs to: `acct_1Example`.")
LIVEMODE = Column(
    "livemode", "boolean", "Whether the object is in live mode rather than test mode."
)
UPDATED = Column(
    "updated_at",
    "date-time",
    "When the object last changed, as far as known, or else when it was created.",
)
DELETED = Column("_sdc_deleted_at", "date-time", "When Stripe reported the object as deleted.")
ADDITIONAL = Column("additional_fields", "object", "Fields that Stripe sent but the schema lacks.")

OWN = (ACCOUNT, UPDATED, DELETED, ADDITIONAL)
"""Columns of every stream; Stripe has no fields with these names."""

TAP_COLUMNS = tuple(column.name for column in OWN)

SHARED = (LIVEMODE,)
"""Fields that most of Stripe's objects have; the tap adds them to the others."""

SECRETS = frozenset({"client_secret", "confirmation_secret"})
"""Fields that grant access to whoever reads them; never written, at any depth."""
