"""Reads many windows of many lists at once: threads fetch, the main thread takes whole pages."""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from tap_stripe_connect.api.client import Interrupted
from tap_stripe_connect.api.errors import ErrorAction, StripeError, says_missing, says_no_cursor
from tap_stripe_connect.sync.fetch import requests
from tap_stripe_connect.sync.fetch.backpressure import InFlightBudget
from tap_stripe_connect.sync.fetch.hedging import HedgeTimer
from tap_stripe_connect.sync.fetch.job_queue import JobQueue
from tap_stripe_connect.sync.fetch.nested import (
    NestedList,
    UnfinishedPage,
    truncated_lists,
    last_unfinished,
)
from tap_stripe_connect.sync.fetch.scheduler import Scheduler
from tap_stripe_connect.sync.fetch.workers import CPU_SAMPLE_SECONDS, WorkerPool
from tap_stripe_connect.sync.plan.jobs import Job, Page
from tap_stripe_connect.sync.plan.refetch import RetrieveTask
from tap_stripe_connect.sync.plan.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_stripe_connect.api.client import Client
    from tap_stripe_connect.api.responses import ListPage
    from tap_stripe_connect.sync.fetch.scheduler import Unit

MAX_STALLED_RESTARTS = 3
"""Times that a list may lose its cursor without getting on before it is given up (C12)."""

HEDGE_POLL_SECONDS = 0.25
"""Seconds after which readers without work look whether a request takes too long."""


