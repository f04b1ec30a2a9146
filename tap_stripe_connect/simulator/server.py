"""The HTTP server of the simulator."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Self

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from tap_stripe_connect.simulator import connect, control, endpoints, errors, older_version
from tap_stripe_connect.simulator.calls import Call, Response
from tap_stripe_connect.simulator.faults import Faults
from tap_stripe_connect.simulator.identifiers import identifier
from tap_stripe_connect.simulator.journal import Journal, Request

if TYPE_CHECKING:
    from types import TracebackType

    from starlette.types import Receive, Scope, Send

    from tap_stripe_connect.simulator.faults import Fault
    from tap_stripe_connect.simulator.rate_limit import RateLimit
    from tap_stripe_connect.simulator.world import World

HOST = "127.0.0.1"
BACKLOG = 512
GRACE = 1.0
"""Seconds for responses in progress when the simulator stops."""
SEND_BUFFER = 1 << 20
"""Bytes; enough to send a page of large objects at once."""

logger = logging.getLogger(__name__)


class Simulator:
    """A context manager that serves a world on 127.0.0.1 from its own thread."""

    def __init__(self, world: World, *, port: int = 0, latency: float = 0.0) -> None:
        """Use a free port if `port` is 0; `latency` is seconds per request."""
        self.world = world
        self.latency = latency
        self.gzip = False
        """Whether to compress for clients that accept it."""
        self.rate_limit: RateLimit | None = None
        self.journal = Journal()
        self.faults = Faults()
        self._port = port
        self._count = 0
        app = Starlette(routes=[Mount("/_simulator", control.app(self)), Mount("/", self._serve)])
        self._server = _Server(app)

    @property
    def url(self) -> str:
        """The address, without a trailing slash."""
        return f"http://{HOST}:{self._port}"

    @property
    def api_key(self) -> str:
        """A secret key of the platform."""
        return self.world.api_key

    def __enter__(self) -> Self:
        """Start serving; `url` is valid from now on."""
        listener = socket.create_server((HOST, self._port), backlog=BACKLOG)
        # Accepted connections inherit both options; asyncio leaves Nagle's algorithm on.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._port = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="simulator", daemon=True
        )
        self._thread.start()
        self._server.ready.wait()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Stop serving, and abort open requests."""
        self._server.stop()
        self._thread.join()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = _call(scope)
        self._count += 1
        request = self._logged(call)
        self.journal.add(request)
        if call.method == "POST":
            posted = await _body(receive)
            if posted is None:
                return
            call = replace(call, body=posted)
        fault = self.faults.matching(call)
        limited = self._limited(request)
        wait = self.latency + (fault.delay if fault else 0.0)
        if fault is not None and fault.hang:
            await self._hang(receive)
            return
        if wait > 0:
            await self._pause(wait)
        response = self._respond(call, limited, fault)
        head = self._headers(request, response, fault)
        body = response.body
        if self.gzip and "gzip" in call.headers.get("accept-encoding", ""):
            body = gzip.compress(body, compresslevel=1)
            head.append((b"content-encoding", b"gzip"))
        part = body if fault is None else fault.sent_part(body)
        complete = fault is None or not fault.reset
        head.append((b"content-length", b"%d" % len(part if complete else body)))
        self.journal.answered(request, time.monotonic(), response.status, response.rows)
        await send({"type": "http.response.start", "status": response.status, "headers": head})
        await send({"type": "http.response.body", "body": part, "more_body": not complete})

    def _logged(self, call: Call) -> Request:
        found = endpoints.find(call.path)
        return Request(
            at=time.monotonic(),
            moment=self.world.clock.now,
            method=call.method,
            path=call.path,
            template=call.path if found is None else found[0].template,
            query=call.pairs,
            account=call.headers.get("stripe-account"),
            context=call.headers.get("stripe-context"),
            api_version=call.headers.get("stripe-version"),
            request_id=identifier("request", self._count),
        )

    def _limited(self, request: Request) -> Response | None:
        if self.rate_limit is None:
            return None
        reason = self.rate_limit.exceeded(f"{request.method} {request.template}")
        return None if reason is None else Response.from_error(errors.rate_limited(reason))

    def _respond(self, call: Call, limited: Response | None, fault: Fault | None) -> Response:
        if fault is not None:
            replacement = fault.replacement(call)
            if replacement is not None:
                return replacement
            call = fault.modified(call)
        if limited is not None:
            return limited
        answer = connect.answer if call.path in connect.PATHS else endpoints.answer
        try:
            return answer(self.world, call)
        except Exception:
            logger.exception("The simulator failed at %s %s", call.method, call.path)
            return Response.from_error(errors.server_error())

    def _headers(
        self, request: Request, response: Response, fault: Fault | None
    ) -> list[tuple[bytes, bytes]]:
        headers = {
            "content-type": "application/json",
            "date": formatdate(self.world.clock.now, usegmt=True),
            "request-id": request.request_id,
            "stripe-version": request.api_version or older_version.API_VERSION,
        }
        if request.account is not None:
            headers["stripe-account"] = request.account
        headers |= response.headers
        headers |= fault.headers if fault is not None else {}
        return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._server.stopping.wait(), seconds)

    async def _hang(self, receive: Receive) -> None:
        gone = asyncio.create_task(_disconnected(receive))
        stopping = asyncio.create_task(self._server.stopping.wait())
        _, pending = await asyncio.wait((gone, stopping), return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()


class _Server(uvicorn.Server):
    """A server that signals when it is ready, and stops at once."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,
                date_header=False,
                http="httptools",
                lifespan="off",
                log_config=None,
                log_level="critical",
                loop="asyncio",
                server_header=False,
                timeout_keep_alive=60,
                ws="none",
            )
        )
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self.stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        del sockets  # the servers close them
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=GRACE)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        # The event loop closes the sockets.
        await asyncio.sleep(0)

    def stop(self) -> None:
        """Stop serving; called from another thread."""
        self._loop.call_soon_threadsafe(self.stopping.set)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive) -> str | None:
    """Return the body, or None if the client disconnected before its end."""
    parts = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts).decode(errors="replace")


def _call(scope: Scope) -> Call:
    return Call(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers={
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        },
    )
