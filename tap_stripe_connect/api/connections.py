"""HTTP connections: one session per thread, closed after any suspicious response."""

from __future__ import annotations

import threading
from importlib.metadata import version
from typing import TYPE_CHECKING

import requests

from tap_stripe_connect.api.api_keys import is_organization_key

if TYPE_CHECKING:
    from tap_stripe_connect.api.responses import ApiRequest


class Connections:
    """Sends GET requests, from any number of threads."""

    def __init__(self, url: str, api_key: str, api_version: str) -> None:
        self._url = url
        self._api_key = api_key
        self._account_header = (
            "Stripe-Context" if is_organization_key(api_key) else "Stripe-Account"
        )
        self._threads = threading.local()
        self._headers = {
            "Stripe-Version": api_version,
            "User-Agent": f"tap-stripe-connect/{version('tap-stripe-connect')}",
            "Accept": "application/json",
        }

    def send(self, request: ApiRequest, timeout: tuple[float, float]) -> requests.Response:
        """Return the response; raises OSError or ValueError if it is not complete."""
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = requests.Session()
            session.headers.update(self._headers)
            # A callable, because requests lets ~/.netrc override a header.
            session.auth = self._authorize
        return session.get(
            self._url + request.path,
            params=request.parameters,
            headers={self._account_header: request.account} if request.account else None,
            timeout=timeout,
            allow_redirects=False,
        )

    def drop(self) -> None:
        """Close this thread's connection, so that no later request reads what is left on it."""
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is not None:
            self._threads.session = None
            session.close()

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request
