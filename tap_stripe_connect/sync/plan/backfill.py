"""The windows that one list still needs, and which of them is read next."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_stripe_connect.sync.plan.windows import Window

PART_ROWS = 1000
"""Estimated rows left in a window above which an oldest-first plan reads its older half first."""


class Backfill:
    """The windows that one list of one account still needs."""

    def __init__(self, windows: Iterable[Window], *, oldest_first: bool = False) -> None:
        """Queue all windows, newest first unless what is read has to be used in order."""
        self._oldest_first = oldest_first
        newest = sorted(windows, key=lambda window: -window.end)
        self._waiting = deque(reversed(newest) if oldest_first else newest)
        self.wanted = [window.filter for window in self._waiting]
        """The creation times that were wanted at first."""
        self._in_progress: list[Window] = []

    @property
    def workers(self) -> int:
        """How many windows are being read right now."""
        return len(self._in_progress)

    @property
    def next_is_retrieve(self) -> bool:
        """Whether what waits first is one object; windows never are."""
        return False

    @property
    def done(self) -> bool:
        """Whether every window has been read."""
        return not self._waiting and not self._in_progress

    @property
    def has_waiting(self) -> bool:
        """Whether a window waits for a reader."""
        return bool(self._waiting)

    @property
    def has_work(self) -> bool:
        """Whether one more reader could start now."""
        return bool(self._waiting) or any(window.splittable for window in self._in_progress)

    def acquire(self) -> Window:
        """Hand out a waiting window, or half of the longest one that is being read."""
        if self._waiting:
            window = self._waiting.popleft()
        else:
            splittable = [window for window in self._in_progress if window.splittable]
            window = max(splittable, key=lambda window: window.rows_left).split()
        self._in_progress.append(window)
        return window

    def hedge(self, now: float, delay: float) -> Window | None:
        """Hand out the page again that has been under way for more than `delay` seconds.

        Each time for the same page it takes twice that, so that one that is always slow comes
        at last.
        """
        for window in self._in_progress:
            waited = now - window.requested_at
            if waited > delay * 2**window.hedges:
                self._in_progress.remove(window)
                self._in_progress.append(window.hedge())
                return self._in_progress[-1]
        return None

    def release(self, window: Window) -> None:
        """Take a window back after a page; it waits again unless all of it has been read."""
        self._in_progress.remove(window)
        if window.finished:
            return
        self._waiting.appendleft(window)
        if self._oldest_first and window.splittable and window.rows_left > PART_ROWS:
            self._waiting.appendleft(window.split())

    def retry(self, window: Window) -> None:
        """Take a window back whose page has to be asked for in another form."""
        self._in_progress.remove(window)
        self._waiting.appendleft(window)

    def cancel(self) -> None:
        """Read nothing more."""
        self._waiting.clear()
        self._in_progress.clear()
