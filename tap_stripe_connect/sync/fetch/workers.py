"""An elastic pool of worker threads: as many as it takes to use up the rate limit."""

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
"""Threads at the start: without latency, more would only compete for the CPU."""

MAX_WORKERS = 128
"""Maximum number of threads; 100 requests a second that take 1 s each keep 100 busy."""

MAX_STARTED_AT_ONCE = 24
"""Maximum number of threads started at a time."""

MAX_CPU_SHARE = 0.5
"""Share of a core in use above which more threads would only compete for the CPU."""

CPU_SAMPLE_SECONDS = 0.1
"""Interval over which CPU use is measured before more threads are started."""


class NoThreadError(click.ClickException):
    """The system allows not even one thread; reported in one line, with exit code 1."""


class WorkerPool:
    """Threads that all run the same function; `idle` of them wait for work."""

    def __init__(self, run_worker: Callable[[], None]) -> None:
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
        """Start up to `count` more threads unless the CPU is the bottleneck."""
        now, cpu_time = time.monotonic(), time.process_time()
        before, cpu_time_before = self._measured_at
        if not self._threads or now - before < CPU_SAMPLE_SECONDS:
            return
        self._measured_at = now, cpu_time
        if cpu_time - cpu_time_before < MAX_CPU_SHARE * (now - before):
            self._start(min(count, MAX_STARTED_AT_ONCE, self._max_threads - len(self._threads)))

    def _start(self, count: int) -> None:
        """Start threads; if the system allows no more, continue with those that are running."""
        for _ in range(count):
            name = f"worker-{len(self._threads)}"
            thread = threading.Thread(target=self._run_worker, name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                self._max_threads = len(self._threads)
                self._report_limit(error)
                return
            self._threads.append(thread)

    def _report_limit(self, error: RuntimeError) -> None:
        """Log that no more threads can be started; raises NoThreadError if none is running."""
        cause = f"the limit on threads is reached ({error}; see ulimit -u, or a container's limits)"
        if not self._threads:
            raise NoThreadError(
                f"Cannot read from Stripe: {cause}; raise it and run again"
            ) from None
        logger.warning("Sending at most %d requests at a time: %s", self._max_threads, cause)

    def join(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for all threads to end."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
