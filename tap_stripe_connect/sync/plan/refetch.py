"""Refetching changed objects with few requests."""

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

WALK_OBJECTS = 1000
"""Most objects that one walk looks for; walks run in parallel."""

MIN_STEPS = 10
"""Fewest steps for more than `WALK_OBJECTS` objects per step.

The bookmark of the feed moves after each step, so a killed run loses the work of one step.
"""

MAX_STEP_OBJECTS = 10_000
"""Most objects of a step."""

MIN_MATCHES = 2
"""Changed objects that a page is expected to contain; a single one is retrieved instead."""

INITIAL_SPAN = 3600
"""Assumed span of a page before the first one arrives, in seconds of creation time."""

MIN_OBJECTS_TO_PROBE = 10
"""Objects for which a page is requested at once, to find out the density of the rows."""

RETRIEVES_BEFORE_PROBE = 4
"""Objects that are retrieved before a page is tried, to find out the density again."""


@dataclass(eq=False)
class RetrieveTask:
    """One object to be retrieved by its id."""

    id: str
    streams: frozenset[str]


class Walk:
    """Looks for changed objects in a list, newest first, with pages where they are dense.

    A page always begins with a changed object, so it is never worse than a retrieve. How many more
    it contains depends on the number of rows between them, which only a page shows.
    """

    def __init__(self, wanted: list[tuple[int, str]], streams: frozenset[str]) -> None:
        """Look for `wanted` objects: creation times and ids, in ascending order."""
        self._remaining = wanted
        self._streams = streams
        self._span = INITIAL_SPAN
        self._retrieved = 0
        self._probe_after = 0 if len(wanted) >= MIN_OBJECTS_TO_PROBE else RETRIEVES_BEFORE_PROBE

    def units(self) -> Iterator[Window | RetrieveTask]:
        """Yield the units up to the next page, which comes last."""
        while self._remaining:
            if self._expected_matches() >= MIN_MATCHES or (
                self._retrieved >= self._probe_after and len(self._remaining) >= MIN_MATCHES
            ):
                span = self._remaining[0][0], self._remaining[-1][0] + 1
                yield Window(*span, self._streams, wanted={name for _, name in self._remaining})
                return
            self._retrieved += 1
            yield self._retrieve()

    def read(self, page: Window) -> Iterator[Window | RetrieveTask]:
        """Yield the units after a page; objects that it should have contained are retrieved."""
        worthwhile = page.matched >= MIN_MATCHES
        self._span = page.span
        self._retrieved, self._probe_after = (
            0,
            RETRIEVES_BEFORE_PROBE
            if worthwhile
            else max(RETRIEVES_BEFORE_PROBE, 2 * self._probe_after),
        )
        missing = page.wanted or set()
        self._remaining = [one for one in self._remaining if one[1] in missing]
        # More rows of the last second may follow, but only behind the same cursor.
        second = page.start if page.finished else page.reached - 1
        goes_on = worthwhile and not page.finished and self._expected_matches() >= MIN_MATCHES
        while self._remaining and self._remaining[-1][0] >= second:
            if self._remaining[-1][0] == second and goes_on:
                page.wanted = {name for _, name in self._remaining}
                yield page
                return
            yield self._retrieve()
        yield from self.units()

    def _retrieve(self) -> RetrieveTask:
        return RetrieveTask(self._remaining.pop()[1], self._streams)

    def _expected_matches(self) -> int:
        """Return how many wanted objects the next page is expected to contain."""
        oldest = self._remaining[-1][0] - self._span if self._remaining else 0
        return len(self._remaining) - bisect_left(self._remaining, (oldest, ""))


class RefetchWork:
    """The pages and retrieves that refetch the changed objects of one list.

    An object that is not found in a page is retrieved, so a wrong estimate costs one request but
    never a row.
    """

    def __init__(self, changes: Mapping[str, Change], streams: frozenset[str]) -> None:
        """Refetch the objects of `changes` for the streams that follow them."""
        self._changes = changes
        self._streams = streams
        self.objects = len(changes)
        """How many objects there were at first."""
        # Oldest events first, so that the bookmark of the feed can move on step by step.
        self._names = deque(sorted(changes, key=lambda name: (changes[name].first, name)))
        self._step = min(max(WALK_OBJECTS, -(-len(changes) // MIN_STEPS)), MAX_STEP_OBJECTS)
        self._waiting: deque[Window | RetrieveTask] = deque()
        self._in_progress: list[Window | RetrieveTask] = []
        self._walks: dict[Window, Walk] = {}
        self._refill()

    @property
    def workers(self) -> int:
        """How many requests are in progress."""
        return len(self._in_progress)

    @property
    def next_is_retrieve(self) -> bool:
        """Whether the next request retrieves one object."""
        return bool(self._waiting) and isinstance(self._waiting[0], RetrieveTask)

    @property
    def done(self) -> bool:
        """Whether everything has been read."""
        return not self._waiting and not self._in_progress

    @property
    def has_waiting(self) -> bool:
        """Whether something waits for a worker."""
        return bool(self._waiting)

    @property
    def has_work(self) -> bool:
        """Whether one more worker could start now."""
        return bool(self._waiting)

    def acquire(self) -> Window | RetrieveTask:
        """Return what to read next."""
        unit = self._waiting.popleft()
        self._in_progress.append(unit)
        self._refill()
        return unit

    def hedge(self, now: float, delay: float) -> None:
        """Hedge nothing, because each request is small."""
        del now, delay

    def release(self, unit: Window | RetrieveTask) -> None:
        """Return a unit after its request."""
        self._in_progress.remove(unit)
        if isinstance(unit, Window):
            walk = self._walks.pop(unit)
            self._add(walk, walk.read(unit))
        self._refill()

    def retry(self, unit: Window | RetrieveTask) -> None:
        """Queue a unit again whose request has to be repeated in another form."""
        self._in_progress.remove(unit)
        self._waiting.appendleft(unit)

    def cancel(self) -> None:
        """Read nothing more."""
        for part in (self._names, self._waiting, self._in_progress, self._walks):
            part.clear()

    def _refill(self) -> None:
        """Start the next step once nothing of the previous one waits for a worker."""
        if self._waiting or not self._names:
            return
        names = [self._names.popleft() for _ in range(min(self._step, len(self._names)))]
        for group in _groups(self._changes, names):
            walk = Walk(group, self._streams)
            self._add(walk, walk.units())
        undated = (name for name in names if not _created_at(self._changes[name]))
        self._waiting.extend(RetrieveTask(name, self._streams) for name in undated)

    def _add(self, walk: Walk, units: Iterable[Window | RetrieveTask]) -> None:
        """Queue units; pages go first, because more units depend on them."""
        for unit in units:
            if isinstance(unit, Window):
                self._walks[unit] = walk
                self._waiting.appendleft(unit)
            else:
                self._waiting.append(unit)


def _groups(changes: Mapping[str, Change], names: Iterable[str]) -> Iterator[list[tuple[int, str]]]:
    """Yield groups of creation times and ids in order; a second is never in two groups."""
    group: list[tuple[int, str]] = []
    dated = ((created, name) for name in names if (created := _created_at(changes[name])))
    for created, name in sorted(dated):
        if len(group) >= WALK_OBJECTS and created > group[-1][0]:
            yield group
            group = []
        group.append((created, name))
    if group:
        yield group


def _created_at(change: Change) -> int:
    """Return when an object was created, in unix seconds; 0 if it is unknown or unusable."""
    created = change.created
    return created if type(created) is int and 0 < created < END_OF_TIME else 0
