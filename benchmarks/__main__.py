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
from benchmarks.measuring import Bench, absentees
from benchmarks.processes import BenchmarkError
from benchmarks.works import QUICK, QUICK_TURNS, TURNS, WORKS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from benchmarks.work import Results, Work

ROOT = Path(__file__).parents[1]

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and perhaps write; 1 if something fails or a demand is missed."""
    command_line = parser()
    asked = command_line.parse_args(arguments)
    if asked.write and (asked.quick or asked.only):
        command_line.error("--write needs all works")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    works, turns = (QUICK, QUICK_TURNS) if asked.quick else (WORKS, asked.turns)
    works = {name: work for name, work in works.items() if name in (asked.only or works)}
    absent = absentees({name for work in works.values() for name in work.largest})
    remarks = [f"Not measured: {reason}." for reason in absent.values()]
    found: dict[str, Results] = {}
    with tempfile.TemporaryDirectory() as folder:
        # The present, because that is how far tap-stripe reads.
        bench = Bench(Path(folder), int(time.time()), turns, absent)
        for name, work in works.items():
            logger.info("\n%s: %s", name, work.about)
            try:
                found[name] = bench.measure(work, chosen(work, asked.sizes))
            except BenchmarkError as error:
                logger.error("%s", error)  # noqa: TRY400 - where in this program says nothing
                remarks.append(f"Failed: {work.about}.")
    text = report.document(found, remarks, turns)
    sys.stdout.write(text)
    if asked.write:
        write(text, report.summary(found))
    return int(len(found) < len(works) or any(map(report.missed, found.values())))


def write(text: str, summary: str) -> None:
    """Put the figures into the documentation."""
    (ROOT / "docs" / "speed.md").write_text(text, "utf-8")
    readme = ROOT / "README.md"
    readme.write_text(report.filled(readme.read_text("utf-8"), summary), "utf-8")


def chosen(work: Work, asked: Collection[int] | None) -> list[int]:
    """Return the sizes to measure a work at, none of them beyond what was asked for."""
    if not asked:
        return list(work.sizes)
    if len(work.sizes) == 1:
        return [min(work.sizes[0], max(asked))]
    return sorted(asked)


def parser() -> argparse.ArgumentParser:
    """Return what the command line may say."""
    made = argparse.ArgumentParser(prog="python3 dev.py bench", description=__doc__)
    made.add_argument("--quick", action="store_true", help="one work, for every push")
    made.add_argument(
        "--sizes",
        type=lambda text: [int(size) for size in text.split(",")],
        metavar="N,…",
        help="objects in each list, for works that grow; the others get no larger than the largest",
    )
    made.add_argument("--only", nargs="+", choices=WORKS, help="some of the works")
    made.add_argument("--turns", type=int, default=TURNS, help="for each median (%(default)s)")
    made.add_argument(
        "--write", action="store_true", help="write docs/speed.md and the README's table"
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
