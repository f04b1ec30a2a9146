"""Faults that are injected between Stripe and the tap."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tap_stripe_connect.catalog import LISTED
from tap_stripe_connect.simulator.faults import Fault
from tests.property.changes import OTHER

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tap_stripe_connect.simulator.calls import Call
    from tap_stripe_connect.simulator.world import World
    from tests.property.steps import InjectedFault
    from tests.support.harness import Json

_DEAD_CURSOR = {
    "error": {
        "type": "invalid_request_error",
        "code": "resource_missing",
        "param": "starting_after",
        "message": "No such object",
    }
}
EFFECTS: Mapping[str, Json] = {
    "500": {"status": 500, "times": 1},
    "429": {"status": 429, "times": 1},
    "truncated": {"truncate": 0.5, "times": 1},
    "reset": {"reset": True, "times": 1},
    "dead cursor": {"status": 400, "body": _DEAD_CURSOR, "times": 1},
    "empty page": {"empty_page": True, "times": 1},
    "repeated page": {"repeat_page": True, "times": 1},
    "heavy": {"page_limit": 10},
    "broken": {"status": 500},
}
ALWAYS = ("429", "500", "reset", "truncated")
"""Effects that any request survives once."""
ODD_PAGES = ("empty page", "repeated page")
"""Effects that a list request survives once."""


def simulator_fault(injected: InjectedFault) -> Fault:
    """Return the simulator's fault for an injected one."""
    rest = {"dead cursor": r"\?.*starting_after", "heavy": r"(\?|$)"}.get(injected.effect, "")
    return Fault(match=f"^{injected.path}{rest}", skip=injected.skip, **EFFECTS[injected.effect])


@dataclass
class SwappedResponse:
    """One response that belongs to another request."""

    effect: str
    path: str
    skip: int
    done: bool = False

    def request_for(
        self, world: World, call: Call, last: Call | None, with_account: Collection[str]
    ) -> Call:
        """Return the request that is answered instead of `call`, which may be `call` itself.

        Earlier responses at the paths `with_account` had a `Stripe-Account` header.
        """
        if self.done or not re.match(self.path, call.path):
            return call
        other = self._other(world, call, last)
        if other == call or (_is_nameless(call, other) and call.path not in with_account):
            return call
        if self.skip:
            self.skip -= 1
            return call
        self.done = True
        return other

    def _other(self, world: World, call: Call, last: Call | None) -> Call:
        """Return another request, or `call` if there is none."""
        if self.effect == "late response":
            return last or call
        return _OTHERS[self.effect](world, call)


def _is_nameless(call: Call, other: Call) -> bool:
    """Return whether the response would carry no account; some servers never send one."""
    return "stripe-account" in call.headers and "stripe-account" not in other.headers


def _other_account(world: World, call: Call) -> Call:
    headers = {**call.headers}
    if headers.pop("stripe-account", None) != OTHER:
        headers["stripe-account"] = OTHER
    return replace(call, headers=headers) if world.connected(OTHER) else call


def _other_list(world: World, call: Call) -> Call:
    del world
    paths = [one.path for one in LISTED.values()]
    if call.path not in paths:
        return call
    limit = dict(call.pairs).get("limit", "10")
    return replace(call, path=paths[paths.index(call.path) - 1], query=f"limit={limit}")


def _other_window(world: World, call: Call) -> Call:
    del world
    kept = [
        (name, value)
        for name, value in call.pairs
        if not name.startswith("created") and name != "starting_after"
    ]
    return replace(call, query=urlencode(kept)) if len(kept) < len(call.pairs) else call


def _other_object(world: World, call: Call) -> Call:
    start, _, name = call.path.rpartition("/")
    account = world.account(call.headers.get("stripe-account", world.platform.id))
    kind = next((one.object for one in LISTED.values() if one.path == start), None)
    if not account or not kind:
        return call
    other = next((one["id"] for one in account.objects(kind) if one["id"] != name), name)
    return replace(call, path=f"{start}/{other}")


_OTHERS: Mapping[str, Callable[[World, Call], Call]] = {
    "other account": _other_account,
    "other list": _other_list,
    "other object": _other_object,
    "other window": _other_window,
}
SWAPPED = ("late response", *_OTHERS)
"""Responses to other requests."""
