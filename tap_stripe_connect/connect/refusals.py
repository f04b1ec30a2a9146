"""Why an attempt ends without an account: Stripe's errors and ours, each with what to do next."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.api.errors import redact
from tap_stripe_connect.connect.outcome import ConnectedAccount, Exit, Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LONGEST = 200
"""Characters that are shown of a text that others wrote."""
AGAIN = "Run the command again and approve once more; that is safe."


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818 - an expected end, not an error of the program
    """An end that is not the one hoped for; all of it may be shown."""

    kind: Kind
    line: str
    """One line, without secrets, codes or control characters."""
    advice: str = ""
    """What to do next, on lines of its own."""
    exit: Exit = field(kw_only=True, default=Exit.FAILED)

    def __post_init__(self) -> None:
        """Take the exit code from the kind where none is given."""
        super().__init__(self.line)
        if self.exit is Exit.FAILED:
            self.exit = self.kind.exit

    def __str__(self) -> str:
        """Return the line."""
        return self.line

    def outcome(self, account: ConnectedAccount | None = None) -> Outcome:
        """Return what the terminal and the pages are told."""
        return Outcome(self.kind, self.line, self.advice, account)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A row of the table; the first one that fits an answer decides."""

    word: str = ""
    """OAuth's error code, or the API's."""
    text: str = ""
    """A piece of Stripe's message, in any case."""
    kind: Kind = Kind.FAILED
    line: str
    advice: str = ""


_MISMATCH = (
    "The secret key and the client id have to be of the same Stripe account, sandbox and mode "
    "({mode}). Get both from the same place:\n  {settings}"
)
_KEY = "Copy the current secret key (sk_…, {mode}) of the platform, whole:\n  {keys}"

RULES = (
    Rule(
        word="access_denied",
        kind=Kind.DENIED,
        line="Access was not granted in Stripe (access_denied). Nothing was saved.",
    ),
    # Of the token and deauthorize endpoints, which know whose key it is.
    Rule(
        word="invalid_client",
        text="no application matches",
        line="The secret key is not of the platform that has the client id {client_id}.",
        advice=_MISMATCH,
    ),
    Rule(
        text="no application matches",
        line="Stripe does not know the client id {client_id}.",
        advice="Copy it from Settings → Connect → Onboarding options → OAuth, {mode}:\n"
        "  {settings}",
    ),
    Rule(
        text="invalid redirect uri",
        line="Stripe does not accept this redirect address for {client_id} ({mode}).",
        advice="Add this line under Settings → Connect → Onboarding options → OAuth → Redirects:\n"
        "  {redirect_uri}\n  {settings}",
    ),
    Rule(
        text="oauth is disabled",
        line="OAuth is switched off for this platform, or Stripe does not offer it.",
        advice="Switch it on under Settings → Connect → Onboarding options → OAuth:\n"
        "  {settings}\n"
        "Where that cannot be done, a restricted key of the account reads it as well: "
        "connect --own",
    ),
    Rule(
        text="redirected via https",
        line="In live mode the redirect address has to begin with https.",
        advice="Register https://localhost:8765/callback, or any https address of yours, and "
        "name it by --redirect-uri.",
    ),
    Rule(
        word="invalid_scope",
        line="Stripe does not give this client id the access read_write.",
        advice="Platforms have to ask for read_write; only old extensions may ask for read_only. "
        "A restricted key of the account works without either: connect --own",
    ),
    Rule(
        text="authorization code does not exist",
        line="Stripe does not know this approval; the address was cut off or changed on its way.",
        advice="Start again and copy the address whole.",
    ),
    Rule(
        word="invalid_grant",
        text="already been used",
        kind=Kind.USED,
        line="Stripe says that this approval was already used, and has cut the connection for "
        "safety.",
        advice="Connect again.",
    ),
    Rule(
        word="invalid_grant",
        text="expired",
        kind=Kind.EXPIRED,
        line="The approval is older than 5 minutes.",
        advice="Start again; Stripe takes an approval for 5 minutes only.",
    ),
    Rule(
        word="invalid_grant",
        text="does not belong to you",
        line="Stripe says that this approval is not for the platform of the secret key.",
        advice="Either the client id {client_id} belongs to another Stripe account or sandbox "
        "than the key, or one is of test mode and the other of live mode, or the approval was "
        "given to a Stripe App or to connect the platform's own account.\n" + _MISMATCH,
    ),
    Rule(
        word="no_deauth_on_controlled_account",
        line="The platform controls this account, so Stripe does not disconnect it.",
        advice="Remove it from account_ids to read it no more.",
    ),
    Rule(text="api key provided", line="Stripe does not accept the secret key.", advice=_KEY),
    Rule(text="did not provide an api key", line="Stripe got no secret key.", advice=_KEY),
    Rule(
        text="publishable api key",
        line="This is a publishable key, which connects nothing.",
        advice=_KEY,
    ),
    Rule(
        text="required permissions",
        line="This key may not connect accounts; that takes the platform's secret key.",
        advice=_KEY,
    ),
    Rule(
        text="ip address",
        line="Stripe does not accept the secret key from this network address.",
        advice="Allow this address for the key, or use another key.",
    ),
    Rule(
        text="rate limit",
        line="Stripe is asked too much just now.",
        advice="Wait a minute, then run the command again.",
    ),
    Rule(
        word="invalid_grant",
        line="Stripe does not accept this approval: {said}",
        advice="Start again.",
    ),
)
UNKNOWN = Rule(
    line="Stripe refused: {said}",
    advice="Start again; report it with the line above if it stays.",
)


