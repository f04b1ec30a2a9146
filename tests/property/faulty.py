"""Replacements of functions that plant a defect."""

# ruff: noqa: D103 - the table of defects describes each one

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.api.errors import StripeError, says_no_cursor
from tap_stripe_connect.catalog import nested_in
from tap_stripe_connect.sync.plan.jobs import Purpose
from tap_stripe_connect.sync.state.ranges import END_OF_TIME

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_stripe_connect.api.client import Client
    from tap_stripe_connect.sync.emit.dedupe import RecordFilter
    from tap_stripe_connect.sync.emit.messages import MessageWriter
    from tap_stripe_connect.sync.emit.writer import OutputLoop
    from tap_stripe_connect.sync.plan.account_plan import AccountPlan
    from tap_stripe_connect.sync.plan.checkpoint import Checkpointer
    from tap_stripe_connect.sync.plan.events import Changes
    from tap_stripe_connect.sync.plan.list_state import ListState
    from tap_stripe_connect.sync.plan.planner import Planner
    from tap_stripe_connect.sync.plan.refetch import Walk
    from tap_stripe_connect.sync.plan.windows import Window
    from tap_stripe_connect.sync.state.digests import Digests
    from tap_stripe_connect.sync.state.format import Bookmarks

_payloads: dict[str, tuple[int, Any]] = {}


def payload_noted(note: Any) -> Any:
    def noting(self: Changes, event: Any) -> None:
        note(self, event)
        shown = event["data"]["object"]
        if event["created"] >= _payloads.get(shown.get("id"), (0, None))[0]:
            _payloads[shown.get("id")] = event["created"], deepcopy(shown)

    return noting


def payload_shown(of_object: Any) -> Any:
    def showing(self: RecordFilter, page: Any, value: Any, change: Any, minimum: Any) -> Any:
        moment, shown = _payloads.get(value["id"], (0, None))
        if change and moment == change.last:
            value = deepcopy(shown)
        return of_object(self, page, value, change, minimum)

    return showing


def payloads_forgotten(init: Any) -> Any:
    def begin(self: Planner, *arguments: Any, **options: Any) -> None:
        # Payloads of another schedule do not count.
        _payloads.clear()
        init(self, *arguments, **options)

    return begin


def exclusive(parameters: Any) -> Any:
    def asking(self: Window) -> dict[str, str]:
        query: dict[str, str] = parameters(self)
        if "created[gte]" in query:
            query["created[gt]"] = query.pop("created[gte]")
        return query

    return asking


def without_lag(_: Any) -> Any:
    return property(lambda scope: scope.now)


def claims_whole_window(take: Any) -> Any:
    def taking(self: Window, rows: Any, *, has_more: bool) -> Any:
        kept, (_, upper) = take(self, rows, has_more=has_more)
        return kept, (min(self.start, upper), upper)

    return taking


def claims_first(write_page: Any) -> Any:
    def writing(self: OutputLoop, planner: Planner, page: Any) -> Any:
        if page.covered is not None:
            planner.written(page)
            self._write_state()
        return write_page(self, planner, page)

    return writing


def cursor_inherited(split: Any) -> Any:
    def splitting(self: Window) -> Window:
        older: Window = split(self)
        older.cursor = self.cursor
        return older

    return splitting


def gives_up(_: Any) -> Any:
    def restart(self: Window) -> None:
        self.filter, self.cursor = (0, 1), None

    return restart


def stamped_late(claim: Any) -> Any:
    def claiming(
        self: Checkpointer, state: Any, stream: str, span: Any, *, finished: bool = False
    ) -> None:
        claim(self, state, stream, span, finished=finished)
        if stream not in state.feed_from and not finished:
            bookmark = replace(state.bookmarks[stream], events_until=0)
            self._bookmarks.set(stream, state.account.id, bookmark)

    return claiming


def end_is_deletion(followed: Any) -> Any:
    (subscriptions,) = followed["subscription"]
    ends = replace(subscriptions, deleted_by=("customer.subscription.deleted",))
    return {**followed, "subscription": (ends,)}


def by_content_only(_: Any) -> Any:
    def recent(self: Digests, stream: str, account: str, *, finished: bool) -> dict[str, str]:
        del finished
        key = stream, account
        return {**self._previous.get(key, {}), **self._interim[key], **self._recent[key]}

    return recent


def digested(choose: Callable[[list[Any], str], tuple[str, Any]]) -> Callable[[Any], Any]:
    """Change what a digest covers: `choose` returns its name and content."""

    def make(unwritten: Any) -> Any:
        def deciding(self: Digests, streams: Any, account: str, *said: Any) -> Any:
            name, newest, content = said
            if isinstance(content, list):
                name, content = choose(content, name)
            return unwritten(self, streams, account, name, newest, content)

        return deciding

    return make


def hole_ignored(_: Any) -> Any:
    return lambda bookmark, *_clocks: bookmark


def hole_forgotten(usable: Any) -> Any:
    def using(bookmark: Any, *clocks: int) -> Any:
        found = usable(bookmark, *clocks)
        return bookmark if found is bookmark else replace(found, list_from=None)

    return using


