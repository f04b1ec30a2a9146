"""How much may be read ahead of what has been written, in bytes of answers as they come."""

from __future__ import annotations

MAX_IN_FLIGHT = 12_000_000
"""Bytes of pages asked for or waiting to be written; decoded they take about five times that."""

MAX_REQUESTED = 64_000_000
"""Bytes of pages asked for while next to none wait: answers that take long are many at a time."""

LARGE_PAGE = 2_000_000
"""Bytes of a page that no ordinary rows fill."""

MAX_REQUESTED_LARGE = 24_000_000
"""Bytes asked for where pages are heavy: those that come at once take five times that."""

MAX_RECEIVED = 3_000_000
"""Bytes of pages waiting to be written above which no more are asked for than to go on."""

MAX_UNFINISHED = 12_000_000
"""Bytes of pages that wait for the nested lists of their objects, above which no more come."""

MAX_NESTED = 24_000_000
"""Bytes of nested lists being read above which only the one that was met first is read on."""


class InFlightBudget:
    """Counts pages on their way; whoever writes slowly holds back those who read."""

    def __init__(self) -> None:
        """Begin with nothing asked for."""
        self._requested = 0
        self._received = 0
        self._unfinished = 0
        self._nested = 0

    @property
    def congested(self) -> bool:
        """Whether pages come faster than they are written."""
        return self._received > MAX_RECEIVED

    def can_request(self, page: int) -> bool:
        """Tell whether a page of about so many bytes may be asked for."""
        if not self.congested and self.spare_requests(page):
            return True
        return self._requested + page + self._received <= max(MAX_IN_FLIGHT, page)

    def spare_requests(self, page: int) -> int:
        """Return how many more pages may be asked for while next to none wait."""
        most = MAX_REQUESTED if page <= LARGE_PAGE else MAX_REQUESTED_LARGE
        return max(0, most - self._requested) // max(1, page)

    def can_hold_unfinished(self, page: int) -> bool:
        """Return whether one more page may come that has to wait for nested lists."""
        return self._unfinished + page <= max(MAX_UNFINISHED, page)

    def can_read_nested(self, size: int) -> bool:
        """Return whether so many bytes of nested lists may be read beside the others."""
        return self._nested + size <= MAX_NESTED

    def reserve(self, page: int) -> None:
        """Keep room for a page."""
        self._requested += page

    def release(self, page: int) -> None:
        """Give up the room that was kept for a page."""
        self._requested -= page

    def received(self, page: int) -> None:
        """Take note of a page that waits to be written."""
        self._received += page

    def written(self, page: int) -> None:
        """Take note that a page waits no longer."""
        self._received -= page

    def hold_unfinished(self, size: int) -> None:
        """Count bytes of unfinished pages; negative ones that are held no longer."""
        self._unfinished += size

    def reserve_nested(self, size: int) -> None:
        """Count bytes of nested lists being read; negative ones of those that are not any more."""
        self._nested += size
