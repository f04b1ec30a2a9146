"""Giving up an account: withdrawn at Stripe, and taken out of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_stripe_connect.connect import account, inputs, oauth
from tap_stripe_connect.connect.outcome import Exit, Kind
from tap_stripe_connect.connect.refusals import Refusal
from tap_stripe_connect.connect.sitting import described

if TYPE_CHECKING:
    from tap_stripe_connect.connect.inputs import Means, Options
    from tap_stripe_connect.connect.outcome import ConnectedAccount
    from tap_stripe_connect.connect.store import Store
    from tap_stripe_connect.connect.terminal import Terminal


def disconnect(terminal: Terminal, store: Store, options: Options, account_id: str) -> Exit:
    """Withdraw the platform's access, then forget the account; the other way round it could stay.

    Where Stripe says that it was not connected, it is forgotten all the same.
    """
    for remark in store.remarks():
        terminal.care(remark)
    means = inputs.means(terminal, inputs.reading(terminal, store), options)
    reading = means.reading
    owner = account.platform(reading.api_url, means.secret_key, reading.api_version)
    found = account.look_at(reading.api_url, means.secret_key, reading.api_version, account_id)
    terminal.say(
        f"This withdraws the access of {owner.name or owner.id or 'the platform'} to "
        f"{described(found)} at Stripe, and removes it from {store.path}."
    )
    if not _agreed(terminal, options, means, found):
        terminal.say("Nothing was changed.")
        return Exit.FAILED
    if oauth.deauthorize(means.application, means.secret_key, account_id):
        terminal.good("Access was withdrawn at Stripe.")
    else:
        terminal.good("It was not connected any more.")
    if store.remove(account_id):
        terminal.good(f"Removed from {store.path}.")
    else:
        terminal.say(f"{store.path} did not name it.")
    _tell_what_is_read(terminal, store, account_id)
    return Exit.OK


def _tell_what_is_read(terminal: Terminal, store: Store, account_id: str) -> None:
    """Say where a run still reads, or now reads, what users may not expect."""
    left = store.effective_ids()
    if account_id in left:
        name = store.syntax.name("account_ids")
        terminal.care(f"{name} in the environment, perhaps of a parent plugin, still names it.")
    elif not left and inputs.all_accounts(store):
        terminal.care(
            "The settings name no account now; the tap reads the account of the key and, as "
            f"{store.syntax.name('all_connected_accounts')} is set, every one still connected."
        )
    elif not left:
        terminal.care("No connected account is left: the tap now reads the account of the key.")


def _agreed(terminal: Terminal, options: Options, means: Means, found: ConnectedAccount) -> bool:
    """Ask; in live mode the id has to be typed, and --yes counts with --live beside it only."""
    livemode = means.application.livemode
    if options.yes and (not livemode or options.live):
        return True
    both = "--yes --live" if livemode else "--yes"
    if not terminal.interactive:
        line = "Disconnecting has to be confirmed, and there is no terminal to ask in."
        raise Refusal(Kind.FAILED, line, f"Confirm it by {both}.", exit=Exit.USAGE)
    if livemode:
        return terminal.ask(f"Type {found.id} to confirm", f"Confirm it by {both}.") == found.id
    return terminal.confirm("Disconnect?", default=False)
