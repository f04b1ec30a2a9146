"""Memory of a run: limited by the bytes in flight, not by the size of rows."""

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
    """Read the invoices of a load and their lines; return peak memory in MB, and lines written."""
    with PageServer(load) as server:
        streams = ("invoices", "invoice_line_items")
        command = this_tap(Task(server.url, streams, NOW - 900 * DAY, folder))
        measured = [sys.executable, str(PEAK), str(folder / "peak"), *command.arguments]
        with subprocess.Popen(  # noqa: S603 - this tap
            measured, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout
            # Counted line by line, so that the output takes no memory here.
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
    """Either in the row itself, i.e. 28 MB for a page, or in 200 lines."""
    peak_mb, written = peak(tmp_path, load)
    assert written == 200 * lines
    assert peak_mb < 300


def test_invoices_of_six_megabytes_take_less_than_300_megabytes(tmp_path: Path) -> None:
    """Few lists of 4,300 lines are read at a time, and each is released once it is written."""
    peak_mb, written = peak(tmp_path, Load(NOW, {"invoice": even(24, NOW)}, lines=4300))
    assert written == 24 * 4300
    assert peak_mb < 300


# Page sizes of large rows


def job() -> Job:
    """Return a job without any page yet."""
    return Job(LISTED["invoices"], "acct_1Example", None, Backfill([]))


@pytest.mark.parametrize(
    ("row", "size"),
    [(1_400, 100), (29_000, 100), (31_000, 50), (280_000, 10), (400_000, 1), (6 * MB, 1)],
)
def test_page_sizes_follow_the_size_of_rows(row: int, size: int) -> None:
    """The first page shows the size of rows."""
    one = job()
    assert one.page_size == 100
    one.observe(100, 100 * row)
    assert one.page_size == size
    assert one.page_bytes <= max(3 * MB, row)


def test_lighter_rows_are_requested_in_larger_pages_again() -> None:
    """Gradually: after one small row the next page does not have a hundred large ones."""
    one = job()
    one.observe(100, 100 * 280_000)
    sizes = []
    while one.page_size < 100:
        one.observe(one.page_size, one.page_size * 1_400)
        sizes.append(one.page_size)
    assert sizes == sorted(sizes)
    assert len(sizes) == 11


def test_accounts_share_the_size_of_rows() -> None:
    """First pages of other accounts use the size of rows of the same list."""
    one, other = job(), job()
    other.row_bytes_by_list = one.row_bytes_by_list
    one.observe(10, 10 * 280_000)
    assert other.page_size == 10
    other.observe(10, 10 * 1_400)
    assert other.page_size == 10
    one.observe(0, 400)
    assert one.page_size == 10


def test_a_page_that_fails_is_requested_in_a_smaller_size() -> None:
    """It grows again as far as the size of rows allows."""
    one = job()
    one.observe(100, 100 * 35_000)
    assert one.page_size == 50
    one.page_failed(50)
    assert one.page_size == 25
    for _ in range(100):
        one.page_succeeded()
    assert one.page_size == 50
