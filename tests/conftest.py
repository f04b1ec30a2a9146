"""Fixtures: a simulated Stripe for each test, and nothing that a slow machine could change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tap_stripe_connect.simulator.server import Simulator
from tap_stripe_connect.simulator.world import World
from tests.harness import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


class Patient:
    """Waits for every answer, however long it takes."""

    seconds = float("inf")

    def took(self, seconds: float) -> None:
        """Learn nothing from an answer."""


@pytest.fixture(autouse=True)
def _nothing_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a slow machine from asking for a page twice; that is tested in virtual time."""
    monkeypatch.setattr("tap_stripe_connect.sync.engine.Patience", Patient)


@pytest.fixture
def one_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read with a single reader, so that the number of requests does not depend on the machine.

    What several readers ask for is tested in virtual time.
    """
    monkeypatch.setattr("tap_stripe_connect.sync.readers.FIRST", 1)
    monkeypatch.setattr("tap_stripe_connect.sync.readers.MOST", 1)


@pytest.fixture
def stripe() -> Iterator[Simulator]:
    """Serve an empty Stripe."""
    with Simulator(World(now=NOW)) as simulator:
        yield simulator
