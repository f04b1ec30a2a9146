"""Which job gets the next reader."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tap_stripe_connect.sync.jobs import Purpose

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_stripe_connect.sync.jobs import Job
    from tap_stripe_connect.sync.rereads import Single
    from tap_stripe_connect.sync.windows import Window

ORDER = (
    Purpose.REREAD,
    Purpose.LAST_EVENT,
    Purpose.LOOK_BACK,
    Purpose.FEED,
    Purpose.LOAD,
    Purpose.CHECK,
)
"""What changed comes before long loads, for all accounts (D9)."""


class Board:
    """The jobs that are not done; costs the same however many accounts wait (D7).

    Jobs without a reader stand in line; of those that have some, never more than there are
    readers, the one with the fewest gets the next, so that lists are read side by side.
    """

    def __init__(self) -> None:
        """Begin without jobs."""
        self._idle: dict[Purpose, deque[Job]] = {purpose: deque() for purpose in ORDER}
        self._active: list[Job] = []

    def add(self, job: Job) -> None:
        """Let a job stand in line."""
        self._idle[job.purpose].append(job)

    def next(self, worth_splitting: Callable[[Job], bool]) -> Job | None:
        """Return the job that should get a reader now, if any can use one."""
        for purpose in ORDER:
            if self._idle[purpose]:
                return self._idle[purpose][0]
        return min(
            (
                job
                for job in self._active
                if job.plan.has_waiting or (job.plan.has_work and worth_splitting(job))
            ),
            key=lambda job: (job.plan.readers, not job.plan.has_waiting),
            default=None,
        )

    def hand_out(self, job: Job) -> Window | Single:
        """Give a reader to the job that `next` returned."""
        if not job.plan.readers:
            self._idle[job.purpose].popleft()
            self._active.append(job)
        return job.plan.next()

    def overtake(
        self, now: float, patience: float, worth_splitting: Callable[[Job], bool]
    ) -> tuple[Job, Window] | None:
        """Hand out again what takes too long, where there is nothing else to do."""
        for job in self._active:
            if worth_splitting(job) and (window := job.plan.overtake(now, patience)):
                return job, window
        return None

    def returned(self, job: Job) -> None:
        """Take note that a reader has come back; a job that is begun goes on before others."""
        if not job.plan.readers:
            self._active.remove(job)
            if not job.plan.done:
                self._idle[job.purpose].appendleft(job)

    def strike(self, account: str) -> list[Job]:
        """Take all jobs of an account off, and return them."""
        struck = [job for job in self._active if job.account == account]
        for idle in self._idle.values():
            struck += [job for job in idle if job.account == account]
        for job in struck:
            self.drop(job)
        return struck

    def drop(self, job: Job) -> None:
        """Take one job off, whoever still reads for it."""
        job.plan.abandon()
        if job in self._active:
            self._active.remove(job)
        else:
            self._idle[job.purpose].remove(job)
