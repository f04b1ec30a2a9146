"""Random schedules for hypothesis."""

from __future__ import annotations

from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from hypothesis import strategies as st

from tap_stripe_connect.catalog import LISTED
from tests.property.features import HAPPENINGS, HELD, Feature
from tests.property.model import ALL, EVENTS
from tests.property.places import CHILDREN, NEVER
from tests.property.steps import (
    RIGHT,
    USUAL,
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
    Touch,
    Vanish,
    Wait,
)
from tests.property.steps_on_stripe import DELETABLE
from tests.property.trouble import ALWAYS, MIXED_UP, ODD_PAGES
from tests.support.harness import DAY

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hypothesis.strategies import SearchStrategy

    from tests.property.steps import Change, Step

T = TypeVar("T")

Cast = tuple[tuple[str, ...], tuple[int, ...]]

CASTS: tuple[Cast, ...] = (
    (("charge", "coupon", "customer", "invoice", "plan", "subscription"), (0, 0, 1, 2)),
    (("charge",), (0,)),
    (("charge", "coupon"), (0, 1)),
    (("coupon", "plan"), (0, 1)),
    (("customer",), (0,)),
    (("invoice",), (0,)),
    (("invoice", "subscription"), (0, 1)),
    (("subscription",), (0,)),
)
"""Kinds of objects and accounts that a story is about: few, so that much happens to each."""
TEMPOS = (
    (0, 1, 1, 10, 60, 60, 200, 299),
    (0, 1, 60, 299, 300, 301, 400, 3600, DAY, 6 * DAY, 20 * DAY, 29 * DAY, 31 * DAY),
)
"""Seconds between what happens."""
HOURS = 3600
CHECKED_TEMPO = (0, 60, 299, 400, 1200, HOURS, 6 * HOURS, 20 * HOURS, DAY, 3 * DAY)
"""The same where something waits for a check of the feed."""
PAUSING_TEMPO = (0, 60, 400, DAY, 9 * DAY, 20 * DAY, 29 * DAY, 29 * DAY, 31 * DAY)
"""The same where weeks pass."""

slots = st.integers(0, 2)
values = st.integers(0, 2)
nested_paths = st.sampled_from(["/v1/subscription_items", r"/v1/invoices/\w+/lines"])
passing = list(ALWAYS)
unselected = st.sampled_from(
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
        RIGHT,
        Clocks(date=3 * HOURS),
        Clocks(date=DAY),
        Clocks(date=40 * DAY),
        Clocks(date=-2 * HOURS),
        Clocks(date=None),
        Clocks(own=2 * HOURS),
        Clocks(own=-2 * HOURS),
    ]
)


def weighed(choices: Sequence[SearchStrategy[T]]) -> SearchStrategy[T]:
    """Return one of some strategies, each as often as it is there; `one_of` takes each once."""
    return st.sampled_from(choices).flatmap(lambda choice: choice)


class Wildness:
    """What the features of a story make of the ranges from which its parts are drawn."""

    def __init__(self, features: Collection[Feature]) -> None:
        """Widen the usual ranges by what `features` allow."""
        self.features = features
        usual = [0, 0, 0, 30, 299]
        late = [1200, 4 * HOURS, 20 * HOURS] if Feature.LATE_EVENTS in features else []
        never = [0, NEVER, NEVER] if Feature.NO_EVENTS in features else []
        moved = Feature.START_DATES in features
        self.starts = [60, 5, 5] if moved else [None, None, None, 60, 5]
        self.ages = [DAY, 10 * DAY, 29 * DAY, 40 * DAY, 400 * DAY] + ([] if moved else [0, 100])
        self.failing = 3 if {Feature.FAILURES, Feature.MIXED_UP} & {*features} else 1
        self.told = st.sampled_from(usual + late)
        self.told_or_not = st.sampled_from(usual + late + never)
        self.counts = st.sampled_from(
            [0, 2, 11, 21, 34] if Feature.NESTED in features else [0, 1, 2, 3, 9, 11, 13]
        )

    def often(
        self, feature: Feature, wild: SearchStrategy[object], usual: object = None
    ) -> SearchStrategy[object]:
        """Return what a feature brings in about every second case, and what is usual else."""
        return st.one_of(st.just(usual), wild) if feature in self.features else st.just(usual)


