"""Stripe's answers: whole ones are read, refusals become failures that say what to do."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import msgspec

from tap_stripe_connect.api.errors import StripeError, Verdict, redact, rule_for
from tap_stripe_connect.api.nesting import decode as _decode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests


@dataclass(frozen=True)
class Answer:
    """What came back from one request."""

    document: dict[str, Any]
    size: int
    """Bytes of the body, decompressed."""


@dataclass(frozen=True)
class Listing:
    """One page of a list."""

    rows: list[dict[str, Any]]
    has_more: bool
    size: int


@dataclass(frozen=True)
class Question:
    """One thing to ask for, however many requests it takes."""

    path: str
    parameters: Mapping[str, str]
    account: str | None
    """The account to act on, as the header names it; None is the key's own."""
    route: str
    """The path without ids; what Stripe limits as one endpoint."""

    def failure(self, message: str, verdict: Verdict, **told: Any) -> StripeError:  # noqa: ANN401
        """Return the error that says what went wrong with this question."""
        return StripeError(message, verdict=verdict, path=self.path, account=self.account, **told)


def read(response: requests.Response, check: Callable[[Any], None]) -> Answer:
    """Decode an answer and check its shape; ValueError if it is not whole (C4)."""
    body = response.content
    try:
        document = _decode(body)
    except msgspec.DecodeError:
        document = _mended(body)
    check(document)
    return Answer(document, len(body))


def _mended(body: bytes) -> object:
    """Decode what has halves of surrogate pairs in its texts, each replaced by U+FFFD."""
    text = json.dumps(json.loads(body), ensure_ascii=False)
    return _decode(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def check_object(document: object) -> None:
    """Accept nothing but an object of Stripe's; ValueError."""
    if not isinstance(document, dict) or not isinstance(document.get("id"), str):
        raise ValueError("not an object")  # noqa: TRY004 - handled like every damaged answer


def check_list(document: object) -> None:
    """Accept nothing but Stripe's list envelope; ValueError."""
    whole = (
        isinstance(document, dict)
        and isinstance(document.get("data"), list)
        and isinstance(document.get("has_more"), bool)
        and all(isinstance(row, dict) for row in document["data"])
    )
    if not whole:
        raise ValueError("not a list")


def server_time(response: requests.Response) -> int:
    """Read the clock in an answer's head; this machine's where there is none."""
    try:
        return int(parsedate_to_datetime(response.headers["Date"]).timestamp())
    except (KeyError, ValueError):
        return int(time.time())


def refusal(response: requests.Response, question: Question) -> tuple[StripeError, bool]:
    """Read an error answer, and whether it is worth another attempt."""
    try:
        error = json.loads(response.content)["error"]
        message, code = str(error.get("message") or ""), str(error.get("code") or "")
        whole = True
    except (ValueError, KeyError, TypeError, AttributeError):
        message, code, whole = "", "", False
    rule = rule_for(response.status_code, code, message, question.path)
    wish = response.headers.get("Stripe-Should-Retry", "")
    # A refusal that was cut off on its way does not say why.
    retry = {"true": True, "false": False}.get(wish, rule.verdict is Verdict.RETRY or not whole)
    # What Stripe says not to retry is not asked for in smaller pages either (C3).
    final = rule.verdict is Verdict.RETRY and not retry
    failure = question.failure(
        message or f"Stripe answered with HTTP status {response.status_code}",
        Verdict.FAIL_STREAM if final else rule.verdict,
        status=response.status_code,
        code=code,
        request_id=response.headers.get("Request-Id", ""),
        advice=rule.advice,
        retry_after=_seconds(response.headers.get("Retry-After")),
        limit=response.headers.get("Stripe-Rate-Limited-Reason", ""),
    )
    return failure, retry


def _seconds(header: str | None) -> float:
    """Read a `Retry-After` in seconds; at most a minute, 0 where there is none."""
    return min(float(header), 60.0) if header and header.isdigit() else 0.0


def plain(error: BaseException) -> str:
    """Return the innermost reason of a network error, which libraries wrap several times."""
    reason: Any = error
    for _ in range(10):
        inner = getattr(reason, "reason", None) or next(
            (part for part in getattr(reason, "args", ()) if isinstance(part, BaseException)), None
        )
        if inner is None or isinstance(inner, str):
            break
        reason = inner
    text = redact(getattr(reason, "strerror", None) or str(reason) or type(reason).__name__)
    return re.sub(r"^(<.*?>|\w+\(.*?\)):? ?", "", text)[:200]
