"""What no tap can know: told by the story and its runs, never by a STATE."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_stripe_connect.catalog import LISTED, NESTED, STREAMS
from tests.property.features import Feature
from tests.property.places import DAY, LAG

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tap_stripe_connect.catalog import Listed
    from tests.property.places import Doubt, Name, Place

FEED_REACH = 28 * DAY
"""Seconds after which a tap may take the feed to have a hole."""
RETENTION = 30 * DAY
CHECKED = 2 * DAY - 3600
"""Seconds back that a check certainly reaches."""
CHECK = DAY
"""Seconds between checks of the feed, unless settings say otherwise."""

Written = tuple[str, str]
"""An account and a stream."""


@dataclass(frozen=True)
class Ran:
    """What counts of a run."""

    accounts: Collection[str]
    streams: Collection[str]
    began: int
    ended: int
    start: int
    """Its start_date, in unix seconds."""
    wrote: bool
    """Whether anything came of it; a STATE comes first."""
    claims: bool
    """Whether it came to its end, and its last STATE is kept."""
    kept: bool
    """Whether at least its first STATE is kept."""
    clocks_right: bool
    recheck: int
    """Seconds between checks of the feed."""


@dataclass
class Excuses:
    """What each stream of each account can have missed."""

    features: frozenset[Feature]
    _claimed: dict[Written, int] = field(default_factory=dict)
    """When the last run began that claimed what it read, or the first one."""
    _adrift: dict[Written, int] = field(default_factory=dict)
    """The same of what was written under a STATE that is lost, so that nothing follows it."""
    _holes: defaultdict[Written, list[tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _known_from: dict[Written, int] = field(default_factory=dict)
    """Creation time from which on a STATE knows that rows may have been written."""
    _last: dict[Written, int] = field(default_factory=dict)
    """When the last run of any kind began."""
    _first: dict[Written, int] = field(default_factory=dict)
    """When the first run of any kind began."""
    _listed_from: dict[Written, int] = field(default_factory=dict)
    """Creation time from which on everything has been listed by runs that claim it."""
    _listed_before: dict[Written, int] = field(default_factory=dict)
    """The same before the run that is being noted."""
    _asked_from: dict[str, int] = field(default_factory=dict)
    """Creation time from which on any run at all asked for rows of a list."""

    def ran(self, run: Ran, places: Iterable[Place]) -> None:
        """Take note of a run."""
        self._listed_before = dict(self._listed_from)
        for stream in run.streams:
            start = 0 if listed(stream).reference else run.start
            name = listed(stream).name
            self._asked_from[name] = min(start, self._asked_from.get(name, start))
        for place in places:
            if place.account.id not in run.accounts:
                continue
            for stream in run.streams:
                key = place.account.id, stream
                start = 0 if listed(stream).reference else run.start
                if run.claims:
                    self._listed_from[key] = min(start, self._listed_from.get(key, start))
                if run.wrote:
                    self._ran(run, place.account.id, stream)
                self._check(run, place, stream)
            if run.kept:
                self._leave_out(run, place)

    def _leave_out(self, run: Ran, place: Place) -> None:
        """Excuse streams that this run does not read from late events that it sees."""
        others = {stream.name for stream in STREAMS}.difference(run.streams)
        for doubts in place.doubts.values() if others else ():
            for doubt in doubts:
                if doubt.told and doubt.visible_at <= run.ended:
                    doubt.left_out |= others - doubt.found_by

    def lost(self, streams: Collection[str]) -> None:
        """Take note that what STATE says of some streams is lost."""
        for key in [key for key in self._claimed if key[1] in streams]:
            moment = self._claimed.pop(key)
            self._listed_from.pop(key, None)
            self._adrift[key] = min(moment, self._adrift.get(key, moment))
            self._known_from.pop(key, None)

    def _ran(self, run: Ran, account: str, stream: str) -> None:
        key = account, stream
        since = self._claimed.get(key)
        if since is not None and run.began - (since - LAG) > FEED_REACH:
            told = run.ended - RETENTION if Feature.LONG_PAUSE in self.features else run.began
            self._holes[key].append((since - LAG, told))
        if not run.kept:
            if since is None:
                self._adrift.setdefault(key, run.began)
            return
        if key in self._adrift:
            self._holes[key].append((self._adrift.pop(key) - LAG, run.ended))
        start = 0 if listed(stream).reference else run.start
        self._known_from[key] = min(start, self._known_from.get(key, start))
        if since is None or run.claims:
            self._claimed[key] = run.began

    def _check(self, run: Ran, place: Place, stream: str) -> None:
        """Take note of what a run found that checked the feed, or listed everything."""
        key = place.account.id, stream
        before = self._last.get(key)
        self._last[key] = run.began
        first = self._first.setdefault(key, run.began)
        complete = self._is_complete(run, place, stream)
        kind = listed(stream).object
        known = [
            doubt for name, found in place.doubts.items() if name[0] == kind for doubt in found
        ]
        for doubt in known if not run.claims and run.kept else ():
            doubt.missed |= not doubt.told and run.began - doubt.created > CHECKED
        if not run.claims or not run.clocks_right:
            return
        if before is not None and not complete:
            # What the first run began is listed, and what came later is followed only.
            return
        if before is not None and run.began - before < run.recheck:
            return
        for doubt in known:
            if stream in doubt.left_out:
                continue
            if before is None or self._finds(doubt, run.began, first):
                doubt.found_by |= {stream} if doubt.visible_at <= run.began else set()

    def _is_complete(self, run: Ran, place: Place, stream: str) -> bool:
        """Return whether earlier runs listed all that a run asks for, and record what it lists.

        A run does not check a list that it has yet to complete.
        """
        complete = True
        for one in run.streams:
            if listed(one) is not listed(stream):
                continue
            key = place.account.id, one
            start = 0 if listed(one).reference else run.start
            known = self._listed_before.get(key)
            complete &= known is not None and start >= known
        return complete

    def _finds(self, doubt: Doubt, began: int, first: int) -> bool:
        if not doubt.told:
            # No check looks at the newest, which may not be visible yet.
            return not doubt.missed and LAG <= began - doubt.created <= FEED_REACH
        # The feed is compared with what earlier runs have read of it.
        paused = Feature.PAUSED_CHECKS in self.features
        return doubt.created >= first and (paused or began - doubt.created <= CHECKED)

    # What is excused

    def doubtful(self, place: Place, stream: str, name: Name) -> bool:
        """Tell whether only a check that has not been made could tell of an object."""
        return name in place.silent or any(
            stream not in doubt.found_by for doubt in place.doubts.get(name, ())
        )

    def unknown(self, account: str, stream: str, created: int, start: int) -> bool:
        """Tell whether no STATE knows that rows of that time were written, and no run wants any."""
        start = 0 if listed(stream).reference else start
        return created < min(start, self._known_from.get((account, stream), start))

    def asked(self, stream: str, created: int) -> bool:
        """Return whether any run has asked for a row of that creation time, or for its parent."""
        return created >= self._asked_from.get(listed(stream).name, 0)

    def in_a_hole(self, account: str, stream: str, moment: int) -> bool:
        """Tell whether no feed could tell a stream what happened then."""
        key = account, stream
        if key in self._adrift and moment >= self._adrift[key] - LAG:
            return True
        return any(first <= moment <= last for first, last in self._holes[key])


def listed(stream: str) -> Listed:
    """Return the listed stream that a stream comes with."""
    nested = NESTED.get(stream)
    return LISTED[nested.parent if nested else stream]
