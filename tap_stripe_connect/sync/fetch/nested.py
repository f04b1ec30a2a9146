"""Nested lists that Stripe truncates inside objects: each is read to its end on its own."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tap_stripe_connect.api import responses
from tap_stripe_connect.api.errors import ErrorAction, StripeError
from tap_stripe_connect.catalog import nested_in
from tap_stripe_connect.sync.plan.jobs import DECAY, ROW_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_stripe_connect.api.responses import ListPage
    from tap_stripe_connect.sync.plan.jobs import Job, Page

PARTIAL_PAGE_BYTES = 1_000_000
"""Bytes of complete objects after which a part of a page is passed on."""

FIRST_ROWS = 750
"""Assumed length of a nested list before one has been read, so that few start at first."""

_numbers = count()


@dataclass(eq=False)
class NestedList:
    """A list inside an object, read a page at a time from its own URL."""

    job: Job
    owner: dict[str, Any]
    """The object that contains it."""
    name: str
    """The name of its field in the object."""
    path: str
    filters: dict[str, str]
    """The query of its URL."""
    number: int = field(default_factory=lambda: next(_numbers))
    """Nested lists are numbered in the order in which they arrive."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    size: int = 0
    """Bytes read so far."""
    cursor: str | None = None
    restarts: int = 0
    """How often its cursor expired because the row was deleted."""
    reserved: int = 0
    """Bytes reserved for it, including those already read; 0 before its first request."""
    page: UnfinishedPage = field(init=False)
    """The page that contains its owner."""

    @property
    def route(self) -> str:
        """Its endpoint, without ids."""
        return responses.route(self.path, self.owner["id"])

    @property
    def objects(self) -> tuple[str, ...]:
        """Allowed values of the `object` field on its rows."""
        children = nested_in(self.job.listed.name)
        return tuple(one.object for one in children if one.list_field == self.name)

    def parameters(self) -> dict[str, str]:
        """Return the query of the next page."""
        cursor = {"starting_after": self.cursor} if self.cursor else {}
        return {**self.filters, **cursor}

    def restart(self) -> None:
        """Start over, because the cursor's row was deleted."""
        self.restarts += 1
        self.rows.clear()
        self.size, self.cursor = 0, None

    def take(self, listing: ListPage) -> bool:
        """Add a page; return whether the list is complete and has been stored in its owner."""
        self.rows += listing.rows
        self.size += listing.size
        if listing.has_more:
            self.cursor = listing.rows[-1]["id"]
            return False
        self.owner[self.name] |= {"data": self.rows, "has_more": False}
        return True


def truncated_lists(
    job: Job, streams: frozenset[str], objects: Iterable[dict[str, Any]]
) -> list[NestedList]:
    """Return the truncated nested lists in `objects` that a selected stream needs."""
    wanted = [one.list_field for one in nested_in(job.listed.name) if one.name in streams]
    return [
        _nested_list(job, owner, name)
        for owner in objects
        for name in wanted
        if type(owner.get(name)) is dict and owner[name].get("has_more") is True
    ]


def _nested_list(job: Job, owner: dict[str, Any], name: str) -> NestedList:
    url = owner[name].get("url")
    if not isinstance(url, str):
        raise StripeError(
            "a nested list has more rows, but no url to fetch them from",
            action=ErrorAction.FAIL_STREAM,
            path=job.listed.path,
            account=job.header,
            advice="run again later; report it if it stays",
        )
    target = urlsplit(url)
    return NestedList(job, owner, name, target.path, dict(parse_qsl(target.query)))


