"""The threads that read: as many as it takes to use the request budget up."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

FIRST_WORKERS = 1
"""Threads to begin with: without latency more would only be in each other's way."""

MAX_WORKERS = 128
"""Threads at most; 100 requests a second at 1 s each keep 100 busy."""


MAX_STARTED_AT_ONCE = 24
"""Threads started at once, at most."""

MAX_CPU_SHARE = 0.5
"""Part of a core in use above which more threads would only be in each other's way."""

CPU_SAMPLE_SECONDS = 0.1
"""Seconds over which that is measured, before more are started."""


class NoThreadError(click.ClickException):
    """Not even one thread can be started; told in one line, exit code 1."""


class WorkerPool:
    """Threads that all do the same; `idle` of them wait for something to do."""

    def __init__(self, run_worker: Callable[[], None]) -> None:
        """Prepare to run `run_worker` in each thread."""
        self._run_worker = run_worker
        self._threads: list[threading.Thread] = []
        self._max_threads = MAX_WORKERS
        self.idle = 0
        self._measured_at = (0.0, 0.0)

    def start(self) -> None:
        """Start the first threads."""
        self._measured_at = time.monotonic(), time.process_time()
        self._start(FIRST_WORKERS)

    def scale_up(self, count: int) -> None:
        """Start so many more, up to the most there may be, while the processor has time for them.

        For want of readers time goes by with waiting; where it goes into rows, none are missing.
        """
        now, used = time.monotonic(), time.process_time()
        before, used_before = self._measured_at
        if not self._threads or now - before < CPU_SAMPLE_SECONDS:
            return
        self._measured_at = now, used
        if used - used_before < MAX_CPU_SHARE * (now - before):
            self._start(min(count, MAX_STARTED_AT_ONCE, self._max_threads - len(self._threads)))

    def _start(self, count: int) -> None:
        """Start threads; once the system allows no more, the ones there are have to do."""
        for _ in range(count):
            name = f"reader-{len(self._threads)}"
            thread = threading.Thread(target=self._run_worker, name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                self._max_threads = len(self._threads)
                self._report_limit(error)
                return
            self._threads.append(thread)

    def _report_limit(self, error: RuntimeError) -> None:
        """Say that no more threads can be started; raises NoThreadError where there is none."""
        cause = f"the limit on threads is reached ({error}; see ulimit -u, or a container's limits)"
        if not self._threads:
            raise NoThreadError(f"Stripe cannot be read: {cause}; raise it and run again") from None
        logger.warning("Not more than %d requests are sent at a time: %s", self._max_threads, cause)

    def join(self, timeout: float) -> None:
        """Wait for all to end, for so many seconds together."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
