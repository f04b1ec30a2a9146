"""Set up what a task needs in .venv, then run the task: `python3 dev.py demo`.

Needs only Python and pip. Releases are pinned in requirements/; `python3 dev.py lock` renews them.
"""

# ruff: noqa: T201 - printing is its output

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parent
VENV = Path(".venv")
UV = VENV / "uv"
"""Where uv is put, apart from the packages of the project."""
UV_VERSION = "uv~=0.13.8"
OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 99)


@dataclass(frozen=True)
class Environment:
    """A virtual environment and what is installed into it."""

    about: str
    folder: Path
    packages: tuple[str, ...]
    """Lines of a requirements file."""
    lock: Path | None = None
    """The file that pins the releases; None takes the newest that fit."""
    groups: tuple[str, ...] = ()
    """Options that name dependency groups of pyproject.toml."""

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.folder / "bin" / "python"


@dataclass(frozen=True)
class Task:
    """A task that the command line can name."""

    about: str
    environments: tuple[Environment, ...]
    """Commands run in the first one, or in this Python if there is none."""
    commands: tuple[str, ...]
    """Run one after the other; one that fails does not stop the rest."""
    fast: tuple[str, ...] = ()
    """Run instead with `--fast`."""
    newest: tuple[int, int] = NEWEST_PYTHON
    variables: tuple[tuple[str, str], ...] = ()
    """Set for the commands."""


# Reads what the target wrote; the target's own release is in meltano.yml.
DUCKDB = "duckdb>=1.2.2,<1.5"
LOCK = Path("requirements/dev.txt")
MELTANO_LOCK = Path("requirements/meltano.txt")
DEVELOP = Environment(
    "the tap and its development tools",
    VENV,
    ("-e .[simulator]", DUCKDB),
    LOCK,
    ("--group", "dev"),
)
DEMO = Environment("the tap, its simulator and DuckDB", VENV, ("-e .[simulator]", DUCKDB), LOCK)
BENCH = Environment("the tap and its simulator", VENV, ("-e .[simulator]",), LOCK)
# Separate, because its requirements conflict with newer releases of the tap's.
MELTANO = Environment("Meltano", VENV / "meltano", ("meltano==4.4.1",), MELTANO_LOCK)

TASKS: Mapping[str, Task] = {
    "demo": Task(
        "load three simulated years of Stripe into DuckDB with Meltano (--help for options)",
        (DEMO, MELTANO),
        ("-m scripts.demo",),
        newest=(3, 13),  # the last with wheels for the target's release of duckdb
    ),
    "test": Task(
        "run the tests with branch coverage; arguments go to pytest (--fast: no slow ones)",
        (DEVELOP, MELTANO),
        ("-m pytest --cov --numprocesses=logical --dist=loadfile",),
        fast=("-m pytest --numprocesses=logical --dist=loadfile -m not(slow)",),
    ),
    "truth": Task(
        "run random schedules against the simulator (--schedules N, --seed S, --defects)",
        (DEVELOP,),
        ("-m tests.property.runner",),
    ),
    "lint": Task(
        "check style, types, layers and everything generated",
        (DEVELOP,),
        (
            "-m ruff check",
            "-m ruff format --check",
            "-m mypy",
            ".venv/bin/lint-imports --no-logo --no-cache",  # has no `python -m`
            "-m scripts.generate_endpoints --check",
            "-m scripts.generate_schemas --check",
            "scripts/generate_docs.py --check",
        ),
    ),
    "bench": Task(
        "measure speed and memory against two other taps (--quick, --sizes, --only, --write)",
        (BENCH,),
        ("-m benchmarks",),
    ),
    "screenshots": Task(
        "test the pages of `connect` in a browser and update the images in docs/images",
        (DEVELOP, MELTANO),
        ("-m pytest tests/browser",),
        variables=(("UPDATE_IMAGES", "1"),),
    ),
    "docs": Task("update the generated tables", (DEVELOP,), ("scripts/generate_docs.py",)),
    "lock": Task("pin the newest releases in requirements/", (), ("-m scripts.lock",)),
    "schemas": Task(
        "regenerate lists, events and schemas from Stripe's package",
        (DEVELOP,),
        ("-m scripts.generate_endpoints", "-m scripts.generate_schemas"),
    ),
}


class SetupError(Exception):
    """Something is missing; the message says what to do."""


