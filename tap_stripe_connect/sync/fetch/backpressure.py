"""Backpressure: how many bytes may be fetched ahead of what has been written."""

from __future__ import annotations

MAX_IN_FLIGHT = 12_000_000
"""Bytes of pages requested or waiting to be written; decoded, they take about five times that."""

MAX_REQUESTED = 64_000_000
"""Bytes of pages requested while the writer keeps up: slow responses need many requests."""

LARGE_PAGE = 2_000_000
"""Bytes that no page of ordinary rows reaches."""

MAX_REQUESTED_LARGE = 24_000_000
"""Bytes requested in large pages: if all arrive at once, they take five times that decoded."""

MAX_RECEIVED = 3_000_000
"""Bytes waiting to be written above which the writer is the bottleneck."""

MAX_UNFINISHED = 12_000_000
"""Bytes of pages waiting for nested lists above which no more of them are requested."""

MAX_NESTED = 24_000_000
"""Bytes of nested lists being read above which only the oldest list is continued."""


class InFlightBudget:
    """Tracks the bytes in flight; a slow writer throttles the workers."""

    def __init__(self) -> None:
        self._requested = 0
        self._received = 0
        self._unfinished = 0
        self._nested = 0

    @property
    def congested(self) -> bool:
        """Whether pages arrive faster than they are written."""
        return self._received > MAX_RECEIVED

    def can_request(self, page: int) -> bool:
        """Return whether a page of about `page` bytes may be requested."""
        if not self.congested and self.spare_requests(page):
            return True
        return self._requested + page + self._received <= max(MAX_IN_FLIGHT, page)

    def spare_requests(self, page: int) -> int:
        """Return how many more pages of `page` bytes may be requested while the writer keeps up."""
        limit = MAX_REQUESTED if page <= LARGE_PAGE else MAX_REQUESTED_LARGE
        return max(0, limit - self._requested) // max(1, page)

    def can_hold_unfinished(self, page: int) -> bool:
        """Return whether another page of `page` bytes may wait for its nested lists."""
        return self._unfinished + page <= max(MAX_UNFINISHED, page)

    def can_read_nested(self, size: int) -> bool:
        """Return whether a nested list of `size` bytes may be read beside the others."""
        return self._nested + size <= MAX_NESTED

    def reserve(self, page: int) -> None:
        """Reserve bytes for a requested page."""
        self._requested += page

    def release(self, page: int) -> None:
        """Release the bytes reserved for a requested page."""
        self._requested -= page

    def received(self, page: int) -> None:
        """Add a page that waits to be written."""
        self._received += page

    def written(self, page: int) -> None:
        """Remove a page that has been written."""
        self._received -= page

    def hold_unfinished(self, size: int) -> None:
        """Add bytes of unfinished pages; a negative `size` removes them."""
        self._unfinished += size

    def reserve_nested(self, size: int) -> None:
        """Reserve bytes for nested lists being read; a negative `size` releases them."""
        self._nested += size