def changes_of(
    kinds: Collection[str], places: Collection[int], wild: Wildness
) -> SearchStrategy[Change]:
    """Return what can happen to these kinds of objects of these accounts."""
    accounts, kind = st.sampled_from(list(places)), st.sampled_from(list(kinds))
    seen = st.sampled_from([0, 0, 0, 30, 299])
    stale = wild.often(Feature.STALE, st.sampled_from([30, 299]), 0)
    found: list[SearchStrategy[Change]] = [
        st.builds(Make, accounts, kind, slots, values, wild.counts, seen, wild.told_or_not),
        st.builds(Alter, accounts, kind, slots, values, st.sampled_from([1, 1, 1, 5]), wild.told),
        st.builds(Alter, accounts, kind, slots, values, told_late=wild.told_or_not, late=stale),
    ]
    if nesting := sorted(CHILDREN.keys() & set(kinds)):
        nested = st.sampled_from(nesting)
        found.append(st.builds(Fill, accounts, nested, slots, slots, wild.counts, wild.told_or_not))
    if removable := sorted({*DELETABLE, "subscription"} & set(kinds)):
        found.append(st.builds(Remove, accounts, st.sampled_from(removable), slots, wild.told))
    touching = [
        *(("refund", "dispute") if "charge" in kinds else ()),
        *(("discount",) if "coupon" in kinds else ()),
    ]
    if touching:
        what = st.sampled_from(touching)
        found.append(st.builds(Touch, accounts, what, slots, values, wild.told))
    # What a story is about happens often in it.
    return weighed(found + 3 * rare_changes(kinds, accounts, wild))


def rare_changes(
    kinds: Collection[str], accounts: SearchStrategy[int], wild: Wildness
) -> list[SearchStrategy[Change]]:
    """Return what only some worlds have."""
    kind = st.sampled_from(list(kinds))
    found: list[SearchStrategy[Change]] = []
    if Feature.SPARSE in wild.features:
        every = st.sampled_from([1, 2, 5, 5])
        found.append(st.builds(Bulk, accounts, kind, values, every, st.integers(0, 4)))
    if Feature.FINALISED in wild.features and "invoice" in kinds:
        found.append(st.builds(Finalise, accounts, slots, st.sampled_from([0, 1, 3, 11])))
    vanishing = sorted(set(DELETABLE) & set(kinds))
    if Feature.VANISHED in wild.features and vanishing:
        found.append(st.builds(Vanish, accounts, st.sampled_from(vanishing), slots, values))
    reusable = sorted({"coupon", "plan"} & set(kinds))
    if Feature.REUSED in wild.features and reusable:
        found.append(
            st.builds(Reuse, accounts, st.sampled_from(reusable), slots, values, st.booleans())
        )
    if Feature.OTHERS_EVENTS in wild.features:
        found.append(st.builds(Mistell, st.just(0), kind, slots, st.booleans()))
    return found


def hitches_of(kinds: Collection[str], wild: Wildness) -> SearchStrategy[Hitch]:
    """Return what can go wrong where these kinds of objects are read."""
    concerned = [listed.path for listed in LISTED.values() if listed.object in kinds]
    paths = st.sampled_from([*concerned, "/v1/events"])
    heavy = ["heavy", "heavy"] if Feature.HEAVY in wild.features else []
    lasting = wild.failing * ["dead cursor", "broken"]
    effects = st.sampled_from([*passing, "dead cursor", *lasting, *heavy])
    nested_effects = st.sampled_from([*passing, *lasting])
    skips = st.sampled_from([0, 0, 1, 2, 3])
    found = 2 * [st.builds(Hitch, effects, paths, skips)]
    nested = bool(CHILDREN.keys() & set(kinds))
    if nested:
        found.append(st.builds(Hitch, nested_effects, nested_paths, st.integers(0, 1)))
    if Feature.MIXED_UP in wild.features:
        mixed_up = st.sampled_from([*MIXED_UP, *ODD_PAGES])
        skips = st.sampled_from([0, 0, 0, 1])
        found += 8 * [st.builds(Hitch, mixed_up, paths, skips)]
        objects = paths.map(lambda path: f"{path}/")
        found += 2 * [st.builds(Hitch, st.just("other object"), objects, st.just(0))]
        found += 2 * nested * [st.builds(Hitch, mixed_up, nested_paths, st.integers(0, 1))]
    return weighed(found)


def runs_of(
    kinds: Collection[str], changes: SearchStrategy[Change], wild: Wildness
) -> SearchStrategy[Run]:
    """Return runs in the middle of such changes."""
    hitches = st.lists(hitches_of(kinds, wild), max_size=2).map(tuple)
    if Feature.MIXED_UP in wild.features:
        # An answer that is as odd as the one before counts as the server's way.
        different = st.lists(
            hitches_of(kinds, wild),
            min_size=1,
            max_size=3,
            unique_by=lambda one: MIXED_UP if one.what in MIXED_UP else one.what,
        )
        hitches = different.map(tuple)
    pauses = st.builds(Wait, st.sampled_from([1, 60, 400]))
    leaving = [connects] if Feature.LEFT_OUT in wild.features else []
    meanwhile = st.tuples(st.integers(2, 30), weighed([changes, changes, pauses, *leaving]))
    blind = Feature.BLIND_KEY in wild.features
    return st.builds(
        Run,
        unselected=unselected,
        start=st.sampled_from([*[USUAL] * 6, None, 60, 5, -1]),
        denied=st.sampled_from(["", EVENTS]) if blind else denials,
        hitches=weighed([st.just(()), *wild.failing * [hitches]]),
        cut=st.one_of(st.none(), st.none(), st.floats(0, 1)),
        killed=wild.often(Feature.KILLS, st.integers(3, 30)),
        stopped=wild.often(Feature.KILLS, st.integers(3, 30)),
        readers=st.sampled_from([1, 3]),
        order=st.integers(0, 99),
        meanwhile=st.one_of(st.just(()), st.lists(meanwhile, max_size=4).map(tuple)),
        clocks=wild.often(Feature.CLOCKS, wrong_clocks, RIGHT),
        unsaved=wild.often(Feature.UNSAVED, st.booleans(), usual=False),
        stateless=wild.often(Feature.UNSAVED, st.sampled_from([False, False, True]), usual=False),
        left_out=wild.often(Feature.LEFT_OUT, st.sampled_from([1, 2])),
        anew=wild.often(Feature.RELOADED, st.sampled_from(ALL), ""),
        hasty=wild.often(Feature.HASTY, st.booleans(), usual=False),
    )


