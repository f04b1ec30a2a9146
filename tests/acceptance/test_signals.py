"""Signals: the first one ends a run at the next complete line, the second one at once."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.simulator.server import Simulator
from tap_stripe_connect.simulator.world import World
from tap_stripe_connect.sync.signals import FIRST, SECOND
from tests.support.harness import (
    DAY,
    NOW,
    Output,
    Warehouse,
    command,
    config_for,
    expected,
    parsed,
    run,
    selecting,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HUP, INT, TERM = signal.SIGHUP, signal.SIGINT, signal.SIGTERM
LONG = 120.0
"""Seconds after which what should happen at once has not happened, however busy the machine is."""

ROWS = 2_000
"""More than a pipe and a block hold."""

CLI = "from tap_stripe_connect.tap import TapStripeConnect as Tap; Tap.cli()"
PATIENT = "from tap_stripe_connect.sync import signals; signals.GRACE = 999; "


@pytest.fixture(scope="module")
def large() -> Iterator[Simulator]:
    """Serve an account whose rows do not fit into a pipe."""
    world = World(now=NOW)
    bulk.load(world.platform, customers=ROWS, start=NOW - 9 * DAY, until=NOW - DAY)
    with Simulator(world) as simulator:
        yield simulator


class Process:
    """The tap, and a target that reads only on request."""

    def __init__(self, popen: subprocess.Popen[bytes], stdout: int, writable: int) -> None:
        """Store a process and both ends of the pipe that it writes to."""
        self.popen = popen
        self._stdout = stdout
        self._writable = writable
        self.log = b""

    def wait_until_blocked(self) -> None:
        """Return once nothing more fits into the pipe."""
        until = time.monotonic() + LONG
        while select.select([], [self._writable], [], 0)[1]:
            assert self.popen.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)

    def signal(self, *signals: signal.Signals) -> None:
        """Send signals."""
        for signum in signals:
            self.popen.send_signal(signum)

    def wait_for(self, line: bytes) -> None:
        """Return once a line is on stderr."""
        assert self.popen.stderr
        for log_line in self.popen.stderr:
            self.log += log_line
            if log_line == line:
                return
        raise AssertionError(self.log.decode())

    def end(self) -> int:
        """Return the exit code; what is left of the log is read."""
        assert self.popen.stderr
        self.log += self.popen.stderr.read()
        return self.popen.wait(LONG)

    def read(self) -> bytes:
        """Read stdout to its end."""
        os.close(self._writable)
        self._writable = -1
        with os.fdopen(os.dup(self._stdout), "rb") as stdout:
            return stdout.read()

    def close(self) -> None:
        """End the process and close all files."""
        self.popen.kill()
        self.popen.wait(LONG)
        assert self.popen.stderr
        self.popen.stderr.close()
        for end in (self._stdout, self._writable):
            if end >= 0:
                os.close(end)


@contextmanager
def started(line: list[str], *, environment: dict[str, str] | None = None) -> Iterator[Process]:
    """Start a process that writes to a pipe that nobody reads."""
    stdout, writable = os.pipe()
    process = Process(
        subprocess.Popen(  # noqa: S603 - our own program
            line,
            stdout=writable,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
        ),
        stdout,
        writable,
    )
    try:
        yield process
    finally:
        process.close()


def tap(tmp_path: Path, stripe: Simulator, program: str = CLI) -> list[str]:
    """Return the command line that reads customers, perhaps with a change to the program."""
    catalog = tmp_path / "catalog.json"
    catalog.write_text(json.dumps(selecting("customers")))
    options = command(tmp_path, config_for(stripe))[3:]
    return [sys.executable, "-c", program, *options, "--catalog", str(catalog)]


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("signals", [(TERM, TERM), (INT, INT), (INT, TERM)])
def test_a_second_signal_ends_a_run_whose_target_hangs(
    large: Simulator, tmp_path: Path, signals: tuple[signal.Signals, ...], unbuffered: str
) -> None:
    """A blocked write is resumed after a signal; the second one ends the process."""
    first, second = signals
    environment = {"PYTHONUNBUFFERED": unbuffered}
    with started(tap(tmp_path, large), environment=environment) as process:
        process.wait_until_blocked()
        process.signal(first)
        process.wait_for(FIRST)
        assert process.popen.poll() is None
        process.signal(second)
        assert process.end() == 128 + first
        assert process.log.endswith(SECOND)
        assert b"Traceback" not in process.log


def test_two_signals_at_once_lose_nothing_where_the_target_reads(
    large: Simulator, tmp_path: Path
) -> None:
    """Ctrl-C under Meltano: the terminal's INT and Meltano's TERM; lines and STATE are whole."""
    with started(tap(tmp_path, large, PATIENT + CLI)) as process:
        process.wait_until_blocked()
        process.signal(INT)
        process.wait_for(FIRST)
        process.signal(TERM)
        output = parsed(process.read())
        assert process.end() == 130
    assert output[-1]["type"] == "STATE"
    rest = run(config_for(large), state=output[-1]["value"])
    wanted = {name: rows for name, rows in expected(large.world.platform).items() if rows}
    assert Warehouse().load(output).load(rest.messages).tables == wanted
    assert SECOND not in process.log


def test_a_third_signal_does_not_wait(large: Simulator, tmp_path: Path) -> None:
    """Not even for the line that is being written."""
    with started(tap(tmp_path, large, PATIENT + CLI)) as process:
        process.wait_until_blocked()
        process.signal(TERM)
        process.wait_for(FIRST)
        # Two that are alike count once as long as the first of them has not been handled.
        process.signal(INT, HUP)
        assert process.end() == 143
        assert process.log.endswith(SECOND)


def test_a_signal_ends_the_wait_for_the_first_response(stripe: Simulator, tmp_path: Path) -> None:
    """The account lookup gets no response: the run ends at once, with a summary."""
    stripe.faults.add(Fault(match="/v1/account", hang=True))
    with started(tap(tmp_path, stripe)) as process:
        assert stripe.journal.wait_for(bool, LONG)
        process.signal(TERM)
        assert process.end() == 143
        assert process.read() == b""
    (summary,) = (line for line in process.log.splitlines() if b"summary {" in line)
    outcome = json.loads(summary[summary.index(b"{") :])
    assert (outcome["outcome"], outcome["rows"], outcome["requests"]) == ("interrupted", 0, 1)
    assert b"Traceback" not in process.log


def test_a_signal_ends_the_wait_for_the_first_rows(stripe: Simulator, tmp_path: Path) -> None:
    """A list without a response does not block; the last STATE does not cover it."""
    stripe.faults.add(Fault(match="/v1/customers", hang=True))
    with started(tap(tmp_path, stripe)) as process:
        path = "/v1/customers"
        assert stripe.journal.wait_for(lambda all_: any(one.path == path for one in all_), LONG)
        process.signal(TERM)
        output = process.read()
        assert process.end() == 143
    assert parsed(output)[-1]["value"]["bookmarks"]["customers"]["covered"] == []


DOOMED = """
import signal, sys
from tap_stripe_connect import tap
from tap_stripe_connect.sync import session
from tap_stripe_connect.sync.emit.dedupe import RecordFilter
from tap_stripe_connect.sync.emit.writer import OutputLoop

