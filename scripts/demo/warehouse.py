"""The contents of DuckDB after a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from tap_stripe_connect.catalog import STREAMS

if TYPE_CHECKING:
    from pathlib import Path

    from tap_stripe_connect.catalog import Listed, Nested

RETENTION = "30 days"
"""Retention of events at Stripe."""


@dataclass(frozen=True)
class Table:
    """A stream's table."""

    rows: int
    repeated: int = 0
    """Rows beyond the first of each key."""
    dropped: int = 0
    """Rows of objects that Stripe no longer has: deleted ones, and expired events."""
    updated: int = 0
    """Earlier rows that the run updated."""


@dataclass(frozen=True)
class Month:
    """A month of a currency, `start` as 2025-12, `net` in the currency's smallest unit."""

    start: str
    currency: str
    net: int


NET_REVENUE = """
select strftime(created, '%Y-%m') as month, currency,
    sum(amount - amount_refunded)::bigint as net
from charges
where status = 'succeeded'
group by all
order by all
"""


def tables(file: Path, *, now: int, since: int) -> dict[str, Table]:
    """Return the rows of each stream in the database, empty if there is no table yet.

    `now` is Stripe's time, `since` that of the run before, in unix seconds.
    """
    if not file.exists():
        return {}
    with duckdb.connect(str(file), read_only=True) as database:
        there = {
            name
            for (name,) in database.execute("select table_name from duckdb_tables()").fetchall()
        }
        return {
            stream.name: _table(database, stream, now, since)
            for stream in STREAMS
            if stream.name in there
        }


def _table(
    database: duckdb.DuckDBPyConnection, stream: Listed | Nested, now: int, since: int
) -> Table:
    keys = ", ".join(stream.key)
    kept = "_sdc_deleted_at is null"
    updated = "false"
    if stream.name == "events":
        kept = f"created >= {_moment(now)} - interval '{RETENTION}'"
    elif _is_dated(database, stream.name):
        updated = f"created < {_moment(since)} and updated_at >= {_moment(since)}"
    # Names of the streams table, no input.
    query = f"""
        select count(*), count(*) - count(distinct ({keys})), count(*) filter (not ({kept})),
            count(*) filter ({updated})
        from "{stream.name}"
    """  # noqa: S608
    counted = database.execute(query).fetchone()
    return Table(*counted) if counted else Table(0)


def _is_dated(database: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Return whether rows have `created`, which lines, for example, lack."""
    query = "select 1 from duckdb_columns() where table_name = ? and column_name = 'created'"
    return database.execute(query, [table]).fetchone() is not None


def _moment(seconds: int) -> str:
    return f"to_timestamp({seconds}) at time zone 'UTC'"


def net_revenue(file: Path) -> list[Month]:
    """Return the net revenue of succeeded charges, by month and currency."""
    with duckdb.connect(str(file), read_only=True) as database:
        return [Month(*row) for row in database.execute(NET_REVENUE).fetchall()]
