"""Connecting in two steps, for scripts: a link first, the address that came of it later."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tap_stripe_connect.api.api_keys import is_live
from tap_stripe_connect.connect import inputs, oauth, pending
from tap_stripe_connect.connect.address import landed
from tap_stripe_connect.connect.attempt import Attempt
from tap_stripe_connect.connect.conclusion import Conclusion
from tap_stripe_connect.connect.outcome import Exit, Kind
from tap_stripe_connect.connect.refusals import Refusal
from tap_stripe_connect.connect.sitting import Sitting
from tap_stripe_connect.connect.terminal import piped

if TYPE_CHECKING:
    from tap_stripe_connect.connect.inputs import Options, Reading
    from tap_stripe_connect.connect.store import Store
    from tap_stripe_connect.connect.terminal import Terminal


def start(terminal: Terminal, store: Store, options: Options, renewing: str) -> Exit:
    """Print the link to open as JSON, and remember the attempt beside the settings."""
    found = inputs.reading(terminal, store)
    live = _mode(found) if options.live is None else options.live
    application = inputs.application(terminal, found, options, live=live)
    oauth.preflight(application)
    state = secrets.token_urlsafe(32)
    deadline = time.time() + pending.LIFETIME
    attempt = pending.Pending(
        state, application.client_id, application.redirect_uri, live, renewing, deadline
    )
    path = pending.beside(store.target)
    try:
        pending.keep(path, attempt)
    except OSError as error:
        line = f"{path} cannot be written: {error.strerror}."
        raise Refusal(Kind.FAILED, line) from None
    answer = {
        "browser_url": oauth.authorize_link(application, state, again=bool(renewing)),
        "expires_in": int(pending.LIFETIME),
        "next_step": f"{store.command('connect')} --complete -",
    }
    click.echo(json.dumps(answer))
    terminal.say(
        "Open browser_url and approve. Then give the address that the browser ends up on to "
        "next_step, on standard input, within 5 minutes of approving."
    )
    return Exit.OK


def _mode(found: Reading) -> bool:
    if not found.api_key:
        line = "It is not known which mode is meant."
        raise Refusal(Kind.FAILED, line, "Say --test or --live.", exit=Exit.USAGE)
    return is_live(found.api_key)


def complete(terminal: Terminal, store: Store, options: Options) -> Exit:
    """Take the address on standard input for the attempt that was started."""
    if options.secret_file == "-":  # noqa: S105 - a file's name, not a secret
        line = "Standard input is for the address; --secret-file has to be a file."
        raise Refusal(Kind.FAILED, line, exit=Exit.USAGE)
    query = landed(piped())
    path = pending.beside(store.target)
    kept = pending.load(path)
    options = replace(
        options, live=kept.livemode, client_id=kept.client_id, redirect_uri=kept.redirect_uri
    )
    means = inputs.means(terminal, inputs.reading(terminal, store), options)
    attempt = Attempt(means.application, state=kept.state, lifetime=kept.deadline - time.time())
    if not any(attempt.matches(value) for name, value in query if name == "state"):
        raise Refusal(
            Kind.WRONG_SESSION,
            "That address belongs to another, perhaps older, attempt.",
            "Use the newest link, and give the whole address.",
        )
    conclusion = Conclusion(terminal, store, means, agreed=options.yes)
    sitting = Sitting(
        means.application,
        means.secret_key,
        means.reading.api_url,
        means.reading.api_key,
        conclusion.save,
        renewing=kept.renewing,
        account_ids=store.account_ids(),
        api_version=means.reading.api_version,
        attempt=attempt,
    )
    pending.claim(path)
    return conclusion.of(sitting.finish(query), sitting)
