"""How much may be read ahead of what has been written, in bytes of pages as they come."""

from __future__ import annotations

IN_FLIGHT = 12_000_000
"""Bytes of pages asked for or waiting to be written; decoded they take about five times that."""

ASKED = 64_000_000
"""Bytes of pages asked for while next to none wait: answers that take long are many at a time."""

WAITING = 3_000_000
"""Bytes of pages waiting to be written above which no more are asked for than to go on."""


class Room:
    """Counts pages on their way; whoever writes slowly holds back those who read."""

    def __init__(self) -> None:
        """Begin with nothing asked for."""
        self._asked = 0
        self._waiting = 0

    @property
    def crowded(self) -> bool:
        """Whether pages come faster than they are written."""
        return self._waiting > WAITING

    def allows(self, page: int) -> bool:
        """Tell whether a page of about so many bytes may be asked for."""
        asked = self._asked + page
        if not self.crowded and asked <= ASKED:
            return True
        return asked + self._waiting <= max(IN_FLIGHT, page)

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
