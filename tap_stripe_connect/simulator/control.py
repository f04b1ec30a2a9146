"""Control of a simulator that runs as a process of its own, as JSON under /_simulator."""

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
    """Where to move the clock, in unix seconds, or by how many seconds."""

    set: int | None = None
    advance: float = 0.0


class Latency(msgspec.Struct, forbid_unknown_fields=True):
    """How many seconds every request takes."""

    seconds: float


class Rates(msgspec.Struct, forbid_unknown_fields=True):
    """Requests per second, in all and of one endpoint; without both there is no limit."""

    per_second: float | None = None
    per_endpoint: float | None = None


class Change(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Something that happens to an object, on the platform unless said otherwise."""

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
    """An account whose owner takes the platform's access away."""

    account: str


class Control:
    """The answers, all given on the thread that serves."""

    def __init__(self, simulator: Simulator) -> None:
        """Control a simulator."""
        self._simulator = simulator

    def routes(self) -> list[Route]:
        """List what there is."""
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
        """Return every request that was noted."""
        return _json(self._simulator.journal.requests)

    async def clear_journal(self, _request: Request) -> Response:
        """Forget every request that was noted."""
        self._simulator.journal.clear()
        return _json({})

    async def state(self, _request: Request) -> Response:
        """Return the time, and how many objects of which kind each account has."""
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
        """Return the faults in force, and how often each has fired."""
        return _json(self._simulator.faults.all)

    async def add_fault(self, request: Request) -> Response:
        """Put a fault in force."""
        return _json(self._simulator.faults.add(await _body(request, Fault)))

    async def clear_faults(self, _request: Request) -> Response:
        """Let everything go right again."""
        self._simulator.faults.clear()
        return _json({})

    async def latency(self, request: Request) -> Response:
        """Set how long every request takes."""
        self._simulator.latency = max(0.0, (await _body(request, Latency)).seconds)
        return _json({"seconds": self._simulator.latency})

    async def rate_limit(self, request: Request) -> Response:
        """Set or lift the limit of requests per second."""
        rates = await _body(request, Rates)
        given = {name: rate for name, rate in msgspec.structs.asdict(rates).items() if rate}
        self._simulator.rate_limit = RateLimit(**given) if given else None
        return _json(given)

    async def change(self, request: Request) -> Response:
        """Let something happen to an object, and return the object."""
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
        """Add or change an account that can sign in, and return it as Stripe shows it."""
        given = msgspec.structs.asdict(await _body(request, Signup))
        account = self._simulator.world.add_signup(given.pop("account"), **given)
        return _json(account.document())

    async def disconnect(self, request: Request) -> Response:
        """Take away the platform's access to an account."""
        self._simulator.world.disconnect((await _body(request, Disconnection)).account)
        return _json({})


def app(simulator: Simulator) -> Starlette:
    """Return the application that controls a simulator."""
    return Starlette(
        routes=Control(simulator).routes(),
        exception_handlers={LookupError: _refuse, TypeError: _refuse, ValueError: _refuse},
    )


async def _body(request: Request, type_: type[T]) -> T:
    return msgspec.json.decode(await request.body(), type=type_)


def _json(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")


def _refuse(_request: Request, error: Exception) -> Response:
    reason = {"error": {"type": type(error).__name__, "message": str(error)}}
    return Response(msgspec.json.encode(reason), status_code=400, media_type="application/json")
