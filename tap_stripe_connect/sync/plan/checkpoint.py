"""Moves bookmarks: they claim what has been written, and nothing else."""

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
    """The one place where the bookmarks of a run move."""

    def __init__(self, scope: Scope, bookmarks: Bookmarks, digests: Digests) -> None:
        self._scope = scope
        self._bookmarks = bookmarks
        self._digests = digests

    def open(self, state: ListState) -> Iterator[UntrustedBookmark]:
        """Read the bookmarks of a list, and put right what can no longer be followed."""
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
        self._raise_to_farthest_stream(state)
        state.listing_floor = state.read_at
        state.unlisted = any(state.gaps(self._scope.start(listed)).values())

    def _follow(
        self, state: ListState, stream: str, known: Bookmark, bookmark: Bookmark
    ) -> Bookmark:
        """Return a bookmark from which on the feed tells of changes."""
        if bookmark.events_until:
            state.feed_from[stream] = bookmark.events_until
            oldest = bookmark.oldest or 0
            written = state.written_from
            state.written_from = oldest if written is None else min(oldest, written)
        else:
            state.newly_followed[stream] = known
        # Stamped before the first list call, and kept however often it is resumed; in the state
        # before the first record, so that a kill does not lose it.
        start, horizon = self._scope.start(state.listed), self._scope.horizon
        bookmark = resume.with_backfill_start(resume.with_feed_start(bookmark, horizon), start)
        if stream in state.newly_followed:
            # A list that is loaded needs no check of what the feed did not tell before.
            bookmark = replace(bookmark, checked_at=horizon)
        return bookmark

    def _raise_to_farthest_stream(self, state: ListState) -> None:
        """Let no row carry less than the stream that is farthest ahead may have written.

        Streams of one list are at different places where they were not always selected together.
        """
        foremost = max(state.feed_from.values(), default=0)
        if any(since < foremost for since in state.feed_from.values()):
            state.raise_read_at(foremost)
            self._bookmarks.read_at = max(self._bookmarks.read_at, foremost)

    def feed_bookmark(self, account: str) -> Bookmark:
        """Return what earlier runs saw of an account's event feed."""
        return self._bookmarks.get(EVENT_FEED, account)

    def raise_read_at(self, state: ListState) -> int:
        """Let rows carry the time of their reading, and have STATE say so before they go out."""
        return self._raise_read_at(state, self._scope.now)

    def raise_without_feed(self, state: ListState) -> int:
        """Let listed rows carry at least what an earlier run may have taken from the feed.

        That run saw changes up to its own present, and this run's clocks may be behind it.
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
        """Claim what the feed told until `reached`; what was created since then came with it."""
        for stream, since in state.feed_from.items():
            bookmark = state.bookmarks[stream]
            if reached > bookmark.events_until:
                # A row re-read now may be listed by a later run, which knows nothing of its change.
                noted = state.changes and bookmark.has_unclaimed_rows
                read_at = max(bookmark.read_at, reached) if noted else bookmark.read_at
                bookmark = replace(bookmark, events_until=reached, read_at=read_at)
                state.bookmarks[stream] = bookmark
                # What is listed anew is claimed as it is listed.
                span = (since, reached) if bookmark.list_from is None else (0, 0)
                self._claim(state, stream, span)

    def save_feed_progress(self, account: str, feed: Feed, followers: Iterable[ListState]) -> None:
        """Keep what was seen of the hours that all lists have followed: a run may be killed."""
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
        """Keep what was seen of a feed that every list has followed to its end."""
        self._bookmarks.set(EVENT_FEED, account, feed.bookmark(self._scope.horizon))

    def complete_list(self, state: ListState) -> None:
        """Forget what needs no remembering once all of a list has been written."""
        for stream, bookmark in state.bookmarks.items():
            anew = not bookmark.checked_at or bookmark.list_from is not None
            past = bookmark.read_at <= bookmark.events_until and not bookmark.has_unclaimed_rows
            settled = replace(bookmark, list_from=None, read_at=0 if past else bookmark.read_at)
            if state.listed.changes == "feed" and (anew or state.fingerprints is not None):
                settled = replace(
                    settled,
                    checked_at=self._scope.horizon,
                    fingerprints=state.fingerprints or "",
                )
            state.bookmarks[stream] = settled
            self._claim(state, stream, (0, 0), finished=True)
        state.changes = {}

    def roll_back(self, state: ListState) -> None:
        """Leave the bookmarks as they were where nothing has been written."""
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
    """Return whether the last run listed everything there was."""
    return len(bookmark.covered) == 1
