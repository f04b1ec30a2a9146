"""What Stripe's errors mean to a reader, as a table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from requests import codes


class ErrorAction(Enum):
    """What to do after an answer that is not the one hoped for."""

    RETRY = "retry"
    SKIP_STREAM = "skip stream"
    """The key may not read this; all else goes on."""
    NOT_ENABLED = "not enabled"
    """The account does not use this product of Stripe's, so it has no rows; all else goes on."""
    SKIP_ACCOUNT = "skip account"
    """Nothing of this account can be read; other accounts go on."""
    FAIL_STREAM = "fail stream"
    """Stripe refuses the request itself; all else goes on, the run ends non-zero."""
    STOP = "stop"
    """No request with this configuration can succeed."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A row of the table; the first one that fits an answer decides."""

    status: range
    action: ErrorAction
    code: str = ""
    text: str = ""
    """A piece of Stripe's message."""
    path: str = ""
    """Where the path begins that the row is for."""
    advice: str = ""
    """What users can do about it."""


def _status(status: int) -> range:
    return range(status, status + 1)


# Stripe has no code for these: its text counts, and only where the product lives (C8).
_NOT_ENABLED = tuple(
    Rule(
        status=_status(400),
        text=text,
        path=path,
        action=ErrorAction.NOT_ENABLED,
        advice="the account does not use this product; deselect the stream to be told no more",
    )
    for text, path in (
        ("not set up to use Issuing", "/v1/issuing/"),
        ("not set up to use Identity", "/v1/identity/"),
        ("Have you onboarded to Treasury", "/v1/treasury/"),
        ("only available in testmode", "/v1/test_helpers/"),
        ("Accounts v2 is not enabled", "/v2/core/accounts"),
        ("API surface is not enabled", "/v2/"),
    )
)

RULES = (
    *_NOT_ENABLED,
    Rule(
        status=_status(401),
        text="Invalid API Key",
        action=ErrorAction.STOP,
        advice="check api_key: it must be a current key, pasted whole",
    ),
    Rule(
        status=_status(401),
        text="xpired",
        action=ErrorAction.STOP,
        advice="api_key has expired; create a new key in Stripe's Dashboard",
    ),
    Rule(
        status=_status(401),
        text="required permissions",
        action=ErrorAction.SKIP_STREAM,
        advice="add the permission to the key, or deselect the stream",
    ),
    Rule(
        status=_status(401),
        action=ErrorAction.STOP,
        advice="check api_key: Stripe does not accept it",
    ),
    Rule(
        status=range(400, 404),
        code="secret_key_required",
        action=ErrorAction.STOP,
        advice="api_key is a publishable key; use a restricted (rk_…) or secret (sk_…) key",
    ),
    Rule(
        status=_status(403),
        text="IP address",
        action=ErrorAction.STOP,
        advice="the key may be used from certain addresses only; allow this one or use another key",
    ),
    Rule(
        status=range(400, 404),
        text="Only Stripe Connect platforms",
        action=ErrorAction.STOP,
        advice="the key belongs to no platform; remove account_ids and all_connected_accounts",
    ),
    Rule(
        status=range(400, 405),
        code="account_invalid",
        action=ErrorAction.SKIP_ACCOUNT,
        advice="remove it from account_ids, connect the account again, or use the key of the mode "
        "(live or test) that it is connected in",
    ),
    Rule(
        status=_status(403),
        text="does not have access to account",
        action=ErrorAction.SKIP_ACCOUNT,
        advice="remove it from account_ids, connect the account again, or use the key of the mode "
        "(live or test) that it is connected in",
    ),
    Rule(
        status=_status(403),
        action=ErrorAction.SKIP_STREAM,
        advice="add the permission to the key, or deselect the stream",
    ),
    Rule(status=_status(400), code="rate_limit", action=ErrorAction.RETRY),
    Rule(status=_status(409), action=ErrorAction.RETRY),
    Rule(status=_status(429), action=ErrorAction.RETRY),
    Rule(
        status=range(500, 600),
        action=ErrorAction.RETRY,
        advice="Stripe has trouble; run again later, nothing is lost",
    ),
    Rule(status=range(300, 400), action=ErrorAction.STOP, advice="check api_url: it redirects"),
    Rule(
        status=range(300, 500),
        action=ErrorAction.FAIL_STREAM,
        advice="report it with the request id",
    ),
)


def rule_for(status: int, code: str, message: str, path: str = "") -> Rule:
    """Return the row that fits an answer."""
    for rule in RULES:
        if (
            status in rule.status
            and rule.code in {"", code}
            and rule.text in message
            and path.startswith(rule.path)
        ):
            return rule
    raise ValueError(f"no rule for HTTP status {status}")


class StripeError(Exception):
    """A request that did not give what was asked for, after all retries."""

    def __init__(  # noqa: PLR0913 - an error line names all of these (G8)
        self,
        message: str,
        *,
        action: ErrorAction,
        path: str,
        account: str | None = None,
        status: int | None = None,
        code: str = "",
        request_id: str = "",
        advice: str = "",
        retry_after: float = 0.0,
        limit: str = "",
    ) -> None:
        """Keep what a user or Stripe's support will ask for."""
        self.message = redact(message)
        super().__init__(self.message)
        self.action = action
        self.path = path
        self.account = account
        self.status = status
        self.code = code
        self.request_id = request_id
        self.advice = advice
        self.retry_after = retry_after
        """Seconds that Stripe asked to wait; 0 where it did not say."""
        self.limit = limit
        """Which of Stripe's limits on speed refused the request, such as `endpoint-rate`."""

    def __str__(self) -> str:
        """Return one line: what happened, where, and what to do next."""
        advice = f" - {redact(self.advice)}" if self.advice else ""
        return f"{self.without_advice}{advice}"

    @property
    def without_advice(self) -> str:
        """What happened and where, on one line."""
        told = {
            "status": self.status,
            "code": self.code,
            "limit": self.limit,
            "account": self.account,
            "request id": self.request_id,
        }
        where = ", ".join(
            [f"GET {self.path}", *(f"{name} {value}" for name, value in told.items() if value)]
        )
        return redact(f"{self.message} [{where}]")


def redact(text: str) -> str:
    """Return `text` on one line and without keys, tokens and codes."""
    hidden = re.sub(r"\b((?:sk|rk|pk|ac|rt|whsec)_)[\w*]{4,}", r"\1…", text)
    return " ".join(hidden.split())


def says_missing(error: StripeError, name: str) -> bool:
    """Tell whether Stripe says that the object `name` does not exist, and not another one (C9)."""
    if error.code != "resource_missing":
        return False
    in_path = error.status == codes.not_found and name in map(unquote, error.path.split("/"))
    told = re.escape(" ".join(name.split()))
    return in_path or bool(re.search(rf"(?<!\w){told}(?!\w)", error.message))


def says_no_cursor(error: StripeError) -> bool:
    """Tell whether Stripe no longer has the object that a page ended with (C10)."""
    return error.code == "resource_missing" or "aged out of our retention" in error.message


def missing_permission(message: str) -> str:
    """Return the name of the permission that Stripe's message asks for, or nothing."""
    found = re.search(r"rak_\w+", message)
    return found[0] if found else ""


def account_in(message: str) -> str:
    """Return the account that Stripe's message speaks of, or nothing."""
    found = re.search(r"\bacct_\w+", message)
    return found[0] if found else ""
