"""Progress lines: how much of a run is done, how fast it goes, how long it will take."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tap_stripe_connect.api.rate_limit import PER_ENDPOINT
from tap_stripe_connect.catalog.endpoints import PAGE_SIZE
from tap_stripe_connect.sync.plan.backfill import Backfill
from tap_stripe_connect.sync.plan.jobs import Purpose
from tap_stripe_connect.sync.plan.refetch import RefetchWork
from tap_stripe_connect.sync.report.estimate import Estimate
from tap_stripe_connect.sync.report.time_left import WorkLeft, seconds_left

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tap_stripe_connect.api.request_stats import Cost, RequestStats
    from tap_stripe_connect.sync.plan.jobs import Job, Page
    from tap_stripe_connect.sync.report.time_left import Group

logger = logging.getLogger(__name__)

INTERVAL = 30.0
"""Seconds between two lines."""

MINUTE, HOUR, DAY = 60, 3600, 86_400


class Part:
    """How much of one job has been written, and how much is left."""

    def __init__(self, job: Job, until: int) -> None:
        """Start at no rows; nothing is created after `until`, in unix seconds."""
        plan = job.plan
        self.group = job.listed.name, job.purpose
        self.started = False
        self._objects = 0
        self._wanted = plan.objects if isinstance(plan, RefetchWork) else 0
        self._estimate = Estimate(plan.wanted if isinstance(plan, Backfill) else (), until)

    def wrote(self, page: Page) -> None:
        """Count a page."""
        found = len(page.objects) + len(page.absent)
        self.started = True
        self._objects += found
        if page.covered:
            self._estimate.read(page.covered, found)

    def work(self, *, finished: bool = False) -> WorkLeft:
        """Return how things stand, in pages; one page more for having begun at all."""
        done = 1 + self._objects / PAGE_SIZE
        if finished:
            return WorkLeft(done)
        rows, uncertainty = self._estimate.rows_left()
        rows += max(0, self._wanted - self._objects)
        return WorkLeft(done, rows / PAGE_SIZE, uncertainty / PAGE_SIZE)


class Progress:
    """Measures a run as it goes on, and tells of it at intervals."""

    def __init__(
        self,
        request_stats: RequestStats,
        *,
        per_endpoint: float = PER_ENDPOINT,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        """Begin; `wait` returns True as soon as the event is set, False after so many seconds.

        `per_endpoint` is the number of requests a second that one endpoint can get.
        """
        self._request_stats = request_stats
        self._per_endpoint = per_endpoint
        self._clock = clock
        self._wait = wait
        self._lock = threading.Lock()
        self._open: dict[Job, Part] = {}
        self._closed = 0
        self._closed_work: defaultdict[Group, WorkLeft] = defaultdict(WorkLeft)
        self._rows = 0
        self._latest: Page | None = None
        self._started_at = self._reported_at = self._progressed_at = clock()
        self._rows_reported = 0
        self._cost_reported = request_stats.total()

    # What happens, told by the thread that writes

    def expect(self, jobs: Iterable[Job], until: int) -> None:
        """Add work to come; nothing is created after `until`, in unix seconds."""
        with self._lock:
            self._open |= {job: Part(job, until) for job in jobs if not job.plan.done}

    def wrote(self, page: Page, rows: int) -> None:
        """Record a page whose rows have been written."""
        with self._lock:
            self._rows += rows
            self._latest = page
            self._progressed_at = self._clock()
            if part := self._open.get(page.job):
                part.wrote(page)

    def finished(self, job: Job) -> None:
        """Record that a job is done."""
        with self._lock:
            if part := self._open.pop(job, None):
                self._closed += 1
                self._closed_work[part.group].add(part.work(finished=True))

    # What is told of it

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Log a line at each interval, also while the writer waits for Stripe or for the target."""
        over = threading.Event()
        reporter = threading.Thread(target=self._report, args=(over,), name="progress", daemon=True)
        with suppress(RuntimeError):  # a system that allows no more threads
            reporter.start()
        try:
            yield
        finally:
            over.set()
            if reporter.ident is not None:
                reporter.join(timeout=1.0)

    def _report(self, over: threading.Event) -> None:
        while not self._wait(over, INTERVAL):
            logger.info(self.line())

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._started_at

    def line(self) -> str:
        """Return how things stand now; speeds are those since the last line."""
        cost = self._request_stats.total()
        with self._lock:
            now = self._clock()
            passed = max(now - self._reported_at, 0.001)
            works = self._work_by_group()
            parts = [
                f"{_fraction_done(works):.0%} read" if works else "nothing read yet",
                f"{self._rows:,} rows ({(self._rows - self._rows_reported) / passed:,.0f}/s)",
                self._requests_text(cost, passed),
            ]
            if works:
                parts.append(self._time_left_text(works, now))
            if self._latest:
                parts.append(_position(self._latest))
            if now - self._progressed_at >= INTERVAL:
                parts.append(f"nothing new for {duration(now - self._progressed_at)}")
            self._reported_at, self._rows_reported, self._cost_reported = now, self._rows, cost
            return f"Progress after {duration(now - self._started_at)}: {', '.join(parts)}"

    def _requests_text(self, cost: Cost, passed: float) -> str:
        text = f"{cost.requests:,} requests ({self._requests_since(cost) / passed:,.0f}/s)"
        if cost.retries:
            text += f", {cost.retries:,} retries ({duration(cost.waited)} waited)"
        return text

    def _requests_since(self, cost: Cost) -> int:
        return cost.requests - self._cost_reported.requests

    def _work_by_group(self) -> dict[Group, WorkLeft]:
        """Return how things stand with each list; nothing while nothing can be said.

        Jobs that have not begun are taken to be like those that have.
        """
        started = [part for part in self._open.values() if part.started]
        number = len(started) + self._closed
        if not number:
            return {}
        works: defaultdict[Group, WorkLeft] = defaultdict(WorkLeft)
        for group, work in self._closed_work.items():
            works[group].add(work)
        for part in started:
            works[part.group].add(part.work())
        whole = WorkLeft()
        for work in works.values():
            whole.add(work)
        usual = WorkLeft(0.0, (whole.done + whole.left) / number, whole.uncertainty / number)
        for part in self._open.values():
            if not part.started:
                works[part.group].add(usual)
        return works

    def _time_left_text(self, works: Mapping[Group, WorkLeft], now: float) -> str:
        """Return how long it will take, or at most where much lies in times nobody has seen."""
        left = sum(work.left for work in works.values())
        uncertainty = sum(work.uncertainty for work in works.values())
        words = "about"
        if uncertainty > left / 2:
            words = "at most about"
            works = {
                group: WorkLeft(work.done, work.left + work.uncertainty)
                for group, work in works.items()
            }
        elapsed = now - self._started_at
        costs = self._request_stats.costs()
        return f"{words} {duration(seconds_left(works, costs, elapsed, self._per_endpoint))} left"


def _fraction_done(works: Mapping[Group, WorkLeft]) -> float:
    """Return the part of all pages that has been read."""
    done = sum(work.done for work in works.values())
    return min(done / (done + sum(work.left for work in works.values())), 0.99)


def _position(page: Page) -> str:
    """Return where a page lies, in words."""
    job = page.job
    if job.purpose is Purpose.REFETCH:
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
