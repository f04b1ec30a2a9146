"""Connect applications, and the access that accounts have granted them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from msgspec import structs

from tap_stripe_connect.simulator.connect import oauth_errors
from tap_stripe_connect.simulator.identifiers import identifier

if TYPE_CHECKING:
    import threading

    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.world import Key, World

CODE_LIFE = 300
"""Lifetime of a code in seconds."""


class Client(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A client id of a platform's Connect application, of one mode."""

    id: str
    redirect_uris: tuple[str, ...]
    """Allowed redirect URIs; the first is the default."""
    livemode: bool = False
    account: str | None = None
    """The owner; None for the world's platform."""
    name: str = "Simulated platform"
    enabled: bool = True
    """Whether OAuth is enabled."""
    extension: bool = False
    """Whether it may request `read_only`, as only old applications may."""

    def __post_init__(self) -> None:
        """Raise ValueError for a redirect URI that the Dashboard would reject."""
        if not self.redirect_uris:
            raise ValueError(f"{self.id} has no redirect_uris")
        for uri in self.redirect_uris:
            parts = urlsplit(uri)
            clean = uri.isascii() and uri.isprintable() and " " not in uri
            if not clean or parts.scheme not in {"http", "https"} or not parts.netloc:
                raise ValueError(f"{uri!r} is no address to come back to")
            if self.livemode and parts.scheme != "https":
                raise ValueError(f"{uri!r} is not https, as live mode demands")


@dataclass(slots=True)
class Code:
    """An authorization code, which is never removed."""

    text: str
    client: Client
    account: str
    scope: str
    issued: int
    used: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """Access that an account has given to an application."""

    client: Client
    token: str


class Registry:
    """The clients, codes and grants of a world, under the world's lock."""

    def __init__(self, world: World, lock: threading.RLock) -> None:
        self._world = world
        self._lock = lock
        self._clients: dict[str, Client] = {}
        self._codes: dict[str, Code] = {}
        self._grants: dict[str, Grant] = {}

    def add_client(self, client: Client) -> Client:
        """Add or replace a client, and return it with its owner."""
        owned = structs.replace(client, account=client.account or self._world.platform.id)
        with self._lock:
            self._clients[owned.id] = owned
        return owned

    def client(self, id_: str) -> Client | None:
        """Return the client with this id, or None."""
        with self._lock:
            return self._clients.get(id_)

    def consent(self, client: Client, account: Account, scope: str) -> str:
        """Record an account's consent to an application, and return the code."""
        with self._lock:
            text = identifier("authorization_code", client.id, account.id, len(self._codes))
            self._codes[text] = Code(text, client, account.id, scope, self._world.clock.now)
            return text

    def exchange_code(self, key: Key, text: str) -> tuple[Code, Grant]:
        """Connect the account of a code that is unused and has not expired.

        Raises OAuthError for any other code; a used one also disconnects its account.
        """
        with self._lock:
            code = self._codes.get(text)
            if code is None:
                raise oauth_errors.unknown_code(text)
            if not _owns(key, code.client) or code.account == code.client.account:
                raise oauth_errors.foreign_code()
            if code.used:
                if self._world.connected(code.account):
                    self._world.disconnect(code.account)
                raise oauth_errors.used_code()
            if self._world.clock.now >= code.issued + CODE_LIFE:
                raise oauth_errors.expired_code(text)
            code.used = True
            mode = "live" if code.client.livemode else "test"
            grant = Grant(code.client, f"sk_{mode}_{identifier('access_token', text)}")
            if code.client.account == self._world.platform.id:
                self._forget(code.account)
                self._world.add_account(code.account)
                self._world.add_key(grant.token, account=code.account)
                self._grants[code.account] = grant
            return code, grant

    def deauthorize(self, key: Key, client_id: str, account_id: str) -> None:
        """Disconnect an account from a platform, or raise OAuthError."""
        with self._lock:
            client = self._clients.get(client_id)
            if client is None or not _owns(key, client):
                raise oauth_errors.unknown_client()
            account = self._world.account(account_id)
            # An account that was connected from the start may be disconnected through any client.
            grant = self._grants.get(account_id, Grant(client, ""))
            connected = self._world.connected(account_id) and grant.client.id == client_id
            if account is None or not connected:
                raise oauth_errors.not_connected(account_id)
            if account.controlled_by == client.account:
                raise oauth_errors.controlled(account_id)
            self._grants[account_id] = grant
            self._world.disconnect(account_id)

    def revoke(self, account_id: str) -> None:
        """Remove a grant, and add an event to the account."""
        with self._lock:
            grant = self._forget(account_id)
            account = self._world.account(account_id)
            if grant is None or account is None:
                return
            application = {"id": grant.client.id, "object": "application"}
            account.add_event(
                "account.application.deauthorized", application | {"name": grant.client.name}
            )

    def _forget(self, account_id: str) -> Grant | None:
        grant = self._grants.pop(account_id, None)
        if grant is not None and self._world.key(grant.token) is not None:
            self._world.remove_key(grant.token)
        return grant


def _owns(key: Key, client: Client) -> bool:
    return key.account == client.account and key.livemode == client.livemode
