"""Measures works: everyone in turns, so that what the machine does meanwhile meets them all."""

from __future__ import annotations

import json
import logging
import subprocess
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.contestants import CONTESTANTS, NO_PACE, AbsentError, Task, this_tap
from benchmarks.load import DAY, Conditions
from benchmarks.processes import BenchmarkError, Figures, PageServer, run
from benchmarks.work import Results

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from benchmarks.work import Work

SLOWNESS = 10
"""Times that a slowed target takes longer than the tap."""
WARM_UP = 100
"""Objects of the runs before, which leave compiled modules and catalogs behind."""

logger = logging.getLogger(__name__)


def absentees(names: Iterable[str]) -> dict[str, str]:
    """Install who is to be measured; return who can't be, and why."""
    absent = {}
    for name in names:
        try:
            CONTESTANTS[name].install()
        except AbsentError as reason:
            absent[name] = str(reason)
            logger.warning("Without %s: %s", CONTESTANTS[name].about, reason)
    return absent


@dataclass(frozen=True)
class Bench:
    """Where and when works are measured."""

    folder: Path
    """For settings, catalogs and logs."""
    now: int
    """Stripe's present, in unix seconds."""
    turns: int
    absent: Collection[str] = ()
    """Contestants to leave out."""

    def measure(self, work: Work, sizes: Sequence[int]) -> Results:
        """Measure a work at each size; BenchmarkError if somebody fails."""
        found: defaultdict[tuple[str, int], list[Figures]] = defaultdict(list)
        for size in sizes:
            names = [
                name
                for name, largest in work.largest.items()
                if size <= largest and name not in self.absent
            ]
            state = self._read_before(work, size) if work.resumes else None
            self._warm_up(work, names)
            with PageServer(work.load(size, self.now)) as server:
                for name in names * self.turns:
                    slowed = CONTESTANTS[name].slowed
                    pace = _tenth(found["ours", size][-1]) if slowed else 0.0
                    turn = self._turn(work, size, name, server, state=state, reading=pace)
                    found[name, size].append(turn)
                    _tell(name, size, turn)
        return Results(work, found)

    def _turn(  # noqa: PLR0913 - all that makes one turn differ from another
        self,
        work: Work,
        size: int,
        name: str,
        server: PageServer,
        *,
        state: Path | None = None,
        reading: float = 0.0,
    ) -> Figures:
        """Measure one process, read at so many bytes per second."""
        command = CONTESTANTS[name].command(self._task(work, size, server.url, state))
        server.tally()
        log = self.folder / f"{name}.log"
        turn = run(command.arguments, log, environment=command.environment, pace=reading)
        told = server.tally()
        needed = work.records(size)
        # Others may write a row twice; this tap may not.
        if turn.records < needed or (name == "ours" and turn.records > needed):
            raise BenchmarkError(f"{name} wrote {turn.records:,} of {needed:,} records")
        return replace(turn, requests=told.requests, refused=told.refused, server_cpu=told.cpu)

    def _task(self, work: Work, size: int, url: str, state: Path | None) -> Task:
        oldest = min(spans[0].begin for spans in work.load(size, self.now).spans.values())
        # A day before it, because tap-stripe leaves out what was created at its start itself.
        return Task(url, work.streams, oldest - DAY, self.folder, work.pace, state)

    def _warm_up(self, work: Work, names: Iterable[str]) -> None:
        """Let everyone run once without being measured."""
        small = replace(work, resumes=False, changes=0, conditions=Conditions())
        with PageServer(small.load(WARM_UP, self.now)) as server:
            for name in names:
                self._turn(small, WARM_UP, name, server)

    def _read_before(self, work: Work, size: int) -> Path:
        """Let this tap read everything, and return the state that it ended with."""
        state = self.folder / "state.json"
        with PageServer(work.before(size, self.now)) as server:
            task = replace(self._task(work, size, server.url, None), pace=NO_PACE)
            with subprocess.Popen(  # noqa: S603 - this tap
                this_tap(task).arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ) as tap:
                assert tap.stdout  # noqa: S101 - a pipe was asked for
                # Not kept: what this process holds counts as the least that its children take.
                for line in tap.stdout:
                    if b'"STATE"' in line:
                        state.write_text(json.dumps(json.loads(line)["value"]), "utf-8")
        if tap.returncode:
            raise BenchmarkError(f"the run before ended with {tap.returncode}")
        return state


def _tenth(unhindered: Figures) -> float:
    """Return the bytes per second of a target that holds the tap back."""
    return unhindered.size / (unhindered.wall * SLOWNESS)


def _tell(name: str, size: int, turn: Figures) -> None:
    logger.info(
        "%9s  %-45s %7.2f s %7.2f s of CPU (server %.2f) %5.0f MB %7d requests",
        f"{size:,}",
        CONTESTANTS[name].about,
        turn.wall,
        turn.cpu,
        turn.server_cpu,
        turn.memory,
        turn.requests,
    )
