"""The state of the simulator: accounts, keys and the time."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from tap_stripe_connect.simulator.account import Account
from tap_stripe_connect.simulator.clock import Clock
from tap_stripe_connect.simulator.collection import Collection, Entry
from tap_stripe_connect.simulator.connect.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Collection as Names
    from collections.abc import Mapping

    from tap_stripe_connect.simulator.collection import Selection

SECRET_KEY_TEST = "sk_test_simulator"  # noqa: S105 - the simulator's well-known key
SECRET_KEY_LIVE = "sk_live_simulator"  # noqa: S105 - the simulator's well-known key
AGE = 10 * 365 * 86_400
"""Default age of accounts in seconds."""


@dataclass(frozen=True, slots=True)
class Key:
    """An API key."""

    secret: str
    account: str
    permissions: frozenset[str] | None
    """What a restricted key may read, by Stripe's names; None for a secret key."""
    members: frozenset[str] | None = None
    """The accounts of an organization's key, which has no account of its own."""

    @property
    def livemode(self) -> bool:
        """Whether it is a live key, by its prefix."""
        return self.secret.startswith(("sk_live_", "rk_live_"))

    def permits(self, permission: str) -> bool:
        """Return whether the key has the permission."""
        return self.permissions is None or permission in self.permissions


class World:
    """A platform, the accounts connected to it, and the keys; safe to use from any thread."""

    def __init__(
        self,
        *,
        now: int,
        livemode: bool = False,
        platform: str = "acct_1Simulator",
        running: bool = False,
        opened: int | None = None,
    ) -> None:
        """Start with the platform's account and one secret key, `api_key`.

        A `running` clock moves on with real time; `opened` is when accounts were created.
        """
        self.clock = Clock(now, running=running)
        self.livemode = livemode
        self._opened = now - AGE if opened is None else opened
        self._lock = threading.RLock()
        self._connections = Collection()
        self.platform = Account(
            platform, self.clock, created=self._opened, livemode=livemode, connected=False
        )
        self._accounts = {platform: self.platform}
        self._keys: dict[str, Key] = {}
        self._emails = {self.platform.email: platform}
        self.connect = Registry(self, self._lock)
        """Connect applications and what accounts have granted them."""
        self.api_key = self.add_key(SECRET_KEY_LIVE if livemode else SECRET_KEY_TEST)

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The platform and all accounts that can be or were connected to it, by id."""
        with self._lock:
            return dict(self._accounts)

    def add_account(self, account_id: str) -> Account:
        """Connect an account, which may be new or disconnected."""
        with self._lock:
            account = self.add_signup(account_id)
            if account is not self.platform:
                self._connect(account)
            return account

    def add_signup(
        self,
        account_id: str,
        *,
        email: str | None = None,
        name: str | None = None,
        controlled_by: str | None = None,
    ) -> Account:
        """Add or change an account that can sign in to be connected, and return it.

        `controlled_by` is the platform, this or another, with exclusive write access.
        Raises ValueError for an e-mail address of another account.
        """
        with self._lock:
            account = self._accounts.get(account_id) or Account(
                account_id,
                self.clock,
                created=self._opened,
                livemode=self.livemode,
                connected=True,
            )
            wanted = email or account.email
            owner = self._emails.setdefault(wanted.lower(), account_id)
            if email is not None and owner != account_id:
                raise ValueError(f"{email} is the address of {owner}")
            account.email = wanted
            account.name = name or account.name
            account.controlled_by = controlled_by or account.controlled_by
            self._accounts[account_id] = account
            if account_id in self._connections:
                self._connect(account)
            return account

    def signups(self, most: int) -> list[Account]:
        """Return the first accounts, at most `most`, that can be connected to the platform."""
        with self._lock:
            return list(islice(self._accounts.values(), 1, most + 1))

    def sign_in(self, name: str) -> Account | None:
        """Return the account with this e-mail address or id, or None."""
        name = name.strip()
        with self._lock:
            return self._accounts.get(self._emails.get(name.lower(), name))

    def disconnect(self, account_id: str) -> None:
        """Revoke the platform's access; raise KeyError if the account is not connected.

        If it was connected over OAuth, its tokens are revoked, with an event.
        """
        with self._lock:
            self._connections.remove(account_id)
            self.connect.revoke(account_id)

    def connected(self, account_id: str) -> bool:
        """Return whether the platform can act on the account."""
        with self._lock:
            return account_id in self._connections

    def add_key(
        self, secret: str, *, account: str | None = None, permissions: Names[str] | None = None
    ) -> str:
        """Add a key of an account, by default the platform's, and return the secret.

        With `permissions`, by Stripe's names such as `rak_charge_read`, it is a restricted key.
        """
        allowed = None if permissions is None else frozenset(permissions)
        with self._lock:
            self._keys[secret] = Key(secret, account or self.platform.id, allowed)
        return secret

    def add_organization_key(self, secret: str, *, accounts: Names[str]) -> str:
        """Add an organization's key, `sk_org_…`, for some accounts, and return the secret."""
        with self._lock:
            self._keys[secret] = Key(secret, "", None, frozenset(accounts))
        return secret

    def remove_key(self, secret: str) -> None:
        """Revoke a key; raise KeyError if it is unknown."""
        with self._lock:
            del self._keys[secret]

    def key(self, secret: str) -> Key | None:
        """Return the key, or None."""
        with self._lock:
            return self._keys.get(secret)

    def account(self, account_id: str) -> Account | None:
        """Return the account, connected or not, or None."""
        with self._lock:
            return self._accounts.get(account_id)

    def connections(self, selection: Selection) -> tuple[list[bytes], bool]:
        """Return the JSON of a page of connected accounts, and whether there are more."""
        with self._lock:
            self._connections.show_due(self.clock.now)
            entries, has_more = self._connections.select(selection)
            return [entry.rendered for entry in entries], has_more

    def _connect(self, account: Account) -> None:
        encoded = msgspec.json.encode(account.document())
        self._connections.put(Entry(account.id, account.created, 0, encoded, encoded))
