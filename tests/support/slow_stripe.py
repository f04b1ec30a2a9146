"""Virtual time: the real engine, client and limiter with a slow Stripe.

Computing takes no time, and waiting takes exactly its virtual seconds.
"""

from __future__ import annotations

import heapq
import threading
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from queue import Empty
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec

from tap_stripe_connect.api.client import Client
from tap_stripe_connect.api.rate_limit import Limiter
from tap_stripe_connect.catalog import LISTED, nested_in
from tap_stripe_connect.sync.fetch.engine import Engine
from tap_stripe_connect.sync.fetch.hedging import HedgeTimer
from tap_stripe_connect.sync.plan.backfill import Backfill
from tap_stripe_connect.sync.plan.jobs import Job
from tap_stripe_connect.sync.plan.windows import Window
from tap_stripe_connect.sync.state.ranges import END_OF_TIME

if TYPE_CHECKING:
    import pytest

ROW_BYTES = 3_700
"""Size of a row, as of a charge."""

LONGEST = 10_000.0
"""Virtual seconds after which the run counts as deadlocked."""

EMBEDDED = 10
"""Rows of a nested list that are embedded in their parent."""


class Waiter:
    """A thread that waits for another thread or for the clock."""

    def __init__(self) -> None:
        self.woken = False
        self.up = threading.Event()


class Clock:
    """A clock that advances to the next timeout once all threads wait."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._busy = 1
        self._stuck = False
        self._waiting: set[Waiter] = set()
        self._sleepers: list[tuple[float, int, Waiter]] = []
        self._number = count()
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Return the present moment, in seconds."""
        return self.now

    def wait(self, waiter: Waiter, seconds: float | None) -> None:
        """Block the calling thread until it is woken, or for `seconds`.

        Fails on a deadlock, which real time could not detect, as computing takes some.
        """
        with self._lock:
            if seconds is not None and not waiter.woken:
                heapq.heappush(self._sleepers, (self.now + seconds, next(self._number), waiter))
            self._waiting.add(waiter)
            self._busy -= 1
            self._move_on()
        waiter.up.wait()
        with self._lock:
            self._waiting.discard(waiter)
        assert not self._stuck, "a thread waits forever"

    def wake(self, waiter: Waiter) -> None:
        """Wake a thread; it counts as busy before it runs."""
        with self._lock:
            self._wake(waiter)

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for `seconds`."""
        self.wait(Waiter(), seconds)

    def wake_all(self) -> None:
        """Wake all sleeping threads at once."""
        with self._lock:
            for _, _, waiter in self._sleepers:
                self._wake(waiter)

    def ended(self) -> None:
        """Record that the calling thread ends."""
        with self._lock:
            self._busy -= 1
            self._move_on()

    def _wake(self, waiter: Waiter) -> None:
        if not waiter.woken:
            waiter.woken = True
            self._busy += 1
            waiter.up.set()

    def _move_on(self) -> None:
        while not self._busy and self._sleepers:
            moment, _, waiter = heapq.heappop(self._sleepers)
            if not waiter.woken:
                self.now = max(self.now, moment)
            self._wake(waiter)
        if self.now > LONGEST or not (self._busy or self._sleepers):
            self._stuck = bool(self._waiting)
            for waiter in self._waiting:
                self._wake(waiter)

    # Replacements of the standard library for the engine.

    def monotonic(self) -> float:
        """Return the present moment, as the module `time` would."""
        return self.now

    def process_time(self) -> float:
        """Return 0, as computing takes no time."""
        return 0.0

    def condition(self) -> Condition:
        """Return a condition."""
        return Condition(self)

    def queue(self) -> Queue:
        """Return a queue."""
        return Queue(self)

    def thread(self, **options: Any) -> threading.Thread:
        """Return a thread that counts as busy until it ends."""
        part = options.pop("target")

        def whole() -> None:
            part()
            self.ended()

        with self._lock:
            self._busy += 1
        return threading.Thread(target=whole, **options)


class Condition:
    """A condition variable whose waiters do not count as busy."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[Waiter] = []

    def __enter__(self) -> None:
        """Acquire the lock."""
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self._lock.release()

    def wait(self, timeout: float | None = None) -> None:
        """Release the lock until a notification, or for `timeout` virtual seconds."""
        waiter = Waiter()
        self._waiting.append(waiter)
        self._lock.release()
        try:
            self._clock.wait(waiter, timeout)
        finally:
            self._lock.acquire()

    def notify(self) -> None:
        """Wake the thread that has waited longest."""
        self._waiting = [waiter for waiter in self._waiting if not waiter.woken]
        for waiter in self._waiting[:1]:
            self._clock.wake(waiter)

    def notify_all(self) -> None:
        """Wake all waiting threads."""
        for waiter in self._waiting:
            self._clock.wake(waiter)
        self._waiting.clear()


