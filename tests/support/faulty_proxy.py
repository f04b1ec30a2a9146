"""A keep-alive proxy on loopback that manipulates responses."""

from __future__ import annotations

import http.client
import re
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT = 30
"""Seconds after which an idle connection is closed."""


@dataclass(frozen=True)
class ProxiedRequest:
    """A request to the proxy."""

    number: int
    """Counted from 1, over all connections."""
    connection: int
    target: str
    """Path and query."""
    headers: dict[str, str]
    """By lower-case name."""


@dataclass
class Proxy:
    """Forwards requests to a server; `respond` returns the bytes that are sent back."""

    upstream: str
    respond: Callable[[ProxiedRequest, Callable[[], bytes]], bytes]
    """Gets the request, and a function that returns the server's response."""
    requests: list[ProxiedRequest] = field(default_factory=list)
    changes: Callable[[dict[str, str]], dict[str, str]] = lambda headers: headers
    """Maps the headers of a request to those that are forwarded."""
    target: Callable[[str], str] = lambda target: target
    """Maps the path and query of a request to those that are forwarded."""

    def __enter__(self) -> Self:
        """Start listening."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening, and close all connections."""
        self._listener.close()
        for connection in self._connections:
            connection.close()

    @property
    def url(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(TIMEOUT)
            self._connections.append(connection)
            number = len(self._connections)
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        received = b""
        try:
            while True:
                while b"\r\n\r\n" not in received:
                    part = connection.recv(65_536)
                    if not part:
                        return
                    received += part
                head, _, received = received.partition(b"\r\n\r\n")
                connection.sendall(self._response_to(head.decode("latin-1"), number))
        except OSError:
            return
        finally:
            connection.close()

    def _response_to(self, head: str, connection: int) -> bytes:
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        with self._lock:
            request = ProxiedRequest(
                len(self.requests) + 1, connection, first.split(" ")[1], headers
            )
            self.requests.append(request)
        return self.respond(request, lambda: self._fetched(request))

    def _fetched(self, request: ProxiedRequest) -> bytes:
        upstream = http.client.HTTPConnection(urlsplit(self.upstream).netloc, timeout=TIMEOUT)
        headers = self.changes({**request.headers, "accept-encoding": "identity"})
        try:
            upstream.request("GET", self.target(request.target), headers=headers)
            response = upstream.getresponse()
            body = response.read()
            kept = [(name, value) for name, value in response.getheaders() if name != "connection"]
        finally:
            upstream.close()
        head = "".join(f"{name}: {value}\r\n" for name, value in kept)
        return f"HTTP/1.1 {response.status} Status\r\n{head}\r\n".encode("latin-1") + body


def without(response: bytes, *names: str) -> bytes:
    """Return a response without some headers."""
    head, _, body = response.partition(b"\r\n\r\n")
    for name in names:
        head = re.sub(rb"(?i)\r\n" + name.encode() + rb":[^\r]*", b"", head)
    return head + b"\r\n\r\n" + body


def replaced(response: bytes, before: bytes, after: bytes) -> bytes:
    """Return a response with a replacement in its body, and a matching length."""
    head, _, body = response.partition(b"\r\n\r\n")
    body = body.replace(before, after)
    head = re.sub(rb"(?i)content-length: \d+", b"content-length: %d" % len(body), head)
    return head + b"\r\n\r\n" + body
