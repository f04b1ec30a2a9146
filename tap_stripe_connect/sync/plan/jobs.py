"""Jobs, which read a list, and the pages that they return."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from tap_stripe_connect.catalog import nested_in
from tap_stripe_connect.catalog.endpoints import PAGE_SIZE

if TYPE_CHECKING:
    from tap_stripe_connect.api.errors import StripeError
    from tap_stripe_connect.catalog import Listed
    from tap_stripe_connect.sync.fetch.nested import UnfinishedPage
    from tap_stripe_connect.sync.plan.refetch import RetrieveTask
    from tap_stripe_connect.sync.plan.windows import Window
    from tap_stripe_connect.sync.state.ranges import Range

ROW_BYTES = 4_000
"""Assumed size of a row before the first page of its list arrives."""

PAGE_BYTES = 3_000_000
"""Target size of a page; fewer large rows are requested. Decoded it takes five times as much."""

DECAY = 0.8
"""Factor by which the expected size of a row falls at most with each page of smaller rows."""

NEXT_SMALLER = {100: 50, 50: 25, 25: 10, 10: 1}
"""The next page size to request if one keeps failing."""

PAGE_SIZES = (*NEXT_SMALLER, 1)
"""Page sizes, the largest first."""

NEXT_LARGER = {small: large for large, small in NEXT_SMALLER.items()}

PAGES_BEFORE_GROWTH = 20
"""Consecutive successful pages before larger ones are tried again."""


class Work(Protocol):
    """What a job still has to read; only used with the engine's lock held."""

    @property
    def workers(self) -> int:
        """How many requests are in progress."""

    @property
    def next_is_retrieve(self) -> bool:
        """Whether the next request retrieves one object by its id."""

    @property
    def done(self) -> bool:
        """Whether everything has been read."""

    @property
    def has_waiting(self) -> bool:
        """Whether something waits for a worker."""

    @property
    def has_work(self) -> bool:
        """Whether one more worker could start now."""

    def acquire(self) -> Window | RetrieveTask:
        """Return what to read next."""

    def hedge(self, now: float, delay: float) -> Window | None:
        """Return a copy of a unit whose request has taken longer than `delay` seconds."""

    def release(self, unit: Any, /) -> None:  # noqa: ANN401 - each releases what it returned
        """Return a unit after its request."""

    def retry(self, unit: Any, /) -> None:  # noqa: ANN401
        """Queue a unit again whose request has to be repeated in another form."""

    def cancel(self) -> None:
        """Read nothing more."""


class Purpose(Enum):
    """What a job is for."""

    FEED = "read the event feed"
    LOOK_BACK = "read older events of objects whose children were replaced"
    REFETCH = "read changed objects again"
    LAST_EVENT = "read the last event of objects that no longer exist"
    LOAD = "list what has not been listed"
    CHECK = "list what may have changed without an event"


@dataclass(eq=False)
class Job:
    """One list of one account, to be read for the streams that need it."""

    listed: Listed
    account: str
    """The account that the rows belong to."""
    header: str | None
    """The connected account to send in the request's header; None for the key's own."""
    plan: Work
    purpose: Purpose = Purpose.LOAD
    row_bytes_by_list: dict[str, float] = field(default_factory=dict)
    """Last known size of a row by list, in bytes; shared by the jobs of an engine."""
    max_rows: int = PAGE_SIZE
    """Most rows to request in a page; fewer after failures."""
    pages_since_failure: int = 0
    """Consecutive successful pages."""
    owner: str = ""
    """The stream whose objects a job reads events about, if it does not read the stream itself."""
    number: int = 0
    """Place in the order in which jobs were added."""
    unfinished: set[UnfinishedPage] = field(default_factory=set)
    """Pages with objects that wait for nested lists."""
    nested_waiting: int = 0
    """Nested lists that wait for a worker."""
    nested_in_page: int | None = None
    """Nested lists to read for the newest page; None before the first page."""
    failure: StripeError | None = None
    _row_bytes: float = 0.0

    @property
    def row_bytes(self) -> float:
        """Expected size of a row."""
        return self._row_bytes or self.row_bytes_by_list.get(self.listed.name, ROW_BYTES)

    @property
    def has_nested_lists(self) -> bool:
        """Whether the objects contain lists."""
        return bool(nested_in(self.listed.name))

    @property
    def page_size(self) -> int:
        """Rows to request in the next page."""
        fitting = (size for size in PAGE_SIZES if size * self.row_bytes <= PAGE_BYTES)
        return min(self.max_rows, next(fitting, PAGE_SIZES[-1]))

    @property
    def page_bytes(self) -> int:
        """Expected size of the next response."""
        rows = 1 if self.plan.next_is_retrieve else self.page_size
        return int(rows * self.row_bytes)

    @property
    def route(self) -> str:
        """The endpoint of the next request."""
        return f"{self.listed.path}/{{id}}" if self.plan.next_is_retrieve else self.listed.path

    @property
    def done(self) -> bool:
        """Whether everything has been read and delivered."""
        return self.plan.done and not self.unfinished

    def page_failed(self, size: int) -> None:
        """Request pages of fewer than `size` rows from now on."""
        self.max_rows = min(self.max_rows, NEXT_SMALLER[size])
        self.pages_since_failure = 0

    def page_succeeded(self) -> None:
        """Count a successful page; after enough of them larger pages are tried again."""
        self.pages_since_failure += 1
        if self.max_rows in NEXT_LARGER and self.pages_since_failure >= PAGES_BEFORE_GROWTH:
            self.max_rows, self.pages_since_failure = NEXT_LARGER[self.max_rows], 0

    def observe(self, rows: int, size: int) -> None:
        """Update the expected size of a row from a response of `size` bytes."""
        if rows:
            self._row_bytes = max(size / rows, DECAY * self.row_bytes)
            self.row_bytes_by_list[self.listed.name] = self._row_bytes


@dataclass(frozen=True)
class Page:
    """Objects of one list; once they are written, `covered` may be claimed."""

    job: Job
    streams: frozenset[str]
    objects: list[dict[str, Any]]
    covered: Range | None = None
    """Creation times that this page completes; None if it does not complete any."""
    absent: tuple[str, ...] = ()
    """Ids of requested objects that do not exist."""
    vanished: int = 0
    """Number of objects that were deleted while they were read."""
    weight: int = 0
