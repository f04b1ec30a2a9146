"""Defects that are planted in the tap to see whether the property tests reveal them."""

from __future__ import annotations

from tap_stripe_connect.api.client import Client
from tap_stripe_connect.sync.emit.dedupe import RecordFilter
from tap_stripe_connect.sync.emit.messages import MessageWriter
from tap_stripe_connect.sync.emit.writer import OutputLoop
from tap_stripe_connect.sync.fetch import fetcher
from tap_stripe_connect.sync.plan import events as changes_module
from tap_stripe_connect.sync.plan import resume
from tap_stripe_connect.sync.plan.account_plan import AccountPlan
from tap_stripe_connect.sync.plan.checkpoint import Checkpointer
from tap_stripe_connect.sync.plan.events import Change, Changes
from tap_stripe_connect.sync.plan.list_state import ListState
from tap_stripe_connect.sync.plan.planner import Planner
from tap_stripe_connect.sync.plan.refetch import Walk
from tap_stripe_connect.sync.plan.scope import Scope
from tap_stripe_connect.sync.plan.windows import Window
from tap_stripe_connect.sync.state.digests import Digests
from tap_stripe_connect.sync.state.format import Bookmarks
from tests.property import faulty
from tests.property.account_model import DAY
from tests.property.defects_of_checks import DEFECTS_OF_CHECKS
from tests.property.features import Feature
from tests.property.planting import Defect, Patch, one

