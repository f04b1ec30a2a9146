"""Who is measured: this tap, the floor, the last release, and a peer in its own environment."""

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
NO_PACE = 100_000
"""Requests per second that no machine reaches."""


@dataclass(frozen=True)
class Task:
    """What a tap is to do."""

    url: str
    streams: Sequence[str]
    since: int
    """Where to begin, in unix seconds, for taps that must be told."""
    folder: Path
    """Where settings and catalogs may be put."""
    pace: int = NO_PACE
    """Requests per second that the tap may send."""
    state: Path | None = None


@dataclass(frozen=True)
class Command:
    """How a tap is started."""

    arguments: Sequence[str]
    environment: Mapping[str, str]


class AbsentError(Exception):
    """A contestant can't take part; the message says why."""


def this_tap(task: Task) -> Command:
    """Run the tap of this checkout."""
    return _ours(Path(sys.executable).parent, task)


def last_release(task: Task) -> Command:
    """Run the tap of the newest tag."""
    return _ours(dev.ROOT / RELEASE / "bin", task)


def floor(task: Task) -> Command:
    """Run the least that a tap has to do."""
    return Command([sys.executable, str(HERE / "floor.py"), task.url, *task.streams], {})


def peer(task: Task) -> Command:
    """Run tap-stripe, whose requests its environment points at the page server."""
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
        "max_requests_per_second": task.pace,
    }
    return _singer(folder / "tap-stripe-connect", settings, {}, task)


def _singer(
    executable: Path, settings: Mapping[str, Any], environment: Mapping[str, str], task: Task
) -> Command:
    """Write the settings and the catalog that Singer taps are started with."""
    environments = executable.parents[1].name
    config = task.folder / f"{environments}-config.json"
    config.write_text(json.dumps(settings), "utf-8")
    begin = [str(executable), "--config", str(config)]
    # All streams together would be too long a name.
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
    """Return a catalog with just these streams selected, and all their fields."""
    for stream in catalog["streams"]:
        chosen = stream["tap_stream_id"] in streams
        for entry in stream["metadata"]:
            entry["metadata"]["selected"] = chosen
    return catalog


def install_peer() -> None:
    """Install tap-stripe into an environment of its own; AbsentError if that fails."""
    try:
        dev.prepare(PEER)
    except dev.SetupError as error:
        raise AbsentError(f"{PEER.packages[0]} can't be installed: {error}") from error


def install_release() -> None:
    """Build and install the newest tag; AbsentError where there is none."""
    git = shutil.which("git")
    if git is None:
        raise AbsentError("there is no git to find a release with")
    newest = subprocess.run(  # noqa: S603 - git
        [git, "describe", "--tags", "--abbrev=0"], check=False, capture_output=True, text=True
    )
    tag = newest.stdout.strip()
    if not tag:
        raise AbsentError("nothing has been released yet: there is no tag")
    archive = dev.VENV / f"release-{tag}.zip"
    subprocess.run([git, "archive", "--prefix=release/", "--output", str(archive), tag], check=True)  # noqa: S603 - git
    try:
        dev.prepare(dev.Environment(f"release {tag}", RELEASE, (str(archive),)))
    except dev.SetupError as error:
        raise AbsentError(f"release {tag} can't be installed: {error}") from error


@dataclass(frozen=True)
class Contestant:
    """One column of the comparison."""

    about: str
    command: Callable[[Task], Command]
    install: Callable[[], None] = lambda: None
    """Called before it is measured; AbsentError if it can't be."""
    slowed: bool = False
    """Whether its target takes ten times as long as the tap of this checkout did just before."""


CONTESTANTS: Mapping[str, Contestant] = MappingProxyType(
    {
        "ours": Contestant("this tap", this_tap),
        "slowed": Contestant("this tap, its target ten times slower", this_tap, slowed=True),
        "floor": Contestant("the floor: requests, decode, encode; no SDK", floor),
        "release": Contestant("the last release", last_release, install_release),
        "peer": Contestant("tap-stripe 3.3.0", peer, install_peer),
    }
)
