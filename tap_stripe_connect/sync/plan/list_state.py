"""The progress of one list of one account: backfill, changes to follow, and checks."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.catalog import nested_in
from tap_stripe_connect.sync.plan.events import add_former_children, encode
from tap_stripe_connect.sync.plan.resume import backfill_from
from tap_stripe_connect.sync.state.ranges import END_OF_TIME, missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_stripe_connect.accounts import Account
    from tap_stripe_connect.catalog import Listed
    from tap_stripe_connect.sync.plan.events import Change
    from tap_stripe_connect.sync.plan.jobs import Job, Page
    from tap_stripe_connect.sync.plan.recheck import Recheck
    from tap_stripe_connect.sync.state.bookmark import Bookmark
    from tap_stripe_connect.sync.state.ranges import Range


class _Pending:
    """Objects that are being refetched; most lists have none, so it is created on demand."""

    __slots__ = ("counts", "firsts")

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """How many refetches of each object are in progress, by id."""
        self.firsts: deque[tuple[int, str]] = deque()
        """Times of their oldest events, with their ids, in order."""


class ListState:
    """The progress of one list of one account during a run.

    A run over thousands of accounts has a hundred thousand of them, so each is small.
    """

    __slots__ = (
        "_pending",
        "_until",
        "account",
        "bookmarks",
        "changes",
        "failed",
        "feed_denied",
        "feed_from",
        "fingerprints",
        "followed_until",
        "full_table",
        "has_rows",
        "jobs",
        "listed",
        "listing_minimum",
        "look_backs",
        "missing_by_event",
        "newly_followed",
        "recheck",
        "streams",
        "unlisted",
        "written_from",
    )

    def __init__(self, listed: Listed, account: Account, streams: tuple[str, ...]) -> None:
        self.listed = listed
        self.account = account
        self.streams = streams
        self.bookmarks: dict[str, Bookmark] = {}
        self.feed_from: dict[str, int] = {}
        """Where each stream resumes the feed, in unix seconds; not for streams in a first load."""
        self.has_rows = False
        """Whether a page of the list has been written."""
        self.newly_followed: dict[str, Bookmark] = {}
        """Previous bookmarks of the streams that begin to follow the feed."""
        self.written_from: int | None = None
        """Oldest creation time that earlier runs may have written; None for no rows."""
        self.followed_until = 0
        """How far an earlier run followed the feed at most, in unix seconds."""
        self.full_table = False
        """Whether the catalog requests a full-table replication."""
        self.listing_minimum = 0
        """The lowest `updated_at` of listed rows that may have been written before."""
        self.unlisted = False
        """Whether some rows created before the start of the feed have not been listed."""
        self.feed_denied = False
        """Whether the key may not read the event feed; then only new rows can be found."""
        self.changes: dict[str, Change] = {}
        """Changed objects by id, including those that have been refetched."""
        self.missing_by_event: dict[str, str] = {}
        """Ids of missing objects without a deletion event, by the id of their last event."""
        self.recheck: Recheck | None = None
        """The check of this list, while it is due or in progress."""
        self.fingerprints: str | None = None
        """Result of a check; None if there was none."""
        self.look_backs: dict[Job, dict[str, Change]] = {}
        """Changes that wait for a job which reads older events."""
        self.failed = False
        """Whether a job of the list failed, so that nothing more is claimed."""
        self.jobs = 0
        """Jobs in progress that refetch changed objects."""
        self._until = 0
        self._pending: _Pending | None = None

    @property
    def checked_at(self) -> int:
        """When the list was last compared with the event feed, in unix seconds."""
        return min(bookmark.checked_at for bookmark in self.bookmarks.values())

    @property
    def relists_all(self) -> bool:
        """Whether everything is listed again."""
        return any(bookmark.list_from is not None for bookmark in self.bookmarks.values())

    @property
    def read_at(self) -> int:
        """The newest `updated_at` that rows may have without an event of that time."""
        return max(bookmark.read_at for bookmark in self.bookmarks.values())

    def gaps(self, start: int) -> dict[str, list[Range]]:
        """Return the ranges that each stream has not listed, up to the start of the feed."""
        return {
            stream: missing(
                bookmark.covered,
                (
                    backfill_from(bookmark, start),
                    END_OF_TIME
                    if bookmark.list_from is not None
                    else self.feed_from.get(stream, END_OF_TIME),
                ),
            )
            for stream, bookmark in self.bookmarks.items()
        }

    def oldest(self, start: int) -> int:
        """Return the oldest creation time that is wanted, or that may have been written."""
        known = [self.bookmarks[stream].oldest for stream in self.feed_from]
        return min(moment for moment in [start, *known] if moment is not None)

    def relevant_changes(self, changes: dict[str, Change], start: int) -> dict[str, Change]:
        """Return the changes of wanted objects that a stream has not followed yet."""
        since, oldest = min(self.feed_from.values()), self.oldest(start)
        return {
            name: change
            for name, change in changes.items()
            if (change.last >= since or change.late)
            and (change.created is None or max(0, change.created) >= oldest)
        }

    def add_changes(
        self, found: Mapping[str, Change], until: int, horizon: int
    ) -> dict[str, Change]:
        """Add the changes of the feed up to `until`; return those that have to be refetched.

        A refetched object includes all changes before `horizon`, so it is usually refetched only
        once in a run.
        """
        self._until = until
        fresh: dict[str, Change] = {}
        for name, change in found.items():
            known = self.changes.get(name)
            if known is None:
                self.changes[name] = fresh[name] = change
                continue
            again = (
                change.last >= horizon
                or bool(known.deleted_at or change.deleted_at)
                or change.replaced
                or not change.former_children.keys() <= known.former_children.keys()
            )
            known.merge(change)
            if again:
                fresh[name] = known
        if fresh:
            self._pending = self._pending or _Pending()
            self._pending.counts.update(fresh.keys())
            self._pending.firsts.extend(sorted((found[name].first, name) for name in fresh))
        return fresh

    def raise_read_at(self, moment: int) -> None:
        """Record an `updated_at` that rows may have; later records must not have an older one."""
        for stream, bookmark in self.bookmarks.items():
            if bookmark.read_at < moment:
                self.bookmarks[stream] = replace(bookmark, read_at=moment)

    def record_missing(self, names: Iterable[str], horizon: int) -> None:
        """Record objects that no longer exist although no event reports their deletion.

        If their newest event is later than `horizon`, a deletion event may still appear.
        """
        for name in names:
            change = self.changes[name]
            if not change.deleted_at and change.last < horizon:
                self.missing_by_event[change.event or name] = name

    def mark_without_event(self) -> tuple[str, ...]:
        """Mark missing objects that no event contains as deleted; return their ids."""
        found = []
        for event, name in list(self.missing_by_event.items()):
            change = self.changes[name]
            if change.deleted_at:
                # A deletion event was read later, and the object has been marked.
                del self.missing_by_event[event]
            elif not change.event:
                del self.missing_by_event[event]
                self._mark(change, {"id": name, "object": self.listed.object})
                found.append(name)
        return tuple(found)

    def mark_by_last_events(self, page: Page) -> tuple[str, ...]:
        """Mark missing objects as deleted, with payloads of their last events; return the ids."""
        shown = {event["id"]: event["data"]["object"] for event in page.objects}
        names = []
        for event in [*shown, *page.absent]:
            name = self.missing_by_event.pop(event)
            value = shown.get(event) or {"id": name, "object": self.listed.object}
            self._mark(self.changes[name], value)
            names.append(name)
        return tuple(names)

    def _mark(self, change: Change, value: dict[str, Any]) -> None:
        change.deleted_at = change.last
        change.last_payload = encode(value)
        for nested in nested_in(self.listed.name):
            add_former_children(change, nested, value)

    def add_former_children(self, events: Iterable[dict[str, Any]]) -> None:
        """Add former children from older events to the objects whose children were replaced."""
        for event in events:
            value = event["data"]["object"]
            change = self.changes.get(str(value.get("id")))
            if change and change.replaced:
                for nested in nested_in(self.listed.name):
                    add_former_children(change, nested, value)

    def mark_refetched(self, names: Iterable[str]) -> None:
        """Record that refetched objects have been written."""
        counts = self._pending.counts if self._pending else Counter[str]()
        for name in names:
            if counts[name] > 1:
                counts[name] -= 1
            else:
                del counts[name]

    def feed_written_until(self) -> int:
        """Return the moment up to which all changes of the feed have been written."""
        if not self._pending:
            return self._until
        counts, firsts = self._pending.counts, self._pending.firsts
        while firsts and firsts[0][1] not in counts:
            firsts.popleft()
        return min(firsts[0][0], self._until) if firsts else self._until
