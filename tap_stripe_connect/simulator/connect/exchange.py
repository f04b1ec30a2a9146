"""Connect endpoints for a platform's server: exchange a code, and disconnect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_stripe_connect.simulator import access, errors
from tap_stripe_connect.simulator.calls import Response
from tap_stripe_connect.simulator.connect.oauth_errors import OAuthError
from tap_stripe_connect.simulator.identifiers import identifier

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.calls import Call
    from tap_stripe_connect.simulator.world import Key, World


def token(world: World, call: Call) -> Response:
    """Exchange a code; the response includes tokens although Stripe deprecates them."""
    key = _platform_key(world, call)
    kind = _required(call, "grant_type", "grant type")
    if kind != "authorization_code":
        raise OAuthError("unsupported_grant_type", f"Unsupported grant type: {kind}")
    code, grant = world.connect.exchange_code(key, _required(call, "code", "authorization code"))
    seed = (code.client.id, code.account)
    mode = "live" if code.client.livemode else "test"
    content = {
        "access_token": grant.token,
        "livemode": code.client.livemode,
        "refresh_token": identifier("refresh_token", *seed),
        "scope": code.scope,
        "stripe_publishable_key": f"pk_{mode}_{identifier('publishable_key', *seed)}",
        "stripe_user_id": code.account,
        "token_type": "bearer",
    }
    return Response(200, msgspec.json.encode(content))


def deauthorize(world: World, call: Call) -> Response:
    """Disconnect an account from the platform."""
    key = _platform_key(world, call)
    client_id = _required(call, "client_id", "client_id")
    account_id = _required(call, "stripe_user_id", "stripe_user_id")
    world.connect.deauthorize(key, client_id, account_id)
    return Response(200, msgspec.json.encode({"stripe_user_id": account_id}))


def _platform_key(world: World, call: Call) -> Key:
    secret = access.secret_in(call.headers) or call.form.get("client_secret", "")
    key = access.identify(world, secret)
    if key.permissions is not None or key.members is not None:
        raise errors.secret_key_only(secret, key.account)
    return key


def _required(call: Call, name: str, spoken: str) -> str:
    if not call.form.get(name):
        raise OAuthError("invalid_request", f"No {spoken} specified")
    return call.form[name]
