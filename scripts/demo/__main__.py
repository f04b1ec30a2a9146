"""Load a made-up business into DuckDB with Meltano, and check that all of it arrived."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scripts.demo import screen, warehouse
from scripts.demo.processes import ROOT, DemoError, environment, meltano, stripe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = ROOT / ".demo"
DATA = FOLDER / "data"
DATABASE = DATA / "stripe.duckdb"
NOTE = DATA / "demo.json"
LOG = FOLDER / "meltano.log"

FIRST = 1_767_225_600
"""The time of the first run: three years after the business opened."""
LATER = 7 * 86_400
"""Seconds of Stripe's time between two runs."""
CUSTOMERS = 600
CURRENCY = "usd"


@dataclass
class Visit:
    """A run of the demo, stored so that the next one resumes from it."""

    customers: int
    until: int = FIRST
    """Stripe's time, in unix seconds."""
    since: int = 0
    """Stripe's time in the previous run; 0 for none."""
    number: int = 1
    before: dict[str, int] = field(default_factory=dict)
    """Rows of each stream after the previous run."""
    after: dict[str, int] = field(default_factory=dict)
    """Rows after this run; empty if it did not finish."""

    def next(self) -> Visit:
        """Return the next run, or the same again if this one did not finish."""
        if not self.after:
            return self
        return Visit(
            self.customers, self.until + LATER, self.until, self.number + 1, before=self.after
        )


def main() -> int:
    """Run the demo; return non-zero if rows are missing or duplicated."""
    parser = argparse.ArgumentParser(prog="dev.py demo", description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="start over with an empty database")
    parser.add_argument(
        "--customers", type=int, help=f"size of the business, {CUSTOMERS} unless said otherwise"
    )
    given = parser.parse_args()
    if given.customers is not None and given.customers < 1:
        parser.error("there must be a customer")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    if given.fresh:
        shutil.rmtree(DATA, ignore_errors=True)
    try:
        return demo(visit(given.customers))
    except DemoError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


def visit(customers: int | None) -> Visit:
    """Return the next run; raise DemoError if the business would differ."""
    if not NOTE.exists():
        return Visit(customers or CUSTOMERS)
    last = Visit(**json.loads(NOTE.read_text("utf-8")))
    if customers not in {None, last.customers}:
        raise DemoError(f"{last.customers} customers are loaded; add --fresh to start over")
    return last.next()


def demo(now: Visit) -> int:
    """Load the business, compare and show the result; return the exit code."""
    DATA.mkdir(parents=True, exist_ok=True)
    NOTE.write_text(json.dumps(asdict(now)), "utf-8")
    LOG.unlink(missing_ok=True)
    with ExitStack() as stack:
        with step(f"Starting a simulated Stripe with {now.customers} customers"):
            source = stack.enter_context(stripe(customers=now.customers, until=now.until))
        settings = environment(source, DATA)
        with step("Installing tap and target with Meltano"):
            meltano("install", env=settings, log=LOG)
        with step("meltano run tap-stripe-connect target-duckdb") as say:
            start = time.monotonic()
            meltano(
                *("run", "tap-stripe-connect", "target-duckdb"),
                env=settings,
                log=LOG,
                tick=lambda: say(f"{source.journal()[1]:,} objects read"),
            )
            seconds = time.monotonic() - start
        held = source.held()
        requests, _ = source.journal()
    loaded = warehouse.tables(DATABASE, now=now.until, since=now.since)
    now.after = {stream: table.rows for stream, table in loaded.items()}
    NOTE.write_text(json.dumps(asdict(now)), "utf-8")
    rows = screen.compared(held, loaded, now.before)
    show(now, rows)
    new = sum(row.new for row in rows)
    there = sum(row.before for row in rows)
    took = f"{requests} requests, {seconds:.1f} s"
    if now.number == 1:
        print(f"First run: {new:,} rows, {took}, {new / seconds:,.0f} rows/s")
    else:
        print(f"Run {now.number}: {new:,} new rows, {there:,} already there; {took}")
    return report(rows)


def show(now: Visit, rows: list[screen.Comparison]) -> None:
    """Print the table and the chart."""
    colour = screen.colourful()
    date = datetime.fromtimestamp(now.until, UTC)
    print(f"\nStripe on {date:%d %B %Y}, and what DuckDB holds of it\n")
    print(screen.table(rows, again=now.number > 1, colour=colour))
    if dropped := sum(row.loaded.dropped for row in rows):
        print(f"\nStripe keeps events for 30 days; DuckDB has {dropped:,} older ones as well.")
    if updated := sum(row.loaded.updated for row in rows):
        print(f"\nOf the rows already there, {updated:,} have changed in Stripe and here as well.")
    months = warehouse.net_revenue(DATABASE)
    width = min(100, shutil.get_terminal_size().columns)
    print(f"\nNet revenue by month in {CURRENCY.upper()}, from the charges in DuckDB\n")
    print(screen.chart(months, CURRENCY, width=width, colour=colour))
    print()


def report(rows: list[screen.Comparison]) -> int:
    """Print what to do next, and return the exit code."""
    wrong = [row.stream for row in rows if not row.fine]
    if wrong:
        print(f"\nNot as in Stripe: {', '.join(wrong)}; the log is {LOG}")
        return 1
    print(f"Everything is there, once. Look around: {DATABASE.relative_to(ROOT)}")
    print("Run it again for what happens a week later, or with --fresh to start over.")
    return 0


@contextmanager
def step(what: str) -> Iterator[Callable[[str], None]]:
    """Show a step and its duration on one line; yield a function that shows progress."""
    lively = sys.stdout.isatty()
    start = time.monotonic()

    def say(text: str) -> None:
        if lively:
            print(f"\r\x1b[K{what} … {time.monotonic() - start:.0f} s  {text}", end="", flush=True)

    print(f"{what} … ", end="", flush=True)
    yield say
    done = f"{time.monotonic() - start:.1f} s"
    print(f"\r\x1b[K{what} … {done}" if lively else done, flush=True)


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # bars are not in every encoding
    sys.exit(main())
