"""A proxy on loopback that keeps connections alive and mixes answers up as a test says."""

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
"""Seconds after which a connection that nobody uses is forgotten."""


@dataclass(frozen=True)
class Asked:
    """A request that has come in."""

    number: int
    """Counted from 1, over all connections."""
    connection: int
    target: str
    """Path and query."""
    headers: dict[str, str]
    """By lower-case name."""


@dataclass
class Proxy:
    """Passes requests on to a server; `crook` says what is sent back, as bytes of HTTP."""

    upstream: str
    crook: Callable[[Asked, Callable[[], bytes]], bytes]
    """Gets the request, and a function that returns the right answer to it."""
    asked: list[Asked] = field(default_factory=list)
    changes: Callable[[dict[str, str]], dict[str, str]] = lambda headers: headers
    """Makes the headers that are passed on of those that came."""
    target: Callable[[str], str] = lambda target: target
    """Makes the path and query that are passed on of those that came."""

    def __enter__(self) -> Self:
        """Start to listen."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop to listen, and cut all connections."""
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
                connection.sendall(self._answer(head.decode("latin-1"), number))
        except OSError:
            return
        finally:
            connection.close()

    def _answer(self, head: str, connection: int) -> bytes:
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        with self._lock:
            asked = Asked(len(self.asked) + 1, connection, first.split(" ")[1], headers)
            self.asked.append(asked)
        return self.crook(asked, lambda: self._fetched(asked))

    def _fetched(self, asked: Asked) -> bytes:
        upstream = http.client.HTTPConnection(urlsplit(self.upstream).netloc, timeout=TIMEOUT)
        headers = self.changes({**asked.headers, "accept-encoding": "identity"})
        try:
            upstream.request("GET", self.target(asked.target), headers=headers)
            answer = upstream.getresponse()
            body = answer.read()
            told = [(name, value) for name, value in answer.getheaders() if name != "connection"]
        finally:
            upstream.close()
        head = "".join(f"{name}: {value}\r\n" for name, value in told)
        return f"HTTP/1.1 {answer.status} Status\r\n{head}\r\n".encode("latin-1") + body


def without(answer: bytes, *names: str) -> bytes:
    """Return an answer without some headers."""
    head, _, body = answer.partition(b"\r\n\r\n")
    for name in names:
        head = re.sub(rb"(?i)\r\n" + name.encode() + rb":[^\r]*", b"", head)
    return head + b"\r\n\r\n" + body


def replaced(answer: bytes, before: bytes, after: bytes) -> bytes:
    """Return an answer with something else in its body, and the length that fits."""
    head, _, body = answer.partition(b"\r\n\r\n")
    body = body.replace(before, after)
    head = re.sub(rb"(?i)content-length: \d+", b"content-length: %d" % len(body), head)
    return head + b"\r\n\r\n" + body
