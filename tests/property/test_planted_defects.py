"""The property tests catch each planted defect."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.property.defects import DEFECTS
from tests.property.features import ENABLED, GUARANTEES, Feature
from tests.property.runner import play

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.property.planting import Defect

ENOUGH = 150
"""Schedules within which a defect shows, with the features it needs."""

FIRST = 25
"""Schedules with the same features that the tap without a defect must pass."""

WORLDS = sorted(
    {frozenset(defect.circumstances) for defect in DEFECTS if {*defect.circumstances} <= ENABLED},
    key=lambda circumstances: sorted(feature.name for feature in circumstances),
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep thousands of runs from filling the log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.no_cover  # tracing thousands of runs takes minutes
@pytest.mark.slow
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_a_planted_defect_is_caught(defect: Defect) -> None:
    """Some random schedule leads to a warehouse that differs from Stripe."""
    with defect.planted():
        played = play(ENOUGH, features=defect.features, together=True)
    assert played.mismatch, f"{defect.description}: not seen in {played.schedules} schedules"


@pytest.mark.no_cover
@pytest.mark.slow
@pytest.mark.parametrize(
    "circumstances",
    WORLDS,
    ids=lambda features: " ".join(sorted(one.name for one in features)) or "ALL",
)
def test_without_a_defect_the_same_worlds_show_none(circumstances: frozenset[Feature]) -> None:
    """The schedules that reveal defects show no mismatch without one."""
    played = play(FIRST, features=(GUARANTEES & ENABLED) | circumstances, together=True)
    assert not played.mismatch
