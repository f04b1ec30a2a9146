"""The tap over a simulated Stripe without sockets and threads: fast, and the same every time."""

from __future__ import annotations

import contextlib
import io
import json
from email.utils import formatdate
from functools import partial
from queue import Empty
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import urlencode

import requests
from requests.structures import CaseInsensitiveDict

from tap_stripe_connect import settings
from tap_stripe_connect.api import client
from tap_stripe_connect.api.errors import StripeError, Verdict
from tap_stripe_connect.simulator import endpoints
from tap_stripe_connect.simulator.answers import Call
from tap_stripe_connect.simulator.faults import Faults
from tap_stripe_connect.streams import StripeStream
from tap_stripe_connect.sync import engine as engine_module
from tap_stripe_connect.sync import transfer, windows
from tap_stripe_connect.sync.bookmarks import Bookmarks
from tap_stripe_connect.sync.messages import MessageWriter
from tests.harness import Output, TapWithManyStates, parsed, selecting

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping

    from tap_stripe_connect.simulator.world import World
    from tap_stripe_connect.sync.engine import Engine
    from tap_stripe_connect.sync.jobs import Job, Page
    from tests.harness import Json

ROWS = 2
"""The most that a page holds here, so that small worlds have many."""


class Wire:
    """Carries requests to a world, with its faults, and runs what happens meanwhile."""

    def __init__(self, world: World) -> None:
        """Begin with an undisturbed line."""
        self.world = world
        self.faults = Faults()
        self.sent = 0
        self.meanwhile: Callable[[int], None] = lambda _number: None
        """Called before each request with its number in the run."""

    def get(self, path: str, query: str, headers: Mapping[str, str]) -> requests.Response:
        """Answer a request, or raise what a broken line gives."""
        self.sent += 1
        self.meanwhile(self.sent)
        call = Call("GET", path, query, headers)
        fault = self.faults.hitting(call)
        reply = fault.instead(call) if fault else None
        if reply is None:
            reply = endpoints.answer(self.world, _shorter(call))
        if fault and fault.reset:
            raise requests.ConnectionError("reset")
        response = requests.Response()
        response.status_code = reply.status
        response._content = fault.sent(reply.body) if fault else reply.body
        response.headers = CaseInsensitiveDict(reply.headers)
        response.headers["Date"] = formatdate(self.world.clock.now, usegmt=True)
        response.headers.setdefault("Request-Id", f"req_{self.sent}")
        if account := headers.get("stripe-account"):
            response.headers.setdefault("Stripe-Account", account)
        return response


def _shorter(call: Call) -> Call:
    """Return a request for at most `ROWS`."""
    pairs = [
        (name, str(min(ROWS, int(value))) if name == "limit" else value)
        for name, value in call.pairs
    ]
    return Call(call.method, call.path, urlencode(pairs), call.headers)


class _Session:
    """Looks like a session of requests to the tap's client."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.headers: dict[str, str] = {}
        self.auth: Callable[[Any], Any] = lambda request: request

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str],
        headers: Mapping[str, str] | None,
        timeout: object,
        allow_redirects: bool,
    ) -> requests.Response:
        del timeout, allow_redirects
        request = requests.PreparedRequest()
        request.headers = CaseInsensitiveDict({**self.headers, **(headers or {})})
        self.auth(request)
        path = url.removeprefix("http://127.0.0.1:1")
        plain = {name.lower(): str(value) for name, value in request.headers.items()}
        return self._wire.get(path, urlencode(params), plain)

    def close(self) -> None:
        """Nothing is left on a line that is none."""


class _IdleError(Exception):
    """A reader would have to wait."""


class _Alone:
    """A condition in a world without other threads."""

    def __enter__(self) -> None:
        """Nobody else can come in."""

    def __exit__(self, *_: object) -> None:
        """Nobody waits outside."""

    def notify(self) -> None:
        """Nobody listens."""

    notify_all = notify

    def wait(self, timeout: float | None) -> None:
        """Nobody else will change anything."""
        del timeout
        raise _IdleError


def interleaved(readers: int, chance: random.Random) -> Callable[[Engine], Iterator[Page | Job]]:
    """Return an `Engine.pages` whose readers take turns by chance instead of being threads."""

    def pages(self: Engine) -> Iterator[Page | Job]:
        self._changed = _Alone()  # type: ignore[assignment]
        under_way: list[Any] = []
        try:
            while self._unfinished:
                with contextlib.suppress(_IdleError):
                    while len(under_way) < readers:
                        under_way.append(self._next_unit())
                if under_way and (self._arrived.empty() or chance.random() < 0.6):
                    job, unit, weight = under_way.pop(chance.randrange(len(under_way)))
                    try:
                        self._fetch(job, unit, weight)
                    except StripeError as error:
                        if error.verdict is Verdict.STOP:
                            raise
                        self._fail(job, unit, error, weight)
                    continue
                try:
                    arrived = self._arrived.get_nowait()
                except Empty:
                    raise AssertionError("the engine waits for nothing") from None
                assert arrived is not None
                assert not isinstance(arrived, BaseException)
                yield arrived
                if hasattr(arrived, "weight"):
                    self._release(arrived.weight)
                else:
                    self._unfinished -= 1
        finally:
            self.stop()

    return pages


_taps: dict[tuple[str, ...], TapWithManyStates] = {}


def run_tap(
    wire: Wire,
    config: Json,
    streams: tuple[str, ...],
    state: Json | None,
    pages: Callable[[Engine], Iterator[Page | Job]],
) -> Output:
    """Run the tap over the wire; a tap is built once for each selection, which takes a while."""
    tap = _taps.get(streams)
    if tap is None:
        tap = _taps[streams] = TapWithManyStates(
            config={"api_key": "sk_test_simulator"}, catalog=selecting(*streams)
        )
    tap.settings = settings.parse({"api_url": "http://127.0.0.1:1", **config})
    tap.bookmarks = Bookmarks(json.loads(json.dumps(state or {})))
    tap._writer = MessageWriter()
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    output = Output()
    wire.sent = 0
    with (
        contextlib.redirect_stdout(stdout),
        # Always the same, and most of a small run's time.
        mock.patch.object(StripeStream, "schema_messages", return_value=()),
        mock.patch.object(requests, "Session", side_effect=partial(_Session, wire)),
        mock.patch.object(client.Client, "backoff", 0.0),
        mock.patch.object(client.Client, "attempts", 4),
        mock.patch.object(engine_module.Engine, "pages", pages),
        mock.patch.object(transfer, "STATE_SHARE", 0),
        mock.patch.object(windows, "ROWS_WORTH_SPLITTING", 1),
    ):
        try:
            tap.sync_all()
        except SystemExit as left:
            output.exit_code = int(left.code or 0)
        except StripeError as error:
            output.exit_code, output.log = 1, str(error)
    stdout.flush()
    assert isinstance(stdout.buffer, io.BytesIO)
    output.messages = parsed(stdout.buffer.getvalue())
    return output
