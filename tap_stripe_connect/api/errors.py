"""Stripe's errors: a table that maps each error to an action, and the error that users see."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from requests import codes


class ErrorAction(Enum):
    """What to do after an error."""

    RETRY = "retry"
    SKIP_STREAM = "skip stream"
    """The key lacks the permission; everything else continues."""
    NOT_ENABLED = "not enabled"
    """The account does not use this Stripe product and has no rows; everything else continues."""
    SKIP_ACCOUNT = "skip account"
    """Nothing in this account can be read; other accounts continue."""
    FAIL_STREAM = "fail stream"
    """Stripe rejects the request; everything else continues, and the run exits non-zero."""
    STOP = "stop"
    """No request with this configuration can succeed."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A row of the error table; the first one that matches a response applies."""

    status: range
    action: ErrorAction
    code: str = ""
    text: str = ""
    """Part of Stripe's message."""
    path: str = ""
    """Prefix of the request path."""
    advice: str = ""
    """What users can do."""


def _status(status: int) -> range:
    return range(status, status + 1)


# Stripe has no error codes for these, so the message decides, and only under the product's path.
_NOT_ENABLED = tuple(
    Rule(
        status=_status(400),
        text=text,
        path=path,
        action=ErrorAction.NOT_ENABLED,
        advice="the account does not use this product; deselect the stream to hide this message",
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
        advice="check api_key: it must be a valid key, copied completely",
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
        advice="the key is limited to certain IP addresses; allow this one or use another key",
    ),
    Rule(
        status=range(400, 404),
        text="Only Stripe Connect platforms",
        action=ErrorAction.STOP,
        advice="the key does not belong to a Connect platform; remove account_ids and "
        "all_connected_accounts",
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
        advice="Stripe has a problem; run again later, nothing is lost",
    ),
    Rule(status=range(300, 400), action=ErrorAction.STOP, advice="check api_url: it redirects"),
    Rule(
        status=range(300, 500),
        action=ErrorAction.FAIL_STREAM,
        advice="report this with the request id",
    ),
)


def rule_for(status: int, code: str, message: str, path: str = "") -> Rule:
    """Return the first row that matches a response."""
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
    """A request that failed after all retries."""

    def __init__(  # noqa: PLR0913 - an error line shows all of these
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
        """Seconds that Stripe asked to wait; 0 if it did not say."""
        self.limit = limit
        """Which of Stripe's rate limits was reached, such as `endpoint-rate`."""

    def __str__(self) -> str:
        """Return one line that says what happened, where, and what to do next."""
        advice = f" - {redact(self.advice)}" if self.advice else ""
        return f"{self.without_advice}{advice}"

    @property
    def without_advice(self) -> str:
        """What happened and where, on one line."""
        details = {
            "status": self.status,
            "code": self.code,
            "limit": self.limit,
            "account": self.account,
            "request id": self.request_id,
        }
        where = ", ".join(
            [f"GET {self.path}", *(f"{name} {value}" for name, value in details.items() if value)]
        )
        return redact(f"{self.message} [{where}]")


def redact(text: str) -> str:
    """Return `text` on one line, with keys, tokens and authorization codes hidden."""
    hidden = re.sub(r"\b((?:sk|rk|pk|ac|rt|whsec)_)[\w*]{4,}", r"\1…", text)
    return " ".join(hidden.split())


def says_missing(error: StripeError, id_: str) -> bool:
    """Return whether Stripe says that the object with this id does not exist, and not another."""
    if error.code != "resource_missing":
        return False
    in_path = error.status == codes.not_found and id_ in map(unquote, error.path.split("/"))
    pattern = re.escape(" ".join(id_.split()))
    return in_path or bool(re.search(rf"(?<!\w){pattern}(?!\w)", error.message))


def says_no_cursor(error: StripeError) -> bool:
    """Return whether Stripe no longer has the object that a page ended with."""
    return error.code == "resource_missing" or "aged out of our retention" in error.message


def missing_permission(message: str) -> str:
    """Return the permission that Stripe's message names, or an empty string."""
    match = re.search(r"rak_\w+", message)
    return match[0] if match else ""


def account_in(message: str) -> str:
    """Return the account that Stripe's message names, or an empty string."""
    match = re.search(r"\bacct_\w+", message)
    return match[0] if match else ""
