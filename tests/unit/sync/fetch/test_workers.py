"""The threads that read: where the system allows few of them, a run goes on with these."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.sync.fetch import workers
from tap_stripe_connect.sync.fetch.workers import NoThreadError
from tap_stripe_connect.sync.report import progress
from tests.support.harness import DAY, NOW, Output, config_for, run, selecting

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.server import Simulator

ROWS = 1500


def run_with(stripe: Simulator, monkeypatch: pytest.MonkeyPatch, threads: int) -> Output:
    """Run the tap where no more than so many threads can be started."""
    started: list[threading.Thread] = []

    class Scarce(threading.Thread):
        def start(self) -> None:
            if len(started) >= threads:
                raise RuntimeError("can't start new thread")
            started.append(self)
            super().start()

    scarce = SimpleNamespace(**{**vars(threading), "Thread": Scarce})
    monkeypatch.setattr(workers, "threading", scarce)
    monkeypatch.setattr(progress, "threading", scarce)
    bulk.load(stripe.world.platform, charges=ROWS, customers=ROWS, start=NOW - 9 * DAY, until=NOW)
    # Long enough for one worker to leave requests unused.
    stripe.faults.add(Fault(delay=0.15))
    return run(config_for(stripe), catalog=selecting("charges", "customers"))


@pytest.mark.parametrize("threads", [2, 3])
def test_a_run_goes_on_with_the_threads_that_there_are(
    stripe: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    threads: int,
) -> None:
    """A container's limit costs time and a log line; one thread logs the progress."""
    output = run_with(stripe, monkeypatch, threads)
    assert output.exit_code == 0
    assert output.counts == {"charges": ROWS, "customers": ROWS}
    (limit_line,) = (line for line in caplog.messages if "thread" in line)
    assert limit_line.startswith(f"Sending at most {threads - 1} requests at a time: the limit on")


def test_without_a_single_thread_one_line_says_so(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It names the possible limits; nothing but a STATE has been written."""
    with pytest.raises(NoThreadError) as caught:
        run_with(stripe, monkeypatch, 0)
    assert "ulimit -u" in (line := caught.value.format_message())
    assert "\n" not in line
    assert caught.value.exit_code == 1
    assert not [record for record in caplog.records if record.exc_info]


def test_a_run_without_a_thread_for_progress_logs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading matters more."""

    def refuse(_thread: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    silent = progress.Progress(SimpleNamespace(total=lambda: None))  # type: ignore[arg-type]
    with silent.reporting():
        pass
