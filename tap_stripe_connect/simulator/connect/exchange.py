"""What a platform's server asks of Connect: a connection for a code, and the end of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_stripe_connect.simulator import access, refusal
from tap_stripe_connect.simulator.answers import Reply
from tap_stripe_connect.simulator.connect.denial import Denial
from tap_stripe_connect.simulator.identifiers import identifier

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.answers import Call
    from tap_stripe_connect.simulator.world import Key, World


def token(world: World, call: Call) -> Reply:
    """Exchange a code; tokens stand in the answer although Stripe deprecates them."""
    key = _platform_key(world, call)
    kind = _required(call, "grant_type", "grant type")
    if kind != "authorization_code":
        raise Denial("unsupported_grant_type", f"Unsupported grant type: {kind}")
    code, grant = world.connect.redeem(key, _required(call, "code", "authorization code"))
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
    return Reply(200, msgspec.json.encode(content))


def deauthorize(world: World, call: Call) -> Reply:
    """Disconnect an account from the platform."""
    key = _platform_key(world, call)
    client_id = _required(call, "client_id", "client_id")
    account_id = _required(call, "stripe_user_id", "stripe_user_id")
    world.connect.deauthorize(key, client_id, account_id)
    return Reply(200, msgspec.json.encode({"stripe_user_id": account_id}))


def _platform_key(world: World, call: Call) -> Key:
    secret = access.secret_in(call.headers) or call.form.get("client_secret", "")
    key = access.identify(world, secret)
    if key.permissions is not None or key.members is not None:
        raise refusal.secret_key_only(secret, key.account)
    return key


def _required(call: Call, name: str, spoken: str) -> str:
    if not call.form.get(name):
        raise Denial("invalid_request", f"No {spoken} specified")
    return call.form[name]
