"""Speaking to the server of the pages through raw sockets, well and badly."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_stripe_connect.connect.loopback import Pages

LOOPBACK = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    """By names in lower case."""
    body: str


def request(
    target: str, *headers: str, method: str = "GET", host: str | None = "", version: str = "1.1"
) -> bytes:
    """Return a request; `host` None leaves that header out, empty is filled in by `ask`."""
    lines = [f"{method} {target} HTTP/{version}", *headers]
    if host is not None:
        lines.append(f"Host: {host or '{host}'}")
    return "\r\n".join([*lines, "", ""]).encode()


def ask(whom: Pages | int, sent: bytes | str, *, address: str = "127.0.0.1") -> Answer:
    """Send bytes, or ask for a target, and return the answer to them.

    Pages know their visitor by its cookie; by a port alone comes a stranger.
    """
    content = request(sent) if isinstance(sent, str) else sent
    if isinstance(whom, int):
        port = whom
    else:
        port = whom.port
        cookie = whom.admission.cookie.partition(";")[0]
        content = content.replace(b"\r\nHost:", f"\r\nCookie: a=b; {cookie}\r\nHost:".encode(), 1)
    content = content.replace(b"{host}", f"localhost:{port}".encode())
    with connect(port, address) as client:
        # The server may have heard enough before all is sent.
        with contextlib.suppress(ConnectionError):
            client.sendall(content)
        return read(client)


def connect(port: int, address: str = "127.0.0.1") -> socket.socket:
    """Open a connection."""
    client = socket.socket(LOOPBACK[address])
    client.settimeout(120)
    try:
        client.connect((address, port))
    except OSError:
        client.close()
        raise
    return client


def read(client: socket.socket) -> Answer:
    """Read an answer to its end."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := client.recv(65_536):
            received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    headers = {name.lower(): value for name, value in pairs}
    assert len(headers) == len(pairs), "a header came twice"
    return Answer(int(status.split()[1]), headers, body.decode())
