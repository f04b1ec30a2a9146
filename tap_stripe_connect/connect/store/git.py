"""Whether git would commit a file."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from tap_stripe_connect.connect.environment import without_secrets
from tap_stripe_connect.connect.store.owners import stranger

if TYPE_CHECKING:
    from pathlib import Path

_NO_PROGRAMS = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
"""A folder's git configuration can name programs, which git would run for us."""


def would_be_committed(path: Path) -> bool:
    """Tell whether the file is in a git work tree, and not ignored or already tracked.

    Folders of other users are not asked about: their git configuration would be ours.
    """
    git = shutil.which("git")
    if not git or not path.parent.is_dir() or stranger(path.parent) is not None:
        return False
    asked = subprocess.run(  # noqa: S603 - git, found on the path, with a file's name
        [git, *_NO_PROGRAMS, "-C", str(path.parent), "check-ignore", "--quiet", "--", path.name],
        check=False,
        capture_output=True,
        env=without_secrets(os.environ),
    )
    not_ignored = 1
    return asked.returncode == not_ignored
