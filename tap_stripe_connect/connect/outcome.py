"""What a sitting tells the terminal and the pages: accounts, and how an attempt ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum


class Exit(IntEnum):
    """Exit codes of the commands."""

    OK = 0
    FAILED = 1
    USAGE = 2
    DENIED = 3
    WRONG_ACCOUNT = 4
    TIMED_OUT = 5
    INTERRUPTED = 130


class Access(Enum):
    """Whether an account can be read."""

    OK = "ok"
    DENIED = "denied"
    UNKNOWN = "unknown"
    """Stripe did not answer."""


@dataclass(frozen=True)
class ConnectedAccount:
    """An account that the settings name, as it stood when it was looked at."""

    id: str
    name: str = ""
    """As its owner chose it, without control characters; empty where Stripe did not tell.
    Whoever shows it on a page has to escape it."""
    country: str = ""
    livemode: bool = False
    access: Access = Access.OK
    empty: bool = False
    """Whether it has no charges, customers or balance transactions, where that was looked up."""
    reason: str = ""
    """Why it cannot be read, or is not known: one line, safe to print."""
    key_refused: bool = False
    """Whether it is the key that Stripe does not accept, whatever the account."""


class Kind(Enum):
    """How an attempt to connect an account ended; each has its own page and exit code."""

    CONNECTED = "connected"
    ALREADY = "already"
    """It was connected before, and still is."""
    EMPTY = "empty"
    """Connected, but there is nothing in it; the terminal asks whether to keep it."""
    OTHER_ACCOUNT = "other_account"
    """Another one than was to be renewed."""
    DENIED = "denied"
    EXPIRED = "expired"
    USED = "used"
    """The code had been redeemed before; Stripe withdraws the connection then."""
    WRONG_SESSION = "wrong_session"
    """It belongs to no attempt of this sitting; waiting goes on."""
    WRONG_MODE = "wrong_mode"
    FAILED = "failed"

    @property
    def exit(self) -> Exit:
        """Return the exit code of a command that ends so."""
        return _EXITS.get(self, Exit.FAILED)

    @property
    def final(self) -> bool:
        """Whether the attempt is over; if not, waiting goes on."""
        return self is not Kind.WRONG_SESSION


_EXITS = {
    Kind.CONNECTED: Exit.OK,
    Kind.ALREADY: Exit.OK,
    Kind.EMPTY: Exit.OK,
    Kind.OTHER_ACCOUNT: Exit.WRONG_ACCOUNT,
    Kind.WRONG_MODE: Exit.WRONG_ACCOUNT,
    Kind.DENIED: Exit.DENIED,
}


@dataclass(frozen=True)
class Outcome:
    """The end of an attempt."""

    kind: Kind
    line: str
    """What the terminal says: one line, without secrets, codes or control characters."""
    advice: str = ""
    """What to do next; more lines for the terminal."""
    account: ConnectedAccount | None = None
