"""Set up what a task needs in .venv, then run the task: `python3 dev.py demo`.

Needs Python and pip, nothing else. What is installed already is not installed again.
"""

# ruff: noqa: T201 - printing is its output

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
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
    """A virtual environment and what belongs into it."""

    about: str
    folder: Path
    requirements: tuple[str, ...]
    """Arguments of `uv pip install`."""

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.folder / "bin" / "python"


@dataclass(frozen=True)
class Task:
    """What a word on the command line stands for."""

    about: str
    environments: tuple[Environment, ...]
    commands: tuple[str, ...]
    """Run one after the other in the first environment; one that fails does not stop the rest."""
    newest: tuple[int, int] = NEWEST_PYTHON
    variables: tuple[tuple[str, str], ...] = ()
    """Of the environment that the commands run in."""


# Opens what the target has written; the target itself has a release of its own in meltano.yml.
DUCKDB = "duckdb>=1.2.2,<1.5"
DEVELOP = Environment(
    "the tap and all that develops it", VENV, ("-e", ".", "--group", "dev", DUCKDB)
)
DEMO = Environment("the tap, its simulator and DuckDB", VENV, ("-e", ".[simulator]", DUCKDB))
BENCH = Environment("the tap and its simulator", VENV, ("-e", ".[simulator]"))
# Apart from the project, whose requirements it would hold back.
MELTANO = Environment("Meltano", VENV / "meltano", ("meltano==4.4.1",))

TASKS: Mapping[str, Task] = {
    "demo": Task(
        "load three made-up years of Stripe into DuckDB with Meltano (--help for options)",
        (DEMO, MELTANO),
        ("-m scripts.demo",),
        newest=(3, 13),  # of which the target's release of duckdb has wheels
    ),
    "test": Task(
        "run the tests with branch coverage; arguments go to pytest",
        (DEVELOP, MELTANO),
        ("-m pytest --cov --numprocesses=logical --dist=loadfile",),
    ),
    "truth": Task(
        "play random schedules against a simulated Stripe (--schedules N, --seed S, --defects)",
        (DEVELOP,),
        ("-m tests.property.runner",),
    ),
    "lint": Task(
        "check style, types and everything generated",
        (DEVELOP,),
        (
            "-m ruff check",
            "-m ruff format --check",
            "-m mypy",
            "-m scripts.generate_endpoints --check",
            "-m scripts.generate_schemas --check",
            "scripts/generate_docs.py --check",
        ),
    ),
    "bench": Task(
        "measure speed and memory against a floor and a peer (--quick, --sizes, --only, --write)",
        (BENCH,),
        ("-m benchmarks",),
    ),
    "screenshots": Task(
        "drive the pages of `connect` in a browser, and take the pictures of docs/images again",
        (DEVELOP, MELTANO),
        ("-m pytest tests/browser",),
        variables=(("UPDATE_IMAGES", "1"),),
    ),
    "docs": Task("write the generated tables again", (DEVELOP,), ("scripts/generate_docs.py",)),
    "schemas": Task(
        "write again what is generated from Stripe's package: lists, events, streams' schemas",
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
    if rest and len(task.commands) > 1:
        print(f"{name} takes no arguments")
        return 2
    if not OLDEST_PYTHON <= sys.version_info[:2] <= task.newest:
        print(wrong_python(task))
        return 1
    os.chdir(ROOT)
    # The machine's certificates, as pip uses them: a company's proxy is trusted then.
    os.environ.setdefault("UV_SYSTEM_CERTS", "true")
    try:
        for environment in task.environments:
            prepare(environment)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return run(task, rest)


def wrong_python(task: Task) -> str:
    """Return which Python a task needs."""
    oldest, newest = (".".join(map(str, version)) for version in (OLDEST_PYTHON, task.newest))
    needed = f"{oldest} to {newest}" if task.newest < NEWEST_PYTHON else f"{oldest} or newer"
    return f"Python {needed} is needed, this is {sys.version.split()[0]}"


def usage() -> str:
    """Return what can be asked for."""
    lines = [f"  {name:12} {task.about}" for name, task in TASKS.items()]
    return "\n".join(["Usage: python3 dev.py TASK [ARGUMENTS]", "", *lines])


def run(task: Task, arguments: Sequence[str]) -> int:
    """Run the commands of a task; a single one takes the place of this process."""
    os.environ.update(task.variables)
    python = str(task.environments[0].python)
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
    """Install what is not installed yet; raises SetupError."""
    stamp = environment.folder / "installed" / fingerprint(environment)
    if stamp.exists() and environment.python.exists():
        return
    if not environment.python.exists():
        create = ["-m", "venv", "--without-pip", "--clear", str(environment.folder)]
        step(f"Creating {environment.folder}", [sys.executable, *create])
    arguments = ["pip", "install", "--python", str(environment.python), *environment.requirements]
    step(f"Installing {environment.about}", [uv(), *arguments])
    stamp.parent.mkdir(exist_ok=True)
    stamp.touch()


def fingerprint(environment: Environment) -> str:
    """Return a name that changes whenever something else would be installed."""
    parts = [*environment.requirements, sys.version, Path("pyproject.toml").read_text("utf-8")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def uv() -> str:
    """Return the path of uv, installing it if need be.

    Into a folder of its own, which needs neither `ensurepip` nor leave to change the system.
    """
    program = UV / "bin" / "uv"
    if not program.exists():
        if no_pip():
            if anywhere := shutil.which("uv"):
                return anywhere
            raise SetupError("pip is missing. Install it (Debian: apt install python3-pip), or uv.")
        pip = [sys.executable, "-m", "pip", "install", "--target", str(UV), UV_VERSION]
        # Settings of the user that contradict a target folder.
        neutral = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
        step("Installing uv", pip, neutral)
    return str(program)


def no_pip() -> bool:
    """Tell whether this Python lacks pip."""
    probe = [sys.executable, "-m", "pip", "--version"]
    return subprocess.run(probe, check=False, capture_output=True).returncode != 0  # noqa: S603 - our own


def step(what: str, command: Sequence[str], extra: Mapping[str, str] | None = None) -> None:
    """Run a command quietly, and tell how long it took; its output only if it fails."""
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
