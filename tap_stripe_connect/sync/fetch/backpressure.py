"""How much may be read ahead of what has been written, in bytes of answers as they come."""

from __future__ import annotations

IN_FLIGHT = 12_000_000
"""Bytes of pages asked for or waiting to be written; decoded they take about five times that."""

REQUESTED = 64_000_000
"""Bytes of pages asked for while next to none wait: answers that take long are many at a time."""

HEAVY = 2_000_000
"""Bytes of a page that no ordinary rows fill."""

REQUESTED_HEAVY = 24_000_000
"""Bytes asked for where pages are heavy: those that come at once take five times that."""

WAITING = 3_000_000
"""Bytes of pages waiting to be written above which no more are asked for than to go on."""

UNFINISHED = 12_000_000
"""Bytes of pages that wait for the nested lists of their objects, above which no more come."""

NESTED = 24_000_000
"""Bytes of nested lists being read above which only the one that was met first is read on."""


class InFlightBudget:
    """Counts pages on their way; whoever writes slowly holds back those who read."""

    def __init__(self) -> None:
        """Begin with nothing asked for."""
        self._asked = 0
        self._waiting = 0
        self._unfinished = 0
        self._nested = 0

    @property
    def crowded(self) -> bool:
        """Whether pages come faster than they are written."""
        return self._waiting > WAITING

    def allows(self, page: int) -> bool:
        """Tell whether a page of about so many bytes may be asked for."""
        if not self.crowded and self.pages(page):
            return True
        return self._asked + page + self._waiting <= max(IN_FLIGHT, page)

    def pages(self, page: int) -> int:
        """Return how many more pages may be asked for while next to none wait."""
        most = REQUESTED if page <= HEAVY else REQUESTED_HEAVY
        return max(0, most - self._asked) // max(1, page)

    def allows_unfinished(self, page: int) -> bool:
        """Return whether one more page may come that has to wait for nested lists."""
        return self._unfinished + page <= max(UNFINISHED, page)

    def allows_nested(self, size: int) -> bool:
        """Return whether so many bytes of nested lists may be read beside the others."""
        return self._nested + size <= NESTED

    def ask(self, page: int) -> None:
        """Keep room for a page."""
        self._asked += page

    def answered(self, page: int) -> None:
        """Give up the room that was kept for a page."""
        self._asked -= page

    def wait(self, page: int) -> None:
        """Take note of a page that waits to be written."""
        self._waiting += page

    def written(self, page: int) -> None:
        """Take note that a page waits no longer."""
        self._waiting -= page

    def hold(self, size: int) -> None:
        """Count bytes of unfinished pages; negative ones that are held no longer."""
        self._unfinished += size

    def reserve(self, size: int) -> None:
        """Count bytes of nested lists being read; negative ones of those that are not any more."""
        self._nested += size
