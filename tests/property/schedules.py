"""Random schedules for hypothesis."""

from __future__ import annotations

from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from hypothesis import strategies as st

from tap_stripe_connect.catalog import LISTED
from tests.property.account_model import CHILDREN, NEVER
from tests.property.casts import NESTED_PATHS, casts_for, feature_sets, read_kinds
from tests.property.changes import DELETABLE
from tests.property.features import CIRCUMSTANCES, ENABLED, Feature
from tests.property.injected_faults import ALWAYS, ODD_PAGES, SWAPPED
from tests.property.schedule_run import EVENTS, streams_of
from tests.property.steps import (
    ACCURATE,
    USUAL,
    USUAL_KINDS,
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
    ReuseId,
    Run,
    Schedule,
    SetChildren,
    Touch,
    Update,
    Wait,
)
from tests.support.harness import DAY

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from hypothesis.strategies import SearchStrategy

    from tests.property.casts import Cast
    from tests.property.steps import Change, Step

T = TypeVar("T")

TEMPOS = (
    (0, 1, 1, 10, 60, 60, 200, 299),
    (0, 1, 60, 299, 300, 301, 400, 3600, DAY, 6 * DAY, 20 * DAY, 29 * DAY, 31 * DAY),
)
"""Seconds between steps."""
HOURS = 3600
CHECKED_TEMPO = (0, 60, 299, 400, 1200, HOURS, 6 * HOURS, 20 * HOURS, DAY, 3 * DAY)
"""Seconds between steps of schedules that need feed checks."""
PAUSING_TEMPO = (0, 60, 400, DAY, 9 * DAY, 20 * DAY, 29 * DAY, 29 * DAY, 31 * DAY)
"""Seconds between steps of schedules with pauses of weeks."""

slots = st.integers(0, 2)
values = st.integers(0, 2)
ALL = streams_of(USUAL_KINDS)
passing = list(ALWAYS)
few_unselected = st.sampled_from(
    [
        *[()] * 12,
        ("subscriptions",),
        ("subscription_items",),
        ("invoices",),
        ("invoice_line_items", "events"),
        ("charges", "coupons", "subscriptions"),
        ("customers", "invoices", "plans", "events"),
        tuple(name for name in ALL if name != "charges"),
        tuple(name for name in ALL if name != "events"),
    ]
)
denials = st.sampled_from([""] * 40 + sorted(listed.permission for listed in LISTED.values()))
connects = st.builds(Connect, st.sampled_from([1, 2]), st.booleans())
wrong_clocks = st.sampled_from(
    [
        ACCURATE,
        Clocks(date=3 * HOURS),
        Clocks(date=DAY),
        Clocks(date=40 * DAY),
        Clocks(date=-2 * HOURS),
        Clocks(date=None),
        Clocks(own=2 * HOURS),
        Clocks(own=-2 * HOURS),
    ]
)


def unselected(kinds: Collection[str]) -> SearchStrategy[tuple[str, ...]]:
    """Return streams that a run does not read."""
    read = read_kinds(kinds)
    if read == USUAL_KINDS:
        return few_unselected
    return st.sampled_from([*[()] * 12, *((name,) for name in streams_of(read))])


def weighed(choices: Sequence[SearchStrategy[T]]) -> SearchStrategy[T]:
    """Return a choice among strategies, weighted by repetition, which `one_of` would ignore."""
    return st.sampled_from(choices).flatmap(lambda choice: choice)


class Ranges:
    """The ranges from which the parts of a schedule are drawn, by its features."""

    def __init__(self, features: Collection[Feature]) -> None:
        self.features = features
        usual = [0, 0, 0, 30, 299]
        late = [1200, 4 * HOURS, 20 * HOURS] if Feature.LATE_EVENTS in features else []
        never = [0, NEVER, NEVER] if Feature.NO_EVENTS in features else []
        moved = Feature.START_DATES in features
        self.starts = [60, 5, 5] if moved else [None, None, None, 60, 5]
        self.ages = [DAY, 10 * DAY, 29 * DAY, 40 * DAY, 400 * DAY] + ([] if moved else [0, 100])
        self.failing = 3 if {Feature.FAILURES, Feature.MIXED_UP} & {*features} else 1
        self.event_delays = st.sampled_from(usual + late)
        self.event_delays_or_never = st.sampled_from(usual + late + never)
        self.counts = st.sampled_from(
            [0, 2, 11, 21, 34] if Feature.NESTED in features else [0, 1, 2, 3, 9, 11, 13]
        )

    def sometimes(
        self, feature: Feature, values: SearchStrategy[object], usual: object = None
    ) -> SearchStrategy[object]:
        """Return the values of an enabled feature half of the time, the usual one else."""
        return st.one_of(st.just(usual), values) if feature in self.features else st.just(usual)