class Queue:
    """A queue in virtual time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = Condition(clock)
        self._items: list[object] = []

    def put(self, item: object) -> None:
        """Add an item."""
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def get(self, timeout: float) -> object:
        """Return the oldest item; raise Empty after `timeout` virtual seconds."""
        until = self._clock.now + timeout
        with self._changed:
            while not self._items:
                if self._clock.now >= until:
                    raise Empty
                self._changed.wait(until - self._clock.now)
            return self._items.pop(0)


class Stopping(threading.Event):
    """The engine's stop event, which requests await in virtual time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def set(self) -> None:
        """Set the event, and wake all waiting threads."""
        super().set()
        self._clock.wake_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep for `timeout`, and return whether the event is set then."""
        assert timeout is not None
        self._clock.sleep(timeout)
        return self.is_set()


@dataclass(frozen=True)
class Slowness:
    """Latency of the slow Stripe, and its nested lists."""

    seconds: float = 0.3
    """Latency of a response."""
    stalls_every: int = 0
    """Every n-th request takes `stall` seconds; 0 for none."""
    stall: float = 10.0
    lines: int = 0
    """Rows in the nested list of each row; those beyond ten need requests."""
    long: int | None = None
    """Number of newest rows with `lines`; None for all, the others have none."""

    def lines_of(self, place: int) -> int:
        """Return the length of a row's nested list; the newest row has place 0."""
        return self.lines if self.long is None or place < self.long else 0


@dataclass
class Reading:
    """The result of reading lists to their end."""

    rows: dict[str, bytearray] = field(default_factory=dict)
    """Number of times that each row of each list was read."""
    sent: list[float] = field(default_factory=list)
    """When each request was sent, in virtual seconds."""
    nested: Counter[str] = field(default_factory=Counter)
    """Number of requests for each nested list."""
    done: dict[str, float] = field(default_factory=dict)
    """When each list was complete, in virtual seconds from the start."""
    began: float = 0.0
    ended: float = 0.0

    @property
    def seconds(self) -> float:
        """Duration in virtual seconds."""
        return self.ended - self.began


