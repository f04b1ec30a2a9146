"""The pages, as bytes: Connections, adding a data source, allowing access, and how that ended."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING

from tap_stripe_connect.connect.outcome import Access, ConnectedAccount, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_stripe_connect.connect.outcome import Outcome

STYLE = files(__package__).joinpath("page.css").read_text("utf-8")
STYLE_HASH = f"'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'"
"""What a Content-Security-Policy allows as the only style."""
BUTTON = "Connect with Stripe"
"""Stripe's own name of the button, in every language."""
PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<title>{title} | tap-stripe-connect</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{style}</style>
</head>
<body>
<header>
<span class="product">tap-stripe-connect</span>
{mode}
</header>
<main>
{content}
</main>
<footer>
{footer}
</footer>
</body>
</html>
"""
CIRCLE = '<circle cx="12" cy="12" r="10"/>'
SIGNS = {
    "good": f'{CIRCLE}<path d="m7.5 12.5 3 3 6-6.5"/>',
    "care": '<path d="M12 3 1.8 20.5h20.4zM12 10v4.5M12 17.2v.3"/>',
    "bad": f'{CIRCLE}<path d="m8.5 8.5 7 7m0-7-7 7"/>',
    "onward": '<path d="M4 12h15m-6-6 6 6-6 6"/>',
}
"""Drawings within 24 by 24; each has its own outline, so that none depends on its colour."""
LINES = {
    HTTPStatus.BAD_REQUEST: "This request can't be understood.",
    HTTPStatus.NOT_FOUND: "There is no such page.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Only GET is answered here.",
    HTTPStatus.REQUEST_URI_TOO_LONG: "This address is too long.",
    HTTPStatus.MISDIRECTED_REQUEST: "This program does not answer for that host.",
}


@dataclass(frozen=True)
class Words:
    """What a banner says: keys of texts; those that hold {mode} are there for each mode."""

    tone: str
    title: str
    lines: tuple[str, ...]


BANNERS: Mapping[Kind, Words] = {
    Kind.CONNECTED: Words("good", "success", ("success_body", "close", "dont_share")),
    Kind.ALREADY: Words("good", "already", ("already_body", "close")),
    Kind.EMPTY: Words("care", "empty", ("empty_body", "empty_why", "decide")),
    Kind.OTHER_ACCOUNT: Words("care", "other_account", ("other_account_body", "decide")),
    Kind.DENIED: Words("bad", "denied", ("denied_body", "nothing_saved", "start_again")),
    Kind.EXPIRED: Words("bad", "expired", ("expired_body", "nothing_saved")),
    Kind.USED: Words("bad", "used", ("used_body", "nothing_saved")),
    Kind.WRONG_SESSION: Words("bad", "wrong_session", ("newest_link", "nothing_saved")),
    Kind.WRONG_MODE: Words(
        "bad", "wrong_mode", ("wrong_mode_{mode}", "nothing_saved", "see_terminal")
    ),
    Kind.FAILED: Words("bad", "failed", ("nothing_saved", "see_terminal")),
}
STATES = {
    Access.OK: ("good", "access_ok"),
    Access.DENIED: ("bad", "access_denied"),
    Access.UNKNOWN: ("care", "access_unknown"),
}


@dataclass(frozen=True)
class Setting:
    """What all pages of a sitting share."""

    livemode: bool
    command: str = "tap-stripe-connect connect"
    """How users call the command, for the lines that they are to copy."""
    renewing: str = ""
    """The account whose access is being renewed; empty for a new one."""


def connections(
    texts: Mapping[str, str],
    setting: Setting,
    accounts: Sequence[ConnectedAccount],
    ended: Outcome | None = None,
) -> bytes:
    """Return the page of the accounts, with how an attempt ended on top."""
    level = "h2" if ended else "h1"
    # After other ends the command may be over, and with it the page that the button leads to.
    onward = ended is None or BANNERS[ended.kind].tone == "good"
    button = f'<a class="button" href="/add">{_said(texts, "add_source")}</a>'
    listed = _table(texts, setting, accounts) if accounts else _nothing(texts, onward=onward)
    content = f"""{_banner(texts, setting, ended) if ended else ""}
