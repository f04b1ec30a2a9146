"""The demo's Stripe: a simulator in its own process, which ends with its stdin.

It keeps the day the business opened while the present moves on; the simulator's own command
counts its years back from the present.
"""

from __future__ import annotations

import argparse
import json
import sys

from tap_stripe_connect.catalog import LISTED, NESTED
from tap_stripe_connect.simulator import business
from tap_stripe_connect.simulator.server import Simulator
from tap_stripe_connect.simulator.world import World

SEED = 1
OPENED = 1_672_531_200
"""The first day of 2023."""


def main() -> None:
    """Serve until stdin ends; the first line of stdout is JSON with the address."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, required=True)
    parser.add_argument("--until", type=int, required=True, help="the present, in unix seconds")
    given = parser.parse_args()
    world = World(now=given.until, opened=OPENED)
    business.populate(
        world.platform, seed=SEED, customers=given.customers, start=OPENED, until=given.until
    )
    with Simulator(world) as simulator:
        ready = {
            "url": simulator.url,
            "api_key": simulator.api_key,
            "items": items(world),
        }
        print(json.dumps(ready), flush=True)
        sys.stdin.read()


def items(world: World) -> dict[str, int]:
    """Return the number of objects of nested streams."""
    return {
        nested.name: sum(
            len(parent[nested.list_field]["data"])
            for parent in world.platform.objects(LISTED[nested.parent].object)
        )
        for nested in NESTED.values()
    }


if __name__ == "__main__":
    main()
