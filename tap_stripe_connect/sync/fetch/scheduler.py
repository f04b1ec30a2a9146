"""What is read next: which unit of which job, as far as there is room for it."""

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
"""What one request reads on."""

AHEAD = 100
"""Nested lists of a job that may wait while another page of it is read: enough to keep their
endpoint busy meanwhile, and few enough that hardly a page waits for them."""


class Scheduler:
    """Chooses among jobs and nested lists; used under the engine's lock only."""

    def __init__(
        self, client: Client, queue: JobQueue, budget: InFlightBudget, patience: HedgeTimer
    ) -> None:
        """Choose among what is on the board."""
        self._client = client
        self._queue = queue
        self._budget = budget
        self._hedge_timer = patience

    def next(self) -> tuple[Job, Unit, int] | None:
        """Hand out what should be read next, with the room that is kept for it.

        Nested lists go first where their endpoint has turns left: pages wait for them.
        """
        queues = self._queue.nested(self._may_go_on)
        for queue in queues:
            if self._client.idle_slots(queue.route, spend=1):
                return self._hand_out_nested(queue)
        job = self._queue.next(self._worth_splitting, self._may_ask)
        weight = job.page_bytes if job else 0
        if job and self._budget.allows(weight):
            if not job.plan.has_waiting:
                self._client.idle_slots(job.route, spend=1)
            return self._hand_out(job, self._queue.hand_out(job), weight)
        if queues:
            return self._hand_out_nested(queues[0])
        if not job and (late := self._late()):
            job, window = late
            return self._hand_out(job, window, job.page_bytes)
        return None

    def _hand_out(
        self, job: Job, unit: Window | RetrieveTask, weight: int
    ) -> tuple[Job, Unit, int]:
        if isinstance(unit, Window):
            unit.asked_at = time.monotonic()
        self._budget.ask(weight)
        return job, unit, weight

    def _hand_out_nested(self, queue: NestedQueue) -> tuple[Job, Unit, int]:
        nested = queue.next()
        if not nested.reserved:
            nested.reserved = queue.expected(nested)
            self._budget.reserve(nested.reserved)
        return nested.job, nested, 0

    def _late(self) -> tuple[Job, Window] | None:
        return self._queue.overtake(
            time.monotonic(), self._hedge_timer.seconds, self._worth_splitting
        )

    def _may_ask(self, job: Job) -> bool:
        """Return whether a page may come before the nested lists of those that came are read."""
        if not job.nests or (not job.nested_waiting and job.nested_in_page == 0):
            return True
        coming = job.plan.readers * (job.nested_in_page or 0)
        return job.nested_waiting + coming <= AHEAD and self._budget.allows_unfinished(
            job.page_bytes
        )

    def _may_go_on(self, queue: NestedQueue) -> bool:
        """Return whether there is room for the first list of a queue, or it has to go on anyway.

        The one that was met first always goes on once it is begun: room comes of it at last.
        """
        nested = queue.first
        if not nested or (self._budget.crowded and not nested.reserved):
            return False
        more = 0 if nested.reserved else queue.expected(nested)
        return queue.first_is_oldest or self._budget.allows_nested(more)

    def unused(self) -> int | None:
        """Return how many more requests there could have been; None if nothing is to be read."""
        queues = self._queue.nested(self._may_go_on)
        unused = [self._client.idle_slots(queue.route) for queue in queues]
        job = self._queue.next(self._worth_splitting, self._may_ask)
        if job and self._budget.allows(job.page_bytes):
            more = self._client.idle_slots(job.route)
            unused.append(min(more, self._budget.pages(job.page_bytes)))
        return max(unused, default=None)

    def _worth_splitting(self, job: Job) -> bool:
        """Tell whether more readers of a list would be faster: its budget is not used up."""
        return self._client.idle_slots(job.route) > 0
