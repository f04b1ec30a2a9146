"""For each feature, stories that a tap without it tells wrongly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.property.corpus import story
from tests.property.features import Feature
from tests.property.model import EVENTS
from tests.property.places import NEVER
from tests.property.steps import (
    Alter,
    Bulk,
    Clocks,
    Connect,
    Fill,
    Finalise,
    Hitch,
    Make,
    Mistell,
    Past,
    Remove,
    Reuse,
    Run,
    Schedule,
    Struggle,
    Vanish,
    Wait,
)
from tests.property.trouble import MIXED_UP
from tests.support.harness import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping

HOURS = 3600

CHARGE = Past(Make(0, "charge", 0), DAY)
CHARGES = Past(Make(0, "charge", 0), DAY, copies=9, apart=1)
COUPON = Past(Make(0, "coupon", 0), DAY)
LINES = Past(Make(0, "invoice", 0, count=34), DAY)

OUT_OF_ORDER = tuple(
    replace(story(replace(CHARGES, copies=12), Run(cut=part / 12)), disorder=5)
    for part in range(12)
)
"""A first load is killed while it reads rows that are not in order."""

FALSE_PAUSES = tuple(
    story(CHARGE, Run(), Run(clocks=Clocks(date=days * DAY)), Wait(299), Run(), Wait(DAY), Run())
    for days in (29, 31, 40)
)
"""Stripe's answers are dated so far ahead that the last run seems to be a month ago."""

