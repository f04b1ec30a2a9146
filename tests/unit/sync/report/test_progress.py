"""Progress lines: often enough, and true."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tap_stripe_connect.api.client import Client
from tap_stripe_connect.api.request_stats import RequestStats
from tap_stripe_connect.catalog import LISTED
from tap_stripe_connect.sync import session
from tap_stripe_connect.sync.plan.backfill import Backfill
from tap_stripe_connect.sync.plan.events import Change
from tap_stripe_connect.sync.plan.jobs import Job, Page, Purpose
from tap_stripe_connect.sync.plan.refetch import RefetchWork
from tap_stripe_connect.sync.plan.windows import Window
from tap_stripe_connect.sync.report.progress import INTERVAL, Progress, duration
from tap_stripe_connect.sync.state.ranges import END_OF_TIME, Range
from tests.support.harness import DAY, NOW, config_for, run, selecting

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.server import Simulator

YEAR = 365 * DAY
ONE = "acct_1One"


class Clock:
    """Time that only moves when told."""

    def __init__(self) -> None:
        """Start at zero."""
        self.now = 0.0

    def __call__(self) -> float:
        """Return the seconds that have passed."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


def load(start: int, end: int = END_OF_TIME, stream: str = "charges") -> Job:
    """Return a job that lists a range."""
    window = Window(start, end, frozenset({stream}))
    purpose = Purpose.FEED if stream == "events" else Purpose.LOAD
    return Job(LISTED[stream], ONE, ONE, Backfill([window]), purpose)


def page(job: Job, rows: int, covered: Range | None = None) -> Page:
    """Return a page of so many rows."""
    return Page(job, frozenset({job.listed.name}), [{}] * rows, covered)


def test_time_left_follows_the_rows_to_come(clock: Clock) -> None:
    """A quarter of the years read in ten seconds: a quarter of the pages, thirty seconds left."""
    progress = Progress(RequestStats(), clock=clock)
    job = load(NOW - 4 * YEAR)
    progress.expect([job], NOW)
    progress.wrote(page(job, 9900, (NOW - YEAR, END_OF_TIME)), 19_800)
    clock.now = 10
    assert progress.line() == (
        "Progress after 10 s: 25% read, 19,800 rows (1,980/s), 0 requests (0/s), "
        "about 30 s left, at charges of acct_1One created 2025-01-01"
    )


