"""A schedule: initial objects, and the changes and runs that follow."""

from __future__ import annotations

from dataclasses import dataclass

from tests.property.changes import (
    BulkUpdate,
    Change,
    Create,
    Delete,
    DeleteSilently,
    Finalize,
    ForeignEvent,
    ReuseId,
    SetChildren,
    Touch,
    Update,
)

__all__ = [
    "USUAL",
    "BulkUpdate",
    "Change",
    "Clocks",
    "Connect",
    "Create",
    "Delete",
    "DeleteSilently",
    "Finalize",
    "ForeignEvent",
    "Initial",
    "InjectedFault",
    "RepeatedRun",
    "ReuseId",
    "Run",
    "Schedule",
    "SetChildren",
    "Step",
    "Touch",
    "Update",
    "Wait",
]

USUAL = 9999
"""A start in days: that of the schedule."""


@dataclass(frozen=True)
class Initial:
    """Objects that exist before the first step."""

    create: Create
    age: int
    """Seconds."""
    copies: int = 1
    """Number of objects, in consecutive slots."""
    apart: int = 0
    """Seconds between their creations."""


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    seconds: int


@dataclass(frozen=True)
class Connect:
    """An account is connected to the platform, or disconnected."""

    account: int
    here: bool


@dataclass(frozen=True)
class InjectedFault:
    """A fault in the requests of a run."""

    effect: str
    """One of `injected_faults.EFFECTS` or `injected_faults.SWAPPED`."""
    path: str
    skip: int


@dataclass(frozen=True)
class Clocks:
    """How many seconds clocks are ahead of Stripe's."""

    date: int | None = 0
    """The `Date` of responses; None if they have none."""
    own: int = 0
    """The tap's own clock."""


ACCURATE = Clocks()


@dataclass(frozen=True)
class Run:
    """A run of the tap."""

    unselected: tuple[str, ...] = ()
    """Streams."""
    start: int | None = USUAL
    """`start_date` in days before the schedule's beginning; None for all history."""
    denied: str = ""
    """A permission that the key lacks, if any."""
    faults: tuple[InjectedFault, ...] = ()
    cut: float | None = None
    """Part of the output that reaches the target before the tap is killed."""
    kill_at: int | None = None
    """Number of the request at which the tap is killed."""
    stop_at: int | None = None
    """Number of the request at which the tap gets SIGTERM."""
    workers: int = 1
    order: int = 0
    """Seed of the order in which workers take turns."""
    meanwhile: tuple[tuple[int, Change | Wait | Connect], ...] = ()
    """Steps before the request of a number."""
    clocks: Clocks = ACCURATE
    state_lost: bool = False
    """Whether the target writes all records but loses the STATE."""
    without_state: bool = False
    """Whether the run gets no STATE."""
    excluded: int | None = None
    """An account that the settings exclude."""
    full_table: str = ""
    """A stream with FULL_TABLE replication, if any."""
    hedging: bool = False
    """Whether every request is hedged at once."""


@dataclass(frozen=True)
class RepeatedRun:
    """A run that is repeated until it is no longer killed at its `kill_at`-th request."""

    run: Run
    times: int
    """Most repetitions."""


Step = Change | Wait | Connect | Run | RepeatedRun


USUAL_KINDS = frozenset(
    {"charge", "coupon", "customer", "event", "invoice", "plan", "subscription"}
)
"""Kinds of objects whose streams most schedules read."""


@dataclass(frozen=True)
class Schedule:
    """A whole schedule."""

    initial: tuple[Initial, ...]
    connected: tuple[int, ...]
    """Accounts connected at the start; 0 is the platform."""
    steps: tuple[Step, ...]
    final_wait: int
    """Seconds before the undisturbed runs at the end."""
    start: int | None
    """As in Run, for runs with USUAL and those at the end."""
    disorder: int = 0
    """Seconds by which objects are out of order in their lists."""
    recheck: int | None = None
    """Seconds between feed checks; None for the default."""
    digests_kept: int | None = None
    """Digests that a STATE keeps of a stream; None for the default."""
    kinds: frozenset[str] = USUAL_KINDS
    """Kinds of objects whose streams are read."""
