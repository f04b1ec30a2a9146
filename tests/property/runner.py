"""Plays many schedules: `python3 dev.py truth --schedules N --seed S`."""

from __future__ import annotations

import argparse
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.property.comparison import Lie
from tests.property.corpus import KEPT
from tests.property.corpus_wild import WILD
from tests.property.defects import DEFECTS
from tests.property.features import HELD, Feature
from tests.property.model import Story
from tests.property.schedules import schedules_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypothesis.strategies import SearchStrategy

    from tests.property.steps import Schedule


@dataclass
class Played:
    """What has been played."""

    schedules: int = 0
    runs: int = 0
    lie: str = ""
    """What the warehouse said wrongly at last, if it did."""


def kept_with(features: frozenset[Feature]) -> Iterator[Schedule]:
    """Yield the stories that are kept, wild ones if their feature is among `features`."""
    yield from KEPT
    for feature, stories in WILD.items():
        yield from stories if feature in features else ()


def play(
    count: int,
    seeded: int | None = None,
    *,
    features: frozenset[Feature] = HELD,
    shrink: bool = False,
    together: bool = False,
) -> Played:
    """Play schedules until one reveals a lie: first those that are `kept`, then random ones.

    Without a seed they are always the same. With `shrink` the smallest schedule that reveals
    it is looked for, printed and raised. The happenings among `features` come one by one; all
    `together` they come in random schedules alone.
    """
    played = Played()

    def tells_the_truth(schedule: Schedule) -> None:
        story = Story(schedule, features)
        played.schedules += 1
        try:
            story.play()
        finally:
            played.runs += story.runs

    try:
        for schedule in () if together else kept_with(features):
            Story(schedule, features).play()
        schedules = schedules_with(features, together=together)
        for number in range(count):
            play_one(schedules, f"{seeded} {number}", tells_the_truth, shrink=shrink)
    except Lie as lie:
        if shrink:
            raise
        played.lie = str(lie)
    return played


def play_one(
    schedules: SearchStrategy[Schedule],
    seeded: str,
    happen: Callable[[Schedule], None],
    *,
    shrink: bool,
) -> None:
    """Draw one schedule and let it happen; what Hypothesis would make of it are much the same."""
    drawn: list[Schedule] = []

    def drawing(schedule: Schedule) -> None:
        drawn.append(schedule)
        # The first one is the simplest, always.
        if len(drawn) > 1:
            happen(schedule)

    settings(
        max_examples=2,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )(seed(seeded)(given(schedules)(drawing)))()


def main() -> None:
    """Play as the command line says."""
    parser = argparse.ArgumentParser(prog="dev.py truth", description=__doc__)
    parser.add_argument("--schedules", type=int, default=500, metavar="N")
    parser.add_argument("--seed", type=int, metavar="S", help="other schedules than always")
    parser.add_argument("--defects", action="store_true", help="plant each defect in turn")
    parser.add_argument(
        "--features",
        type=lambda names: frozenset(Feature[name] for name in names.split(",")),
        default=HELD,
        metavar="NAME,…",
        help="play these features alone: " + ", ".join(one.name for one in Feature),
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
            verdict = played.lie or "NOT CAUGHT"
            print(f"{defect.name:26} {played.schedules:6,} {verdict[:100]}", flush=True)  # noqa: T201 - its output
        return
    began = time.monotonic()
    played = play(options.schedules, options.seed, features=options.features, shrink=True)
    spent = time.monotonic() - began
    print(f"{played.schedules:,} schedules, {played.runs:,} runs, {spent:.0f} s: all true")  # noqa: T201 - its output


if __name__ == "__main__":
    main()
