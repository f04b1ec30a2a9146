"""JSON endpoints under /_simulator that control a running simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from tap_stripe_connect.simulator.account import OBJECTS
from tap_stripe_connect.simulator.connect.registry import Client
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.simulator.rate_limit import RateLimit

if TYPE_CHECKING:
    from starlette.requests import Request

    from tap_stripe_connect.simulator.server import Simulator

T = TypeVar("T")


class Time(msgspec.Struct, forbid_unknown_fields=True):
    """A time to set in unix seconds, and seconds to advance."""

    set: int | None = None
    advance: float = 0.0


class Latency(msgspec.Struct, forbid_unknown_fields=True):
    """Seconds that every request takes."""

    seconds: float


class Rates(msgspec.Struct, forbid_unknown_fields=True):
    """Requests per second, in total and per endpoint; no limit without both."""

    per_second: float | None = None
    per_endpoint: float | None = None


class Change(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A change of an object, by default in the platform's account."""

    action: Literal["create", "update", "delete"]
    object: str
    id: str = ""
    fields: dict[str, Any] = {}
    account: str | None = None
    at: int | None = None


class Signup(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An account that can sign in to be connected."""

    account: str
    email: str | None = None
    name: str | None = None
    controlled_by: str | None = None


class Disconnection(msgspec.Struct, forbid_unknown_fields=True):
    """An account whose owner revokes the platform's access."""

    account: str


class Control:
    """The handlers, which all run on the server's thread."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/journal", self.journal, methods=["GET"]),
            Route("/journal", self.clear_journal, methods=["DELETE"]),
            Route("/state", self.state, methods=["GET"]),
            Route("/clock", self.clock, methods=["POST"]),
            Route("/faults", self.faults, methods=["GET"]),
            Route("/faults", self.add_fault, methods=["POST"]),
            Route("/faults", self.clear_faults, methods=["DELETE"]),
            Route("/latency", self.latency, methods=["POST"]),
            Route("/rate_limit", self.rate_limit, methods=["POST"]),
            Route("/change", self.change, methods=["POST"]),
            Route("/client", self.client, methods=["POST"]),
            Route("/signup", self.signup, methods=["POST"]),
            Route("/disconnect", self.disconnect, methods=["POST"]),
        ]

    async def journal(self, _request: Request) -> Response:
        """Return all requests in the journal."""
        return _json(self._simulator.journal.requests)

    async def clear_journal(self, _request: Request) -> Response:
        """Clear the journal."""
        self._simulator.journal.clear()
        return _json({})

    async def state(self, _request: Request) -> Response:
        """Return the time, and the number of objects of each kind in each account."""
        world = self._simulator.world
        counts = {
            account.id: {object_: account.count(object_) for object_ in OBJECTS}
            for account in world.accounts.values()
        }
        return _json({"now": world.clock.now, "livemode": world.livemode, "accounts": counts})

    async def clock(self, request: Request) -> Response:
        """Move the clock and return the time."""
        time = await _body(request, Time)
        clock = self._simulator.world.clock
        if time.set is not None:
            clock.set(time.set)
        return _json({"now": clock.advance(time.advance)})

    async def faults(self, _request: Request) -> Response:
        """Return the active faults, and how often each has fired."""
        return _json(self._simulator.faults.all)

    async def add_fault(self, request: Request) -> Response:
        """Add a fault."""
        return _json(self._simulator.faults.add(await _body(request, Fault)))

    async def clear_faults(self, _request: Request) -> Response:
        """Remove all faults."""
        self._simulator.faults.clear()
        return _json({})

    async def latency(self, request: Request) -> Response:
        """Set the latency of every request."""
        self._simulator.latency = max(0.0, (await _body(request, Latency)).seconds)
        return _json({"seconds": self._simulator.latency})

    async def rate_limit(self, request: Request) -> Response:
        """Set or remove the rate limit."""
        rates = await _body(request, Rates)
        given = {name: rate for name, rate in msgspec.structs.asdict(rates).items() if rate}
        self._simulator.rate_limit = RateLimit(**given) if given else None
        return _json(given)

    async def change(self, request: Request) -> Response:
        """Change an object and return it."""
        change = await _body(request, Change)
        world = self._simulator.world
        account = world.accounts[change.account or world.platform.id]
        if change.action == "create":
            return _json(account.create(change.object, change.fields, at=change.at))
        if change.action == "update":
            return _json(account.update(change.object, change.id, change.fields, at=change.at))
        account.delete(change.object, change.id, at=change.at)
        return _json({})

    async def client(self, request: Request) -> Response:
        """Add or change a client id of Connect, and return it."""
        client = await _body(request, Client)
        return _json(self._simulator.world.connect.add_client(client))

    async def signup(self, request: Request) -> Response:
        """Add or change an account that can sign in, and return Stripe's object of it."""
        given = msgspec.structs.asdict(await _body(request, Signup))
        account = self._simulator.world.add_signup(given.pop("account"), **given)
        return _json(account.document())

    async def disconnect(self, request: Request) -> Response:
        """Revoke the platform's access to an account."""
        self._simulator.world.disconnect((await _body(request, Disconnection)).account)
        return _json({})


def app(simulator: Simulator) -> Starlette:
    """Return the application that controls a simulator."""
    return Starlette(
        routes=Control(simulator).routes(),
        exception_handlers={
            LookupError: _bad_request,
            TypeError: _bad_request,
            ValueError: _bad_request,
        },
    )


async def _body(request: Request, type_: type[T]) -> T:
    return msgspec.json.decode(await request.body(), type=type_)


def _json(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")


def _bad_request(_request: Request, error: Exception) -> Response:
    reason = {"error": {"type": type(error).__name__, "message": str(error)}}
    return Response(msgspec.json.encode(reason), status_code=400, media_type="application/json")
