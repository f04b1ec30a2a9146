"""Stripe's side of Connect OAuth: sign-in and consent, codes, tokens, disconnecting."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tap_stripe_connect.simulator import refusal
from tap_stripe_connect.simulator.answers import Reply
from tap_stripe_connect.simulator.connect import authorize, exchange
from tap_stripe_connect.simulator.connect.denial import Denial
from tap_stripe_connect.simulator.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_stripe_connect.simulator.answers import Call
    from tap_stripe_connect.simulator.world import World

ANSWERS: Mapping[tuple[str, str], Callable[[World, Call], Reply]] = MappingProxyType(
    {
        ("GET", "/oauth/authorize"): authorize.start,
        ("POST", "/oauth/authorize"): authorize.proceed,
        ("POST", "/oauth/token"): exchange.token,
        ("POST", "/oauth/deauthorize"): exchange.deauthorize,
    }
)
PATHS = frozenset(path for _, path in ANSWERS)


def answer(world: World, call: Call) -> Reply:
    """Answer a request for one of the paths as Stripe does."""
    try:
        found = ANSWERS.get((call.method, call.path))
        if found is None:
            raise refusal.unrecognized(call.method, unquote(call.path))
        return found(world, call)
    except Refusal as refused:
        return Reply.refused(refused)
    except Denial as denied:
        return denied.reply
