"""For each feature, schedules that need it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.property.account_model import NEVER
from tests.property.corpus import one_account
from tests.property.features import Feature
from tests.property.injected_faults import SWAPPED
from tests.property.schedule_run import EVENTS
from tests.property.steps import (
    BulkUpdate,
    Clocks,
    Connect,
    Create,
    Delete,
    DeleteSilently,
    Finalize,
    ForeignEvent,
    Initial,
    InjectedFault,
    RepeatedRun,
    ReuseId,
    Run,
    Schedule,
    SetChildren,
    Update,
    Wait,
)
from tests.support.harness import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping

HOURS = 3600

CHARGE = Initial(Create(0, "charge", 0), DAY)
CHARGES = Initial(Create(0, "charge", 0), DAY, copies=9, apart=1)
COUPON = Initial(Create(0, "coupon", 0), DAY)
LINES = Initial(Create(0, "invoice", 0, count=34), DAY)

OUT_OF_ORDER = tuple(
    replace(one_account(replace(CHARGES, copies=12), Run(cut=part / 12)), disorder=5)
    for part in range(12)
)
"""A first load is killed while it reads rows that are not in order."""

FALSE_PAUSES = tuple(
    one_account(
        CHARGE, Run(), Run(clocks=Clocks(date=days * DAY)), Wait(299), Run(), Wait(DAY), Run()
    )
    for days in (29, 31, 40)
)
"""The `Date` of responses is so far ahead that the last run seems a month ago."""

WRONG_CLOCKS = tuple(
    one_account(
        CHARGE, Run(clocks=clocks), Create(0, "charge", 1), Wait(wait), Run(), Wait(DAY), Run()
    )
    for clocks in (
        Clocks(date=3 * HOURS),
        Clocks(date=DAY),
        Clocks(date=40 * DAY),
        Clocks(date=-2 * HOURS),
        Clocks(date=None),
        Clocks(own=2 * HOURS),
        Clocks(own=-2 * HOURS),
    )
    for wait in (HOURS, DAY + HOURS)
)
"""The `Date` of responses is a proxy's, or the tap's own clock is wrong."""

LATE_EVENTS = tuple(
    one_account(CHARGE, Run(), change, Wait(HOURS), Run(), Wait(DAY), Run())
    for change in (
        Create(0, "charge", 1, event_delay=4 * HOURS),
        Update(0, "charge", 0, 1, event_delay=20 * HOURS),
    )
)
"""An event is visible hours after the next run."""

LATE_EVENTS_IN_A_PAUSE = (
    one_account(
        CHARGE,
        Run(),
        Update(0, "charge", 0, 1, event_delay=20 * HOURS),
        Wait(HOURS),
        Run(),
        Wait(6 * DAY),
        Run(),
    ),
)
"""The same, and the run after that comes days later."""

NO_EVENTS = tuple(
    replace(
        one_account(CHARGE, Run(), Create(0, "charge", 1, event_delay=NEVER), Wait(400), Run()),
        recheck=recheck,
    )
    for recheck in (None, 0, HOURS)
)
"""Stripe creates no event for a new object."""

BLIND = (
    one_account(CHARGE, Run(), Create(0, "charge", 1), Wait(400), Run(denied=EVENTS), Wait(400)),
    one_account(
        CHARGE, Run(denied=EVENTS), Update(0, "charge", 0, 1), Wait(400), Run(denied=EVENTS)
    ),
    one_account(
        CHARGE,
        Run(),
        Create(0, "charge", 1),
        Wait(2),
        Update(0, "charge", 1, 1),
        Run(),
        Run(denied=EVENTS),
    ),
    one_account(
        CHARGE,
        Run(),
        Update(0, "charge", 0, 1),
        Run(),
        Run(denied=EVENTS, clocks=Clocks(date=-2 * HOURS)),
    ),
)
"""The key may not read events."""

KILLED = (
    *(
        one_account(CHARGES, Run(), BulkUpdate(0, "charge", 1), *[Run(kill_at=kill_at)] * 3)
        for kill_at in range(3, 14)
    ),
    *(
        one_account(CHARGES, Run(stop_at=stop_at), Update(0, "charge", 0, 1), Run(stop_at=stop_at))
        for stop_at in range(3, 14)
    ),
    one_account(CHARGES, RepeatedRun(Run(kill_at=12), times=4)),
    one_account(
        replace(CHARGES, age=100 * DAY),
        *[
            step
            for value in range(1, 13)
            for step in (Run(kill_at=8), Update(0, "charge", 0, value), Wait(3 * DAY))
        ],
    ),
)
"""Runs are killed or stopped at the same request; a first load takes over a month."""

FAR_APART = (
    one_account(
        Initial(Create(0, "customer", 0), DAY, copies=25, apart=2 * HOURS),
        Run(),
        BulkUpdate(0, "customer", 1),
        Wait(400),
        Run(),
        BulkUpdate(0, "customer", 2, every=3),
        Wait(400),
        Run(),
    ),
)
"""Objects created hours apart change together."""

LONG_LISTS = tuple(
    one_account(LINES, Run(workers=3, meanwhile=((number, SetChildren(0, "invoice", 0, 20, 34)),)))
    for number in range(3, 21, 2)
)
"""Lines change while they are read, a page at a time."""

FINALIZED = (
    one_account(LINES, Run(), Wait(HOURS), Finalize(0, 0, 1), Wait(400), Run()),
    one_account(
        CHARGE,
        Run(),
        Create(0, "invoice", 0, count=3),
        Wait(400),
        Run(),
        Wait(HOURS),
        Finalize(0, 0, 3),
        Wait(400),
        Run(),
    ),
    one_account(
        CHARGE, Run(), Create(0, "invoice", 0, count=3), Run(), Finalize(0, 0, 3), Wait(400), Run()
    ),
    one_account(
        CHARGE,
        Run(),
        Create(0, "invoice", 0, count=3),
        Wait(DAY),
        Run(),
        Finalize(0, 0, 3),
        Wait(DAY),
        Run(),
    ),
)
"""The lines of a draft leave when it is finalised; the last time in a run that checks the feed."""

DELETED_SILENTLY = tuple(
    one_account(
        Initial(Create(0, kind, 0), DAY), Run(), DeleteSilently(0, kind, 0, 1), Wait(400), Run()
    )
    for kind in ("coupon", "customer", "invoice", "plan")
)
"""The object of an event is deleted without an event."""

FOREIGN_EVENTS = tuple(
    one_account(COUPON, Run(), ForeignEvent(0, "coupon", 0, deleted=deleted))
    for deleted in (True, False)
)
"""The feed has an event of another account's coupon with the same id."""

