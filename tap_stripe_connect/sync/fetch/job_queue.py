"""Which job gets the next reader."""

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

ORDER = (
    Purpose.REFETCH,
    Purpose.LAST_EVENT,
    Purpose.LOOK_BACK,
    Purpose.FEED,
    Purpose.LOAD,
    Purpose.CHECK,
)
"""What changed comes before long loads, for all accounts (D9)."""


class JobQueue:
    """The jobs that are not done; costs the same however many accounts wait (D7).

    Jobs without a reader stand in line; of those that have some, never more than there are
    readers, the one with the fewest gets the next, so that lists are read side by side.
    """

    def __init__(self) -> None:
        """Begin without jobs."""
        self._idle: dict[tuple[Purpose, bool], deque[Job]] = {
            (purpose, nests): deque() for purpose in ORDER for nests in (False, True)
        }
        """By purpose, and by whether their objects hold lists of their own."""
        self._active: list[Job] = []
        """Those with a reader, or with pages that wait for nested lists."""
        self._nested: dict[str, NestedQueue] = {}
        """By endpoint."""
        self._added = 0

    def add(self, job: Job) -> None:
        """Let a job stand in line."""
        job.number = self._added
        self._added += 1
        self._idle[job.purpose, job.has_nested_lists].append(job)

    def peek(
        self, has_spare_requests: Callable[[Job], bool], allowed: Callable[[Job], bool]
    ) -> Job | None:
        """Return the job that should get a reader now, if any can use one and is `allowed` to."""
        for purpose in ORDER:
            lines = (self._idle[purpose, nests] for nests in (False, True))
            first = [line[0] for line in lines if line and allowed(line[0])]
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
        """Give a reader to the job that `next` returned."""
        line = self._idle[job.purpose, job.has_nested_lists]
        if line and line[0] is job:
            line.popleft()
            self._active.append(job)
        return job.plan.acquire()

    def hedge(
        self, now: float, delay: float, has_spare_requests: Callable[[Job], bool]
    ) -> tuple[Job, Window] | None:
        """Hand out again what takes too long, where there is nothing else to do."""
        for job in self._active:
            if has_spare_requests(job) and (window := job.plan.hedge(now, delay)):
                return job, window
        return None

    def release(self, job: Job) -> None:
        """Release a reader of a job; one that is begun goes on before others."""
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
        """Return the queues whose first list may be read now, those with few readers first."""
        waiting = [queue for queue in self._nested.values() if queue.first and allowed(queue)]
        return sorted(waiting, key=lambda queue: queue.workers)

    def release_nested(self, nested: NestedList) -> NestedQueue:
        """Release the reader of a nested list, and return the queue it came from."""
        queue = self._nested[nested.route]
        queue.release(nested)
        return queue

    # Failures

    def of_account(self, account: str) -> list[Job]:
        """Return all jobs of an account."""
        found = [job for job in self._active if job.account == account]
        for idle in self._idle.values():
            found += [job for job in idle if job.account == account]
        return found

    def cancel(self, job: Job) -> list[NestedList]:
        """Remove a job, whoever still reads for it; return its nested lists that waited."""
        job.plan.cancel()
        job.unfinished.clear()
        if job in self._active:
            self._active.remove(job)
        else:
            self._idle[job.purpose, job.has_nested_lists].remove(job)
        return [one for queue in self._nested.values() for one in queue.cancel(job)]