@cache
def stories_of(
    cast: Cast,
    tempo: tuple[int, ...],
    features: frozenset[Feature],
) -> SearchStrategy[Schedule]:
    """Return schedules about kinds of objects of accounts, at a tempo, with some happenings."""
    kinds, places = cast
    wild = Wildness(features)
    checked = features & {Feature.LATE_EVENTS, Feature.NO_EVENTS, Feature.BLIND_KEY}
    pausing = PAUSING_TEMPO if Feature.PAUSES in features else ()
    waits = st.builds(Wait, st.sampled_from((CHECKED_TEMPO if checked else ()) + pausing or tempo))
    changes = changes_of(kinds, places, wild)
    connecting = [connects] if set(places) != {0} else []
    steps: SearchStrategy[Step] = weighed([*[changes] * 6, *[waits] * 3, *connecting])
    runs = st.lists(
        runs_of(kinds, changes, wild), min_size=1, max_size=3 if Feature.KILLS in features else 1
    )
    # A list of chapters, and not of steps: choices among choices count as one, which left few runs.
    chapters = st.tuples(st.lists(steps, max_size=5), waits, runs)
    sparse = Feature.SPARSE in features
    pasts = st.builds(
        Past,
        st.builds(
            Make, st.sampled_from(places), st.sampled_from(kinds), slots, values, wild.counts
        ),
        age=st.sampled_from(wild.ages),
        copies=st.sampled_from([4, 15, 25] if sparse else [1, 1, 4, 9]),
        apart=st.sampled_from([1, 2 * HOURS, DAY] if sparse else [0, 0, 1, DAY]),
    )
    forgetful = Feature.FORGETFUL in features
    return st.builds(
        Schedule,
        past=st.lists(pasts, min_size=1, max_size=1 if sparse else 4).map(tuple),
        # Answers are mixed up with those of another account.
        connected=st.sampled_from([(1, 2), (1,)] + ([] if Feature.MIXED_UP in features else [()])),
        steps=st.lists(chapters, min_size=3, max_size=9).map(
            lambda parts: tuple(chain(*([*before, wait, *some] for before, wait, some in parts)))
        ),
        rest=st.just(1000) if forgetful else st.sampled_from([299, 1000]),
        start=st.sampled_from(wild.starts),
        disorder=wild.often(Feature.DISORDER, st.sampled_from([2, 5]), 0),
        recheck=st.sampled_from([None, 0, HOURS]) if checked else st.none(),
        remembered=wild.often(Feature.FORGETFUL, st.sampled_from([0, 1, 2])),
    )


NEEDED: Mapping[Feature, frozenset[str]] = {
    Feature.FINALISED: frozenset({"invoice"}),
    Feature.NESTED: frozenset({"invoice", "subscription"}),
    Feature.OTHERS_EVENTS: frozenset({"coupon"}),
    Feature.REUSED: frozenset({"coupon", "plan"}),
    Feature.VANISHED: frozenset(DELETABLE),
}
"""Kinds of objects of which a story has some, if it is about one of these happenings alone."""


def wilds_of(features: frozenset[Feature]) -> list[frozenset[Feature]]:
    """Return which happenings come together in one story: none, one, or all that there are."""
    found = sorted(HAPPENINGS & features, key=lambda feature: feature.name)
    single = [frozenset({feature}) for feature in found]
    return [*[frozenset[Feature]()] * (1 + len(found) // 4), *single, frozenset(found)]


FEW = 3
"""Happenings that a story can be about; one of more of them is about everything."""


def casts_of(wild: frozenset[Feature]) -> list[Cast]:
    """Return whom a story with these happenings can be about."""
    needed = [NEEDED[one] for one in wild if one in NEEDED] if len(wild) <= FEW else []
    return [cast for cast in CASTS if all(kinds & set(cast[0]) for kinds in needed)]


def schedules_with(
    features: frozenset[Feature] = HELD, *, together: bool = False
) -> SearchStrategy[Schedule]:
    """Return what can happen in a simulated Stripe and to the tap that copies it.

    The happenings among `features` come one by one, or only all `together`.
    """
    stories = [
        (cast, tempo, wild)
        for wild in ([features & HAPPENINGS] if together else wilds_of(features))
        for tempo in TEMPOS
        for cast in casts_of(wild)
    ]
    return st.sampled_from(stories).flatmap(lambda parts: stories_of(*parts))
