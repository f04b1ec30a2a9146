"""Connect: transfers between accounts."""

from tap_stripe_connect.catalog.kinds import Embedded, List

TRANSFERS = List("transfers", "/v1/transfers", "rak_transfer_read")

STREAMS = (TRANSFERS, Embedded("transfer_reversals", TRANSFERS, "reversals"))
