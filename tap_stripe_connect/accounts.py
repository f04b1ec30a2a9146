"""Which accounts a run reads."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_stripe_connect.api.client import check_progress
from tap_stripe_connect.api.errors import StripeError, Verdict, account_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_stripe_connect.api.client import Client
    from tap_stripe_connect.settings import Settings

logger = logging.getLogger(__name__)

UNKNOWN = "acct_unknown"
"""Account of the key's own rows if Stripe does not say which one that is (D1)."""


@dataclass(frozen=True)
class Account:
    """An account to read."""

    id: str
    header: str | None
    """What `Stripe-Account` says; None for the key's own account."""


def accounts(client: Client, settings: Settings) -> list[Account]:
    """Ask Stripe which account the key is of, and list what the settings want read."""
    own = own_account(client)
    connected = list(settings.account_ids)
    if settings.all_connected_accounts:
        connected += _connected(client)
    found = [Account(own, None)] if settings.include_platform or own in connected else []
    found += [Account(name, name) for name in dict.fromkeys(connected) if name != own]
    return [account for account in found if account.id not in settings.exclude_account_ids]


def own_account(client: Client) -> str:
    """Return the id of the key's account; a key that may not ask still works (D1)."""
    try:
        return str(client.get("/v1/account").document["id"])
    except StripeError as error:
        if error.verdict is not Verdict.SKIP_STREAM:
            raise
        own = account_in(error.message) or UNKNOWN
        logger.info("The key may not read its own account; its rows say account_id %s", own)
        return own


def _connected(client: Client) -> Iterator[str]:
    parameters: dict[str, str] = {}
    while True:
        page = client.page("/v1/accounts", parameters)
        yield from (row["id"] for row in page.rows)
        if not page.has_more:
            return
        check_progress(page, parameters.get("starting_after"), "/v1/accounts", None)
        parameters["starting_after"] = page.rows[-1]["id"]
