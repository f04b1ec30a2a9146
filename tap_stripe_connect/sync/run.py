"""One run over the selected streams: what to read, what of it is new, what may be claimed."""

from __future__ import annotations

import logging
from collections import defaultdict
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from tap_stripe_connect.catalog import LISTED, nested_in
from tap_stripe_connect.sync.bookmarks import Bookmark, kept_recent, last_covered
from tap_stripe_connect.sync.engine import Job
from tap_stripe_connect.sync.records import Origin
from tap_stripe_connect.sync.windows import END_OF_TIME, Plan, Window, missing, shared_out

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tap_stripe_connect.accounts import Account
    from tap_stripe_connect.settings import Settings
    from tap_stripe_connect.sync.bookmarks import Bookmarks
    from tap_stripe_connect.sync.engine import Page
    from tap_stripe_connect.sync.records import Json, Records

logger = logging.getLogger(__name__)

_encode = msgspec.json.Encoder(order="deterministic").encode


class Run:
    """Turns bookmarks into jobs, pages into records, and written pages into bookmarks."""

    def __init__(
        self, settings: Settings, bookmarks: Bookmarks, records: Records, server_time: int
    ) -> None:
        """Begin a run at `server_time`, Stripe's clock in unix seconds."""
        self._settings = settings
        self._bookmarks = bookmarks
        self._records = records
        self._now = server_time
        self.horizon = server_time - settings.lag_seconds
        """No bookmark claims anything created later: it may not be visible yet (A5)."""
        self._before: dict[tuple[str, str], Bookmark] = {}
        self._fresh: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    def jobs(self, accounts: Collection[Account], selected: Collection[str]) -> list[Job]:
        """Return what has to be read for the selected streams; unselected ones cost nothing."""
        found = []
        for account in accounts:
            for listed in LISTED.values():
                names = [listed.name, *(nested.name for nested in nested_in(listed.name))]
                wanted = [name for name in names if name in selected]
                if wanted:
                    plan = self._plan(account.id, wanted)
                    found.append(Job(listed, account.id, account.header, plan))
        return found

    def _plan(self, account: str, streams: list[str]) -> Plan:
        gaps = {}
        for stream in streams:
            bookmark = self._bookmarks.get(stream, account)
            if last_covered(bookmark) > self._now:
                logger.warning(
                    "%s of %s: the bookmark lies in the future; reading again from %s seconds "
                    "before Stripe's clock",
                    stream,
                    account,
                    self._settings.lag_seconds,
                )
                bookmark = bookmark.up_to(self.horizon)
                self._bookmarks.set(stream, account, bookmark)
            self._before[stream, account] = bookmark
            gaps[stream] = missing(bookmark.covered, (self._settings.start, END_OF_TIME))
        return Plan(Window(*span, lacking) for span, lacking in shared_out(gaps))

    def records(self, page: Page) -> Iterator[tuple[str, Json]]:
        """Yield a page's records with the names of their streams, less what was written before."""
        job = page.job
        origin = Origin(job.account, self._settings.livemode)
        for value in page.objects:
            streams = self._unwritten(page, value)
            if streams:
                yield from self._records.of(job.listed, streams, value, origin)

    def _unwritten(self, page: Page, value: Json) -> frozenset[str]:
        """Return the streams for which this object, in this state, was not written before (A6)."""
        created = value.get("created") or 0
        account = page.job.account
        before = {name: self._before[name, account] for name in page.streams}
        ahead = created >= self.horizon
        if not ahead and not any(bookmark.recent for bookmark in before.values()):
            return page.streams
        digest = blake2b(_encode(value), digest_size=8).hexdigest()
        if ahead:
            for name in page.streams:
                self._fresh[name, account].append(digest)
        return frozenset(name for name in page.streams if digest not in before[name].recent)

    def written(self, page: Page) -> None:
        """Claim what a page completes; all its records must have been written."""
        start, end = page.covered
        for stream in page.streams:
            account = page.job.account
            recent = [*self._before[stream, account].recent, *self._fresh[stream, account]]
            bookmark = self._bookmarks.get(stream, account).covering(
                (start, min(end, self.horizon))
            )
            self._bookmarks.set(stream, account, Bookmark(bookmark.covered, kept_recent(recent)))

    def finished(self, job: Job) -> None:
        """Forget what needs no remembering once all of a job has been written."""
        if job.failure:
            return
        for stream in self._streams_of(job):
            covered = self._bookmarks.get(stream, job.account).covered
            fresh = kept_recent(self._fresh[stream, job.account])
            self._bookmarks.set(stream, job.account, Bookmark(covered, fresh))

    def _streams_of(self, job: Job) -> list[str]:
        return [
            name
            for name in (job.listed.name, *(nested.name for nested in nested_in(job.listed.name)))
            if (name, job.account) in self._before
        ]

    def notes(self) -> list[str]:
        """Return a line for each stream that Stripe sent something unexpected for (B9)."""
        lines = []
        for name, converter in self._records.converters.items():
            if converter.unknown:
                fields = ", ".join(sorted(converter.unknown))
                lines.append(f"{name}: new fields of Stripe's are in additional_fields: {fields}")
            if converter.unusable:
                lines.append(f"{name}: left out {converter.unusable} objects without a usable key")
        return lines
