"""A story: what was there, what happens, and which runs are made meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from tests.property.steps_on_stripe import (
    Alter,
    Bulk,
    Change,
    Fill,
    Finalise,
    Make,
    Mistell,
    Remove,
    Reuse,
    Touch,
    Vanish,
)

__all__ = [
    "USUAL",
    "Alter",
    "Bulk",
    "Change",
    "Clocks",
    "Connect",
    "Fill",
    "Finalise",
    "Hitch",
    "Make",
    "Mistell",
    "Past",
    "Remove",
    "Reuse",
    "Run",
    "Schedule",
    "Step",
    "Struggle",
    "Touch",
    "Vanish",
    "Wait",
]

USUAL = 9999
"""In the place of days: the start of the schedule."""


@dataclass(frozen=True)
class Past:
    """An object that was there before the story begins."""

    make: Make
    age: int
    """Seconds."""
    copies: int = 1
    """How many there are; slots count on."""
    apart: int = 0
    """Seconds between their creations."""


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    seconds: int


@dataclass(frozen=True)
class Connect:
    """An account is connected to the platform, perhaps again, or leaves it."""

    account: int
    here: bool


@dataclass(frozen=True)
class Hitch:
    """Something that goes wrong during a run."""

    what: str
    """One of `trouble.EFFECTS`, or of `trouble.MIXED_UP`."""
    path: str
    skip: int


@dataclass(frozen=True)
class Clocks:
    """By how many seconds clocks are ahead of the world's."""

    date: int | None = 0
    """Of the one in Stripe's answers; None where they have none."""
    own: int = 0
    """Of the tap's own one."""


RIGHT = Clocks()


@dataclass(frozen=True)
class Run:
    """A run of the tap."""

    unselected: tuple[str, ...] = ()
    """Streams."""
    start: int | None = USUAL
    """Days before the story's beginning that `start_date` lies; None for all history."""
    denied: str = ""
    """A permission that the key lacks."""
    hitches: tuple[Hitch, ...] = ()
    cut: float | None = None
    """Part of the output after which the tap is killed."""
    killed: int | None = None
    """Number of the request at which the tap is killed."""
    stopped: int | None = None
    """Number of the request at which the tap is asked to stop."""
    readers: int = 1
    order: int = 0
    """Seed of the order in which readers take turns."""
    meanwhile: tuple[tuple[int, Change | Wait | Connect], ...] = ()
    """What happens before which request."""
    clocks: Clocks = RIGHT
    unsaved: bool = False
    """Whether the target writes everything, but the STATE is lost."""
    stateless: bool = False
    """Whether it begins without the STATE that there is."""
    left_out: int | None = None
    """An account that the settings leave out."""
    anew: str = ""
    """A stream that is loaded anew."""
    hasty: bool = False
    """Whether requests are taken to be late."""


@dataclass(frozen=True)
class Struggle:
    """A run that is killed again and again at its `killed`-th request, until one comes through."""

    run: Run
    times: int
    """How many it takes at the most."""


Step = Change | Wait | Connect | Run | Struggle


@dataclass(frozen=True)
class Schedule:
    """A whole story."""

    past: tuple[Past, ...]
    connected: tuple[int, ...]
    """Accounts connected at its beginning; 0 is the platform."""
    steps: tuple[Step, ...]
    rest: int
    """Seconds before the quiet runs at its end."""
    start: int | None
    """As for Run, of most runs and of the quiet ones at the end."""
    disorder: int = 0
    """Seconds by which objects stand at a wrong place of their list."""
    recheck: int | None = None
    """Seconds between checks of the feed, where that is not the default."""
    remembered: int | None = None
    """Changes that a STATE remembers of a stream, where that is not as many as usual."""