@dataclass(frozen=True)
class Said:
    """What Stripe says in an error, in whichever of its two shapes."""

    word: str = ""
    text: str = ""

    @property
    def whole(self) -> str:
        """Both, as far as there are any."""
        return f"{self.text} ({self.word})" if self.text and self.word else self.text or self.word


def said_in(body: bytes) -> Said | None:
    """Read `{"error": "word", "error_description": …}` or `{"error": {"message": …}}`."""
    document = decoded(body)
    error = document.get("error")
    if isinstance(error, dict):
        word, text = error.get("code") or error.get("type"), error.get("message")
    else:
        word, text = error, document.get("error_description")
    said = Said(
        word if isinstance(word, str) else "",
        text if isinstance(text, str) else "",
    )
    return said if said.whole else None


def decoded(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; an empty one if there is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def refused(said: Said, words: Mapping[str, str], secrets: Iterable[str] = ()) -> Refusal:
    """Explain what Stripe said; `words` fill the placeholders, `secrets` are never repeated."""
    rule = next((rule for rule in RULES if _fits(rule, said)), UNKNOWN)
    filled = {**words, "said": one_line(said.whole, secrets=secrets)}
    return Refusal(rule.kind, rule.line.format_map(filled), rule.advice.format_map(filled))


def _fits(rule: Rule, said: Said) -> bool:
    return rule.word in {"", said.word} and rule.text in said.text.casefold()


def lost(reason: str) -> Refusal:
    """Say that an exchange was sent and how it ended is not known.

    Asking again with the same code would cut the connection if the first request arrived.
    """
    return Refusal(
        Kind.FAILED,
        f"Stripe may have connected the account, but its answer was lost: {reason}",
        AGAIN,
    )


def one_line(text: str, *, most: int = LONGEST, secrets: Iterable[str] = ()) -> str:
    """Return text of others for a terminal: without secrets, controls and reordering of letters."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "…")
    visible = "".join(
        " " if unicodedata.category(letter) in {"Cc", "Zl", "Zp"} else letter
        for letter in text
        if unicodedata.category(letter) not in {"Cf", "Cs", "Co", "Cn"}
    )
    line = redact(visible)
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
