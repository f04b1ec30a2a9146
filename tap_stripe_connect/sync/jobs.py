"""What there is to read, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from tap_stripe_connect.api.client import PAGE_SIZE

if TYPE_CHECKING:
    from tap_stripe_connect.api.errors import StripeError
    from tap_stripe_connect.catalog import Listed
    from tap_stripe_connect.sync.rereads import Single
    from tap_stripe_connect.sync.windows import Range, Window

FIRST_PAGE_BYTES = 400_000
"""What a page is taken to weigh before the first one of its list has come."""

SMALLER = {100: 50, 50: 25, 25: 10, 10: 1}
"""The next smaller page that is asked for where one keeps failing."""

LARGER = {small: large for large, small in SMALLER.items()}

PAGES_BEFORE_GROWTH = 20
"""Pages in a row that must come whole before larger ones are tried again."""


class Work(Protocol):
    """What a job still has to read; used under the engine's lock only."""

    @property
    def readers(self) -> int:
        """How many requests are under way."""

    @property
    def done(self) -> bool:
        """Whether everything has been read."""

    @property
    def has_waiting(self) -> bool:
        """Whether something waits for a reader."""

    @property
    def has_work(self) -> bool:
        """Whether one more reader could start now."""

    def next(self) -> Window | Single:
        """Hand out what is to be read next."""

    def overtake(self, now: float, patience: float) -> Window | None:
        """Hand out again what has been under way for longer than `patience` seconds."""

    def give_back(self, unit: Any, /) -> None:  # noqa: ANN401 - each takes what it hands out
        """Take a unit back after its request."""

    def retry(self, unit: Any, /) -> None:  # noqa: ANN401
        """Take a unit back whose request has to be made again in another form."""

    def abandon(self) -> None:
        """Read nothing more."""


class Purpose(Enum):
    """What a job is for."""

    FEED = "read the event feed"
    REREAD = "read changed objects again"
    LOAD = "list what is missing"


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
    page_bytes: int = field(default=FIRST_PAGE_BYTES)
    """Weight of the newest page, as a guess of the next one's."""
    page_size: int = PAGE_SIZE
    """Rows to ask for; less after pages that could not be had whole."""
    whole_pages: int = 0
    """Pages in a row that came whole."""
    failure: StripeError | None = None

    def failed_with(self, size: int) -> None:
        """Ask for smaller pages than those of `size` rows from now on (C5)."""
        self.page_size = min(self.page_size, SMALLER[size])
        self.whole_pages = 0

    def came_whole(self) -> None:
        """Take note of a page that came; after enough of them try larger ones again."""
        self.whole_pages += 1
        if self.page_size in LARGER and self.whole_pages >= PAGES_BEFORE_GROWTH:
            self.page_size, self.whole_pages = LARGER[self.page_size], 0


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
    """Objects left out because they were deleted while they were read (C9)."""
    weight: int = 0
