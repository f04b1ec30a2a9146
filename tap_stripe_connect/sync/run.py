"""One run over the selected streams: what to read, what of it is new, what may be claimed."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from tap_stripe_connect.catalog import LISTED, Listed, nested_in
from tap_stripe_connect.sync import resuming
from tap_stripe_connect.sync.bookmark import EMPTY, kept_recent
from tap_stripe_connect.sync.changes import Changes
from tap_stripe_connect.sync.follow import Follow
from tap_stripe_connect.sync.jobs import Job, Page, Purpose
from tap_stripe_connect.sync.messages import now
from tap_stripe_connect.sync.rereads import Rereads
from tap_stripe_connect.sync.rows import Rows
from tap_stripe_connect.sync.windows import END_OF_TIME, Plan, Window, missing, shared_out

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from tap_stripe_connect.accounts import Account
    from tap_stripe_connect.catalog import Nested
    from tap_stripe_connect.settings import Settings
    from tap_stripe_connect.sync.bookmark import Bookmark
    from tap_stripe_connect.sync.bookmarks import Bookmarks
    from tap_stripe_connect.sync.changes import Change
    from tap_stripe_connect.sync.records import Json, Records
    from tap_stripe_connect.sync.resuming import Doubt
    from tap_stripe_connect.sync.windows import Range

logger = logging.getLogger(__name__)

FEED = "the event feed"
"""Stands among the streams that a window of `/v1/events` is read for."""


class Run:
    """Turns bookmarks into jobs, pages into records, and written pages into bookmarks."""

    def __init__(
        self,
        settings: Settings,
        bookmarks: Bookmarks,
        records: Records,
        server_time: int,
        own_time: int,
    ) -> None:
        """Begin a run at `server_time`, Stripe's clock in unix seconds, and `own_time`, ours."""
        self._settings = settings
        self._bookmarks = bookmarks
        self._records = records
        self._now = server_time
        self.horizon = min(server_time, own_time) - settings.lag_seconds
        """No bookmark claims anything newer: it may not be visible yet (A5), or not exist yet."""
        self.rows = Rows(records, livemode=settings.livemode, horizon=self.horizon)
        self._follows: dict[str, dict[str, Follow]] = {}
        """By account, and then by the stream that lists."""
        self._changes: dict[str, Changes] = {}

    # Planning

    def begin(
        self, accounts: Collection[Account], selected: Mapping[str, Listed | Nested]
    ) -> list[Job]:
        """Return what can be read at once; `finished` returns the rest when its time comes."""
        jobs: list[Job] = []
        doubts: list[Doubt] = []
        asked = {**LISTED, **{n: one for n, one in selected.items() if isinstance(one, Listed)}}
        for account in accounts:
            follows = [
                Follow(listed, account, streams)
                for listed in asked.values()
                if (streams := _streams_of(listed, selected))
            ]
            for follow in follows:
                doubts += self._prepare(follow)
            self._follows[account.id] = {follow.listed.name: follow for follow in follows}
            jobs += self._first_jobs(account, follows)
        for line in resuming.warnings(doubts, now()):
            logger.warning(line)
        return jobs

    def _prepare(self, follow: Follow) -> Iterator[Doubt]:
        """Read the bookmarks of one list, and put right what can no longer be followed."""
        account, start = follow.account.id, self._start(follow.listed)
        for stream in follow.streams:
            known = self._bookmarks.get(stream, account)
            bookmark = resuming.usable(known, self._now)
            if bookmark is not known:
                yield resuming.doubt(stream, account, known, self._now)
            if follow.listed.changes == "unseen" and _complete(bookmark):
                bookmark = EMPTY
            if follow.listed.changes == "feed":
                if bookmark.events_until:
                    follow.since[stream] = bookmark.events_until
                else:
                    follow.stamped[stream] = known
                # Stamped before the first list call, and kept however often it is resumed (A8);
                # in the state before the first record, so that a kill does not lose it.
                bookmark = resuming.begun(resuming.stamped(bookmark, self.horizon), start)
                if bookmark != known:
                    self._bookmarks.set(stream, account, bookmark)
            follow.bookmarks[stream] = bookmark
            self.rows.begin(stream, account, bookmark)

    def _first_jobs(self, account: Account, follows: list[Follow]) -> list[Job]:
        since = [moment for follow in follows for moment in follow.since.values()]
        jobs = []
        for follow in follows:
            if follow.listed.name == "events":
                continue
            if not follow.since:
                jobs.append(self._load(follow))
        events = self._follows[account.id].get("events")
        gaps = self._gaps(events) if events else {}
        if since:
            self._changes[account.id] = Changes()
            gaps[FEED] = [(min(since), END_OF_TIME)]
        if gaps:
            purpose = Purpose.FEED if since else Purpose.LOAD
            windows = _windows(gaps)
            jobs.append(Job(LISTED["events"], account.id, account.header, windows, purpose))
        return jobs

    def _load(self, follow: Follow) -> Job:
        account = follow.account
        return Job(follow.listed, account.id, account.header, _windows(self._gaps(follow)))

    def _gaps(self, follow: Follow) -> dict[str, list[Range]]:
        """Return what each stream has never listed; what the feed follows ends where it begins."""
        return {
            stream: missing(
                bookmark.covered,
                (
                    resuming.listed_from(bookmark, self._start(follow.listed)),
                    follow.since.get(stream, END_OF_TIME),
                ),
            )
            for stream, bookmark in follow.bookmarks.items()
        }

    def _start(self, listed: Listed) -> int:
        return 0 if listed.reference else self._settings.start

    # Pages

    def records(self, page: Page) -> Iterator[tuple[str, Json]]:
        """Yield a page's records with the names of their streams, less what was written before."""
        if page.job.purpose is Purpose.FEED:
            if FEED in page.streams:
                changes = self._changes[page.job.account]
                for event in page.objects:
                    changes.note(event)
            page = replace(page, streams=page.streams - {FEED})
            if not page.streams:
                return
        elif page.job.purpose is Purpose.REREAD:
            # Events about others do not say when it was created; now that is known.
            follow = self._follows[page.job.account][page.job.listed.name]
            oldest = self._oldest(follow)
            wanted = [one for one in page.objects if (one.get("created") or oldest) >= oldest]
            page = replace(page, objects=wanted)
        yield from self.rows.of(page, self._changes_for(page.job))

    def _changes_for(self, job: Job) -> dict[str, Change]:
        """Return what the feed told of a list's objects; a load can meet them, too."""
        follow = self._follows[job.account].get(job.listed.name)
        return follow.changes if follow else {}

    def written(self, page: Page) -> None:
        """Claim what a page completes; all its records must have been written."""
        if page.job.purpose is Purpose.REREAD:
            follow = self._follows[page.job.account][page.job.listed.name]
            follow.reread({*page.absent, *(value["id"] for value in page.objects)})
            self._claim_feed(follow, follow.reached(self.horizon))
        elif page.covered is not None:
            start, end = page.covered
            for stream in page.streams - {FEED}:
                follow = self._follows[page.job.account][page.job.listed.name]
                follow.begun = True
                limit = follow.bookmarks[stream].events_until or self.horizon
                self._claim(follow, stream, (start, min(end, limit)))

    def _claim_feed(self, follow: Follow, reached: int) -> None:
        """Claim what the feed told until `reached`; what was created since then came with it."""
        for stream, since in follow.since.items():
            bookmark = follow.bookmarks[stream]
            if reached > bookmark.events_until:
                follow.bookmarks[stream] = replace(bookmark, events_until=reached)
                self._claim(follow, stream, (since, reached))

    def _claim(self, follow: Follow, stream: str, span: Range, *, finished: bool = False) -> None:
        bookmark = follow.bookmarks[stream].covering(*span)
        recent = self.rows.recent(stream, follow.account.id, finished=finished)
        bookmark = replace(bookmark, recent=kept_recent(recent))
        follow.bookmarks[stream] = bookmark
        self._bookmarks.set(stream, follow.account.id, bookmark)

    # What follows on what

    def finished(self, job: Job) -> tuple[list[Page], list[Job]]:
        """Return what a finished job makes possible: pages to write now, and jobs to read."""
        follow = self._follows[job.account].get(job.listed.name)
        if job.failure:
            if follow:
                self._withdraw(follow)
            return [], []
        if job.purpose is Purpose.FEED:
            return self._feed_read(job)
        assert follow  # noqa: S101 - only the feed is read for others
        if job.purpose is Purpose.REREAD:
            return [], self._followed(follow)
        self._settle(follow)
        return [], []

    def _feed_read(self, job: Job) -> tuple[list[Page], list[Job]]:
        """Plan to read again what the feed told of; only then are missing windows listed (A7)."""
        pages: list[Page] = []
        jobs: list[Job] = []
        for follow in self._follows[job.account].values():
            if follow.listed.name == "events":
                self._settle(follow)
            if not follow.since:
                continue
            changes = self._changes[job.account].of(follow.listed.name)
            follow.expect(self._concerned(follow, changes))
            streams = frozenset(follow.since)
            reread = Job(
                follow.listed,
                job.account,
                follow.account.header,
                Rereads(
                    {name: one for name, one in follow.changes.items() if not one.gone}, streams
                ),
                Purpose.REREAD,
            )
            gone = tuple(name for name, one in follow.changes.items() if one.gone)
            if gone:
                pages.append(Page(reread, streams, [], absent=gone))
            jobs.append(reread)
        self._changes.pop(job.account, None)
        return pages, jobs

    def _concerned(self, follow: Follow, changes: dict[str, Change]) -> dict[str, Change]:
        """Return the changes of objects that the settings want and a stream has to show."""
        since, oldest = min(follow.since.values()), self._oldest(follow)
        return {
            name: change
            for name, change in changes.items()
            if change.last >= since and (change.created is None or change.created >= oldest)
        }

    def _oldest(self, follow: Follow) -> int:
        """Return the creation time from which on objects are written, or may have been."""
        known = [follow.bookmarks[stream].oldest for stream in follow.since]
        return min(moment for moment in [self._start(follow.listed), *known] if moment is not None)

    def _followed(self, follow: Follow) -> list[Job]:
        """Claim the feed up to the horizon, and list what was never listed."""
        self._claim_feed(follow, self.horizon)
        return [self._load(follow)]

    def _settle(self, follow: Follow) -> None:
        """Forget what needs no remembering once all of a list has been written."""
        for stream, bookmark in follow.bookmarks.items():
            follow.bookmarks[stream] = replace(bookmark, list_from=None)
            self._claim(follow, stream, (0, 0), finished=True)
        follow.changes = {}

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
        for name, count in self.rows.unexplained.items():
            lines.append(
                f"{name}: {count} changed objects no longer exist; the next run marks them "
                "when Stripe tells of their deletion"
            )
        return lines


def _streams_of(listed: Listed, selected: Collection[str]) -> list[str]:
    names = [listed.name, *(nested.name for nested in nested_in(listed.name))]
    return [name for name in names if name in selected]


def _windows(gaps: dict[str, list[Range]]) -> Plan:
    return Plan(Window(*span, lacking) for span, lacking in shared_out(gaps))


def _complete(bookmark: Bookmark) -> bool:
    """Tell whether the last run listed everything there was."""
    return len(bookmark.covered) == 1
