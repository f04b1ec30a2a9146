"""The work of reading changed objects again, in few requests."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_stripe_connect.sync.plan.windows import Window
from tap_stripe_connect.sync.state.ranges import END_OF_TIME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_stripe_connect.sync.plan.events import Change

TOGETHER = 1000
"""Objects that one walk looks for at most; walks are read side by side."""

STEPS = 10
"""Steps in which the feed's position moves on, at least, where more than `TOGETHER` objects have
changed: the work of less than one of them is lost with a run that is killed."""

LONGEST_STEP = 10_000
"""Objects of a step, at most."""

WORTHWHILE = 2
"""Changed objects that a page has to promise: one alone is retrieved instead."""

NEAR = 3600
"""Seconds of creation time that a page is taken to span before one has told."""

MANY = 10
"""Objects for which a page is asked for at once, to learn how densely rows lie."""

LOOK = 4
"""Objects that are retrieved before a page takes the place of one, to learn that anew."""


@dataclass(eq=False)
class RetrieveTask:
    """One object to be retrieved by its id."""

    id: str
    streams: frozenset[str]


class Walk:
    """Looks for changed objects in a list, newest first: in pages where they lie densely.

    A page always begins with a changed object, so it gives one at least, as a retrieve does; how
    many more depends on how many rows lie between them, which nobody knows before a page came.
    """

    def __init__(self, wanted: list[tuple[int, str]], streams: frozenset[str]) -> None:
        """Look for `wanted`: creation times and ids, in this order."""
        self._left = wanted
        self._streams = streams
        self._span = NEAR
        self._retrieved = 0
        self._look = 0 if len(wanted) >= MANY else LOOK

    def units(self) -> Iterator[Window | RetrieveTask]:
        """Yield what can be read before a page tells more; the page itself comes last."""
        while self._left:
            if self._promised() >= WORTHWHILE or (
                self._retrieved >= self._look and len(self._left) >= WORTHWHILE
            ):
                span = self._left[0][0], self._left[-1][0] + 1
                yield Window(*span, self._streams, wanted={name for _, name in self._left})
                return
            self._retrieved += 1
            yield self._retrieve()

    def read(self, page: Window) -> Iterator[Window | RetrieveTask]:
        """Yield what follows on a page; what should have been in it but was not is retrieved."""
        worthwhile = page.matched >= WORTHWHILE
        self._span = page.span
        self._retrieved, self._look = 0, LOOK if worthwhile else max(LOOK, 2 * self._look)
        missing = page.wanted or set()
        self._left = [one for one in self._left if one[1] in missing]
        # The second that a page ended in may go on behind it, for the same cursor only.
        second = page.start if page.finished else page.reached - 1
        goes_on = worthwhile and not page.finished and self._promised() >= WORTHWHILE
        while self._left and self._left[-1][0] >= second:
            if self._left[-1][0] == second and goes_on:
                page.wanted = {name for _, name in self._left}
                yield page
                return
            yield self._retrieve()
        yield from self.units()

    def _retrieve(self) -> RetrieveTask:
        return RetrieveTask(self._left.pop()[1], self._streams)

    def _promised(self) -> int:
        """Return how many objects lie within the span of a page that begins with the newest."""
        oldest = self._left[-1][0] - self._span if self._left else 0
        return len(self._left) - bisect_left(self._left, (oldest, ""))


class RefetchWork:
    """The list calls and retrieves that read the changed objects of one list again.

    What is not found in a list after all is retrieved, so a wrong guess costs a request and never
    a row.
    """

    def __init__(self, changes: Mapping[str, Change], streams: frozenset[str]) -> None:
        """Plan to read the objects of `changes` for the streams that follow them."""
        self._changes = changes
        self._streams = streams
        self.objects = len(changes)
        """How many there were to read at first."""
        # Oldest events first, so that the feed's position can follow what has been written.
        self._names = deque(sorted(changes, key=lambda name: (changes[name].first, name)))
        self._step = min(max(TOGETHER, -(-len(changes) // STEPS)), LONGEST_STEP)
        self._waiting: deque[Window | RetrieveTask] = deque()
        self._in_progress: list[Window | RetrieveTask] = []
        self._walks: dict[Window, Walk] = {}
        self._refill()

    @property
    def workers(self) -> int:
        """How many requests are under way."""
        return len(self._in_progress)

    @property
    def next_is_retrieve(self) -> bool:
        """Whether what waits first is one object."""
        return bool(self._waiting) and isinstance(self._waiting[0], RetrieveTask)

    @property
    def done(self) -> bool:
        """Whether everything has been read."""
        return not self._waiting and not self._in_progress

    @property
    def has_waiting(self) -> bool:
        """Whether something waits for a reader."""
        return bool(self._waiting)

    @property
    def has_work(self) -> bool:
        """Whether one more reader could start now."""
        return bool(self._waiting)

    def acquire(self) -> Window | RetrieveTask:
        """Hand out what is to be read next."""
        unit = self._waiting.popleft()
        self._in_progress.append(unit)
        self._refill()
        return unit

    def hedge(self, now: float, delay: float) -> None:
        """Wait for what is under way: each of it is one object, or few of them."""
        del now, delay

    def release(self, unit: Window | RetrieveTask) -> None:
        """Take a unit back after its request."""
        self._in_progress.remove(unit)
        if isinstance(unit, Window):
            walk = self._walks.pop(unit)
            self._add(walk, walk.read(unit))
        self._refill()

    def retry(self, unit: Window | RetrieveTask) -> None:
        """Take a unit back whose request has to be made again in another form."""
        self._in_progress.remove(unit)
        self._waiting.appendleft(unit)

    def cancel(self) -> None:
        """Read nothing more."""
        for part in (self._names, self._waiting, self._in_progress, self._walks):
            part.clear()

    def _refill(self) -> None:
        """Begin the next step once nothing of the one before waits for a reader."""
        if self._waiting or not self._names:
            return
        names = [self._names.popleft() for _ in range(min(self._step, len(self._names)))]
        for group in _groups(self._changes, names):
            walk = Walk(group, self._streams)
            self._add(walk, walk.units())
        undated = (name for name in names if not _moment(self._changes[name]))
        self._waiting.extend(RetrieveTask(name, self._streams) for name in undated)

    def _add(self, walk: Walk, units: Iterable[Window | RetrieveTask]) -> None:
        """Let units wait; pages go first, because more depends on them."""
        for unit in units:
            if isinstance(unit, Window):
                self._walks[unit] = walk
                self._waiting.appendleft(unit)
            else:
                self._waiting.append(unit)


def _groups(changes: Mapping[str, Change], names: Iterable[str]) -> Iterator[list[tuple[int, str]]]:
    """Yield the creation times and ids of objects in order, no second in two groups."""
    group: list[tuple[int, str]] = []
    dated = ((created, name) for name in names if (created := _moment(changes[name])))
    for created, name in sorted(dated):
        if len(group) >= TOGETHER and created > group[-1][0]:
            yield group
            group = []
        group.append((created, name))
    if group:
        yield group


def _moment(change: Change) -> int:
    """Return when an object was created, in unix seconds; 0 where no list could tell."""
    created = change.created
    return created if type(created) is int and 0 < created < END_OF_TIME else 0
