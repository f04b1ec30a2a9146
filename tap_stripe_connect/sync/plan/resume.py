"""Resuming: which part of a bookmark can still be used, and when to warn."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tap_stripe_connect.sync.state.bookmark import EMPTY, Bookmark, last_covered

FEED_REACH = 28 * 86_400
"""How far back the feed is trusted, in seconds; Stripe keeps events for 30 days."""

RETENTION = 30 * 86_400
"""How long Stripe keeps events, in seconds."""


@dataclass(frozen=True)
class UntrustedBookmark:
    """A bookmark that the feed cannot be followed from."""

    stream: str
    account: str
    days: int
    """Days since the last run; 0 for a bookmark in the future."""


def trusted(bookmark: Bookmark, now: int, earlier: int) -> Bookmark:
    """Return a bookmark that can be resumed from.

    `now` is Stripe's time in unix seconds, and `earlier` the time of the slower clock, which
    limits where the feed is resumed.

    A bookmark in the future is moved back by `FEED_REACH`. If the last run is so long ago that
    events are lost, all rows that may have been written are listed again, even those before the
    current start_date. The remaining events are still followed because they include deletions.
    """
    if max(last_covered(bookmark), bookmark.events_until) > now:
        return bookmark.up_to(now - FEED_REACH)
    if bookmark.events_until and now - bookmark.events_until > FEED_REACH:
        return relisted(bookmark, max(bookmark.events_until, earlier - RETENTION))
    return bookmark


def relisted(bookmark: Bookmark, events_until: int | None = None) -> Bookmark:
    """Return a bookmark that lists every row again that may have been written.

    The feed is followed from `events_until`; by default it is resumed where it was.
    """
    if not bookmark.events_until:
        return EMPTY
    return Bookmark(
        events_until=bookmark.events_until if events_until is None else events_until,
        written_from=bookmark.oldest,
        list_from=bookmark.oldest,
        read_at=bookmark.read_at,
    )


def untrusted(stream: str, account: str, bookmark: Bookmark, now: int) -> UntrustedBookmark:
    """Return the warning for a bookmark that `trusted` changes."""
    ahead = max(last_covered(bookmark), bookmark.events_until) > now
    return UntrustedBookmark(
        stream, account, 0 if ahead else (now - bookmark.events_until) // 86_400
    )


def with_feed_start(bookmark: Bookmark, horizon: int) -> Bookmark:
    """Return a bookmark that follows the feed from `horizon`, unless it follows it already."""
    return bookmark if bookmark.events_until else replace(bookmark, events_until=horizon)


def with_backfill_start(bookmark: Bookmark, start: int) -> Bookmark:
    """Return a bookmark which says that rows back to `start` may have been written.

    Without it, later runs would not follow the rows that a killed run has written.
    """
    oldest = bookmark.oldest
    # The feed brings all objects created after it began, even before a start_date in the future.
    first = min(start, bookmark.events_until)
    if oldest is not None and oldest <= first:
        return bookmark
    return replace(bookmark, written_from=first)


def backfill_from(bookmark: Bookmark, start: int) -> int:
    """Return the creation time from which on everything has to be listed."""
    return start if bookmark.list_from is None else min(start, bookmark.list_from)
