"""Fixtures: a folder with settings, beside a simulated Stripe with accounts to connect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.connect.console import Place

if TYPE_CHECKING:
    from pathlib import Path

    from tap_stripe_connect.simulator.server import Simulator


@pytest.fixture
def place(tmp_path: Path, stripe: Simulator) -> Place:
    """Return a place where nothing is connected yet; two accounts have data, one is empty."""
    for name in ("Alpha", "Beta"):
        account = stripe.world.add_signup(f"acct_1{name}", name=f"{name} GmbH")
        account.create("customer", {"id": f"cus_{name}"})
    stripe.world.add_signup("acct_1Empty")
    return Place(tmp_path, stripe)
