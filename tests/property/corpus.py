"""Schedules that revealed something once, or that chance brings too seldom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.property.steps import (
    Alter,
    Connect,
    Fill,
    Hitch,
    Make,
    Past,
    Remove,
    Run,
    Schedule,
    Touch,
    Wait,
)
from tests.support.harness import DAY

if TYPE_CHECKING:
    from tests.property.steps import Step


def story(past: Past, *steps: Step, start: int | None = None) -> Schedule:
    """Return a schedule about one account."""
    return Schedule((past,), (), steps, rest=299, start=start)


LATE_REMOVAL = story(
    Past(Make(0, "subscription", 0, count=1), 0),
    Run(),
    Fill(0, "subscription", 0, first=0, count=0, told_late=30),
    Run(),
)
"""An item leaves; a run reads its subscription before the event of that is shown."""

THERE_AND_BACK = tuple(
    story(
        Past(Make(0, "charge", 0), 0),
        Run(),
        Alter(0, "charge", 0, value=1),
        Run(unselected=("events",), cut=part / 20),
        Alter(0, "charge", 0, value=0),
        Run(),
    )
    for part in range(20)
)
"""A killed run writes what an object was for a moment; afterwards it is as it was before."""

PASSED_OVER = story(
    Past(Make(0, "plan", 0), DAY),
    Run(),
    Make(0, "charge", 0),
    Wait(DAY + 400),
    Run(start=-1),
)
"""A later start_date passes over a charge; afterwards start_date goes back."""

TOUCHED_OUTSIDE = story(
    Past(Make(0, "charge", 0), 40 * DAY),
    Run(),
    Touch(0, "refund", 0, value=1),
    Wait(3600),
    Run(),
    Alter(0, "charge", 0, value=2),
    start=5,
)
"""A refund of a charge that start_date leaves out; then the charge itself changes."""

DEAD_CURSOR = story(
    Past(Make(0, "charge", 0), DAY, copies=9, apart=DAY),
    Run(hitches=(Hitch("dead cursor", "/v1/charges", 0),)),
)
"""The object that a page ended with is gone."""

NEWCOMER = Schedule(
    (Past(Make(0, "coupon", 0), DAY), Past(Make(1, "coupon", 0), DAY)),
    (),
    (Run(), Wait(3600), Connect(1, here=True)),
    rest=299,
    start=None,
)
"""An account with a history is connected later."""

HOLE_BELOW_START = story(
    Past(Make(0, "subscription", 0), 10 * DAY),
    Run(start=None),
    Alter(0, "subscription", 0, value=1),
    Wait(40 * DAY),
    Run(),
    start=5,
)
"""A row older than the present start_date changes, and the feed can no longer tell."""

UNCLAIMED_BELOW_START = tuple(
    story(
        Past(Make(0, "invoice", 1, count=3), 10 * DAY),
        Run(start=None, cut=part / 20, meanwhile=((9, Fill(0, "invoice", 1, 0, 0)),)),
        Wait(300),
        Run(start=5),
    )
    for part in range(20)
)
"""A first load is killed; a later start_date leaves out what it wrote, while lines vanish."""

HOLE_TWICE_KILLED = tuple(
    story(
        Past(Make(0, "charge", 0), 40 * DAY, copies=4, apart=DAY),
        Run(start=None),
        Alter(0, "charge", 0, value=1),
        Wait(40 * DAY),
        Run(cut=part / 10),
        start=5,
    )
    for part in range(10)
)
"""Listing anew after a hole, below the present start_date, is killed and goes on."""

UNCLAIMED_BELOW_START_AND_GONE = tuple(
    story(
        Past(Make(0, "coupon", 0), 10 * DAY),
        Run(),
        Make(0, "invoice", 1),
        Run(cut=part / 10),
        Remove(0, "invoice", 1),
        Wait(DAY + 400),
        Run(start=-1),
    )
    for part in range(10)
)
"""What a killed run had read again is deleted while a later start_date passes it over."""

CUT_OFF_REFUSAL = story(
    Past(Make(0, "charge", 0), DAY),
    Run(),
    Make(0, "coupon", 0, late=30),
    Run(hitches=(Hitch("truncated", "/v1/coupons", 0),)),
)
"""Stripe says that an object does not exist, and that answer is cut off."""

HALF_OF_A_SECOND = tuple(
    Schedule(
        tuple(Past(Make(0, "invoice", slot, count=11 * (slot == 2)), DAY) for slot in range(4)),
        (),
        (Run(cut=part / 20, readers=3, order=order),),
        rest=299,
        start=None,
    )
    for part in range(14, 20)
    for order in range(3)
)
"""A second goes on in a page that is complete before the one before it, and the run is killed."""

SIBLING_AHEAD = tuple(
    story(
        Past(Make(0, "subscription", 0, count=0), DAY),
        Run(cut=0.0),
        Fill(0, "subscription", 0, first=0, count=1),
        Run(cut=part / 10),
        Wait(299),
        Run(unselected=("subscriptions",)),
    )
    for part in range(1, 7)
)
"""A killed run, then one for the items alone; the subscriptions follow, and write items again."""

LATE_LINE_OF_A_DELETED_INVOICE = story(
    Past(Make(0, "invoice", 0, count=1), DAY),
    Run(),
    Fill(0, "invoice", 0, first=0, count=0, told_late=30),
    Remove(0, "invoice", 0),
    Run(),
    Wait(30),
    Run(),
)
"""The event of a line that left comes after that of the invoice's end, which is written already."""

KEPT: tuple[Schedule, ...] = (
    LATE_LINE_OF_A_DELETED_INVOICE,
    *SIBLING_AHEAD,
    CUT_OFF_REFUSAL,
    *HALF_OF_A_SECOND,
    HOLE_BELOW_START,
    LATE_REMOVAL,
    *THERE_AND_BACK,
    *UNCLAIMED_BELOW_START,
    *UNCLAIMED_BELOW_START_AND_GONE,
    *HOLE_TWICE_KILLED,
    PASSED_OVER,
    TOUCHED_OUTSIDE,
    DEAD_CURSOR,
    NEWCOMER,
)
