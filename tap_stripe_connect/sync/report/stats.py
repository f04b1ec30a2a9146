"""The figures of a run: what was written, what it cost, how far the bookmarks stand."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from tap_stripe_connect.catalog import LISTED, NESTED
from tap_stripe_connect.sync.state.bookmark import last_covered
from tap_stripe_connect.sync.state.ranges import missing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tap_stripe_connect.accounts import Account
    from tap_stripe_connect.api.request_stats import Cost, Endpoint
    from tap_stripe_connect.sync.emit.records import Converter
    from tap_stripe_connect.sync.plan.jobs import Job, Page
    from tap_stripe_connect.sync.state.bookmark import Bookmark
    from tap_stripe_connect.sync.state.format import Bookmarks

StreamAccount = tuple[str, str]
"""A stream and an account; either is empty where it does not apply."""

LOOKUPS = "(account lookup)"
"""Stands for a stream where requests are not for one."""


@dataclass
class Stats:
    """What was done for a stream, an account or both."""

    rows: int = 0
    deleted: int = 0
    """Rows among them that say that something is gone."""
    requests: int = 0
    retries: int = 0
    seconds_waited: float = 0.0
    vanished: int = 0
    """Objects left out because they were deleted while they were read."""

    def add(self, other: Stats) -> None:
        """Add the figures of something else."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass
class RunStats:
    """What a run has written and what it could not read; kept by the thread that writes."""

    rows: Counter[StreamAccount] = field(default_factory=Counter)
    deleted: Counter[StreamAccount] = field(default_factory=Counter)
    vanished: Counter[StreamAccount] = field(default_factory=Counter)
    failed: list[Job] = field(default_factory=list)

    def add(self, page: Page, rows: Mapping[str, int], deleted: Mapping[str, int]) -> None:
        """Add what was written of a page, by stream."""
        account = page.job.account
        for name, count in rows.items():
            self.rows[name, account] += count
        for name, count in deleted.items():
            self.deleted[name, account] += count
        if page.vanished:
            self.vanished[page.job.listed.name, account] += page.vanished


def stats_by_stream(
    stats: RunStats, costs: Mapping[Endpoint, Cost], accounts: Iterable[Account]
) -> dict[StreamAccount, Stats]:
    """Bring together what is known of each stream and account, less those that did nothing."""
    ids = {account.header: account.id for account in accounts}
    found: defaultdict[StreamAccount, Stats] = defaultdict(Stats)
    for key, rows in stats.rows.items():
        found[key].rows += rows
    for key, rows in stats.deleted.items():
        found[key].deleted += rows
    for key, objects in stats.vanished.items():
        found[key].vanished += objects
    for (header, route), cost in costs.items():
        key = stream_of(route), ids.get(header, header or "")
        found[key].add(Stats(0, 0, cost.requests, cost.retries, cost.waited))
    return dict(found)


def stream_of(route: str) -> str:
    """Return the stream that a route is read for."""
    for nested in NESTED.values():
        if route == nested.route:
            return nested.name
    for listed in LISTED.values():
        if route == listed.path or route.startswith(f"{listed.path}/"):
            return listed.name
    return LOOKUPS


@dataclass(frozen=True)
class Coverage:
    """How far the bookmarks of a stream stand, over all accounts of the run."""

    until: int
    """Unix seconds up to which the account that is farthest behind is known; 0 for none."""
    unfinished: int
    """Accounts of which something is still missing before that."""


def coverage(bookmarks: Iterable[Bookmark], start: int) -> Coverage:
    """Return how far bookmarks stand that should reach back to `start`."""
    reached = []
    unfinished = 0
    for bookmark in bookmarks:
        until = last_covered(bookmark)
        if bookmark.events_until:
            until = min(until, bookmark.events_until)
        if until:
            reached.append(until)
        unfinished += not until or bool(missing(bookmark.covered, (start, until)))
    return Coverage(min(reached, default=0), unfinished)


def coverages(
    bookmarks: Bookmarks, accounts: Collection[Account], streams: Iterable[str], start: int
) -> dict[str, Coverage]:
    """Return how far the bookmarks of each stream stand; `start` is the oldest time wanted."""
    found = {}
    for name in streams:
        listed = LISTED[NESTED[name].parent if name in NESTED else name]
        found[name] = coverage(
            (bookmarks.get(name, account.id) for account in accounts),
            0 if listed.reference else start,
        )
    return found


def left_out(
    converters: Mapping[str, Converter], unexplained: Mapping[str, int]
) -> dict[str, dict[str, int]]:
    """Return by stream how many objects could not become rows, and why."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, converter in converters.items():
        if converter.unusable:
            found[name]["without_a_key"] = converter.unusable
    for name, count in unexplained.items():
        found[name]["gone_without_an_event"] = count
    return dict(found)
