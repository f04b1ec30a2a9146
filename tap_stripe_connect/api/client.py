"""One GET to Stripe: headers, a session per thread, retries, and answers that are whole."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import requests

from tap_stripe_connect.api.errors import StripeError, Verdict, redact, rule_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_stripe_connect.api.limits import Limiter

PAGE_SIZE = 100
"""Rows per list request; the most that Stripe gives."""

_decode = msgspec.json.Decoder().decode


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


class Interrupted(Exception):  # noqa: N818 - a request to stop, not an error
    """The run was asked to stop while a request waited for its turn."""


class Client:
    """Reads from Stripe, from any number of threads, within one request budget."""

    attempts = 6
    """How often a request is sent before its failure counts."""
    timeout = (10.0, 80.0)
    """Seconds to wait for a connection and for each piece of an answer."""
    backoff = 0.5
    """Seconds before the second attempt; doubled for each one after it, up to 30."""

    def __init__(
        self,
        *,
        url: str,
        api_key: str,
        api_version: str,
        limiter: Limiter,
        stopping: threading.Event,
    ) -> None:
        """Prepare for requests to `url`; waiting ends with Interrupted once `stopping` is set."""
        self._url = url
        self._limiter = limiter
        self._stopping = stopping
        self._threads = threading.local()
        self._api_key = api_key
        self._reached = False
        self._headers = {
            "Stripe-Version": api_version,
            "User-Agent": f"tap-stripe-connect/{version('tap-stripe-connect')}",
            "Accept": "application/json",
        }
        self.requests_sent = 0
        self.server_time: int | None = None
        """Stripe's clock at its first answer, in unix seconds."""

    def get(
        self, path: str, parameters: Mapping[str, str] | None = None, account: str | None = None
    ) -> Answer:
        """Return the document at `path`, or raise StripeError.

        `account` is the connected account to act on; None is the key's own.
        """
        return self._ask(path, parameters or {}, account, _check_object)

    def page(
        self, path: str, parameters: Mapping[str, str] | None = None, account: str | None = None
    ) -> Listing:
        """Return a page of the list at `path`, or raise StripeError."""
        answer = self._ask(
            path, {"limit": str(PAGE_SIZE), **(parameters or {})}, account, _check_list
        )
        document = answer.document
        return Listing(document["data"], document["has_more"], answer.size)

    def all_rows(self, url: str, account: str | None = None) -> list[dict[str, Any]]:
        """Return all rows of the list that a nested list's `url` points at."""
        target = urlsplit(url)
        parameters = dict(parse_qsl(target.query))
        rows: list[dict[str, Any]] = []
        while True:
            page = self.page(target.path, parameters, account)
            rows += page.rows
            if not page.has_more:
                return rows
            check_progress(page, parameters.get("starting_after"), target.path, account)
            parameters["starting_after"] = page.rows[-1]["id"]

    def _ask(
        self,
        path: str,
        parameters: Mapping[str, str],
        account: str | None,
        check: Callable[[Any], None],
    ) -> Answer:
        """Send a request until its answer is whole, is final, or attempts are used up."""
        endpoint = re.sub(r"/[a-z]+_\w+", "/{id}", path)
        failure: StripeError | None = None
        for attempt in range(self.attempts):
            if failure:
                self._pause(attempt, failure)
            self._limiter.wait(endpoint, self._sleep)
            if self._stopping.is_set():
                raise Interrupted
            try:
                response = self._send(path, parameters, account)
                if response.status_code == requests.codes.ok:
                    return _read(response, check)
                failure, retry = _refusal(response, path, account)
            except (OSError, ValueError) as error:
                failure, retry = self._lost(error, path, account), True
                if not self._reached and attempt:
                    break  # Nothing has ever answered there: the address is wrong.
            if not retry:
                break
        assert failure  # noqa: S101 - every way out of the loop but an answer sets it
        raise failure

    def _send(
        self, path: str, parameters: Mapping[str, str], account: str | None
    ) -> requests.Response:
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = requests.Session()
            session.headers.update(self._headers)
            # A callable, because requests lets ~/.netrc override a header.
            session.auth = self._authorize
        self.requests_sent += 1
        response = session.get(
            self._url + path,
            params=parameters,
            headers={"Stripe-Account": account} if account else None,
            timeout=self.timeout,
            allow_redirects=False,
        )
        self._reached = True
        if self.server_time is None:
            self.server_time = _server_time(response)
        return response

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request

    def _pause(self, attempt: int, failure: StripeError) -> None:
        """Wait longer after each attempt; a refusal for speed makes all threads wait."""
        seconds = min(self.backoff * 2 ** (attempt - 1), 30) * random.uniform(0.5, 1)  # noqa: S311
        if failure.status == requests.codes.too_many_requests:
            self._limiter.hold(seconds)
        else:
            self._sleep(seconds)

    def _sleep(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise Interrupted

    def _lost(self, error: Exception, path: str, account: str | None) -> StripeError:
        damaged = not isinstance(error, OSError)
        reason = "the answer is damaged" if damaged else _plain(error)
        if self._reached:
            message, advice = f"Stripe's answer was lost: {reason}", "run again; nothing is lost"
        else:
            message = f"Stripe cannot be reached at {self._url}: {reason}"
            advice = "check api_url and the network"
        verdict = Verdict.RETRY if self._reached else Verdict.STOP
        return StripeError(message, verdict=verdict, path=path, account=account, advice=advice)


def check_progress(page: Listing, cursor: str | None, path: str, account: str | None) -> None:
    """Raise StripeError if following `has_more` from this page would go on for ever (C12)."""
    if not page.rows or page.rows[-1].get("id") in {None, cursor}:
        raise StripeError(
            "the list says that it goes on but gives no further row",
            verdict=Verdict.FAIL_STREAM,
            path=path,
            account=account,
            advice="run again later; report it if it stays",
        )


def _read(response: requests.Response, check: Callable[[Any], None]) -> Answer:
    """Decode an answer and check its shape; ValueError if it is not whole (C4)."""
    body = response.content
    document = _decode(body)
    check(document)
    return Answer(document, len(body))


def _server_time(response: requests.Response) -> int:
    """Read the clock in an answer's head; this machine's where there is none."""
    try:
        return int(parsedate_to_datetime(response.headers["Date"]).timestamp())
    except (KeyError, ValueError):
        return int(time.time())


def _check_object(document: object) -> None:
    if not isinstance(document, dict):
        raise ValueError("not an object")  # noqa: TRY004 - handled like every damaged answer


def _check_list(document: object) -> None:
    """Accept nothing but Stripe's list envelope."""
    whole = (
        isinstance(document, dict)
        and isinstance(document.get("data"), list)
        and isinstance(document.get("has_more"), bool)
        and all(isinstance(row, dict) for row in document["data"])
    )
    if not whole:
        raise ValueError("not a list")


def _refusal(
    response: requests.Response, path: str, account: str | None
) -> tuple[StripeError, bool]:
    """Read an error answer, and whether it is worth another attempt."""
    try:
        error = json.loads(response.content)["error"]
        message, code = str(error.get("message") or ""), str(error.get("code") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        message, code = "", ""
    rule = rule_for(response.status_code, code, message)
    failure = StripeError(
        message or f"Stripe answered with HTTP status {response.status_code}",
        verdict=rule.verdict,
        path=path,
        account=account,
        status=response.status_code,
        code=code,
        request_id=response.headers.get("Request-Id", ""),
        advice=rule.advice,
    )
    wish = response.headers.get("Stripe-Should-Retry", "")
    return failure, {"true": True, "false": False}.get(wish, rule.verdict is Verdict.RETRY)


def _plain(error: BaseException) -> str:
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
    return re.sub(r"^<.*?>:? ?", "", text)[:200]