WRONG_CLOCKS = tuple(
    story(CHARGE, Run(clocks=clocks), Make(0, "charge", 1), Wait(wait), Run(), Wait(DAY), Run())
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
"""Answers carry the date of a proxy in one run, or the tap's machine is wrong."""

TOLD_LATE = tuple(
    story(CHARGE, Run(), change, Wait(HOURS), Run(), Wait(DAY), Run())
    for change in (
        Make(0, "charge", 1, told_late=4 * HOURS),
        Alter(0, "charge", 0, 1, told_late=20 * HOURS),
    )
)
"""An event is seen hours after the next run."""

TOLD_LATE_IN_A_PAUSE = (
    story(
        CHARGE,
        Run(),
        Alter(0, "charge", 0, 1, told_late=20 * HOURS),
        Wait(HOURS),
        Run(),
        Wait(6 * DAY),
        Run(),
    ),
)
"""The same, and the run after that comes days later."""

NEVER_TOLD = tuple(
    replace(
        story(CHARGE, Run(), Make(0, "charge", 1, told_late=NEVER), Wait(400), Run()),
        recheck=recheck,
    )
    for recheck in (None, 0, HOURS)
)
"""Stripe makes no event of a new object."""

BLIND = (
    story(CHARGE, Run(), Make(0, "charge", 1), Wait(400), Run(denied=EVENTS), Wait(400)),
    story(CHARGE, Run(denied=EVENTS), Alter(0, "charge", 0, 1), Wait(400), Run(denied=EVENTS)),
    story(
        CHARGE,
        Run(),
        Make(0, "charge", 1),
        Wait(2),
        Alter(0, "charge", 1, 1),
        Run(),
        Run(denied=EVENTS),
    ),
    story(
        CHARGE,
        Run(),
        Alter(0, "charge", 0, 1),
        Run(),
        Run(denied=EVENTS, clocks=Clocks(date=-2 * HOURS)),
    ),
)
"""The key may not read events."""

KILLED = (
    *(
        story(CHARGES, Run(), Bulk(0, "charge", 1), *[Run(killed=killed)] * 3)
        for killed in range(3, 14)
    ),
    *(
        story(CHARGES, Run(stopped=stopped), Alter(0, "charge", 0, 1), Run(stopped=stopped))
        for stopped in range(3, 14)
    ),
    story(CHARGES, Struggle(Run(killed=12), times=4)),
    story(
        replace(CHARGES, age=100 * DAY),
        *[
            step
            for value in range(1, 13)
            for step in (Run(killed=8), Alter(0, "charge", 0, value), Wait(3 * DAY))
        ],
    ),
)
"""Runs die, or end early, at the same request; a first load, for more than a month."""

FAR_APART = (
    story(
        Past(Make(0, "customer", 0), DAY, copies=25, apart=2 * HOURS),
        Run(),
        Bulk(0, "customer", 1),
        Wait(400),
        Run(),
        Bulk(0, "customer", 2, every=3),
        Wait(400),
        Run(),
    ),
)
"""Objects created hours apart change together."""

LONG_LISTS = tuple(
    story(LINES, Run(readers=3, meanwhile=((number, Fill(0, "invoice", 0, 20, 34)),)))
    for number in range(3, 21, 2)
)
"""Lines change while they are read, a page at a time."""

FINAL = (
    story(LINES, Run(), Wait(HOURS), Finalise(0, 0, 1), Wait(400), Run()),
    story(
        CHARGE,
        Run(),
        Make(0, "invoice", 0, count=3),
        Wait(400),
        Run(),
        Wait(HOURS),
        Finalise(0, 0, 3),
        Wait(400),
        Run(),
    ),
    story(
        CHARGE, Run(), Make(0, "invoice", 0, count=3), Run(), Finalise(0, 0, 3), Wait(400), Run()
    ),
    story(
        CHARGE,
        Run(),
        Make(0, "invoice", 0, count=3),
        Wait(DAY),
        Run(),
        Finalise(0, 0, 3),
        Wait(DAY),
        Run(),
    ),
)
"""The lines of a draft leave when it is finalised; the last time in a run that checks the feed."""

NO_LAST_WORD = tuple(
    story(Past(Make(0, kind, 0), DAY), Run(), Vanish(0, kind, 0, 1), Wait(400), Run())
    for kind in ("coupon", "customer", "invoice", "plan")
)
"""What an event names is gone, and no event has said so."""

OTHERS = tuple(
    story(COUPON, Run(), Mistell(0, "coupon", 0, deleted=deleted)) for deleted in (True, False)
)
"""The feed tells of another account's coupon of the same name."""

ANOTHERS_ANSWER = tuple(
    Schedule(
        (CHARGES, replace(LINES, copies=2), Past(Make(1, "charge", 3), DAY, copies=5)),
        (1,),
        (
            Run(hitches=(Hitch(what, path, skip),)),
            Bulk(0, "charge", 1),
            Bulk(0, "invoice", 1),
            Wait(400),
            Run(hitches=(Hitch(what, path, skip), Hitch(what, f"{path}/", skip))),
        ),
        rest=299,
        start=None,
    )
    for what in MIXED_UP
    for path in ("/v1/charges", "/v1/invoices", "/v1/events")
    for skip in (0, 2)
)
"""Once, an answer is that to another question."""

SEEN_LATE = tuple(
    story(CHARGE, Run(), Alter(0, "charge", 0, 1, late=299), Wait(wait), Run())
    for wait in (0, 200, 298)
)
"""An event is seen before reads show what it tells of."""

STATE_LOST = (
    story(CHARGE, Run(), Alter(0, "charge", 0, 1), Run(unsaved=True), Alter(0, "charge", 0, 0)),
    story(CHARGE, Run(unsaved=True), Alter(0, "charge", 0, 1), Run(unsaved=True), Run()),
    story(COUPON, Run(), Remove(0, "coupon", 0), Wait(DAY), Run(stateless=True)),
)
"""A STATE is not stored, though the target has written everything."""

ACCOUNT_LEFT_OUT = (
    Schedule(
        (CHARGE, Past(Make(1, "charge", 0), DAY)),
        (1,),
        (
            Run(left_out=1),
            Alter(1, "charge", 0, 1),
            Run(),
            Alter(1, "charge", 0, 2),
            Wait(400),
            Run(left_out=1),
            Connect(2, here=True),
            Wait(HOURS),
        ),
        rest=299,
        start=None,
    ),
)
"""Some runs leave an account out."""

LOADED_ANEW = (
    story(COUPON, Run(), Alter(0, "coupon", 0, 1), Run(anew="coupons"), Alter(0, "coupon", 0, 0)),
    story(LINES, Run(), Fill(0, "invoice", 0, 1, 3), Run(anew="invoice_line_items"), Run()),
)
"""A run reads a whole stream, whatever has been read of it."""

HEAVY_PAGES = tuple(
    story(CHARGES, Run(hitches=(Hitch("heavy", path, 0),), cut=cut))
    for path in ("/v1/charges", "/v1/events")
    for cut in (None, 0.6)
)
"""Pages have to be small."""

SENT_TWICE = tuple(
    story(replace(CHARGES, copies=12, apart=0), Run(hasty=True, readers=3, order=order, cut=cut))
    for order in range(4)
    for cut in (None, 0.5, 0.8)
)
"""Each page is asked for again before it comes."""

TOO_MANY_CHANGES = tuple(
    replace(
        story(CHARGES, Run(), Bulk(0, "charge", 1), Run(), Bulk(0, "charge", 0), Run()),
        remembered=remembered,
        rest=1000,
    )
    for remembered in (0, 2)
)
"""A STATE cannot remember all that it may have to write again."""

GOES_BACK = (
    story(CHARGE, Run(), Alter(0, "charge", 0, 1), Wait(400), Run(), Wait(29 * DAY), Run()),
    replace(
        story(
            Past(Make(0, "invoice", 0), 400 * DAY, copies=4),
            Run(),
            Make(0, "charge", 0),
            Alter(0, "invoice", 1, 0),
            Run(start=None),
        ),
        start=60,
    ),
)
"""What has changed is listed again after a pause, or for the first time in the same run."""

GONE_IN_A_PAUSE = (
    story(
        COUPON,
        Run(),
        Wait(20 * DAY),
        Remove(0, "coupon", 0),
        Wait(9 * DAY),
        Run(),
    ),
    story(
        Past(Make(0, "subscription", 0, count=3), DAY),
        Run(),
        Wait(20 * DAY),
        Fill(0, "subscription", 0, 1, 2),
        Wait(20 * DAY),
        Run(),
    ),
)
"""A pause was longer than the feed is trusted; what was deleted is still told."""

LONG_FEED = (
    story(
        CHARGES,
        Run(),
        *[step for day in range(12) for step in (Bulk(0, "charge", day, every=3), Wait(DAY))],
        Struggle(Run(killed=20), times=30),
    ),
)
"""A run is killed again and again while it reads a long feed."""

FAILED = tuple(
    story(CHARGES, Run(), Bulk(0, "charge", 1), Wait(400), Run(hitches=(Hitch("broken", path, 0),)))
    for path in ("/v1/charges", "/v1/events")
)
"""What has changed cannot be read, or not the feed that tells of it."""

WEEKS_LATER = tuple(
    story(CHARGES, Run(), Bulk(0, "charge", 1), Wait(days * DAY), Run()) for days in (20, 29, 31)
)
"""The feed still tells of all, of some, or of nothing since the last run."""

USED_AGAIN = tuple(
    story(COUPON, Run(), Reuse(0, "coupon", 0, 1, twice=twice), Wait(400), Run())
    for twice in (False, True)
)
"""An id has another object, all in one second."""

PASSED_OVER = story(
    Past(Make(0, "charge", 0), 40 * DAY),
    Run(),
    Alter(0, "charge", 0, 1),
    Wait(400),
    Run(start=5),
    start=60,
)
"""What was written changes, and a later start_date leaves it out."""

WILD: Mapping[Feature, tuple[Schedule, ...]] = {
    Feature.DISORDER: OUT_OF_ORDER,
    Feature.CLOCKS: (*WRONG_CLOCKS, *FALSE_PAUSES),
    Feature.LATE_EVENTS: TOLD_LATE,
    Feature.NO_EVENTS: NEVER_TOLD,
    Feature.BLIND_KEY: BLIND,
    Feature.KILLS: KILLED,
    Feature.SPARSE: FAR_APART,
    Feature.NESTED: LONG_LISTS,
    Feature.FINALISED: FINAL,
    Feature.VANISHED: NO_LAST_WORD,
    Feature.OTHERS_EVENTS: OTHERS,
    Feature.MIXED_UP: ANOTHERS_ANSWER,
    Feature.STALE: SEEN_LATE,
    Feature.UNSAVED: STATE_LOST,
    Feature.LEFT_OUT: ACCOUNT_LEFT_OUT,
    Feature.RELOADED: LOADED_ANEW,
    Feature.HEAVY: HEAVY_PAGES,
    Feature.HASTY: SENT_TWICE,
    Feature.FORGETFUL: TOO_MANY_CHANGES,
    Feature.FAILURES: FAILED,
    Feature.PAUSES: WEEKS_LATER,
    Feature.REUSED: USED_AGAIN,
    Feature.START_DATES: (PASSED_OVER,),
    Feature.ORDER: GOES_BACK,
    Feature.LONG_PAUSE: GONE_IN_A_PAUSE,
    Feature.PAUSED_CHECKS: TOLD_LATE_IN_A_PAUSE,
    Feature.FEED_MOVES: LONG_FEED,
}
