"""Replacing a file whole, or not at all."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

if sys.platform != "win32":
    import fcntl


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> bool:
    """Change a file's content and make it readable by its owner only; False: nothing to change.

    Whatever goes wrong, the file is as it was before, or as it should be. Symbolic links stay,
    what they point to is replaced. Raises OSError, and what `change` raises.
    """
    target = Path(os.path.realpath(path))
    with _alone(target.parent):
        _clear(target)
        before = target.read_bytes() if target.exists() else b""
        after = change(before)
        if after == before:
            if target.exists():
                target.chmod(0o600)
            return False
        _replace(target, after)
        return True


def _replace(target: Path, content: bytes) -> None:
    owner = target.stat() if target.exists() else None
    # Made with mode 0600, whatever the umask, and beside the file, so that renaming is atomic.
    handle, name = tempfile.mkstemp(prefix=_leftovers(target), dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        if owner and sys.platform != "win32":
            with suppress(PermissionError):  # only root may give files away
                os.chown(name, owner.st_uid, owner.st_gid)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync(target.parent)


def _leftovers(target: Path) -> str:
    return f".{target.name}.connect-"


def _clear(target: Path) -> None:
    """Remove what a run that was killed between writing and replacing has left."""
    for left in target.parent.iterdir():
        if left.name.startswith(_leftovers(target)) and stat.S_ISREG(left.lstat().st_mode):
            with suppress(PermissionError):  # in a shared folder it may be another user's
                left.unlink()


def _sync(folder: Path) -> None:
    """Make the new name last through a power failure, where the file system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let others who rewrite in the folder wait, so that nobody's change is lost."""
    if sys.platform == "win32":
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
