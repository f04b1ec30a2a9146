"""Which objects of a page become records, and their lowest `updated_at`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_stripe_connect.sync.plan.jobs import Page, Purpose
from tap_stripe_connect.sync.plan.min_updated_at import NO_MINIMUM, MinUpdatedAt
from tap_stripe_connect.sync.state.ranges import unix_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_stripe_connect.sync.plan.checkpoint import Checkpointer
    from tap_stripe_connect.sync.plan.events import Change
    from tap_stripe_connect.sync.plan.list_state import ListState
    from tap_stripe_connect.sync.plan.scope import Scope


@dataclass(frozen=True)
class PageOutput:
    """A page to write, with what events say about its objects."""

    page: Page
    changes: Mapping[str, Change]
    """Changes by object id."""
    min_updated_at: MinUpdatedAt = NO_MINIMUM


def of_backfill(state: ListState, page: Page, checkpointer: Checkpointer) -> PageOutput:
    """Return a listed page; rows that are listed again get the current time as `updated_at`."""
    dated = state.listed.dated
    if dated and (state.written_from is None or state.listed.changes == "none"):
        return PageOutput(page, state.changes)
    again = state.relists_all or state.full_table or state.fingerprints is not None
    if again or not dated:
        checkpointer.raise_read_at(state)
        state.listing_minimum = state.read_at
    minimum = MinUpdatedAt(state.listing_minimum, state.written_from or 0, state.read_at)
    return PageOutput(page, state.changes, minimum)


def of_check(state: ListState, page: Page, checkpointer: Checkpointer) -> PageOutput | None:
    """Return the objects of a check that have no event; None if there are none."""
    assert state.recheck  # noqa: S101 - a check is in progress
    found = state.recheck.without_events(page.objects)
    if not found:
        return None
    moment = checkpointer.raise_read_at(state)
    return PageOutput(replace(page, objects=found), state.changes, MinUpdatedAt(moment))


def of_refetch(state: ListState, page: Page, scope: Scope) -> PageOutput:
    """Return refetched objects, except those that start_date excludes."""
    # Events about other objects do not say when this one was created; now it is known.
    oldest = state.oldest(scope.start(state.listed))
    wanted = [
        one for one in page.objects if max(0, unix_time(one.get("created")) or oldest) >= oldest
    ]
    state.record_missing(page.absent, scope.horizon)
    return PageOutput(replace(page, objects=wanted), state.changes, MinUpdatedAt(state.read_at))


def gone(state: ListState, page: Page) -> PageOutput:
    """Return a page for objects that no longer exist."""
    return PageOutput(page, state.changes, MinUpdatedAt(state.read_at))


def of_list(
    state: ListState, page: Page, scope: Scope, checkpointer: Checkpointer
) -> PageOutput | None:
    """Return what to write of a page of the list itself."""
    if page.job.purpose is Purpose.LOAD:
        return of_backfill(state, page, checkpointer)
    if page.job.purpose is Purpose.CHECK:
        return of_check(state, page, checkpointer)
    return of_refetch(state, page, scope)
