"""Planning a run: the plans of its accounts, which are kept while they have jobs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tap_stripe_connect.sync.plan import list_jobs
from tap_stripe_connect.sync.plan.account_plan import AccountPlan
from tap_stripe_connect.sync.plan.checkpoint import Checkpointer
from tap_stripe_connect.sync.plan.jobs import Purpose
from tap_stripe_connect.sync.state.ranges import END_OF_TIME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_stripe_connect.accounts import Account
    from tap_stripe_connect.sync.plan.account_plan import Steps
    from tap_stripe_connect.sync.plan.jobs import Job, Page
    from tap_stripe_connect.sync.plan.page_output import PageOutput
    from tap_stripe_connect.sync.plan.resume import UntrustedBookmark
    from tap_stripe_connect.sync.plan.scope import Scope
    from tap_stripe_connect.sync.state.digests import Digests
    from tap_stripe_connect.sync.state.format import Bookmarks


class Planner:
    """Turns bookmarks into jobs, and written pages into bookmarks."""

    def __init__(self, scope: Scope, bookmarks: Bookmarks, digests: Digests) -> None:
        self._scope = scope
        self._checkpointer = Checkpointer(scope, bookmarks, digests)
        self._accounts: dict[str, AccountPlan] = {}
        self._unfinished_jobs: Counter[str] = Counter()
        """Number of unfinished jobs by account."""
        self._dormant: dict[str, Account] = {}
        """Accounts without any page so far; their plans are not kept in memory."""
        self.untrusted: list[UntrustedBookmark] = []
        """Bookmarks that the feed cannot be followed from."""

    @property
    def horizon(self) -> int:
        """The newest moment that a bookmark may claim, in unix seconds."""
        return self._scope.horizon

    def begin(self, accounts: Iterable[Account]) -> list[Job]:
        """Return the first jobs; `written` and `finished` return those that follow."""
        jobs: list[Job] = []
        for account in accounts:
            plan = AccountPlan(account, self._scope, self._checkpointer)
            self.untrusted += plan.untrusted
            jobs += plan.first_jobs
            if plan.is_caught_up:
                # There may be thousands of accounts, but only a few are read at a time.
                self._dormant[account.id] = account
            else:
                self._accounts[account.id] = plan
        jobs += self._permission_probe()
        self._unfinished_jobs.update(job.account for job in jobs)
        return jobs

    def _permission_probe(self) -> list[Job]:
        """Return a job that tests a first run's access to the event feed; later runs need it."""
        plans = self._accounts.values()
        if self._dormant or any(plan.reads_events for plan in plans):
            return []
        for plan in plans:
            if plan.needs_events:
                nothing = {list_jobs.FEED: [(self._scope.now, END_OF_TIME)]}
                return [list_jobs.events(plan.account, nothing, Purpose.FEED)]
        return []

    def _plan_of(self, account: str) -> AccountPlan:
        """Return the plan of an account; a dormant one is planned again."""
        if dormant := self._dormant.pop(account, None):
            self._accounts[account] = AccountPlan(dormant, self._scope, self._checkpointer)
        return self._accounts[account]

    def prepare(self, page: Page) -> PageOutput | None:
        """Return what to write of a page; None for nothing."""
        return self._plan_of(page.job.account).prepare(page)

    def written(self, page: Page) -> Steps:
        """Claim what a page completes, once all its records have been written.

        Returns pages to write and jobs to run next.
        """
        pages, jobs = self._plan_of(page.job.account).written(page)
        self._unfinished_jobs[page.job.account] += len(jobs)
        return pages, jobs

    def finished(self, job: Job) -> Steps:
        """Return pages to write and jobs to run after a finished job."""
        plan = self._plan_of(job.account)
        pages, jobs = plan.finished(job)
        # Jobs without work end at once; queueing those of thousands of accounts takes time.
        idle = [one for one in jobs if one.plan.done]
        while idle and not pages:
            done = idle.pop()
            jobs.remove(done)
            pages, more = plan.finished(done)
            jobs += more
            idle += [one for one in more if one.plan.done]
        self._unfinished_jobs[job.account] += len(jobs) - 1
        if not self._unfinished_jobs[job.account] and not pages:
            # This account is finished.
            self._accounts.pop(job.account, None)
        return pages, jobs
