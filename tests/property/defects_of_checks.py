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

ANSWERS = (
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
        home=(Feature.KILLS, Feature.SPARSE, Feature.PAUSES),
    ),
    one(
        "pending",
        "the feed is claimed while the objects that it told of are still being read",
        ListState,
        "reached",
        faulty.claims_pending,
        home=(Feature.KILLS, Feature.SPARSE, Feature.PAUSES),
    ),
    one(
        "hours",
        "the hours of the feed are not compared, so that late events are lost",
        Feed,
        "_hour_differs",
        faulty.hours_alike,
        home=(Feature.LATE_EVENTS,),
    ),
    one(
        "late marker",
        "late events count as old ones",
        Changes,
        "merge",
        faulty.unmarked,
        home=(Feature.LATE_EVENTS,),
    ),
    one(
        "others' events",
        "events of other accounts are believed",
        Changes,
        "add",
        faulty.of_any_account,
        home=(Feature.OTHERS_EVENTS,),
    ),
    one(
        "blind key",
        "a key that may not read the feed brings no new rows",
        AccountPlan,
        "_continue_without_feed",
        faulty.reported_only,
        home=(Feature.BLIND_KEY,),
    ),
    one(
        "denied feed claimed",
        "a key that may not read the feed claims it",
        AccountPlan,
        "_continue_without_feed",
        faulty.unread_feed_claimed,
        home=(Feature.BLIND_KEY,),
    ),
    one(
        "cross-check",
        "objects without events are not looked for",
        Recheck,
        "unproven",
        faulty.nothing_unproven,
        home=(Feature.NO_EVENTS,),
    ),
    one(
        "not raised",
        "rows that are listed again carry an older time than before",
        ListState,
        "raise_read_at",
        faulty.nothing,
        home=(Feature.ORDER, Feature.PAUSES),
    ),
    one(
        "no floor",
        "nothing keeps the time of a row from going back",
        RecordFilter,
        "records_of",
        faulty.without_floor,
        home=(Feature.ORDER, Feature.PAUSES),
    ),
    Defect(
        "read_at forgotten",
        "a STATE does not tell which time rows carry at most",
        (
            Patch(bookmark, "TIME_FIELDS", faulty.without_read_at),
            Patch(Bookmarks, "_raise_read_at", faulty.nothing),
        ),
        (Feature.ORDER, Feature.PAUSES),
    ),
    one(
        "long pause",
        "what the feed still tells of deletions is ignored after a long pause",
        resume,
        "relisted",
        faulty.pause_ends_feed,
        home=(Feature.LONG_PAUSE, Feature.PAUSES),
    ),
    one(
        "Stripe's clock",
        "the date of answers is believed without limit",
        Scope,
        "__init__",
        faulty.clock_of(0),
        home=(Feature.CLOCKS,),
    ),
    one(
        "own clock",
        "the machine's own clock is believed without limit",
        Scope,
        "__init__",
        faulty.clock_of(1),
        home=(Feature.CLOCKS,),
    ),
    one(
        "gone silently",
        "what no longer exists is not marked unless an event tells of its end",
        ListState,
        "record_missing",
        faulty.nothing,
        home=(Feature.VANISHED,),
    ),
    Defect(
        "group decides",
        "what a page of many does not have counts as gone",
        (
            Patch(Walk, "read", faulty.group_decides),
            Patch(requests, "retrieved", faulty.gone_if_passed_over),
        ),
        (Feature.SPARSE, Feature.REUSED),
    ),
    one(
        "no look-back",
        "the lines that an invoice had as a draft stay, once it is finalised",
        AccountPlan,
        "_refetch",
        faulty.no_look_back,
        home=(Feature.FINALISED,),
    ),
    one(
        "drafts' lines",
        "what the feed itself shows of a draft's lines is not remembered",
        events,
        "_note_children",
        faulty.drafts_forgotten,
        home=(Feature.FINALISED,),
    ),
    one(
        "part claims",
        "a page is claimed with its first complete objects",
        UnfinishedPage,
        "_next_part",
        faulty.part_claims,
        home=(Feature.NESTED, Feature.FAILURES),
    ),
    Defect(
        "any answer",
        "an answer to another question is believed",
        ANSWERS,
        (Feature.MIXED_UP,),
    ),
    one(
        "any object",
        "an object may be another one than was asked for",
        matching,
        "check_object",
        faulty.of_any_id,
        home=(Feature.MIXED_UP,),
    ),
    one(
        "any head",
        "nothing is held against the head of an answer: its account, id and list",
        Matcher,
        "check",
        faulty.no_mismatch,
        home=(Feature.MIXED_UP,),
    ),
)
