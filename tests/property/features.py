"""The features of random schedules, each of which can be switched off."""

from __future__ import annotations

from enum import Enum, unique


@unique
class Feature(Enum):
    """A circumstance that random schedules may have, or a guarantee that they check."""

    # Circumstances

    DISORDER = "lists are out of order by some seconds"
    CLOCKS = "the `Date` of answers, or the tap's own clock, is wrong in some runs"
    LATE_EVENTS = "events are seen up to a day late"
    NO_EVENTS = "some events are never made"
    BLIND_KEY = "the key of some runs may not read events"
    KILLS = "runs are killed at some request, often several in a row"
    SPARSE = "many objects, far apart, change at once"
    NESTED = "nested lists go far beyond the tenth"
    FINALISED = "invoices are finalised; no event shows which lines left"
    VANISHED = "an object is gone without an event"
    OTHERS_EVENTS = "the platform's feed has events of other accounts"
    MIXED_UP = "a response belongs to another request"
    STALE = "reads show a change seconds after its event"
    UNSAVED = "the target writes all records but loses the STATE, or an older one comes back"
    LEFT_OUT = "some runs exclude accounts, or accounts disconnect during a run"
    RELOADED = "some runs replicate a stream with FULL_TABLE"
    HEAVY = "requests for large pages fail"
    HASTY = "every request is hedged"
    FORGETFUL = "more changes than a STATE has digests for"
    FAILURES = "requests fail often, and some lists in some runs for good"
    PAUSES = "weeks pass between runs"
    REUSED = "ids of deleted objects are reused, at times within a second"
    START_DATES = "`start_date` differs from run to run"
    OTHER_KINDS = "the objects are refunds, transfers with reversals, prices and the like"

    # Guarantees

    EACH_RUN = "after each successful run the warehouse equals Stripe, not only after the last"
    ORDER = "`updated_at` of a row never goes back"
    LONG_PAUSE = "after a long pause, deletions that are still in the feed are applied"
    PAUSED_CHECKS = "late events are applied after a pause, too"
    FEED_MOVES = "runs that are killed again and again reach the end of the feed"


GUARANTEES = frozenset(
    {
        Feature.EACH_RUN,
        Feature.ORDER,
        Feature.LONG_PAUSE,
        Feature.PAUSED_CHECKS,
        Feature.FEED_MOVES,
    }
)
CIRCUMSTANCES = frozenset(Feature) - GUARANTEES

ENABLED = frozenset(Feature)
"""The features that are enabled by default: all."""
