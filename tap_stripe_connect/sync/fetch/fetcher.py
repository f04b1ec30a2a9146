"""One request of a worker: fetches a unit of work and passes on what it completes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tap_stripe_connect.api.errors import ErrorAction, StripeError, says_missing, says_no_cursor
from tap_stripe_connect.sync.fetch import requests
from tap_stripe_connect.sync.fetch.nested import (
    NestedList,
    UnfinishedPage,
    last_unfinished,
    truncated_lists,
)
from tap_stripe_connect.sync.plan.jobs import Job, Page
from tap_stripe_connect.sync.plan.refetch import RetrieveTask
from tap_stripe_connect.sync.plan.windows import Window

if TYPE_CHECKING:
    import threading
    from queue import SimpleQueue

    from tap_stripe_connect.api.client import Client
    from tap_stripe_connect.api.responses import ListPage
    from tap_stripe_connect.sync.fetch.backpressure import InFlightBudget
    from tap_stripe_connect.sync.fetch.hedging import HedgeTimer
    from tap_stripe_connect.sync.fetch.job_queue import JobQueue
    from tap_stripe_connect.sync.fetch.scheduler import Unit

    Results = SimpleQueue[Page | Job | BaseException | None]

MAX_STALLED_RESTARTS = 3
"""Restarts without progress after which a list whose cursor keeps expiring fails."""


class Fetcher:
    """Fetches units of work; many workers use it at the same time.

    Requests are made without the lock. Everything else changes under `condition`.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - it connects the parts of the engine
        self,
        client: Client,
        condition: threading.Condition,
        queue: JobQueue,
        budget: InFlightBudget,
        hedge_timer: HedgeTimer,
        results: Results,
    ) -> None:
        self.condition = condition
        self._client = client
        self._queue = queue
        self._budget = budget
        self._hedge_timer = hedge_timer
        self._results = results

    def fetch(self, job: Job, unit: Unit, weight: int) -> None:
        """Make one request; `weight` is the budget that was reserved for it."""
        if isinstance(unit, NestedList):
            self._fetch_nested(job, unit)
        elif isinstance(unit, RetrieveTask):
            value, size = requests.retrieved(self._client, job, unit)
            with self.condition:
                job.observe(1 if value else 0, size)
                if value:
                    page = Page(job, unit.streams, [value], weight=size)
                else:
                    page = Page(job, unit.streams, [], absent=(unit.id,), weight=size)
                self._accept(job, unit, page, weight)
        elif listing := self._fetch_page(job, unit, weight):
            with self.condition:
                matched, covered = unit.take(listing.rows, has_more=listing.has_more)
                size = listing.size * len(matched) // max(1, len(listing.rows))
                covered_by_page = covered if unit.wanted is None else None
                page = Page(job, unit.streams, matched, covered_by_page, weight=size)
                self._accept(job, unit, page, weight)

    def _fetch_page(self, job: Job, window: Window, weight: int) -> ListPage | None:
        """Return the next page of a window; None if the request has to be made differently."""
        size = job.page_size
        try:
            listing = requests.page(self._client, job, window, size)
        except StripeError as error:
            cursor_expired = window.cursor is not None and says_no_cursor(error)
            final = error.action is not ErrorAction.RETRY or size == 1
            if window.stalled_restarts >= MAX_STALLED_RESTARTS if cursor_expired else final:
                raise
            with self.condition:
                if cursor_expired:
                    window.restart()
                else:
                    job.page_failed(size)
                self._budget.release(weight)
                if not job.failure and not window.superseded:
                    job.plan.retry(window)
                    self._queue.release(job)
                self.condition.notify()
            return None
        with self.condition:
            # A hedged request is known to be slow, so its latency is not typical.
            if not window.superseded:
                self._hedge_timer.observe(time.monotonic() - window.requested_at)
            job.page_succeeded()
            job.observe(len(listing.rows), listing.size)
        return listing

    def _accept(self, job: Job, unit: Window | RetrieveTask, page: Page, weight: int) -> None:
        """Pass a page on, or hold it until its nested lists arrive; called with the lock held."""
        lists = truncated_lists(job, page.streams, page.objects)
        self._budget.release(weight)
        if not job.failure and not _is_superseded(job, unit):
            job.nested_in_page = len(lists)
            previous = last_unfinished(unit.unfinished) if isinstance(unit, Window) else None
            if lists:
                previous = UnfinishedPage(page, lists, previous)
                job.unfinished.add(previous)
                self._budget.hold_unfinished(previous.weight)
                self._queue.add_nested(lists)
            else:
                self._deliver(previous.absorb_claim(page) if previous else page)
            if isinstance(unit, Window):
                unit.unfinished = previous
            job.plan.release(unit)
            self._queue.release(job)
            if job.done:
                self._results.put(job)
        self.condition.notify()

    def _fetch_nested(self, job: Job, nested: NestedList) -> None:
        """Fetch a page of a nested list; its parent is passed on once all its lists are read."""
        listing, vanished = None, False
        try:
            listing = requests.nested_page(self._client, nested)
        except StripeError as error:
            cursor_expired = nested.cursor is not None and says_no_cursor(error)
            vanished = not cursor_expired and says_missing(error, nested.owner["id"])
            if nested.restarts >= MAX_STALLED_RESTARTS if cursor_expired else not vanished:
                raise
        with self.condition:
            queue = self._queue.release_nested(nested)
            if nested.page not in job.unfinished:
                # The job has failed, or another list showed that the parent no longer exists.
                self._release_nested(nested)
            elif vanished or (listing and nested.take(listing)):
                if not vanished:
                    queue.observe(nested)
                self._release_nested(nested)
                self._complete_nested(job, nested, vanished=vanished)
            else:
                if not listing:
                    nested.restart()
                more = max(0, nested.size - nested.reserved)
                nested.reserved += more
                self._budget.reserve_nested(more)
                queue.add(nested)
            self.condition.notify()

    def _complete_nested(self, job: Job, nested: NestedList, *, vanished: bool) -> None:
        """Deliver what the end of a nested list completes; called with the lock held."""
        page = nested.page
        held = page.weight
        part = page.vanished(nested) if vanished else page.completed(nested)
        self._budget.hold_unfinished(page.weight - held)
        if part:
            self._deliver(part)
        if page.finished:
            job.unfinished.remove(page)
            self._queue.release(job)
            if job.done:
                self._results.put(job)

    def _deliver(self, page: Page) -> None:
        self._budget.received(page.weight)
        self._results.put(page)

    def _release_nested(self, nested: NestedList) -> None:
        """Release the budget of a nested list that is not read any further."""
        self._budget.reserve_nested(-nested.reserved)
        nested.reserved = 0

    def fail(self, job: Job, unit: Unit, error: StripeError, weight: int) -> None:
        """Fail a job, or all jobs of its account; the others continue."""
        with self.condition:
            self._budget.release(weight)
            if isinstance(unit, NestedList):
                self._queue.release_nested(unit)
                self._release_nested(unit)
            if not job.failure and not _is_superseded(job, unit):
                whole_account = error.action is ErrorAction.SKIP_ACCOUNT
                for one in self._queue.of_account(job.account) if whole_account else [job]:
                    self._cancel(one, error)
            self.condition.notify()

    def _cancel(self, job: Job, error: StripeError) -> None:
        job.failure = error
        self._budget.hold_unfinished(-sum(page.weight for page in job.unfinished))
        for nested in self._queue.cancel(job):
            self._release_nested(nested)
        self._results.put(job)


def _is_superseded(job: Job, unit: Unit) -> bool:
    """Return whether the result of a unit is no longer needed."""
    if isinstance(unit, NestedList):
        return unit.page not in job.unfinished
    return isinstance(unit, Window) and unit.superseded
