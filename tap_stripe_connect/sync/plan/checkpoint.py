"""Checkpointing: bookmarks claim exactly what has been written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tap_stripe_connect.sync.plan import resume
from tap_stripe_connect.sync.plan.feed import HOUR
from tap_stripe_connect.sync.state.bookmark import EMPTY, recent_digests
from tap_stripe_connect.sync.state.format import EVENT_FEED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_stripe_connect.sync.plan.feed import Feed
    from tap_stripe_connect.sync.plan.jobs import Page
    from tap_stripe_connect.sync.plan.list_state import ListState
    from tap_stripe_connect.sync.plan.resume import UntrustedBookmark
    from tap_stripe_connect.sync.plan.scope import Scope
    from tap_stripe_connect.sync.state.bookmark import Bookmark
    from tap_stripe_connect.sync.state.digests import Digests
    from tap_stripe_connect.sync.state.format import Bookmarks
    from tap_stripe_connect.sync.state.ranges import Range


class Checkpointer:
    """The only place where a run changes bookmarks."""

    def __init__(self, scope: Scope, bookmarks: Bookmarks, digests: Digests) -> None:
        self._scope = scope
        self._bookmarks = bookmarks
        self._digests = digests

    def open(self, state: ListState) -> Iterator[UntrustedBookmark]:
        """Load the bookmarks of a list, and correct those that cannot be resumed from."""
        listed, account = state.listed, state.account.id
        for stream in state.streams:
            known = given = self._bookmarks.get(stream, account)
            state.followed_until = max(state.followed_until, known.events_until)
            if stream in self._scope.full_table:
                given = resume.relisted(known)
                state.full_table = True
                state.written_from = 0
            bookmark = resume.trusted(given, self._scope.stripe_now, self._scope.now)
            if bookmark is not given:
                yield resume.untrusted(stream, account, given, self._scope.stripe_now)
                if given.events_until:
                    # The clocks may be behind those of the run that wrote these rows.
                    latest = given.events_until + self._scope.settings.lag_seconds
                    bookmark = replace(bookmark, read_at=max(bookmark.read_at, latest))
            if listed.changes == "unseen" and _complete(bookmark):
                bookmark = EMPTY
            if listed.changes == "feed":
                bookmark = self._follow(state, stream, known, bookmark)
            if bookmark != known:
                bookmark = self._bookmarks.set(stream, account, bookmark)
            state.bookmarks[stream] = bookmark
            self._digests.begin(stream, account, bookmark)
        self._raise_to_newest_stream(state)
        state.listing_minimum = state.read_at
        state.unlisted = any(state.gaps(self._scope.start(listed)).values())

    def _follow(
        self, state: ListState, stream: str, known: Bookmark, bookmark: Bookmark
    ) -> Bookmark:
        """Return the bookmark of a stream that follows the feed."""
        if bookmark.events_until:
            state.feed_from[stream] = bookmark.events_until
            oldest = bookmark.oldest or 0
            written = state.written_from
            state.written_from = oldest if written is None else min(oldest, written)
        else:
            state.newly_followed[stream] = known
        # Both starts are set before the first request and kept by later runs. They are in the state
        # before the first record, so that a killed run does not lose them.
        start, horizon = self._scope.start(state.listed), self._scope.horizon
        bookmark = resume.with_backfill_start(resume.with_feed_start(bookmark, horizon), start)
        if stream in state.newly_followed:
            # A list that is loaded from the beginning needs no check for now.
            bookmark = replace(bookmark, checked_at=horizon)
        return bookmark

    def _raise_to_newest_stream(self, state: ListState) -> None:
        """Keep `updated_at` from going back in the stream that has followed the feed furthest.

        The streams of a list differ in this if they were not always selected together.
        """
        newest = max(state.feed_from.values(), default=0)
        if any(since < newest for since in state.feed_from.values()):
            state.raise_read_at(newest)
            self._bookmarks.read_at = max(self._bookmarks.read_at, newest)

    def feed_bookmark(self, account: str) -> Bookmark:
        """Return the bookmark of an account's event feed: which events earlier runs have seen."""
        return self._bookmarks.get(EVENT_FEED, account)

    def raise_read_at(self, state: ListState) -> int:
        """Let rows have the current time as `updated_at`; a STATE must say so first."""
        return self._raise_read_at(state, self._scope.now)

    def raise_without_feed(self, state: ListState) -> int:
        """Let listed rows have at least the `updated_at` that an earlier run took from the feed.

        That run saw changes up to its own time, and the clocks of this run may be behind.
        """
        latest = state.followed_until + self._scope.settings.lag_seconds
        return self._raise_read_at(state, max(self._scope.now, latest))

    def _raise_read_at(self, state: ListState, moment: int) -> int:
        state.raise_read_at(moment)
        self._bookmarks.read_at = max(self._bookmarks.read_at, state.read_at)
        return state.read_at

    def claim_page(self, state: ListState, page: Page, streams: Iterable[str]) -> None:
        """Claim the creation times that a written page completes."""
        if page.covered is None:
            return
        start, end = page.covered
        for stream in streams:
            state.has_rows = True
            limit = state.bookmarks[stream].events_until
            if not limit or state.feed_denied:
                limit = self._scope.horizon
            self._claim(state, stream, (start, min(end, limit)))

    def claim_feed(self, state: ListState, reached: int) -> None:
        """Claim the changes of the feed until `reached`, and the objects created in that time."""
        for stream, since in state.feed_from.items():
            bookmark = state.bookmarks[stream]
            if reached > bookmark.events_until:
                # A later run may list a refetched row without knowing its change.
                raised = state.changes and bookmark.has_unclaimed_rows
                read_at = max(bookmark.read_at, reached) if raised else bookmark.read_at
                bookmark = replace(bookmark, events_until=reached, read_at=read_at)
                state.bookmarks[stream] = bookmark
                # What is listed again is claimed page by page.
                span = (since, reached) if bookmark.list_from is None else (0, 0)
                self._claim(state, stream, span)

    def save_feed_progress(self, account: str, feed: Feed, followers: Iterable[ListState]) -> None:
        """Save which events were seen in the hours that all lists have followed."""
        reached = min(
            (
                state.bookmarks[stream].events_until
                for state in followers
                for stream in state.feed_from
            ),
            default=0,
        )
        if (hour := reached // HOUR * HOUR) > feed.remembered_until:
            feed.remembered_until = hour
            self._bookmarks.set(EVENT_FEED, account, feed.bookmark(hour))

    def complete_feed(self, account: str, feed: Feed) -> None:
        """Save which events were seen in a feed that every list has followed to its end."""
        self._bookmarks.set(EVENT_FEED, account, feed.bookmark(self._scope.horizon))

    def complete_list(self, state: ListState) -> None:
        """Drop what a bookmark need not remember once its whole list has been written."""
        for stream, bookmark in state.bookmarks.items():
            loaded = not bookmark.checked_at or bookmark.list_from is not None
            past = bookmark.read_at <= bookmark.events_until and not bookmark.has_unclaimed_rows
            settled = replace(bookmark, list_from=None, read_at=0 if past else bookmark.read_at)
            if state.listed.changes == "feed" and (loaded or state.fingerprints is not None):
                settled = replace(
                    settled,
                    checked_at=self._scope.horizon,
                    fingerprints=state.fingerprints or "",
                )
            state.bookmarks[stream] = settled
            self._claim(state, stream, (0, 0), finished=True)
        state.changes = {}

    def roll_back(self, state: ListState) -> None:
        """Restore the previous bookmarks if nothing has been written."""
        for stream, known in () if state.has_rows else state.newly_followed.items():
            if known == EMPTY:
                self._bookmarks.remove(stream, state.account.id)
            else:
                self._bookmarks.set(stream, state.account.id, known)

    def _claim(self, state: ListState, stream: str, span: Range, *, finished: bool = False) -> None:
        bookmark = state.bookmarks[stream].covering(*span)
        recent = self._digests.recent(stream, state.account.id, finished=finished)
        bookmark = replace(bookmark, recent=recent_digests(recent))
        state.bookmarks[stream] = self._bookmarks.set(stream, state.account.id, bookmark)


def _complete(bookmark: Bookmark) -> bool:
    """Return whether the last run finished the list."""
    return len(bookmark.covered) == 1
