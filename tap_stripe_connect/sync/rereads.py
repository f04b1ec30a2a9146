"""The work of reading changed objects again."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from tap_stripe_connect.sync.changes import rereading
from tap_stripe_connect.sync.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_stripe_connect.sync.changes import Change


@dataclass(eq=False)
class Single:
    """One object to be retrieved by its id."""

    id: str
    streams: frozenset[str]


class Rereads:
    """The list calls and retrieves that read the changed objects of one list again."""

    def __init__(self, changes: Mapping[str, Change], streams: frozenset[str]) -> None:
        """Plan to read the objects of `changes` for the streams that follow them."""
        plan = rereading(changes)
        self._streams = streams
        self.objects = len(changes)
        """How many there were to read at first."""
        units: list[tuple[int, Window | Single]] = [
            (min(changes[name].first for name in names), Window(*span, streams, wanted=set(names)))
            for span, names in plan.windows
        ]
        units += [(changes[name].first, Single(name, streams)) for name in plan.single]
        # Oldest events first, so that the feed's position can follow what has been written (A26).
        self._waiting = deque(unit for _, unit in sorted(units, key=itemgetter(0)))
        self._reading: list[Window | Single] = []

    @property
    def readers(self) -> int:
        """How many requests are under way."""
        return len(self._reading)

    @property
    def done(self) -> bool:
        """Whether everything has been read."""
        return not self._waiting and not self._reading

    @property
    def has_waiting(self) -> bool:
        """Whether something waits for a reader."""
        return bool(self._waiting)

    @property
    def has_work(self) -> bool:
        """Whether one more reader could start now."""
        return bool(self._waiting)

    def next(self) -> Window | Single:
        """Hand out what is to be read next."""
        unit = self._waiting.popleft()
        self._reading.append(unit)
        return unit

    def overtake(self, now: float, patience: float) -> None:
        """Wait for what is under way: each of it is one object, or few of them."""
        del now, patience

    def give_back(self, unit: Window | Single) -> None:
        """Take a unit back after its request.

        What a list did not give is retrieved, and so is the rest once a page holds no more
        of it than a retrieve would give.
        """
        self._reading.remove(unit)
        if isinstance(unit, Single) or not unit.wanted:
            return
        if unit.finished or unit.kept <= 1:
            self._retrieve(sorted(unit.wanted))
        else:
            self._waiting.appendleft(unit)

    def retry(self, unit: Window | Single) -> None:
        """Take a unit back whose request has to be made again in another form."""
        self._reading.remove(unit)
        self._waiting.appendleft(unit)

    def abandon(self) -> None:
        """Read nothing more."""
        self._waiting.clear()
        self._reading.clear()

    def _retrieve(self, names: Iterable[str]) -> None:
        self._waiting.extend(Single(name, self._streams) for name in names)