<section class="card" aria-labelledby="connections">
<div class="head">
<div>
<{level} id="connections">{_said(texts, "connections")}</{level}>
<p class="quiet">{_said(texts, "connections_intro")}</p>
</div>
{button if onward else ""}
</div>
{listed}
</section>"""
    title = BANNERS[ended.kind].title if ended else "connections"
    return _page(texts, setting, title, content, back=False)


def outcome(texts: Mapping[str, str], setting: Setting, ended: Outcome) -> bytes:
    """Return a page that says how an attempt ended, and nothing of the accounts."""
    return _page(texts, setting, BANNERS[ended.kind].title, _banner(texts, setting, ended))


def closed(texts: Mapping[str, str]) -> bytes:
    """Return the page for whoever was not let in; it tells nothing of the sitting."""
    sentence = _said(texts, "closed")
    content = f"""<section class="card">
<h1>{sentence}</h1>
</section>"""
    return PAGE.format(
        lang=texts["lang"], title=sentence, style=STYLE, mode="", content=content, footer=""
    ).encode()


def sources(texts: Mapping[str, str], setting: Setting) -> bytes:
    """Return the page on which Stripe is chosen as a data source."""
    content = f"""<section class="card">
<div class="part">
<h1>{_said(texts, "add_source")}</h1>
<p class="quiet">{_step(texts, 1)}</p>
</div>
<p>{_said(texts, "choose_source")}</p>
<a class="tile" href="/authorize">
<span><strong translate="no">Stripe</strong> {_said(texts, "source_stripe")}</span>
{_sign("onward")}
</a>
</section>"""
    return _page(texts, setting, "add_source", content)


def authorization(  # noqa: PLR0913 - what the page shows; all of it comes from a sitting
    texts: Mapping[str, str],
    setting: Setting,
    platform: ConnectedAccount,
    streams: Sequence[str],
    *,
    link: str,
    returns: bool,
) -> bytes:
    """Return the page that tells what is going to be allowed, and leads to Stripe.

    `returns` is whether Stripe can send the browser back here.
    """
    account = f'<code translate="no">{escape(setting.renewing)}</code>'
    intro = (
        _said(texts, "renewal_intro", account=account)
        if setting.renewing
        else _said(texts, "authorization_intro", platform=_account(platform))
    )
    back = (
        f"<p>{_said(texts, 'comes_back')}</p>"
        if returns
        else f'<p class="note">{_said(texts, "paste_address")}</p>'
    )
    words = [texts.get(f"stream_{stream}", stream) for stream in streams]
    content = f"""<section class="card">
<div class="part">
<h1>{_said(texts, "authorization")}</h1>
<p class="quiet">{_step(texts, 2)}</p>
</div>
<p>{intro}</p>
<div class="part">
<h2>{_said(texts, "who_approves")}</h2>
<p><strong>{_said(texts, "admin")}</strong> {_said(texts, "admin_only")}</p>
</div>
<div class="part">
<h2>{_said(texts, "what_is_read")}</h2>
<ul class="streams">
{"".join(f"<li>{escape(word)}</li>" for word in words)}
</ul>
</div>
<div class="part">
<h2>{_said(texts, "what_is_asked")}</h2>
<p>{_said(texts, "read_write")}</p>
</div>
<div class="go">
{back}
<a class="button" lang="en" rel="noreferrer" href="{escape(link)}">{BUTTON}</a>
</div>
</section>"""
    return _page(texts, setting, "authorization", content)


def plain(status: HTTPStatus) -> bytes:
    """Return the one line of text that answers what is no page."""
    return f"{LINES.get(status, status.phrase)}\n".encode()


def _table(texts: Mapping[str, str], setting: Setting, accounts: Sequence[ConnectedAccount]) -> str:
    # The roles are spelled out because browsers drop those of a table that a style folds.
    columns = "".join(
        f'<th role="columnheader" scope="col">{_said(texts, column)}</th>'
        for column in ("account", "mode", "access")
    )
    rows = "\n".join(_row(texts, setting, account) for account in accounts)
    return f"""<table role="table" aria-labelledby="connections">
