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
from tap_stripe_connect.simulator.calls import Call
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
from tests.property.steps import ACCURATE
from tests.support.harness import Output, TapWithManyStates, selecting

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping

    from tap_stripe_connect.simulator.world import World
    from tap_stripe_connect.sync.fetch.engine import Engine
    from tap_stripe_connect.sync.plan.jobs import Job, Page
    from tests.property.injected_faults import SwappedResponse
    from tests.support.harness import Json

KILLED = -signal.SIGKILL
"""Exit code of a tap that was killed."""
STOPPED = 128 + signal.SIGTERM
"""Exit code of a tap that was stopped by SIGTERM."""
ROWS = 2
"""Largest page here, so that small worlds have many pages."""
MORE_THAN_ANY_LIST = 1_000_000_000
"""More rows than any list has."""


class Killed(BaseException):
    """The tap was killed."""


class Transport:
    """Delivers requests to a simulated Stripe, with faults, and applies steps in between."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.faults = Faults()
        self.swaps: list[SwappedResponse] = []
        self.clocks = ACCURATE
        self.kill_at: int | None = None
        """Number of the request at which the tap is killed."""
        self.sent = 0
        self.meanwhile: Callable[[int], None] = lambda _number: None
        """Called before each request with its number in the run."""
        self.stop_at: int | None = None
        """Number of the request at which the tap gets SIGTERM."""
        self.stop: Callable[[], None] = lambda: None
        self.written = 0
        """Bytes that had gone out when the tap was killed."""
        self._out = io.BytesIO()
        self._last: tuple[Call, requests.Response] | None = None
        self._with_account: set[str] = set()

    def begin(self, out: io.BytesIO) -> None:
        """Reset for another run, which writes to `out`."""
        self.sent = 0
        self._out = out
        self._last = None
        self._with_account.clear()

    def own_clock(self) -> float:
        """Return what the tap's own clock shows, in unix seconds."""
        return self.world.clock.now + self.clocks.own

    def get(self, path: str, query: str, headers: Mapping[str, str]) -> requests.Response:
        """Return the response to a request, or raise the injected error."""
        self.sent += 1
        if self.sent == self.kill_at:
            self.written = len(self._out.getbuffer())
            raise Killed
        if self.sent == self.stop_at:
            self.stop()
        self.meanwhile(self.sent)
        call = Call("GET", path, query, headers)
        last = self._last
        for swap in self.swaps:
            call = swap.request_for(self.world, call, last and last[0], self._with_account)
        if last and call is last[0]:
            return last[1]
        response = self._answer(call)
        self._last = call, response
        return response

    def _answer(self, call: Call) -> requests.Response:
        fault = self.faults.matching(call)
        reply = fault.replacement(call) if fault else None
        if reply is None:
            modified = fault.modified(call) if fault else call
            reply = endpoints.answer(self.world, _with_small_limit(modified))
        if fault and fault.reset:
            raise requests.ConnectionError("reset")
        response = requests.Response()
        response.status_code = reply.status
        response._content = fault.sent_part(reply.body) if fault else reply.body
        response.headers = CaseInsensitiveDict(reply.headers)
        if self.clocks.date is not None:
            shown = self.world.clock.now + self.clocks.date
            response.headers["Date"] = formatdate(shown, usegmt=True)
        response.headers.setdefault("Request-Id", f"req_{self.sent}")
        if account := call.headers.get("stripe-account"):
            response.headers.setdefault("Stripe-Account", account)
            self._with_account.add(call.path)
        return response


def _with_small_limit(call: Call) -> Call:
    """Return the request with a limit of at most `ROWS`."""
    pairs = [
        (name, str(min(ROWS, int(value))) if name == "limit" else value)
        for name, value in call.pairs
    ]
    return Call(call.method, call.path, urlencode(pairs), call.headers)


