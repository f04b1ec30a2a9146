"""The Connect applications, and what accounts have granted them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from msgspec import structs

from tap_stripe_connect.simulator.connect import denial
from tap_stripe_connect.simulator.identifiers import identifier

if TYPE_CHECKING:
    import threading

    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.world import Key, World

CODE_LIFE = 300
"""For how many seconds a code can be exchanged."""


class Client(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A client id of a platform's Connect application, of one mode."""

    id: str
    redirect_uris: tuple[str, ...]
    """Where it may come back to; the first unless asked otherwise."""
    livemode: bool = False
    account: str | None = None
    """Whose it is; None: the world's platform."""
    name: str = "Simulated platform"
    enabled: bool = True
    """Whether OAuth is switched on."""
    extension: bool = False
    """Whether it may ask for `read_only`, as only old applications may."""

    def __post_init__(self) -> None:
        """Check what the Dashboard would not take; a ValueError says what."""
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
    """An authorization code, known for ever."""

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
        """Start without any."""
        self._world = world
        self._lock = lock
        self._clients: dict[str, Client] = {}
        self._codes: dict[str, Code] = {}
        self._grants: dict[str, Grant] = {}

    def add_client(self, client: Client) -> Client:
        """Add a client id, or change the one that has it, and return it with its owner."""
        owned = structs.replace(client, account=client.account or self._world.platform.id)
        with self._lock:
            self._clients[owned.id] = owned
        return owned

    def client(self, id_: str) -> Client | None:
        """Return the client with this id, or None."""
        with self._lock:
            return self._clients.get(id_)

    def consent(self, client: Client, account: Account, scope: str) -> str:
        """Let an account approve an application, and return the code that says so."""
        with self._lock:
            text = identifier("authorization_code", client.id, account.id, len(self._codes))
            self._codes[text] = Code(text, client, account.id, scope, self._world.clock.now)
            return text

    def redeem(self, key: Key, text: str) -> tuple[Code, Grant]:
        """Connect the account of a code that is presented for the first time and in time.

        Everything else is a Denial; the second time also takes the connection away.
        """
        with self._lock:
            code = self._codes.get(text)
            if code is None:
                raise denial.unknown_code(text)
            if not _owns(key, code.client) or code.account == code.client.account:
                raise denial.foreign_code()
            if code.used:
                if self._world.connected(code.account):
                    self._world.disconnect(code.account)
                raise denial.used_code()
            if self._world.clock.now >= code.issued + CODE_LIFE:
                raise denial.expired_code(text)
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
        """Let a platform give up an account, or raise a Denial."""
        with self._lock:
            client = self._clients.get(client_id)
            if client is None or not _owns(key, client):
                raise denial.unknown_client()
            account = self._world.account(account_id)
            # An account that the world began with counts as connected through any client.
            grant = self._grants.get(account_id, Grant(client, ""))
            connected = self._world.connected(account_id) and grant.client.id == client_id
            if account is None or not connected:
                raise denial.not_connected(account_id)
            if account.controlled_by == client.account:
                raise denial.controlled(account_id)
            self._grants[account_id] = grant
            self._world.disconnect(account_id)

    def withdraw(self, account_id: str) -> None:
        """Forget a grant that has ended, and tell of it in the account's events."""
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
