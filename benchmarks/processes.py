"""Runs whole processes and says what they took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.request import urlopen

import msgspec

from benchmarks.server import HOST, TALLY, Tally

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from benchmarks.load import Load

SINK = Path(__file__).with_name("sink.py")
SHOWN = 2_000
"""Characters of a failed process's log that are shown."""


class BenchmarkError(Exception):
    """A measurement could not be made, or what was measured did not do its work."""


@dataclass(frozen=True)
class Figures:
    """What one whole process took and did."""

    wall: float
    """Seconds until it ended."""
    cpu: float
    """Seconds of CPU, in user and system mode."""
    memory: float
    """Most memory held at once, in MB of 10⁶ bytes."""
    records: int
    """RECORD messages written."""
    size: int
    """Bytes written."""
    requests: int = 0
    refused: int = 0
    """Of these, answers with status 429."""
    server_cpu: float = 0.0
    """Seconds of CPU of the page server meanwhile."""


class PageServer:
    """A page server in a process of its own, as a context manager."""

    def __init__(self, load: Load) -> None:
        """Prepare to serve."""
        self._load = load
        self._cpu = 0.0
        self.url = ""

    def __enter__(self) -> Self:
        """Start; from now on `url` is true."""
        self._process = subprocess.Popen(  # noqa: S603 - a module of this package
            [
                sys.executable,
                "-m",
                "benchmarks.server",
                msgspec.json.encode(self._load).decode(),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
        )
        assert self._process.stdout  # noqa: S101 - a pipe was asked for
        port = self._process.stdout.readline().decode().strip()
        if not port:
            self.__exit__(None, None, None)
            raise BenchmarkError("the page server did not start")
        self.url = f"http://{HOST}:{port}"
        self.tally()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Stop it, by closing its standard input."""
        self._process.communicate()

    def tally(self) -> Tally:
        """Return what it was asked, and how much CPU it took, since this was asked last."""
        with urlopen(self.url + TALLY) as answer:  # noqa: S310 - an address of our own
            told = msgspec.json.decode(answer.read(), type=Tally)
        self._cpu, told.cpu = told.cpu, told.cpu - self._cpu
        return told


def run(
    command: Sequence[str],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    pace: float = 0.0,
) -> Figures:
    """Run a tap with a sink behind it; BenchmarkError if it fails.

    `pace` is how many bytes per second the sink reads, 0 for as many as come.
    """
    with log.open("wb") as errors:
        begin = time.perf_counter()
        tap = subprocess.Popen(  # noqa: S603 - the commands of contestants.py
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **(environment or {})},
        )
        assert tap.stdout  # noqa: S101 - a pipe was asked for
        sink = subprocess.Popen(  # noqa: S603 - a file of this package
            [sys.executable, "-S", str(SINK), str(pace)], stdin=tap.stdout, stdout=subprocess.PIPE
        )
        tap.stdout.close()
        # Not `wait`: only this tells what the process took.
        _, status, used = os.wait4(tap.pid, 0)
        wall = time.perf_counter() - begin
        tap.returncode = os.waitstatus_to_exitcode(status)
        counted = json.loads(sink.communicate()[0])
    if tap.returncode:
        told = log.read_text("utf-8", "replace")[-SHOWN:]
        raise BenchmarkError(f"{command[0]} ended with {tap.returncode}:\n{told}")
    return Figures(
        wall=wall,
        cpu=used.ru_utime + used.ru_stime,
        memory=used.ru_maxrss * 1024 / 1e6,
        records=counted["records"],
        size=counted["bytes"],
    )
