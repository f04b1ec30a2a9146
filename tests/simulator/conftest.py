"""A small world and its simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tap_stripe_connect.catalog import API_VERSION
from tap_stripe_connect.simulator.server import Simulator
from tap_stripe_connect.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = 1_767_225_600


@pytest.fixture
def world() -> World:
    """An empty platform at the beginning of 2026."""
    return World(now=NOW)


@pytest.fixture
def simulator(world: World) -> Iterator[Simulator]:
    """The simulator of the world."""
    with Simulator(world) as simulator:
        yield simulator


@pytest.fixture
def get(simulator: Simulator) -> Iterator[Callable[..., requests.Response]]:
    """Request a path; keyword arguments are headers."""
    with requests.Session() as session:

        def ask(path: str, **headers: str) -> requests.Response:
            usual = {
                "Authorization": f"Bearer {simulator.api_key}",
                "Stripe-Version": API_VERSION,
            }
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            return session.get(simulator.url + path, headers=usual | given, timeout=120)

        yield ask