def not_begun(_: Any) -> Any:
    return lambda bookmark, _start: bookmark


def level_inherited(get: Any) -> Any:
    def getting(self: Bookmarks, stream: str, account: str) -> Any:
        known = account in self.accounts or not self.accounts
        return get(self, stream, account if known else self.accounts[0])

    return getting


def no_status(page: Any) -> Any:
    def asking(self: Client, path: str, parameters: Any, *rest: Any, **options: Any) -> Any:
        kept = {name: value for name, value in parameters.items() if name != "status"}
        return page(self, path, kept, *rest, **options)

    return asking


def cuts_changes(concerned: Any) -> Any:
    def choosing(self: ListState, changes: Any, start: int) -> Any:
        found = concerned(self, changes, start)
        return {key: one for key, one in found.items() if (one.created or start) >= start}

    return choosing


def wants_all_once(oldest: Any) -> Any:
    def reaching(self: ListState, start: int) -> int:
        # While changed objects are refetched, only pages are filtered by this.
        return 0 if self.jobs else int(oldest(self, start))

    return reaching


def claims_failed(finished: Any) -> Any:
    def finishing(self: AccountPlan, job: Any) -> Any:
        if job.failure and job.purpose is Purpose.REFETCH:
            self._claim_feed(self.lists[job.listed.name], self._scope.horizon)
        return finished(self, job)

    return finishing


def second_cut(take: Any) -> Any:
    def taking(self: Window, rows: Any, *, has_more: bool) -> Any:
        upper = self.end
        kept, _ = take(self, rows, has_more=has_more)
        if rows and not self.finished:
            self.end = max(self.start, min(self.end, rows[-1]["created"]))
        return kept, (min(self.end, upper), upper)

    return taking


def feed_first_page(take: Any) -> Any:
    def taking(self: Window, rows: Any, *, has_more: bool) -> Any:
        feed = self.end == END_OF_TIME and any(row["object"] == "event" for row in rows)
        return take(self, rows, has_more=has_more and not feed)

    return taking


_NESTED = re.compile(r"/lines$|/subscription_items$")


def nested_first_page(page: Any) -> Any:
    def asking(self: Client, path: str, parameters: Any, *rest: Any, **options: Any) -> Any:
        listing = page(self, path, parameters, *rest, **options)
        return replace(listing, has_more=False) if _NESTED.search(path) else listing

    return asking


def nested_gives_up(page: Any) -> Any:
    def asking(self: Client, path: str, parameters: Any, *rest: Any, **options: Any) -> Any:
        try:
            return page(self, path, parameters, *rest, **options)
        except StripeError as error:
            if not _NESTED.search(path) or not says_no_cursor(error):
                raise
            first = {name: one for name, one in parameters.items() if name != "starting_after"}
            return replace(page(self, path, first, *rest, **options), rows=[], has_more=False)

    return asking


def overtaken_loses(overtake: Any) -> Any:
    def overtaking(self: Window) -> Window:
        other: Window = overtake(self)
        other.filter = other.start, max(other.start, other.reached - 1)
        return other

    return overtaking


def overtakes_rows(write_message: Any) -> Any:
    def writing(self: MessageWriter, message: Any) -> None:
        if message.type != "STATE":
            write_message(self, message)
            return
        rows, self._buffer = self._buffer, bytearray()
        write_message(self, message)
        self._buffer = rows

    return writing


def all_level(write_stream: Any) -> Any:
    def writing(self: Bookmarks, bookmarks: Any) -> Any:
        known = max(bookmarks.values(), key=lambda one: one.events_until)
        return write_stream(self, dict.fromkeys(self.accounts, known))

    return writing


def feed_without_lag(claim_feed: Any) -> Any:
    def claiming(self: Checkpointer, state: Any, reached: int) -> None:
        scope = self._scope
        claim_feed(self, state, scope.now if reached == scope.horizon else reached)

    return claiming


def grouped_only(read: Any) -> Any:
    def reading(self: Walk, page: Window) -> Any:
        missing = passed_over(self, page)
        for unit in read(self, page):
            if unit is page or not missing & {getattr(unit, "id", "")}:
                yield unit

    return reading


def passed_over(walk: Walk, page: Window) -> set[str]:
    """Return the wanted objects that a page lacks although it covers their creation."""
    return {
        name
        for created, name in walk._remaining
        if created >= page.end and name in (page.wanted or ())
    }


def siblings_claimed(claim_feed: Any) -> Any:
    def claiming(self: Checkpointer, state: Any, reached: int) -> None:
        claim_feed(self, state, reached)
        for stream in (state.listed.name, *(one.name for one in nested_in(state.listed.name))):
            known = self._bookmarks.get(stream, state.account.id)
            if stream not in state.streams and known.events_until:
                moved = replace(known, events_until=max(known.events_until, reached))
                self._bookmarks.set(stream, state.account.id, moved)

    return claiming


def empty_feed(finished: Any) -> Any:
    def finishing(self: AccountPlan, job: Any) -> Any:
        return self._feed_finished() if job.purpose is Purpose.FEED else finished(self, job)

    return finishing
