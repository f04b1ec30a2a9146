"""What the server of the pages answers to whom."""

from __future__ import annotations

import logging
import socket
from collections import Counter
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qsl

from tap_stripe_connect.connect import pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_stripe_connect.connect.loopback import Server

TLS_HANDSHAKE = b"\x16"
"""The first byte of every TLS connection, and of no HTTP request."""
IDLE_SECONDS = 15.0
MOST_PARAMETERS = 50
ANSWER = ("code", "error", "state")
"""Parameters by which an answer of Stripe is known where it comes to the address of a page."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {pages.STYLE_HASH}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
LOGGER = logging.getLogger(__name__)


class Handler(BaseHTTPRequestHandler):
    """Answers one request, then hangs up."""

    server: Server
    timeout = IDLE_SECONDS
    default_request_version = "HTTP/1.0"

    def handle(self) -> None:
        """Look at the first byte, which tells TLS, before reading a request."""
        if self.connection.recv(1, socket.MSG_PEEK) == TLS_HANDSHAKE:
            if self.server.pages.secure:
                self.server.pages.told_tls.set()
            self.wfile.write(pages.plain(HTTPStatus.BAD_REQUEST))
            return
        super().handle()

    def do_GET(self) -> None:
        """Route a request; whatever goes wrong inside, the browser gets an answer."""
        try:
            self._route()
        except (ConnectionError, TimeoutError):
            raise
        except Exception as error:  # noqa: BLE001 - without its text, which may tell a code
            LOGGER.error("A page could not be shown (%s)", type(error).__name__)  # noqa: TRY400
            self._plain(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _route(self) -> None:
        shown = self.server.pages
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or hosts[0].strip().lower() not in shown.hosts:
            # Another name that leads here may be a foreign page's, come to read ours.
            self._plain(HTTPStatus.MISDIRECTED_REQUEST)
            return
        path, _, text = self.path.partition("?")
        try:
            query = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
        except ValueError:
            self._plain(HTTPStatus.BAD_REQUEST)
            return
        page = self.routes.get(path)
        if path == shown.callback and (page is None or any(name in ANSWER for name, _ in query)):
            self._finish(query)
        elif page is None:
            self._plain(HTTPStatus.NOT_FOUND)
        elif path == "/" and shown.admission.admits(dict(query).get("key", "")):
            self._lead("/")
        elif self._admitted(query):
            page(self, query)
        else:
            self._page(pages.closed(self._texts), HTTPStatus.FORBIDDEN)

    def _admitted(self, query: list[tuple[str, str]]) -> bool:
        """Tell a browser that was let in; whoever knows of an end has had its state and code."""
        shown = self.server.pages
        known = shown.admission.knows(self.headers.get_all("Cookie", []))
        return known or shown.ended(dict(query).get("done", "")) is not None

    def _lead(self, target: str) -> None:
        """Let the browser in, and lead it on to an address without secrets that still count."""
        headers = {"Location": target, "Set-Cookie": self.server.pages.admission.cookie}
        self._send(HTTPStatus.SEE_OTHER, headers=headers)

    def _finish(self, query: list[tuple[str, str]]) -> None:
        """Answer once the attempt has ended, from an address that no longer has the code."""
        shown = self.server.pages
        ended = shown.sitting.finish(query)
        if ended.kind.final and not _repeated(query):
            self._lead(f"/?done={shown.nonce(ended)}")
            return
        if not ended.kind.final:
            shown.strayed(ended)
        self._page(pages.outcome(self._texts, shown.setting, ended), HTTPStatus.BAD_REQUEST)
        if ended.kind.final:
            shown.delivered.set()

    def _connections(self, query: list[tuple[str, str]]) -> None:
        shown = self.server.pages
        ended = shown.ended(dict(query).get("done", ""))
        accounts = shown.sitting.accounts()
        self._page(pages.connections(self._texts, shown.setting, accounts, ended))
        if ended:
            shown.delivered.set()

    def _sources(self, query: list[tuple[str, str]]) -> None:
        del query
        self._page(pages.sources(self._texts, self.server.pages.setting))

    def _authorization(self, query: list[tuple[str, str]]) -> None:
        del query
        shown = self.server.pages
        sitting = shown.sitting
        page = pages.authorization(
            self._texts,
            shown.setting,
            sitting.platform,
            sitting.streams,
            link=sitting.link(),
            returns=shown.returns,
        )
        self._page(page)

    routes: ClassVar = {"/": _connections, "/add": _sources, "/authorize": _authorization}

    @property
    def _texts(self) -> Mapping[str, str]:
        return self.server.pages.texts(self.headers.get("Accept-Language", ""))

    def _page(self, content: bytes, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(status, content, {"Content-Type": "text/html; charset=utf-8"})

    def _plain(self, status: HTTPStatus) -> None:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = "GET"
        self._send(status, pages.plain(status), headers)

    def _send(
        self, status: HTTPStatus, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        self.close_connection = True
        self.send_response_only(status)
        for name, value in {**HEADERS, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request, or of another method, without repeating any of it."""
        del message, explain
        status = HTTPStatus(code)
        unknown_method = status is HTTPStatus.NOT_IMPLEMENTED
        self._plain(HTTPStatus.METHOD_NOT_ALLOWED if unknown_method else status)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is inherited
        """Stay silent: an address can hold a code."""


def _repeated(query: list[tuple[str, str]]) -> bool:
    return any(count > 1 for count in Counter(name for name, _ in query).values())
