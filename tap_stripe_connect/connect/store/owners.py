"""Whose a file is."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def stranger(path: Path) -> int | None:
    """Return the user, if another than us, that a file or a symbolic link on the way to it has.

    None also where there is no file, and on systems without users that are numbers.
    """
    if sys.platform == "win32" or not os.path.lexists(path):
        return None
    kept = [path.lstat()] + [path.stat()] * path.exists()
    return next((one.st_uid for one in kept if one.st_uid != os.getuid()), None)