class Doomed:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)

def doomed(owner, name):
    original = getattr(owner, name)
    def replacement(*given, **named):
        setattr(owner, name, original)
        Doomed()
        return original(*given, **named)
    setattr(owner, name, replacement)

"""


@pytest.mark.parametrize(
    ("place", "outcome"),
    [
        pytest.param("doomed(tap.TapStripeConnect, 'load_state')", "", id="starting"),
        pytest.param("doomed(tap.TapStripeConnect, '_selected')", "interrupted", id="selecting"),
        pytest.param("doomed(OutputLoop, '__init__')", "interrupted", id="preparing"),
        pytest.param("doomed(session, 'accounts')", "interrupted", id="planning"),
        pytest.param("doomed(OutputLoop, 'run')", "interrupted", id="planned"),
        pytest.param("doomed(RecordFilter, 'records_of')", "interrupted", id="reading"),
        pytest.param("doomed(RecordFilter, 'warnings')", "interrupted", id="all written"),
        pytest.param("doomed(session, 'announce')", "complete", id="summing up"),
    ],
)
def test_a_signal_inside_a_destructor_is_not_lost(
    large: Simulator, tmp_path: Path, place: str, outcome: str
) -> None:
    """Python ignores what a destructor raises, so nothing may depend on an exception there."""
    with started(tap(tmp_path, large, f"{DOOMED}{place}\n{CLI}")) as process:
        output = Output(parsed(process.read()))
        assert process.end() == 143
    whole = outcome == "complete" or "warnings" in place
    assert len(output.records("customers")) == (ROWS if whole else 0)
    summaries = [line for line in process.log.splitlines() if b"summary {" in line]
    outcomes = [json.loads(line[line.index(b"{") :])["outcome"] for line in summaries]
    assert outcomes == ([outcome] if outcome else [])


def test_the_end_of_the_terminal_ends_a_run_cleanly(large: Simulator, tmp_path: Path) -> None:
    """HUP is handled as TERM is: whole lines, a last STATE, and an exit code of its own."""
    # Also where the tests themselves run under nohup.
    program = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); {CLI}"
    with started(tap(tmp_path, large, program)) as process:
        process.wait_until_blocked()
        process.signal(HUP)
        process.wait_for(FIRST)
        output = parsed(process.read())
        assert process.end() == 129
    assert output[-1]["type"] == "STATE"


def test_under_nohup_a_run_outlives_its_terminal(large: Simulator, tmp_path: Path) -> None:
    """HUP stays ignored if the parent process ignores it."""
    line = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *tap(tmp_path, large)]
    with started(line) as process:
        process.wait_until_blocked()
        process.signal(HUP)
        output = Output(parsed(process.read()))
        assert process.end() == 0
    assert len(output.records("customers")) == ROWS


def test_without_another_thread_planning_goes_on_in_this_one(
    large: Simulator, tmp_path: Path
) -> None:
    """If no thread can be started for planning, the run goes on nevertheless."""
    program = (
        "import threading; start = threading.Thread.start\n"
        "def failing_start(self):\n"
        "    if self.name == 'planning': raise RuntimeError(\"can't start new thread\")\n"
        "    start(self)\n"
        f"threading.Thread.start = failing_start\n{CLI}"
    )
    with started(tap(tmp_path, large, program)) as process:
        output = Output(parsed(process.read()))
        assert process.end() == 0
    assert len(output.records("customers")) == ROWS
