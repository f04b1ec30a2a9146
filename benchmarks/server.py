"""A page server on 127.0.0.1, leaner than the simulator; runs in a process of its own.

The simulator holds every object in memory, which a million of them do not fit into.
Prints its port. `GET /_bench/tally` tells what was asked since the last time, and forgets it.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import resource
import socket
import sys
from email.utils import formatdate
from itertools import count

import msgspec

from benchmarks.load import Load
from benchmarks.pages import Reply, Stripe
from tap_stripe_connect.simulator import refusal
from tap_stripe_connect.simulator.rate_limit import RateLimit

HOST = "127.0.0.1"
PROXIED = "http://api.stripe.com"
"""Where clients mean to go that take this server for a proxy."""
TALLY = "/_bench/tally"
SEND_BUFFER = 1 << 20
"""Bytes; a page of large objects leaves at once."""

_REASONS = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 429: b"Too Many Requests"}


class Tally(msgspec.Struct):
    """What a page server has been asked."""

    requests: int = 0
    refused: int = 0
    """Of these, answers with status 429."""
    rows: int = 0
    by_path: dict[str, int] = {}
    """Requests by path, ids left out."""
    cpu: float = 0.0
    """Seconds of CPU that the server took in all its life."""


class Service:
    """Counts, refuses, delays and answers."""

    def __init__(self, load: Load) -> None:
        """Serve a load under its conditions."""
        self.conditions = load.conditions
        self._stripe = Stripe(load)
        self._tally = Tally()
        self._limit = RateLimit(
            self.conditions.per_second or float("inf"), self.conditions.per_endpoint or float("inf")
        )
        self._date = formatdate(load.now, usegmt=True).encode()
        self._numbers = count(1)

    def respond(self, path: str, query: str, *, zipped: bool) -> tuple[float, bytes]:
        """Return how many seconds to wait, and then what to send."""
        if path == TALLY:
            return 0.0, self._sent(Reply(200, self._told()), zipped=False)
        tally, conditions = self._tally, self.conditions
        route = re.sub(r"/[a-z]+_\w+", "/{id}", path)
        tally.requests += 1
        tally.by_path[route] = tally.by_path.get(route, 0) + 1
        slow = conditions.slow_every and tally.requests % conditions.slow_every == 0
        reason = self._limit.refusal(route) if conditions.per_second else None
        if reason:
            tally.refused += 1
            no = refusal.rate_limited(reason)
            reply = Reply(no.status, no.body)
        else:
            reply = self._stripe.answer(path, query)
            tally.rows += reply.rows
        wait = conditions.slow_seconds if slow else conditions.latency
        return wait, self._sent(reply, zipped=zipped and conditions.gzip)

    def _told(self) -> bytes:
        told, self._tally = self._tally, Tally()
        used = resource.getrusage(resource.RUSAGE_SELF)
        told.cpu = used.ru_utime + used.ru_stime
        return msgspec.json.encode(told)

    def _sent(self, reply: Reply, *, zipped: bool) -> bytes:
        body, encoding = reply.body, b""
        if zipped:
            body, encoding = gzip.compress(body, compresslevel=1), b"Content-Encoding: gzip\r\n"
        return (
            b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nDate: %b\r\n"
            b"Request-Id: req_Benchmark%d\r\n%bContent-Length: %d\r\n\r\n%b"
        ) % (
            reply.status,
            _REASONS[reply.status],
            self._date,
            next(self._numbers),
            encoding,
            len(body),
            body,
        )


class Connection(asyncio.Protocol):
    """One connection, kept alive; GET requests only."""

    def __init__(self, service: Service) -> None:
        """Answer as the service says."""
        self._service = service
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a TCP server makes
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            request, _, headers = head.partition(b"\r\n")
            target = request.split(b" ")[1].decode("latin-1").removeprefix(PROXIED)
            path, _, query = target.partition("?")
            zipped = re.search(rb"(?im)^accept-encoding:.*gzip", headers) is not None
            wait, answer = self._service.respond(path, query, zipped=zipped)
            if wait:
                asyncio.get_running_loop().call_later(wait, self._send, answer)
            else:
                self._send(answer)

    def _send(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def serve(load: Load) -> None:
    """Print the port, and serve until standard input ends, as it does when its owner dies."""
    listener = socket.create_server((HOST, 0), backlog=512)
    # Accepted connections inherit both.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    service = Service(load)
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Connection(service), sock=listener)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(serve(msgspec.json.decode(sys.argv[1], type=Load)))
