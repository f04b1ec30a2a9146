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
from requests import codes

from tap_stripe_connect.api.errors import StripeError, Verdict, redact, rule_for, says_no_cursor
from tap_stripe_connect.api.tally import Tally

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


@dataclass(frozen=True)
class Question:
    """One thing to ask for, however many requests it takes."""

    path: str
    parameters: Mapping[str, str]
    account: str | None
    """The connected account to act on; None is the key's own."""
    route: str
    """The path without ids; what Stripe limits as one endpoint."""

    def failure(self, message: str, verdict: Verdict, **told: Any) -> StripeError:  # noqa: ANN401
        """Return the error that says what went wrong with this question."""
        return StripeError(message, verdict=verdict, path=self.path, account=self.account, **told)


class Interrupted(Exception):  # noqa: N818 - a request to stop, not an error
    """The run was asked to stop while a request waited for its turn."""


class Client:
    """Reads from Stripe, from any number of threads, within one request budget."""

    attempts = 8
    """How often a request is sent before its failure counts; about a minute of backoff."""
    patience = 12
    """How often Stripe may refuse a request for speed; some minutes, all in all."""
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
        self.tally = Tally()
        self._headers = {
            "Stripe-Version": api_version,
            "User-Agent": f"tap-stripe-connect/{version('tap-stripe-connect')}",
            "Accept": "application/json",
        }
        self.server_time: int | None = None
        """Stripe's clock at its first answer, in unix seconds."""

    def get(
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        account: str | None = None,
        route: str = "",
    ) -> Answer:
        """Return the document at `path`, or raise StripeError.

        `account` is the connected account to act on; None is the key's own. `route` is the
        path with `{id}` in it.
        """
        question = Question(path, parameters or {}, account, route or path)
        return self._ask(question, _check_object, self.attempts)

    def page(
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        account: str | None = None,
        tries: int | None = None,
    ) -> Listing:
        """Return a page of the list at `path`, or raise StripeError after so many tries."""
        route = re.sub(r"/[a-z]+_\w+/", "/{id}/", path)
        question = Question(path, {"limit": str(PAGE_SIZE), **(parameters or {})}, account, route)
        answer = self._ask(question, _check_list, tries or self.attempts)
        document = answer.document
        return Listing(document["data"], document["has_more"], answer.size)

    def could_send(self, route: str) -> bool:
        """Tell whether the budget would let one more request go out at once."""
        return self._limiter.idle(route)

    def all_rows(self, url: str, account: str | None = None) -> tuple[list[dict[str, Any]], int]:
        """Return all rows of the list that a nested list's `url` points at, and their bytes."""
        target = urlsplit(url)
        parameters = dict(parse_qsl(target.query))
        rows: list[dict[str, Any]] = []
        size = 0
        while True:
            try:
                page = self.page(target.path, parameters, account)
            except StripeError as error:
                # The row that the last page ended with is gone; begin again, without it (C10).
                if not parameters.pop("starting_after", None) or not says_no_cursor(error):
                    raise
                rows.clear()
                continue
            rows += page.rows
            size += page.size
            if not page.has_more:
                return rows, size
            check_progress(page, parameters.get("starting_after"), target.path, account)
            parameters["starting_after"] = page.rows[-1]["id"]

    def _ask(self, question: Question, check: Callable[[Any], None], tries: int) -> Answer:
        """Send a request until its answer is whole, is final, or the tries are used up.

        Refusals for speed are not tries: Stripe answers again once we are slower.
        """
        failures = refusals = 0
        while True:
            self._limiter.wait(question.route, self._sleep)
            try:
                response = self._send(question)
                if response.status_code == codes.ok:
                    return _read(response, check)
                failure, retry = _refusal(response, question)
            except (OSError, ValueError) as error:
                failure, retry = self._lost(error, question), True
            if failure.status == codes.too_many_requests:
                refusals += 1
            else:
                failures += 1
            # Where nothing has ever answered the address is wrong; two tries tell.
            enough = tries if self._reached else min(tries, 2)
            if not retry or failures >= enough or refusals >= self.patience:
                raise failure
            self._pause(question, failures + refusals, failure)

    def _send(self, question: Question) -> requests.Response:
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = requests.Session()
            session.headers.update(self._headers)
            # A callable, because requests lets ~/.netrc override a header.
            session.auth = self._authorize
        self.tally.sent(question.account, question.route)
        response = session.get(
            self._url + question.path,
            params=question.parameters,
            headers={"Stripe-Account": question.account} if question.account else None,
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

    def _pause(self, question: Question, attempt: int, failure: StripeError) -> None:
        """Wait longer after each attempt; a refusal for speed makes all threads wait."""
        seconds = min(self.backoff * 2 ** (attempt - 1), 30) * random.uniform(0.5, 1)  # noqa: S311
        if failure.status == codes.too_many_requests and failure.code != "lock_timeout":
            seconds = max(seconds, failure.retry_after)
            self._limiter.refused(question.route, failure.code, seconds)
        self.tally.retried(question.account, question.route, seconds)
        self._sleep(seconds)

    def _sleep(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise Interrupted

    def _lost(self, error: Exception, question: Question) -> StripeError:
        damaged = not isinstance(error, OSError)
        reason = "the answer is damaged" if damaged else _plain(error)
        if self._reached:
            return question.failure(
                f"Stripe's answer was lost: {reason}",
                Verdict.RETRY,
                advice="run again; nothing is lost",
            )
        return question.failure(
            f"Stripe cannot be reached at {self._url}: {reason}",
            Verdict.STOP,
            advice="check api_url and the network",
        )


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
    if not isinstance(document, dict) or not isinstance(document.get("id"), str):
        raise ValueError("not an object")  # noqa: TRY004 - handled like every damaged answer


def _check_list(document: object) -> None:
    """Accept nothing but Stripe's list envelope."""
    whole = (
        isinstance(document, dict)
        and isinstance(document.get("data"), list)
        and isinstance(document.get("has_more"), bool)
        and all(
            isinstance(row, dict) and type(row.get("created") or 0) is int
            for row in document["data"]
        )
    )
    if not whole:
        raise ValueError("not a list")


def _refusal(response: requests.Response, question: Question) -> tuple[StripeError, bool]:
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
    reason = response.headers.get("Stripe-Rate-Limited-Reason", "")
    failure = question.failure(
        message or f"Stripe answered with HTTP status {response.status_code}",
        Verdict.FAIL_STREAM if final else rule.verdict,
        status=response.status_code,
        code=code or reason,
        request_id=response.headers.get("Request-Id", ""),
        advice=rule.advice,
        retry_after=_seconds(response.headers.get("Retry-After")),
    )
    return failure, retry


def _seconds(header: str | None) -> float:
    """Read a `Retry-After` in seconds; at most a minute, 0 where there is none."""
    return min(float(header), 60.0) if header and header.isdigit() else 0.0


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
    return re.sub(r"^(<.*?>|\w+\(.*?\)):? ?", "", text)[:200]
