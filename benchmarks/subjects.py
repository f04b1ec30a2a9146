"""The subjects: this tap, a baseline, the last release, and a peer in its own environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from zlib import crc32

import dev

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HERE = Path(__file__).parent
PEER = dev.Environment("tap-stripe", dev.VENV / "tap-stripe", ("tap-stripe==3.3.0",))
RELEASE = dev.VENV / "release"
UNLIMITED = 100_000
"""More requests per second than any machine reaches."""


@dataclass(frozen=True)
class Task:
    """The inputs of a tap's run."""

    url: str
    streams: Sequence[str]
    since: int
    """Start date in unix seconds, for taps that need one."""
    folder: Path
    """Folder for settings and catalogs."""
    max_rate: int = UNLIMITED
    """Maximum requests per second."""
    state: Path | None = None


@dataclass(frozen=True)
class Command:
    """The command line of a tap."""

    arguments: Sequence[str]
    environment: Mapping[str, str]


class UnavailableError(Exception):
    """A subject cannot be measured; the message says why."""


def this_tap(task: Task) -> Command:
    """Run the tap of this checkout."""
    return _ours(Path(sys.executable).parent, task)


def last_release(task: Task) -> Command:
    """Run the tap of the newest tag."""
    return _ours(dev.ROOT / RELEASE / "bin", task)


def baseline(task: Task) -> Command:
    """Run the baseline."""
    return Command([sys.executable, str(HERE / "baseline.py"), task.url, *task.streams], {})


def peer(task: Task) -> Command:
    """Run tap-stripe, with the page server as its proxy."""
    since = datetime.fromtimestamp(task.since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    settings = {
        "client_secret": "sk_live_benchmark",
        "account_id": "acct_1Benchmark",
        "start_date": since,
    }
    environment = {"http_proxy": task.url, "PYTHONPATH": str(HERE / "peer")}
    executable = dev.ROOT / PEER.folder / "bin" / "tap-stripe"
    return _singer(executable, settings, environment, task)


def _ours(folder: Path, task: Task) -> Command:
    settings = {
        "api_key": "sk_live_benchmark",
        "api_url": task.url,
        "max_requests_per_second": task.max_rate,
    }
    return _singer(folder / "tap-stripe-connect", settings, {}, task)


def _singer(
    executable: Path, settings: Mapping[str, Any], environment: Mapping[str, str], task: Task
) -> Command:
    """Write settings and catalog, and return the command line of a Singer tap."""
    environments = executable.parents[1].name
    config = task.folder / f"{environments}-config.json"
    config.write_text(json.dumps(settings), "utf-8")
    begin = [str(executable), "--config", str(config)]
    # The names of all streams would be too long for a file name.
    chosen = crc32(" ".join(task.streams).encode())
    catalog = task.folder / f"{environments}-{chosen:08x}.json"
    if not catalog.exists():
        found = subprocess.run(  # noqa: S603 - one of the taps above
            [*begin, "--discover"],
            env={**os.environ, **environment},
            check=True,
            capture_output=True,
        )
        catalog.write_text(json.dumps(selecting(json.loads(found.stdout), task.streams)), "utf-8")
    state = ["--state", str(task.state)] if task.state else []
    return Command([*begin, "--catalog", str(catalog), *state], environment)


def selecting(catalog: dict[str, Any], streams: Sequence[str]) -> dict[str, Any]:
    """Return a catalog that selects these streams with all fields, and no others."""
    for stream in catalog["streams"]:
        chosen = stream["tap_stream_id"] in streams
        for entry in stream["metadata"]:
            entry["metadata"]["selected"] = chosen
    return catalog


def install_peer() -> None:
    """Install tap-stripe into its own environment; raise UnavailableError if that fails."""
    try:
        dev.prepare(PEER)
    except dev.SetupError as error:
        raise UnavailableError(f"{PEER.packages[0]} can't be installed: {error}") from error


def install_release() -> None:
    """Build and install the newest tag; raise UnavailableError if there is none."""
    git = shutil.which("git")
    if git is None:
        raise UnavailableError("there is no git to find a release with")
    newest = subprocess.run(  # noqa: S603 - git
        [git, "describe", "--tags", "--abbrev=0"], check=False, capture_output=True, text=True
    )
    tag = newest.stdout.strip()
    if not tag:
        raise UnavailableError("nothing has been released yet: there is no tag")
    archive = dev.VENV / f"release-{tag}.zip"
    subprocess.run([git, "archive", "--prefix=release/", "--output", str(archive), tag], check=True)  # noqa: S603 - git
    try:
        dev.prepare(dev.Environment(f"release {tag}", RELEASE, (str(archive),)))
    except dev.SetupError as error:
        raise UnavailableError(f"release {tag} can't be installed: {error}") from error


@dataclass(frozen=True)
class Subject:
    """A program to measure."""

    about: str
    command: Callable[[Task], Command]
    install: Callable[[], None] = lambda: None
    """Called first; raises UnavailableError if the subject cannot be measured."""
    slowed: bool = False
    """Whether its target is ten times slower than the preceding turn of this tap."""


SUBJECTS: Mapping[str, Subject] = MappingProxyType(
    {
        "ours": Subject("this tap", this_tap),
        "slowed": Subject("this tap, its target ten times slower", this_tap, slowed=True),
        "baseline": Subject("baseline: requests, decode, encode; no SDK", baseline),
        "release": Subject("the last release", last_release, install_release),
        "peer": Subject("tap-stripe 3.3.0", peer, install_peer),
    }
)
