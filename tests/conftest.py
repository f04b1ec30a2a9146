"""Fixtures: a simulated Stripe for each test, and nothing that a slow machine could change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tap_stripe_connect.api.connections import Connections
from tap_stripe_connect.simulator.server import Simulator
from tap_stripe_connect.simulator.world import World
from tests.support.harness import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import requests

    from tap_stripe_connect.api.responses import ApiRequest

settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


class Patient:
    """Waits for every answer, however long it takes."""

    delay = float("inf")

    def observe(self, seconds: float) -> None:
        """Learn nothing from an answer."""


@pytest.fixture(autouse=True)
def _nothing_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a slow machine from asking for a page twice; that is tested in virtual time."""
    monkeypatch.setattr("tap_stripe_connect.sync.fetch.engine.HedgeTimer", Patient)


@pytest.fixture
def one_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read with a single reader, so that the number of requests does not depend on the machine.

    What several readers ask for is tested in virtual time.
    """
    monkeypatch.setattr("tap_stripe_connect.sync.fetch.workers.FIRST_WORKERS", 1)
    monkeypatch.setattr("tap_stripe_connect.sync.fetch.workers.MAX_WORKERS", 1)


@pytest.fixture
def give_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, float], None]:
    """Return what makes the tap wait for answers from a path for some seconds only.

    Other answers may take as long as a slow machine needs.
    """
    send = Connections.send

    def give_up(path: str, seconds: float) -> None:
        def impatient(self: Connections, question: ApiRequest, _: object) -> requests.Response:
            return send(self, question, (600.0, seconds if path in question.path else 600.0))

        monkeypatch.setattr(Connections, "send", impatient)

    return give_up


@pytest.fixture
def stripe() -> Iterator[Simulator]:
    """Serve an empty Stripe."""
    with Simulator(World(now=NOW)) as simulator:
        yield simulator