def changes_of(
    kinds: Collection[str], accounts: Collection[int], ranges: Ranges
) -> SearchStrategy[Change]:
    """Return changes to these kinds of objects of these accounts."""
    account, kind = st.sampled_from(list(accounts)), st.sampled_from(list(kinds))
    seen = st.sampled_from([0, 0, 0, 30, 299])
    stale = ranges.sometimes(Feature.STALE, st.sampled_from([30, 299]), 0)
    found: list[SearchStrategy[Change]] = [
        st.builds(
            Create, account, kind, slots, values, ranges.counts, seen, ranges.event_delays_or_never
        ),
        st.builds(
            Update, account, kind, slots, values, st.sampled_from([1, 1, 1, 5]), ranges.event_delays
        ),
        st.builds(
            Update,
            account,
            kind,
            slots,
            values,
            event_delay=ranges.event_delays_or_never,
            read_delay=stale,
        ),
    ]
    if nesting := sorted(CHILDREN.keys() & set(kinds)):
        nested = st.sampled_from(nesting)
        found.append(
            st.builds(
                SetChildren,
                account,
                nested,
                slots,
                slots,
                ranges.counts,
                ranges.event_delays_or_never,
            )
        )
    if removable := sorted({*DELETABLE, "subscription"} & set(kinds)):
        found.append(
            st.builds(Delete, account, st.sampled_from(removable), slots, ranges.event_delays)
        )
    touching = [
        *(("refund", "dispute") if "charge" in kinds else ()),
        *(("discount",) if "coupon" in kinds else ()),
    ]
    if touching:
        what = st.sampled_from(touching)
        found.append(st.builds(Touch, account, what, slots, values, ranges.event_delays))
    # The changes of an enabled feature are drawn often.
    return weighed(found + 3 * rare_changes(kinds, account, ranges))


def rare_changes(
    kinds: Collection[str], account: SearchStrategy[int], ranges: Ranges
) -> list[SearchStrategy[Change]]:
    """Return changes that need a feature."""
    kind = st.sampled_from(list(kinds))
    found: list[SearchStrategy[Change]] = []
    if Feature.SPARSE in ranges.features:
        every = st.sampled_from([1, 2, 5, 5])
        found.append(st.builds(BulkUpdate, account, kind, values, every, st.integers(0, 4)))
    if Feature.FINALISED in ranges.features and "invoice" in kinds:
        found.append(st.builds(Finalize, account, slots, st.sampled_from([0, 1, 3, 11])))
    vanishing = sorted(set(DELETABLE) & set(kinds))
    if Feature.VANISHED in ranges.features and vanishing:
        found.append(st.builds(DeleteSilently, account, st.sampled_from(vanishing), slots, values))
    reusable = sorted({"coupon", "plan"} & set(kinds))
    if Feature.REUSED in ranges.features and reusable:
        found.append(
            st.builds(ReuseId, account, st.sampled_from(reusable), slots, values, st.booleans())
        )
    if Feature.OTHERS_EVENTS in ranges.features:
        found.append(st.builds(ForeignEvent, st.just(0), kind, slots, st.booleans()))
    return found


def faults_of(kinds: Collection[str], ranges: Ranges) -> SearchStrategy[InjectedFault]:
    """Return faults for requests of these kinds of objects."""
    concerned = [listed.path for listed in LISTED.values() if listed.object in kinds]
    paths = st.sampled_from([*concerned, "/v1/events"])
    heavy = ["heavy", "heavy"] if Feature.HEAVY in ranges.features else []
    lasting = ranges.failing * ["dead cursor", "broken"]
    effects = st.sampled_from([*passing, "dead cursor", *lasting, *heavy])
    nested_effects = st.sampled_from([*passing, *lasting])
    skips = st.sampled_from([0, 0, 1, 2, 3])
    found = 2 * [st.builds(InjectedFault, effects, paths, skips)]
    nested_paths = st.sampled_from(
        [path for kind, path in NESTED_PATHS.items() if kind in read_kinds(kinds)] or [""]
    )
    nested = bool(CHILDREN.keys() & set(kinds))
    if nested:
        found.append(st.builds(InjectedFault, nested_effects, nested_paths, st.integers(0, 1)))
    if Feature.MIXED_UP in ranges.features:
        mixed_up = st.sampled_from([*SWAPPED, *ODD_PAGES])
        skips = st.sampled_from([0, 0, 0, 1])
        found += 8 * [st.builds(InjectedFault, mixed_up, paths, skips)]
        objects = paths.map(lambda path: f"{path}/")
        found += 2 * [st.builds(InjectedFault, st.just("other object"), objects, st.just(0))]
        found += 2 * nested * [st.builds(InjectedFault, mixed_up, nested_paths, st.integers(0, 1))]
    return weighed(found)