class Engine:
    """Works jobs off, several requests at a time, and hands out pages as they come."""

    def __init__(self, client: Client, stopping: threading.Event) -> None:
        """Prepare to read; nothing is asked for before `pages` is begun."""
        self._client = client
        self._stopping = stopping
        self._changed = threading.Condition()
        self._workers = WorkerPool(self._read)
        self._unfinished = 0
        self._queue = JobQueue()
        self._budget = InFlightBudget()
        self._hedge_timer = HedgeTimer()
        self._scheduler = Scheduler(client, self._queue, self._budget, self._hedge_timer)
        self._weights: dict[str, float] = {}
        self._woken = False
        self._watched = False
        self._arrived: SimpleQueue[Page | Job | BaseException | None] = SimpleQueue()

    def add(self, jobs: Iterable[Job]) -> None:
        """Take on more work; for the thread that iterates over `pages`."""
        with self._changed:
            for job in jobs:
                self._unfinished += 1
                job.row_bytes_by_list = self._weights
                if job.plan.done:
                    self._arrived.put(job)
                else:
                    self._queue.add(job)
            self._changed.notify_all()

    def pages(self) -> Iterator[Page | Job]:
        """Yield pages, and each job when it is done or has failed.

        A page counts as written once the next one is asked for. Raises what stops the
        whole run; leaving the iterator early stops the readers.
        """
        self._workers.start()
        try:
            while self._unfinished:
                try:
                    arrived = self._arrived.get(timeout=CPU_SAMPLE_SECONDS)
                except Empty:
                    with self._changed:
                        self._hire(spare=1)
                    continue
                if self._woken or arrived is None:
                    return
                if isinstance(arrived, BaseException):
                    raise arrived
                yield arrived
                if isinstance(arrived, Page):
                    self._release(arrived.weight)
                else:
                    self._unfinished -= 1
        finally:
            self.stop()
            self._workers.join(1.0)

    def wake(self) -> None:
        """Make `pages` end after the page being handled; safe inside a signal handler."""
        # SimpleQueue.put is reentrant; a lock or an Event taken here could already be held.
        self._woken = True
        self._arrived.put(None)

    def stop(self) -> None:
        """Tell the readers to end; requests in flight are given up."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def _read(self) -> None:
        """Fetch pages until the engine stops; the body of a reader thread."""
        try:
            while self._read_one():
                pass
        except Interrupted:
            pass
        except BaseException as error:  # noqa: BLE001 - the main thread raises it again
            self._arrived.put(error)

    def _read_one(self) -> bool:
        """Make one request; False once the engine stops.

        A method of its own, so that a reader that waits holds on to nothing it has read.
        """
        found = self._next_unit()
        if not found:
            return False
        job, unit, weight = found
        try:
            self._fetch(job, unit, weight)
        except StripeError as error:
            if error.action is ErrorAction.STOP:
                raise
            self._fail(job, unit, error, weight)
        return True

    def _next_unit(self) -> tuple[Job, Unit, int] | None:
        """Wait for something to read and room for its page; None when the engine stops."""
        with self._changed:
            while not self._stopping.is_set():
                if found := self._scheduler.acquire():
                    self._hire()
                    # Where one found something there may be something for the next.
                    self._changed.notify()
                    return found
                self._idle()
            return None

    def _idle(self) -> None:
        """Wait until there may be something to read; called under the lock.

        One of those who wait looks from time to time; nobody tells when an answer is late.
        """
        watching, self._watched = not self._watched, True
        self._workers.idle += 1
        self._changed.wait(HEDGE_POLL_SECONDS if watching else None)
        self._workers.idle -= 1
        if watching:
            self._watched = False

    def _hire(self, spare: int = 0) -> None:
        """Start readers where the budget was not used up for want of them; under the lock.

        Where nothing comes for a while, `spare` ones wait for what else there may be to do, be it
        to ask once more for a page that is late.
        """
        if not self._workers.idle and not self._budget.congested:
            unused = self._scheduler.spare_requests()
            self._workers.scale_up(spare if unused is None else unused)

    # Reading

    def _fetch(self, job: Job, unit: Unit, weight: int) -> None:
        """Make one request and hand over what it gave."""
        if isinstance(unit, NestedList):
            self._read_nested(job, unit)
        elif isinstance(unit, RetrieveTask):
            found, size = requests.retrieved(self._client, job, unit)
            with self._changed:
                job.observe(1 if found else 0, size)
                if found:
                    page = Page(job, unit.streams, [found], weight=size)
                else:
                    page = Page(job, unit.streams, [], absent=(unit.id,), weight=size)
                self._take(job, unit, page, weight)
        elif listing := self._list(job, unit, weight):
            with self._changed:
                kept, covered = unit.take(listing.rows, has_more=listing.has_more)
                size = listing.size * len(kept) // max(1, len(listing.rows))
                covers = covered if unit.wanted is None else None
                self._take(job, unit, Page(job, unit.streams, kept, covers, weight=size), weight)

    def _list(self, job: Job, window: Window, weight: int) -> ListPage | None:
        """Ask for the next page; None if the window has to be asked in another form."""
        size = job.page_size
        try:
            listing = requests.page(self._client, job, window, size)
        except StripeError as error:
            dead_cursor = window.cursor is not None and says_no_cursor(error)
            final = error.action is not ErrorAction.RETRY or size == 1
            if window.stalled_restarts >= MAX_STALLED_RESTARTS if dead_cursor else final:
                raise
            with self._changed:
                if dead_cursor:
                    window.restart()
                else:
                    job.page_failed(size)
                self._budget.release(weight)
                if not job.failure and not window.superseded:
                    job.plan.retry(window)
                    self._queue.release(job)
                self._changed.notify()
            return None
        with self._changed:
            # Of a page that was asked for once more it is known that it is late.
            if not window.superseded:
                self._hedge_timer.observe(time.monotonic() - window.requested_at)
            job.page_succeeded()
            job.observe(len(listing.rows), listing.size)
        return listing

    def _take(self, job: Job, unit: Window | RetrieveTask, page: Page, weight: int) -> None:
        """Pass a page on, or keep it until its nested lists have come; called under the lock."""
        lists = truncated_lists(job, page.streams, page.objects)
        self._budget.release(weight)
        if not job.failure and not _is_lost(job, unit):
            job.nested_in_page = len(lists)
            before = last_unfinished(unit.unfinished) if isinstance(unit, Window) else None
            if lists:
                before = UnfinishedPage(page, lists, before)
                job.unfinished.add(before)
                self._budget.hold_unfinished(before.weight)
                self._queue.add_nested(lists)
            else:
                self._hand_over(before.absorb_claim(page) if before else page)
            if isinstance(unit, Window):
                unit.unfinished = before
            job.plan.release(unit)
            self._queue.release(job)
            if job.done:
                self._arrived.put(job)
        self._changed.notify()

    def _read_nested(self, job: Job, nested: NestedList) -> None:
        """Read a page of a nested list; its object is passed on once all of it has come."""
        listing, vanished = None, False
        try:
            listing = requests.nested_page(self._client, nested)
        except StripeError as error:
            dead_cursor = nested.cursor is not None and says_no_cursor(error)
            vanished = not dead_cursor and says_missing(error, nested.owner["id"])
            if nested.restarts >= MAX_STALLED_RESTARTS if dead_cursor else not vanished:
                raise
        with self._changed:
            queue = self._queue.release_nested(nested)
            if nested.page not in job.unfinished:
                # The job has failed, or another list has told that the object is gone.
                self._forget(nested)
            elif vanished or (listing and nested.take(listing)):
                if not vanished:
                    queue.observe(nested)
                self._forget(nested)
                self._complete(job, nested, vanished=vanished)
            else:
                if not listing:
                    nested.restart()
                more = max(0, nested.size - nested.reserved)
                nested.reserved += more
                self._budget.reserve_nested(more)
                queue.add(nested)
            self._changed.notify()

    def _complete(self, job: Job, nested: NestedList, *, vanished: bool) -> None:
        """Pass on what a nested list was the last to be waited for; called under the lock."""
        page = nested.page
        held = page.weight
        part = page.vanished(nested) if vanished else page.completed(nested)
        self._budget.hold_unfinished(page.weight - held)
        if part:
            self._hand_over(part)
        if page.finished:
            job.unfinished.remove(page)
            self._queue.release(job)
            if job.done:
                self._arrived.put(job)

    def _hand_over(self, page: Page) -> None:
        self._budget.received(page.weight)
        self._arrived.put(page)

    def _forget(self, nested: NestedList) -> None:
        """Give up the room of a nested list that is not read on."""
        self._budget.reserve_nested(-nested.reserved)
        nested.reserved = 0

    # Failures, and what has been written

    def _fail(self, job: Job, unit: Unit, error: StripeError, weight: int) -> None:
        """Give a job up, or all of its account; the others go on."""
        with self._changed:
            self._budget.release(weight)
            if isinstance(unit, NestedList):
                self._queue.release_nested(unit)
                self._forget(unit)
            if not job.failure and not _is_lost(job, unit):
                whole_account = error.action is ErrorAction.SKIP_ACCOUNT
                for one in self._queue.of_account(job.account) if whole_account else [job]:
                    self._give_up(one, error)
            self._changed.notify()

    def _give_up(self, job: Job, error: StripeError) -> None:
        job.failure = error
        self._budget.hold_unfinished(-sum(page.weight for page in job.unfinished))
        for nested in self._queue.cancel(job):
            self._forget(nested)
        self._arrived.put(job)

    def _release(self, weight: int) -> None:
        with self._changed:
            self._budget.written(weight)
            self._changed.notify()


def _is_lost(job: Job, unit: Unit) -> bool:
    """Return whether nobody waits for a unit any more, because of what came meanwhile."""
    if isinstance(unit, NestedList):
        return unit.page not in job.unfinished
    return isinstance(unit, Window) and unit.superseded
