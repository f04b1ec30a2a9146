"""The two-step form: what `--start` leaves for `--complete`, in a file without secrets."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tap_stripe_connect.connect.outcome import Exit, Kind
from tap_stripe_connect.connect.refusals import Refusal

if TYPE_CHECKING:
    from pathlib import Path

LIFETIME = 900.0
"""Seconds from `--start` to `--complete`."""
LARGEST = 10_000
"""Bytes; a file that was written here is far smaller."""
KINDS = {
    "state": str,
    "client_id": str,
    "redirect_uri": str,
    "livemode": bool,
    "renewing": str,
    "deadline": float,
}
_CAREFULLY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""Neither a link to elsewhere, nor a pipe that nobody writes to."""
_START = "Begin with connect --start."


@dataclass(frozen=True)
class Pending:
    """An attempt that waits for its answer, in another process."""

    state: str
    client_id: str
    redirect_uri: str
    livemode: bool
    renewing: str
    deadline: float
    """Unix time."""


def beside(settings: Path) -> Path:
    """Return where the attempt for a settings file is kept."""
    return settings.with_name(f"{settings.name}.connect-pending")


def keep(path: Path, pending: Pending) -> None:
    """Write the attempt, in place of an older one, for the owner only; raises OSError."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(pending), file)


def load(path: Path) -> Pending:
    """Return the attempt, or raise Refusal if there is none, it is too old, or not our own."""
    try:
        handle = os.open(path, os.O_RDONLY | _CAREFULLY)
    except FileNotFoundError:
        raise _refusal("No attempt was started, or it is complete already.") from None
    except OSError as error:
        raise _refusal(f"{path} cannot be read: {error.strerror}") from None
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise _refusal(f"{path} is not a file.")
        foreign = sys.platform != "win32" and (
            found.st_uid != os.getuid() or bool(stat.S_IMODE(found.st_mode) & 0o077)
        )
        if foreign:
            raise _refusal(f"{path} could have been written by somebody else.")
        pending = _read(file.read(LARGEST), path)
    if not time.time() < pending.deadline <= time.time() + LIFETIME:
        path.unlink(missing_ok=True)
        line = f"The link is older than {LIFETIME / 60:.0f} minutes."
        raise Refusal(Kind.EXPIRED, line, _START)
    return pending


def claim(path: Path) -> None:
    """Take the attempt away, so that it is completed once; Refusal if another was quicker."""
    try:
        path.unlink()
    except FileNotFoundError:
        raise _refusal("The attempt is being completed already.") from None


def _read(content: bytes, path: Path) -> Pending:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    right = isinstance(found, dict) and found.keys() == KINDS.keys()
    if not right or any(type(found[name]) is not kind for name, kind in KINDS.items()):
        raise _refusal(f"{path} is damaged.")
    return Pending(**found)


def _refusal(line: str) -> Refusal:
    return Refusal(Kind.FAILED, line, _START, exit=Exit.USAGE)
