"""Defects in what a tap checks: the feed's parts and gaps, the clocks, the answers."""

from __future__ import annotations

from tap_stripe_connect.api import matching
from tap_stripe_connect.api.matching import Matcher
from tap_stripe_connect.api.responses import ApiRequest
from tap_stripe_connect.sync.emit.dedupe import RecordFilter
from tap_stripe_connect.sync.fetch import requests
from tap_stripe_connect.sync.fetch.nested import UnfinishedPage
from tap_stripe_connect.sync.plan import events, resume
from tap_stripe_connect.sync.plan.account_plan import AccountPlan
from tap_stripe_connect.sync.plan.events import Changes
from tap_stripe_connect.sync.plan.feed import Feed
from tap_stripe_connect.sync.plan.list_state import ListState
from tap_stripe_connect.sync.plan.recheck import Recheck
from tap_stripe_connect.sync.plan.refetch import Walk
from tap_stripe_connect.sync.plan.scope import Scope
from tap_stripe_connect.sync.state import bookmark
from tap_stripe_connect.sync.state.format import Bookmarks
from tests.property import faulty_checks as faulty
from tests.property.features import Feature
from tests.property.planting import Defect, Patch, one

RESPONSES = (
    Patch(matching, "check_object", faulty.of_any_id),
    Patch(ApiRequest, "created", faulty.of_any_time),
    Patch(Matcher, "check", faulty.no_mismatch),
    Patch(Matcher, "is_confirmed", faulty.believes_at_once),
)

DEFECTS_OF_CHECKS: tuple[Defect, ...] = (
    one(
        "newest part first",
        "the feed is claimed beyond the part that was read; a run that is killed skips the oldest",
        Feed,
        "_read_until",
        faulty.newest_part_first,
        circumstances=(Feature.KILLS, Feature.SPARSE, Feature.PAUSES),
    ),
    one(
        "pending",
        "the feed is claimed while the objects of its events are still being refetched",
        ListState,
        "feed_written_until",
        faulty.claims_pending,
        circumstances=(Feature.KILLS, Feature.SPARSE, Feature.PAUSES),
    ),
    one(
        "hours",
        "the hours of the feed are not compared, so that late events are lost",
        Feed,
        "_hour_differs",
        faulty.hours_alike,
        circumstances=(Feature.LATE_EVENTS,),
    ),
    one(
        "late marker",
        "late events count as old ones",
        Changes,
        "merge",
        faulty.unmarked,
        circumstances=(Feature.LATE_EVENTS,),
    ),
    one(
        "others' events",
        "events of other accounts are accepted",
        Changes,
        "add",
        faulty.of_any_account,
        circumstances=(Feature.OTHERS_EVENTS,),
    ),
    one(
        "blind key",
        "a key that may not read the feed brings no new rows",
        AccountPlan,
        "_continue_without_feed",
        faulty.reported_only,
        circumstances=(Feature.BLIND_KEY,),
    ),
    one(
        "denied feed claimed",
        "a key that may not read the feed claims it",
        AccountPlan,
        "_continue_without_feed",
        faulty.unread_feed_claimed,
        circumstances=(Feature.BLIND_KEY,),
    ),
    one(
        "cross-check",
        "objects without events are not refetched",
        Recheck,
        "without_events",
        faulty.nothing_without_events,
        circumstances=(Feature.NO_EVENTS,),
    ),
    one(
        "not raised",
        "records that are listed again have an older updated_at than before",
        ListState,
        "raise_read_at",
        faulty.nothing,
        circumstances=(Feature.ORDER, Feature.PAUSES),
    ),
    one(
        "no minimum",
        "updated_at of a record may go back",
        RecordFilter,
        "records_of",
        faulty.without_minimum,
        circumstances=(Feature.ORDER, Feature.PAUSES),
    ),
    Defect(
        "read_at forgotten",
        "a STATE does not keep the latest updated_at of its records",
        (
            Patch(bookmark, "TIME_FIELDS", faulty.without_read_at),
            Patch(Bookmarks, "_raise_read_at", faulty.nothing),
        ),
        (Feature.ORDER, Feature.PAUSES),
    ),
    one(
        "long pause",
        "deletions that are still in the feed are ignored after a long pause",
        resume,
        "relisted",
        faulty.pause_ends_feed,
        circumstances=(Feature.LONG_PAUSE, Feature.PAUSES),
    ),
    one(
        "Stripe's clock",
        "the date of responses is trusted without limit",
        Scope,
        "__init__",
        faulty.clock_of(0),
        circumstances=(Feature.CLOCKS,),
    ),
    one(
        "own clock",
        "the machine's own clock is trusted without limit",
        Scope,
        "__init__",
        faulty.clock_of(1),
        circumstances=(Feature.CLOCKS,),
    ),
    one(
        "gone silently",
        "missing objects get no tombstone unless an event shows their deletion",
        ListState,
        "record_missing",
        faulty.nothing,
        circumstances=(Feature.VANISHED,),
    ),
    Defect(
        "group decides",
        "objects that are missing from a page count as deleted",
        (
            Patch(Walk, "read", faulty.group_decides),
            Patch(requests, "retrieved", faulty.gone_if_passed_over),
        ),
        (Feature.SPARSE, Feature.REUSED),
    ),
    one(
        "no look-back",
        "the lines that an invoice had as a draft stay, once it is finalized",
        AccountPlan,
        "_refetch",
        faulty.no_look_back,
        circumstances=(Feature.FINALISED,),
    ),
    one(
        "drafts' lines",
        "a draft's lines that the feed shows are not recorded",
        events,
        "_collect_children",
        faulty.drafts_forgotten,
        circumstances=(Feature.FINALISED,),
    ),
    one(
        "part claims",
        "a page is claimed with its first complete objects",
        UnfinishedPage,
        "_next_part",
        faulty.part_claims,
        circumstances=(Feature.NESTED, Feature.FAILURES),
    ),
    Defect(
        "any response",
        "a response to another request is accepted",
        RESPONSES,
        (Feature.MIXED_UP,),
    ),
    one(
        "any object",
        "an object may be another one than was requested",
        matching,
        "check_object",
        faulty.of_any_id,
        circumstances=(Feature.MIXED_UP,),
    ),
    one(
        "any head",
        "the account, id and list of a response are not checked",
        Matcher,
        "check",
        faulty.no_mismatch,
        circumstances=(Feature.MIXED_UP,),
    ),
)
