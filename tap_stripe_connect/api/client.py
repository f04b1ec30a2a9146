"""One GET to Stripe: headers, a session per thread, retries, and answers that are whole."""

from __future__ import annotations

import logging
import random
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from requests import codes

from tap_stripe_connect.api import matching, responses
from tap_stripe_connect.api.connections import Connections
from tap_stripe_connect.api.errors import ErrorAction, StripeError
from tap_stripe_connect.api.failures import MIXED_UP, Failure, Failures
from tap_stripe_connect.api.matching import Attempts, Matcher, MismatchError, OddityError
from tap_stripe_connect.api.not_stripe import LOGIN
from tap_stripe_connect.api.remarks import Remarks
from tap_stripe_connect.api.request_stats import RequestStats
from tap_stripe_connect.api.responses import ApiRequest, ApiResponse, ListPage
from tap_stripe_connect.catalog.endpoints import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import requests

    from tap_stripe_connect.api.rate_limit import Limiter

    Check = Callable[[object, ApiRequest], None]

logger = logging.getLogger(__name__)

LOOK = 0.1
"""Seconds after which a thread that waits for its turn looks whether to stop."""

QUICK = 2
"""Tries of a client that gives up soon, and need not say that it tries again."""

TOLD_ODDITIES = {"url", "account"}
"""What is told of answers that are odd in the same way always."""


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
    opening = 30.0
    """Seconds for which the first request is sent again, as long as Stripe has never answered."""
    clock = staticmethod(time.monotonic)
    wall_clock = staticmethod(time.time)
    """This machine's date, in unix seconds."""

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
        self._limiter = limiter
        self._stopping = stopping
        self._connections = Connections(url, api_key, api_version)
        self._failures = Failures(url)
        self._matcher = Matcher()
        self._doubting = threading.Lock()
        self._remarks = Remarks(url, self.wall_clock)
        self._failing_since: float | None = None
        self.tally = RequestStats()

    @property
    def server_time(self) -> int | None:
        """Stripe's clock at its first answer, in unix seconds; None where it told none."""
        return self._remarks.server_time

    def get(  # noqa: PLR0913 - what is asked for, and what the answer has to be
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        account: str | None = None,
        route: str = "",
        *,
        objects: Iterable[str] = (),
        name: str = "",
    ) -> ApiResponse:
        """Return the document at `path`, or raise StripeError.

        `account` is the account to act on, for an organisation's key perhaps
        `platform/connected`; None is the key's own. `route` is the path with `{id}` in it. An
        answer that is none of `objects`, or has another id than `name`, counts as lost.
        """
        question = ApiRequest(
            path, parameters or {}, account, route or path, objects=frozenset(objects), id=name
        )
        return self._ask(question, matching.check_object, self.attempts)

    def account(self, account: str | None = None) -> ApiResponse:
        """Return Stripe's description of an account; None is the key's own."""
        name = (account or "").rpartition("/")[2]
        return self.get("/v1/account", account=account, objects=("account",), name=name)

    def page(  # noqa: PLR0913 - what is asked for, and what the answer has to be
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        account: str | None = None,
        tries: int | None = None,
        *,
        parent: str = "",
        objects: Iterable[str] = (),
        fields: Mapping[str, str] | None = None,
    ) -> ListPage:
        """Return a page of the list at `path`, or raise StripeError after so many tries.

        `parent` is the id of the object that holds the list, if one does. A page with rows that
        are none of `objects`, were not created when the parameters ask for, or say otherwise than
        `fields`, counts as lost. One that goes on but leads nowhere is asked for once more.
        """
        route = responses.route(path, parent)
        question = ApiRequest(
            path,
            {"limit": str(PAGE_SIZE), **(parameters or {})},
            account,
            route,
            objects=frozenset(objects),
            parent=parent if route != path else "",
            fields=fields or {},
        )
        page = self._page(question, tries or self.attempts)
        if not _goes_on(page, question):
            self._connections.drop()
            page = self._page(question, tries or self.attempts)
        if not _goes_on(page, question):
            raise question.failure(
                "the list says that it goes on but gives no further row",
                ErrorAction.FAIL_STREAM,
                advice="run again later; report it if it stays",
            )
        return page

    def _page(self, question: ApiRequest, tries: int) -> ListPage:
        answer = self._ask(question, matching.check_page, tries)
        return ListPage(answer.document["data"], answer.document["has_more"], answer.size)

    def unused(self, route: str, most: int = 0) -> int:
        """Return how many requests the budget let nobody send of late; `most` are made up for."""
        return self._limiter.unused(route, most)

    def _ask(self, question: ApiRequest, check: Check, tries: int) -> ApiResponse:
        """Send a request until its answer is whole, is final, or the tries are used up.

        Refusals for speed are not tries: Stripe answers again once we are slower.
        """
        attempts = Attempts(self.clock())
        with ExitStack() as turn:
            while True:
                if self._matcher.doubts and not attempts.alone:
                    attempts.alone = True
                    turn.enter_context(self._alone())
                self._limiter.wait(question.route, self._sleep)
                found = self._try(question, check, attempts)
                if isinstance(found, ApiResponse):
                    return found
                if found:
                    self._failed(question, attempts, found, tries)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no other thread ask meanwhile, of those that doubt what they hear."""
        while not self._doubting.acquire(timeout=LOOK):
            if self._stopping.is_set():
                raise Interrupted
        try:
            yield
        finally:
            self._doubting.release()

    def _try(
        self, question: ApiRequest, check: Check, attempts: Attempts
    ) -> ApiResponse | Failure | None:
        """Send a request once; None if the answer has to come twice, and has come once.

        Whatever is odd about an answer ends its connection: what is left on it would be read as
        the answer to the next request.
        """
        try:
            self.tally.sent(question.account, question.route)
            response = self._connections.send(question, self.timeout)
        except (OSError, ValueError) as error:
            self._connections.drop()
            return self._failures.lost(error, question)
        found: ApiResponse | Failure | None
        try:
            if not codes.ok <= response.status_code < codes.multiple_choices:
                return self._refused(response, question, attempts)
            found = self._read(response, question, check, attempts)
        except MismatchError as error:
            if not isinstance(error, OddityError):
                self._matcher.mismatched()
            found = self._failures.mixed_up(error, response, question)
        except ValueError:
            found = self._failures.unusable(response, question)
        if not isinstance(found, ApiResponse):
            self._connections.drop()
        return found

    def _read(
        self, response: requests.Response, question: ApiRequest, check: Check, attempts: Attempts
    ) -> ApiResponse | None:
        """Return a good answer, or None if it has to come once more.

        Raises MismatchError where it belongs to another request, ValueError where it is no answer.
        """
        answer = responses.read(response)
        check(answer.document, question)
        self._match(response, answer.document, question, attempts)
        whole = self._matcher.believes(answer.document, attempts)
        self._failing_since = None
        self._heard(response)
        return answer if whole else None

    def _refused(
        self, response: requests.Response, question: ApiRequest, attempts: Attempts
    ) -> Failure:
        """Return what a refusal of Stripe's means; ValueError if it is somebody else's."""
        error = responses.error_in(response)
        if error is None or response.status_code in LOGIN:
            raise ValueError("not an error of Stripe's")
        failure, retry = responses.refusal(response, error, question)
        matching.check_refusal(error, question)
        self._match(response, {}, question, attempts)
        told = self._failures.refused(failure, question)
        if failure.request_id:
            self._heard(response)
        self._failures.reached = True
        return Failure(told, retry=retry)

    def _match(
        self,
        response: requests.Response,
        document: Mapping[str, Any],
        question: ApiRequest,
        attempts: Attempts,
    ) -> None:
        """Hold an answer against its question, and tell of oddities once they are usual."""
        for odd in self._matcher.check(response.headers, document, question, attempts):
            level = logging.WARNING if odd.kind in TOLD_ODDITIES else logging.DEBUG
            logger.log(level, "Answers are odd, and used all the same: %s", odd.text)

    def _heard(self, response: requests.Response) -> None:
        """Take note of what an answer that is certainly Stripe's says beside its content."""
        self._failures.reached = True
        self._remarks.read(response.headers)

    def _failed(
        self, question: ApiRequest, attempts: Attempts, failure: Failure, tries: int
    ) -> None:
        """Wait before the next try, or raise what the last one told."""
        error = failure.error
        self._note(error)
        if error.status == codes.too_many_requests:
            attempts.refusals += 1
        else:
            attempts.failures += 1
        # A smaller page, for which few tries are made, would be mixed up as well.
        most = self.attempts if error.code == MIXED_UP else tries
        refused = attempts.refusals >= self.patience
        if not failure.retry or refused or attempts.failures >= most or self._is_late(attempts):
            raise self._judged(error, question) if refused or most >= self.attempts else error
        if not self._failures.reached and attempts.failures == 1 and tries > QUICK:
            logger.warning("%s; trying again for half a minute", error.message)
        self._pause(question, attempts, error)

    def _is_late(self, attempts: Attempts) -> bool:
        """Return whether Stripe has not answered the first request for long enough."""
        waited = self.clock() - attempts.began
        return not self._failures.reached and attempts.failures > 1 and waited >= self.opening

    def _note(self, failure: StripeError) -> None:
        """Remember since when nothing has been answered, and tell of limits that are reached."""
        if failure.limit and self.tally.limited(failure.limit):
            logger.info(
                "Stripe refuses requests for speed (%s); they are sent again later", failure.limit
            )
        if failure.action is not ErrorAction.RETRY:
            # Whoever refuses is there.
            self._failing_since = None
        elif self._failing_since is None:
            self._failing_since = self.clock()

    def _judged(self, failure: StripeError, question: ApiRequest) -> StripeError:
        """Return a final failure; one that ends the run if nobody has been answered for long.

        Else each list of each account would find out for itself, for hours.
        """
        since = self._failing_since
        silence = self.clock() - since if since is not None else 0.0
        if failure.action is not ErrorAction.RETRY or silence < self.outage:
            if failure.code == MIXED_UP:
                failure.action = ErrorAction.FAIL_STREAM
            return failure
        return question.failure(
            f"No request has been answered well for {silence / 60:.0f} minutes, the last one: "
            f"{failure.message}",
            ErrorAction.STOP,
            status=failure.status,
            code=failure.code,
            request_id=failure.request_id,
            advice="Stripe or the network has trouble; run again later, nothing is lost",
        )

    def _pause(self, question: ApiRequest, attempts: Attempts, failure: StripeError) -> None:
        """Wait longer after each attempt; a refusal for speed makes all threads wait."""
        sent = attempts.failures + attempts.refusals
        seconds = min(self.backoff * 2 ** (sent - 1), 30) * random.uniform(0.5, 1)  # noqa: S311
        if failure.status == codes.too_many_requests and failure.code != "lock_timeout":
            seconds = max(seconds, failure.retry_after)
            self._limiter.refused(question.route, failure.limit, seconds)
        elif not self._failures.reached:
            left = attempts.began + self.opening - self.clock()
            seconds = min(seconds, max(left, self.backoff))
        self.tally.retried(question.account, question.route, seconds)
        self._sleep(seconds)

    def _sleep(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise Interrupted


def _goes_on(page: ListPage, question: ApiRequest) -> bool:
    """Return whether following `has_more` from a page leads anywhere (C12)."""
    cursor = question.parameters.get("starting_after")
    return not page.has_more or (bool(page.rows) and page.rows[-1].get("id") not in {None, cursor})
