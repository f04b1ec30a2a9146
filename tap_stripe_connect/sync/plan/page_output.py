"""What of a page becomes records, and which time they carry at least."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_stripe_connect.sync.plan.floor import NO_FLOOR, Floor
from tap_stripe_connect.sync.plan.jobs import Page, Purpose
from tap_stripe_connect.sync.state.ranges import unix_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_stripe_connect.sync.plan.checkpoint import Checkpointer
    from tap_stripe_connect.sync.plan.events import Change
    from tap_stripe_connect.sync.plan.list_state import ListState
    from tap_stripe_connect.sync.plan.scope import Scope


@dataclass(frozen=True)
class PageOutput:
    """A page, and what is known of its objects."""

    page: Page
    changes: Mapping[str, Change]
    """What events tell of the objects, by id."""
    floor: Floor = NO_FLOOR


def of_backfill(state: ListState, page: Page, checkpointer: Checkpointer) -> PageOutput:
    """Return listed rows; what is listed again carries the time of this reading."""
    dated = state.listed.dated
    if dated and (state.written_from is None or state.listed.changes == "none"):
        return PageOutput(page, state.changes)
    anew = state.listed_anew or state.full_table or state.fingerprints is not None
    if anew or not dated:
        checkpointer.raise_read_at(state)
        state.listing_floor = state.read_at
    floor = Floor(state.listing_floor, state.written_from or 0, state.read_at)
    return PageOutput(page, state.changes, floor)


def of_check(state: ListState, page: Page, checkpointer: Checkpointer) -> PageOutput | None:
    """Return those rows of a check that no event told of; None if there are none."""
    assert state.recheck  # noqa: S101 - a check is under way
    found = state.recheck.unproven(page.objects)
    if not found:
        return None
    moment = checkpointer.raise_read_at(state)
    return PageOutput(replace(page, objects=found), state.changes, Floor(moment))


def of_refetch(state: ListState, page: Page, scope: Scope) -> PageOutput:
    """Return objects that were read again, less those that the settings leave out."""
    # Events about others do not say when it was created; now that is known.
    oldest = state.oldest(scope.start(state.listed))
    wanted = [
        one for one in page.objects if max(0, unix_time(one.get("created")) or oldest) >= oldest
    ]
    state.record_missing(page.absent, scope.horizon)
    return PageOutput(replace(page, objects=wanted), state.changes, Floor(state.read_at))


def gone(state: ListState, page: Page) -> PageOutput:
    """Return a page of objects that no longer exist."""
    return PageOutput(page, state.changes, Floor(state.read_at))


def of_list(
    state: ListState, page: Page, scope: Scope, checkpointer: Checkpointer
) -> PageOutput | None:
    """Return what of a page of its own list is written."""
    if page.job.purpose is Purpose.LOAD:
        return of_backfill(state, page, checkpointer)
    if page.job.purpose is Purpose.CHECK:
        return of_check(state, page, checkpointer)
    return of_refetch(state, page, scope)