SWAPPED_RESPONSES = tuple(
    Schedule(
        (CHARGES, replace(LINES, copies=2), Initial(Create(1, "charge", 3), DAY, copies=5)),
        (1,),
        (
            Run(faults=(InjectedFault(what, path, skip),)),
            BulkUpdate(0, "charge", 1),
            BulkUpdate(0, "invoice", 1),
            Wait(400),
            Run(faults=(InjectedFault(what, path, skip), InjectedFault(what, f"{path}/", skip))),
        ),
        final_wait=299,
        start=None,
    )
    for what in SWAPPED
    for path in ("/v1/charges", "/v1/invoices", "/v1/events")
    for skip in (0, 2)
)
"""One response belongs to another request."""

STALE_READS = tuple(
    one_account(CHARGE, Run(), Update(0, "charge", 0, 1, read_delay=299), Wait(wait), Run())
    for wait in (0, 200, 298)
)
"""An event is visible before reads show the change."""

STATE_LOST = (
    one_account(
        CHARGE, Run(), Update(0, "charge", 0, 1), Run(state_lost=True), Update(0, "charge", 0, 0)
    ),
    one_account(
        CHARGE, Run(state_lost=True), Update(0, "charge", 0, 1), Run(state_lost=True), Run()
    ),
    one_account(COUPON, Run(), Delete(0, "coupon", 0), Wait(DAY), Run(without_state=True)),
)
"""The STATE is lost, though the target wrote all records."""

ACCOUNT_LEFT_OUT = (
    Schedule(
        (CHARGE, Initial(Create(1, "charge", 0), DAY)),
        (1,),
        (
            Run(excluded=1),
            Update(1, "charge", 0, 1),
            Run(),
            Update(1, "charge", 0, 2),
            Wait(400),
            Run(excluded=1),
            Connect(2, here=True),
            Wait(HOURS),
        ),
        final_wait=299,
        start=None,
    ),
)
"""Some runs exclude an account."""

FULL_TABLE = (
    one_account(
        COUPON,
        Run(),
        Update(0, "coupon", 0, 1),
        Run(full_table="coupons"),
        Update(0, "coupon", 0, 0),
    ),
    one_account(
        LINES,
        Run(),
        SetChildren(0, "invoice", 0, 1, 3),
        Run(full_table="invoice_line_items"),
        Run(),
    ),
)
"""A run replicates a stream with FULL_TABLE."""

HEAVY_PAGES = tuple(
    one_account(CHARGES, Run(faults=(InjectedFault("heavy", path, 0),), cut=cut))
    for path in ("/v1/charges", "/v1/events")
    for cut in (None, 0.6)
)
"""Pages have to be small."""

HEDGED = tuple(
    one_account(
        replace(CHARGES, copies=12, apart=0), Run(hedging=True, workers=3, order=order, cut=cut)
    )
    for order in range(4)
    for cut in (None, 0.5, 0.8)
)
"""Every request is hedged."""

TOO_MANY_CHANGES = tuple(
    replace(
        one_account(
            CHARGES, Run(), BulkUpdate(0, "charge", 1), Run(), BulkUpdate(0, "charge", 0), Run()
        ),
        digests_kept=digests_kept,
        final_wait=1000,
    )
    for digests_kept in (0, 2)
)
"""A STATE has too few digests for the records that may be repeated."""

