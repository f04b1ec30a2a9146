"""The random worlds are wild enough: each planted defect shows in them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.truth.defects import DEFECTS, Defect
from tests.truth.playing import play

if TYPE_CHECKING:
    from collections.abc import Iterator

ENOUGH = 600
"""Schedules within which a defect shows, in worlds that have what it takes."""


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
        played = play(ENOUGH, features=defect.features, kept=False)
    assert played.lie, f"{defect.story}: not seen in {played.schedules} schedules"
