"""A page server on 127.0.0.1, leaner than the simulator; runs in a process of its own.

The simulator holds every object in memory, where a million of them do not fit.
Prints its port. `GET /_bench/stats` returns the statistics of requests, and resets them.
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
from benchmarks.pages import Stripe
from tap_stripe_connect.simulator import errors
from tap_stripe_connect.simulator.calls import Response
from tap_stripe_connect.simulator.rate_limit import RateLimit

HOST = "127.0.0.1"
PROXIED = "http://api.stripe.com"
"""The target of clients that use this server as a proxy."""
REQUEST_STATS = "/_bench/stats"
SEND_BUFFER = 1 << 20
"""Bytes; enough to send a page of large objects at once."""

_REASONS = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 429: b"Too Many Requests"}


class RequestStats(msgspec.Struct):
    """Statistics of a page server's requests."""

    requests: int = 0
    rate_limited: int = 0
    """Responses with status 429."""
    rows: int = 0
    by_path: dict[str, int] = {}
    """Requests by path, with `{id}` for ids."""
    cpu: float = 0.0
    """Seconds of CPU since the server started."""


class Service:
    """Counts, rate-limits, delays and answers requests."""

    def __init__(self, load: Load) -> None:
        self.conditions = load.conditions
        self._stripe = Stripe(load)
        self._stats = RequestStats()
        self._limit = RateLimit(
            self.conditions.per_second or float("inf"), self.conditions.per_endpoint or float("inf")
        )
        self._date = formatdate(load.now, usegmt=True).encode()
        self._numbers = count(1)

    def respond(self, path: str, query: str, *, zipped: bool) -> tuple[float, bytes]:
        """Return the seconds to wait and the bytes to send."""
        if path == REQUEST_STATS:
            return 0.0, self._encoded(Response(200, self._take_stats()), zipped=False)
        stats, conditions = self._stats, self.conditions
        route = re.sub(r"/[a-z]+_\w+", "/{id}", path)
        stats.requests += 1
        stats.by_path[route] = stats.by_path.get(route, 0) + 1
        slow = conditions.slow_every and stats.requests % conditions.slow_every == 0
        reason = self._limit.exceeded(route) if conditions.per_second else None
        if reason:
            stats.rate_limited += 1
            error = errors.rate_limited(reason)
            response = Response.from_error(error)
        else:
            response = self._stripe.answer(path, query)
            stats.rows += response.rows or 0
        wait = conditions.slow_seconds if slow else conditions.latency
        return wait, self._encoded(response, zipped=zipped and conditions.gzip)

    def _take_stats(self) -> bytes:
        stats, self._stats = self._stats, RequestStats()
        used = resource.getrusage(resource.RUSAGE_SELF)
        stats.cpu = used.ru_utime + used.ru_stime
        return msgspec.json.encode(stats)

    def _encoded(self, response: Response, *, zipped: bool) -> bytes:
        body, encoding = response.body, b""
        if zipped:
            body, encoding = gzip.compress(body, compresslevel=1), b"Content-Encoding: gzip\r\n"
        return (
            b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nDate: %b\r\n"
            b"Request-Id: req_Benchmark%d\r\n%bContent-Length: %d\r\n\r\n%b"
        ) % (
            response.status,
            _REASONS[response.status],
            self._date,
            next(self._numbers),
            encoding,
            len(body),
            body,
        )


class Connection(asyncio.Protocol):
    """One connection, kept alive; GET requests only."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a TCP server makes
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every complete request."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            request, _, headers = head.partition(b"\r\n")
            target = request.split(b" ")[1].decode("latin-1").removeprefix(PROXIED)
            path, _, query = target.partition("?")
            zipped = re.search(rb"(?im)^accept-encoding:.*gzip", headers) is not None
            wait, response = self._service.respond(path, query, zipped=zipped)
            if wait:
                asyncio.get_running_loop().call_later(wait, self._send, response)
            else:
                self._send(response)

    def _send(self, response: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(response)


async def serve(load: Load) -> None:
    """Print the port, and serve until standard input ends, as it does when the parent dies."""
    listener = socket.create_server((HOST, 0), backlog=512)
    # Accepted connections inherit both options.
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
