"""Steps that the acceptance cases share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.harness import DAY, config_for, run, selecting

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.server import Simulator
    from tests.support.harness import Json, Output

YEAR = 365 * DAY


def routes(stripe: Simulator) -> list[str]:
    """Return the routes that were asked for, the key's own account aside."""
    return [one.template for one in stripe.journal.requests if one.path != "/v1/account"]


def next_run(
    stripe: Simulator,
    before: Output,
    *names: str,
    change: Callable[[Account], object] | None = None,
    **settings: Any,
) -> Output:
    """Change something half a day later, and run half a day after that, with a clean journal."""
    stripe.world.clock.advance(DAY / 2)
    if change:
        change(stripe.world.platform)
    stripe.world.clock.advance(DAY / 2)
    stripe.journal.clear()
    return run(config_for(stripe, **settings), state=before.state, catalog=selecting(*names))


def untimed(row: Json) -> Json:
    """Return a row less `updated_at`, which a change moves and a new load does not know."""
    return {**row, "updated_at": None}
