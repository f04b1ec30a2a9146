"""Reading one's own account: a restricted key, checked and saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_stripe_connect.api.api_keys import is_live, is_organization_key
from tap_stripe_connect.connect import account, inputs, oauth, restricted
from tap_stripe_connect.connect.conclusion import saved
from tap_stripe_connect.connect.inputs import hint
from tap_stripe_connect.connect.outcome import Exit, Kind
from tap_stripe_connect.connect.refusals import Refusal
from tap_stripe_connect.settings import PARSERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_stripe_connect.connect.inputs import Options
    from tap_stripe_connect.connect.store import Store
    from tap_stripe_connect.connect.terminal import Terminal

ORGANISATION_ADVICE = (
    "Use a restricted key of the account; or set api_key to this key by hand, and account_ids to "
    "the organisation's accounts. Nothing was saved."
)


def connect(terminal: Terminal, store: Store, options: Options, streams: Sequence[str]) -> Exit:
    """Lead to a restricted key, and save it once every stream can be read with it."""
    found = inputs.reading(terminal, store)
    live = options.live
    if live is None and found.api_key:
        live = is_live(found.api_key)
    if not options.secret_file:
        _explain(terminal, streams, live=live is not False)
    key = _key(terminal, options)
    if options.live is not None and is_live(key) is not options.live:
        line = f"The key is not of {oauth.mode(livemode=options.live)}. Nothing was saved."
        raise Refusal(Kind.WRONG_MODE, line, "Name the mode of the key: --live or --test.")
    if key.startswith("sk_"):
        terminal.care(
            "This is a full secret key: it works, but it can also move money. A restricted key "
            "is safer."
        )
    owner = account.platform(found.api_url, key, found.api_version)
    name = (
        f"{owner.name} ({owner.id})"
        if owner.name
        else owner.id or "an account that it may not name"
    )
    terminal.say(f"The key opens {name}, {oauth.mode(livemode=owner.livemode)}.")
    if not _readable(terminal, restricted.check(found.api_url, key, streams), options):
        terminal.say("Nothing was saved.")
        return Exit.FAILED
    if not _may_replace(terminal, store, store.own_key(), key, options):
        terminal.say("Nothing was saved.")
        return Exit.FAILED
    changed = store.save([], key, other_mode=True)
    terminal.good(
        f"Saved to {store.path} (0600): {', '.join(changed)}" if changed else saved(store, ())
    )
    if number := len(store.account_ids()):
        terminal.care(
            f"The settings name {number} connected account{'s' * (number > 1)}; set "
            f"{store.syntax.name('include_platform')} to true to read the key's own as well."
        )
    if store.next_step:
        terminal.say(f"Next: {store.next_step}")
    return Exit.OK


def _explain(terminal: Terminal, streams: Sequence[str], *, live: bool) -> None:
    needed = restricted.permissions(streams)
    terminal.say("Create a restricted key in Stripe; this form has the permissions ticked:")
    terminal.show(restricted.link(streams, livemode=live))
    terminal.say("Check that each of these is set to Read there:")
    widest = max(len(permission) for permission, _ in needed)
    for permission, readers in needed:
        terminal.say(f"  {permission:{widest}}  {', '.join(readers)}")
    terminal.say("It takes an administrator of the account.")


def _key(terminal: Terminal, options: Options) -> str:
    """Return the key that was given, or raise Refusal if it is none to read with."""
    if options.secret_file:
        given = inputs.secret_in(options.secret_file)
    else:
        otherwise = "Give it by --secret-file FILE, or - for standard input."
        given = terminal.ask_hidden("Paste the restricted key (rk_…)", otherwise)
    try:
        key = str(PARSERS["api_key"](given.strip(inputs.AROUND)))
    except ValueError as fault:
        line = f"The key: {fault}."
        raise Refusal(Kind.FAILED, line, "Nothing was saved.", exit=Exit.USAGE) from None
    if is_organization_key(key):
        line = "This is an organisation's key, which has no account of its own."
        raise Refusal(Kind.FAILED, line, ORGANISATION_ADVICE, exit=Exit.USAGE)
    return key


def _readable(terminal: Terminal, lacking: dict[str, str], options: Options) -> bool:
    """Say which streams can be read, and whether to go on without the others."""
    widest = max(map(len, lacking))
    for stream, permission in lacking.items():
        if permission:
            terminal.bad(f"{stream:{widest}}  lacks {permission}")
        else:
            terminal.good(stream)
    if not any(lacking.values()):
        return True
    terminal.say("Edit the key in Stripe and run the command again; or go on without their rows.")
    return options.yes or terminal.confirm("Save the key all the same?", default=False)


def _may_replace(terminal: Terminal, store: Store, before: str, key: str, options: Options) -> bool:
    """Ask before another key is replaced; between modes, agreeing in advance takes the mode too."""
    if before in {"", key}:
        return True
    same_mode = is_live(before) is is_live(key)
    if options.yes and (same_mode or options.live is not None):
        return True
    question = f"{store.path} has the {hint(before)}. Replace it by the {hint(key)}?"
    if not terminal.interactive:
        with_mode = "" if same_mode else " and the mode, --live or --test,"
        raise Refusal(
            Kind.FAILED,
            f"{store.path} has another key, the {hint(before)}. Nothing was saved.",
            f"With --yes{with_mode} it is replaced.",
            exit=Exit.USAGE,
        )
    return terminal.confirm(question, default=same_mode)