DEFECTS: tuple[Defect, ...] = (
    Defect(
        "payload",
        "rows come from event payloads, which show an older version",
        (
            Patch(Changes, "add", faulty.payload_noted),
            Patch(RecordFilter, "_object_records", faulty.payload_shown),
            Patch(Planner, "__init__", faulty.payloads_forgotten),
        ),
    ),
    one(
        "exclusive",
        "`gt` for `gte`: the bookmark's second is lost",
        Window,
        "parameters",
        faulty.exclusive,
    ),
    one(
        "no lag",
        "the bookmark is at now, past objects that become visible later",
        Scope,
        "horizon",
        faulty.without_lag,
    ),
    one(
        "newest seen",
        "the first page claims all that is older",
        Window,
        "take",
        faulty.claims_whole_window,
    ),
    one(
        "claims first",
        "STATE goes out before its rows",
        OutputLoop,
        "_write_page",
        faulty.claims_first,
    ),
    one(
        "ten lines",
        "nested lists end after the first ten items",
        fetcher,
        "truncated_lists",
        lambda _: lambda *_arguments: [],
    ),
    Defect(
        "foreign cursor",
        "a split hands its cursor on, and a refused cursor ends the window",
        (
            Patch(Window, "split", faulty.cursor_inherited),
            Patch(Window, "restart", faulty.gives_up),
        ),
    ),
    one("dead cursor", "a cursor that died ends its window", Window, "restart", faulty.gives_up),
    one(
        "second cut",
        "the second that a page ends in counts as read",
        Window,
        "take",
        faulty.second_cut,
        circumstances=(Feature.KILLS,),
    ),
    one(
        "late stamp",
        "the feed is followed from the end of the first load",
        Checkpointer,
        "_claim",
        faulty.stamped_late,
    ),
    Defect(
        "deletions",
        "deletions are ignored",
        (
            Patch(Changes, "_deleted", lambda _: lambda *_arguments: None),
            Patch(ListState, "record_missing", lambda _: lambda *_arguments: None),
        ),
    ),
    one(
        "ended",
        "the end of a subscription counts as a deletion",
        changes_module,
        "FOLLOWED",
        faulty.end_is_deletion,
    ),
    one(
        "vanished",
        "removed nested objects are ignored",
        RecordFilter,
        "_tombstones",
        lambda _: lambda *_arguments: (),
    ),
    one(
        "touches",
        "events about related objects are ignored",
        changes_module,
        "_touched",
        lambda _: lambda _value: (),
    ),
    Defect(
        "content only",
        "digests of content alone: a return to a former value is lost",
        (
            Patch(Digests, "recent", faulty.by_content_only),
            Patch(Digests, "unwritten", faulty.digested(lambda said, _: (str(said[0]), said[0]))),
        ),
    ),
    one(
        "bare digest",
        "a digest of the object alone: a killed run's row, or an item that left, stays",
        Digests,
        "unwritten",
        faulty.digested(lambda said, name: (name, said[0])),
        circumstances=(Feature.FINALISED,),
    ),
    one(
        "touched outside",
        "an event about a related object loads one that start_date excludes, once",
        ListState,
        "oldest",
        faulty.wants_all_once,
        circumstances=(Feature.START_DATES,),
    ),
    one(
        "hole",
        "a feed with a gap is followed as if it had none",
        resume,
        "trusted",
        faulty.hole_ignored,
        circumstances=(Feature.PAUSES,),
    ),
    one(
        "hole below start",
        "after a gap only objects within start_date are listed again",
        resume,
        "trusted",
        faulty.hole_forgotten,
        circumstances=(Feature.START_DATES, Feature.PAUSES),
    ),
    one(
        "not begun",
        "no STATE records what a killed run may have written",
        resume,
        "with_backfill_start",
        faulty.not_begun,
        circumstances=(Feature.KILLS, Feature.START_DATES),
    ),
    one(
        "level",
        "a new account inherits the others' bookmark",
        Bookmarks,
        "get",
        faulty.level_inherited,
        circumstances=(Feature.LEFT_OUT,),
    ),
    one(
        "default filter",
        "cancelled subscriptions are not requested",
        Client,
        "page",
        faulty.no_status,
    ),
    one(
        "changes cut off",
        "start_date drops changes of older objects",
        ListState,
        "relevant_changes",
        faulty.cuts_changes,
        circumstances=(Feature.START_DATES,),
    ),
    one(
        "claims failed",
        "the feed is claimed though a read failed",
        AccountPlan,
        "finished",
        faulty.claims_failed,
        circumstances=(Feature.FAILURES,),
    ),
    one(
        "feed's first page",
        "only the first page of the feed is read",
        Window,
        "take",
        faulty.feed_first_page,
    ),
    one(
        "feed's reach",
        "the feed is trusted for longer than Stripe keeps events",
        resume,
        "FEED_REACH",
        lambda _: 33 * DAY,
        circumstances=(Feature.PAUSES,),
    ),
    one(
        "feed without lag",
        "the feed is claimed up to now, past events that become visible later",
        Checkpointer,
        "claim_feed",
        faulty.feed_without_lag,
    ),
    one(
        "empty feed",
        "a feed that cannot be read counts as one without events",
        AccountPlan,
        "finished",
        faulty.empty_feed,
        circumstances=(Feature.FAILURES,),
    ),
    one(
        "siblings",
        "the bookmark of an unselected stream moves with that of its parent or child",
        Checkpointer,
        "claim_feed",
        faulty.siblings_claimed,
    ),
    one(
        "grouped only",
        "objects that are missing from a page are not retrieved one by one",
        Walk,
        "read",
        faulty.grouped_only,
        circumstances=(Feature.SPARSE,),
    ),
    one(
        "deleted for good",
        "a deletion wins over later events of the same id",
        Change,
        "gone",
        lambda _: property(lambda self: bool(self.deleted_at)),
        circumstances=(Feature.REUSED,),
    ),
    one(
        "same second",
        "of two events in one second the deletion wins",
        Change,
        "gone",
        lambda _: property(lambda self: self.deleted_at >= self.alive_at > 0),
        circumstances=(Feature.REUSED,),
    ),
    one(
        "nested list's second page",
        "of a nested list that goes on only one page is read",
        Client,
        "page",
        faulty.nested_first_page,
        circumstances=(Feature.NESTED,),
    ),
    one(
        "nested cursor",
        "a cursor that died ends a nested list",
        Client,
        "page",
        faulty.nested_gives_up,
        circumstances=(Feature.NESTED, Feature.FAILURES),
    ),
    one(
        "overtaken",
        "a hedged page leaves out the rest of a second",
        Window,
        "hedge",
        faulty.overtaken_loses,
        circumstances=(Feature.HASTY,),
    ),
    one(
        "STATE first out",
        "STATE goes out before the records that precede it",
        MessageWriter,
        "write_message",
        faulty.overtakes_rows,
        circumstances=(Feature.KILLS,),
    ),
    one(
        "all level",
        "excluded accounts get the bookmark of the others",
        Bookmarks,
        "_write_stream",
        faulty.all_level,
        circumstances=(Feature.LEFT_OUT,),
    ),
    *DEFECTS_OF_CHECKS,
)
