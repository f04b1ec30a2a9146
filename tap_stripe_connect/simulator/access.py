"""Authentication and permissions."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_stripe_connect.simulator import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.world import Key, World


@dataclass(frozen=True)
class Caller:
    """A known key, and the account on which it acts."""

    key: Key
    account: Account
    on_behalf: bool
    """Whether the account is connected to the key's account."""


def authenticate(world: World, headers: Mapping[str, str]) -> Caller:
    """Return the caller, or raise ApiError; Stripe checks this before anything else."""
    key = identify(world, secret_in(headers))
    named, context = headers.get("stripe-account"), headers.get("stripe-context")
    if named is not None and context is not None:
        raise errors.two_accounts()
    if key.members is not None:
        return _in_organization(world, key, key.members, headers)
    own = world.account(key.account)
    if own is None:
        raise errors.wrong_key(key.secret)
    wanted = context if named is None else named
    if wanted is None or wanted == own.id:
        return Caller(key, own, on_behalf=False)
    return Caller(key, _connected(world, key, own, wanted), on_behalf=True)


def identify(world: World, secret: str) -> Key:
    """Return the key; raise ApiError if it is missing, unknown or publishable."""
    if not secret:
        raise errors.no_key()
    if secret.startswith("pk_"):
        raise errors.publishable_key()
    key = world.key(secret)
    if key is None:
        raise errors.wrong_key(secret)
    return key


def permit(caller: Caller, permission: str) -> None:
    """Raise ApiError if a restricted key lacks the permission."""
    if not caller.key.permits(permission):
        raise errors.not_permitted(caller.key.secret, caller.account.id, permission)


def _in_organization(
    world: World, key: Key, members: frozenset[str], headers: Mapping[str, str]
) -> Caller:
    """Resolve `member` or `member/connected` in the Stripe-Context of an organization's key."""
    context = headers.get("stripe-context")
    if not context:
        raise errors.organization_header("Stripe-Context", "target account")
    if not headers.get("stripe-version"):
        raise errors.organization_header("Stripe-Version", "API version")
    first, slash, connected = context.partition("/")
    member = world.account(first) if first in members else None
    if member is None:
        raise errors.no_access(key.secret, first)
    if not slash:
        return Caller(key, member, on_behalf=False)
    return Caller(key, _connected(world, key, member, connected), on_behalf=True)


def _connected(world: World, key: Key, platform: Account, wanted: str) -> Account:
    if platform is not world.platform:
        raise errors.not_a_platform()
    account = world.account(wanted)
    if account is None or not world.connected(wanted):
        raise errors.no_access(key.secret, wanted)
    return account


def secret_in(headers: Mapping[str, str]) -> str:
    """Return the key of Bearer or Basic authorization, or an empty string."""
    authorization = headers.get("authorization", "")
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