def runs_of(
    kinds: Collection[str], changes: SearchStrategy[Change], ranges: Ranges
) -> SearchStrategy[Run]:
    """Return runs, with changes between their requests."""
    faults = st.lists(faults_of(kinds, ranges), max_size=2).map(tuple)
    if Feature.MIXED_UP in ranges.features:
        # The tap accepts an odd response if the next one is odd in the same way.
        different = st.lists(
            faults_of(kinds, ranges),
            min_size=1,
            max_size=3,
            unique_by=lambda one: SWAPPED if one.effect in SWAPPED else one.effect,
        )
        faults = different.map(tuple)
    pauses = st.builds(Wait, st.sampled_from([1, 60, 400]))
    leaving = [connects] if Feature.LEFT_OUT in ranges.features else []
    meanwhile = st.tuples(st.integers(2, 30), weighed([changes, changes, pauses, *leaving]))
    blind = Feature.BLIND_KEY in ranges.features
    return st.builds(
        Run,
        unselected=unselected(kinds),
        start=st.sampled_from([*[USUAL] * 6, None, 60, 5, -1]),
        denied=st.sampled_from(["", EVENTS]) if blind else denials,
        faults=weighed([st.just(()), *ranges.failing * [faults]]),
        cut=st.one_of(st.none(), st.none(), st.floats(0, 1)),
        kill_at=ranges.sometimes(Feature.KILLS, st.integers(3, 30)),
        stop_at=ranges.sometimes(Feature.KILLS, st.integers(3, 30)),
        workers=st.sampled_from([1, 3]),
        order=st.integers(0, 99),
        meanwhile=st.one_of(st.just(()), st.lists(meanwhile, max_size=4).map(tuple)),
        clocks=ranges.sometimes(Feature.CLOCKS, wrong_clocks, ACCURATE),
        state_lost=ranges.sometimes(Feature.UNSAVED, st.booleans(), usual=False),
        without_state=ranges.sometimes(
            Feature.UNSAVED, st.sampled_from([False, False, True]), usual=False
        ),
        excluded=ranges.sometimes(Feature.LEFT_OUT, st.sampled_from([1, 2])),
        full_table=ranges.sometimes(
            Feature.RELOADED, st.sampled_from(streams_of(read_kinds(kinds))), ""
        ),
        hedging=ranges.sometimes(Feature.HASTY, st.booleans(), usual=False),
    )


@cache
def schedules_of(
    cast: Cast,
    tempo: tuple[int, ...],
    features: frozenset[Feature],
) -> SearchStrategy[Schedule]:
    """Return schedules for a cast, a tempo and features."""
    kinds, accounts = cast
    ranges = Ranges(features)
    checked = features & {Feature.LATE_EVENTS, Feature.NO_EVENTS, Feature.BLIND_KEY}
    pausing = PAUSING_TEMPO if Feature.PAUSES in features else ()
    waits = st.builds(Wait, st.sampled_from((CHECKED_TEMPO if checked else ()) + pausing or tempo))
    changes = changes_of(kinds, accounts, ranges)
    connecting = [connects] if set(accounts) != {0} else []
    steps: SearchStrategy[Step] = weighed([*[changes] * 6, *[waits] * 3, *connecting])
    runs = st.lists(
        runs_of(kinds, changes, ranges), min_size=1, max_size=3 if Feature.KILLS in features else 1
    )
    # A list of chapters, not of steps: weighted choices among steps drew too few runs.
    chapters = st.tuples(st.lists(steps, max_size=5), waits, runs)
    sparse = Feature.SPARSE in features
    initial = st.builds(
        Initial,
        st.builds(
            Create, st.sampled_from(accounts), st.sampled_from(kinds), slots, values, ranges.counts
        ),
        age=st.sampled_from(ranges.ages),
        copies=st.sampled_from([4, 15, 25] if sparse else [1, 1, 4, 9]),
        apart=st.sampled_from([1, 2 * HOURS, DAY] if sparse else [0, 0, 1, DAY]),
    )
    forgetful = Feature.FORGETFUL in features
    return st.builds(
        Schedule,
        initial=st.lists(initial, min_size=1, max_size=1 if sparse else 4).map(tuple),
        # Swapped responses need a second account.
        connected=st.sampled_from([(1, 2), (1,)] + ([] if Feature.MIXED_UP in features else [()])),
        steps=st.lists(chapters, min_size=3, max_size=9).map(
            lambda parts: tuple(chain(*([*before, wait, *some] for before, wait, some in parts)))
        ),
        final_wait=st.just(1000) if forgetful else st.sampled_from([299, 1000]),
        start=st.sampled_from(ranges.starts),
        disorder=ranges.sometimes(Feature.DISORDER, st.sampled_from([2, 5]), 0),
        recheck=st.sampled_from([None, 0, HOURS]) if checked else st.none(),
        kinds=st.just(read_kinds(kinds)),
        digests_kept=ranges.sometimes(Feature.FORGETFUL, st.sampled_from([0, 1, 2])),
    )


def schedules_with(
    features: frozenset[Feature] = ENABLED, *, together: bool = False
) -> SearchStrategy[Schedule]:
    """Return schedules for a simulated Stripe and the tap that copies it.

    The circumstances among `features` come one by one, or only all `together`.
    """
    worlds = [
        (cast, tempo, chosen)
        for chosen in ([features & CIRCUMSTANCES] if together else feature_sets(features))
        for tempo in TEMPOS
        for cast in casts_for(chosen)
    ]
    return st.sampled_from(worlds).flatmap(lambda parts: schedules_of(*parts))
