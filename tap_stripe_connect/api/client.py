"""One GET to Stripe: headers, a session per thread, retries, and answers that are whole."""

from __future__ import annotations

import logging
import random
import threading
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests import codes

from tap_stripe_connect.api import answers
from tap_stripe_connect.api.answers import Answer, Listing, Question
from tap_stripe_connect.api.errors import StripeError, Verdict, says_no_cursor
from tap_stripe_connect.api.keys import is_organisations
from tap_stripe_connect.api.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_stripe_connect.api.limits import Limiter

logger = logging.getLogger(__name__)

PAGE_SIZE = 100
"""Rows per list request; the most that Stripe gives."""


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
    outage = 300.0
    """Seconds without any good answer after which a failure ends the run, not only its list."""
    clock = staticmethod(time.monotonic)

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
        self._account_header = "Stripe-Context" if is_organisations(api_key) else "Stripe-Account"
        self._reached = False
        self._failing_since: float | None = None
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

        `account` is the account to act on, for an organisation's key perhaps
        `platform/connected`; None is the key's own. `route` is the path with `{id}` in it.
        """
        question = Question(path, parameters or {}, account, route or path)
        return self._ask(question, answers.check_object, self.attempts)

    def page(
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        account: str | None = None,
        tries: int | None = None,
        route: str = "",
    ) -> Listing:
        """Return a page of the list at `path`, or raise StripeError after so many tries.

        `route` is the path with `{id}` in it.
        """
        given = {"limit": str(PAGE_SIZE), **(parameters or {})}
        question = Question(path, given, account, route or path)
        answer = self._ask(question, answers.check_list, tries or self.attempts)
        document = answer.document
        return Listing(document["data"], document["has_more"], answer.size)

    def unused(self, route: str, most: int = 0) -> int:
        """Return how many requests the budget let nobody send of late; `most` are made up for."""
        return self._limiter.unused(route, most)

    def all_rows(
        self, url: str, account: str | None = None, parent: str = ""
    ) -> tuple[list[dict[str, Any]], int]:
        """Return all rows of the list that a nested list's `url` points at, and their bytes.

        `parent` is the id of the object that the list is in.
        """
        target = urlsplit(url)
        route = "/".join("{id}" if step == parent else step for step in target.path.split("/"))
        parameters = dict(parse_qsl(target.query))
        rows: list[dict[str, Any]] = []
        size = 0
        while True:
            try:
                page = self.page(target.path, parameters, account, route=route)
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
                    answer = answers.read(response, check)
                    self._failing_since = None
                    return answer
                failure, retry = answers.refusal(response, question)
            except (OSError, ValueError) as error:
                failure, retry = self._lost(error, question), True
            self._note(failure)
            if failure.status == codes.too_many_requests:
                refusals += 1
            else:
                failures += 1
            # Where nothing has ever answered the address is wrong; two tries tell.
            enough = tries if self._reached else min(tries, 2)
            if not retry or failures >= enough or refusals >= self.patience:
                final = tries >= self.attempts or refusals >= self.patience
                raise self._judged(failure, question) if final else failure
            self._pause(question, failures + refusals, failure)

    def _note(self, failure: StripeError) -> None:
        """Remember since when nothing has been answered, and tell of limits that are reached."""
        if failure.limit and self.tally.limited(failure.limit):
            logger.info(
                "Stripe refuses requests for speed (%s); they are sent again later", failure.limit
            )
        if failure.verdict is not Verdict.RETRY:
            # Whoever refuses is there.
            self._failing_since = None
        elif self._failing_since is None:
            self._failing_since = self.clock()

    def _judged(self, failure: StripeError, question: Question) -> StripeError:
        """Return a final failure; one that ends the run if nobody has been answered for long.

        Else each list of each account would find out for itself, for hours.
        """
        since = self._failing_since
        silence = self.clock() - since if since is not None else 0.0
        if failure.verdict is not Verdict.RETRY or silence < self.outage:
            return failure
        return question.failure(
            f"No request has been answered well for {silence / 60:.0f} minutes, the last one: "
            f"{failure.message}",
            Verdict.STOP,
            status=failure.status,
            code=failure.code,
            request_id=failure.request_id,
            advice="Stripe or the network has trouble; run again later, nothing is lost",
        )

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
            headers={self._account_header: question.account} if question.account else None,
            timeout=self.timeout,
            allow_redirects=False,
        )
        self._reached = True
        if self.server_time is None:
            self.server_time = answers.server_time(response)
        return response

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request

    def _pause(self, question: Question, attempt: int, failure: StripeError) -> None:
        """Wait longer after each attempt; a refusal for speed makes all threads wait."""
        seconds = min(self.backoff * 2 ** (attempt - 1), 30) * random.uniform(0.5, 1)  # noqa: S311
        if failure.status == codes.too_many_requests and failure.code != "lock_timeout":
            seconds = max(seconds, failure.retry_after)
            self._limiter.refused(question.route, failure.limit, seconds)
        self.tally.retried(question.account, question.route, seconds)
        self._sleep(seconds)

    def _sleep(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise Interrupted

    def _lost(self, error: Exception, question: Question) -> StripeError:
        if not self._reached:
            return question.failure(
                f"Stripe cannot be reached at {self._url}: {answers.plain(error)}",
                Verdict.STOP,
                advice="check api_url and the network",
            )
        damaged = not isinstance(error, OSError)
        reason = "the answer is damaged" if damaged else answers.plain(error)
        return question.failure(
            f"Stripe's answer was lost: {reason}",
            Verdict.RETRY,
            advice="run again; nothing is lost",
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
