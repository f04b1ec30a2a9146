"""One attempt at a request: sends it, and accepts the response only if it matches."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from requests import codes

from tap_stripe_connect.api import matching, not_stripe, responses
from tap_stripe_connect.api.connections import Connections
from tap_stripe_connect.api.failures import Failure, Failures
from tap_stripe_connect.api.matching import AnomalyError, Matcher, MismatchError
from tap_stripe_connect.api.request_stats import RequestStats
from tap_stripe_connect.api.response_headers import HeaderReader
from tap_stripe_connect.api.responses import ApiResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from tap_stripe_connect.api.matching import Attempts
    from tap_stripe_connect.api.responses import ApiRequest

    Check = Callable[[object, ApiRequest], None]

logger = logging.getLogger(__name__)

VISIBLE_ANOMALIES = {"url", "account"}
"""Kinds of anomalies that are logged as warnings; the others are for debugging."""


class Exchange:
    """Exchanges requests for verified responses, from any number of threads."""

    def __init__(
        self, url: str, api_key: str, api_version: str, wall_clock: Callable[[], float]
    ) -> None:
        self._connections = Connections(url, api_key, api_version)
        self._failures = Failures(url)
        self._matcher = Matcher()
        self._headers = HeaderReader(url, wall_clock)
        self.stats = RequestStats()

    @property
    def reached(self) -> bool:
        """Whether Stripe has responded."""
        return self._failures.reached

    @property
    def server_time(self) -> int | None:
        """Stripe's clock at its first response, in unix seconds; None if it sent no date."""
        return self._headers.server_time

    @property
    def needs_confirmation(self) -> bool:
        """Whether pages have to arrive twice, because responses were mixed up recently."""
        return self._matcher.needs_confirmation

    def drop_connection(self) -> None:
        """Close this thread's connection."""
        self._connections.drop()

    def send(
        self, request: ApiRequest, check: Check, attempts: Attempts, timeout: tuple[float, float]
    ) -> ApiResponse | Failure | None:
        """Send a request once; returns None if a good response has to arrive a second time.

        After any suspicious response the connection is closed, because what is left on it would be
        read as the response to the next request.
        """
        try:
            self.stats.sent(request.account, request.route)
            response = self._connections.send(request, timeout)
        except (OSError, ValueError) as error:
            self._connections.drop()
            return self._failures.connection_failure(error, request)
        result: ApiResponse | Failure | None
        try:
            if not codes.ok <= response.status_code < codes.multiple_choices:
                return self._error(response, request, attempts)
            result = self._success(response, request, check, attempts)
        except MismatchError as error:
            if not isinstance(error, AnomalyError):
                self._matcher.require_confirmation()
            result = self._failures.mismatch(error, response, request)
        except ValueError:
            result = self._failures.invalid_response(response, request)
        if not isinstance(result, ApiResponse):
            self._connections.drop()
        return result

    def _success(
        self, response: requests.Response, request: ApiRequest, check: Check, attempts: Attempts
    ) -> ApiResponse | None:
        """Return the verified response, or None if it has to arrive once more.

        Raises MismatchError if it belongs to another request, ValueError if it is invalid.
        """
        result = responses.read(response)
        check(result.document, request)
        self._match(response, result.document, request, attempts)
        confirmed = self._matcher.is_confirmed(result.document, attempts)
        self._read_headers(response)
        return result if confirmed else None

    def _error(
        self, response: requests.Response, request: ApiRequest, attempts: Attempts
    ) -> Failure:
        """Return Stripe's error as a failure; raises ValueError if it is not from Stripe."""
        error = responses.error_in(response)
        if error is None or response.status_code in not_stripe.PERMANENT:
            raise ValueError("not an error of Stripe's")
        stripe_error, retry = responses.error_from(response, error, request)
        matching.check_error(error, request)
        self._match(response, {}, request, attempts)
        failure = Failure(self._failures.with_url_advice(stripe_error, request), retry=retry)
        if stripe_error.request_id:
            self._read_headers(response)
        self._failures.reached = True
        return failure

    def _match(
        self,
        response: requests.Response,
        document: Mapping[str, Any],
        request: ApiRequest,
        attempts: Attempts,
    ) -> None:
        """Match a response with its request, and log anomalies that were accepted just now."""
        for anomaly in self._matcher.check(response.headers, document, request, attempts):
            level = logging.WARNING if anomaly.kind in VISIBLE_ANOMALIES else logging.DEBUG
            logger.log(level, "Accepting responses with an anomaly: %s", anomaly.text)

    def _read_headers(self, response: requests.Response) -> None:
        """Read the headers of a response that is known to be Stripe's."""
        self._failures.reached = True
        self._headers.read(response.headers)
