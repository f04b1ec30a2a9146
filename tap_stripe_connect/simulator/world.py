"""Everything the simulator knows: accounts, keys and the time."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tap_stripe_connect.simulator.account import Account
from tap_stripe_connect.simulator.clock import Clock
from tap_stripe_connect.simulator.collection import Collection, Entry

if TYPE_CHECKING:
    from collections.abc import Collection as Names
    from collections.abc import Mapping

    from tap_stripe_connect.simulator.collection import Selection

SECRET_KEY_TEST = "sk_test_simulator"  # noqa: S105 - the simulator's well-known key
SECRET_KEY_LIVE = "sk_live_simulator"  # noqa: S105 - the simulator's well-known key
AGE = 10 * 365 * 86_400
"""How many seconds before the present accounts were opened, unless said otherwise."""


@dataclass(frozen=True, slots=True)
class Key:
    """An API key."""

    secret: str
    account: str
    permissions: frozenset[str] | None
    """What a restricted key may read, by Stripe's names; None for a secret key."""

    def permits(self, permission: str) -> bool:
        """Tell whether the key may do what needs the permission."""
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
        self.api_key = self.add_key(SECRET_KEY_LIVE if livemode else SECRET_KEY_TEST)

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The platform and all that were ever connected to it, by id."""
        with self._lock:
            return dict(self._accounts)

    def add_account(self, account_id: str) -> Account:
        """Connect an account: a new one, or again one that was disconnected."""
        with self._lock:
            account = self._accounts.get(account_id)
            if account is None:
                account = self._accounts[account_id] = Account(
                    account_id,
                    self.clock,
                    created=self._opened,
                    livemode=self.livemode,
                    connected=True,
                )
            if account is not self.platform:
                encoded = msgspec.json.encode(account.document())
                self._connections.put(Entry(account_id, account.created, 0, encoded, encoded))
            return account

    def disconnect(self, account_id: str) -> None:
        """Take away the platform's access; an account that is not connected is a KeyError."""
        with self._lock:
            self._connections.remove(account_id)

    def connected(self, account_id: str) -> bool:
        """Tell whether the platform can act on the account."""
        with self._lock:
            return account_id in self._connections

    def add_key(
        self, secret: str, *, account: str | None = None, permissions: Names[str] | None = None
    ) -> str:
        """Add a key of an account, the platform's unless said otherwise, and return the secret.

        With `permissions`, by Stripe's names such as `rak_charge_read`, it is a restricted key.
        """
        allowed = None if permissions is None else frozenset(permissions)
        with self._lock:
            self._keys[secret] = Key(secret, account or self.platform.id, allowed)
        return secret

    def remove_key(self, secret: str) -> None:
        """Revoke a key; an unknown one is a KeyError."""
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
            self._connections.admit(self.clock.now)
            entries, has_more = self._connections.select(selection)
            return [entry.rendered for entry in entries], has_more
