"""Differences that no tap can avoid, derived from the schedule and its runs, never from a STATE."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_stripe_connect.catalog import LISTED, NESTED, STREAMS
from tests.property.account_model import DAY, LAG
from tests.property.features import Feature

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tap_stripe_connect.catalog import Listed
    from tests.property.account_model import AccountModel, Name, PendingCheck

FEED_REACH = 28 * DAY
"""Seconds after which a tap may assume a gap in the feed."""
RETENTION = 30 * DAY
CHECKED = 2 * DAY - 3600
"""Seconds back that a feed check always covers."""
CHECK = DAY
"""Default seconds between feed checks."""

Written = tuple[str, str]
"""Id of an account, and a stream."""


@dataclass(frozen=True)
class RunFacts:
    """The facts of a run that matter for exemptions."""

    accounts: Collection[str]
    streams: Collection[str]
    began: int
    ended: int
    start: int
    """Its start_date, in unix seconds."""
    wrote: bool
    """Whether it wrote any message; STATE comes first."""
    claims: bool
    """Whether it finished, and its last STATE is kept."""
    kept: bool
    """Whether at least its first STATE is kept."""
    clocks_right: bool
    recheck: int
    """Seconds between checks of the feed."""


@dataclass
class Exemptions:
    """What each stream of each account may have missed."""

    features: frozenset[Feature]
    _claimed: dict[Written, int] = field(default_factory=dict)
    """Start of the last run that finished with its STATE kept, or of the first run."""
    _orphaned: dict[Written, int] = field(default_factory=dict)
    """Start of the run whose STATE is lost, so that no bookmark follows its records."""
    _gaps: defaultdict[Written, list[tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _known_from: dict[Written, int] = field(default_factory=dict)
    """Creation time from which a STATE knows that records may have been written."""
    _last: dict[Written, int] = field(default_factory=dict)
    """Start of the last run."""
    _first: dict[Written, int] = field(default_factory=dict)
    """Start of the first run."""
    _listed_from: dict[Written, int] = field(default_factory=dict)
    """Creation time from which finished runs have listed everything."""
    _listed_before: dict[Written, int] = field(default_factory=dict)
    """The same before the run that is being recorded."""
    _requested_from: dict[str, int] = field(default_factory=dict)
    """Creation time from which any run requested a list."""

    def record_run(self, run: RunFacts, models: Iterable[AccountModel]) -> None:
        """Record a run."""
        self._listed_before = dict(self._listed_from)
        for stream in run.streams:
            start = 0 if listed(stream).reference else run.start
            name = listed(stream).name
            self._requested_from[name] = min(start, self._requested_from.get(name, start))
        for model in models:
            if model.account.id not in run.accounts:
                continue
            for stream in run.streams:
                key = model.account.id, stream
                start = 0 if listed(stream).reference else run.start
                if run.claims:
                    self._listed_from[key] = min(start, self._listed_from.get(key, start))
                if run.wrote:
                    self._record_stream(run, model.account.id, stream)
                self._record_check(run, model, stream)
            if run.kept:
                self._exempt_unselected(run, model)

    def _exempt_unselected(self, run: RunFacts, model: AccountModel) -> None:
        """Exempt streams that this run does not read from late events that it sees."""
        others = {stream.name for stream in STREAMS}.difference(run.streams)
        for pending in model.pending.values() if others else ():
            for check in pending:
                if check.has_event and check.visible_at <= run.ended:
                    check.excluded |= others - check.found_by

    def record_lost_state(self, streams: Collection[str]) -> None:
        """Record that the bookmarks of some streams are lost."""
        for key in [key for key in self._claimed if key[1] in streams]:
            moment = self._claimed.pop(key)
            self._listed_from.pop(key, None)
            self._orphaned[key] = min(moment, self._orphaned.get(key, moment))
            self._known_from.pop(key, None)

    def _record_stream(self, run: RunFacts, account: str, stream: str) -> None:
        key = account, stream
        since = self._claimed.get(key)
        if since is not None and run.began - (since - LAG) > FEED_REACH:
            gap_end = run.ended - RETENTION if Feature.LONG_PAUSE in self.features else run.began
            self._gaps[key].append((since - LAG, gap_end))
        if not run.kept:
            if since is None:
                self._orphaned.setdefault(key, run.began)
            return
        if key in self._orphaned:
            self._gaps[key].append((self._orphaned.pop(key) - LAG, run.ended))
        start = 0 if listed(stream).reference else run.start
        self._known_from[key] = min(start, self._known_from.get(key, start))
        if since is None or run.claims:
            self._claimed[key] = run.began

    def _record_check(self, run: RunFacts, model: AccountModel, stream: str) -> None:
        """Record what a run found by a feed check, or by listing everything."""
        key = model.account.id, stream
        before = self._last.get(key)
        self._last[key] = run.began
        first = self._first.setdefault(key, run.began)
        complete = self._is_complete(run, model, stream)
        kind = listed(stream).object
        known = [
            check for name, found in model.pending.items() if name[0] == kind for check in found
        ]
        for check in known if not run.claims and run.kept else ():
            check.missed |= not check.has_event and run.began - check.created > CHECKED
        if not run.claims or not run.clocks_right:
            return
        if before is not None and not complete:
            # Only a list that is complete is checked; its feed is followed until then.
            return
        if before is not None and run.began - before < run.recheck:
            return
        for check in known:
            if stream in check.excluded:
                continue
            if before is None or self._is_found(check, run.began, first):
                check.found_by |= {stream} if check.visible_at <= run.began else set()

    def _is_complete(self, run: RunFacts, model: AccountModel, stream: str) -> bool:
        """Return whether earlier runs listed all that a run asks for, and record what it lists.

        A run does not check a list that it has yet to complete.
        """
        complete = True
        for one in run.streams:
            if listed(one) is not listed(stream):
                continue
            key = model.account.id, one
            start = 0 if listed(one).reference else run.start
            known = self._listed_before.get(key)
            complete &= known is not None and start >= known
        return complete

    def _is_found(self, check: PendingCheck, began: int, first: int) -> bool:
        if not check.has_event:
            # A check skips the newest objects, which may not be visible yet.
            return not check.missed and LAG <= began - check.created <= FEED_REACH
        # A check compares the feed with the events that earlier runs have read.
        paused = Feature.PAUSED_CHECKS in self.features
        return check.created >= first and (paused or began - check.created <= CHECKED)

    # Queries

    def awaits_check(self, model: AccountModel, stream: str, name: Name) -> bool:
        """Return whether only a feed check that has yet to run can find the object's change."""
        return name in model.without_event or any(
            stream not in check.found_by for check in model.pending.get(name, ())
        )

    def is_untracked(self, account: str, stream: str, created: int, start: int) -> bool:
        """Return whether no run wants records of that time and no STATE knows of them."""
        start = 0 if listed(stream).reference else start
        return created < min(start, self._known_from.get((account, stream), start))

    def was_requested(self, stream: str, created: int) -> bool:
        """Return whether any run has requested objects of that creation time, or their parents."""
        return created >= self._requested_from.get(listed(stream).name, 0)

    def in_feed_gap(self, account: str, stream: str, moment: int) -> bool:
        """Return whether no feed of a stream covers that moment."""
        key = account, stream
        if key in self._orphaned and moment >= self._orphaned[key] - LAG:
            return True
        return any(first <= moment <= last for first, last in self._gaps[key])


def listed(stream: str) -> Listed:
    """Return the listed stream itself, or the parent of a nested one."""
    nested = NESTED.get(stream)
    return LISTED[nested.parent if nested else stream]
