"""Who may see the pages: the address of a port is open to every user of the machine."""

from __future__ import annotations

import hmac
import secrets
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Admission:
    """Keys for the first visit, and the cookie by which a browser is known afterwards."""

    def __init__(self, port: int) -> None:
        """Make up new secrets; browsers send cookies to all ports of a host, hence its name."""
        # Hexadecimal, as the terminal takes out what looks like one of Stripe's keys.
        self.key = secrets.token_hex(16)
        """For the address that the terminal shows; good until the end."""
        self._name = f"tap_stripe_connect_{port}"
        self._value = secrets.token_hex(16)
        self._unused: list[str] = []
        self._lock = threading.Lock()

    @property
    def cookie(self) -> str:
        """What `Set-Cookie` says; Lax, as browsers come back from Stripe's site."""
        return f"{self._name}={self._value}; Path=/; HttpOnly; SameSite=Lax"

    def for_one_visit(self) -> str:
        """Return a key that admits once: all users see the command line of a browser."""
        with self._lock:
            self._unused.append(secrets.token_hex(16))
            return self._unused[-1]

    def admits(self, key: str) -> bool:
        """Tell whether a key opens the pages, and take it if it was for one visit."""
        with self._lock:
            used = [one for one in self._unused if same(one, key)]
            self._unused = [one for one in self._unused if one not in used]
        return bool(used) or same(self.key, key)

    def knows(self, cookies: Iterable[str]) -> bool:
        """Tell whether a browser was admitted, by its `Cookie` headers."""
        given = [one.strip() for header in cookies for one in header.split(";")]
        wanted = f"{self._name}={self._value}"
        return sum(same(wanted, one) for one in given) > 0


def same(one: str, other: str) -> bool:
    """Compare a secret with what was sent, in time that does not depend on how alike they are."""
    return hmac.compare_digest(one.encode(), other.encode(errors="surrogatepass"))
