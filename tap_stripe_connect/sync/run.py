"""One run over the selected streams: what to read, what of it is new, what may be claimed."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from tap_stripe_connect.api.errors import Verdict
from tap_stripe_connect.catalog import LISTED, Listed, nested_in
from tap_stripe_connect.sync import resuming
from tap_stripe_connect.sync.bookmark import EMPTY, kept_recent, last_covered
from tap_stripe_connect.sync.bookmarks import EVENT_FEED
from tap_stripe_connect.sync.feed import HOUR, Feed
from tap_stripe_connect.sync.follow import Follow
from tap_stripe_connect.sync.jobs import Job, Page, Purpose
from tap_stripe_connect.sync.messages import now
from tap_stripe_connect.sync.recheck import Recheck
from tap_stripe_connect.sync.records import unix_time
from tap_stripe_connect.sync.rereads import Rereads
from tap_stripe_connect.sync.rows import NO_FLOOR, Floor, Rows
from tap_stripe_connect.sync.windows import (
    END_OF_TIME,
    Plan,
    WholeList,
    Window,
    merged,
    missing,
    shared_out,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from tap_stripe_connect.accounts import Account
    from tap_stripe_connect.catalog import Nested
    from tap_stripe_connect.settings import Settings
    from tap_stripe_connect.sync.bookmark import Bookmark
    from tap_stripe_connect.sync.bookmarks import Bookmarks
    from tap_stripe_connect.sync.changes import Change
    from tap_stripe_connect.sync.feed import Batch
    from tap_stripe_connect.sync.jobs import Work
    from tap_stripe_connect.sync.records import Json, Records
    from tap_stripe_connect.sync.resuming import Doubt
    from tap_stripe_connect.sync.windows import Range

logger = logging.getLogger(__name__)

FEED = "the event feed"
"""Stands among the streams that a window of `/v1/events` is read for."""

Steps = tuple[list[Page], list[Job]]
"""Pages to write at once, and jobs to read then."""


class Run:
    """Turns bookmarks into jobs, pages into records, and written pages into bookmarks."""

    def __init__(
        self,
        settings: Settings,
        bookmarks: Bookmarks,
        records: Records,
        clocks: tuple[int, int],
        full_table: Collection[str] = (),
    ) -> None:
        """Plan a run; `clocks` are Stripe's and our own, `full_table` streams are listed anew."""
        self._settings = settings
        self._bookmarks = bookmarks
        self._records = records
        self._now = min(clocks)
        self._stripes_now = clocks[0]
        self._full_table = full_table
        self.horizon = min(clocks) - settings.lag_seconds
        """No bookmark claims anything newer: it may not be visible yet (A5), or not exist yet."""
        self.rows = Rows(records, livemode=settings.livemode, horizon=self.horizon)
        self._follows: dict[str, dict[str, Follow]] = {}
        """By account, and then by the stream that lists."""
        self._feeds: dict[str, Feed] = {}
        """By account."""
        self._open: Counter[str] = Counter()
        """Jobs of each account that are not finished."""
        self._dormant: dict[str, Account] = {}
        """Accounts that nothing has been read of: only their bookmarks are kept in memory."""
        self._asked: list[tuple[Listed, list[str]]] = []
        """The lists to read, each with the selected streams that come with it."""

    # Planning

    def begin(
        self, accounts: Collection[Account], selected: Mapping[str, Listed | Nested]
    ) -> list[Job]:
        """Return what can be read at once; `finished` returns the rest when its time comes."""
        jobs: list[Job] = []
        doubts: list[Doubt] = []
        asked = {**LISTED, **{n: one for n, one in selected.items() if isinstance(one, Listed)}}
        for listed in asked.values():
            if streams := _streams_of(listed, selected):
                self._asked.append((listed, streams))
        for account in accounts:
            found, planned = self._plan(account)
            doubts += found
            jobs += planned
            if self._is_level(account, planned):
                self._sleep(account)
        for line in resuming.warnings(doubts, now()):
            logger.warning(line)
        jobs += self._permission_probe(accounts)
        self._open.update(job.account for job in jobs)
        return jobs

    def _plan(self, account: Account) -> tuple[list[Doubt], list[Job]]:
        """Prepare to read an account; return the bookmarks in doubt, and its first jobs."""
        follows = [Follow(listed, account, streams) for listed, streams in self._asked]
        doubts = [doubt for follow in follows for doubt in self._prepare(follow)]
        self._follows[account.id] = {follow.listed.name: follow for follow in follows}
        return doubts, self._first_jobs(account, follows)

    def _is_level(self, account: Account, planned: list[Job]) -> bool:
        """Return whether the bookmarks say all there is to know of an account so far."""
        follows = self._follows[account.id].values()
        return [job.purpose for job in planned] == [Purpose.FEED] and not any(
            follow.stamped or follow.full_table for follow in follows
        )

    def _sleep(self, account: Account) -> None:
        """Drop an account from memory until its first page arrives; few are read at a time."""
        self._follows.pop(account.id)
        self._feeds.pop(account.id, None)
        self._dormant[account.id] = account

    def _wake(self, name: str) -> None:
        """Plan a dormant account again, because something of it has arrived."""
        if account := self._dormant.pop(name, None):
            self._plan(account)

    def _prepare(self, follow: Follow) -> Iterator[Doubt]:
        """Read the bookmarks of one list, and put right what can no longer be followed."""
        account, start = follow.account.id, self._start(follow.listed)
        for stream in follow.streams:
            known = given = self._bookmarks.get(stream, account)
            if stream in self._full_table:
                given = resuming.listed_anew(known)
                follow.full_table = True
                follow.written_from = 0
            bookmark = resuming.usable(given, self._stripes_now)
            if bookmark is not given:
                yield resuming.doubt(stream, account, given, self._stripes_now)
            if follow.listed.changes == "unseen" and _complete(bookmark):
                bookmark = EMPTY
            if follow.listed.changes == "feed":
                if bookmark.events_until:
                    follow.since[stream] = bookmark.events_until
                    oldest = bookmark.oldest or 0
                    written = follow.written_from
                    follow.written_from = oldest if written is None else min(oldest, written)
                else:
                    follow.stamped[stream] = known
                # Stamped before the first list call, and kept however often it is resumed (A8);
                # in the state before the first record, so that a kill does not lose it.
                bookmark = resuming.begun(resuming.stamped(bookmark, self.horizon), start)
                if stream in follow.stamped:
                    # A list that is loaded needs no check of what the feed did not tell before.
                    bookmark = replace(bookmark, checked_at=self.horizon)
            if bookmark != known:
                bookmark = self._bookmarks.set(stream, account, bookmark)
            follow.bookmarks[stream] = bookmark
            self.rows.begin(stream, account, bookmark)
        follow.listing_floor = follow.read_at
        follow.unlisted = any(self._gaps(follow).values())

    def _first_jobs(self, account: Account, follows: list[Follow]) -> list[Job]:
        following = [follow for follow in follows if follow.since]
        jobs = [
            self._load(follow)
            for follow in follows
            if not follow.since and follow.listed.name != "events"
        ]
        events = self._follows[account.id].get("events")
        gaps = self._gaps(events) if events else {}
        due = [follow.checked_at for follow in following if self._is_due(follow)]
        if following:
            feed = self._feeds[account.id] = Feed(
                account.id,
                min(moment for follow in following for moment in follow.since.values()),
                self.horizon,
                self._bookmarks.get(EVENT_FEED, account.id),
                checked_at=min(due) if due else None,
            )
            feed.followers.update(follow.listed.name for follow in following)
            gaps[FEED] = [(feed.start, END_OF_TIME)]
            if events and feed.remembered_until < last_covered(events.bookmarks["events"]):
                # A killed run wrote these rows; which events appeared later is not recorded.
                unknown = (feed.remembered_until, END_OF_TIME)
                gaps["events"] = merged([*gaps["events"], unknown])
        if gaps:
            purpose = Purpose.FEED if following else Purpose.LOAD
            jobs.append(self._events_job(account, gaps, purpose))
        return jobs

    def _events_job(
        self, account: Account, gaps: Mapping[str, list[Range]], purpose: Purpose
    ) -> Job:
        windows = [Window(*span, lacking) for span, lacking in shared_out(gaps)]
        plan = Plan(windows, oldest_first=purpose is Purpose.FEED)
        return Job(LISTED["events"], account.id, account.header, plan, purpose)

    def _permission_probe(self, accounts: Iterable[Account]) -> list[Job]:
        """Ask for the event feed in a first run, because later runs see no change without it."""
        if self._dormant:
            return []
        for account in accounts:
            follows = self._follows[account.id]
            if "events" in follows or any(follow.since for follow in follows.values()):
                return []
        for account in accounts:
            if any(one.listed.changes == "feed" for one in self._follows[account.id].values()):
                nothing = {FEED: [(self._now, END_OF_TIME)]}
                return [self._events_job(account, nothing, Purpose.FEED)]
        return []

    def _is_due(self, follow: Follow) -> bool:
        """Return whether a list has to be checked; one that is being loaded needs no check."""
        interval = self._settings.recheck_interval
        return not follow.unlisted and self.horizon - follow.checked_at >= interval

    def _load(self, follow: Follow, windows: Iterable[Range] | None = None) -> Job:
        """Return the job that lists what is missing, or these creation times."""
        streams = frozenset(follow.streams)
        plan = (
            _windows(follow.listed, shared_out(self._gaps(follow)))
            if windows is None
            else _windows(follow.listed, [(span, streams) for span in windows])
        )
        return Job(follow.listed, follow.account.id, follow.account.header, plan)

    def _gaps(self, follow: Follow) -> dict[str, list[Range]]:
        """Return what each stream has never listed; what the feed follows ends where it begins."""
        return {
            stream: missing(
                bookmark.covered,
                (
                    resuming.listed_from(bookmark, self._start(follow.listed)),
                    END_OF_TIME
                    if bookmark.list_from is not None
                    else follow.since.get(stream, END_OF_TIME),
                ),
            )
            for stream, bookmark in follow.bookmarks.items()
        }

    def _start(self, listed: Listed) -> int:
        return 0 if listed.reference else self._settings.start

    # Pages

    def records(self, page: Page) -> Iterator[tuple[str, Json]]:
        """Yield a page's records with the names of their streams, less what was written before."""
        self._wake(page.job.account)
        purpose = page.job.purpose
        if purpose is Purpose.FEED:
            if FEED in page.streams and (feed := self._feeds.get(page.job.account)):
                feed.note(page.objects)
            page = replace(page, streams=page.streams - {FEED})
            if page.streams:
                yield from self.rows.of(page, {})
        elif purpose is Purpose.LOOK_BACK:
            self._owner(page.job).remember_children(page.objects)
        elif purpose is Purpose.LAST_EVENT:
            follow = self._owner(page.job)
            gone = self._gone_page(follow, follow.learn_last_words(page))
            yield from self.rows.of(gone, follow.changes, Floor(follow.read_at))
        else:
            follow = self._follow(page)
            if purpose is Purpose.LOAD:
                yield from self._loaded(follow, page)
            elif purpose is Purpose.CHECK:
                yield from self._unproven(follow, page)
            else:
                # Events about others do not say when it was created; now that is known.
                oldest = self._oldest(follow)
                wanted = [
                    one
                    for one in page.objects
                    if max(0, unix_time(one.get("created")) or oldest) >= oldest
                ]
                follow.missed(page.absent, self.horizon)
                page = replace(page, objects=wanted)
                yield from self.rows.of(page, follow.changes, Floor(follow.read_at))

    def _loaded(self, follow: Follow, page: Page) -> Iterator[tuple[str, Json]]:
        """Yield listed rows; what is listed again carries the time of this reading."""
        dated = follow.listed.dated
        if dated and (follow.written_from is None or follow.listed.changes == "none"):
            return self.rows.of(page, follow.changes, NO_FLOOR)
        anew = follow.listed_anew or follow.full_table or follow.fingerprints is not None
        if anew or not dated:
            self._raise_read_at(follow)
            follow.listing_floor = follow.read_at
        floor = Floor(follow.listing_floor, follow.written_from or 0, follow.read_at)
        return self.rows.of(page, follow.changes, floor)

    def _raise_read_at(self, follow: Follow) -> None:
        """Let rows carry the time of their reading, and have STATE say so before they go out."""
        follow.raise_read_at(self._now)
        self._bookmarks.read_at = self._now

    def _unproven(self, follow: Follow, page: Page) -> Iterator[tuple[str, Json]]:
        assert follow.recheck  # noqa: S101 - a check is under way
        found = follow.recheck.unproven(page.objects)
        if not found:
            return iter(())
        self._raise_read_at(follow)
        return self.rows.of(replace(page, objects=found), follow.changes, Floor(self._now))

    def _follow(self, page: Page) -> Follow:
        return self._follows[page.job.account][page.job.listed.name]

    def _owner(self, job: Job) -> Follow:
        """Return the list that a job about its events is for."""
        return self._follows[job.account][job.owner]

    def written(self, page: Page) -> Steps:
        """Claim what a page completes; all its records must have been written.

        Returns what that makes possible.
        """
        pages, jobs = self._written(page)
        self._open[page.job.account] += len(jobs)
        return pages, jobs

    def _written(self, page: Page) -> Steps:
        self._wake(page.job.account)
        purpose = page.job.purpose
        if purpose is Purpose.REREAD:
            follow = self._follow(page)
            names = {*page.absent, *(value["id"] for value in page.objects)}
            follow.reread(names.difference(follow.lost.values()))
            self._claim_feed(follow, follow.reached())
        elif purpose is Purpose.FEED:
            self._claim_page(page)
            if FEED in page.streams and page.covered:
                return self._feed_page_read(page.job.account, page.covered)
        elif purpose is Purpose.LOAD:
            self._claim_page(page)
        return [], []

    def _claim_page(self, page: Page) -> None:
        if page.covered is None:
            return
        start, end = page.covered
        for stream in page.streams - {FEED}:
            follow = self._follow(page)
            follow.begun = True
            limit = follow.bookmarks[stream].events_until
            if not limit or follow.feed_denied:
                limit = self.horizon
            self._claim(follow, stream, (start, min(end, limit)))

    def _claim_feed(self, follow: Follow, reached: int) -> None:
        """Claim what the feed told until `reached`; what was created since then came with it."""
        for stream, since in follow.since.items():
            bookmark = follow.bookmarks[stream]
            if reached > bookmark.events_until:
                # A row re-read now may be listed by a later run, which knows nothing of its change.
                noted = follow.changes and bookmark.scattered
                read_at = max(bookmark.read_at, reached) if noted else bookmark.read_at
                bookmark = replace(bookmark, events_until=reached, read_at=read_at)
                follow.bookmarks[stream] = bookmark
                # What is listed anew is claimed as it is listed.
                span = (since, reached) if bookmark.list_from is None else (0, 0)
                self._claim(follow, stream, span)
        self._remember_feed(follow.account.id)

    def _remember_feed(self, account: str) -> None:
        """Keep what was seen of the hours that all lists have followed: a run may be killed."""
        feed = self._feeds[account]
        follows = (self._follows[account][name] for name in feed.followers)
        reached = min(
            (
                follow.bookmarks[stream].events_until
                for follow in follows
                for stream in follow.since
            ),
            default=0,
        )
        late = feed.late_hours and (feed.incomplete or "events" in self._follows[account])
        if late or not feed.several:
            return
        if (hour := reached // HOUR * HOUR) > feed.remembered_until:
            feed.remembered_until = hour
            self._bookmarks.set(EVENT_FEED, account, feed.bookmark(hour))

    def _claim(self, follow: Follow, stream: str, span: Range, *, finished: bool = False) -> None:
        bookmark = follow.bookmarks[stream].covering(*span)
        recent = self.rows.recent(stream, follow.account.id, finished=finished)
        bookmark = replace(bookmark, recent=kept_recent(recent))
        follow.bookmarks[stream] = self._bookmarks.set(stream, follow.account.id, bookmark)

    # What follows on what

    def finished(self, job: Job) -> Steps:
        """Return what a finished job makes possible: pages to write now, and jobs to read."""
        self._wake(job.account)
        pages, jobs = self._finished(job)
        # Jobs without work end at once; of thousands of accounts all would wait for them.
        idle = [one for one in jobs if one.plan.done]
        while idle and not pages:
            done = idle.pop()
            jobs.remove(done)
            pages, more = self._finished(done)
            jobs += more
            idle += [one for one in more if one.plan.done]
        self._open[job.account] += len(jobs) - 1
        if not self._open[job.account] and not pages:
            # Nothing more comes of this account.
            self._follows.pop(job.account, None)
            self._feeds.pop(job.account, None)
        return pages, jobs

    def _finished(self, job: Job) -> Steps:
        if job.failure:
            return self._failed(job)
        if job.purpose is Purpose.FEED:
            return self._feed_read(job)
        if job.owner:
            return self._advance(self._owner(job), job)
        follow = self._follows[job.account][job.listed.name]
        if job.purpose is Purpose.REREAD:
            return self._advance(follow, job)
        return [], self._listed(follow, job)

    def _feed_page_read(self, account: str, span: Range) -> Steps:
        feed = self._feeds.get(account)
        if feed is None:
            return [], []
        feed.read(span)
        batch = feed.ripe()
        return self._follow_up(account, feed, batch) if batch else ([], [])

    def _feed_read(self, job: Job) -> Steps:
        """Plan to read again what the feed told of; only then are missing windows listed (A7)."""
        if events := self._follows[job.account].get("events"):
            self._settle(events)
        feed = self._feeds.get(job.account)
        if feed is None:
            return [], []
        feed.complete = True
        batch = feed.ripe()
        pages, jobs = self._follow_up(job.account, feed, batch) if batch else ([], [])
        if events and feed.late_hours:
            feed.followers.add("events")
            jobs.append(self._load(events, merged(feed.late_hours)))
        return pages, jobs

    def _follow_up(self, account: str, feed: Feed, batch: Batch) -> Steps:
        """Return what a part of the feed makes necessary, list by list."""
        pages: list[Page] = []
        jobs: list[Job] = []
        for follow in self._follows[account].values():
            if not follow.since or follow.failed:
                continue
            concerned = self._concerned(follow, batch.changes.of(follow.listed.name))
            if feed.several or any(change.late for change in concerned.values()):
                # Its newest event may not have been read yet.
                self._raise_read_at(follow)
            fresh = follow.expect(concerned, batch.until, self.horizon)
            gone = tuple(name for name, one in fresh.items() if one.gone)
            if gone:
                pages.append(self._gone_page(follow, gone))
            alive = {name: one for name, one in fresh.items() if not one.gone}
            jobs += self._reread(follow, alive, feed, last=batch.last)
            self._claim_feed(follow, follow.reached())
        return pages, jobs

    def _gone_page(self, follow: Follow, names: tuple[str, ...]) -> Page:
        """Return a page that says that objects no longer exist."""
        streams = frozenset(follow.since)
        job = self._job(follow.listed, follow, Rereads({}, streams), Purpose.REREAD)
        return Page(job, streams, [], absent=names)

    def _reread(
        self, follow: Follow, alive: Mapping[str, Change], feed: Feed, *, last: bool
    ) -> Iterator[Job]:
        """Yield the jobs that read changed objects again; with the last part at least one."""
        # Their former children may stand in events from before this feed.
        unknown = {
            name: one
            for name, one in alive.items()
            if one.replaced and one.created and one.created < feed.start
        }
        if unknown:
            yield self._look_back_job(follow, unknown, feed.start)
        known = {name: one for name, one in alive.items() if name not in unknown}
        if known or last:
            yield self._reread_job(follow, known)

    def _reread_job(self, follow: Follow, changes: Mapping[str, Change]) -> Job:
        follow.jobs += 1
        if not follow.listed.windowed:
            changes = {name: replace(one, created=None) for name, one in changes.items()}
        plan = Rereads(changes, frozenset(follow.since))
        return self._job(follow.listed, follow, plan, Purpose.REREAD)

    def _look_back_job(self, follow: Follow, unknown: dict[str, Change], until: int) -> Job:
        follow.jobs += 1
        oldest = min(one.created or 0 for one in unknown.values())
        plan = Plan([Window(oldest, until, frozenset(follow.since))])
        events = replace(LISTED["events"], parameters=follow.listed.told_by)
        job = self._job(events, follow, plan, Purpose.LOOK_BACK, owner=follow.listed.name)
        follow.looking_back[job] = unknown
        return job

    def _last_event_job(self, follow: Follow) -> Job:
        follow.jobs += 1
        wanted = {
            event: replace(follow.changes[name], created=None)
            for event, name in follow.lost.items()
        }
        plan = Rereads(wanted, frozenset(follow.since))
        return self._job(
            LISTED["events"], follow, plan, Purpose.LAST_EVENT, owner=follow.listed.name
        )

    def _job(
        self, listed: Listed, follow: Follow, plan: Work, purpose: Purpose, owner: str = ""
    ) -> Job:
        account = follow.account
        return Job(listed, account.id, account.header, plan, purpose, owner=owner)

    def _advance(self, follow: Follow, job: Job) -> Steps:
        """Go on after a job that read changed objects again, or what it needs."""
        follow.jobs -= 1
        if unknown := follow.looking_back.pop(job, None):
            return [], [self._reread_job(follow, unknown)]
        feed = self._feeds[follow.account.id]
        if follow.jobs or follow.failed or not feed.complete:
            return [], []
        if nameless := follow.bury():
            return [self._gone_page(follow, nameless)], [self._reread_job(follow, {})]
        if follow.lost and job.purpose is not Purpose.LAST_EVENT:
            return [], [self._last_event_job(follow)]
        return [], self._followed(follow, feed)

    def _followed(self, follow: Follow, feed: Feed) -> list[Job]:
        """Claim the feed up to the horizon, and list what was never listed."""
        follow.lost.clear()
        self._claim_feed(follow, self.horizon)
        self._done_following(follow, feed)
        if feed.checking and not follow.unlisted:
            named = feed.named(follow.listed.name)
            follow.recheck = self._recheck(follow, feed.checked_from, named)
        return [self._load(follow)]

    def _recheck(self, follow: Follow, cross_from: int, named: frozenset[str] | None) -> Recheck:
        last, *others = follow.bookmarks.values()
        alike = all(
            (one.checked_at, one.fingerprints) == (last.checked_at, last.fingerprints)
            for one in others
        )
        if not follow.listed.windowed:
            # The newest rows cannot be listed by themselves.
            named = None
        return Recheck(follow.listed, self.horizon, last if alike else EMPTY, cross_from, named)

    def _done_following(self, follow: Follow, feed: Feed) -> None:
        """Remember what was seen of the feed once no list waits for it any more."""
        feed.followers.discard(follow.listed.name)
        feed.incomplete |= follow.failed
        # What came late would count as seen, though not all of it has been followed.
        if feed.complete and not feed.followers and not (feed.late_hours and feed.incomplete):
            self._bookmarks.set(EVENT_FEED, follow.account.id, feed.bookmark(self.horizon))

    def _listed(self, follow: Follow, job: Job) -> list[Job]:
        """Go on after a list has been read: to its check, to what the check found, to the end."""
        recheck = follow.recheck
        if recheck and job.purpose is Purpose.LOAD and recheck.needed:
            streams = frozenset(follow.streams)
            plan = Plan([Window(recheck.start, self.horizon, streams)])
            return [self._job(follow.listed, follow, plan, Purpose.CHECK)]
        if recheck:
            follow.recheck = None
            follow.fingerprints = recheck.fingerprints()
            if windows := recheck.differing():
                return [self._load(follow, windows)]
        self._settle(follow)
        if follow.listed.name == "events" and (feed := self._feeds.get(job.account)):
            self._done_following(follow, feed)
        return []

    def _concerned(self, follow: Follow, changes: dict[str, Change]) -> dict[str, Change]:
        """Return the changes of objects that the settings want and a stream has to show."""
        since, oldest = min(follow.since.values()), self._oldest(follow)
        return {
            name: change
            for name, change in changes.items()
            if (change.last >= since or change.late)
            and (change.created is None or max(0, change.created) >= oldest)
        }

    def _oldest(self, follow: Follow) -> int:
        """Return the creation time from which on objects are written, or may have been."""
        known = [follow.bookmarks[stream].oldest for stream in follow.since]
        return min(moment for moment in [self._start(follow.listed), *known] if moment is not None)

    def _settle(self, follow: Follow) -> None:
        """Forget what needs no remembering once all of a list has been written."""
        for stream, bookmark in follow.bookmarks.items():
            anew = not bookmark.checked_at or bookmark.list_from is not None
            past = bookmark.read_at <= bookmark.events_until and not bookmark.scattered
            settled = replace(bookmark, list_from=None, read_at=0 if past else bookmark.read_at)
            if follow.listed.changes == "feed" and (anew or follow.fingerprints is not None):
                settled = replace(
                    settled, checked_at=self.horizon, fingerprints=follow.fingerprints or ""
                )
            follow.bookmarks[stream] = settled
            self._claim(follow, stream, (0, 0), finished=True)
        follow.changes = {}

    # What cannot be read

    def _failed(self, job: Job) -> Steps:
        if job.purpose is Purpose.FEED:
            if events := self._follows[job.account].get("events"):
                self._withdraw(events)
            return [], self._without_feed(job)
        follow = self._follows[job.account].get(job.owner or job.listed.name)
        if follow:
            follow.failed = True
            self._withdraw(follow)
            if feed := self._feeds.get(job.account):
                self._done_following(follow, feed)
        return [], []

    def _without_feed(self, job: Job) -> list[Job]:
        """List new rows where the key may not read the feed, which tells of all other changes."""
        denied = job.failure and job.failure.verdict is Verdict.SKIP_STREAM
        feed = self._feeds.get(job.account)
        jobs = []
        for follow in self._follows[job.account].values():
            follow.feed_denied |= bool(denied)
            if denied and follow.since and feed and not feed.several:
                follow.since = {}
                if follow.listed.recheck_days and self._is_due(follow):
                    follow.recheck = self._recheck(follow, self.horizon, None)
                jobs.append(self._load(follow))
        return jobs

    def _withdraw(self, follow: Follow) -> None:
        """Leave the bookmarks as they were where nothing has been written."""
        for stream, known in () if follow.begun else follow.stamped.items():
            if known == EMPTY:
                self._bookmarks.remove(stream, follow.account.id)
            else:
                self._bookmarks.set(stream, follow.account.id, known)

    def notes(self) -> list[str]:
        """Return a line for each stream that Stripe sent something unexpected for (B9)."""
        lines = []
        for name, converter in self._records.converters.items():
            if converter.unknown:
                fields = ", ".join(sorted(converter.unknown))
                lines.append(f"{name}: new fields of Stripe's are in additional_fields: {fields}")
            if converter.unusable:
                lines.append(f"{name}: left out {converter.unusable} objects without a usable key")
            lines += converter.warnings()
        for name, count in self.rows.unexplained.items():
            lines.append(
                f"{name}: {count} changed objects no longer exist; the next run marks them "
                "when Stripe tells of their deletion"
            )
        return lines


def _streams_of(listed: Listed, selected: Collection[str]) -> list[str]:
    names = [listed.name, *(nested.name for nested in nested_in(listed.name))]
    return [name for name in names if name in selected]


def _windows(listed: Listed, wanted: Iterable[tuple[Range, frozenset[str]]]) -> Plan:
    kind = Window if listed.windowed else WholeList
    return Plan(kind(*span, lacking) for span, lacking in wanted)


def _complete(bookmark: Bookmark) -> bool:
    """Tell whether the last run listed everything there was."""
    return len(bookmark.covered) == 1
