"""Scheduling: which unit of work is fetched next, within the rate limits and the byte budget."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tap_stripe_connect.sync.fetch.nested import NestedList
from tap_stripe_connect.sync.plan.refetch import RetrieveTask
from tap_stripe_connect.sync.plan.windows import Window

if TYPE_CHECKING:
    from tap_stripe_connect.api.client import Client
    from tap_stripe_connect.sync.fetch.backpressure import InFlightBudget
    from tap_stripe_connect.sync.fetch.hedging import HedgeTimer
    from tap_stripe_connect.sync.fetch.job_queue import JobQueue
    from tap_stripe_connect.sync.fetch.nested import NestedQueue
    from tap_stripe_connect.sync.plan.jobs import Job

Unit = Window | RetrieveTask | NestedList
"""What one request advances."""

MAX_NESTED_AHEAD = 100
"""Nested lists of a job that may wait while it requests another page.

That is enough to keep their endpoint busy, and few enough that pages hardly ever wait for them.
"""


class Scheduler:
    """Chooses among jobs and nested lists; used with the engine's lock held."""

    def __init__(
        self, client: Client, queue: JobQueue, budget: InFlightBudget, hedge_timer: HedgeTimer
    ) -> None:
        self._client = client
        self._queue = queue
        self._budget = budget
        self._hedge_timer = hedge_timer

    def acquire(self) -> tuple[Job, Unit, int] | None:
        """Return what to fetch next and the budget reserved for it; None if nothing is ready.

        Nested lists come first if their endpoint has spare requests, because pages wait for them.
        """
        queues = self._queue.ready_nested(self._can_continue)
        for queue in queues:
            if self._client.idle_slots(queue.route, spend=1):
                return self._assign_nested(queue)
        job = self._queue.peek(self._has_spare_requests, self._can_request_page)
        weight = job.page_bytes if job else 0
        if job and self._budget.can_request(weight):
            if not job.plan.has_waiting:
                self._client.idle_slots(job.route, spend=1)
            return self._assign(job, self._queue.acquire(job), weight)
        if queues:
            return self._assign_nested(queues[0])
        if not job and (hedged := self._hedge()):
            job, window = hedged
            return self._assign(job, window, job.page_bytes)
        return None

    def _assign(self, job: Job, unit: Window | RetrieveTask, weight: int) -> tuple[Job, Unit, int]:
        if isinstance(unit, Window):
            unit.requested_at = time.monotonic()
        self._budget.reserve(weight)
        return job, unit, weight

    def _assign_nested(self, queue: NestedQueue) -> tuple[Job, Unit, int]:
        nested = queue.acquire()
        if not nested.reserved:
            nested.reserved = queue.expected_bytes(nested)
            self._budget.reserve_nested(nested.reserved)
        return nested.job, nested, 0

    def _hedge(self) -> tuple[Job, Window] | None:
        return self._queue.hedge(
            time.monotonic(), self._hedge_timer.delay, self._has_spare_requests
        )

    def _can_request_page(self, job: Job) -> bool:
        """Return whether a page may arrive before the nested lists of earlier pages are read."""
        if not job.has_nested_lists or (not job.nested_waiting and job.nested_in_page == 0):
            return True
        coming = job.plan.workers * (job.nested_in_page or 0)
        return job.nested_waiting + coming <= MAX_NESTED_AHEAD and self._budget.can_hold_unfinished(
            job.page_bytes
        )

    def _can_continue(self, queue: NestedQueue) -> bool:
        """Return whether the first list of a queue may be read now.

        The oldest list always continues once it is started, so that its budget is released.
        """
        nested = queue.first
        if not nested or (self._budget.congested and not nested.reserved):
            return False
        more = 0 if nested.reserved else queue.expected_bytes(nested)
        return queue.first_is_oldest or self._budget.can_read_nested(more)

    def spare_requests(self) -> int | None:
        """Return how many more requests could be in flight; None if nothing is ready."""
        queues = self._queue.ready_nested(self._can_continue)
        spare = [self._client.idle_slots(queue.route) for queue in queues]
        job = self._queue.peek(self._has_spare_requests, self._can_request_page)
        if job and self._budget.can_request(job.page_bytes):
            more = self._client.idle_slots(job.route)
            spare.append(min(more, self._budget.spare_requests(job.page_bytes)))
        return max(spare, default=None)

    def _has_spare_requests(self, job: Job) -> bool:
        """Return whether another worker would help, i.e. the list's rate limit has slack."""
        return self._client.idle_slots(job.route) > 0
