"""The command line: `python3 dev.py bench`."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import report
from benchmarks.measure import Benchmark, install_subjects
from benchmarks.processes import BenchmarkError
from benchmarks.scenarios import QUICK, QUICK_TURNS, SCENARIOS, TURNS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from benchmarks.scenario import Results, Scenario

ROOT = Path(__file__).parents[1]

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 if a scenario fails or misses a threshold."""
    command_line = parser()
    asked = command_line.parse_args(arguments)
    if asked.write and (asked.quick or asked.only):
        command_line.error("--write needs all scenarios")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    scenarios, turns = (QUICK, QUICK_TURNS) if asked.quick else (SCENARIOS, asked.turns)
    scenarios = {
        name: scenario for name, scenario in scenarios.items() if name in (asked.only or scenarios)
    }
    unavailable = install_subjects(
        {name for scenario in scenarios.values() for name in scenario.largest}
    )
    remarks = [f"Not measured: {reason}." for reason in unavailable.values()]
    found: dict[str, Results] = {}
    with tempfile.TemporaryDirectory() as folder:
        # The present, because that is how far tap-stripe reads.
        benchmark = Benchmark(Path(folder), int(time.time()), turns, unavailable)
        for name, scenario in scenarios.items():
            logger.info("\n%s: %s", name, scenario.about)
            try:
                found[name] = benchmark.measure(scenario, chosen(scenario, asked.sizes))
            except BenchmarkError as error:
                logger.error("%s", error)  # noqa: TRY400 - where in this program says nothing
                remarks.append(f"Failed: {scenario.about}.")
    text = report.document(found, remarks, turns)
    sys.stdout.write(text)
    if asked.write:
        write(text, report.summary(found))
    return int(len(found) < len(scenarios) or any(map(report.missed, found.values())))


def write(text: str, summary: str) -> None:
    """Write docs/speed.md and the README's table."""
    (ROOT / "docs" / "speed.md").write_text(text, "utf-8")
    readme = ROOT / "README.md"
    readme.write_text(report.filled(readme.read_text("utf-8"), summary), "utf-8")


def chosen(scenario: Scenario, asked: Collection[int] | None) -> list[int]:
    """Return the sizes at which to measure a scenario, capped by the requested ones."""
    if not asked:
        return list(scenario.sizes)
    if len(scenario.sizes) == 1:
        return [min(scenario.sizes[0], max(asked))]
    return sorted(asked)


def parser() -> argparse.ArgumentParser:
    """Return the command-line parser."""
    made = argparse.ArgumentParser(prog="python3 dev.py bench", description=__doc__)
    made.add_argument("--quick", action="store_true", help="one small scenario, for every push")
    made.add_argument(
        "--sizes",
        type=lambda text: [int(size) for size in text.split(",")],
        metavar="N,…",
        help="objects in each list; scenarios of one size use at most the largest",
    )
    made.add_argument("--only", nargs="+", choices=SCENARIOS, help="some of the scenarios")
    made.add_argument("--turns", type=int, default=TURNS, help="for each median (%(default)s)")
    made.add_argument(
        "--write", action="store_true", help="write docs/speed.md and the README's table"
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