class UnfinishedPage:
    """A page with objects that wait for their nested lists.

    Complete objects are passed on in parts. The last part carries the page's claim.
    """

    def __init__(
        self, page: Page, lists: Iterable[NestedList], previous: UnfinishedPage | None = None
    ) -> None:
        """Wait for `lists`, all in objects of this page, and for the `previous` page."""
        self._rest = replace(page, objects=[])
        self._previous = previous
        self._waiting: Counter[int] = Counter()
        self._bytes: dict[int, int] = {}
        each = page.weight // len(page.objects)
        for one in lists:
            one.page = self
            self._waiting[id(one.owner)] += 1
            self._bytes[id(one.owner)] = each
        self._ready = [one for one in page.objects if id(one) not in self._waiting]
        self._ready_bytes = each * len(self._ready)
        self._vanished_ids: list[str] = []

    @property
    def weight(self) -> int:
        """Bytes held in memory."""
        return self._ready_bytes + sum(self._bytes.values())

    def completed(self, nested: NestedList) -> Page | None:
        """Record that a nested list is complete; return the next part of the page, if it is due."""
        owner = id(nested.owner)
        if owner in self._waiting:
            self._waiting[owner] -= 1
            if not self._waiting[owner]:
                del self._waiting[owner]
                self._ready.append(nested.owner)
                self._ready_bytes += self._bytes.pop(owner) + nested.size
        return self._next_part()

    def vanished(self, nested: NestedList) -> Page | None:
        """Drop an object that no longer exists; return the next part of the page, if it is due."""
        owner = id(nested.owner)
        if self._waiting.pop(owner, 0):
            del self._bytes[owner]
            self._vanished_ids.append(nested.owner["id"])
        return self._next_part()

    @property
    def finished(self) -> bool:
        """Whether the whole page has been passed on."""
        return not self._waiting

    def absorb_claim(self, page: Page) -> Page:
        """Add the claim of a later page to this one, and return that page without it.

        A second can span both pages, so only the one that is passed on last may claim it.
        """
        if not page.covered:
            return page
        start, end = page.covered
        own = self._rest.covered or page.covered
        self._rest = replace(self._rest, covered=(min(start, own[0]), max(end, own[1])))
        return replace(page, covered=(end, end))

    def _next_part(self) -> Page | None:
        if self._waiting and self._ready_bytes < PARTIAL_PAGE_BYTES:
            return None
        objects, weight = self._ready, self._ready_bytes
        self._ready, self._ready_bytes = [], 0
        part = replace(self._rest, objects=objects, weight=weight)
        covered = self._rest.covered
        if self._waiting:
            # Objects are passed on, but the claim waits for the last part.
            return replace(part, covered=covered and (covered[1], covered[1]))
        if not covered:
            return replace(part, absent=tuple(self._vanished_ids))
        part = replace(part, vanished=len(self._vanished_ids))
        self._previous = last_unfinished(self._previous)
        return self._previous.absorb_claim(part) if self._previous else part


def last_unfinished(page: UnfinishedPage | None) -> UnfinishedPage | None:
    """Return `page`, or the latest one before it, that still waits for nested lists."""
    while page and page.finished:
        page = page._previous  # noqa: SLF001 - same class
    return page


class NestedQueue:
    """The waiting nested lists of one endpoint, oldest first."""

    def __init__(self, route: str) -> None:
        self.route = route
        self._waiting: list[tuple[int, NestedList]] = []
        self._in_progress: set[int] = set()
        self._rows: float = FIRST_ROWS
        self._row_bytes: float = ROW_BYTES

    @property
    def workers(self) -> int:
        """Number of requests in flight."""
        return len(self._in_progress)

    @property
    def first(self) -> NestedList | None:
        """The list to read next."""
        return self._waiting[0][1] if self._waiting else None

    @property
    def first_is_oldest(self) -> bool:
        """Whether no list older than the first one is being read."""
        return not self._in_progress or self._waiting[0][0] < min(self._in_progress)

    def expected_bytes(self, nested: NestedList) -> int:
        """Return the expected size of a list."""
        rows = nested.owner[nested.name].get("total_count")
        return int((rows if type(rows) is int else self._rows) * self._row_bytes)

    def add(self, nested: NestedList) -> None:
        """Enqueue a list."""
        heappush(self._waiting, (nested.number, nested))
        nested.job.nested_waiting += 1

    def acquire(self) -> NestedList:
        """Remove and return the first list."""
        number, nested = heappop(self._waiting)
        nested.job.nested_waiting -= 1
        self._in_progress.add(number)
        return nested

    def release(self, nested: NestedList) -> None:
        """Release a list after its request."""
        self._in_progress.discard(nested.number)

    def observe(self, nested: NestedList) -> None:
        """Update the expected length and row size with a complete list."""
        self._rows = max(len(nested.rows), DECAY * self._rows)
        self._row_bytes = max(nested.size / max(1, len(nested.rows)), DECAY * self._row_bytes)

    def cancel(self, job: Job) -> list[NestedList]:
        """Remove and return the waiting lists of a job."""
        cancelled = [one for _, one in self._waiting if one.job is job]
        if cancelled:
            self._waiting = [pair for pair in self._waiting if pair[1].job is not job]
            heapify(self._waiting)
        job.nested_waiting -= len(cancelled)
        return cancelled
