"""The job queue: which job gets the next free worker."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tap_stripe_connect.sync.fetch.nested import NestedQueue
from tap_stripe_connect.sync.plan.jobs import Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_stripe_connect.sync.fetch.nested import NestedList
    from tap_stripe_connect.sync.plan.jobs import Job
    from tap_stripe_connect.sync.plan.refetch import RetrieveTask
    from tap_stripe_connect.sync.plan.windows import Window

PRIORITIES = (
    Purpose.REFETCH,
    Purpose.LAST_EVENT,
    Purpose.LOOK_BACK,
    Purpose.FEED,
    Purpose.LOAD,
    Purpose.CHECK,
)
"""Changes come before long loads, across all accounts."""


class JobQueue:
    """Priority queue of unfinished jobs; its cost does not grow with the number of accounts.

    Jobs without a worker wait in queues by priority. There are never more active jobs than
    workers; the active job with the fewest workers gets the next one, so lists are read in
    parallel.
    """

    def __init__(self) -> None:
        self._idle: dict[tuple[Purpose, bool], deque[Job]] = {
            (purpose, nests): deque() for purpose in PRIORITIES for nests in (False, True)
        }
        """By purpose, and by whether their objects contain nested lists."""
        self._active: list[Job] = []
        """Jobs with a worker, or with pages that wait for nested lists."""
        self._nested: dict[str, NestedQueue] = {}
        """By endpoint."""
        self._added = 0

    def add(self, job: Job) -> None:
        """Enqueue a job."""
        job.number = self._added
        self._added += 1
        self._idle[job.purpose, job.has_nested_lists].append(job)

    def peek(
        self, has_spare_requests: Callable[[Job], bool], allowed: Callable[[Job], bool]
    ) -> Job | None:
        """Return the `allowed` job that should get the next worker; None if none can use one."""
        for purpose in PRIORITIES:
            queues = (self._idle[purpose, nests] for nests in (False, True))
            first = [queue[0] for queue in queues if queue and allowed(queue[0])]
            if first:
                return min(first, key=lambda job: job.number)
        return min(
            (
                job
                for job in self._active
                if (job.plan.has_waiting or (job.plan.has_work and has_spare_requests(job)))
                and allowed(job)
            ),
            key=lambda job: (job.plan.workers, not job.plan.has_waiting),
            default=None,
        )

    def acquire(self, job: Job) -> Window | RetrieveTask:
        """Assign a worker to the job that `peek` returned, and return its next unit of work."""
        queue = self._idle[job.purpose, job.has_nested_lists]
        if queue and queue[0] is job:
            queue.popleft()
            self._active.append(job)
        return job.plan.acquire()

    def hedge(
        self, now: float, delay: float, has_spare_requests: Callable[[Job], bool]
    ) -> tuple[Job, Window] | None:
        """Return a duplicate of a request that has been in flight for longer than `delay`."""
        for job in self._active:
            if has_spare_requests(job) and (window := job.plan.hedge(now, delay)):
                return job, window
        return None

    def release(self, job: Job) -> None:
        """Release a worker. A started job is resumed before new ones."""
        if not job.plan.workers and not job.unfinished:
            self._active.remove(job)
            if not job.plan.done:
                self._idle[job.purpose, job.has_nested_lists].appendleft(job)

    # Nested lists

    def add_nested(self, lists: Iterable[NestedList]) -> None:
        """Enqueue nested lists."""
        for nested in lists:
            route = nested.route
            if route not in self._nested:
                self._nested[route] = NestedQueue(route)
            self._nested[route].add(nested)

    def ready_nested(self, allowed: Callable[[NestedQueue], bool]) -> list[NestedQueue]:
        """Return the queues whose first list may be read now, fewest workers first."""
        waiting = [queue for queue in self._nested.values() if queue.first and allowed(queue)]
        return sorted(waiting, key=lambda queue: queue.workers)

    def release_nested(self, nested: NestedList) -> NestedQueue:
        """Release the worker of a nested list, and return the queue of the list."""
        queue = self._nested[nested.route]
        queue.release(nested)
        return queue

    # Failures

    def of_account(self, account: str) -> list[Job]:
        """Return all jobs of an account."""
        jobs = [job for job in self._active if job.account == account]
        for idle in self._idle.values():
            jobs += [job for job in idle if job.account == account]
        return jobs

    def cancel(self, job: Job) -> list[NestedList]:
        """Remove a job, even if workers still fetch for it; return its waiting nested lists."""
        job.plan.cancel()
        job.unfinished.clear()
        if job in self._active:
            self._active.remove(job)
        else:
            self._idle[job.purpose, job.has_nested_lists].remove(job)
        return [one for queue in self._nested.values() for one in queue.cancel(job)]
