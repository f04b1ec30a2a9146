"""The fetch engine: worker threads run jobs concurrently, the main thread receives whole pages."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from tap_stripe_connect.api.client import Interrupted
from tap_stripe_connect.api.errors import ErrorAction, StripeError
from tap_stripe_connect.sync.fetch.backpressure import InFlightBudget
from tap_stripe_connect.sync.fetch.fetcher import Fetcher
from tap_stripe_connect.sync.fetch.hedging import HedgeTimer
from tap_stripe_connect.sync.fetch.job_queue import JobQueue
from tap_stripe_connect.sync.fetch.scheduler import Scheduler
from tap_stripe_connect.sync.fetch.workers import CPU_SAMPLE_SECONDS, WorkerPool
from tap_stripe_connect.sync.plan.jobs import Page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_stripe_connect.api.client import Client
    from tap_stripe_connect.sync.fetch.fetcher import Results
    from tap_stripe_connect.sync.fetch.scheduler import Unit
    from tap_stripe_connect.sync.plan.jobs import Job

HEDGE_POLL_SECONDS = 0.25
"""Interval at which an idle worker checks whether a request should be hedged."""


class Engine:
    """Runs jobs concurrently and yields pages as they arrive."""

    def __init__(self, client: Client, stopping: threading.Event) -> None:
        """Set up the engine; `pages` sends the first request."""
        self._stopping = stopping
        self._condition = threading.Condition()
        self._workers = WorkerPool(self._run_worker)
        self._unfinished = 0
        self._queue = JobQueue()
        self._budget = InFlightBudget()
        hedge_timer = HedgeTimer()
        self._scheduler = Scheduler(client, self._queue, self._budget, hedge_timer)
        self._row_bytes_by_list: dict[str, float] = {}
        self._woken = False
        self._polling = False
        self._results: Results = SimpleQueue()
        self._fetcher = Fetcher(
            client, self._condition, self._queue, self._budget, hedge_timer, self._results
        )

    def add(self, jobs: Sequence[Job]) -> None:
        """Add jobs; call it from the thread that iterates over `pages`."""
        if not jobs:
            return  # most pages lead to none, and all idle workers would wake in vain
        with self._condition:
            for job in jobs:
                self._unfinished += 1
                job.row_bytes_by_list = self._row_bytes_by_list
                if job.plan.done:
                    self._results.put(job)
                else:
                    self._queue.add(job)
            self._condition.notify_all()

    def pages(self) -> Iterator[Page | Job]:
        """Yield pages, and each job when it is done or has failed.

        A page counts as written once the next item is requested from the iterator. Raises errors
        that end the whole run. Closing the iterator early stops the workers.
        """
        self._workers.start()
        try:
            while self._unfinished:
                try:
                    result = self._results.get(timeout=CPU_SAMPLE_SECONDS)
                except Empty:
                    with self._condition:
                        self._scale_up(spare=1)
                    continue
                if self._woken or result is None:
                    return
                if isinstance(result, BaseException):
                    raise result
                yield result
                if isinstance(result, Page):
                    self._page_written(result.weight)
                else:
                    self._unfinished -= 1
        finally:
            self.stop()
            self._workers.join(1.0)

    def wake(self) -> None:
        """End `pages` after the current page; safe inside a signal handler."""
        # SimpleQueue.put is reentrant. A lock or an Event used here could already be held.
        self._woken = True
        self._results.put(None)

    def stop(self) -> None:
        """Stop the workers; requests in flight are abandoned."""
        self._stopping.set()
        with self._condition:
            self._condition.notify_all()

    def _run_worker(self) -> None:
        """Fetch pages until the engine stops; the body of a worker thread."""
        try:
            while self._run_once():
                pass
        except Interrupted:
            pass
        except BaseException as error:  # noqa: BLE001 - the main thread raises it again
            self._results.put(error)

    def _run_once(self) -> bool:
        """Make one request; return False once the engine stops.

        This is a separate method so that an idle worker keeps no reference to its last page.
        """
        acquired = self._acquire()
        if not acquired:
            return False
        job, unit, weight = acquired
        try:
            self._fetcher.fetch(job, unit, weight)
        except StripeError as error:
            if error.action is ErrorAction.STOP:
                raise
            self._fetcher.fail(job, unit, error, weight)
        return True

    def _acquire(self) -> tuple[Job, Unit, int] | None:
        """Wait for a unit of work and budget for its page; return None when the engine stops."""
        with self._condition:
            while not self._stopping.is_set():
                if acquired := self._scheduler.acquire():
                    self._scale_up()
                    # There may be work for the next idle worker, too.
                    self._condition.notify()
                    return acquired
                self._wait_for_work()
            return None

    def _wait_for_work(self) -> None:
        """Wait until there may be work; called with the lock held.

        One of the idle workers polls, because nothing notifies it when a request becomes slow.
        """
        polls, self._polling = not self._polling, True
        self._workers.idle += 1
        self._condition.wait(HEDGE_POLL_SECONDS if polls else None)
        self._workers.idle -= 1
        if polls:
            self._polling = False

    def _scale_up(self, spare: int = 0) -> None:
        """Start workers if the rate limit has slack and none is idle; called with the lock held.

        If nothing is ready to be read, start `spare` workers, which can hedge slow requests.
        """
        if not self._workers.idle and not self._budget.congested:
            requests = self._scheduler.spare_requests()
            self._workers.scale_up(spare if requests is None else requests)

    def _page_written(self, weight: int) -> None:
        with self._condition:
            self._budget.written(weight)
            self._condition.notify()
