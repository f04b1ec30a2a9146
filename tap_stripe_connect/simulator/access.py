"""Who asks, and for which account."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_stripe_connect.simulator import refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.world import Key, World


@dataclass(frozen=True)
class Caller:
    """A known key, and the account it acts on."""

    key: Key
    account: Account
    on_behalf: bool
    """Whether the account was named by `Stripe-Account`."""


def authenticate(world: World, headers: Mapping[str, str]) -> Caller:
    """Return who asks for what, or refuse, as Stripe does before it looks at anything else."""
    secret = _secret(headers.get("authorization", ""))
    if not secret:
        raise refusal.no_key()
    if secret.startswith("pk_"):
        raise refusal.publishable_key()
    key = world.key(secret)
    own = None if key is None else world.account(key.account)
    if key is None or own is None:
        raise refusal.wrong_key(secret)
    named = headers.get("stripe-account")
    if named is None or named == own.id:
        return Caller(key, own, on_behalf=False)
    if own is not world.platform:
        raise refusal.not_a_platform()
    account = world.account(named)
    if account is None or not world.connected(named):
        raise refusal.no_access(secret, named)
    return Caller(key, account, on_behalf=True)


def permit(caller: Caller, permission: str) -> None:
    """Refuse a restricted key that lacks the permission."""
    if not caller.key.permits(permission):
        raise refusal.not_permitted(caller.key.secret, caller.account.id, permission)


def _secret(authorization: str) -> str:
    scheme, _, credentials = authorization.partition(" ")
    credentials = credentials.strip()
    if scheme.lower() == "bearer":
        return credentials
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""
