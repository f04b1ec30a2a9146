"""The tap over a simulated Stripe without sockets and threads: fast, and the same every time."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import time
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from queue import Empty
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import urlencode

import msgspec
import requests
from requests.structures import CaseInsensitiveDict
from singer_sdk.singerlib import StateMessage

from tap_stripe_connect import settings
from tap_stripe_connect.api import client
from tap_stripe_connect.api.errors import ErrorAction, StripeError
from tap_stripe_connect.simulator import endpoints
from tap_stripe_connect.simulator.answers import Call
from tap_stripe_connect.simulator.faults import Faults
from tap_stripe_connect.streams import FULL_TABLE, LOG_BASED, StripeStream
from tap_stripe_connect.sync.emit import writer
from tap_stripe_connect.sync.emit.messages import MessageWriter
from tap_stripe_connect.sync.fetch import engine as engine_module
from tap_stripe_connect.sync.fetch import fetcher, nested, scheduler
from tap_stripe_connect.sync.fetch.hedging import HedgeTimer
from tap_stripe_connect.sync.plan import backfill, feed, windows
from tap_stripe_connect.sync.report.progress import Progress
from tap_stripe_connect.sync.signals import Signals
from tap_stripe_connect.sync.state.format import Bookmarks
from tests.property.steps import RIGHT
from tests.support.harness import Output, TapWithManyStates, selecting

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping

    from tap_stripe_connect.simulator.world import World
    from tap_stripe_connect.sync.fetch.engine import Engine
    from tap_stripe_connect.sync.plan.jobs import Job, Page
    from tests.property.trouble import MixUp
    from tests.support.harness import Json

KILLED = -signal.SIGKILL
"""Exit code of a tap that was killed."""
STOPPED = 128 + signal.SIGTERM
"""Exit code of a tap that was asked to stop."""
ROWS = 2
"""The most that a page holds here, so that small worlds have many."""
UNENDING = 1_000_000_000
"""More rows than any list has."""


class Killed(BaseException):
    """The tap was killed at this moment."""


class Wire:
    """Carries requests to a world, with its faults, and runs what happens meanwhile."""

    def __init__(self, world: World) -> None:
        """Begin with an undisturbed line."""
        self.world = world
        self.faults = Faults()
        self.mix_ups: list[MixUp] = []
        self.clocks = RIGHT
        self.kill_at: int | None = None
        """Number of the request at which the tap is killed."""
        self.sent = 0
        self.meanwhile: Callable[[int], None] = lambda _number: None
        """Called before each request with its number in the run."""
        self.stop_at: int | None = None
        """Number of the request at which the tap is asked to stop."""
        self.stop: Callable[[], None] = lambda: None
        self.written = 0
        """Bytes that had gone out when the tap was killed."""
        self._out = io.BytesIO()
        self._last: tuple[Call, requests.Response] | None = None
        self._naming: set[str] = set()

    def begin(self, out: io.BytesIO) -> None:
        """Carry another run's requests; what the run writes goes to `out`."""
        self.sent = 0
        self._out = out
        self._last = None
        self._naming.clear()

    def own_clock(self) -> float:
        """Return what the tap's own clock shows, in unix seconds."""
        return self.world.clock.now + self.clocks.own

    def get(self, path: str, query: str, headers: Mapping[str, str]) -> requests.Response:
        """Answer a request, or raise what a broken line gives."""
        self.sent += 1
        if self.sent == self.kill_at:
            self.written = len(self._out.getbuffer())
            raise Killed
        if self.sent == self.stop_at:
            self.stop()
        self.meanwhile(self.sent)
        call = Call("GET", path, query, headers)
        last = self._last
        for mix_up in self.mix_ups:
            call = mix_up.asked(self.world, call, last and last[0], self._naming)
        if last and call is last[0]:
            return last[1]
        response = self._answer(call)
        self._last = call, response
        return response

    def _answer(self, call: Call) -> requests.Response:
        fault = self.faults.hitting(call)
        reply = fault.instead(call) if fault else None
        if reply is None:
            asked = fault.asked(call) if fault else call
            reply = endpoints.answer(self.world, _shorter(asked))
        if fault and fault.reset:
            raise requests.ConnectionError("reset")
        response = requests.Response()
        response.status_code = reply.status
        response._content = fault.sent(reply.body) if fault else reply.body
        response.headers = CaseInsensitiveDict(reply.headers)
        if self.clocks.date is not None:
            shown = self.world.clock.now + self.clocks.date
            response.headers["Date"] = formatdate(shown, usegmt=True)
        response.headers.setdefault("Request-Id", f"req_{self.sent}")
        if account := call.headers.get("stripe-account"):
            response.headers.setdefault("Stripe-Account", account)
            self._naming.add(call.path)
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


@dataclass
class Manner:
    """How the tap runs: readers take turns by chance instead of being threads."""

    readers: int
    chance: random.Random
    hasty: bool = False
    """Whether each request is taken to be late, and sent once more."""
    anew: str = ""
    """A stream that is loaded from the beginning."""


