"""One list of one account: which streams load it, which follow it, what is being read again."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.catalog import nested_in
from tap_stripe_connect.sync.plan.events import encode, remember
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
    """Objects that are being read again, and how often; created where there are any."""

    __slots__ = ("counts", "firsts")

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.firsts: deque[tuple[int, str]] = deque()
        """Times of their oldest events, in order."""


class ListState:
    """What is known of one list of one account during a run.

    With thousands of accounts there are a hundred thousand, so each is kept small.
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
        "listing_floor",
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
        """From when on the feed tells a stream's changes; missing for streams that load."""
        self.has_rows = False
        """Whether a page of the list has been written."""
        self.newly_followed: dict[str, Bookmark] = {}
        """What the bookmarks were of streams that the feed is going to tell of from now on."""
        self.written_from: int | None = None
        """Creation time from which on earlier runs may have written rows; None for no rows."""
        self.followed_until = 0
        """The newest moment up to which an earlier run followed the feed, in unix seconds."""
        self.full_table = False
        """Whether the catalog asks for everything to be listed again."""
        self.listing_floor = 0
        """The least `updated_at` of rows that are listed though they may have been written."""
        self.unlisted = False
        """Whether rows created before the feed began have not all been listed."""
        self.feed_denied = False
        """Whether the key may not read the event feed, so that new rows come by listing only."""
        self.changes: dict[str, Change] = {}
        """Changed objects by id, those that have been read again among them."""
        self.missing_by_event: dict[str, str] = {}
        """Ids of objects that no longer exist, by the id of the last event about each."""
        self.recheck: Recheck | None = None
        """The check of this list that is due, until it is done."""
        self.fingerprints: str | None = None
        """What a check has found; None if there was none."""
        self.look_backs: dict[Job, dict[str, Change]] = {}
        """Changes that wait for a job that reads older events."""
        self.failed = False
        """Whether something of the list could not be read, so that nothing more is claimed."""
        self.jobs = 0
        """Jobs under way that read changed objects again."""
        self._until = 0
        self._pending: _Pending | None = None

    @property
    def checked_at(self) -> int:
        """When the list was last held against the event feed, in unix seconds."""
        return min(bookmark.checked_at for bookmark in self.bookmarks.values())

    @property
    def listed_anew(self) -> bool:
        """Whether everything is listed, so that there is nothing to check."""
        return any(bookmark.list_from is not None for bookmark in self.bookmarks.values())

    @property
    def read_at(self) -> int:
        """The newest `updated_at` that rows may carry though no event says so."""
        return max(bookmark.read_at for bookmark in self.bookmarks.values())

    def gaps(self, start: int) -> dict[str, list[Range]]:
        """Return what each stream has never listed; what the feed follows ends where it begins."""
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
        """Return the creation time from which on objects are written, or may have been."""
        known = [self.bookmarks[stream].oldest for stream in self.feed_from]
        return min(moment for moment in [start, *known] if moment is not None)

    def relevant_changes(self, changes: dict[str, Change], start: int) -> dict[str, Change]:
        """Return the changes of objects that the settings want and a stream has to show."""
        since, oldest = min(self.feed_from.values()), self.oldest(start)
        return {
            name: change
            for name, change in changes.items()
            if (change.last >= since or change.late)
            and (change.created is None or max(0, change.created) >= oldest)
        }

    def expect(self, found: Mapping[str, Change], until: int, horizon: int) -> dict[str, Change]:
        """Add what the feed told up to `until`; return what of it has to be read again.

        An object that this run has read already, or is going to read, shows all that happened
        before `horizon`; reading it once is enough.
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
        """Record that rows carry the time of their reading; later ones must not carry less."""
        for stream, bookmark in self.bookmarks.items():
            if bookmark.read_at < moment:
                self.bookmarks[stream] = replace(bookmark, read_at=moment)

    def record_missing(self, names: Iterable[str], horizon: int) -> None:
        """Record objects that do not exist although no event told of their deletion.

        Where the newest event is later than `horizon`, that event may still come.
        """
        for name in names:
            change = self.changes[name]
            if not change.deleted_at and change.last < horizon:
                self.missing_by_event[change.event or name] = name

    def mark_unexplained(self) -> tuple[str, ...]:
        """Return lost objects that no event shows, to be marked with their key alone."""
        found = []
        for event, name in list(self.missing_by_event.items()):
            change = self.changes[name]
            if change.deleted_at:
                # An event that was read later told of it; it has been marked.
                del self.missing_by_event[event]
            elif not change.event:
                del self.missing_by_event[event]
                self._mark(change, {"id": name, "object": self.listed.object})
                found.append(name)
        return tuple(found)

    def learn_last_payloads(self, page: Page) -> tuple[str, ...]:
        """Take what the last events of lost objects show; return the ids of the objects."""
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
            remember(change, nested, value)

    def remember_children(self, events: Iterable[dict[str, Any]]) -> None:
        """Keep what older events say of the children of objects whose children were replaced."""
        for event in events:
            value = event["data"]["object"]
            change = self.changes.get(str(value.get("id")))
            if change and change.replaced:
                for nested in nested_in(self.listed.name):
                    remember(change, nested, value)

    def refetched(self, names: Iterable[str]) -> None:
        """Record objects whose present state has been written."""
        counts = self._pending.counts if self._pending else Counter[str]()
        for name in names:
            if counts[name] > 1:
                counts[name] -= 1
            else:
                del counts[name]

    def reached(self) -> int:
        """Return the moment up to which everything that the feed told has been written."""
        if not self._pending:
            return self._until
        counts, firsts = self._pending.counts, self._pending.firsts
        while firsts and firsts[0][1] not in counts:
            firsts.popleft()
        return min(firsts[0][0], self._until) if firsts else self._until
