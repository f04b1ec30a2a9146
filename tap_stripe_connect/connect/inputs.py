"""What the commands need to know: from options, the environment, the settings, or by asking."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tap_stripe_connect.api.api_keys import is_live
from tap_stripe_connect.catalog import API_VERSION
from tap_stripe_connect.connect import oauth
from tap_stripe_connect.connect.outcome import Exit, Kind
from tap_stripe_connect.connect.refusals import Refusal
from tap_stripe_connect.connect.terminal import MOST, piped
from tap_stripe_connect.settings import PARSERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_stripe_connect.connect.store import Store
    from tap_stripe_connect.connect.terminal import Terminal

CALLBACK = "localhost:8765/callback"
API_URL = "https://api.stripe.com"
AROUND = "\ufeff\u200b\"'` \t\r\n"
"""What comes with a key when it is copied."""
KEY_ADVICE = "Give it by STRIPE_SECRET_KEY in the environment, or by --secret-file FILE."
CLIENT_ADVICE = "Give it by --client-id, or by STRIPE_CLIENT_ID in the environment."


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options that several commands share."""

    live: bool | None = None
    """Whether it is about live mode; None where the key decides."""
    client_id: str = ""
    redirect_uri: str = ""
    secret_file: str = ""
    yes: bool = False
    """Whether what is usually asked is agreed to."""


@dataclass(frozen=True)
class Reading:
    """What the settings say about reading."""

    api_url: str
    api_key: str = field(repr=False)
    """Empty if there is none yet."""
    api_version: str


@dataclass(frozen=True)
class Means:
    """What it takes to connect accounts, and to give them up."""

    application: oauth.Application
    secret_key: str = field(repr=False)
    reading: Reading


def reading(terminal: Terminal, store: Store) -> Reading:
    """Return what the settings say, or raise Refusal if it makes no sense.

    Whoever is going to type a key hears first whose settings say where it goes.
    """
    settings = store.read()
    address = _read(store, settings, "api_url", API_URL)
    name = store.syntax.name("api_url")
    terminal.say(f"Settings file: {store.path}")
    if address != API_URL:
        terminal.care(f"Keys are sent to {address}, not to Stripe: {name} says so.")
    return Reading(
        address,
        _read(store, settings, "api_key", ""),
        _read(store, settings, "api_version", API_VERSION),
    )


def all_accounts(store: Store) -> bool:
    """Tell whether every account connected to the platform is read."""
    return _read(store, store.read(), "all_connected_accounts", "") == str(True)


def _read(store: Store, settings: Mapping[str, Any], name: str, otherwise: str) -> str:
    given = settings.get(name)
    try:
        return str(PARSERS[name](given)) if given else otherwise
    except ValueError as fault:
        line = f"{store.syntax.name(name)} in {store.path}: {fault}"
        raise Refusal(Kind.FAILED, line, exit=Exit.USAGE) from None


def means(terminal: Terminal, found: Reading, options: Options) -> Means:
    """Return key, client id and mode, which have to agree; asks for what is not given."""
    given = _secret_key(terminal, found, options).strip(AROUND)
    live = is_live(given) if options.live is None else options.live
    key = oauth.secret_key(given, livemode=live)
    return Means(application(terminal, found, options, live=live), key, found)


def application(
    terminal: Terminal, found: Reading, options: Options, *, live: bool
) -> oauth.Application:
    """Return how the client id is used; asks for it if it is not given."""
    client_id = options.client_id or os.environ.get("STRIPE_CLIENT_ID", "")
    if not client_id.strip():
        client_id = terminal.ask("Client id of the platform (ca_…)", CLIENT_ADVICE)
    uri = options.redirect_uri or f"{'https' if live else 'http'}://{CALLBACK}"
    try:
        urlsplit(uri).port  # noqa: B018 - reading it is the check
    except ValueError as fault:
        line = f"The redirect address is none: {fault}."
        raise Refusal(Kind.FAILED, line, "Mend --redirect-uri.", exit=Exit.USAGE) from None
    return oauth.Application(client_id.strip(), uri, live, oauth.oauth_url(found.api_url))


def _secret_key(terminal: Terminal, found: Reading, options: Options) -> str:
    """Return the platform's secret key, from where it is named first."""
    if options.secret_file:
        return secret_in(options.secret_file)
    if given := os.environ.get("STRIPE_SECRET_KEY"):
        return given
    if found.api_key.startswith("sk_"):
        return found.api_key
    return terminal.ask_hidden("Secret key of the platform (sk_…)", KEY_ADVICE)


def secret_in(name: str) -> str:
    """Return what a file holds, or standard input for `-`."""
    if name == "-":
        return piped()
    try:
        with Path(name).open(encoding="utf-8-sig") as file:
            return file.read(MOST)
    except UnicodeDecodeError:
        reason = "it is not text"
    except OSError as error:
        reason = str(error.strerror)
    line = f"--secret-file {name} cannot be read: {reason}."
    raise Refusal(Kind.FAILED, line, exit=Exit.USAGE)


def hint(key: str) -> str:
    """Return how a key is spoken of: enough to recognise it, and no more."""
    kind = "restricted" if key.startswith("rk_") else "secret"
    return f"{kind} {'live' if is_live(key) else 'test'} key ending in {key[-4:]}"
