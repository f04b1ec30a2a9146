"""Pin the environments of dev.py: writes requirements/*.txt with the newest compatible releases.

Pins without hashes or index addresses, so that they hold for any mirror of the package index.
"""

from __future__ import annotations

import subprocess
import sys

from dev import DEVELOP, LOCK, MELTANO, MELTANO_LOCK, OLDEST_PYTHON, Environment, uv

HEADER = "# Written by `python3 dev.py lock`; dev.py installs these releases.\n"


def pins(environment: Environment) -> str:
    """Return the pins of an environment, valid on every supported Python and platform."""
    options = ["--universal", "--python-version", ".".join(map(str, OLDEST_PYTHON))]
    options += ["--no-header", "--no-annotate", "--no-emit-package", "tap-stripe-connect"]
    groups, packages = environment.groups, environment.packages
    done = subprocess.run(  # noqa: S603 - arguments of dev.py's own tables
        [uv(), "pip", "compile", "-", "--quiet", *options, *groups],
        input="\n".join(packages),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def main() -> int:
    """Write the lock file of each environment that has one."""
    for environment, lock in ((DEVELOP, LOCK), (MELTANO, MELTANO_LOCK)):
        lock.write_text(HEADER + pins(environment), "utf-8")
        print(f"wrote {lock}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
