"""Runs whole processes and measures them."""

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

from benchmarks.server import HOST, REQUEST_STATS, RequestStats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from benchmarks.load import Load

SINK = Path(__file__).with_name("sink.py")
SHOWN = 2_000
"""Characters of a failed process's log that are shown."""


class BenchmarkError(Exception):
    """A measurement failed, or the subject did not write what it should."""


@dataclass(frozen=True)
class Measurement:
    """The measurement of one whole process."""

    wall: float
    """Wall-clock seconds."""
    cpu: float
    """Seconds of CPU, in user and system mode."""
    memory: float
    """Peak memory in MB of 10⁶ bytes."""
    records: int
    """RECORD messages written."""
    size: int
    """Bytes written."""
    requests: int = 0
    rate_limited: int = 0
    """Responses with status 429."""
    server_cpu: float = 0.0
    """Seconds of CPU of the page server in the same time."""


class PageServer:
    """A page server in a process of its own, as a context manager."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._cpu = 0.0
        self.url = ""

    def __enter__(self) -> Self:
        """Start the server, and set `url`."""
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
        self.request_stats()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Stop it, by closing its standard input."""
        self._process.communicate()

    def request_stats(self) -> RequestStats:
        """Return and reset the statistics of requests and CPU."""
        with urlopen(self.url + REQUEST_STATS) as response:  # noqa: S310 - an address of our own
            stats = msgspec.json.decode(response.read(), type=RequestStats)
        self._cpu, stats.cpu = stats.cpu, stats.cpu - self._cpu
        return stats


def run(
    command: Sequence[str],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    max_rate: float = 0.0,
) -> Measurement:
    """Run a tap that writes into the sink; raise BenchmarkError if it fails.

    `max_rate` is how many bytes per second the sink reads, 0 for no limit.
    """
    with log.open("wb") as errors:
        begin = time.perf_counter()
        tap = subprocess.Popen(  # noqa: S603 - the commands of subjects.py
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **(environment or {})},
        )
        assert tap.stdout  # noqa: S101 - a pipe was asked for
        sink = subprocess.Popen(  # noqa: S603 - a file of this package
            [sys.executable, "-S", str(SINK), str(max_rate)],
            stdin=tap.stdout,
            stdout=subprocess.PIPE,
        )
        tap.stdout.close()
        # Not `wait`, which does not return the resource usage.
        _, status, used = os.wait4(tap.pid, 0)
        wall = time.perf_counter() - begin
        tap.returncode = os.waitstatus_to_exitcode(status)
        counted = json.loads(sink.communicate()[0])
    if tap.returncode:
        output = log.read_text("utf-8", "replace")[-SHOWN:]
        raise BenchmarkError(f"{command[0]} ended with {tap.returncode}:\n{output}")
    return Measurement(
        wall=wall,
        cpu=used.ru_utime + used.ru_stime,
        memory=used.ru_maxrss * 1024 / 1e6,
        records=counted["records"],
        size=counted["bytes"],
    )
