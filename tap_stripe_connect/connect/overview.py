"""Telling which accounts the settings name, and whether each can be read."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import click

from tap_stripe_connect.api.api_keys import is_organization_key
from tap_stripe_connect.connect import account, inputs, oauth
from tap_stripe_connect.connect.inputs import hint
from tap_stripe_connect.connect.outcome import Access, ConnectedAccount, Exit
from tap_stripe_connect.connect.terminal import harmless

if TYPE_CHECKING:
    from tap_stripe_connect.connect.inputs import Reading
    from tap_stripe_connect.connect.store import Store
    from tap_stripe_connect.connect.terminal import Terminal

AT_ONCE = 8
"""Accounts that are looked at side by side."""
HEAD = ("ACCOUNT", "NAME", "MODE", "ACCESS", "NOTE")


def status(terminal: Terminal, store: Store, *, as_json: bool) -> Exit:
    """Print a table, or JSON, of the accounts; fails if one of them cannot be read."""
    found = inputs.reading(terminal, store)
    everything = inputs.all_accounts(store)
    accounts = _accounts(found, store.effective_ids())
    if as_json:
        click.echo(json.dumps(_document(store, found, accounts), indent=2))
    else:
        _table(store, found, accounts)
    for remark in store.remarks():
        terminal.care(remark)
    _tell_key(terminal, store, found)
    if everything:
        terminal.say(
            f"{store.syntax.name('all_connected_accounts')} is set: every account connected to "
            "the platform is read, also those not listed."
        )
    fine = bool(accounts) and all(each.access is Access.OK for each in accounts)
    return Exit.OK if fine else Exit.FAILED


def _accounts(found: Reading, ids: tuple[str, ...]) -> list[ConnectedAccount]:
    """Look at the accounts of the settings; where there are none, at the key's own."""
    if not found.api_key:
        reason = "there is no key to look with"
        return [ConnectedAccount(one, access=Access.UNKNOWN, reason=reason) for one in ids]
    look = account.Look(found.api_url, found.api_key, found.api_version)
    if not ids and is_organization_key(found.api_key):
        return []
    if not ids:
        return [look.at(None)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(look.at, ids))


def _tell_key(terminal: Terminal, store: Store, found: Reading) -> None:
    name = store.syntax.name("api_key")
    if found.api_key:
        terminal.say(f"Key: {hint(found.api_key)}, {name} of {store.path}")
    else:
        terminal.care(
            f"{name} is not set; the tap cannot read anything. Run {store.command('connect')}"
        )
    if is_organization_key(found.api_key) and not store.effective_ids():
        terminal.care(
            "An organisation's key reads the accounts that "
            f"{store.syntax.name('account_ids')} names, and it names none."
        )


def _repair(store: Store, found: Reading, one: ConnectedAccount) -> str:
    """Return the command that may help; empty where the reason says more than a command could."""
    if one.access is not Access.DENIED or "/" in one.id:
        return ""
    connect = store.command("connect")
    if one.id not in store.effective_ids():
        return f"{connect} --own"
    by_hand = one.key_refused or is_organization_key(found.api_key)
    return "" if by_hand else f"{connect} --reauth {one.id}"


def _document(store: Store, found: Reading, accounts: list[ConnectedAccount]) -> dict[str, Any]:
    return {
        "settings": str(store.path),
        "key": hint(found.api_key) if found.api_key else None,
        "accounts": [
            {
                "id": one.id,
                "name": one.name,
                "country": one.country,
                "livemode": one.livemode,
                "access": one.access.value,
                "reason": one.reason,
                "repair": _repair(store, found, one),
            }
            for one in accounts
        ],
    }


def _table(store: Store, found: Reading, accounts: list[ConnectedAccount]) -> None:
    rows = [HEAD]
    for one in accounts:
        repair = _repair(store, found, one)
        told = one.reason if one.key_refused or not repair else ""
        note = "; ".join(filter(None, (told, repair and f"run: {repair}")))
        mode = oauth.mode(livemode=one.livemode).partition(" ")[0]
        rows.append((one.id or "-", one.name or "-", mode, one.access.value, note))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo(harmless("  ".join(cells).rstrip()))