class SlowStripe:
    """Replaces `requests.Session`: lists of any length, with nested lists."""

    def __init__(
        self, clock: Clock, lists: dict[str, list[int]], slowness: Slowness, reading: Reading
    ) -> None:
        # `lists` are creation times, oldest first; requests are recorded in `reading`.
        self._clock = clock
        self._ages = {path: [-moment for moment in reversed(lists[path])] for path in lists}
        self._objects = {one.path: one.object for one in LISTED.values()}
        self._slowness = slowness
        self._reading = reading
        self._numbers = count(1)
        self.headers: dict[str, str] = {}

    def close(self) -> None:
        """Fail, as every response here belongs to its request."""
        raise AssertionError("the client rejected a response as one to another request")

    def get(self, url: str, params: dict[str, str], **_: object) -> SimpleNamespace:
        """Return the response to a request."""
        sent, slowness = self._reading.sent, self._slowness
        sent.append(self._clock())
        stalls = slowness.stalls_every and len(sent) % slowness.stalls_every == 0
        self._clock.sleep(slowness.stall if stalls else slowness.seconds)
        path = url.removeprefix("slow:")
        page, rows = self._page(path, params) if path in self._ages else self._nested(path, params)
        headers = {"Request-Id": f"req_{next(self._numbers)}"}
        content = msgspec.json.encode(page) + b" " * ROW_BYTES * rows
        return SimpleNamespace(status_code=200, content=content, headers=headers)

    def _page(self, path: str, params: dict[str, str]) -> tuple[dict[str, Any], int]:
        ages, kind = self._ages[path], self._objects[path]
        until, since = params.get("created[lt]"), params.get("created[gte]")
        begin = bisect_left(ages, 1 - int(until)) if until else 0
        end = bisect_left(ages, 1 - int(since)) if since else len(ages)
        if cursor := params.get("starting_after"):
            begin = int(cursor.removeprefix("x_")) + 1
        places = range(begin, min(end, begin + int(params["limit"])))
        rows: list[dict[str, Any]] = [
            {"id": f"x_{place}", "object": kind, "created": -ages[place]} for place in places
        ]
        for place, row in zip(places, rows, strict=True):
            count = self._slowness.lines_of(place)
            shown = range(min(count, EMBEDDED))
            lines = [{"id": f"l_{number}", "object": "line_item"} for number in shown]
            url = f"{path}/{row['id']}/lines"
            row["lines"] = {
                "object": "list",
                "data": lines,
                "has_more": count > EMBEDDED,
                "url": url,
            }
        page = {"object": "list", "url": path, "data": rows, "has_more": places.stop < end}
        return page, len(rows)

    def places(self, path: str, start: int, end: int) -> range:
        """Return the places of the rows that were created within [start, end)."""
        ages = self._ages[path]
        return range(bisect_left(ages, 1 - end), bisect_left(ages, 1 - start))

    def _nested(self, path: str, params: dict[str, str]) -> tuple[dict[str, Any], int]:
        self._reading.nested[path] += 1
        begin = int(params.get("starting_after", "l_-1").removeprefix("l_")) + 1
        places = range(begin, min(self._slowness.lines, begin + int(params["limit"])))
        rows = [{"id": f"l_{place}", "object": "line_item"} for place in places]
        more = places.stop < self._slowness.lines
        return {"object": "list", "url": path, "data": rows, "has_more": more}, len(rows)


def read_slowly(
    monkeypatch: pytest.MonkeyPatch,
    lists: dict[str, list[int]],
    budget: float,
    slowness: Slowness = Slowness(),
) -> Reading:
    """Read lists to their end with the engine, and return what was read when."""
    clock = Clock()
    reading = Reading({path: bytearray(len(lists[path])) for path in lists}, began=clock())
    stripe = SlowStripe(clock, lists, slowness, reading)
    package = "tap_stripe_connect"
    monkeypatch.setattr(f"{package}.sync.fetch.engine.HedgeTimer", HedgeTimer)
    threads = SimpleNamespace(Thread=clock.thread, Condition=clock.condition)
    monkeypatch.setattr(f"{package}.api.connections.requests.Session", lambda: stripe)
    monkeypatch.setattr(f"{package}.sync.fetch.workers.threading", threads)
    monkeypatch.setattr(f"{package}.sync.fetch.workers.time", clock)
    monkeypatch.setattr(f"{package}.sync.fetch.engine.threading", threads)
    monkeypatch.setattr(f"{package}.sync.fetch.fetcher.time", clock)
    monkeypatch.setattr(f"{package}.sync.fetch.scheduler.time", clock)
    monkeypatch.setattr(f"{package}.sync.fetch.engine.SimpleQueue", clock.queue)
    stopping = Stopping(clock)
    limiter = Limiter(budget, clock=clock)
    client = Client(
        url="slow:", api_key="sk_test_x", api_version="x", limiter=limiter, stopping=stopping
    )
    engine = Engine(client, stopping)
    for path in lists:
        listed = next(one for one in LISTED.values() if one.path == path)
        streams = frozenset({listed.name, *(one.name for one in nested_in(listed.name))})
        plan = Backfill([Window(0, END_OF_TIME, streams)])
        engine.add([Job(listed, "acct_1Example", None, plan)])
    for arrived in engine.pages():
        if isinstance(arrived, Job):
            assert arrived.failure is None
            reading.done[arrived.listed.path] = clock() - reading.began
        else:
            path = arrived.job.listed.path
            came = reading.rows[path]
            for row in arrived.objects:
                place = int(row["id"].removeprefix("x_"))
                came[place] += 1
                if nested_in(arrived.job.listed.name):
                    assert len(row["lines"]["data"]) == slowness.lines_of(place)
            places = stripe.places(path, *(arrived.covered or (0, 0)))
            assert 0 not in came[places.start : places.stop], "covered before its rows were read"
        reading.ended = clock()
    return reading
