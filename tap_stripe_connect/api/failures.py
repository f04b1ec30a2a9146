"""Requests without a good answer: an error in words, and whether to try again."""

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

LATER = "run again; nothing is lost"

MIXED_UP = "answers_mixed_up"
"""Code of an error that is not Stripe's: the answers belonged to other requests."""

MIXED_UP_ADVICE = (
    "something between this machine and Stripe mixes up answers or drops the header "
    "Stripe-Account; check the proxy, or read without it"
)


class Failure(NamedTuple):
    """A try that failed."""

    error: StripeError
    retry: bool


class Failures:
    """Tells what went wrong at one address; until Stripe has answered there, it may be wrong."""

    def __init__(self, url: str) -> None:
        """Speak of the server at `url`."""
        self._url = url
        self._path = urlsplit(url).path
        self.reached = False
        """Whether an answer of Stripe's has come."""

    def lost(self, error: Exception, question: ApiRequest) -> Failure:
        """Return what a request is that got no answer, or only a part of one."""
        why = network.reason(error)
        refused = network.is_refused_by_proxy(error)
        if self.reached and not refused:
            told = question.failure(
                f"Stripe's answer was lost: {why}", ErrorAction.RETRY, advice=LATER
            )
            return Failure(told, retry=True)
        proxy = network.proxy_of(self._url)
        through = f" through the proxy {proxy}" if proxy else ""
        told = question.failure(
            f"Stripe cannot be reached at {self._url}{through}: {why}",
            ErrorAction.STOP,
            advice=network.advice(error, self._url),
        )
        return Failure(told, retry=not network.is_final(error))

    def mixed_up(
        self, error: Exception, response: requests.Response, question: ApiRequest
    ) -> Failure:
        """Return what an answer is that belongs to another request."""
        told = question.failure(
            f"The answer belongs to another request: {error}",
            ErrorAction.RETRY,
            status=response.status_code,
            code=MIXED_UP,
            request_id=response.headers.get("Request-Id", ""),
            advice=MIXED_UP_ADVICE,
        )
        return Failure(told, retry=True)

    def unusable(self, response: requests.Response, question: ApiRequest) -> Failure:
        """Return what an answer is that is cut off, or not Stripe's.

        Gateways in trouble get better; whatever else is not Stripe's is told after one answer. A
        good status is doubted only until Stripe has answered: afterwards it is damage.
        """
        status = response.status_code
        if status not in not_stripe.LOGIN and not_stripe.is_cut_off(response):
            told = question.failure(
                "Stripe's answer was lost: the answer is damaged",
                ErrorAction.RETRY,
                status=status,
                advice=LATER,
            )
            return Failure(told, retry=True)
        passing = status in not_stripe.PASSING or (self.reached and status < codes.multiple_choices)
        if passing:
            action = ErrorAction.RETRY if self.reached else ErrorAction.STOP
        elif self.reached and status not in not_stripe.LOGIN:
            action = ErrorAction.FAIL_STREAM
        elif (
            not_stripe.is_plain_404(response) and network.is_loopback(self._url) and not self._path
        ):
            # A fake of Stripe that lacks this path may have the next one.
            action = ErrorAction.FAIL_STREAM
        else:
            action = ErrorAction.STOP
        told = question.failure(
            f"What answers at {self._url} is not Stripe: {not_stripe.description(response)}",
            action,
            status=status,
            advice=LATER if passing and self.reached else self._advice(status),
            retry_after=retry_after(response),
        )
        return Failure(told, retry=passing)

    def refused(self, error: StripeError, question: ApiRequest) -> StripeError:
        """Return a refusal of Stripe's; where the address has a path, a 404 is about that."""
        if error.status != codes.not_found or self.reached or not self._path:
            return error
        return question.failure(
            error.message,
            ErrorAction.STOP,
            status=error.status,
            request_id=error.request_id,
            advice=self._advice(codes.not_found),
        )

    def _advice(self, status: int) -> str:
        if status == codes.not_found and self._path:
            if self._path.endswith("/v1"):
                return "leave out /v1 at the end of api_url"
            return f"check api_url: perhaps {self._path} at its end is wrong"
        proxy = network.proxy_of(self._url)
        if status == codes.proxy_authentication_required:
            which = f"the proxy {proxy}" if proxy else "the proxy"
            return f"put a user and a password for {which} into HTTPS_PROXY"
        if proxy:
            return f"check api_url and the proxy {proxy}"
        return "check api_url, and whether the network here asks for a login or needs a proxy"
