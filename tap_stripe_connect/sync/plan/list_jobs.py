"""The jobs that read one list of one account."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tap_stripe_connect.catalog import LISTED
from tap_stripe_connect.sync.plan.backfill import Backfill
from tap_stripe_connect.sync.plan.jobs import Job, Page, Purpose
from tap_stripe_connect.sync.plan.refetch import RefetchWork
from tap_stripe_connect.sync.plan.windows import WholeList, Window
from tap_stripe_connect.sync.state.ranges import split_by_streams

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_stripe_connect.accounts import Account
    from tap_stripe_connect.catalog import Listed
    from tap_stripe_connect.sync.plan.events import Change
    from tap_stripe_connect.sync.plan.jobs import Work
    from tap_stripe_connect.sync.plan.list_state import ListState
    from tap_stripe_connect.sync.state.ranges import Range

FEED = "the event feed"
"""Stands among the streams that a window of `/v1/events` is read for."""


def events(account: Account, gaps: Mapping[str, list[Range]], purpose: Purpose) -> Job:
    """Return the job that lists events: oldest first where they are followed."""
    windows = [Window(*span, lacking) for span, lacking in split_by_streams(gaps)]
    plan = Backfill(windows, oldest_first=purpose is Purpose.FEED)
    return Job(LISTED["events"], account.id, account.header, plan, purpose)


def load(state: ListState, start: int) -> Job:
    """Return the job that lists what is missing."""
    return _listing(state, split_by_streams(state.gaps(start)), Purpose.LOAD)


def load_again(state: ListState, ranges: Iterable[Range]) -> Job:
    """Return the job that lists some creation times, whatever was listed before."""
    streams = frozenset(state.streams)
    return _listing(state, [(span, streams) for span in ranges], Purpose.LOAD)


def check(state: ListState, span: Range) -> Job:
    """Return the job that lists what the event feed cannot prove."""
    return _listing(state, [(span, frozenset(state.streams))], Purpose.CHECK)


def refetch(state: ListState, changes: Mapping[str, Change]) -> Job:
    """Return the job that reads changed objects again."""
    state.jobs += 1
    if not state.listed.windowed:
        changes = {name: replace(one, created=None) for name, one in changes.items()}
    plan = RefetchWork(changes, frozenset(state.feed_from))
    return _job(state.listed, state, plan, Purpose.REFETCH)


def look_back(state: ListState, unknown: dict[str, Change], until: int) -> Job:
    """Return the job that reads what older events say of objects whose children were replaced."""
    state.jobs += 1
    oldest = min(one.created or 0 for one in unknown.values())
    plan = Backfill([Window(oldest, until, frozenset(state.feed_from))])
    listed = replace(LISTED["events"], parameters=state.listed.told_by)
    job = _job(listed, state, plan, Purpose.LOOK_BACK, owner=state.listed.name)
    state.look_backs[job] = unknown
    return job


def last_event(state: ListState) -> Job:
    """Return the job that reads the last events of objects that no longer exist."""
    state.jobs += 1
    wanted = {
        event: replace(state.changes[name], created=None)
        for event, name in state.missing_by_event.items()
    }
    plan = RefetchWork(wanted, frozenset(state.feed_from))
    return _job(LISTED["events"], state, plan, Purpose.LAST_EVENT, owner=state.listed.name)


def gone_page(state: ListState, names: tuple[str, ...]) -> Page:
    """Return a page that says that objects no longer exist."""
    streams = frozenset(state.feed_from)
    job = _job(state.listed, state, RefetchWork({}, streams), Purpose.REFETCH)
    return Page(job, streams, [], absent=names)


def _listing(
    state: ListState, wanted: Iterable[tuple[Range, frozenset[str]]], purpose: Purpose
) -> Job:
    kind = Window if state.listed.windowed else WholeList
    plan = Backfill(kind(*span, lacking) for span, lacking in wanted)
    return _job(state.listed, state, plan, purpose)


def _job(listed: Listed, state: ListState, plan: Work, purpose: Purpose, owner: str = "") -> Job:
    account = state.account
    return Job(listed, account.id, account.header, plan, purpose, owner=owner)