class _Session:
    """Replaces `requests.Session` in the tap's client."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
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
        return self._transport.get(path, urlencode(params), plain)

    def close(self) -> None:
        """Do nothing: there is no connection."""


class _IdleError(Exception):
    """A worker would have to wait."""


class _SingleThreaded:
    """A condition variable without other threads."""

    def __enter__(self) -> None:
        """Do nothing: there is no other thread."""

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def notify(self) -> None:
        """Do nothing: no thread waits."""

    notify_all = notify

    def wait(self, timeout: float | None) -> None:
        """Raise: no other thread could notify this one."""
        del timeout
        raise _IdleError


@dataclass
class RunOptions:
    """How the tap runs: workers take turns in a random order instead of being threads."""

    workers: int
    chance: random.Random
    hedging: bool = False
    """Whether each request is hedged at once."""
    full_table: str = ""
    """A stream with FULL_TABLE replication, if any."""


def interleaved(options: RunOptions) -> Callable[[Engine], Iterator[Page | Job]]:
    """Return an `Engine.pages` whose workers take turns in a random order."""
    workers, chance = options.workers, options.chance

    def pages(self: Engine) -> Iterator[Page | Job]:
        self._condition = self._fetcher.condition = _SingleThreaded()  # type: ignore[assignment]
        under_way: list[Any] = []
        try:
            while self._unfinished:
                with contextlib.suppress(_IdleError):
                    while len(under_way) < workers:
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
def _fast(*, hedging: bool) -> Iterator[None]:
    """Skip waiting and constant work, and shrink limits."""
    # Only idle workers hedge.
    worth_splitting = MORE_THAN_ANY_LIST if hedging else 1
    with (
        mock.patch.object(StripeStream, "schema_messages", return_value=()),
        # The SDK copies a STATE field by field before it is encoded.
        mock.patch.object(StateMessage, "to_dict", _as_is),
        mock.patch.object(Progress, "reporting", contextlib.nullcontext),
        mock.patch.object(client, "version", return_value="0", create=True),
        mock.patch.object(client.Client, "backoff", 0.0),
        mock.patch.object(client.Client, "attempts", 4),
        # Other tests disable hedging; time is virtual here.
        mock.patch.object(engine_module, "HedgeTimer", HedgeTimer),
        mock.patch.object(writer, "STATE_COST_FACTOR", 0),
        mock.patch.object(windows, "MIN_ROWS_TO_SPLIT", worth_splitting),
        mock.patch.object(windows, "PAGE_SIZE", ROWS),
        mock.patch.object(backfill, "PART_ROWS", 3),
        mock.patch.object(feed, "BATCH_OBJECTS", 2),
        mock.patch.object(nested, "PARTIAL_PAGE_BYTES", 1),
    ):
        yield


class _FakeTime:
    """Replaces the module `time` where latency is measured."""

    def __init__(self, *, hedging: bool) -> None:
        self._now, self._step = 0.0, 1_000.0 * hedging

    def monotonic(self) -> float:
        self._now += self._step
        return self._now


_taps: dict[tuple[str, ...], TapWithManyStates] = {}


def run_tap(
    transport: Transport,
    config: Json,
    streams: tuple[str, ...],
    state: Json | None,
    options: RunOptions,
) -> Output:
    """Run the tap over the transport; taps are cached by selection, as building one is slow."""
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
            FULL_TABLE if name == options.full_table else LOG_BASED
        )
    transport.begin(stdout.buffer)
    ticking = _FakeTime(hedging=options.hedging)
    transport.stop = lambda: tap._handle_termination(signal.SIGTERM, None)
    with (
        contextlib.redirect_stdout(stdout),
        _fast(hedging=options.hedging),
        mock.patch.object(requests, "Session", side_effect=partial(_Session, transport)),
        mock.patch.object(time, "time", transport.own_clock),
        mock.patch.object(
            client.Client, "wall_clock", staticmethod(transport.own_clock), create=True
        ),
        mock.patch.object(fetcher, "time", ticking),
        mock.patch.object(scheduler, "time", ticking),
        mock.patch.object(engine_module.Engine, "pages", interleaved(options)),
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
        # The tap still flushed while it unwound; a killed one would not have.
        written = written[: transport.written]
    assert not written or written.endswith(b"\n")
    output.messages = [msgspec.json.decode(line) for line in written.splitlines()]
    return output
