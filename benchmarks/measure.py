"""Measures scenarios, with the subjects in turns so that load on the machine affects all."""

from __future__ import annotations

import json
import logging
import subprocess
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.load import DAY, Conditions
from benchmarks.processes import BenchmarkError, Measurement, PageServer, run
from benchmarks.scenario import Results
from benchmarks.subjects import SUBJECTS, UNLIMITED, Task, UnavailableError, this_tap

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from benchmarks.scenario import Scenario

SLOWNESS = 10
"""Factor by which a slowed target is slower than the tap."""
WARM_UP = 100
"""Objects of the runs that compile modules and write catalogs first."""

logger = logging.getLogger(__name__)


def install_subjects(names: Iterable[str]) -> dict[str, str]:
    """Install subjects; return those that are unavailable, with the reason."""
    unavailable = {}
    for name in names:
        try:
            SUBJECTS[name].install()
        except UnavailableError as reason:
            unavailable[name] = str(reason)
            logger.warning("Not measuring %s: %s", SUBJECTS[name].about, reason)
    return unavailable


@dataclass(frozen=True)
class Benchmark:
    """The settings of a benchmark."""

    folder: Path
    """For settings, catalogs and logs."""
    now: int
    """Stripe's present, in unix seconds."""
    turns: int
    unavailable: Collection[str] = ()
    """Subjects to skip."""

    def measure(self, scenario: Scenario, sizes: Sequence[int]) -> Results:
        """Measure a scenario at each size; raise BenchmarkError if a subject fails."""
        found: defaultdict[tuple[str, int], list[Measurement]] = defaultdict(list)
        for size in sizes:
            names = [
                name
                for name, largest in scenario.largest.items()
                if size <= largest and name not in self.unavailable
            ]
            state = self._earlier_run(scenario, size) if scenario.resumes_after else None
            self._warm_up(scenario, names)
            with PageServer(scenario.load(size, self.now)) as server:
                for name in names * self.turns:
                    slowed = SUBJECTS[name].slowed
                    max_rate = _slow_rate(found["ours", size][-1]) if slowed else 0.0
                    turn = self._turn(scenario, size, name, server, state=state, read_rate=max_rate)
                    found[name, size].append(turn)
                    _log(name, size, turn)
        return Results(scenario, found)

    def _turn(  # noqa: PLR0913 - everything that differs between turns
        self,
        scenario: Scenario,
        size: int,
        name: str,
        server: PageServer,
        *,
        state: Path | None = None,
        read_rate: float = 0.0,
    ) -> Measurement:
        """Measure one process, read at `read_rate` bytes per second, or without limit at 0."""
        command = SUBJECTS[name].command(self._task(scenario, size, server.url, state))
        server.request_stats()
        log = self.folder / f"{name}.log"
        turn = run(command.arguments, log, environment=command.environment, max_rate=read_rate)
        stats = server.request_stats()
        needed = scenario.records(size)
        # Other subjects may write a row twice; this tap may not.
        if turn.records < needed or (name == "ours" and turn.records > needed):
            raise BenchmarkError(f"{name} wrote {turn.records:,} of {needed:,} records")
        return replace(
            turn, requests=stats.requests, rate_limited=stats.rate_limited, server_cpu=stats.cpu
        )

    def _task(self, scenario: Scenario, size: int, url: str, state: Path | None) -> Task:
        oldest = min(spans[0].begin for spans in scenario.load(size, self.now).spans.values())
        # A day earlier, because tap-stripe excludes objects created exactly at its start.
        return Task(url, scenario.streams, oldest - DAY, self.folder, scenario.max_rate, state)

    def _warm_up(self, scenario: Scenario, names: Iterable[str]) -> None:
        """Run each subject once without measuring it."""
        small = replace(scenario, resumes_after=0, changes=0, conditions=Conditions())
        with PageServer(small.load(WARM_UP, self.now)) as server:
            for name in names:
                self._turn(small, WARM_UP, name, server)

    def _earlier_run(self, scenario: Scenario, size: int) -> Path:
        """Run this tap once, and return its final state."""
        state = self.folder / "state.json"
        with PageServer(scenario.earlier_load(size, self.now)) as server:
            task = replace(self._task(scenario, size, server.url, None), max_rate=UNLIMITED)
            with subprocess.Popen(  # noqa: S603 - this tap
                this_tap(task).arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ) as tap:
                assert tap.stdout  # noqa: S101 - a pipe was asked for
                # Not kept: this process's memory is the minimum that its children show.
                for line in tap.stdout:
                    if b'"STATE"' in line:
                        state.write_text(json.dumps(json.loads(line)["value"]), "utf-8")
        if tap.returncode:
            raise BenchmarkError(f"the earlier run ended with {tap.returncode}")
        return state


def _slow_rate(turn: Measurement) -> float:
    """Return the bytes per second of a target that holds the tap back."""
    return turn.size / (turn.wall * SLOWNESS)


def _log(name: str, size: int, turn: Measurement) -> None:
    logger.info(
        "%9s  %-45s %7.2f s %7.2f s of CPU (server %.2f) %5.0f MB %7d requests",
        f"{size:,}",
        SUBJECTS[name].about,
        turn.wall,
        turn.cpu,
        turn.server_cpu,
        turn.memory,
        turn.requests,
    )
