"""What a run reads, account by account: bookmarks into jobs, and what follows on each of them."""

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
        self._open: Counter[str] = Counter()
        """Jobs of each account that are not finished."""
        self._dormant: dict[str, Account] = {}
        """Accounts that nothing has been read of: only their bookmarks are kept in memory."""
        self.untrusted: list[UntrustedBookmark] = []
        """Bookmarks that cannot be followed from where they stand."""

    @property
    def horizon(self) -> int:
        """No bookmark claims anything newer, in unix seconds."""
        return self._scope.horizon

    def begin(self, accounts: Iterable[Account]) -> list[Job]:
        """Return what can be read at once; `finished` returns the rest when its time comes."""
        jobs: list[Job] = []
        for account in accounts:
            plan = AccountPlan(account, self._scope, self._checkpointer)
            self.untrusted += plan.untrusted
            jobs += plan.first_jobs
            if plan.is_caught_up:
                # Few accounts are read at a time, and there may be thousands.
                self._dormant[account.id] = account
            else:
                self._accounts[account.id] = plan
        jobs += self._permission_probe()
        self._open.update(job.account for job in jobs)
        return jobs

    def _permission_probe(self) -> list[Job]:
        """Ask for the event feed in a first run, because later runs see no change without it."""
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
        """Return what of a page is written; None for nothing."""
        return self._plan_of(page.job.account).prepare(page)

    def written(self, page: Page) -> Steps:
        """Claim what a page completes; all its records must have been written.

        Returns what that makes possible.
        """
        pages, jobs = self._plan_of(page.job.account).written(page)
        self._open[page.job.account] += len(jobs)
        return pages, jobs

    def finished(self, job: Job) -> Steps:
        """Return what a finished job makes possible: pages to write now, and jobs to read."""
        plan = self._plan_of(job.account)
        pages, jobs = plan.finished(job)
        # Jobs without work end at once; of thousands of accounts all would wait for them.
        idle = [one for one in jobs if one.plan.done]
        while idle and not pages:
            done = idle.pop()
            jobs.remove(done)
            pages, more = plan.finished(done)
            jobs += more
            idle += [one for one in more if one.plan.done]
        self._open[job.account] += len(jobs) - 1
        if not self._open[job.account] and not pages:
            # Nothing more comes of this account.
            self._accounts.pop(job.account, None)
        return pages, jobs
