"""Which windows of a list are left to read, and which one comes next."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_stripe_connect.sync.plan.windows import Window

PART_ROWS = 1000
"""Estimated rows left above which a window is split, if windows are read oldest first."""


class Backfill:
    """The windows of one list of one account that are left to read."""

    def __init__(self, windows: Iterable[Window], *, oldest_first: bool = False) -> None:
        """Queue `windows`; the feed is read oldest first because changes are followed in order."""
        self._oldest_first = oldest_first
        newest = sorted(windows, key=lambda window: -window.end)
        self._waiting = deque(reversed(newest) if oldest_first else newest)
        self.wanted = [window.filter for window in self._waiting]
        """The ranges of creation time that were requested at first."""
        self._in_progress: list[Window] = []

    @property
    def workers(self) -> int:
        """How many windows are being read."""
        return len(self._in_progress)

    @property
    def next_is_retrieve(self) -> bool:
        """Whether the next request retrieves one object; windows never do."""
        return False

    @property
    def done(self) -> bool:
        """Whether every window has been read."""
        return not self._waiting and not self._in_progress

    @property
    def has_waiting(self) -> bool:
        """Whether a window waits for a worker."""
        return bool(self._waiting)

    @property
    def has_work(self) -> bool:
        """Whether one more worker could start now."""
        return bool(self._waiting) or any(window.splittable for window in self._in_progress)

    def acquire(self) -> Window:
        """Return a waiting window, or half of the longest one that is being read."""
        if self._waiting:
            window = self._waiting.popleft()
        else:
            splittable = [window for window in self._in_progress if window.splittable]
            window = max(splittable, key=lambda window: window.rows_left).split()
        self._in_progress.append(window)
        return window

    def hedge(self, now: float, delay: float) -> Window | None:
        """Return a copy of a window whose request has taken more than `delay` seconds.

        The delay doubles with each hedge of the same page, so that a page that is always slow
        arrives eventually.
        """
        for window in self._in_progress:
            waited = now - window.requested_at
            if waited > delay * 2**window.hedges:
                self._in_progress.remove(window)
                self._in_progress.append(window.hedge())
                return self._in_progress[-1]
        return None

    def release(self, window: Window) -> None:
        """Return a window after a page; queue it again if rows are left."""
        self._in_progress.remove(window)
        if window.finished:
            return
        self._waiting.appendleft(window)
        if self._oldest_first and window.splittable and window.rows_left > PART_ROWS:
            self._waiting.appendleft(window.split())

    def retry(self, window: Window) -> None:
        """Queue a window again whose request has to be repeated in another form."""
        self._in_progress.remove(window)
        self._waiting.appendleft(window)

    def cancel(self) -> None:
        """Read nothing more."""
        self._waiting.clear()
        self._in_progress.clear()