def main(arguments: Sequence[str]) -> int:
    """Run a task and return its exit code."""
    name, *rest = arguments or ["--help"]
    if name not in TASKS:
        print(usage())
        return 0 if name in {"-h", "--help"} else 2
    task = TASKS[name]
    if task.fast and "--fast" in rest:
        rest.remove("--fast")
        task = replace(task, commands=task.fast)
    if rest and len(task.commands) > 1:
        print(f"{name} takes no arguments")
        return 2
    if not OLDEST_PYTHON <= sys.version_info[:2] <= task.newest:
        print(wrong_python(task))
        return 1
    os.chdir(ROOT)
    # Trust the machine's certificates, as pip does, and so a company's proxy.
    os.environ.setdefault("UV_SYSTEM_CERTS", "true")
    try:
        for environment in task.environments:
            prepare(environment)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return run(task, rest)


def wrong_python(task: Task) -> str:
    """Return the error for a Python that the task does not support."""
    oldest, newest = (".".join(map(str, version)) for version in (OLDEST_PYTHON, task.newest))
    needed = f"{oldest} to {newest}" if task.newest < NEWEST_PYTHON else f"{oldest} or newer"
    return f"Python {needed} is needed, this is {sys.version.split()[0]}"


def usage() -> str:
    """Return the help text."""
    lines = [f"  {name:12} {task.about}" for name, task in TASKS.items()]
    return "\n".join(["Usage: python3 dev.py TASK [ARGUMENTS]", "", *lines])


def run(task: Task, arguments: Sequence[str]) -> int:
    """Run the commands of a task; a single command replaces this process."""
    os.environ.update(task.variables)
    python = str(task.environments[0].python) if task.environments else sys.executable
    commands = [[python, *command.split(), *arguments] for command in task.commands]
    sys.stdout.flush()
    if len(commands) == 1:
        os.execv(python, commands[0])  # noqa: S606 - so that signals and exit codes are its own
    failed = []
    for command in commands:
        shown = " ".join(command[1:]).removeprefix("-m ")
        print(f"$ {shown}", flush=True)
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - from the table above
            failed.append(shown)
    print(f"failed: {', '.join(failed)}" if failed else "all fine")
    return 1 if failed else 0


def prepare(environment: Environment) -> None:
    """Create and fill an environment, unless that is done; raises SetupError."""
    stamp = environment.folder / "installed" / fingerprint(environment)
    if stamp.exists() and environment.python.exists():
        return
    if not environment.python.exists():
        create = ["-m", "venv", "--without-pip", "--clear", str(environment.folder)]
        step(f"Creating {environment.folder}", [sys.executable, *create])
    packages = [word for line in environment.packages for word in line.split()]
    options = ["--python", str(environment.python)]
    if environment.lock:
        options += ["--constraint", str(environment.lock)]
    arguments = ["pip", "install", *options, *packages, *environment.groups]
    step(f"Installing {environment.about}", [uv(), *arguments])
    stamp.parent.mkdir(exist_ok=True)
    stamp.touch()


def fingerprint(environment: Environment) -> str:
    """Return a digest of everything that decides what is installed."""
    locks = [environment.lock] if environment.lock else []
    files = [file.read_text("utf-8") for file in (Path("pyproject.toml"), *locks)]
    parts = [*environment.packages, *environment.groups, sys.version, *files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def uv() -> str:
    """Return the path of uv; installs it if it is missing.

    It gets a folder of its own, which requires neither `ensurepip` nor write access to the system.
    """
    program = UV / "bin" / "uv"
    if not program.exists():
        if no_pip():
            if anywhere := shutil.which("uv"):
                return anywhere
            raise SetupError("pip is missing. Install it (Debian: apt install python3-pip), or uv.")
        pip = [sys.executable, "-m", "pip", "install", "--target", str(UV), UV_VERSION]
        # Override user settings that conflict with --target.
        neutral = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
        step("Installing uv", pip, neutral)
    return str(program)


def no_pip() -> bool:
    """Return whether this Python lacks pip."""
    probe = [sys.executable, "-m", "pip", "--version"]
    return subprocess.run(probe, check=False, capture_output=True).returncode != 0  # noqa: S603 - our own


def step(what: str, command: Sequence[str], extra: Mapping[str, str] | None = None) -> None:
    """Run a command and report how long it took; its output is shown only if it fails."""
    print(f"{what} … ", end="", flush=True, file=sys.stderr)
    start = time.monotonic()
    done = subprocess.run(  # noqa: S603 - commands of this file
        command,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(extra or {})},
    )
    if done.returncode:
        print("failed", file=sys.stderr)
        raise SetupError(f"{done.stdout}\n{' '.join(command)}\nended with {done.returncode}")
    print(f"{time.monotonic() - start:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