def interleaved(manner: Manner) -> Callable[[Engine], Iterator[Page | Job]]:
    """Return an `Engine.pages` whose readers take turns by chance instead of being threads."""
    readers, chance = manner.readers, manner.chance

    def pages(self: Engine) -> Iterator[Page | Job]:
        self._condition = self._fetcher.condition = _Alone()  # type: ignore[assignment]
        under_way: list[Any] = []
        try:
            while self._unfinished:
                with contextlib.suppress(_IdleError):
                    while len(under_way) < readers:
                        under_way.append(self._acquire())
                if under_way and (self._results.empty() or chance.random() < 0.6):
                    job, unit, weight = under_way.pop(chance.randrange(len(under_way)))
                    try:
                        self._fetcher.fetch(job, unit, weight)
                    except StripeError as error:
                        if error.action is ErrorAction.STOP:
                            raise
                        self._fetcher.fail(job, unit, error, weight)
                    continue
                try:
                    arrived = self._results.get_nowait()
                except Empty:
                    raise AssertionError("the engine waits for nothing") from None
                if self._woken or arrived is None:
                    return
                assert not isinstance(arrived, BaseException)
                yield arrived
                if hasattr(arrived, "weight"):
                    self._page_written(arrived.weight)
                else:
                    self._unfinished -= 1
        finally:
            self.stop()

    return pages


def _as_is(message: StateMessage) -> Json:
    return {"type": message.type, "value": message.value}


@contextlib.contextmanager
def _quick(*, hasty: bool) -> Iterator[None]:
    """Leave out what takes time and is always the same, and all waiting."""
    # Only who finds no other work asks for a page once more.
    worth_splitting = UNENDING if hasty else 1
    with (
        mock.patch.object(StripeStream, "schema_messages", return_value=()),
        # The SDK copies a STATE field by field before it is encoded.
        mock.patch.object(StateMessage, "to_dict", _as_is),
        mock.patch.object(Progress, "reporting", contextlib.nullcontext),
        mock.patch.object(client, "version", return_value="0", create=True),
        mock.patch.object(client.Client, "backoff", 0.0),
        mock.patch.object(client.Client, "attempts", 4),
        # Time is virtual here, so answers may be late whatever the other tests do.
        mock.patch.object(engine_module, "HedgeTimer", HedgeTimer),
        mock.patch.object(writer, "STATE_SHARE", 0),
        mock.patch.object(windows, "MIN_ROWS_TO_SPLIT", worth_splitting),
        mock.patch.object(windows, "PAGE_SIZE", ROWS),
        mock.patch.object(backfill, "PART_ROWS", 3),
        mock.patch.object(feed, "BATCH_OBJECTS", 2),
        mock.patch.object(nested, "PARTIAL_PAGE_BYTES", 1),
    ):
        yield


class _Time:
    """Stands in for the module `time` where it is measured how late answers are."""

    def __init__(self, *, hasty: bool) -> None:
        self._now, self._step = 0.0, 1_000.0 * hasty

    def monotonic(self) -> float:
        self._now += self._step
        return self._now


_taps: dict[tuple[str, ...], TapWithManyStates] = {}


def run_tap(
    wire: Wire,
    config: Json,
    streams: tuple[str, ...],
    state: Json | None,
    manner: Manner,
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
    tap._signals = Signals()
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    assert isinstance(stdout.buffer, io.BytesIO)
    output = Output()
    for name in streams:
        tap.streams[name].forced_replication_method = (
            FULL_TABLE if name == manner.anew else LOG_BASED
        )
    wire.begin(stdout.buffer)
    ticking = _Time(hasty=manner.hasty)
    wire.stop = lambda: tap._handle_termination(signal.SIGTERM, None)
    with (
        contextlib.redirect_stdout(stdout),
        _quick(hasty=manner.hasty),
        mock.patch.object(requests, "Session", side_effect=partial(_Session, wire)),
        mock.patch.object(time, "time", wire.own_clock),
        mock.patch.object(client.Client, "wall_clock", staticmethod(wire.own_clock), create=True),
        mock.patch.object(fetcher, "time", ticking),
        mock.patch.object(scheduler, "time", ticking),
        mock.patch.object(engine_module.Engine, "pages", interleaved(manner)),
    ):
        try:
            tap.sync_all()
        except SystemExit as left:
            output.exit_code = int(left.code or 0)
        except StripeError as error:
            output.exit_code, output.log = 1, str(error)
        except Killed:
            output.exit_code = KILLED
    stdout.flush()
    written = stdout.buffer.getvalue()
    if output.exit_code == KILLED:
        # What went out while the tap came to an end had not gone out when it was killed.
        written = written[: wire.written]
    assert not written or written.endswith(b"\n")
    output.messages = [msgspec.json.decode(line) for line in written.splitlines()]
    return output
