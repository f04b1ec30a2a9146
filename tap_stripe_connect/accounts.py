"""Which accounts a run reads."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from requests import codes

from tap_stripe_connect.api.errors import ErrorAction, StripeError, account_in
from tap_stripe_connect.api.failures import MIXED_UP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_stripe_connect.api.client import Client
    from tap_stripe_connect.settings import Settings
    from tap_stripe_connect.values import Shard

logger = logging.getLogger(__name__)

UNKNOWN = "acct_unknown"
"""Account of the key's own rows if Stripe does not say which one that is (D1)."""


@dataclass(frozen=True)
class Account:
    """An account to read."""

    id: str
    header: str | None
    """How requests name it, perhaps `platform/connected`; None for the key's own account."""


def accounts(client: Client, settings: Settings) -> list[Account]:
    """Ask Stripe which account the key is of, and list what the settings want read.

    Costs one request, one more where accounts are named, and one for each hundred where all
    are read.
    """
    found = [Account(name.rpartition("/")[2], name) for name in settings.account_ids]
    if not settings.organisation and (settings.include_platform or found):
        own = Account(own_account(client), None)
        if settings.include_platform or own.id in settings.account_ids:
            found.insert(0, own)
    if settings.all_connected_accounts:
        found += [Account(name, name) for name in _connected(client)]
    once: dict[str, Account] = {}
    for account in found:
        once.setdefault(account.id, account)
    chosen = [
        account
        for account in once.values()
        if account.id not in settings.exclude_account_ids and in_shard(account.id, settings.shard)
    ]
    _check_access(client, settings, chosen)
    return chosen


def in_shard(account_id: str, shard: Shard) -> bool:
    """Tell whether an account is in a shard; the same in every run and on every machine."""
    part, parts = shard
    digest = blake2b(account_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest) % parts == part - 1


def own_account(client: Client) -> str:
    """Return the id of the key's account; a key that may not ask still works (D1).

    So does a fake of Stripe that does not know the question.
    """
    try:
        return str(client.account().document["id"])
    except StripeError as error:
        unknown = error.status == codes.not_found and error.action is ErrorAction.FAIL_STREAM
        if error.code == MIXED_UP or not (unknown or error.action is ErrorAction.SKIP_STREAM):
            raise
        own = account_in(error.message)
        if own:
            logger.info("The key may not read its own account; its rows say account_id %s", own)
            return own
        logger.warning(
            "Stripe does not say which account the key is of, so its rows say account_id %s: %s",
            UNKNOWN,
            error,
        )
        return UNKNOWN


def _check_access(client: Client, settings: Settings, chosen: list[Account]) -> None:
    """Ask for the first named account, so that a key of the wrong kind ends the run at once (D10).

    So does an answer about another account, as where a proxy drops the header. An account that is
    lost costs only itself, unless the run would read nothing else and fail.
    """
    first = next((account for account in chosen if account.header in settings.account_ids), None)
    if not first:
        return
    try:
        client.account(first.header)
    except StripeError as error:
        alone = len(chosen) == 1 and settings.on_account_error == "fail"
        lost = error.action is ErrorAction.SKIP_ACCOUNT and alone
        if error.action is ErrorAction.STOP or error.code == MIXED_UP or lost:
            raise


def _connected(client: Client) -> Iterator[str]:
    parameters: dict[str, str] = {}
    while True:
        page = client.page("/v1/accounts", parameters, objects=("account",))
        yield from (row["id"] for row in page.rows)
        if not page.has_more:
            return
        parameters["starting_after"] = page.rows[-1]["id"]
