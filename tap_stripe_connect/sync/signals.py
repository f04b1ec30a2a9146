"""Signal handling: the first signal stops a run cleanly, the second one ends the process."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

Result = TypeVar("Result")

GRACE = 0.5
"""Seconds between a second signal and the end of the process.

Ctrl-C under Meltano sends two signals. A target that still reads can receive a whole line in this
time.
"""

FIRST = b"Stopping after the current line; a second signal ends the run at once\n"
SECOND = b"Ended by a second signal; the next run resumes from the last STATE in the target\n"


class Signals:
    """Records signals for the thread that writes, which stops where it can.

    A handler runs between any two steps of the program. An exception raised there would be lost in
    a destructor, or leave half a line on stdout.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        """The first signal; None before it arrives."""
        self._wake: Callable[[int], object] | None = None
        self._deferring = False
        self._ending = False
        self._progress: SimpleQueue[object] = SimpleQueue()

    def handle(self, signum: int) -> None:
        """Handle a signal; raises SystemExit outside `deferred`."""
        if self.received is not None:
            self._exit_soon()
            return
        self.received = signum
        if not self._deferring:
            sys.exit(128 + signum)
        write_stderr(FIRST)
        self._progress.put(None)
        if self._wake:
            self._wake(signum)

    def set_wake(self, wake: Callable[[int], object]) -> None:
        """Call `wake` with the first signal; it must be safe inside a signal handler."""
        self._wake = wake
        if self.received is not None:
            wake(self.received)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Record signals instead of raising; raises SystemExit at the end if one was recorded."""
        self._deferring = True
        try:
            self.check()
            yield
            self.check()
        finally:
            self._deferring = False

    def check(self) -> None:
        """Raise SystemExit if a signal has arrived."""
        if self.received is not None:
            sys.exit(128 + self.received)

    def run_interruptible(self, work: Callable[[], Result]) -> Result:
        """Return the result of `work`; raises SystemExit as soon as a signal arrives.

        The work runs in a thread, because waiting for a response cannot be interrupted otherwise.
        """
        self.check()
        results: list[Result] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                results.append(work())
            except BaseException as error:  # noqa: BLE001 - raised again by the main thread
                errors.append(error)
            self._progress.put(None)

        try:
            threading.Thread(target=run, name="planning", daemon=True).start()
        except RuntimeError:
            # The system allows no more threads, so a signal has to wait for the response.
            run()
        self._progress.get()
        self.check()
        for error in errors:
            raise error
        return results[0]

    def _exit_soon(self) -> None:
        """End the process within `GRACE` seconds; a third signal ends it at once."""
        if self._ending or not hasattr(signal, "setitimer"):
            self._end()
        self._ending = True
        signal.signal(signal.SIGALRM, self._end)
        signal.setitimer(signal.ITIMER_REAL, GRACE)

    def _end(self, signum: int = 0, frame: FrameType | None = None) -> NoReturn:
        """End the process without writing the buffer, which could block again."""
        del signum, frame
        write_stderr(SECOND)
        os._exit(128 + (self.received or 0))


def write_stderr(line: bytes) -> None:
    """Write a line to stderr unless that blocks; unlike logging it is safe inside a handler."""
    with suppress(OSError, ValueError):
        if select.select([], [2], [], 0)[1]:
            os.write(2, line)


def handle_hangups(handler: Callable[[int, FrameType | None], object]) -> None:
    """Handle SIGHUP like the SDK handles SIGTERM, except under `nohup`."""
    if (
        hasattr(signal, "SIGHUP")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    ):
        signal.signal(signal.SIGHUP, handler)
