"""Stripe's side of Connect OAuth: sign-in and consent, codes, tokens, disconnecting."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tap_stripe_connect.simulator import errors
from tap_stripe_connect.simulator.calls import Response
from tap_stripe_connect.simulator.connect import authorize, exchange
from tap_stripe_connect.simulator.connect.oauth_errors import OAuthError
from tap_stripe_connect.simulator.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_stripe_connect.simulator.calls import Call
    from tap_stripe_connect.simulator.world import World

HANDLERS: Mapping[tuple[str, str], Callable[[World, Call], Response]] = MappingProxyType(
    {
        ("GET", "/oauth/authorize"): authorize.start,
        ("POST", "/oauth/authorize"): authorize.proceed,
        ("POST", "/oauth/token"): exchange.token,
        ("POST", "/oauth/deauthorize"): exchange.deauthorize,
    }
)
PATHS = frozenset(path for _, path in HANDLERS)


def answer(world: World, call: Call) -> Response:
    """Return Stripe's response to a call of one of the paths."""
    try:
        found = HANDLERS.get((call.method, call.path))
        if found is None:
            raise errors.unrecognized(call.method, unquote(call.path))
        return found(world, call)
    except ApiError as error:
        return Response.from_error(error)
    except OAuthError as error:
        return error.response
