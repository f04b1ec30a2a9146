"""How much memory a run takes: by the weight of what is under way, not by the size of rows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.load import Conditions, Load, even
from benchmarks.processes import PageServer
from benchmarks.subjects import Task, this_tap
from tap_stripe_connect.catalog import LISTED
from tap_stripe_connect.sync.plan.backfill import Backfill
from tap_stripe_connect.sync.plan.jobs import Job
from tests.support.harness import DAY, NOW

PEAK = Path(__file__).parents[1] / "support/peak.py"
MB = 1_000_000
FAR = Conditions(latency=0.2, per_second=100, per_endpoint=25, gzip=True)


def peak(folder: Path, load: Load) -> tuple[float, int]:
    """Read the invoices of a load and their lines; return MB held at most, and lines written."""
    with PageServer(load) as server:
        streams = ("invoices", "invoice_line_items")
        command = this_tap(Task(server.url, streams, NOW - 900 * DAY, folder))
        measured = [sys.executable, str(PEAK), str(folder / "peak"), *command.arguments]
        with subprocess.Popen(  # noqa: S603 - this tap
            measured, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout
            # Counted as it comes: the output must not be what takes memory here.
            begin = b'{"type":"RECORD","stream":"invoice_line_items"'
            written = sum(line.startswith(begin) for line in process.stdout)
        assert process.returncode == 0
    return int((folder / "peak").read_text("utf-8")) * 1024 / MB, written


INVOICES = {"invoice": even(200, NOW)}
HEAVY = (
    pytest.param(Load(NOW, INVOICES, bytes={"invoice": 280_000}), 8, id="in-the-row"),
    pytest.param(Load(NOW, INVOICES, FAR, bytes={"invoice": 280_000}), 8, id="in-the-row-far"),
    pytest.param(Load(NOW, INVOICES, lines=200), 200, id="in-lines"),
)


@pytest.mark.parametrize(("load", "lines"), HEAVY)
def test_invoices_of_280_kilobytes_take_less_than_300_megabytes(
    tmp_path: Path, load: Load, lines: int
) -> None:
    """Whether that is in the row itself, as in a page of 28 MB, or in 200 lines."""
    held, written = peak(tmp_path, load)
    assert written == 200 * lines
    assert held < 300


def test_invoices_of_six_megabytes_take_less_than_300_megabytes(tmp_path: Path) -> None:
    """Lists of 4,300 lines are read few at a time, and each is let go once it is written."""
    held, written = peak(tmp_path, Load(NOW, {"invoice": even(24, NOW)}, lines=4300))
    assert written == 24 * 4300
    assert held < 300


# By how much a page of heavy rows is smaller


def job() -> Job:
    """Return a job of which no page has come."""
    return Job(LISTED["invoices"], "acct_1Example", None, Backfill([]))


@pytest.mark.parametrize(
    ("row", "size"),
    [(1_400, 100), (29_000, 100), (31_000, 50), (280_000, 10), (400_000, 1), (6 * MB, 1)],
)
def test_a_page_has_as_many_rows_as_weigh_three_megabytes(row: int, size: int) -> None:
    """Known from the first page on."""
    one = job()
    assert one.page_size == 100
    one.observe(100, 100 * row)
    assert one.page_size == size
    assert one.page_bytes <= max(3 * MB, row)


def test_lighter_rows_are_asked_for_in_larger_pages_again() -> None:
    """By and by: a light row among heavy ones does not bring a page of a hundred of them."""
    one = job()
    one.observe(100, 100 * 280_000)
    sizes = []
    while one.page_size < 100:
        one.observe(one.page_size, one.page_size * 1_400)
        sizes.append(one.page_size)
    assert sizes == sorted(sizes)
    assert len(sizes) == 11


def test_the_weight_of_rows_is_known_to_other_accounts() -> None:
    """Their first pages are no larger than this list's ever were."""
    one, other = job(), job()
    other.row_bytes_by_list = one.row_bytes_by_list
    one.observe(10, 10 * 280_000)
    assert other.page_size == 10
    other.observe(10, 10 * 1_400)
    assert other.page_size == 10
    one.observe(0, 400)
    assert one.page_size == 10


def test_a_page_that_fails_is_smaller_whatever_rows_weigh() -> None:
    """And grows to what rows allow."""
    one = job()
    one.observe(100, 100 * 35_000)
    assert one.page_size == 50
    one.page_failed(50)
    assert one.page_size == 25
    for _ in range(100):
        one.page_succeeded()
    assert one.page_size == 50
