"""The plan of one account: what to read first, and what to read after each result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tap_stripe_connect.api.errors import ErrorAction
from tap_stripe_connect.sync.plan import list_jobs, page_output
from tap_stripe_connect.sync.plan.feed import Feed
from tap_stripe_connect.sync.plan.jobs import Job, Page, Purpose
from tap_stripe_connect.sync.plan.list_jobs import FEED, gone_page
from tap_stripe_connect.sync.plan.list_state import ListState
from tap_stripe_connect.sync.plan.page_output import PageOutput
from tap_stripe_connect.sync.plan.recheck import recheck_of
from tap_stripe_connect.sync.state.bookmark import last_covered
from tap_stripe_connect.sync.state.ranges import END_OF_TIME, merged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_stripe_connect.accounts import Account
    from tap_stripe_connect.sync.plan.checkpoint import Checkpointer
    from tap_stripe_connect.sync.plan.events import Change
    from tap_stripe_connect.sync.plan.feed import Batch
    from tap_stripe_connect.sync.plan.scope import Scope
    from tap_stripe_connect.sync.state.ranges import Range

Steps = tuple[list[Page], list[Job]]
"""Pages to write at once, and jobs to run afterwards."""


class AccountPlan:
    """Decides what to read next after each page and each job of an account."""

    __slots__ = ("_checkpointer", "_feed", "_scope", "account", "first_jobs", "lists", "untrusted")

    def __init__(self, account: Account, scope: Scope, checkpointer: Checkpointer) -> None:
        self.account = account
        self._scope = scope
        self._checkpointer = checkpointer
        self._feed: Feed | None = None
        states = [ListState(listed, account, streams) for listed, streams in scope.lists]
        self.untrusted = [one for state in states for one in checkpointer.open(state)]
        """Bookmarks that the feed cannot be followed from."""
        self.lists = {state.listed.name: state for state in states}
        """Lists by the name of their stream."""
        self.first_jobs = self._first_jobs()
        """Jobs that can start at once."""

    @property
    def is_caught_up(self) -> bool:
        """Whether the plan can be made again from the bookmarks as long as no page has arrived."""
        return [job.purpose for job in self.first_jobs] == [Purpose.FEED] and not any(
            state.newly_followed or state.full_table for state in self.lists.values()
        )

    @property
    def reads_events(self) -> bool:
        """Whether the first jobs read `/v1/events`."""
        return "events" in self.lists or any(state.feed_from for state in self.lists.values())

    @property
    def needs_events(self) -> bool:
        """Whether later runs depend on the event feed."""
        return any(state.listed.changes == "feed" for state in self.lists.values())

    def _first_jobs(self) -> list[Job]:
        states = self.lists.values()
        following = [state for state in states if state.feed_from]
        jobs = [
            self._load(state)
            for state in states
            if not state.feed_from and state.listed.name != "events"
        ]
        events = self.lists.get("events")
        gaps = self._gaps(events) if events else {}
        if following:
            feed = self._feed = self._follow_feed(following)
            gaps[FEED] = [(feed.start, END_OF_TIME)]
            if events and feed.remembered_until < last_covered(events.bookmarks["events"]):
                # A killed run wrote these rows and did not record which events it had seen.
                unknown = (feed.remembered_until, END_OF_TIME)
                gaps["events"] = merged([*gaps["events"], unknown])
        if gaps:
            purpose = Purpose.FEED if following else Purpose.LOAD
            jobs.append(list_jobs.events(self.account, gaps, purpose))
        return jobs

    def _follow_feed(self, following: list[ListState]) -> Feed:
        due = [state.checked_at for state in following if self._is_due(state)]
        feed = Feed(
            self.account.id,
            min(moment for state in following for moment in state.feed_from.values()),
            self._scope.horizon,
            self._checkpointer.feed_bookmark(self.account.id),
            checked_at=min(due) if due else None,
        )
        feed.pending_streams.update(state.listed.name for state in following)
        return feed

    def _is_due(self, state: ListState) -> bool:
        """Return whether a list has to be checked; one in its backfill needs no check."""
        interval = self._scope.settings.recheck_interval
        return not state.unlisted and self._scope.horizon - state.checked_at >= interval

    def _gaps(self, state: ListState) -> dict[str, list[Range]]:
        return state.gaps(self._scope.start(state.listed))

    def _load(self, state: ListState) -> Job:
        return list_jobs.load(state, self._scope.start(state.listed))

    # Pages

    def prepare(self, page: Page) -> PageOutput | None:
        """Return what to write of a page; None for nothing."""
        purpose = page.job.purpose
        if purpose is Purpose.FEED:
            if FEED in page.streams and self._feed:
                self._feed.add(page.objects)
            page = replace(page, streams=page.streams - {FEED})
            return PageOutput(page, {}) if page.streams else None
        if purpose is Purpose.LOOK_BACK:
            self._owner(page.job).add_former_children(page.objects)
            return None
        if purpose is Purpose.LAST_EVENT:
            state = self._owner(page.job)
            return page_output.gone(state, gone_page(state, state.mark_by_last_events(page)))
        state = self.lists[page.job.listed.name]
        return page_output.of_list(state, page, self._scope, self._checkpointer)

    def _owner(self, job: Job) -> ListState:
        """Return the list whose events a job reads."""
        return self.lists[job.owner]

    def written(self, page: Page) -> Steps:
        """Claim what a page completes, once all its records have been written.

        Returns pages to write and jobs to run next.
        """
        purpose = page.job.purpose
        if purpose not in {Purpose.FEED, Purpose.LOAD, Purpose.REFETCH}:
            return [], []
        state = self.lists.get(page.job.listed.name)
        if purpose is Purpose.REFETCH:
            assert state  # noqa: S101 - a list refetches only its own objects
            names = {*page.absent, *(value["id"] for value in page.objects)}
            state.mark_refetched(names.difference(state.missing_by_event.values()))
            self._claim_feed(state, state.feed_written_until())
            return [], []
        if state:
            self._checkpointer.claim_page(state, page, page.streams - {FEED})
        if purpose is Purpose.FEED and FEED in page.streams and page.covered:
            return self._feed_page_read(page.covered)
        return [], []

    def _claim_feed(self, state: ListState, reached: int) -> None:
        self._checkpointer.claim_feed(state, reached)
        feed = self._feed
        if feed is None or not feed.in_batches:
            return
        if feed.late_hours and (feed.has_failures or "events" in self.lists):
            return
        followers = (self.lists[name] for name in feed.pending_streams)
        self._checkpointer.save_feed_progress(self.account.id, feed, followers)

    # Next steps

    def finished(self, job: Job) -> Steps:
        """Return pages to write and jobs to run after a finished job."""
        if job.failure:
            return [], self._failed(job)
        if job.purpose is Purpose.FEED:
            return self._feed_finished()
        if job.owner:
            return self._after_refetch(self._owner(job), job)
        state = self.lists[job.listed.name]
        if job.purpose is Purpose.REFETCH:
            return self._after_refetch(state, job)
        return [], self._list_finished(state, job)

    def _feed_page_read(self, span: Range) -> Steps:
        feed = self._feed
        if feed is None:
            return [], []
        feed.mark_read(span)
        batch = feed.next_batch()
        return self._process_batch(feed, batch) if batch else ([], [])

    def _feed_finished(self) -> Steps:
        """Process the last batch of the feed, and list the hours with late events again."""
        events, feed = self.lists.get("events"), self._feed
        if events:
            self._checkpointer.complete_list(events)
        if feed is None:
            return [], []
        feed.complete = True
        batch = feed.next_batch()
        pages, jobs = self._process_batch(feed, batch) if batch else ([], [])
        if events and feed.late_hours:
            feed.pending_streams.add("events")
            jobs.append(list_jobs.load_again(events, merged(feed.late_hours)))
        return pages, jobs

    def _process_batch(self, feed: Feed, batch: Batch) -> Steps:
        """Return the tombstones and refetches for a batch of the feed, list by list."""
        pages: list[Page] = []
        jobs: list[Job] = []
        for state in self.lists.values():
            if not state.feed_from or state.failed:
                continue
            start = self._scope.start(state.listed)
            relevant = state.relevant_changes(batch.changes.of(state.listed.name), start)
            if feed.in_batches or any(change.late for change in relevant.values()):
                # An object's newest event may not have been read yet.
                self._checkpointer.raise_read_at(state)
            fresh = state.add_changes(relevant, batch.until, self._scope.horizon)
            gone = tuple(name for name, one in fresh.items() if one.gone)
            if gone:
                pages.append(gone_page(state, gone))
            alive = {name: one for name, one in fresh.items() if not one.gone}
            jobs += self._refetch(state, alive, feed, last=batch.last)
            self._claim_feed(state, state.feed_written_until())
        return pages, jobs

    def _refetch(
        self, state: ListState, alive: Mapping[str, Change], feed: Feed, *, last: bool
    ) -> Iterator[Job]:
        """Yield the jobs that refetch changed objects; for the last batch at least one."""
        # Only events from before this feed may contain their former children.
        unknown = {
            name: one
            for name, one in alive.items()
            if one.replaced and one.created and one.created < feed.followed_from
        }
        if unknown:
            yield list_jobs.look_back(state, unknown, feed.followed_from)
        known = {name: one for name, one in alive.items() if name not in unknown}
        if known or last:
            yield list_jobs.refetch(state, known)

    def _after_refetch(self, state: ListState, job: Job) -> Steps:
        """Return the steps after a job that refetched objects, or prepared a refetch."""
        state.jobs -= 1
        if unknown := state.look_backs.pop(job, None):
            return [], [list_jobs.refetch(state, unknown)]
        feed = self._feed
        if feed is None or state.jobs or state.failed or not feed.complete:
            return [], []
        if marked := state.mark_without_event():
            return [gone_page(state, marked)], [list_jobs.refetch(state, {})]
        if state.missing_by_event and job.purpose is not Purpose.LAST_EVENT:
            return [], [list_jobs.last_event(state)]
        return [], self._feed_followed(state, feed)

    def _feed_followed(self, state: ListState, feed: Feed) -> list[Job]:
        """Claim the feed up to the horizon; return the job that lists what has not been listed."""
        state.missing_by_event.clear()
        self._claim_feed(state, self._scope.horizon)
        self._stop_following(state)
        if feed.checking and not state.unlisted:
            ids = feed.changed_ids(state.listed.name)
            state.recheck = recheck_of(state, self._scope.horizon, feed.checked_from, ids)
        return [self._load(state)]

    def _stop_following(self, state: ListState) -> None:
        """Save which events were seen, once every list has followed the feed."""
        feed = self._feed
        if feed is None:
            return
        feed.pending_streams.discard(state.listed.name)
        feed.has_failures |= state.failed
        # After a failure, late events have not all been followed, so they must not count as seen.
        if (
            feed.complete
            and not feed.pending_streams
            and not (feed.late_hours and feed.has_failures)
        ):
            self._checkpointer.complete_feed(self.account.id, feed)

    def _list_finished(self, state: ListState, job: Job) -> list[Job]:
        """Return the job after a list: its check, or the days that the check found."""
        recheck = state.recheck
        if recheck and job.purpose is Purpose.LOAD and recheck.needed:
            return [list_jobs.check(state, (recheck.start, self._scope.horizon))]
        if recheck:
            state.recheck = None
            state.fingerprints = recheck.fingerprints()
            if ranges := recheck.changed_days():
                return [list_jobs.load_again(state, ranges)]
        self._checkpointer.complete_list(state)
        if state.listed.name == "events":
            self._stop_following(state)
        return []

    # Failures

    def _failed(self, job: Job) -> list[Job]:
        if job.purpose is Purpose.FEED:
            if events := self.lists.get("events"):
                self._checkpointer.roll_back(events)
            return self._continue_without_feed(job)
        if state := self.lists.get(job.owner or job.listed.name):
            state.failed = True
            self._checkpointer.roll_back(state)
            self._stop_following(state)
        return []

    def _continue_without_feed(self, job: Job) -> list[Job]:
        """Return jobs that list new rows if the key may not read the event feed."""
        denied = job.failure is not None and job.failure.action is ErrorAction.SKIP_STREAM
        jobs = []
        for state in self.lists.values():
            state.feed_denied |= denied
            if denied and state.feed_from and self._feed and not self._feed.in_batches:
                # Some of these rows were written while the feed could still be read.
                state.listing_minimum = self._checkpointer.raise_without_feed(state)
                state.feed_from = {}
                if state.listed.recheck_days and self._is_due(state):
                    horizon = self._scope.horizon
                    state.recheck = recheck_of(state, horizon, horizon, None)
                jobs.append(self._load(state))
        return jobs
