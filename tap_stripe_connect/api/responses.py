"""Stripe's answers: whole ones are read, refusals become failures that say what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

from tap_stripe_connect.api.errors import ErrorAction, StripeError, rule_for
from tap_stripe_connect.api.matching import window
from tap_stripe_connect.api.nesting import decode as _decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests


@dataclass(frozen=True)
class ApiResponse:
    """What came back from one request."""

    document: dict[str, Any]
    size: int
    """Bytes of the body, decompressed."""


@dataclass(frozen=True)
class ListPage:
    """One page of a list."""

    rows: list[dict[str, Any]]
    has_more: bool
    size: int


@dataclass(frozen=True)
class ApiRequest:
    """One thing to ask for, however many requests it takes, and what its answer has to be."""

    path: str
    parameters: Mapping[str, str]
    account: str | None
    """The account to act on, as the header names it; None is the key's own."""
    route: str
    """The path without ids; what Stripe limits as one endpoint."""
    objects: frozenset[str] = frozenset()
    """What the object, or the rows of a list, may be; empty for anything."""
    id: str = ""
    """The object's id, where it is known."""
    parent: str = ""
    """The id in the path of a nested list."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What each row of a list has to say, where it says anything of it."""

    @cached_property
    def created(self) -> tuple[int, int]:
        """The creation times that the rows of a list may have, half-open, in unix seconds."""
        return window(self.parameters)

    def failure(self, message: str, action: ErrorAction, **told: Any) -> StripeError:  # noqa: ANN401
        """Return the error that says what went wrong with this question."""
        return StripeError(message, action=action, path=self.path, account=self.account, **told)


def route(path: str, parent: str) -> str:
    """Return the path of a nested list with `{id}` in the place of its parent's id."""
    steps = path.split("/")
    return "/".join("{id}" if step and unquote(step) == parent else step for step in steps)


def read(response: requests.Response) -> ApiResponse:
    """Decode an answer; ValueError if it is no JSON, as where it was cut off (C4)."""
    body = response.content
    try:
        document = _decode(body)
    except msgspec.DecodeError:
        document = _mended(body)
    return ApiResponse(document, len(body))


def _mended(body: bytes) -> object:
    """Decode what has halves of surrogate pairs in its texts, each replaced by U+FFFD."""
    text = json.dumps(json.loads(body), ensure_ascii=False)
    return _decode(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def error_in(response: requests.Response) -> dict[str, Any] | None:
    """Return what an error of Stripe's says; None where the answer is no such error."""
    try:
        error = json.loads(response.content)["error"]
        told = isinstance(error, dict) and isinstance(error.get("message") or "", str)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return error if told else None


def refusal(
    response: requests.Response, error: Mapping[str, Any], question: ApiRequest
) -> tuple[StripeError, bool]:
    """Return the failure that an error of Stripe's is, and whether to try again."""
    message, code = str(error.get("message") or ""), str(error.get("code") or "")
    rule = rule_for(response.status_code, code, message, question.path)
    wish = response.headers.get("Stripe-Should-Retry", "")
    retry = {"true": True, "false": False}.get(wish, rule.action is ErrorAction.RETRY)
    # What Stripe says not to retry is not asked for in smaller pages either (C3).
    final = rule.action is ErrorAction.RETRY and not retry
    failure = question.failure(
        message or f"Stripe answered with HTTP status {response.status_code}",
        ErrorAction.FAIL_STREAM if final else rule.action,
        status=response.status_code,
        code=code,
        request_id=response.headers.get("Request-Id", ""),
        advice=rule.advice,
        retry_after=retry_after(response),
        limit=response.headers.get("Stripe-Rate-Limited-Reason", ""),
    )
    return failure, retry


def retry_after(response: requests.Response) -> float:
    """Read a `Retry-After` in seconds; at most a minute, 0 where there is none."""
    header = response.headers.get("Retry-After")
    return min(float(header), 60.0) if header and header.isdigit() else 0.0