def test_a_long_list_outweighs_short_ones(clock: Clock) -> None:
    """Eight of nine streams done is not 89 % when the ninth has a million rows."""
    progress = Progress(RequestStats(), clock=clock)
    short = [load(NOW - YEAR) for _ in range(8)]
    long = load(NOW - YEAR)
    progress.expect([*short, long], NOW)
    for job in short:
        progress.wrote(page(job, 3, (NOW - YEAR, END_OF_TIME)), 3)
        progress.finished(job)
    progress.wrote(page(long, 100, (NOW - YEAR // 100, END_OF_TIME)), 100)
    assert " 9% read" in progress.line()


def test_lists_that_have_not_begun_count_like_those_that_have(clock: Clock) -> None:
    """One account of four done is a quarter."""
    progress = Progress(RequestStats(), clock=clock)
    jobs = [load(NOW - YEAR) for _ in range(4)]
    progress.expect(jobs, NOW)
    assert "nothing read yet" in progress.line()
    progress.wrote(page(jobs[0], 500, (NOW - YEAR, END_OF_TIME)), 500)
    progress.finished(jobs[0])
    assert "25% read" in progress.line()


def test_objects_read_again_are_counted_singly(clock: Clock) -> None:
    """Half of the changed objects written is half of the work."""
    progress = Progress(RequestStats(), clock=clock)
    changes = {f"ch_{place}": Change(NOW, NOW) for place in range(1000)}
    job = Job(LISTED["charges"], ONE, ONE, RefetchWork(changes, frozenset()), Purpose.REFETCH)
    progress.expect([job], NOW)
    for _ in range(500):
        progress.wrote(page(job, 1), 1)
    clock.now = 5
    line = progress.line()
    assert "55% read, 500 rows (100/s)" in line
    assert "re-reading changed charges of acct_1One" in line


def test_the_feed_tells_how_far_back_it_was_read(clock: Clock) -> None:
    """Reading events takes long after a long gap, and writes no row."""
    progress = Progress(RequestStats(), clock=clock)
    job = load(NOW - 10 * DAY, stream="events")
    progress.expect([job], NOW)
    progress.wrote(page(job, 100, (NOW - 2 * DAY, END_OF_TIME)), 0)
    assert progress.line().endswith("events of acct_1One read back to 2025-12-30 00:00")


def test_speeds_are_those_since_the_last_line(clock: Clock) -> None:
    """Retries and waits are told, and how long nothing has come."""
    request_stats = RequestStats()
    progress = Progress(request_stats, clock=clock)
    job = load(NOW - YEAR)
    progress.expect([job], NOW)
    progress.wrote(page(job, 90, (NOW - YEAR // 2, END_OF_TIME)), 90)
    for _ in range(60):
        request_stats.sent(None, "/v1/charges")
    clock.now = 30
    assert "90 rows (3/s), 60 requests (2/s), about" in progress.line()
    request_stats.retried(None, "/v1/charges", 100.0)
    clock.now = 90
    line = progress.line()
    assert "90 rows (0/s), 60 requests (0/s), 1 retries (1 min 40 s waited)" in line
    assert line.endswith("nothing new for 1 min 30 s")


def test_jobs_without_work_are_not_expected(clock: Clock) -> None:
    """A plan that is done at once neither counts nor disturbs."""
    progress = Progress(RequestStats(), clock=clock)
    job = Job(LISTED["charges"], ONE, ONE, Backfill([]))
    progress.expect([job], NOW)
    progress.finished(job)
    assert "nothing read yet" in progress.line()


@pytest.mark.parametrize(
    ("length", "told"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (100_000, "27 h 46 min"),
        (400_000, "4 days"),
    ],
)
def test_durations_read_well(length: float, told: str) -> None:
    """Two units at most."""
    assert duration(length) == told


def test_ten_minutes_without_a_row_have_a_line_each_half_minute(
    stripe: Simulator,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
) -> None:
    """The run is seen to be alive while Stripe does not answer."""
    caplog.set_level(logging.INFO)
    ten_minutes_over = threading.Event()

    def wait(over: threading.Event, length: float) -> bool:
        if clock.now >= 600:
            ten_minutes_over.set()
            return over.wait()
        clock.now += length
        return False

    ask = Client.page

    def page_after_ten_minutes(self: Client, *given: Any, **named: Any) -> Any:
        ten_minutes_over.wait()
        return ask(self, *given, **named)

    monkeypatch.setattr(session, "Progress", partial(Progress, clock=clock, wait=wait))
    monkeypatch.setattr(Client, "page", page_after_ten_minutes)
    stripe.world.platform.create("coupon", {"id": "C"}, at=NOW - DAY)
    output = run(config_for(stripe), catalog=selecting("coupons"))
    assert output.counts == {"coupons": 1}
    lines = [one for one in caplog.messages if one.startswith("Progress")]
    assert INTERVAL == 30
    assert [line.partition(":")[0].removeprefix("Progress after ") for line in lines] == [
        duration(30 * (place + 1)) for place in range(20)
    ]
    assert all("0 rows (0/s)" in line for line in lines)
    assert lines[-1].endswith("nothing new for 10 min 0 s")


def test_a_short_run_has_no_progress_line(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a minute has to pass before there is anything to tell."""
    caplog.set_level(logging.INFO)
    run(config_for(stripe), catalog=selecting("coupons"))
    assert not [one for one in caplog.messages if one.startswith("Progress")]
    assert not [one for one in threading.enumerate() if one.name == "progress"]
