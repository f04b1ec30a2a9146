"""Finds the accounts that a run reads."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from requests import codes

from tap_stripe_connect.api.errors import ErrorAction, StripeError, account_in
from tap_stripe_connect.api.failures import MISMATCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_stripe_connect.api.client import Client
    from tap_stripe_connect.settings import Settings, Shard

logger = logging.getLogger(__name__)

UNKNOWN = "acct_unknown"
"""`account_id` of rows in the key's own account, if Stripe does not say which account that is."""


@dataclass(frozen=True)
class Account:
    """An account to read."""

    id: str
    header: str | None
    """The account in request headers, perhaps `platform/connected`; None for the key's own."""


def accounts(client: Client, settings: Settings) -> list[Account]:
    """Return the accounts to read; raises StripeError.

    Sends one request, another one if the settings list accounts, and one for each hundred accounts
    if all connected accounts are read.
    """
    found = [Account(path.rpartition("/")[2], path) for path in settings.account_ids]
    if not settings.has_organization_key and (settings.include_platform or found):
        own = Account(own_account(client), None)
        if settings.include_platform or own.id in settings.account_ids:
            found.insert(0, own)
    if settings.all_connected_accounts:
        found += [Account(id_, id_) for id_ in _connected(client)]
    unique: dict[str, Account] = {}
    for account in found:
        unique.setdefault(account.id, account)
    selected = [
        account
        for account in unique.values()
        if account.id not in settings.exclude_account_ids and in_shard(account.id, settings.shard)
    ]
    _check_access(client, settings, selected)
    return selected


def in_shard(account_id: str, shard: Shard) -> bool:
    """Return whether an account is in a shard; every run on every machine gets the same result."""
    number, count = shard
    digest = blake2b(account_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest) % count == number - 1


def own_account(client: Client) -> str:
    """Return the id of the key's own account, or UNKNOWN.

    A key without permission to read its account still works. So does an imitation of Stripe that
    lacks this endpoint.
    """
    try:
        return str(client.account().document["id"])
    except StripeError as error:
        missing = error.status == codes.not_found and error.action is ErrorAction.FAIL_STREAM
        if error.code == MISMATCH or not (missing or error.action is ErrorAction.SKIP_STREAM):
            raise
        own = account_in(error.message)
        if own:
            logger.info("The key may not read its own account; its rows get account_id %s", own)
            return own
        logger.warning(
            "Stripe does not say which account the key belongs to; its rows get account_id %s: %s",
            UNKNOWN,
            error,
        )
        return UNKNOWN


def _check_access(client: Client, settings: Settings, selected: list[Account]) -> None:
    """Request the first listed account, so that the wrong kind of key ends the run at once.

    The run also ends if the response is about another account, for example because a proxy drops
    the header. An inaccessible account is only skipped, unless it is the only one and an error.
    """
    first = next((account for account in selected if account.header in settings.account_ids), None)
    if not first:
        return
    try:
        client.account(first.header)
    except StripeError as error:
        is_only_one = len(selected) == 1 and settings.on_account_error == "fail"
        inaccessible = error.action is ErrorAction.SKIP_ACCOUNT and is_only_one
        if error.action is ErrorAction.STOP or error.code == MISMATCH or inaccessible:
            raise


def _connected(client: Client) -> Iterator[str]:
    parameters: dict[str, str] = {}
    while True:
        page = client.page("/v1/accounts", parameters, objects=("account",))
        yield from (row["id"] for row in page.rows)
        if not page.has_more:
            return
        parameters["starting_after"] = page.rows[-1]["id"]
