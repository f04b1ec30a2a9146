"""Failed attempts at one server: an error message with advice, and whether to retry."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from requests import codes

from tap_stripe_connect.api import network, not_stripe
from tap_stripe_connect.api.errors import ErrorAction, StripeError
from tap_stripe_connect.api.responses import retry_after

if TYPE_CHECKING:
    import requests

    from tap_stripe_connect.api.responses import ApiRequest

RUN_AGAIN = "run again; nothing is lost"

MISMATCH = "response_mismatch"
"""Error code, not one of Stripe's, of responses that belong to other requests."""

MISMATCH_ADVICE = (
    "something between this machine and Stripe mixes up responses or drops the Stripe-Account "
    "header; check the proxy, or connect without it"
)


class Failure(NamedTuple):
    """A failed attempt."""

    error: StripeError
    retry: bool


class Failures:
    """Explains failed attempts at one server.

    Until the first response from Stripe, `api_url` itself may be wrong, and errors say so.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._path = urlsplit(url).path
        self.reached = False
        """Whether Stripe has responded."""

    def connection_failure(self, error: Exception, request: ApiRequest) -> Failure:
        """Return the failure of a request without a complete response."""
        cause = network.root_cause(error)
        if self.reached and not network.is_rejected_by_proxy(error):
            stripe_error = request.failure(
                f"Lost the response from Stripe: {cause}", ErrorAction.RETRY, advice=RUN_AGAIN
            )
            return Failure(stripe_error, retry=True)
        proxy = network.proxy_of(self._url)
        through = f" through the proxy {proxy}" if proxy else ""
        stripe_error = request.failure(
            f"Cannot reach Stripe at {self._url}{through}: {cause}",
            ErrorAction.STOP,
            advice=network.advice(error, self._url),
        )
        return Failure(stripe_error, retry=not network.is_permanent(error))

    def mismatch(
        self, error: Exception, response: requests.Response, request: ApiRequest
    ) -> Failure:
        """Return the failure of a response that belongs to another request."""
        stripe_error = request.failure(
            f"The response belongs to another request: {error}",
            ErrorAction.RETRY,
            status=response.status_code,
            code=MISMATCH,
            request_id=response.headers.get("Request-Id", ""),
            advice=MISMATCH_ADVICE,
        )
        return Failure(stripe_error, retry=True)

    def invalid_response(self, response: requests.Response, request: ApiRequest) -> Failure:
        """Return the failure of a response that is cut off or not Stripe's.

        Temporary gateway errors are retried; any other response that is not Stripe's fails at
        once. A success status is doubted only until Stripe has responded once: after that, the
        response is damaged.
        """
        status = response.status_code
        if status not in not_stripe.PERMANENT and not_stripe.is_cut_off(response):
            stripe_error = request.failure(
                "Lost the response from Stripe: it is damaged",
                ErrorAction.RETRY,
                status=status,
                advice=RUN_AGAIN,
            )
            return Failure(stripe_error, retry=True)
        transient = status in not_stripe.TRANSIENT or (
            self.reached and status < codes.multiple_choices
        )
        stripe_error = request.failure(
            f"The server at {self._url} is not Stripe: {not_stripe.description(response)}",
            self._invalid_response_action(response, transient=transient),
            status=status,
            advice=RUN_AGAIN if transient and self.reached else self._advice(status),
            retry_after=retry_after(response),
        )
        return Failure(stripe_error, retry=transient)

    def _invalid_response_action(
        self, response: requests.Response, *, transient: bool
    ) -> ErrorAction:
        if transient:
            return ErrorAction.RETRY if self.reached else ErrorAction.STOP
        if self.reached and response.status_code not in not_stripe.PERMANENT:
            return ErrorAction.FAIL_STREAM
        is_local_404 = not_stripe.is_plain_404(response) and network.is_loopback(self._url)
        if is_local_404 and not self._path:
            # A local imitation of Stripe without this path may have the next one.
            return ErrorAction.FAIL_STREAM
        return ErrorAction.STOP

    def with_url_advice(self, error: StripeError, request: ApiRequest) -> StripeError:
        """Return Stripe's error; a 404 for an `api_url` with a path gets advice about that path."""
        if error.status != codes.not_found or self.reached or not self._path:
            return error
        return request.failure(
            error.message,
            ErrorAction.STOP,
            status=error.status,
            request_id=error.request_id,
            advice=self._advice(codes.not_found),
        )

    def _advice(self, status: int) -> str:
        if status == codes.not_found and self._path:
            if self._path.endswith("/v1"):
                return "remove /v1 from the end of api_url"
            return f"check api_url: its path {self._path} may be wrong"
        proxy = network.proxy_of(self._url)
        if status == codes.proxy_authentication_required:
            which = f"the proxy {proxy}" if proxy else "the proxy"
            return f"add a user and a password for {which} to HTTPS_PROXY"
        if proxy:
            return f"check api_url and the proxy {proxy}"
        return "check api_url, and whether this network requires a login or a proxy"
