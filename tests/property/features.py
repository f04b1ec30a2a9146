"""What the worlds can play and judge, each of which can be switched off by itself."""

from __future__ import annotations

from enum import Enum, unique


@unique
class Feature(Enum):
    """A happening that random schedules may have, or a promise that they are held to."""

    # Happenings

    DISORDER = "lists are out of order by some seconds"
    CLOCKS = "the `Date` of answers, or the tap's own clock, is wrong in some runs"
    LATE_EVENTS = "events are seen up to a day late"
    NO_EVENTS = "some events are never made"
    BLIND_KEY = "the key of some runs may not read events"
    KILLS = "runs die at some request, often several in a row"
    SPARSE = "many objects, far apart, change at once"
    NESTED = "nested lists go far beyond the tenth"
    FINALISED = "invoices are finalised; no event says which lines left"
    VANISHED = "an object is gone, and no event says so"
    OTHERS_EVENTS = "the platform's feed has events of other accounts"
    MIXED_UP = "an answer is that to another question"
    STALE = "what events tell of is seen seconds later"
    UNSAVED = "a target has written all, but the STATE is lost, or an older one comes back"
    LEFT_OUT = "some runs leave accounts out, or lose them on the way"
    RELOADED = "some runs load a stream anew"
    HEAVY = "pages of many rows cannot be had"
    HASTY = "requests are taken to be late, and sent once more"
    FORGETFUL = "more changes than a STATE remembers"
    FAILURES = "requests fail often, and some lists in some runs for good"
    PAUSES = "weeks pass between runs"
    REUSED = "ids of what was deleted are used again, at times within a second"
    START_DATES = "`start_date` differs from run to run"

    # Promises

    EACH_RUN = "not only the last run, each good one makes the warehouse say what Stripe says"
    ORDER = "`updated_at` of a row never goes back"
    LONG_PAUSE = "after a long pause, what the feed still tells of deletions is heard"
    PAUSED_CHECKS = "late events are heard after a pause, too"
    FEED_MOVES = "a run that is killed again and again comes to an end of the feed"


PROMISES = frozenset(
    {
        Feature.EACH_RUN,
        Feature.ORDER,
        Feature.LONG_PAUSE,
        Feature.PAUSED_CHECKS,
        Feature.FEED_MOVES,
    }
)
HAPPENINGS = frozenset(Feature) - PROMISES

HELD = frozenset(Feature)
"""What the tap has to stand: all of it."""
