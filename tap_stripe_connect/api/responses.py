"""Requests to Stripe and their responses: decodes documents, and turns errors into StripeError."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

from tap_stripe_connect.api import nesting
from tap_stripe_connect.api.errors import ErrorAction, StripeError, rule_for
from tap_stripe_connect.api.matching import created_range

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests


@dataclass(frozen=True)
class ApiResponse:
    """The decoded response to a request."""

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
    """What to request, and what a matching response must look like."""

    path: str
    parameters: Mapping[str, str]
    account: str | None
    """The account to act on, as the request header names it; None for the key's own."""
    route: str
    """The path without ids, which Stripe rate-limits as one endpoint."""
    objects: frozenset[str] = frozenset()
    """Allowed values of `object`, for the document or for the rows of a list; empty for any."""
    id: str = ""
    """The object's id, if it is known."""
    parent: str = ""
    """The parent's id in the path of a nested list."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Values that these fields must have in each row that has them."""

    @cached_property
    def created(self) -> tuple[int, int]:
        """Range of `created` that the rows must be in, half-open, in unix seconds."""
        return created_range(self.parameters)

    def failure(self, message: str, action: ErrorAction, **details: Any) -> StripeError:  # noqa: ANN401
        """Return an error about this request."""
        return StripeError(message, action=action, path=self.path, account=self.account, **details)


def route(path: str, parent: str) -> str:
    """Return the path of a nested list with its parent's id replaced by `{id}`."""
    steps = path.split("/")
    return "/".join("{id}" if step and unquote(step) == parent else step for step in steps)


def read(response: requests.Response) -> ApiResponse:
    """Decode a response; raises ValueError if it is not JSON, for example because it is cut off."""
    body = response.content
    try:
        document = nesting.decode(body)
    except msgspec.DecodeError:
        document = _replace_lone_surrogates(body)
    return ApiResponse(document, len(body))


def _replace_lone_surrogates(body: bytes) -> object:
    """Decode JSON that has unpaired surrogates in its strings, and replace each by U+FFFD."""
    text = json.dumps(json.loads(body), ensure_ascii=False)
    return nesting.decode(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def error_in(response: requests.Response) -> dict[str, Any] | None:
    """Return the `error` object of a response, or None if it is not one of Stripe's errors."""
    try:
        error = json.loads(response.content)["error"]
        is_stripes = isinstance(error, dict) and isinstance(error.get("message") or "", str)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return error if is_stripes else None


def error_from(
    response: requests.Response, error: Mapping[str, Any], request: ApiRequest
) -> tuple[StripeError, bool]:
    """Return one of Stripe's errors as a StripeError, and whether to retry."""
    message, code = str(error.get("message") or ""), str(error.get("code") or "")
    rule = rule_for(response.status_code, code, message, request.path)
    should_retry = response.headers.get("Stripe-Should-Retry", "")
    retry = {"true": True, "false": False}.get(should_retry, rule.action is ErrorAction.RETRY)
    # If Stripe says not to retry, smaller pages are not tried either.
    final = rule.action is ErrorAction.RETRY and not retry
    failure = request.failure(
        message or f"Stripe responded with HTTP status {response.status_code}",
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
    """Return `Retry-After` in seconds, at most a minute; 0 if there is none."""
    header = response.headers.get("Retry-After")
    return min(float(header), 60.0) if header and header.isdigit() else 0.0
