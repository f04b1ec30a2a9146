"""The server of the pages, on both loopback addresses of this machine and nowhere else."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import threading
from collections import Counter
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from tap_stripe_connect.connect import pages
from tap_stripe_connect.connect.admission import Admission, same
from tap_stripe_connect.connect.handler import Handler
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
POLL_SECONDS = 0.05
"""How long closing waits at most for each address."""


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
        """Set once a browser came with TLS where Stripe leads to it: it is at the last step, and
        can't see the page."""
        self.strays: Counter[str] = Counter()
        """What was the matter with answers that belonged to no attempt, and how often."""
        redirect = urlsplit(redirect_uri)
        ours = redirect.hostname in HOSTS
        host = redirect.hostname if ours and redirect.hostname else HOSTS[0]
        default = SCHEME_PORTS.get(redirect.scheme, PORT)
        self.port = (redirect.port or default) if ours else PORT
        self.callback = (redirect.path or "/") if ours else ""
        """Path to which Stripe's answers come; empty if to no page of this server."""
        self.returns = ours and redirect.scheme == "http"
        """Whether the browser sees the page at the end."""
        self.secure = ours and redirect.scheme == "https"
        """Whether browsers come with TLS, which is not answered."""
        netloc = f"[{host}]" if ":" in host else host
        self.address = f"http://{netloc}:{self.port}/"
        self.admission = Admission(self.port)
        self.hosts = {f"{netloc}:{self.port}"}
        if self.port in SCHEME_PORTS.values():
            self.hosts.add(netloc)
        self._language = supported(language)
        self._fallback = fallback
        self._ended: dict[Outcome, str] = {}
        self._servers: list[Server] = []
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
            self._servers.append(Server(self, family, (address, self.port)))
        except OSError as error:
            if family == socket.AF_INET6 and error.errno in WITHOUT_IPV6:
                return
            raise PortTaken(self.port, address, error) from None

    def texts(self, accept_language: str) -> Mapping[str, str]:
        """Return the sentences for a browser."""
        return texts(self._language or negotiate(accept_language, self._fallback))

    @property
    def entrance(self) -> str:
        """The address that lets its reader in, for the terminal to show."""
        return f"{self.address}?key={self.admission.key}"

    def entrance_once(self) -> str:
        """Return an address that lets one visitor in, to start a browser with."""
        return f"{self.address}?key={self.admission.for_one_visit()}"

    def strayed(self, ended: Outcome) -> None:
        """Count an answer that belonged to no attempt; anybody can send them, and many."""
        with self._lock:
            self.strays[ended.line] += 1

    def nonce(self, ended: Outcome) -> str:
        """Return the word by which a page tells the end of an attempt again, when reloaded."""
        with self._lock:
            return self._ended.setdefault(ended, secrets.token_urlsafe(16))

    def ended(self, nonce: str) -> Outcome | None:
        """Return the end of an attempt that a nonce was made for."""
        with self._lock:
            return next((one for one, word in self._ended.items() if same(word, nonce)), None)


class Server(ThreadingMixIn, TCPServer):
    """A socket of the pages."""

    # A second start within a minute has to work. On Windows the option would share the port.
    allow_reuse_address = os.name == "posix"
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(
        self, shown: Pages, family: socket.AddressFamily, address: tuple[str, int]
    ) -> None:
        """Listen there, or raise OSError."""
        self.pages = shown
        self.address_family = family
        self.started = False
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """Share the port with nobody."""
        if exclusive := getattr(socket, "SO_EXCLUSIVEADDRUSE", 0):
            self.socket.setsockopt(socket.SOL_SOCKET, exclusive, 1)
        super().server_bind()

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: browsers hang up as they like, and an address can hold a code."""
