"""Statistics of a run: rows, requests and bookmarks."""

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
"""A stream and an account; either is empty if it does not apply."""

LOOKUPS = "(account lookup)"
"""Stands for the stream of requests that belong to none."""


@dataclass
class Stats:
    """Statistics of a stream, an account or both."""

    rows: int = 0
    deleted: int = 0
    """How many of the rows are tombstones."""
    requests: int = 0
    retries: int = 0
    seconds_waited: float = 0.0
    vanished: int = 0
    """Number of objects that were deleted while they were read."""

    def add(self, other: Stats) -> None:
        """Add other statistics."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass
class RunStats:
    """Rows and failures of a run; only used by the thread that writes."""

    rows: Counter[StreamAccount] = field(default_factory=Counter)
    deleted: Counter[StreamAccount] = field(default_factory=Counter)
    vanished: Counter[StreamAccount] = field(default_factory=Counter)
    failed: list[Job] = field(default_factory=list)

    def add(self, page: Page, rows: Mapping[str, int], deleted: Mapping[str, int]) -> None:
        """Add the rows of a page, by stream."""
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
    """Return the statistics of each stream and account that has any."""
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
    """Return the stream that a route is requested for."""
    for nested in NESTED.values():
        if route == nested.route:
            return nested.name
    for listed in LISTED.values():
        if route == listed.path or route.startswith(f"{listed.path}/"):
            return listed.name
    return LOOKUPS


@dataclass(frozen=True)
class Coverage:
    """How far a stream has been read in all accounts of the run."""

    until: int
    """The oldest end of the accounts' bookmarks, in unix seconds; 0 for none."""
    unfinished: int
    """Number of accounts with gaps before their end."""


def coverage(bookmarks: Iterable[Bookmark], start: int) -> Coverage:
    """Return the coverage of bookmarks that should begin at `start`."""
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
    """Return the coverage of each stream; `start` is the oldest wanted creation time."""
    found = {}
    for name in streams:
        listed = LISTED[NESTED[name].parent if name in NESTED else name]
        found[name] = coverage(
            (bookmarks.get(name, account.id) for account in accounts),
            0 if listed.reference else start,
        )
    return found


def unwritten_objects(
    converters: Mapping[str, Converter], gone: Mapping[str, int]
) -> dict[str, dict[str, int]]:
    """Return how many objects of each stream are not in the output, by reason."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, converter in converters.items():
        if converter.unusable:
            found[name]["without_a_key"] = converter.unusable
    for name, count in gone.items():
        found[name]["gone_without_an_event"] = count
    return dict(found)
