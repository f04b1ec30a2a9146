"""The catalog: a table of all streams, and lookups in it."""

from tap_stripe_connect.catalog.columns import SECRETS, TAP_COLUMNS
from tap_stripe_connect.catalog.endpoints import FACTS
from tap_stripe_connect.catalog.kinds import Embedded, List, Stream
from tap_stripe_connect.catalog.kinds import Embedded as Nested
from tap_stripe_connect.catalog.kinds import List as Listed
from tap_stripe_connect.catalog.table import LISTED, NESTED, STREAMS, nested_in

API_VERSION = FACTS.api_version
"""The Stripe API version that the schemas are generated for, and the default for requests."""

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
