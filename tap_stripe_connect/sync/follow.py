"""One list of one account: which streams load it, which follow it, what is being read again."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_stripe_connect.accounts import Account
    from tap_stripe_connect.catalog import Listed
    from tap_stripe_connect.sync.bookmark import Bookmark
    from tap_stripe_connect.sync.changes import Change


class Follow:
    """What is known of one list of one account during a run."""

    def __init__(self, listed: Listed, account: Account, streams: list[str]) -> None:
        """Begin without having looked at the bookmarks."""
        self.listed = listed
        self.account = account
        self.streams = streams
        self.bookmarks: dict[str, Bookmark] = {}
        self.since: dict[str, int] = {}
        """From when on the feed tells a stream's changes; missing for streams that load."""
        self.begun = False
        """Whether a page of the list has been written."""
        self.stamped: dict[str, Bookmark] = {}
        """What the bookmarks were of streams that the feed is going to tell of from now on."""
        self.changes: dict[str, Change] = {}
        """Changed objects by id, those that have been read again among them."""
        self._pending: set[str] = set()
        self._firsts: deque[tuple[int, str]] = deque()

    def expect(self, changes: dict[str, Change]) -> None:
        """Take note of what is going to be read again."""
        self.changes = changes
        self._pending = set(changes)
        self._firsts = deque(sorted((change.first, name) for name, change in changes.items()))

    def reread(self, names: Iterable[str]) -> None:
        """Take note of objects whose present state has been written."""
        for name in names:
            self._pending.discard(name)

    def reached(self, horizon: int) -> int:
        """Return the moment up to which everything that the feed told has been written (A26)."""
        while self._firsts and self._firsts[0][1] not in self._pending:
            self._firsts.popleft()
        return min(self._firsts[0][0], horizon) if self._firsts else horizon
