"""Fixtures: a simulated Stripe for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_stripe_connect.simulator.server import Simulator
from tap_stripe_connect.simulator.world import World
from tests.harness import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stripe() -> Iterator[Simulator]:
    """Serve an empty Stripe."""
    with Simulator(World(now=NOW)) as simulator:
        yield simulator
