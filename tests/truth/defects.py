"""Ways in which taps lose the truth, each planted in ours to see whether the worlds reveal it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from unittest import mock

from tap_stripe_connect.api.client import Client
from tap_stripe_connect.sync import changes as changes_module
from tap_stripe_connect.sync.bookmarks import Bookmarks
from tap_stripe_connect.sync.changes import Changes
from tap_stripe_connect.sync.engine import Engine
from tap_stripe_connect.sync.jobs import Purpose
from tap_stripe_connect.sync.rows import Rows
from tap_stripe_connect.sync.run import Run
from tap_stripe_connect.sync.transfer import Transfer
from tap_stripe_connect.sync.windows import END_OF_TIME, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Patch:
    """One thing to put in the place of another."""

    owner: Any
    name: str
    make: Callable[[Any], Any]
    """Makes the replacement of the original."""


@dataclass(frozen=True)
class Defect:
    """A fault as a tap could have it."""

    name: str
    story: str
    patches: tuple[Patch, ...]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Run with the fault."""
        with ExitStack() as stack:
            for patch in self.patches:
                made = patch.make(getattr(patch.owner, patch.name))
                stack.enter_context(mock.patch.object(patch.owner, patch.name, made))
            yield


def one(name: str, story: str, owner: object, attribute: str, make: Callable[[Any], Any]) -> Defect:
    """Return a defect of one patch."""
    return Defect(name, story, (Patch(owner, attribute, make),))


_payloads: dict[str, tuple[int, Any]] = {}


def _payload_noted(note: Any) -> Any:
    def noting(self: Changes, event: Any) -> None:
        note(self, event)
        shown = event["data"]["object"]
        if event["created"] >= _payloads.get(shown.get("id"), (0, None))[0]:
            _payloads[shown.get("id")] = event["created"], deepcopy(shown)

    return noting


def _payload_shown(of_object: Any) -> Any:
    def showing(self: Rows, page: Any, value: Any, change: Any) -> Any:
        moment, shown = _payloads.get(value["id"], (0, None))
        if change and moment == change.last:
            value = deepcopy(shown)
        return of_object(self, page, value, change)

    return showing


def _exclusive(parameters: Any) -> Any:
    def asking(self: Window) -> dict[str, str]:
        query: dict[str, str] = parameters(self)
        if "created[gte]" in query:
            query["created[gt]"] = query.pop("created[gte]")
        return query

    return asking


def _without_lag(init: Any) -> Any:
    def begin(self: Run, *arguments: Any, **options: Any) -> None:
        init(self, *arguments, **options)
        self.horizon = self._now
        self.rows._horizon = self._now

    return begin


def _claims_whole_window(take: Any) -> Any:
    def taking(self: Window, rows: Any, *, has_more: bool) -> Any:
        kept, (_, upper) = take(self, rows, has_more=has_more)
        return kept, (min(self.start, upper), upper)

    return taking


def _claims_first(write_page: Any) -> Any:
    def writing(self: Transfer, run: Run, page: Any) -> Any:
        if page.covered is not None:
            run.written(page)
            self._write_state()
        return write_page(self, run, page)

    return writing


def _cursor_inherited(split: Any) -> Any:
    def splitting(self: Window) -> Window:
        older: Window = split(self)
        older.cursor = self.cursor
        return older

    return splitting


def _gives_up(_: Any) -> Any:
    def restart(self: Window) -> None:
        self.filter, self.cursor = (0, 1), None

    return restart


def _stamped_late(claim: Any) -> Any:
    def claiming(self: Run, follow: Any, stream: str, span: Any, *, finished: bool = False) -> None:
        claim(self, follow, stream, span, finished=finished)
        if stream not in follow.since and not finished:
            bookmark = replace(follow.bookmarks[stream], events_until=0)
            self._bookmarks.set(stream, follow.account.id, bookmark)

    return claiming


def _end_is_deletion(note: Any) -> Any:
    def noting(self: Changes, event: Any) -> None:
        kind = event["type"].removeprefix("customer.")
        note(self, {**event, "type": kind} if kind == "subscription.deleted" else event)

    return noting


def _by_content_only(_: Any) -> Any:
    def recent(self: Rows, stream: str, account: str, *, finished: bool) -> dict[str, str]:
        del finished
        key = stream, account
        return {**self._before[key], **self._passing[key], **self._fresh[key]}

    return recent


def _digested(choose: Callable[[list[Any], str], tuple[str, Any]]) -> Callable[[Any], Any]:
    """Let a digest be of something else: `choose` returns its name and content."""

    def make(unwritten: Any) -> Any:
        def deciding(self: Rows, page: Any, name: str, newest: int, content: Any) -> Any:
            if isinstance(content, list):
                name, content = choose(content, name)
            return unwritten(self, page, name, newest, content)

        return deciding

    return make


def _hole_ignored(_: Any) -> Any:
    return lambda _run, _stream, _account, bookmark: bookmark


def _level_inherited(get: Any) -> Any:
    def getting(self: Bookmarks, stream: str, account: str) -> Any:
        known = account in self.accounts or not self.accounts
        return get(self, stream, account if known else self.accounts[0])

    return getting


