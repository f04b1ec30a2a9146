"""Restricted keys: which permissions streams need, and whether a key has them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tap_stripe_connect.api.errors import ErrorAction, StripeError, missing_permission
from tap_stripe_connect.catalog import API_VERSION, LISTED, NESTED, STREAMS
from tap_stripe_connect.connect.account import glance
from tap_stripe_connect.connect.oauth import DASHBOARD
from tap_stripe_connect.connect.outcome import Exit, Kind
from tap_stripe_connect.connect.refusals import Refusal, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_stripe_connect.api.client import Client
    from tap_stripe_connect.catalog import Listed

NAME = "tap-stripe-connect"
"""What the key is called in Stripe's list of keys."""
FEED = LISTED["events"]
CONNECTED_ACCOUNTS = "rak_connected_account_read"


def link(streams: Iterable[str], *, livemode: bool, all_accounts: bool = False) -> str:
    """Return the address of Stripe's form for a restricted key, with the permissions ticked.

    Stripe does not document the form: show the list of permissions beside it.
    """
    wanted = permissions(streams, all_accounts=all_accounts)
    query = urlencode([("name", NAME), *(("permissions[]", name) for name, _ in wanted)])
    return f"{DASHBOARD}{'' if livemode else '/test'}/apikeys/create?{query}"


def permissions(
    streams: Iterable[str], *, all_accounts: bool = False
) -> list[tuple[str, tuple[str, ...]]]:
    """Return what a key has to be permitted, and the streams that need it, in catalog order.

    Reading `all_accounts` of a platform takes one more, which belongs to no stream.
    """
    needed: dict[str, list[str]] = {}
    for stream in _known(streams):
        for listed in _sources(stream):
            needed.setdefault(listed.permission, []).append(stream)
    found = [(permission, tuple(names)) for permission, names in needed.items()]
    return [*found, (CONNECTED_ACCOUNTS, ())] if all_accounts else found


def check(api_url: str, key: str, streams: Iterable[str]) -> dict[str, str]:
    """Return for each stream the permission that the key lacks for it, or an empty text.

    A missing permission would leave rows out for ever, so each list is asked for one row. Raises
    Refusal where Stripe does not accept the key, or does not answer.
    """
    wanted = _known(streams)
    client = glance(api_url, key, API_VERSION)
    lists = {listed.name: listed for stream in wanted for listed in _sources(stream)}
    lacking = {name: _lacking(client, listed) for name, listed in lists.items()}
    return {
        stream: next(filter(None, (lacking[one.name] for one in _sources(stream))), "")
        for stream in wanted
    }


def _lacking(client: Client, listed: Listed) -> str:
    try:
        parameters = {**listed.parameters, "limit": "1"}
        client.page(listed.path, parameters, objects=(listed.object,))
    except StripeError as error:
        if error.action is ErrorAction.SKIP_STREAM:
            return missing_permission(error.message) or listed.permission
        if error.action is not ErrorAction.NOT_ENABLED:
            line = f"The key could not be checked: {one_line(error.message)}"
            raise Refusal(Kind.FAILED, line, error.advice) from None
    return ""


def _sources(stream: str) -> Sequence[Listed]:
    """Return the lists that a stream is read from, its own before that of the changes."""
    own = LISTED[NESTED[stream].parent if stream in NESTED else stream]
    return (own, FEED) if own.changes == "feed" else (own,)


def _known(streams: Iterable[str]) -> list[str]:
    """Return the streams in catalog order, or refuse the names that are none."""
    given = set(streams)
    names = [stream.name for stream in STREAMS]
    unknown = sorted(given.difference(names))
    if unknown:
        line = f"There is no stream {', '.join(map(one_line, unknown))}."
        raise Refusal(Kind.FAILED, line, f"There are {', '.join(names)}.", exit=Exit.USAGE)
    return [name for name in names if name in given]
