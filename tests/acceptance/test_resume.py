"""Interrupted runs: nothing is lost, and little is read twice."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.simulator.business import populate
from tap_stripe_connect.simulator.server import Simulator
from tap_stripe_connect.simulator.world import World
from tap_stripe_connect.sync.fetch.workers import MAX_WORKERS
from tests.support.harness import (
    DAY,
    NOW,
    Warehouse,
    command,
    config_for,
    cuts,
    expected,
    parsed,
    run,
    selecting,
    whole_lines,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.harness import Json

YEAR = 365 * DAY
BUFFERED = 200_000
"""Bytes that pipe, reader and writer can buffer together, and a STATE."""


def test_output_cut_at_any_state_can_be_resumed(stripe: Simulator) -> None:
    """From any STATE, both parts together are what Stripe has."""
    populate(stripe.world.platform, seed=3, customers=40, start=NOW - YEAR, until=NOW)
    whole = run(config_for(stripe), every_state=True)
    wanted = expected(stripe.world.platform)
    states = list(cuts(whole.messages))
    assert len(states) > 10
    for written, state in states:
        rest = run(config_for(stripe), state=state)
        warehouse = Warehouse().load(written).load(rest.messages)
        assert warehouse.tables == {name: rows for name, rows in wanted.items() if rows}


def test_resuming_reads_only_what_no_state_claimed(stripe: Simulator) -> None:
    """A resumed run reads the missing rows, and single boundary seconds again."""
    bulk.load(stripe.world.platform, customers=3000, start=NOW - YEAR, until=NOW)
    whole = run(config_for(stripe), catalog=selecting("customers"), every_state=True)
    for written, state in list(cuts(whole.messages))[::5]:
        before = sum(message["type"] == "RECORD" for message in written)
        rest = run(config_for(stripe), state=state, catalog=selecting("customers"))
        assert before + len(rest.records("customers")) <= 3000 + MAX_WORKERS


def test_output_cut_at_any_state_can_be_resumed_where_lists_are_out_of_order(
    stripe: Simulator,
) -> None:
    """Stripe may list objects slightly out of the order of their creation times."""
    account = stripe.world.platform
    account.disorder(5)
    bulk.load(account, customers=1000, start=NOW - 5000, until=NOW - 4000)
    whole = run(config_for(stripe), catalog=selecting("customers"), every_state=True)
    states = list(cuts(whole.messages))
    assert len(states) > 5
    for written, state in states:
        rest = run(config_for(stripe), state=state, catalog=selecting("customers"))
        warehouse = Warehouse().load(written).load(rest.messages)
        assert warehouse.tables["customers"] == expected(account)["customers"]


def test_the_first_page_alone_claims_only_its_own_part(stripe: Simulator) -> None:
    """Lists come newest first; a bookmark at the newest row seen would lose the rest."""
    bulk.load(stripe.world.platform, customers=1000, start=NOW - YEAR, until=NOW)
    whole = run(config_for(stripe), catalog=selecting("customers"), every_state=True)
    covered = [state["bookmarks"]["customers"]["covered"] for _, state in cuts(whole.messages)]
    assert covered[0] == []
    ((start, _),) = next(spans for spans in covered if spans)
    assert start > "2025-06"


@pytest.fixture(scope="module")
def large() -> Iterator[Simulator]:
    """Serve an account of 60,000 customers."""
    world = World(now=NOW)
    bulk.load(world.platform, customers=60_000, start=NOW - 3 * YEAR, until=NOW - DAY)
    with Simulator(world) as simulator:
        yield simulator


class Row(msgspec.Struct):
    """Only the id of a row: tens of thousands of whole rows would fill the memory."""

    id: str


class Line(msgspec.Struct):
    """The parts of a message that the test needs."""

    type: str
    record: Row | None = None
    value: dict[str, Any] | None = None


def killed_after(line: list[str], lines: int) -> list[Line]:
    """Start the tap, kill it after a number of lines, and return the complete lines."""
    decode = msgspec.json.Decoder(Line).decode
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own program
        assert process.stdout
        read = [decode(text) for text in islice(process.stdout, lines)]
        process.kill()
        read += [decode(text) for text in process.stdout if text.endswith(b"\n")]
    return read


def last_state(messages: list[Json]) -> Json | None:
    """Return the last STATE, as a target would have stored it."""
    states = [message["value"] for message in messages if message["type"] == "STATE"]
    return states[-1] if states else None


@pytest.mark.slow
def test_a_load_killed_several_times_loses_nothing(large: Simulator, tmp_path: Path) -> None:
    """Killed at random points and resumed from the last whole STATE, the union is complete."""
    chance = random.Random(7)  # noqa: S311 - not for secrets
    config = config_for(large)
    state: Json | None = None
    ids: set[str] = set()
    rows = uncovered = 0
    for lines in [chance.randint(12_000, 27_000), chance.randint(6_000, 24_000), 1_000_000]:
        messages = killed_after(command(tmp_path, config, state=state), lines)
        states = [place for place, one in enumerate(messages) if one.type == "STATE"]
        written = [one.record.id for one in messages if one.record]
        rows += len(written)
        uncovered += len(messages) - 1 - states[-1] if states else len(messages)
        ids |= set(written)
        state = messages[states[-1]].value if states else state
    assert len(ids) == large.world.platform.count("customer")
    # Rows after the last STATE are read again, and so is the last second of a window.
    assert rows <= len(ids) + uncovered + 3 * MAX_WORKERS


@pytest.fixture(scope="module")
def small() -> Iterator[Simulator]:
    """Serve an account whose output takes a slow reader some seconds."""
    world = World(now=NOW)
    bulk.load(world.platform, customers=1500, invoices=60, lines=25, start=NOW - YEAR, until=NOW)
    with Simulator(world) as simulator:
        yield simulator


def interrupted(
    line: list[str], signals: list[signal.Signals], after: int, *, unbuffered: bool
) -> tuple[int, bytes]:
    """Signal a run once its slow reader has `after` bytes; return exit code and output."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1" if unbuffered else ""}
    with subprocess.Popen(  # noqa: S603 - our own program
        line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        assert isinstance(process.stdout, io.BufferedReader)
        output = process.stdout.read(after)
        for signum in signals:
            process.send_signal(signum)
        while chunk := process.stdout.read1(16_384):
            output += chunk
            time.sleep(0.005)  # A reader slower than the tap.
    return process.returncode, output


@pytest.mark.slow
def test_signals_at_any_moment_end_the_run_cleanly(small: Simulator, tmp_path: Path) -> None:
    """A hundred times: complete lines, the signal's exit code, a quick end, and no lost row."""
    chance = random.Random(11)  # noqa: S311 - not for secrets
    config = config_for(small)
    wanted = {name: rows for name, rows in expected(small.world.platform).items() if rows}
    whole = len(subprocess.check_output(command(tmp_path, config), stderr=subprocess.DEVNULL))  # noqa: S603 - our own program
    cut_short = 0
    for _ in range(100):
        signum = chance.choice([signal.SIGTERM, signal.SIGINT])
        signals = [signum] * chance.choice([1, 1, 2])
        after = chance.randrange(1, whole)
        unbuffered = chance.choice([True, False])
        code, output = interrupted(command(tmp_path, config), signals, after, unbuffered=unbuffered)
        if len(signals) == 1:
            assert parsed(output)[-1]["type"] == "STATE"
        # A second signal may cut the line off that is being written.
        messages = whole_lines(output)
        assert code in {0, 128 + signum}
        assert code or len(output) >= whole - BUFFERED, "exit code 0 though rows are missing"
        assert not code or len(output) <= after + BUFFERED, "the run did not end soon"
        cut_short += code != 0
        rest = run(config, state=last_state(messages))
        assert Warehouse().load(messages).load(rest.messages).tables == wanted
    assert cut_short > 80


def test_a_target_that_goes_away_ends_the_run_with_one_line(
    stripe: Simulator, tmp_path: Path
) -> None:
    """A closed pipe is reported in one line, without a traceback, and the run fails."""
    bulk.load(stripe.world.platform, customers=2000, start=NOW - YEAR, until=NOW)
    with subprocess.Popen(  # noqa: S603 - our own program
        command(tmp_path, config_for(stripe)), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        log = process.stderr.read().decode()
    assert process.returncode == 1
    assert "the target has closed the pipe" in log
    assert "Traceback" not in log
    assert "BrokenPipe" not in log


def test_a_full_disk_ends_the_run_with_one_line(stripe: Simulator, tmp_path: Path) -> None:
    """A full disk is reported in one line."""
    bulk.load(stripe.world.platform, customers=300, start=NOW - YEAR, until=NOW)
    config = config_for(stripe)
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(  # noqa: S603 - our own program
            command(tmp_path, config), stdout=full, stderr=subprocess.PIPE, check=False
        )
    log = ended.stderr.decode()
    assert ended.returncode == 1
    assert "the output cannot be written: No space left on device" in log
    assert "Traceback" not in log