def _no_status(page: Any) -> Any:
    def asking(self: Client, path: str, parameters: Any, *rest: Any, **options: Any) -> Any:
        kept = {name: value for name, value in parameters.items() if name != "status"}
        return page(self, path, kept, *rest, **options)

    return asking


def _cuts_changes(concerned: Any) -> Any:
    def choosing(self: Run, follow: Any, changes: Any) -> Any:
        start = self._start(follow.listed) or self._settings.start
        found = concerned(self, follow, changes)
        return {key: one for key, one in found.items() if (one.created or start) >= start}

    return choosing


def _wants_all_once(wants: Any) -> Any:
    def wanting(self: Run, follow: Any, created: Any) -> bool:
        # Only `records` asks after the pages of the feed, whose changes are gone then.
        return follow.account.id not in self._changes or bool(wants(self, follow, created))

    return wanting


def _claims_cut_off(claim_feed: Any) -> Any:
    def claiming(self: Run, follow: Any, reached: int) -> None:
        with mock.patch.object(self, "_start", return_value=0):
            claim_feed(self, follow, reached)

    return claiming


def _claims_failed(finished: Any) -> Any:
    def finishing(self: Run, job: Any) -> Any:
        if job.failure and job.purpose is Purpose.REREAD:
            follow = self._follows[job.account][job.listed.name]
            self._claim_feed(follow, self.horizon)
        return finished(self, job)

    return finishing


def _second_cut(continue_from: Any) -> Any:
    def going_on(self: Window, rows: Any, stamps: Any) -> None:
        continue_from(self, rows, stamps)
        self.end = max(self.start, stamps[-1])

    return going_on


def _feed_first_page(take: Any) -> Any:
    def taking(self: Window, rows: Any, *, has_more: bool) -> Any:
        feed = self.end == END_OF_TIME and any(row["object"] == "event" for row in rows)
        return take(self, rows, has_more=has_more and not feed)

    return taking


DEFECTS: tuple[Defect, ...] = (
    Defect(
        "payload",
        "rows come from event payloads, which show an older version",
        (
            Patch(Changes, "note", _payload_noted),
            Patch(Rows, "_of_object", _payload_shown),
        ),
    ),
    one(
        "exclusive",
        "`gt` for `gte`: the bookmark's second is lost",
        Window,
        "parameters",
        _exclusive,
    ),
    one("no lag", "the bookmark is at now, past what shows late", Run, "__init__", _without_lag),
    one(
        "newest seen",
        "the first page claims all that is older",
        Window,
        "take",
        _claims_whole_window,
    ),
    one("claims first", "STATE goes out before its rows", Transfer, "_write_page", _claims_first),
    one(
        "ten lines",
        "nested lists end where Stripe cuts them",
        Engine,
        "_complete",
        lambda _: lambda *_arguments: (0, set()),
    ),
    Defect(
        "foreign cursor",
        "a split hands its cursor on, and a refused cursor ends the window",
        (Patch(Window, "split", _cursor_inherited), Patch(Window, "restart", _gives_up)),
    ),
    one("dead cursor", "a cursor that died ends its window", Window, "restart", _gives_up),
    one(
        "second cut",
        "the second that a page ends in counts as read",
        Window,
        "_continue_from",
        _second_cut,
    ),
    one(
        "late stamp",
        "the feed is followed from the end of the first load",
        Run,
        "_claim",
        _stamped_late,
    ),
    one(
        "deletions",
        "deletions are ignored",
        Changes,
        "_deleted",
        lambda _: lambda *_arguments: None,
    ),
    one(
        "ended", "the end of a subscription counts as a deletion", Changes, "note", _end_is_deletion
    ),
    one(
        "vanished",
        "what left its parent is ignored",
        Rows,
        "_of_former",
        lambda _: lambda *_arguments: (),
    ),
    one(
        "touches",
        "events about others are ignored",
        changes_module,
        "_touched",
        lambda _: lambda _value: (),
    ),
    Defect(
        "content only",
        "digests of content, whoever had it: back to a former state is lost",
        (
            Patch(Rows, "recent", _by_content_only),
            Patch(Rows, "_unwritten", _digested(lambda said, _: (str(said[0]), said[0]))),
        ),
    ),
    one(
        "bare digest",
        "a digest of the object alone: a killed run's row, or an item that left, stays",
        Rows,
        "_unwritten",
        _digested(lambda said, name: (name, said[0])),
    ),
    one(
        "touched outside",
        "an event about another brings an object that start_date leaves out, once",
        Run,
        "_wants",
        _wants_all_once,
    ),
    one("hole", "a feed with a hole is followed as if it had none", Run, "_usable", _hole_ignored),
    one("level", "a new account inherits the others' bookmark", Bookmarks, "get", _level_inherited),
    one("default filter", "cancelled subscriptions are not asked for", Client, "page", _no_status),
    one(
        "changes cut off",
        "start_date drops changes of older objects",
        Run,
        "_concerned",
        _cuts_changes,
    ),
    one(
        "claims cut off",
        "what start_date left out counts as written",
        Run,
        "_claim_feed",
        _claims_cut_off,
    ),
    one(
        "claims failed", "the feed is claimed though a read failed", Run, "finished", _claims_failed
    ),
    one(
        "feed's first page",
        "only the first page of the feed is read",
        Window,
        "take",
        _feed_first_page,
    ),
)
