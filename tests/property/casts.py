"""Casts: the kinds of objects and the accounts of a schedule, and which features need which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.property.changes import DELETABLE
from tests.property.features import CIRCUMSTANCES, Feature
from tests.property.steps import USUAL_KINDS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

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
"""Kinds of objects and accounts of a schedule: few, so that each changes often."""
OTHER_CASTS: tuple[Cast, ...] = (
    (("credit_note",), (0,)),
    (("credit_note", "refund", "transfer"), (0, 1)),
    (("dispute", "payout", "price"), (0,)),
    (("price", "product", "promotion_code"), (0, 1)),
    (("refund", "subscription_schedule", "tax_rate"), (0, 0, 1, 2)),
    (("transfer",), (0, 1)),
)
"""The casts of OTHER_KINDS."""
NESTED_PATHS = {
    "subscription": "/v1/subscription_items",
    "invoice": r"/v1/invoices/\w+/lines",
    "credit_note": r"/v1/credit_notes/\w+/lines",
    "transfer": r"/v1/transfers/\w+/reversals",
}
"""Paths of the nested lists of an object, as regular expressions."""


def read_kinds(kinds: Collection[str]) -> frozenset[str]:
    """Return the kinds of objects whose streams are read in schedules with these ones."""
    return USUAL_KINDS if USUAL_KINDS.issuperset(kinds) else frozenset({*kinds, "event"})


NEEDED: Mapping[Feature, frozenset[str]] = {
    Feature.FINALISED: frozenset({"invoice"}),
    Feature.NESTED: frozenset({"invoice", "subscription"}),
    Feature.OTHERS_EVENTS: frozenset({"coupon"}),
    Feature.REUSED: frozenset({"coupon", "plan"}),
    Feature.VANISHED: frozenset(DELETABLE),
}
"""Kinds of objects of which a schedule needs some for a feature."""


def feature_sets(features: frozenset[Feature]) -> list[frozenset[Feature]]:
    """Return the features that are combined in one schedule: none, one, or all."""
    found = sorted(CIRCUMSTANCES & features, key=lambda feature: feature.name)
    single = [frozenset({feature}) for feature in found]
    return [*[frozenset[Feature]()] * (1 + len(found) // 4), *single, frozenset(found)]


FEW = 3
"""Maximum number of features whose needs are considered; schedules with more take any cast."""


def casts_for(chosen: frozenset[Feature]) -> list[Cast]:
    """Return the casts that have what these features need."""
    needed = [NEEDED[one] for one in chosen if one in NEEDED] if len(chosen) <= FEW else []
    casts = CASTS
    if Feature.OTHER_KINDS in chosen:
        casts = CASTS + OTHER_CASTS if len(chosen) > FEW else OTHER_CASTS
    return [cast for cast in casts if all(kinds & set(cast[0]) for kinds in needed)]
