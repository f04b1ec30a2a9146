"""Random schedules for hypothesis."""

from __future__ import annotations

from itertools import chain, product
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tap_stripe_connect.catalog import LISTED
from tests.harness import DAY
from tests.truth.steps import (
    CHILDREN,
    DELETABLE,
    USUAL,
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
from tests.truth.worlds import ALL, EFFECTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import SearchStrategy

    from tests.truth.steps import Change, Step

CASTS: tuple[tuple[tuple[str, ...], tuple[int, ...]], ...] = (
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
    (0, 1, 60, 299, 300, 301, 400, 3600, DAY, 6 * DAY, 20 * DAY, 29 * DAY),
)
"""Seconds between what happens."""

slots = st.integers(0, 2)
values = st.integers(0, 2)
counts = st.sampled_from([0, 1, 2, 3, 9, 11, 13])
late = st.sampled_from([0, 0, 0, 30, 299])
starts = st.sampled_from([None, None, None, 60, 5])
nested_paths = st.sampled_from(["/v1/subscription_items", r"/v1/invoices/\w+/lines"])
passing = sorted(EFFECTS.keys() - {"broken", "dead cursor"})
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
denials = st.sampled_from([""] * 8 + sorted(listed.permission for listed in LISTED.values()))
connects = st.builds(Connect, st.sampled_from([1, 2]), st.booleans())


def changes_of(kinds: Sequence[str], places: Sequence[int]) -> SearchStrategy[Change]:
    """Return what can happen to these kinds of objects of these accounts."""
    accounts, kind = st.sampled_from(places), st.sampled_from(kinds)
    found: list[SearchStrategy[Change]] = [
        st.builds(Make, accounts, kind, slots, values, counts, late, late),
        st.builds(Alter, accounts, kind, slots, values, st.sampled_from([1, 1, 1, 5]), late),
        st.builds(Alter, accounts, kind, slots, values),
    ]
    if nesting := sorted(CHILDREN.keys() & set(kinds)):
        found.append(
            st.builds(Fill, accounts, st.sampled_from(nesting), slots, slots, counts, late)
        )
    if removable := sorted({*DELETABLE, "subscription"} & set(kinds)):
        found.append(st.builds(Remove, accounts, st.sampled_from(removable), slots, late))
    touching = [
        *(("refund", "dispute") if "charge" in kinds else ()),
        *(("discount",) if "coupon" in kinds else ()),
    ]
    if touching:
        found.append(st.builds(Touch, accounts, st.sampled_from(touching), slots, values, late))
    return st.one_of(found)


def hitches_of(kinds: Sequence[str]) -> SearchStrategy[Hitch]:
    """Return what can go wrong where these kinds of objects are read."""
    concerned = [listed.path for listed in LISTED.values() if listed.object in kinds]
    paths = st.sampled_from([*concerned, "/v1/events"])
    effects = st.sampled_from([*passing, "dead cursor", "dead cursor", "broken"])
    return st.one_of(
        st.builds(Hitch, effects, paths, st.integers(0, 3)),
        st.builds(Hitch, st.sampled_from([*passing, "broken"]), nested_paths, st.integers(0, 1)),
    )


def runs_of(kinds: Sequence[str], changes: SearchStrategy[Change]) -> SearchStrategy[Run]:
    """Return runs in the middle of such changes."""
    hitches = hitches_of(kinds)
    pauses = st.builds(Wait, st.sampled_from([1, 60, 400]))
    meanwhile = st.tuples(st.integers(2, 30), st.one_of(changes, pauses))
    return st.builds(
        Run,
        unselected=unselected,
        start=st.sampled_from([*[USUAL] * 6, None, 60, 5, -1]),
        denied=denials,
        hitches=st.one_of(st.just(()), st.lists(hitches, max_size=2).map(tuple)),
        cut=st.one_of(st.none(), st.floats(0, 1)),
        readers=st.sampled_from([1, 3]),
        order=st.integers(0, 99),
        meanwhile=st.one_of(st.just(()), st.lists(meanwhile, max_size=4).map(tuple)),
    )


def stories_of(
    kinds: Sequence[str], places: Sequence[int], tempo: Sequence[int]
) -> SearchStrategy[Schedule]:
    """Return schedules about these kinds of objects and accounts at such a tempo."""
    waits = st.builds(Wait, st.sampled_from(tempo))
    changes = changes_of(kinds, places)
    steps: SearchStrategy[Step] = st.one_of(changes, changes, waits, connects)
    # A list of chapters, and not of steps: choices among choices count as one, which left few runs.
    chapters = st.tuples(st.lists(steps, max_size=5), waits, runs_of(kinds, changes))
    pasts = st.builds(
        Past,
        st.builds(Make, st.sampled_from(places), st.sampled_from(kinds), slots, values, counts),
        age=st.sampled_from([0, 100, DAY, 10 * DAY, 29 * DAY, 40 * DAY, 400 * DAY]),
        copies=st.sampled_from([1, 1, 4, 9]),
        apart=st.sampled_from([0, 1, DAY]),
    )
    return st.builds(
        Schedule,
        past=st.lists(pasts, min_size=1, max_size=4).map(tuple),
        connected=st.sampled_from([(1, 2), (1,), ()]),
        steps=st.lists(chapters, min_size=2, max_size=7).map(
            lambda parts: tuple(chain(*([*before, wait, run] for before, wait, run in parts)))
        ),
        rest=st.sampled_from([299, 1000]),
        start=starts,
    )


schedules: SearchStrategy[Schedule] = st.one_of(
    [stories_of(*cast, tempo) for cast, tempo in product(CASTS, TEMPOS)]
)
