"""Where reading goes on: what a bookmark is still good for, and what has to be warned of."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tap_stripe_connect.sync.state.bookmark import EMPTY, Bookmark, last_covered

FEED_REACH = 28 * 86_400
"""Seconds back to which the feed is trusted; Stripe keeps events for 30 days."""

RETENTION = 30 * 86_400
"""Seconds for which Stripe keeps events; what is left of them still tells of deletions."""


@dataclass(frozen=True)
class UntrustedBookmark:
    """A bookmark that cannot be followed from where it stands."""

    stream: str
    account: str
    days: int
    """Days since the last run; 0 for a bookmark that lies in the future."""


def trusted(bookmark: Bookmark, now: int, earlier: int) -> Bookmark:
    """Return what of a bookmark can be followed at `now`, in unix seconds.

    `now` is Stripe's time, `earlier` that of the clock that is behind: the feed is followed
    from no later moment than that one allows.

    One in the future is put back as far as the feed reaches. After a hole in the feed
    everything that may have been written has to be listed anew, whatever start_date says by now;
    what the feed still has tells of deletions.
    """
    if max(last_covered(bookmark), bookmark.events_until) > now:
        return bookmark.up_to(now - FEED_REACH)
    if bookmark.events_until and now - bookmark.events_until > FEED_REACH:
        return relisted(bookmark, max(bookmark.events_until, earlier - RETENTION))
    return bookmark


def relisted(bookmark: Bookmark, events_until: int | None = None) -> Bookmark:
    """Return a bookmark for which everything that may have been written is listed again.

    The feed is followed from `events_until`, else from where it was followed to.
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
    """Return what there is to warn of where `trusted` changes a bookmark."""
    ahead = max(last_covered(bookmark), bookmark.events_until) > now
    return UntrustedBookmark(
        stream, account, 0 if ahead else (now - bookmark.events_until) // 86_400
    )


def with_feed_start(bookmark: Bookmark, horizon: int) -> Bookmark:
    """Return a bookmark from which on the feed will tell; it goes out before the first record."""
    return bookmark if bookmark.events_until else replace(bookmark, events_until=horizon)


def with_backfill_start(bookmark: Bookmark, start: int) -> Bookmark:
    """Return a bookmark that tells of what may be written from now on, back to `start`.

    Without that a run that is killed leaves rows that no later one would follow.
    """
    oldest = bookmark.oldest
    # What is created after the feed began comes with it, also before a start_date that is to come.
    first = min(start, bookmark.events_until)
    if oldest is not None and oldest <= first:
        return bookmark
    return replace(bookmark, written_from=first)


def backfill_from(bookmark: Bookmark, start: int) -> int:
    """Return the oldest creation time that has to have been listed."""
    return start if bookmark.list_from is None else min(start, bookmark.list_from)
