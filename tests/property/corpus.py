"""Schedules that once revealed a mismatch, or that random ones hit too seldom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.property.steps import (
    Connect,
    Create,
    Delete,
    Initial,
    InjectedFault,
    Run,
    Schedule,
    SetChildren,
    Touch,
    Update,
    Wait,
)
from tests.support.harness import DAY

if TYPE_CHECKING:
    from tests.property.steps import Step


def one_account(initial: Initial, *steps: Step, start: int | None = None) -> Schedule:
    """Return a schedule about one account."""
    return Schedule((initial,), (), steps, final_wait=299, start=start)


LATE_REMOVAL = one_account(
    Initial(Create(0, "subscription", 0, count=1), 0),
    Run(),
    SetChildren(0, "subscription", 0, first=0, count=0, event_delay=30),
    Run(),
)
"""An item is removed; a run reads its subscription before the event is visible."""

THERE_AND_BACK = tuple(
    one_account(
        Initial(Create(0, "charge", 0), 0),
        Run(),
        Update(0, "charge", 0, value=1),
        Run(unselected=("events",), cut=part / 20),
        Update(0, "charge", 0, value=0),
        Run(),
    )
    for part in range(20)
)
"""A killed run writes a brief value of an object, which then returns to the former one."""

PASSED_OVER = one_account(
    Initial(Create(0, "plan", 0), DAY),
    Run(),
    Create(0, "charge", 0),
    Wait(DAY + 400),
    Run(start=-1),
)
"""A later start_date excludes a charge; then start_date goes back."""

TOUCHED_OUTSIDE = one_account(
    Initial(Create(0, "charge", 0), 40 * DAY),
    Run(),
    Touch(0, "refund", 0, value=1),
    Wait(3600),
    Run(),
    Update(0, "charge", 0, value=2),
    start=5,
)
"""A refund of a charge that start_date excludes; then the charge itself changes."""

DEAD_CURSOR = one_account(
    Initial(Create(0, "charge", 0), DAY, copies=9, apart=DAY),
    Run(faults=(InjectedFault("dead cursor", "/v1/charges", 0),)),
)
"""The last object of a page is deleted, so the cursor is invalid."""

NEWCOMER = Schedule(
    (Initial(Create(0, "coupon", 0), DAY), Initial(Create(1, "coupon", 0), DAY)),
    (),
    (Run(), Wait(3600), Connect(1, here=True)),
    final_wait=299,
    start=None,
)
"""An account with a history is connected later."""

HOLE_BELOW_START = one_account(
    Initial(Create(0, "subscription", 0), 10 * DAY),
    Run(start=None),
    Update(0, "subscription", 0, value=1),
    Wait(40 * DAY),
    Run(),
    start=5,
)
"""A row older than the present start_date changes, and its event has expired."""

UNCLAIMED_BELOW_START = tuple(
    one_account(
        Initial(Create(0, "invoice", 1, count=3), 10 * DAY),
        Run(start=None, cut=part / 20, meanwhile=((9, SetChildren(0, "invoice", 1, 0, 0)),)),
        Wait(300),
        Run(start=5),
    )
    for part in range(20)
)
"""A first load is killed; a later start_date excludes its records, whose lines are removed."""

HOLE_TWICE_KILLED = tuple(
    one_account(
        Initial(Create(0, "charge", 0), 40 * DAY, copies=4, apart=DAY),
        Run(start=None),
        Update(0, "charge", 0, value=1),
        Wait(40 * DAY),
        Run(cut=part / 10),
        start=5,
    )
    for part in range(10)
)
"""Listing again after a gap, below the present start_date, is killed and resumed."""

UNCLAIMED_BELOW_START_AND_GONE = tuple(
    one_account(
        Initial(Create(0, "coupon", 0), 10 * DAY),
        Run(),
        Create(0, "invoice", 1),
        Run(cut=part / 10),
        Delete(0, "invoice", 1),
        Wait(DAY + 400),
        Run(start=-1),
    )
    for part in range(10)
)
"""An object that a killed run refetched is deleted while a later start_date excludes it."""

CUT_OFF_REFUSAL = one_account(
    Initial(Create(0, "charge", 0), DAY),
    Run(),
    Create(0, "coupon", 0, read_delay=30),
    Run(faults=(InjectedFault("truncated", "/v1/coupons", 0),)),
)
"""A 404 response is truncated."""

HALF_OF_A_SECOND = tuple(
    Schedule(
        tuple(
            Initial(Create(0, "invoice", slot, count=11 * (slot == 2)), DAY) for slot in range(4)
        ),
        (),
        (Run(cut=part / 20, workers=3, order=order),),
        final_wait=299,
        start=None,
    )
    for part in range(14, 20)
    for order in range(3)
)
"""A second goes on in a page that is complete before the one before it, and the run is killed."""

SIBLING_AHEAD = tuple(
    one_account(
        Initial(Create(0, "subscription", 0, count=0), DAY),
        Run(cut=0.0),
        SetChildren(0, "subscription", 0, first=0, count=1),
        Run(cut=part / 10),
        Wait(299),
        Run(unselected=("subscriptions",)),
    )
    for part in range(1, 7)
)
"""A killed run, then one for the items alone; the subscriptions follow, and write items again."""

LATE_LINE_OF_A_DELETED_INVOICE = one_account(
    Initial(Create(0, "invoice", 0, count=1), DAY),
    Run(),
    SetChildren(0, "invoice", 0, first=0, count=0, event_delay=30),
    Delete(0, "invoice", 0),
    Run(),
    Wait(30),
    Run(),
)
"""The event of a line that left comes after that of the invoice's end, which is written already."""

CORPUS: tuple[Schedule, ...] = (
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