OLDER_READS = (
    one_account(CHARGE, Run(), Update(0, "charge", 0, 1), Wait(400), Run(), Wait(29 * DAY), Run()),
    replace(
        one_account(
            Initial(Create(0, "invoice", 0), 400 * DAY, copies=4),
            Run(),
            Create(0, "charge", 0),
            Update(0, "invoice", 1, 0),
            Run(start=None),
        ),
        start=60,
    ),
)
"""Changed objects are listed again after a pause, or for the first time in the same run."""

GONE_IN_A_PAUSE = (
    one_account(
        COUPON,
        Run(),
        Wait(20 * DAY),
        Delete(0, "coupon", 0),
        Wait(9 * DAY),
        Run(),
    ),
    one_account(
        Initial(Create(0, "subscription", 0, count=3), DAY),
        Run(),
        Wait(20 * DAY),
        SetChildren(0, "subscription", 0, 1, 2),
        Wait(20 * DAY),
        Run(),
    ),
)
"""A pause was longer than the feed is trusted; the feed still has the deletion."""

LONG_FEED = (
    one_account(
        CHARGES,
        Run(),
        *[step for day in range(12) for step in (BulkUpdate(0, "charge", day, every=3), Wait(DAY))],
        RepeatedRun(Run(kill_at=20), times=30),
    ),
)
"""A run is killed again and again while it reads a long feed."""

FAILED = tuple(
    one_account(
        CHARGES,
        Run(),
        BulkUpdate(0, "charge", 1),
        Wait(400),
        Run(faults=(InjectedFault("broken", path, 0),)),
    )
    for path in ("/v1/charges", "/v1/events")
)
"""Changed objects, or the feed, cannot be read."""

WEEKS_LATER = tuple(
    one_account(CHARGES, Run(), BulkUpdate(0, "charge", 1), Wait(days * DAY), Run())
    for days in (20, 29, 31)
)
"""The feed still has all, some, or none of the events since the last run."""

REUSED_IDS = tuple(
    one_account(COUPON, Run(), ReuseId(0, "coupon", 0, 1, twice=twice), Wait(400), Run())
    for twice in (False, True)
)
"""An id is reused within one second."""

PASSED_OVER = one_account(
    Initial(Create(0, "charge", 0), 40 * DAY),
    Run(),
    Update(0, "charge", 0, 1),
    Wait(400),
    Run(start=5),
    start=60,
)
"""A written object changes, and a later start_date excludes it."""

REVERSED = tuple(
    replace(
        one_account(
            Initial(Create(0, "transfer", 0, count=13), DAY),
            Run(cut=part / 8),
            SetChildren(0, "transfer", 0, first=1, count=12),
            Create(0, "product", 0),
            Wait(400),
            Run(),
            Delete(0, "product", 0),
            Wait(400),
            Run(),
        ),
        kinds=frozenset({"event", "product", "transfer"}),
    )
    for part in range(8)
)
"""A reversal leaves a transfer after a killed first load, and a product is deleted."""

BY_FEATURE: Mapping[Feature, tuple[Schedule, ...]] = {
    Feature.DISORDER: OUT_OF_ORDER,
    Feature.CLOCKS: (*WRONG_CLOCKS, *FALSE_PAUSES),
    Feature.LATE_EVENTS: LATE_EVENTS,
    Feature.NO_EVENTS: NO_EVENTS,
    Feature.BLIND_KEY: BLIND,
    Feature.KILLS: KILLED,
    Feature.SPARSE: FAR_APART,
    Feature.NESTED: LONG_LISTS,
    Feature.FINALISED: FINALIZED,
    Feature.VANISHED: DELETED_SILENTLY,
    Feature.OTHERS_EVENTS: FOREIGN_EVENTS,
    Feature.MIXED_UP: SWAPPED_RESPONSES,
    Feature.STALE: STALE_READS,
    Feature.UNSAVED: STATE_LOST,
    Feature.LEFT_OUT: ACCOUNT_LEFT_OUT,
    Feature.RELOADED: FULL_TABLE,
    Feature.HEAVY: HEAVY_PAGES,
    Feature.HASTY: HEDGED,
    Feature.FORGETFUL: TOO_MANY_CHANGES,
    Feature.FAILURES: FAILED,
    Feature.PAUSES: WEEKS_LATER,
    Feature.REUSED: REUSED_IDS,
    Feature.START_DATES: (PASSED_OVER,),
    Feature.OTHER_KINDS: REVERSED,
    Feature.ORDER: OLDER_READS,
    Feature.LONG_PAUSE: GONE_IN_A_PAUSE,
    Feature.PAUSED_CHECKS: LATE_EVENTS_IN_A_PAUSE,
    Feature.FEED_MOVES: LONG_FEED,
}
