"""One connection a thread, given up as soon as something is odd about it."""

from __future__ import annotations

import threading
from importlib.metadata import version
from typing import TYPE_CHECKING

import requests

from tap_stripe_connect.api.api_keys import is_organisations

if TYPE_CHECKING:
    from tap_stripe_connect.api.responses import ApiRequest


class Connections:
    """Sends GET requests, from any number of threads."""

    def __init__(self, url: str, api_key: str, api_version: str) -> None:
        """Prepare for requests to `url`; nothing is sent."""
        self._url = url
        self._api_key = api_key
        self._account_header = "Stripe-Context" if is_organisations(api_key) else "Stripe-Account"
        self._threads = threading.local()
        self._headers = {
            "Stripe-Version": api_version,
            "User-Agent": f"tap-stripe-connect/{version('tap-stripe-connect')}",
            "Accept": "application/json",
        }

    def send(self, question: ApiRequest, timeout: tuple[float, float]) -> requests.Response:
        """Return what comes back; OSError or ValueError where that is no whole answer."""
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = requests.Session()
            session.headers.update(self._headers)
            # A callable, because requests lets ~/.netrc override a header.
            session.auth = self._authorize
        return session.get(
            self._url + question.path,
            params=question.parameters,
            headers={self._account_header: question.account} if question.account else None,
            timeout=timeout,
            allow_redirects=False,
        )

    def drop(self) -> None:
        """Close this thread's connection: what still comes on it answers no later request."""
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is not None:
            self._threads.session = None
            session.close()

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request
