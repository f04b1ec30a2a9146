"""The output loop: writes the pages of the engine to stdout, and STATE messages after them."""

from __future__ import annotations

import errno
import logging
import os
import sys
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from singer_sdk.singerlib import StateMessage

from tap_stripe_connect.catalog.columns import DELETED
from tap_stripe_connect.sync.emit.messages import now
from tap_stripe_connect.sync.plan.jobs import Job
from tap_stripe_connect.sync.report.stats import RunStats

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_stripe_connect.sync.emit.conversions import Json
    from tap_stripe_connect.sync.emit.dedupe import RecordFilter
    from tap_stripe_connect.sync.emit.messages import EmittingStream, MessageWriter
    from tap_stripe_connect.sync.fetch.engine import Engine
    from tap_stripe_connect.sync.plan.account_plan import Steps
    from tap_stripe_connect.sync.plan.jobs import Page
    from tap_stripe_connect.sync.plan.page_output import PageOutput
    from tap_stripe_connect.sync.plan.planner import Planner
    from tap_stripe_connect.sync.report.progress import Progress
    from tap_stripe_connect.sync.state.format import Bookmarks

logger = logging.getLogger(__name__)

STATE_COST_FACTOR = 20
"""Minimum time between STATE messages, as a multiple of the time it takes to write one."""

FILE_ERRORS = {errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC}
"""Errors of a file that stdout is redirected to."""

MAX_WAIT_INTERVALS = 30
"""Maximum time between STATE messages, as a multiple of the configured interval."""


class OutputClosedError(Exception):
    """stdout cannot be written any more: the pipe is closed, or the disk is full."""


class OutputLoop:
    """The only writer of a sync; it runs on the main thread."""

    def __init__(
        self,
        writer: MessageWriter,
        bookmarks: Bookmarks,
        streams: Mapping[str, EmittingStream],
        state_interval: float,
        progress: Progress,
    ) -> None:
        """Write the records of `streams`, and a STATE at most every `state_interval` seconds."""
        self._writer = writer
        self._bookmarks = bookmarks
        self._streams = streams
        self._state_interval = state_interval
        self._state_due = 0.0
        self._written_read_at = 0
        self._progress = progress
        self._engine: Engine | None = None
        self._record_filter: RecordFilter | None = None
        self.interrupted_by: int | None = None
        """The signal that stopped the run."""
        self.run_stats = RunStats()

    def interrupt(self, signum: int) -> None:
        """Stop soon; safe inside a signal handler."""
        self.interrupted_by = self.interrupted_by or signum
        if self._engine:
            self._engine.wake()

    def run(self, planner: Planner, rows: RecordFilter, engine: Engine) -> None:
        """Write all pages of the engine, and always a last STATE."""
        self._engine, self._record_filter = engine, rows
        if self.interrupted_by:
            engine.wake()
        self._state_due = time.monotonic() + self._state_interval
        with checked_output():
            try:
                self._run(planner, engine)
            finally:
                # This also writes the buffer, whose pages are already claimed.
                self._write_state()

    def _run(self, planner: Planner, engine: Engine) -> None:
        for stream in self._streams.values():
            for message in stream.schema_messages():
                self._writer.write_message(message)
        self._write_state()
        for arrived in engine.pages():
            if self.interrupted_by:
                return
            if isinstance(arrived, Job):
                if not self._process_job(planner, engine, arrived):
                    return
            elif not self._process_page(planner, engine, arrived):
                return
            if time.monotonic() >= self._state_due:
                self._write_state()
        if not self.run_stats.failed:
            # By now the bookmarks themselves contain it.
            self._bookmarks.read_at = 0
        self._writer.flush()

    def _process_job(self, planner: Planner, engine: Engine, job: Job) -> bool:
        """Handle a finished job; return False if a signal arrived meanwhile."""
        if job.failure:
            self.run_stats.failed.append(job)
        self._progress.finished(job)
        return self._continue(planner, engine, planner.finished(job))

    def _continue(self, planner: Planner, engine: Engine, steps: Steps) -> bool:
        """Write pages and add jobs; return False if a signal arrived meanwhile."""
        pages, jobs = steps
        self._progress.add_jobs(jobs, planner.horizon)
        if not all(self._process_page(planner, engine, page) for page in pages):
            return False
        engine.add(jobs)
        return True

    def _process_page(self, planner: Planner, engine: Engine, page: Page) -> bool:
        """Write a page and take the next steps; return False if a signal arrived meanwhile."""
        return self._write_page(planner, page) and self._continue(
            planner, engine, planner.written(page)
        )

    def _write_page(self, planner: Planner, page: Page) -> bool:
        """Write a page's records; return False if a signal arrived before the last one."""
        moment = now()
        rows: Counter[str] = Counter()
        deleted: Counter[str] = Counter()
        try:
            for name, record in self._records(planner.prepare(page)):
                if self.interrupted_by:
                    return False
                gone = record[DELETED.name] is not None
                written = self._writer.write_records(self._streams[name], record, moment)
                rows[name] += written
                if gone:
                    deleted[name] += written
        finally:
            self.run_stats.add(page, rows, deleted)
        self._progress.wrote(page, rows.total())
        return True

    def _records(self, output: PageOutput | None) -> Iterator[tuple[str, Json]]:
        """Yield the records of a page with their streams."""
        if output is None or self._record_filter is None:
            return
        for record in self._record_filter.records_of(output):
            if self._bookmarks.read_at > self._written_read_at:
                # Rows with this time follow. If this run is killed, the next one has to know it.
                self._write_state()
            yield record

    @property
    def gone_without_event(self) -> Mapping[str, int]:
        """Changed objects of each stream that no longer exist, without a deletion event so far."""
        return self._record_filter.gone_without_event if self._record_filter else {}

    def _write_state(self) -> None:
        start = time.monotonic()
        self._written_read_at = self._bookmarks.read_at
        self._writer.write_message(StateMessage(value=self._bookmarks.state()))
        done = time.monotonic()
        # With thousands of accounts a STATE takes time, so it is written less often.
        longest = MAX_WAIT_INTERVALS * self._state_interval
        wait = min(STATE_COST_FACTOR * (done - start), longest)
        self._state_due = done + max(self._state_interval, wait)


@contextmanager
def checked_output() -> Iterator[None]:
    """Raise OutputClosedError if stdout cannot be written."""
    try:
        yield
    except BrokenPipeError:
        abandon_stdout()
        raise OutputClosedError("the target has closed the pipe; see its messages") from None
    except OSError as error:
        if error.errno not in FILE_ERRORS:
            raise
        abandon_stdout()
        raise OutputClosedError(f"the output cannot be written: {error.strerror}") from None


def abandon_stdout() -> None:
    """Keep the interpreter from writing to the closed pipe at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)
