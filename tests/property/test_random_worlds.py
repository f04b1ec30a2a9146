"""After any schedule, a successful run makes the warehouse equal Stripe."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.property.corpus_by_feature import BY_FEATURE
from tests.property.features import ENABLED, GUARANTEES, Feature
from tests.property.runner import play

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEDULES = 600
OTHERS = 60


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep thousands of runs from filling the log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.no_cover  # tracing thousands of runs takes minutes
@pytest.mark.slow
def test_the_warehouse_equals_stripe() -> None:
    """Random objects, faults, kills and settings: all rows are equal, and written only once."""
    played = play(SCHEDULES, features=ENABLED - {Feature.OTHER_KINDS}, shrink=True)
    assert played.schedules >= SCHEDULES
    assert played.runs > 5 * SCHEDULES


@pytest.mark.no_cover
@pytest.mark.slow
def test_the_other_lists_equal_stripe_too() -> None:
    """The same with refunds, transfers with reversals, prices and the like."""
    played = play(OTHERS, 7, features=GUARANTEES | {Feature.OTHER_KINDS}, shrink=True)
    assert played.schedules >= OTHERS


def test_the_corpus_covers_every_feature() -> None:
    """Random schedules hit some features seldom; EACH_RUN needs no schedule of its own."""
    assert BY_FEATURE.keys() == frozenset(Feature) - {Feature.EACH_RUN}
