"""Replacements that plant a defect in the checks of the feed, lists and responses."""

# ruff: noqa: D103 - the table of defects describes each one

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.api.matching import FOREVER, MismatchError
from tap_stripe_connect.sync.plan.min_updated_at import NO_MINIMUM
from tests.property.faulty import passed_over

if TYPE_CHECKING:
    from tap_stripe_connect.api.matching import Matcher
    from tap_stripe_connect.api.responses import ApiRequest
    from tap_stripe_connect.sync.emit.dedupe import RecordFilter
    from tap_stripe_connect.sync.fetch.nested import UnfinishedPage
    from tap_stripe_connect.sync.plan.account_plan import AccountPlan
    from tap_stripe_connect.sync.plan.events import Changes
    from tap_stripe_connect.sync.plan.feed import Feed
    from tap_stripe_connect.sync.plan.list_state import ListState
    from tap_stripe_connect.sync.plan.recheck import Recheck
    from tap_stripe_connect.sync.plan.refetch import RetrieveTask, Walk
    from tap_stripe_connect.sync.plan.scope import Scope
    from tap_stripe_connect.sync.plan.windows import Window


def nothing(_: Any) -> Any:
    """Do nothing."""
    return lambda *_arguments, **_options: None


# The feed


def newest_part_first(_: Any) -> Any:
    def reading_until(self: Feed) -> int:
        return self._covered[-1][1] if self._covered else self.start

    return reading_until


def claims_pending(_: Any) -> Any:
    def written_until(self: ListState) -> int:
        return int(self._until)

    return written_until


def hours_alike(_: Any) -> Any:
    return lambda _self, _hour: False


def unmarked(merge: Any) -> Any:
    def merging(self: Changes, later: Any, *, late: bool = False) -> None:
        del late
        merge(self, later)

    return merging


def of_any_account(note: Any) -> Any:
    def noting(self: Changes, event: Any) -> None:
        note(self, {**event, "account": None})

    return noting


def reported_only(without_feed: Any) -> Any:
    def going_on(self: AccountPlan, job: Any) -> Any:
        without_feed(self, job)
        return []

    return going_on


def unread_feed_claimed(without_feed: Any) -> Any:
    def going_on(self: AccountPlan, job: Any) -> Any:
        for state in self.lists.values():
            if state.feed_from:
                self._claim_feed(state, self._scope.horizon)
        return without_feed(self, job)

    return going_on


# Checks, and what they write


def nothing_without_events(without_events: Any) -> Any:
    def proving(self: Recheck, objects: Any) -> Any:
        without_events(self, objects)
        return []

    return proving


def without_minimum(of: Any) -> Any:
    def showing(self: RecordFilter, output: Any) -> Any:
        return of(self, replace(output, min_updated_at=NO_MINIMUM))

    return showing


def without_read_at(moments: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in moments if name != "read_at")


def pause_ends_feed(relisted: Any) -> Any:
    def listing(bookmark: Any, events_until: int | None = None) -> Any:
        found = relisted(bookmark, events_until)
        return found if events_until is None else replace(found, events_until=0)

    return listing


def clock_of(place: int) -> Any:
    """Trust one of the clocks alone."""

    def make(init: Any) -> Any:
        def begin(self: Scope, *arguments: Any) -> None:
            settings, lists, clocks, *rest = arguments
            init(self, settings, lists, (clocks[place],) * 2, *rest)

        return begin

    return make


# Objects, and the lists in them


def no_look_back(reread: Any) -> Any:
    def reading(self: AccountPlan, state: ListState, alive: Any, feed: Feed, *, last: bool) -> Any:
        for change in alive.values():
            change.replaced = False
        return reread(self, state, alive, feed, last=last)

    return reading


def drafts_forgotten(note_children: Any) -> Any:
    def noting(change: Any, nested: Any, event: Any, value: Any) -> None:
        note_children(change, replace(nested, temporary_in=""), event, value)

    return noting


def part_claims(part: Any) -> Any:
    def handing_on(self: UnfinishedPage) -> Any:
        found = part(self)
        return replace(found, covered=self._rest.covered) if found and self._waiting else found

    return handing_on


_passed_over: set[str] = set()


def group_decides(read: Any) -> Any:
    def reading(self: Walk, page: Window) -> Any:
        _passed_over.clear()
        _passed_over.update(passed_over(self, page))
        yield from read(self, page)

    return reading


def gone_if_passed_over(retrieved: Any) -> Any:
    def retrieving(client: Any, job: Any, single: RetrieveTask) -> Any:
        if single.id in _passed_over:
            _passed_over.discard(single.id)
            return None, 0
        return retrieved(client, job, single)

    return retrieving


# Answers


def no_mismatch(check: Any) -> Any:
    """Accept responses that raise MismatchError."""

    def checking(*arguments: Any) -> Any:
        try:
            return check(*arguments)
        except MismatchError:
            return []

    return checking


def of_any_id(check: Any) -> Any:
    def checking(document: object, question: ApiRequest) -> None:
        check(document, replace(question, id=""))

    return checking


def believes_at_once(_: Any) -> Any:
    def believing(self: Matcher, *_arguments: Any) -> bool:
        del self
        return True

    return believing


def of_any_time(_: Any) -> Any:
    return property(lambda _question: (-FOREVER, FOREVER))
