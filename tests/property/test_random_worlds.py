"""After whatever happens, a good run makes the warehouse say what Stripe says."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.property.corpus_wild import WILD
from tests.property.features import Feature
from tests.property.runner import play

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEDULES = 600


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep thousands of runs from filling the log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.no_cover  # tracing thousands of runs takes minutes
@pytest.mark.slow
def test_the_warehouse_says_what_stripe_says() -> None:
    """Random worlds, faults, kills and settings: row by row, field by field, and only once."""
    played = play(SCHEDULES, shrink=True)
    assert played.schedules >= SCHEDULES
    assert played.runs > 5 * SCHEDULES


def test_whatever_worlds_can_have_is_also_told_by_kept_stories() -> None:
    """Chance brings some of it seldom; comparing after each run needs no story of its own."""
    assert WILD.keys() == frozenset(Feature) - {Feature.EACH_RUN}
