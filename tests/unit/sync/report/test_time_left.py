"""The estimated time left is right, whatever the distribution of the rows."""

from __future__ import annotations

import random
import re
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tap_stripe_connect.api.request_stats import RequestStats
from tap_stripe_connect.catalog import LISTED
from tap_stripe_connect.sync.plan.backfill import Backfill
from tap_stripe_connect.sync.plan.events import Change
from tap_stripe_connect.sync.plan.jobs import Job, Page, Purpose
from tap_stripe_connect.sync.plan.refetch import RefetchWork
from tap_stripe_connect.sync.plan.windows import Window
from tap_stripe_connect.sync.report.estimate import Estimate
from tap_stripe_connect.sync.report.progress import Progress
from tap_stripe_connect.sync.state.ranges import END_OF_TIME, STRIPE_EPOCH
from tests.support.harness import DAY, NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_stripe_connect.sync.state.ranges import Range

YEAR = 365 * DAY
ROWS = 50_000
SPEED = 25.0
"""Pages a second."""

UNITS = {"s": 1, "min": 60, "h": 3600, "days": DAY}


class Clock:
    """A clock that only advances when it is set."""

    now = 0.0

    def __call__(self) -> float:
        """Return the seconds that have passed."""
        return self.now


def even(rows: int) -> list[int]:
    """Return creation times at even distances over ten years."""
    return [NOW - DAY - 10 * YEAR * age // rows for age in range(rows, 0, -1)]


def growing(rows: int) -> list[int]:
    """Return creation times of a business that grows for ten years."""
    return [int(NOW - 10 * YEAR * (1 - (place / rows) ** 0.5)) for place in range(rows)]


def shrinking(rows: int) -> list[int]:
    """Return creation times of a business that had its best time at first."""
    return sorted(int(NOW - 10 * YEAR * (place / rows) ** 0.5) for place in range(rows))


def one_dense_month(rows: int) -> list[int]:
    """Return creation times nearly all of which lie in one month four years ago."""
    month = [NOW - 4 * YEAR + 30 * DAY * place // rows for place in range(rows - rows // 30)]
    return sorted([*even(rows // 30), *month])


def ten_empty_years(rows: int) -> list[int]:
    """Return creation times of a year long ago, and of the last one."""
    half = rows // 2
    old = [NOW - 12 * YEAR + YEAR * place // half for place in range(half)]
    return [*old, *(NOW - YEAR + (YEAR - DAY) * place // half for place in range(half))]


def last_two_years(rows: int) -> list[int]:
    """Return creation times of the last two years alone."""
    return [NOW - DAY - 2 * YEAR * age // rows for age in range(rows, 0, -1)]


def with_weekends(rows: int) -> list[int]:
    """Return creation times of working days for the most part, and of Decembers."""
    chance = random.Random(1)  # noqa: S311 - not for secrets
    days = range(10 * 365)
    weights = [(5 if day % 365 < 40 else 1) * (0.2 if day % 7 > 4 else 1) for day in days]
    return sorted(
        NOW - DAY * (day + 1) - chance.randrange(DAY)
        for day in chance.choices(days, weights, k=rows)
    )


HISTORIES = [
    *(even, growing, shrinking, one_dense_month, ten_empty_years, last_two_years, with_weekends)
]


class Listing:
    """One list, read by several workers, a page at a time each."""

    def __init__(self, history: list[int], workers: int, start: int = 0) -> None:
        """Read a history, the oldest row first, from `start` on."""
        self._ages = [-moment for moment in reversed(history)]
        self._workers = workers
        self._in_progress: list[Window] = []
        self.plan = Backfill([Window(start, END_OF_TIME, frozenset({"charges"}))])
        self.job = Job(LISTED["charges"], "acct_1Example", None, self.plan)

    def pages(self) -> Iterator[Page]:
        """Yield the pages as the engine would."""
        while not self.plan.done:
            while len(self._in_progress) < self._workers and self.plan.has_work:
                self._in_progress.append(self.plan.acquire())
            window = self._in_progress.pop(0)
            rows, has_more = self._page(window)
            kept, covered = window.take(rows, has_more=has_more)
            self.plan.release(window)
            yield Page(self.job, window.streams, kept, covered)

    def _page(self, window: Window) -> tuple[list[dict[str, object]], bool]:
        query = window.parameters()
        until, since = query.get("created[lt]"), query.get("created[gte]")
        begin = bisect_left(self._ages, 1 - int(until)) if until else 0
        end = bisect_left(self._ages, 1 - int(since)) if since else len(self._ages)
        begin = int(window.cursor) + 1 if window.cursor else begin
        last = min(end, begin + 100)
        rows = [{"id": str(one), "created": -self._ages[one]} for one in range(begin, last)]
        return rows, last < end


class TimeLeft(NamedTuple):
    """The time left in a progress line."""

    at: float
    seconds: float
    at_most: bool


def time_left(line: str, at: float) -> TimeLeft:
    """Parse a progress line."""
    found = re.search(r"(at most )?about ((?:\d+ (?:s|min|h|days) ?)+)left", line)
    assert found, line
    parts = re.findall(r"(\d+) (\w+)", found[2])
    return TimeLeft(at, sum(int(number) * UNITS[unit] for number, unit in parts), bool(found[1]))


def lines(listing: Listing, every: int) -> tuple[list[TimeLeft], float]:
    """Return the time left after every few pages, and how long the run took."""
    request_stats, clock = RequestStats(), Clock()
    progress = Progress(request_stats, clock=clock)
    progress.add_jobs([listing.job], NOW)
    said = []
    for number, page in enumerate(listing.pages(), 1):
        request_stats.sent(None, "/v1/charges")
        clock.now = number / SPEED
        progress.wrote(page, len(page.objects))
        if number % every == 0:
            said.append(time_left(progress.line(), clock.now))
    return said, clock.now


def check(said: list[TimeLeft], took: float) -> int:
    """Fail if an estimate after the first tenth is wrong; return how many were exact."""
    later = [one for one in said if one.at >= took / 10]
    for one in later:
        left = took - one.at
        assert one.seconds >= left / 2 - 2, (one, left)
        assert one.at_most or one.seconds <= 2 * left + 2, (one, left)
    return sum(not one.at_most for one in later)


@pytest.mark.parametrize("workers", [2, 4, 16, 64])
@pytest.mark.parametrize("history", HISTORIES)
def test_the_time_left_is_right_within_a_factor_of_two(
    history: Callable[[int], list[int]], workers: int
) -> None:
    """From a tenth of the run on, unless the line says "at most"."""
    said, took = lines(Listing(history(ROWS), workers), 5)
    precise = check(said, took)
    # With few workers it takes long until the end of the rows is known.
    assert precise >= 0.9 * 0.9 * len(said) or workers < 16 or history is with_weekends


def test_two_million_rows_of_the_last_two_years_take_minutes() -> None:
    """Empty years are read in a moment; after an eighth of the run they are not 88 % of it."""
    said, took = lines(Listing(last_two_years(2_000_000), 16), 500)
    assert took > 10 * 60
    assert check(said, took) == len([one for one in said if one.at >= took / 10])


@pytest.mark.parametrize("history", HISTORIES)
def test_a_single_worker_gives_an_upper_bound(history: Callable[[int], list[int]]) -> None:
    """A single worker does not know where the rows begin, but never underestimates."""
    check(*lines(Listing(history(ROWS), 1), 20))


@pytest.mark.parametrize("workers", [1, 8])
def test_a_start_date_makes_a_single_worker_sure(workers: int) -> None:
    """Rows are expected from the start date on."""
    said, took = lines(Listing(even(ROWS), workers, start=NOW - 9 * YEAR), 20)
    assert check(said, took) == len([one for one in said if one.at >= took / 10])


def test_a_long_list_does_not_become_faster_when_the_short_ones_are_read() -> None:
    """Three lists are read at 25 pages a second each, and then the fourth one alone."""
    request_stats, clock = RequestStats(), Clock()
    progress = Progress(request_stats, clock=clock, per_endpoint=25)
    sizes = {"charges": 400, "coupons": 20, "customers": 20, "plans": 20}
    jobs = {}
    for name in sizes:
        window = Window(NOW - YEAR, END_OF_TIME, frozenset({name}))
        jobs[name] = Job(LISTED[name], "acct_1Example", None, Backfill([window]))
    progress.add_jobs(jobs.values(), NOW)
    edges = {
        name: [NOW - YEAR * part // size for part in range(size + 1)]
        for name, size in sizes.items()
    }
    for place in range(400):
        clock.now = (place + 1) / 25
        for name, size in sizes.items():
            if place < size:
                span = edges[name][place + 1], edges[name][place]
                request_stats.sent(None, LISTED[name].path)
                progress.wrote(Page(jobs[name], frozenset({name}), [{}] * 100, span), 100)
        if place >= 40:
            left = 400 / 25 - clock.now
            assert time_left(progress.line(), clock.now).seconds == pytest.approx(left, abs=1.5)


def test_nested_lists_that_take_a_request_each_are_counted() -> None:
    """An invoice of many lines costs more than a charge: its pages take forty times as long."""
    request_stats, clock = RequestStats(), Clock()
    progress = Progress(request_stats, clock=clock, per_endpoint=25)
    window = Window(NOW - YEAR, END_OF_TIME, frozenset({"invoices"}))
    job = Job(LISTED["invoices"], "acct_1Example", None, Backfill([window]))
    quick = Window(NOW - YEAR, END_OF_TIME, frozenset({"charges"}))
    other = Job(LISTED["charges"], "acct_1Example", None, Backfill([quick]))
    progress.add_jobs([job, other], NOW)
    for _ in range(500):
        request_stats.sent(None, "/v1/charges")
    progress.wrote(Page(other, frozenset({"charges"}), [{}] * 50_000, (NOW - YEAR // 2, NOW)), 1)
    request_stats.sent(None, "/v1/invoices")
    for _ in range(100):
        request_stats.sent(None, "/v1/invoices/{id}/lines")
    span = NOW - YEAR // 50, NOW
    progress.wrote(Page(job, frozenset({"invoices"}), [{}] * 100, span), 1)
    clock.now = 20
    assert time_left(progress.line(), 20).seconds == pytest.approx(49 * 100 / 25 / 2, rel=0.1)


def test_objects_that_are_retrieved_cost_a_load_nothing() -> None:
    """Only a refetch makes requests for single objects."""
    request_stats, clock = RequestStats(), Clock()
    progress = Progress(request_stats, clock=clock, per_endpoint=25)
    changes = {f"ch_{place}": Change(NOW, NOW) for place in range(1000)}
    again = Job(
        LISTED["charges"], "acct_1Example", None, RefetchWork(changes, frozenset()), Purpose.REFETCH
    )
    progress.add_jobs([again], NOW)
    for name in changes:
        request_stats.sent(None, "/v1/charges/{id}")
        progress.wrote(Page(again, frozenset(), [{"id": name}]), 1)
    progress.finished(again)
    window = Window(NOW - YEAR, END_OF_TIME, frozenset({"charges"}))
    load = Job(LISTED["charges"], "acct_1Example", None, Backfill([window]))
    progress.add_jobs([load], NOW)
    request_stats.sent(None, "/v1/charges")
    progress.wrote(Page(load, frozenset({"charges"}), [{}] * 100, (NOW - YEAR // 100, NOW)), 100)
    clock.now = 41
    assert time_left(progress.line(), 41).seconds < 10


# Rows left


def estimated(wanted: Range, *pages: tuple[Range, int]) -> tuple[float, float]:
    """Return the number of rows left after some pages, and its uncertainty."""
    estimate = Estimate([wanted], NOW)
    for covered, rows in pages:
        estimate.read(covered, rows)
    return estimate.rows_left()


@pytest.mark.parametrize(
    ("wanted", "pages", "left"),
    [
        pytest.param((0, END_OF_TIME), [], (0, 0), id="nothing read"),
        pytest.param((NOW - 400, NOW), [((NOW - 100, NOW), 100)], (300, 0), id="one end"),
        pytest.param(
            (NOW - 400, NOW),
            [((NOW - 100, NOW), 100), ((NOW - 400, NOW - 300), 100)],
            (200, 0),
            id="two ends alike",
        ),
        pytest.param(
            (NOW - 400, NOW),
            [((NOW - 100, NOW), 100), ((NOW - 400, NOW - 300), 0)],
            (100, 100),
            id="two ends that differ",
        ),
        pytest.param((NOW - 400, NOW), [((NOW - 400, NOW - 300), 100)], (300, 0), id="from below"),
        pytest.param(
            (0, NOW),
            [((NOW - 100, END_OF_TIME), 100)],
            ((NOW - 100 - STRIPE_EPOCH) / 2, (NOW - 100 - STRIPE_EPOCH) / 2),
            id="no beginning",
        ),
        pytest.param((0, NOW), [((0, NOW), 7)], (0, 0), id="all read"),
        pytest.param(
            (NOW - 400, NOW),
            [((NOW - 100, NOW), 50), ((NOW - 100, NOW - 100), 50)],
            (300, 0),
            id="a second of two pages",
        ),
        pytest.param((0, STRIPE_EPOCH), [((0, STRIPE_EPOCH), 1)], (0, 0), id="before Stripe"),
        pytest.param((NOW, END_OF_TIME), [((NOW, END_OF_TIME), 1)], (0, 0), id="yet to come"),
    ],
)
def test_what_lies_between_is_as_dense_as_its_ends(
    wanted: Range, pages: list[tuple[Range, int]], left: tuple[float, float]
) -> None:
    """There are no rows before Stripe began, and none in the future."""
    assert estimated(wanted, *pages) == left


def test_the_order_of_pages_does_not_matter() -> None:
    """Workers finish in any order."""
    pages = [((NOW - 100 * (place + 1), NOW - 100 * place), place) for place in range(12)]
    before = estimated((NOW - 2000, NOW), *pages)
    for seed in range(20):
        random.Random(seed).shuffle(pages)  # noqa: S311 - not for secrets
        assert estimated((NOW - 2000, NOW), *pages) == pytest.approx(before)


def test_ranges_of_which_nothing_is_read_are_like_the_others() -> None:
    """The gaps of a state are read one after another."""
    estimate = Estimate([(NOW - 1000, NOW), (NOW - 9000, NOW - 8000)], NOW)
    estimate.read((NOW - 1000, NOW), 500)
    assert estimate.rows_left() == (500, 0)
