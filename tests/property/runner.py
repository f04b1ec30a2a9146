"""Runs many schedules: `python3 dev.py truth --schedules N --seed S`."""

from __future__ import annotations

import argparse
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.property.comparison import Mismatch
from tests.property.corpus import CORPUS
from tests.property.corpus_by_feature import BY_FEATURE
from tests.property.defects import DEFECTS
from tests.property.features import ENABLED, Feature
from tests.property.schedule_run import ScheduleRun
from tests.property.schedules import schedules_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypothesis.strategies import SearchStrategy

    from tests.property.steps import Schedule


@dataclass
class Totals:
    """What has been run."""

    schedules: int = 0
    runs: int = 0
    mismatch: str = ""
    """The difference between warehouse and Stripe, if one was found."""


def corpus_for(features: frozenset[Feature]) -> Iterator[Schedule]:
    """Yield the corpus, including the schedules of each of `features`."""
    yield from CORPUS
    for feature, schedules in BY_FEATURE.items():
        yield from schedules if feature in features else ()


def play(
    count: int,
    seed_: int | None = None,
    *,
    features: frozenset[Feature] = ENABLED,
    shrink: bool = False,
    together: bool = False,
) -> Totals:
    """Run schedules until one reveals a mismatch: first the corpus, then random ones.

    Without a seed they are always the same. With `shrink` the smallest failing schedule is
    printed and its mismatch raised. The circumstances among `features` come one by one; all
    `together` they come in random schedules alone.
    """
    played = Totals()

    def check_schedule(schedule: Schedule) -> None:
        run = ScheduleRun(schedule, features)
        played.schedules += 1
        try:
            run.play()
        finally:
            played.runs += run.runs

    try:
        for schedule in () if together else corpus_for(features):
            ScheduleRun(schedule, features).play()
        schedules = schedules_with(features, together=together)
        for number in range(count):
            play_one(schedules, f"{seed_} {number}", check_schedule, shrink=shrink)
    except Mismatch as mismatch:
        if shrink:
            raise
        played.mismatch = str(mismatch)
    return played


def play_one(
    schedules: SearchStrategy[Schedule],
    seed_: str,
    check: Callable[[Schedule], None],
    *,
    shrink: bool,
) -> None:
    """Draw one schedule and check it; Hypothesis would only draw near copies of it."""
    drawn: list[Schedule] = []

    def drawing(schedule: Schedule) -> None:
        drawn.append(schedule)
        # Hypothesis always draws the simplest one first.
        if len(drawn) > 1:
            check(schedule)

    settings(
        max_examples=2,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )(seed(seed_)(given(schedules)(drawing)))()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="dev.py truth", description=__doc__)
    parser.add_argument("--schedules", type=int, default=500, metavar="N")
    parser.add_argument("--seed", type=int, metavar="S", help="other schedules than always")
    parser.add_argument("--defects", action="store_true", help="plant each defect in turn")
    parser.add_argument(
        "--features",
        type=lambda names: frozenset(Feature[name] for name in names.split(",")),
        default=ENABLED,
        metavar="NAME,…",
        help="only these features: " + ", ".join(one.name for one in Feature),
    )
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.defects:
        for defect in DEFECTS:
            with defect.planted():
                played = play(
                    options.schedules,
                    options.seed,
                    features=defect.features,
                    together=True,
                )
            verdict = played.mismatch or "NOT CAUGHT"
            print(f"{defect.name:26} {played.schedules:6,} {verdict[:100]}", flush=True)  # noqa: T201 - its output
        return
    began = time.monotonic()
    played = play(options.schedules, options.seed, features=options.features, shrink=True)
    spent = time.monotonic() - began
    print(f"{played.schedules:,} schedules, {played.runs:,} runs, {spent:.0f} s: no mismatch")  # noqa: T201 - its output


if __name__ == "__main__":
    main()
