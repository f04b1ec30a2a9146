"""HTML pages of the simulated Stripe, whose forms post to the same URL."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from tap_stripe_connect.simulator.calls import Response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.connect.registry import Client

HEADERS = {
    "content-type": "text/html; charset=utf-8",
    # Without form-action, because browsers apply it to the redirect back to the platform as well.
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} | simulated Stripe</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 32rem; padding: 1rem; }}
.simulated {{ border: 2px dashed; padding: .5rem 1rem; }}
button, input {{ box-sizing: border-box; font: inherit; margin: .25rem 0; padding: .6rem;
  text-align: left; width: 100%; }}
</style>
</head>
<body>
<p class="simulated"><strong>Simulated Stripe.</strong> Nothing here is real, and no password is
asked for.</p>
<main>
<h1>{title}</h1>
{content}
</main>
</body>
</html>
"""
ABILITIES = {
    "read_only": "see all data of this account",
    "read_write": "see and change all data of this account",
}


def sign_in(client: Client, accounts: Sequence[Account], *, failed: bool = False) -> Response:
    """Return the page to choose an account."""
    alert = '<p role="alert">No account has this e-mail address or id.</p>' if failed else ""
    choices = "".join(
        f'<button name="account" value="{escape(account.id)}">'
        f"{escape(account.name)} ({escape(account.email)})</button>\n"
        for account in accounts
    )
    content = f"""<p><strong>{escape(client.name)}</strong> ({_mode(client)}) wants to connect.</p>
{alert}
<form method="post">
{choices}</form>
<form method="post">
<label for="account">Another account, by e-mail address or id</label>
<input id="account" name="account" autocomplete="off" required>
<button>Sign in</button>
</form>"""
    return _page("Sign in with Stripe to continue", content)


def consent(client: Client, account: Account, scope: str, *, controlled: bool) -> Response:
    """Return the page to grant or deny access."""
    name = escape(client.name)
    if controlled:
        offer = f"""<p>Another platform controls <strong>{escape(account.name)}</strong>. To go on,
a new account is created and connected to {name} instead.</p>"""
        allow = "Create account and connect"
    else:
        offer = f"""<p>{name} ({_mode(client)}) will be able to {ABILITIES[scope]}:</p>
<p><strong>{escape(account.name)}</strong><br>{escape(account.email)}<br>{escape(account.id)}</p>"""
        allow = "Connect"
    content = f"""{offer}
<form method="post">
<input type="hidden" name="account" value="{escape(account.id)}">
<button name="decision" value="allow">{allow}</button>
<button name="decision" value="deny">Deny</button>
</form>"""
    return _page(f"Connect with {name}", content)


def _mode(client: Client) -> str:
    return "live mode" if client.livemode else "test mode"


def _page(title: str, content: str) -> Response:
    """Return a page with content that is already escaped."""
    return Response(200, PAGE.format(title=title, content=content).encode(), headers=HEADERS)
