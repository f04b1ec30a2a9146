"""Writes or checks generated files."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from scripts.stripe_package import PackageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


def main(
    about: str | None,
    folder: Path,
    pattern: str,
    texts: Callable[[], Mapping[str, str]],
    arguments: Sequence[str] | None,
) -> int:
    """Write changed files of a folder, or with `--check` name them.

    `texts` returns what the files that match the pattern should hold, by name; the others are
    removed. Returns the exit code.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on stale files")
    check = parser.parse_args(arguments).check
    try:
        wanted = texts()
    except PackageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    present = {path.name: path.read_text("utf-8") for path in folder.glob(pattern)}
    stale = sorted(name for name in {**wanted, **present} if wanted.get(name) != present.get(name))
    for name in stale:
        print(f"stale: {name}")
        if check:
            continue
        if name in wanted:
            (folder / name).write_text(wanted[name], "utf-8", newline="\n")
        else:
            (folder / name).unlink()
    return 1 if check and stale else 0
