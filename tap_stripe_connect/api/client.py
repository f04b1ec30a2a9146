"""Stripe API client: GET requests within the rate limit, retried until the response is valid."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from requests import codes

from tap_stripe_connect.api import matching, responses
from tap_stripe_connect.api.errors import ErrorAction, StripeError
from tap_stripe_connect.api.exchange import Exchange
from tap_stripe_connect.api.failures import MISMATCH, Failure
from tap_stripe_connect.api.matching import Attempts
from tap_stripe_connect.api.responses import ApiRequest, ApiResponse, ListPage
from tap_stripe_connect.api.retry import Outage, backoff
from tap_stripe_connect.catalog.endpoints import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_stripe_connect.api.exchange import Check
    from tap_stripe_connect.api.rate_limit import Limiter
    from tap_stripe_connect.api.request_stats import RequestStats

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1
"""How often a thread that waits for exclusive access checks whether to stop."""

FEW_ATTEMPTS = 2
"""Clients with so few attempts do not log that they retry."""


class Interrupted(Exception):  # noqa: N818 - a request to stop, not an error
    """The run was asked to stop while a request was waiting."""


class Client:
    """Reads from Stripe, from any number of threads, within one rate limit."""

    attempts = 8
    """How often a request is sent before it fails; about a minute of backoff."""
    rate_limited_attempts = 12
    """How many 429s a request may get before it fails; some minutes in total."""
    timeout = (10.0, 80.0)
    """Seconds to wait for a connection, and for each part of a response."""
    backoff = 0.5
    """Seconds before the first retry; doubled for each further one."""
    outage = 300.0
    """Seconds without any successful response after which a failed request ends the run."""
    startup = 30.0
    """Seconds during which requests are retried if Stripe has never responded."""
    clock = staticmethod(time.monotonic)
    wall_clock = staticmethod(time.time)
    """This machine's clock, in unix seconds."""

    def __init__(
        self,
        *,
        url: str,
        api_key: str,
        api_version: str,
        limiter: Limiter,
        stopping: threading.Event,
    ) -> None:
        """Create a client; once `stopping` is set, waiting requests raise Interrupted."""
        self._limiter = limiter
        self._stopping = stopping
        self._exchange = Exchange(url, api_key, api_version, self.wall_clock)
        self._exclusive = threading.Lock()
        self._outage = Outage()

    @property
    def server_time(self) -> int | None:
        """Stripe's clock at its first response, in unix seconds; None if it sent no date."""
        return self._exchange.server_time

    @property
    def stats(self) -> RequestStats:
        """Counters of requests and retries."""
        return self._exchange.stats

    def get(  # noqa: PLR0913 - the request, and what its response must be
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        account: str | None = None,
        route: str = "",
        *,
        objects: Iterable[str] = (),
        id_: str = "",
    ) -> ApiResponse:
        """Return the document at `path`; raises StripeError.

        `account` is the account to act on, None for the key's own; with an organization key it may
        be `platform/connected`. `route` is the path with `{id}` in place of ids. A response whose
        `object` is not in `objects`, or that has another id than `id_`, is rejected and retried.
        """
        request = ApiRequest(
            path, parameters or {}, account, route or path, objects=frozenset(objects), id=id_
        )
        return self._send(request, matching.check_object, self.attempts)

    def account(self, account: str | None = None) -> ApiResponse:
        """Return Stripe's description of an account; None is the key's own."""
        id_ = (account or "").rpartition("/")[2]
        return self.get("/v1/account", account=account, objects=("account",), id_=id_)

    def page(  # noqa: PLR0913 - the request, and what its response must be
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        account: str | None = None,
        attempts: int | None = None,
        *,
        parent: str = "",
        objects: Iterable[str] = (),
        fields: Mapping[str, str] | None = None,
    ) -> ListPage:
        """Return a page of the list at `path`; raises StripeError after so many attempts.

        `parent` is the id of the object that holds a nested list. A page is rejected and retried
        if a row is none of `objects`, was created outside the requested range, or differs from
        `fields`. A page that has more rows but no cursor to them is requested once more.
        """
        route = responses.route(path, parent)
        request = ApiRequest(
            path,
            {"limit": str(PAGE_SIZE), **(parameters or {})},
            account,
            route,
            objects=frozenset(objects),
            parent=parent if route != path else "",
            fields=fields or {},
        )
        page = self._page(request, attempts or self.attempts)
        if not _can_continue(page, request):
            self._exchange.drop_connection()
            page = self._page(request, attempts or self.attempts)
        if not _can_continue(page, request):
            raise request.failure(
                "the list has more items, but the page has no new one to continue from",
                ErrorAction.FAIL_STREAM,
                advice="run again later; report this if it persists",
            )
        return page

    def _page(self, request: ApiRequest, attempts: int) -> ListPage:
        response = self._send(request, matching.check_page, attempts)
        return ListPage(response.document["data"], response.document["has_more"], response.size)

    def idle_slots(self, route: str, spend: int = 0) -> int:
        """Return how many more requests the rate limit would have allowed recently.

        Up to `spend` of them count as used from now on.
        """
        return self._limiter.idle_slots(route, spend)

    def _send(self, request: ApiRequest, check: Check, max_attempts: int) -> ApiResponse:
        """Send a request until the response is valid, the error is final, or attempts run out."""
        attempts = Attempts(self.clock())
        with ExitStack() as stack:
            while True:
                if self._exchange.needs_confirmation and not attempts.exclusive:
                    attempts.exclusive = True
                    stack.enter_context(self._exclusive_access())
                self._limiter.wait(request.route, self._sleep)
                result = self._exchange.send(request, check, attempts, self.timeout)
                if isinstance(result, Failure):
                    self._handle_failure(request, attempts, result, max_attempts)
                    continue
                self._outage.over()
                if result:
                    return result

    @contextmanager
    def _exclusive_access(self) -> Iterator[None]:
        """Let no other thread send requests that need confirmation."""
        while not self._exclusive.acquire(timeout=POLL_SECONDS):
            if self._stopping.is_set():
                raise Interrupted
        try:
            yield
        finally:
            self._exclusive.release()

    def _handle_failure(
        self, request: ApiRequest, attempts: Attempts, failure: Failure, max_attempts: int
    ) -> None:
        """Wait before the next attempt, or raise the error of the last one."""
        error = failure.error
        self._outage.failed(error, self.clock())
        if error.limit and self.stats.limited(error.limit):
            logger.info("Rate limited by Stripe (%s); retrying with backoff", error.limit)
        # A 429 is not counted as a failure, because Stripe responds again once we slow down.
        if error.status == codes.too_many_requests:
            attempts.rate_limited += 1
        else:
            attempts.failures += 1
        # Few attempts are made before a smaller page, which would be mixed up as well.
        limit = self.attempts if error.code == MISMATCH else max_attempts
        rate_limited = attempts.rate_limited >= self.rate_limited_attempts
        exhausted = rate_limited or attempts.failures >= limit or self._startup_failed(attempts)
        if exhausted or not failure.retry:
            raise (
                self._final_error(error, request)
                if rate_limited or limit >= self.attempts
                else error
            )
        if not self._exchange.reached and attempts.failures == 1 and max_attempts > FEW_ATTEMPTS:
            logger.warning("%s; retrying for %d seconds", error.message, self.startup)
        self._pause(request, attempts, error)

    def _final_error(self, error: StripeError, request: ApiRequest) -> StripeError:
        """Return the error to raise after the last attempt."""
        error = self._outage.final_error(error, request, self.clock(), self.outage)
        if error.code == MISMATCH and error.action is ErrorAction.RETRY:
            error.action = ErrorAction.FAIL_STREAM
        return error

    def _startup_failed(self, attempts: Attempts) -> bool:
        """Return whether Stripe has never responded, for too long."""
        waited = self.clock() - attempts.started
        return not self._exchange.reached and attempts.failures > 1 and waited >= self.startup

    def _pause(self, request: ApiRequest, attempts: Attempts, error: StripeError) -> None:
        """Wait before a retry; after a 429, all threads wait."""
        seconds = backoff(attempts.failures + attempts.rate_limited, self.backoff)
        if error.status == codes.too_many_requests and error.code != "lock_timeout":
            seconds = max(seconds, error.retry_after)
            self._limiter.back_off(request.route, error.limit, seconds)
        elif not self._exchange.reached:
            left = attempts.started + self.startup - self.clock()
            seconds = min(seconds, max(left, self.backoff))
        self.stats.retried(request.account, request.route, seconds)
        self._sleep(seconds)

    def _sleep(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise Interrupted


def _can_continue(page: ListPage, request: ApiRequest) -> bool:
    """Return whether a page is the last one, or has a new cursor to the next one."""
    cursor = request.parameters.get("starting_after")
    return not page.has_more or (bool(page.rows) and page.rows[-1].get("id") not in {None, cursor})
