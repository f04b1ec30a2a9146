"""The SDK's standard tests against the simulator, and the uniqueness test that they lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_stripe_connect.catalog import STREAMS
from tap_stripe_connect.simulator.business import populate
from tap_stripe_connect.simulator.server import Simulator
from tap_stripe_connect.simulator.world import World
from tap_stripe_connect.tap import TapStripeConnect
from tests.support.harness import DAY, NOW, add_samples, config_for, run

if TYPE_CHECKING:
    from collections.abc import Iterator

# Stripe leaves out fields that nobody has set; other tests fill every column.
pytestmark = pytest.mark.filterwarnings("ignore:Fields in transformed catalog but not in records")

# The SDK's test class reads while it is collected, so the simulator starts with this module.
_world = World(now=NOW)
populate(_world.platform, seed=6, customers=40, start=NOW - 365 * DAY, until=NOW)
add_samples(_world.platform)
_simulator = Simulator(_world)
_simulator.__enter__()


@pytest.fixture(scope="module", autouse=True)
def simulator() -> Iterator[Simulator]:
    """Stop the simulator when the module's tests are done."""
    yield _simulator
    _simulator.__exit__(None, None, None)


TestTapStripeConnect = get_tap_test_class(
    TapStripeConnect,
    config=config_for(_simulator),
    suite_config=SuiteConfig(max_records_limit=150),
    include_stream_attribute_tests=True,
)


def test_keys_are_unique(simulator: Simulator) -> None:
    """No two records of a first load share a key; the SDK's own test cannot notice it."""
    output = run(config_for(simulator))
    for stream in STREAMS:
        keys = [tuple(row[name] for name in stream.key) for row in output.records(stream.name)]
        assert all(all(key) for key in keys)
        assert len(keys) == len(set(keys)), stream.name
