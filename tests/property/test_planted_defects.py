"""The random worlds are wild enough: each planted defect shows in them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.property.defects import DEFECTS
from tests.property.features import HELD, PROMISES, Feature
from tests.property.runner import play

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.property.planting import Defect

ENOUGH = 150
"""Schedules within which a defect shows, in worlds that have what it takes."""

FIRST = 25
"""Schedules of the same worlds in which a tap without the defects has to tell the truth."""

WORLDS = sorted(
    {frozenset(defect.home) for defect in DEFECTS if {*defect.home} <= HELD},
    key=lambda home: sorted(feature.name for feature in home),
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
    """Some random schedule leads to a warehouse that does not say what Stripe says."""
    with defect.planted():
        played = play(ENOUGH, features=defect.features, together=True)
    assert played.lie, f"{defect.story}: not seen in {played.schedules} schedules"


@pytest.mark.no_cover
@pytest.mark.slow
@pytest.mark.parametrize(
    "home", WORLDS, ids=lambda home: " ".join(sorted(feature.name for feature in home)) or "ALL"
)
def test_without_a_defect_the_same_worlds_show_none(home: frozenset[Feature]) -> None:
    """What reveals the defects is no fault of the tap itself, nor of the worlds."""
    played = play(FIRST, features=(PROMISES & HELD) | home, together=True)
    assert not played.lie
