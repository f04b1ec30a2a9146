"""The demo: its comparison, counts, chart and processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import psutil
import pytest

from scripts.demo import __main__ as demo
from scripts.demo import processes, screen, warehouse
from scripts.demo.warehouse import Month, Table
from tap_stripe_connect.catalog import STREAMS

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_767_225_600


def row(held: int, loaded: Table, *, before: int = 0) -> screen.Comparison:
    """Return a stream's comparison."""
    return screen.Comparison("charges", held, loaded, before)


@pytest.mark.parametrize(
    ("comparison", "verdict"),
    [
        (row(5, Table(5)), "ok"),
        (row(5, Table(4)), "DIFFERENT"),
        (row(5, Table(6)), "DIFFERENT"),
        (row(5, Table(6, repeated=1)), "1 TWICE"),
        (row(5, Table(5, repeated=2)), "2 TWICE"),
        (row(5, Table(8, dropped=3)), "ok"),
        (row(5, Table(3), before=2), "DIFFERENT"),
    ],
)
def test_a_verdict_needs_every_row_once(comparison: screen.Comparison, verdict: str) -> None:
    """A stream is complete only if each expected row exists, and no key twice."""
    assert comparison.verdict == verdict
    assert comparison.fine is verdict.startswith("ok")


def test_the_table_shows_what_is_new_on_later_runs() -> None:
    """Every number stands below its heading, with the verdict behind; colours only if asked."""
    rows = [row(1200, Table(1200), before=1000)]
    assert screen.table(rows, again=True, colour=False).splitlines() == [
        "         in Stripe  in DuckDB  already there  new",
        "charges      1,200      1,200          1,000  200   ok",
    ]
    assert "already" not in screen.table(rows, again=False, colour=False)
    assert "\x1b[32mok\x1b[0m" in screen.table(rows, again=False, colour=True)


MONTHS = [Month(f"{2023 + m // 12}-{m % 12 + 1:02}", "usd", (m + 1) * 100_00) for m in range(36)]


def test_the_chart_grows_with_the_numbers() -> None:
    """The tallest bar fills its column, one half as high fills half of it, a loss none."""
    months = [
        Month("2025-10", "usd", 400),
        Month("2025-11", "usd", 200),
        Month("2025-12", "usd", -5),
    ]
    lines = screen.chart([*months, Month("2025-10", "eur", 9999)], "usd", width=80, colour=False)
    *bars, axis = lines.splitlines()
    assert [line[3:] for line in bars] == ["██"] * 4 + ["████"] * 4
    assert bars[0].startswith("4 │")
    assert axis == "  └2025──"


@pytest.mark.parametrize("width", [20, 40, 80, 100])
def test_the_chart_fits_its_width(width: int) -> None:
    """No line is wider than allowed; the newest months are the ones that stay."""
    lines = screen.chart(MONTHS, "usd", width=width, colour=False).splitlines()
    assert max(map(len, lines)) <= width
    assert "2025" in lines[-1]


def test_the_chart_says_when_there_is_nothing() -> None:
    """Without revenue in the currency there is a sentence instead of bars."""
    assert screen.chart(MONTHS, "eur", width=80, colour=False) == "no revenue in eur"


def test_tables_are_counted(tmp_path: Path) -> None:
    """Rows, keys that are there twice, rows without an object in Stripe, and what has changed."""
    file = tmp_path / "stripe.duckdb"
    assert warehouse.tables(file, now=NOW, since=NOW - 10) == {}
    with duckdb.connect(str(file)) as database:
        for name in ("charges", "events"):
            database.execute(
                f"create table {name} (account_id text, id text, created timestamp,"
                " updated_at timestamp, _sdc_deleted_at timestamp)"
            )
        database.execute(
            "insert into charges values ('a', '1', '2025-01-01', '2025-01-01', null),"
            " ('a', '1', '2025-01-01', '2026-01-01', null), ('b', '1', '2025-01-01', '2025-01-01',"
            " '2025-06-01')"
        )
        database.execute(
            "insert into events values ('a', '1', '2025-12-02', '2025-12-02', null),"
            " ('a', '2', '2025-12-01', '2025-12-01', null)"
        )
    assert warehouse.tables(file, now=NOW, since=NOW - 10) == {
        "charges": Table(3, repeated=1, dropped=1, updated=1),
        "events": Table(2, dropped=1),
    }


def test_net_revenue_is_what_succeeded_less_refunds(tmp_path: Path) -> None:
    """Failed charges bring nothing, refunds take away, currencies and months stay apart."""
    file = tmp_path / "stripe.duckdb"
    with duckdb.connect(str(file)) as database:
        database.execute(
            "create table charges (created timestamp, currency text, status text,"
            " amount hugeint, amount_refunded hugeint)"
        )
        database.execute(
            "insert into charges values ('2025-12-31 23:59:59', 'usd', 'succeeded', 500, 200),"
            " ('2025-12-01', 'usd', 'failed', 900, 0), ('2026-01-01', 'usd', 'succeeded', 40, 0),"
            " ('2025-12-01', 'jpy', 'succeeded', 7, 0), ('2025-12-01', 'usd', 'succeeded', 1, 0)"
        )
    assert warehouse.net_revenue(file) == [
        Month("2025-12", "jpy", 7),
        Month("2025-12", "usd", 301),
        Month("2026-01", "usd", 40),
    ]


def test_a_run_that_did_not_end_is_repeated() -> None:
    """The next run is a week later, with what there is by then; an unfinished one comes again."""
    first = demo.Visit(customers=9)
    assert first.next() == first
    first.after = {"charges": 4}
    second = first.next()
    assert (second.until - first.until, second.since) == (demo.LATER, first.until)
    assert (second.customers, second.number, second.before) == (9, 2, {"charges": 4})


def test_settings_of_the_user_stay_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real key or a setting of Meltano in the environment never reaches the demo."""
    monkeypatch.setenv("TAP_STRIPE_CONNECT_API_KEY", "rk_live_real")
    monkeypatch.setenv("TAP_STRIPE_CONNECT_ACCOUNT_IDS", "acct_1Example")
    monkeypatch.setenv("MELTANO_ENVIRONMENT", "prod")
    monkeypatch.setenv("NO_PROXY", "example.com")
    source = processes.Stripe("http://127.0.0.1:1", "sk_test_simulator", {})
    env = processes.environment(source, tmp_path)
    assert env["TAP_STRIPE_CONNECT_API_KEY"] == "sk_test_simulator"
    assert "TAP_STRIPE_CONNECT_ACCOUNT_IDS" not in env
    assert env["MELTANO_ENVIRONMENT"] == "demo"
    assert env["NO_PROXY"] == "example.com,127.0.0.1"


def test_the_simulated_stripe_counts_itself_and_ends() -> None:
    """It holds what a business has, is a process of its own, and is gone afterwards."""
    with processes.stripe(customers=5, until=NOW) as source:
        held = source.held()
        (child,) = (
            process
            for process in psutil.Process().children()
            if "scripts.demo.world" in process.cmdline()
        )
        assert source.journal() == (0, 0)
    assert not child.is_running()
    assert held.keys() == {stream.name for stream in STREAMS}
    assert all(held[name] for name in ("charges", "customers", "invoice_line_items", "events"))
