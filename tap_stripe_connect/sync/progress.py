"""Progress lines: how much of a run is done, how fast it goes, how long it will take (G6)."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tap_stripe_connect.api.client import PAGE_SIZE
from tap_stripe_connect.sync.jobs import Purpose
from tap_stripe_connect.sync.windows import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_stripe_connect.api.tally import Cost, Tally
    from tap_stripe_connect.sync.jobs import Job, Page

logger = logging.getLogger(__name__)

INTERVAL = 30.0
"""Seconds between two lines."""

MINUTE, HOUR, DAY = 60, 3600, 86_400


@dataclass
class Part:
    """How much of one job is done."""

    extent: int
    """What there was to read at first, in seconds of creation time or in objects."""
    done: int = 0
    """What of it has been written."""
    objects: int = 0

    @property
    def work(self) -> float:
        """What has been done, in pages; nothing before the first page."""
        return 1 + self.objects / PAGE_SIZE if self.done else 0.0

    @property
    def expected(self) -> float:
        """What it will have been in the end if objects lie as densely as those read so far."""
        if not self.done:
            return 0.0
        return 1 + self.objects / PAGE_SIZE * max(1.0, self.extent / self.done)


class Progress:
    """Measures a run as it goes on, and tells of it at intervals."""

    def __init__(
        self,
        tally: Tally,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        """Begin; `wait` returns True as soon as the event is set, False after so many seconds."""
        self._tally = tally
        self._clock = clock
        self._wait = wait
        self._lock = threading.Lock()
        self._until = 0
        self._open: dict[Job, Part] = {}
        self._closed = 0
        self._closed_work = 0.0
        self._rows = 0
        self._latest: Page | None = None
        self._begun = self._told = self._moved = clock()
        self._rows_told = 0
        self._cost_told = tally.total()

    # What happens, told by the thread that writes

    def expect(self, jobs: Iterable[Job], until: int) -> None:
        """Take note of work to come; nothing is created after `until`, in unix seconds."""
        with self._lock:
            self._until = until
            self._open |= {job: Part(job.plan.extent(until)) for job in jobs if not job.plan.done}

    def wrote(self, page: Page, rows: int) -> None:
        """Take note of a page whose rows have been written."""
        with self._lock:
            self._rows += rows
            self._latest = page
            self._moved = self._clock()
            if part := self._open.get(page.job):
                found = len(page.objects) + len(page.absent)
                part.objects += found
                if page.job.purpose is Purpose.REREAD:
                    part.done += found
                elif page.covered:
                    part.done += seconds(page.covered, self._until)

    def finished(self, job: Job) -> None:
        """Take note that nothing more comes of a job."""
        with self._lock:
            if part := self._open.pop(job, None):
                self._closed += 1
                self._closed_work += 1 + part.objects / PAGE_SIZE

    # What is told of it

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Log a line at each interval, also while the writer waits for Stripe or for the target."""
        over = threading.Event()
        teller = threading.Thread(target=self._tell, args=(over,), name="progress", daemon=True)
        with suppress(RuntimeError):  # a system that allows no more threads
            teller.start()
        try:
            yield
        finally:
            over.set()
            if teller.ident is not None:
                teller.join(timeout=1.0)

    def _tell(self, over: threading.Event) -> None:
        while not self._wait(over, INTERVAL):
            logger.info(self.line())

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._begun

    def line(self) -> str:
        """Return how things stand now; speeds are those since the last line."""
        cost = self._tally.total()
        with self._lock:
            now = self._clock()
            passed = max(now - self._told, 0.001)
            share = self._share()
            parts = [
                f"{share:.0%} read" if share is not None else "nothing read yet",
                f"{self._rows:,} rows ({(self._rows - self._rows_told) / passed:,.0f}/s)",
                self._asked(cost, passed),
            ]
            if share:
                left = (now - self._begun) * (1 - share) / share
                parts.append(f"about {duration(left)} left")
            if self._latest:
                parts.append(_place(self._latest))
            if now - self._moved >= INTERVAL:
                parts.append(f"nothing new for {duration(now - self._moved)}")
            self._told, self._rows_told, self._cost_told = now, self._rows, cost
            return f"Progress after {duration(now - self._begun)}: {', '.join(parts)}"

    def _asked(self, cost: Cost, passed: float) -> str:
        told = f"{cost.requests:,} requests ({self._since(cost) / passed:,.0f}/s)"
        if cost.retries:
            told += f", {cost.retries:,} retries ({duration(cost.waited)} waited)"
        return told

    def _since(self, cost: Cost) -> int:
        return cost.requests - self._cost_told.requests

    def _share(self) -> float | None:
        """Return the part of all pages that has been read; None while nothing can be said.

        Jobs that have not begun are taken to be like those that have.
        """
        begun = [part for part in self._open.values() if part.done]
        number = len(begun) + self._closed
        if not number:
            return None
        expected = self._closed_work + sum(part.expected for part in begun)
        expected += (len(self._open) - len(begun)) * expected / number
        done = self._closed_work + sum(part.work for part in begun)
        return min(done / expected, 0.99)


def _place(page: Page) -> str:
    """Return where a page lies, in words."""
    job = page.job
    if job.purpose is Purpose.REREAD:
        return f"re-reading changed {job.listed.name} of {job.account}"
    moment = datetime.fromtimestamp(page.covered[0], UTC) if page.covered else None
    if job.purpose is Purpose.FEED:
        back = f" back to {moment:%Y-%m-%d %H:%M}" if moment else ""
        return f"events of {job.account} read{back}"
    created = f" created {moment:%Y-%m-%d}" if moment else ""
    return f"at {job.listed.name} of {job.account}{created}"


def duration(length: float) -> str:
    """Return seconds in the units that people use."""
    whole = round(length)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    if whole < 2 * DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"
    return f"{whole // DAY} days"
