"""The streams: one table, and how to look things up in it."""

from tap_stripe_connect.catalog.columns import SECRETS, TAP_COLUMNS
from tap_stripe_connect.catalog.endpoints import FACTS
from tap_stripe_connect.catalog.kinds import Embedded, List, Stream
from tap_stripe_connect.catalog.kinds import Embedded as Nested
from tap_stripe_connect.catalog.kinds import List as Listed
from tap_stripe_connect.catalog.table import LISTED, NESTED, STREAMS, nested_in

API_VERSION = FACTS.api_version
"""The Stripe API version that schemas are generated for and that every request asks for."""

__all__ = [
    "API_VERSION",
    "LISTED",
    "NESTED",
    "SECRETS",
    "STREAMS",
    "TAP_COLUMNS",
    "Embedded",
    "List",
    "Listed",
    "Nested",
    "Stream",
    "nested_in",
]
