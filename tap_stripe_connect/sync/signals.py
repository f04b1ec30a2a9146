"""What a signal does to a run: the first one is noted, the second one ends the process."""

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

Enough for a target that still reads to get a whole line: Ctrl-C under Meltano is two signals.
"""

FIRST = b"Stopping after the line that is being written; another signal ends the run at once\n"
SECOND = b"Ended by a second signal; the last STATE that the target has got says how far it came\n"


class Signals:
    """Notes signals for the thread that writes, which looks for them where it can stop.

    A handler runs between any two steps of the program. An exception raised there is lost in a
    destructor, and may leave half a line on stdout anywhere else.
    """

    def __init__(self) -> None:
        """Prepare for signals; until `deferred` each one raises SystemExit."""
        self.received: int | None = None
        """The signal that came first."""
        self._wake: Callable[[int], object] | None = None
        self._deferring = False
        self._ending = False
        self._progress: SimpleQueue[object] = SimpleQueue()

    def handle(self, signum: int) -> None:
        """Handle a signal; raises SystemExit where there is no run to bring to an end."""
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
        """Call `wake` with a signal, now if it has come; it has to be safe inside a handler."""
        self._wake = wake
        if self.received is not None:
            wake(self.received)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Only note signals meanwhile; raises SystemExit for one that nobody has acted upon."""
        self._deferring = True
        try:
            self.check()
            yield
            self.check()
        finally:
            self._deferring = False

    def check(self) -> None:
        """Raise SystemExit if a signal has come."""
        if self.received is not None:
            sys.exit(128 + self.received)

    def run_interruptible(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns; raises SystemExit once a signal comes, however long it takes.

        A thread does it, because nothing else ends the waiting for an answer of Stripe's.
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
            # No thread is to be had; then a signal waits for the answer.
            run()
        self._progress.get()
        self.check()
        for error in errors:
            raise error
        return results[0]

    def _exit_soon(self) -> None:
        """End the process within `GRACE`, whatever it waits for; a third signal ends it now."""
        if self._ending or not hasattr(signal, "setitimer"):
            self._end()
        self._ending = True
        signal.signal(signal.SIGALRM, self._end)
        signal.setitimer(signal.ITIMER_REAL, GRACE)

    def _end(self, signum: int = 0, frame: FrameType | None = None) -> NoReturn:
        """End the process, less what waits to be written: that would only block again."""
        del signum, frame
        write_stderr(SECOND)
        os._exit(128 + (self.received or 0))


def write_stderr(line: bytes) -> None:
    """Write a line to stderr, if that does not block; safe inside a handler, as logging is not."""
    with suppress(OSError, ValueError):
        if select.select([], [2], [], 0)[1]:
            os.write(2, line)


def handle_hangups(handler: Callable[[int, FrameType | None], object]) -> None:
    """Handle the end of the terminal as the SDK handles SIGTERM, but under `nohup`."""
    if (
        hasattr(signal, "SIGHUP")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    ):
        signal.signal(signal.SIGHUP, handler)
