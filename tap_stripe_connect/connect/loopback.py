"""The server of the pages, on both loopback addresses of this machine and nowhere else."""

from __future__ import annotations

import errno
import logging
import os
import secrets
import socket
import threading
from collections import Counter
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, ClassVar, Self
from urllib.parse import parse_qsl, urlsplit

from tap_stripe_connect.connect import pages
from tap_stripe_connect.connect.language import negotiate, supported, texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_stripe_connect.connect.outcome import Outcome
    from tap_stripe_connect.connect.sitting import Sitting

PORT = 8765
"""Where the pages are when answers of Stripe go to another host."""
HOSTS = ("localhost", "127.0.0.1", "::1")
SCHEME_PORTS = {"http": 80, "https": 443}
FAMILIES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
"""Both, as browsers go to either for `localhost`; what listened on the other would be told all."""
WITHOUT_IPV6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}
TLS_HANDSHAKE = b"\x16"
"""The first byte of every TLS connection, and of no HTTP request."""
IDLE_SECONDS = 15.0
POLL_SECONDS = 0.05
"""How long closing waits at most for each address."""
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


class PortTaken(Exception):  # noqa: N818 - what is the matter, as those who catch it say it
    """Something else listens on the port, or this program may not."""

    def __init__(self, port: int, address: str, error: OSError) -> None:
        """Name the port."""
        super().__init__(f"Port {port} on {address} cannot be used: {error.strerror}.")
        self.port = port


class Pages:
    """Serves the pages of a sitting while it is entered; answers in threads of its own."""

    def __init__(
        self,
        sitting: Sitting,
        redirect_uri: str,
        *,
        language: str = "",
        fallback: str = "en",
        command: str = "tap-stripe-connect connect",
    ) -> None:
        """Serve at the redirect's host and port if they are of this machine, else at PORT.

        `language` is for everyone; without it each browser's own, or else the fallback.
        """
        self.sitting = sitting
        self.setting = pages.Setting(sitting.application.livemode, command, sitting.renewing)
        self.delivered = threading.Event()
        """Set once a page that tells the end of an attempt was sent."""
        self.told_tls = threading.Event()
        """Set once a browser came with TLS: it is at the last step, and can't see the page."""
        redirect = urlsplit(redirect_uri)
        ours = redirect.hostname in HOSTS
        host = redirect.hostname if ours and redirect.hostname else HOSTS[0]
        default = SCHEME_PORTS.get(redirect.scheme, PORT)
        self.port = (redirect.port or default) if ours else PORT
        self.callback = (redirect.path or "/") if ours else ""
        """Path to which Stripe's answers come; empty if to no page of this server."""
        self.returns = ours and redirect.scheme == "http"
        """Whether the browser sees the page at the end."""
        netloc = f"[{host}]" if ":" in host else host
        self.address = f"http://{netloc}:{self.port}/"
        self.hosts = {f"{netloc}:{self.port}"}
        if self.port in SCHEME_PORTS.values():
            self.hosts.add(netloc)
        self._language = supported(language)
        self._fallback = fallback
        self._ended: dict[Outcome, str] = {}
        self._servers: list[_Server] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Listen, or raise PortTaken."""
        try:
            for family, address in FAMILIES:
                self._listen(family, address)
        except PortTaken:
            self.close()
            raise
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()
            server.started = True
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening; what is being answered may end or not."""
        self.close()

    def close(self) -> None:
        """Free the port."""
        for server in self._servers:
            if server.started:
                server.shutdown()
            server.server_close()
        self._servers.clear()

    def _listen(self, family: socket.AddressFamily, address: str) -> None:
        try:
            self._servers.append(_Server(self, family, (address, self.port)))
        except OSError as error:
            if family == socket.AF_INET6 and error.errno in WITHOUT_IPV6:
                return
            raise PortTaken(self.port, address, error) from None

    def texts(self, accept_language: str) -> Mapping[str, str]:
        """Return the sentences for a browser."""
        return texts(self._language or negotiate(accept_language, self._fallback))

    def nonce(self, ended: Outcome) -> str:
        """Return the word by which a page tells the end of an attempt again, when reloaded."""
        with self._lock:
            return self._ended.setdefault(ended, secrets.token_urlsafe(16))

    def ended(self, nonce: str) -> Outcome | None:
        """Return the end of an attempt that a nonce was made for."""
        with self._lock:
            return next((one for one, word in self._ended.items() if word == nonce), None)


class _Server(ThreadingMixIn, TCPServer):
    """A socket of the pages."""

    # A second start within a minute has to work. On Windows the option would share the port.
    allow_reuse_address = os.name == "posix"
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(
        self, shown: Pages, family: socket.AddressFamily, address: tuple[str, int]
    ) -> None:
        self.pages = shown
        self.address_family = family
        self.started = False
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        if exclusive := getattr(socket, "SO_EXCLUSIVEADDRUSE", 0):
            self.socket.setsockopt(socket.SOL_SOCKET, exclusive, 1)
        super().server_bind()

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: browsers hang up as they like, and an address can hold a code."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one request, then hangs up."""

    server: _Server
    timeout = IDLE_SECONDS
    default_request_version = "HTTP/1.0"

    def handle(self) -> None:
        """Look at the first byte, which tells TLS, before reading a request."""
        if self.connection.recv(1, socket.MSG_PEEK) == TLS_HANDSHAKE:
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
        else:
            page(self, query)

    def _finish(self, query: list[tuple[str, str]]) -> None:
        """Answer once the attempt has ended, from an address that no longer has the code."""
        shown = self.server.pages
        ended = shown.sitting.finish(query)
        if ended.kind.final and not _repeated(query):
            self._send(HTTPStatus.SEE_OTHER, headers={"Location": f"/?done={shown.nonce(ended)}"})
            return
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
