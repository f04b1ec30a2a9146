"""What there is to read, and what comes of it."""

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
"""What a row is taken to weigh before the first page of its list has come."""

PAGE_BYTES = 3_000_000
"""What a page may weigh; of heavier rows fewer are asked for. Decoded it takes about five times
that."""

DECAY = 0.8
"""Part of a row's weight that is still expected after a page of lighter ones."""

SMALLER = {100: 50, 50: 25, 25: 10, 10: 1}
"""The next smaller page that is asked for where one keeps failing."""

SIZES = (*SMALLER, 1)
"""Rows that a page can be asked to hold."""

LARGER = {small: large for large, small in SMALLER.items()}

PAGES_BEFORE_GROWTH = 20
"""Pages in a row that must come whole before larger ones are tried again."""


class Work(Protocol):
    """What a job still has to read; used under the engine's lock only."""

    @property
    def workers(self) -> int:
        """How many requests are under way."""

    @property
    def next_is_retrieve(self) -> bool:
        """Whether what waits first is an object to be retrieved by its id."""

    @property
    def done(self) -> bool:
        """Whether everything has been read."""

    @property
    def has_waiting(self) -> bool:
        """Whether something waits for a reader."""

    @property
    def has_work(self) -> bool:
        """Whether one more reader could start now."""

    def acquire(self) -> Window | RetrieveTask:
        """Hand out what is to be read next."""

    def hedge(self, now: float, delay: float) -> Window | None:
        """Hand out again what has been under way for longer than `delay` seconds."""

    def release(self, unit: Any, /) -> None:  # noqa: ANN401 - each takes what it hands out
        """Take a unit back after its request."""

    def retry(self, unit: Any, /) -> None:  # noqa: ANN401
        """Take a unit back whose request has to be made again in another form."""

    def cancel(self) -> None:
        """Read nothing more."""


class Purpose(Enum):
    """What a job is for."""

    FEED = "read the event feed"
    LOOK_BACK = "read what the feed said before, of objects whose children were replaced"
    REFETCH = "read changed objects again"
    LAST_EVENT = "read the last event of objects that no longer exist"
    LOAD = "list what is missing"
    CHECK = "list what the event feed cannot prove"


@dataclass(eq=False)
class Job:
    """One list of one account, to be read for the streams that need it."""

    listed: Listed
    account: str
    """The account that rows belong to."""
    header: str | None
    """The connected account to act on; None for the key's own."""
    plan: Work
    purpose: Purpose = Purpose.LOAD
    row_bytes_by_list: dict[str, float] = field(default_factory=dict)
    """What a row of each list weighed last, in bytes; shared by the jobs of an engine."""
    max_rows: int = PAGE_SIZE
    """Rows to ask for at most; fewer after pages that failed."""
    pages_since_failure: int = 0
    """Pages in a row that came whole."""
    owner: str = ""
    """The stream whose objects a job about their events is for."""
    number: int = 0
    """Place in the order in which jobs were added."""
    unfinished: set[UnfinishedPage] = field(default_factory=set)
    """Pages of which some objects wait for their nested lists."""
    nested_waiting: int = 0
    """Nested lists that wait for a reader."""
    nested_in_page: int | None = None
    """Nested lists that the newest page left to be read; None before the first page."""
    failure: StripeError | None = None
    _row_bytes: float = 0.0

    @property
    def row_bytes(self) -> float:
        """What a row is expected to weigh."""
        return self._row_bytes or self.row_bytes_by_list.get(self.listed.name, ROW_BYTES)

    @property
    def has_nested_lists(self) -> bool:
        """Whether objects of this kind hold lists of their own."""
        return bool(nested_in(self.listed.name))

    @property
    def page_size(self) -> int:
        """Rows to ask for in the next page."""
        fitting = (size for size in SIZES if size * self.row_bytes <= PAGE_BYTES)
        return min(self.max_rows, next(fitting, SIZES[-1]))

    @property
    def page_bytes(self) -> int:
        """What the next answer is expected to weigh."""
        rows = 1 if self.plan.next_is_retrieve else self.page_size
        return int(rows * self.row_bytes)

    @property
    def route(self) -> str:
        """The endpoint that the next request goes to."""
        return f"{self.listed.path}/{{id}}" if self.plan.next_is_retrieve else self.listed.path

    @property
    def done(self) -> bool:
        """Whether everything has been read and handed on."""
        return self.plan.done and not self.unfinished

    def page_failed(self, size: int) -> None:
        """Ask for smaller pages than those of `size` rows from now on."""
        self.max_rows = min(self.max_rows, SMALLER[size])
        self.pages_since_failure = 0

    def page_succeeded(self) -> None:
        """Record a page that arrived; after enough of them, request larger ones again."""
        self.pages_since_failure += 1
        if self.max_rows in LARGER and self.pages_since_failure >= PAGES_BEFORE_GROWTH:
            self.max_rows, self.pages_since_failure = LARGER[self.max_rows], 0

    def observe(self, rows: int, size: int) -> None:
        """Expect rows as heavy as those of an answer of `size` bytes, or nearly as before."""
        if rows:
            self._row_bytes = max(size / rows, DECAY * self.row_bytes)
            self.row_bytes_by_list[self.listed.name] = self._row_bytes


@dataclass(frozen=True)
class Page:
    """Objects of one list that belong together: once written, `covered` may be claimed."""

    job: Job
    streams: frozenset[str]
    objects: list[dict[str, Any]]
    covered: Range | None = None
    """Creation times that are complete with this page; None where it was not for them."""
    absent: tuple[str, ...] = ()
    """Ids that were looked for and do not exist."""
    vanished: int = 0
    """Objects left out because they were deleted while they were read."""
    weight: int = 0