<thead role="rowgroup"><tr role="row">{columns}</tr></thead>
<tbody role="rowgroup">
{rows}
</tbody>
</table>"""


def _row(texts: Mapping[str, str], setting: Setting, account: ConnectedAccount) -> str:
    name = f"<bdi>{escape(account.name)}</bdi> " if account.name else ""
    tone, state = STATES[account.access]
    details = ""
    if account.access is Access.DENIED:
        words = f"{setting.command} --reauth {account.id}".split(" ")
        # Each word keeps together: browsers break lines after the hyphens of options.
        command = " ".join(f"<span>{escape(word)}</span>" for word in words)
        details = f"""<div class="repair"><span>{_said(texts, "repair")}</span>
<code translate="no">{command}</code></div>"""
    elif account.empty:
        details = f'<p class="quiet">{_said(texts, "no_data")}</p>'
    return f"""<tr role="row">
<th role="rowheader" scope="row">{name}<code translate="no">{escape(account.id)}</code></th>
<td role="cell">{_mode(texts, livemode=account.livemode)}</td>
<td role="cell"><span class="state {tone}">{_sign(tone)}{_said(texts, state)}</span>{details}</td>
</tr>"""


def _nothing(texts: Mapping[str, str], *, onward: bool) -> str:
    hint = f'<p class="quiet">{_said(texts, "none_yet_hint")}</p>' if onward else ""
    return f"""<div class="none">
<p><strong>{_said(texts, "none_yet")}</strong></p>
{hint}
</div>"""


def _banner(texts: Mapping[str, str], setting: Setting, ended: Outcome) -> str:
    words = BANNERS[ended.kind]
    keys = [line.format(mode="live" if setting.livemode else "test") for line in words.lines]
    values = {
        "account": _account(ended.account) if ended.account else "Stripe",
        "expected": f'<code translate="no">{escape(setting.renewing)}</code>',
    }
    lines = "\n".join(f"<p>{_said(texts, key, **values)}</p>" for key in keys)
    return f"""<section class="banner {words.tone}" aria-labelledby="outcome">
{_sign(words.tone)}
<div>
<h1 id="outcome">{_said(texts, words.title)}</h1>
{lines}
</div>
</section>"""


def _page(
    texts: Mapping[str, str], setting: Setting, title: str, content: str, *, back: bool = True
) -> bytes:
    footer = f'<a href="/">{_said(texts, "back")}</a>' if back else ""
    return PAGE.format(
        lang=texts["lang"],
        title=_said(texts, title),
        style=STYLE,
        mode=_mode(texts, livemode=setting.livemode),
        content=content,
        footer=footer,
    ).encode()


def _account(account: ConnectedAccount) -> str:
    # Set apart in its own direction: a name that runs from right to left leaves the rest in order.
    identifier = f'<code translate="no">{escape(account.id)}</code>'
    if not account.name:
        return identifier
    return f"<strong><bdi>{escape(account.name)}</bdi></strong> ({identifier})"


def _mode(texts: Mapping[str, str], *, livemode: bool) -> str:
    mode = "live" if livemode else "test"
    return f'<span class="badge {mode}">{_said(texts, f"{mode}_mode")}</span>'


def _step(texts: Mapping[str, str], number: int) -> str:
    return _said(texts, "step", number=str(number), total="2")


def _sign(name: str) -> str:
    return f"""<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2"
stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{SIGNS[name]}</svg>"""


def _said(texts: Mapping[str, str], key: str, **markup: str) -> str:
    """Return a sentence as HTML; what is put into it is HTML already."""
    return escape(texts[key]).format(**markup)
