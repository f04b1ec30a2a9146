"""Reads many windows of many lists at once: threads fetch, the main thread takes whole pages."""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tap_stripe_connect.api.client import Interrupted
from tap_stripe_connect.api.errors import StripeError, Verdict, says_missing, says_no_cursor
from tap_stripe_connect.sync.board import Board
from tap_stripe_connect.sync.jobs import Job, Page
from tap_stripe_connect.sync.nested import completed
from tap_stripe_connect.sync.patience import Patience
from tap_stripe_connect.sync.readers import LOOK, Readers
from tap_stripe_connect.sync.rereads import Single
from tap_stripe_connect.sync.room import Room
from tap_stripe_connect.sync.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_stripe_connect.api.answers import Listing
    from tap_stripe_connect.api.client import Client

FIRST_TRIES = 2
"""Requests for a page before a smaller one is asked for (C5)."""

FRUITLESS_RESTARTS = 3
"""Times that a window may lose its cursor in the same second before its list is given up (C12)."""

LOOK_AGAIN = 0.25
"""Seconds after which readers without work look whether a request takes too long."""


class Engine:
    """Works jobs off, several requests at a time, and hands out pages as they come."""

    def __init__(self, client: Client, stopping: threading.Event) -> None:
        """Prepare to read; nothing is asked for before `pages` is begun."""
        self._client = client
        self._stopping = stopping
        self._changed = threading.Condition()
        self._board = Board()
        self._readers = Readers(self._read)
        self._unfinished = 0
        self._room = Room()
        self._patience = Patience()
        self._woken = False
        self._watched = False
        self._arrived: SimpleQueue[Page | Job | BaseException | None] = SimpleQueue()

    def add(self, jobs: Iterable[Job]) -> None:
        """Take on more work; for the thread that iterates over `pages`."""
        with self._changed:
            for job in jobs:
                self._unfinished += 1
                if job.plan.done:
                    self._arrived.put(job)
                else:
                    self._board.add(job)
            self._changed.notify_all()

    def pages(self) -> Iterator[Page | Job]:
        """Yield pages, and each job when it is done or has failed.

        A page counts as written once the next one is asked for. Raises what stops the
        whole run; leaving the iterator early stops the readers.
        """
        self._readers.start()
        try:
            while self._unfinished:
                try:
                    arrived = self._arrived.get(timeout=LOOK)
                except Empty:
                    with self._changed:
                        self._hire(spare=1)
                    continue
                if self._woken or arrived is None:
                    return
                if isinstance(arrived, BaseException):
                    raise arrived
                yield arrived
                if isinstance(arrived, Page):
                    self._release(arrived.weight)
                else:
                    self._unfinished -= 1
        finally:
            self.stop()
            self._readers.join(1.0)

    def wake(self) -> None:
        """Make `pages` end after the page being handled; safe inside a signal handler."""
        # SimpleQueue.put is reentrant; a lock or an Event taken here could already be held.
        self._woken = True
        self._arrived.put(None)

    def stop(self) -> None:
        """Tell the readers to end; requests in flight are given up."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def _read(self) -> None:
        """Fetch pages until the engine stops; the body of a reader thread."""
        try:
            while found := self._next_unit():
                job, unit, weight = found
                try:
                    self._fetch(job, unit, weight)
                except StripeError as error:
                    if error.verdict is Verdict.STOP:
                        raise
                    self._fail(job, unit, error, weight)
        except Interrupted:
            pass
        except BaseException as error:  # noqa: BLE001 - the main thread raises it again
            self._arrived.put(error)

    def _next_unit(self) -> tuple[Job, Window | Single, int] | None:
        """Wait for something to read and room for its page; None when the engine stops."""
        with self._changed:
            while not self._stopping.is_set():
                if found := self._choose():
                    job, unit = found
                    if isinstance(unit, Window):
                        unit.asked_at = time.monotonic()
                    self._room.ask(job.page_bytes)
                    self._hire()
                    # Where one found something there may be something for the next.
                    self._changed.notify()
                    return job, unit, job.page_bytes
                self._idle()
            return None

    def _idle(self) -> None:
        """Wait until there may be something to read; called under the lock.

        One of those who wait looks from time to time; nobody tells when an answer is late.
        """
        watching, self._watched = not self._watched, True
        self._readers.idle += 1
        self._changed.wait(LOOK_AGAIN if watching else None)
        self._readers.idle -= 1
        if watching:
            self._watched = False

    def _choose(self) -> tuple[Job, Window | Single] | None:
        """Return what should be read next, if there is room for its page; under the lock."""
        job = self._board.next(self._worth_splitting)
        if job:
            if not self._room.allows(job.page_bytes):
                return None
            if not job.plan.has_waiting:
                self._client.unused(job.listed.path, most=1)
            return job, self._board.hand_out(job)
        return self._board.overtake(time.monotonic(), self._patience.seconds, self._worth_splitting)

    def _hire(self, spare: int = 0) -> None:
        """Start readers where the budget was not used up for want of them; under the lock.

        Where nothing comes for a while, `spare` ones wait for what else there may be to do, be it
        to ask once more for a page that is late.
        """
        if self._readers.idle or self._room.crowded:
            return
        job = self._board.next(self._worth_splitting)
        if job and self._room.allows(job.page_bytes):
            spare = self._client.unused(job.listed.path)
        self._readers.grow(spare)

    def _worth_splitting(self, job: Job) -> bool:
        """Tell whether more readers of a list would be faster: its budget is not used up."""
        return self._client.unused(job.listed.path) > 0

    def _fetch(self, job: Job, unit: Window | Single, weight: int) -> None:
        """Make one request and hand over what it gave."""
        if isinstance(unit, Single):
            self._retrieve(job, unit, weight)
        elif (listing := self._list(job, unit, weight)) is not None:
            added, lost = completed(self._client, job, unit.streams, listing.rows)
            size = listing.size + added
            with self._changed:
                kept, covered = unit.take(listing.rows, has_more=listing.has_more)
                gone = tuple(row["id"] for row in kept if row.get("id") in lost)
                kept = [row for row in kept if row.get("id") not in lost] if gone else kept
                if unit.wanted is None:
                    page = Page(job, unit.streams, kept, covered, vanished=len(gone), weight=size)
                else:
                    page = Page(job, unit.streams, kept, absent=gone, weight=size)
                self._hand_over(job, unit, page, weight)

    def _list(self, job: Job, window: Window, weight: int) -> Listing | None:
        """Ask for the next page; None if the window has to be asked in another form."""
        size = job.page_size
        parameters = {
            **job.listed.parameters,
            **job.listed.expanded("data."),
            **window.parameters(),
            "limit": str(size),
        }
        tries = FIRST_TRIES if size > 1 else None
        try:
            listing = self._client.page(
                job.listed.path, parameters, job.header, tries, objects=(job.listed.object,)
            )
        except StripeError as error:
            dead_cursor = window.cursor is not None and says_no_cursor(error)
            final = error.verdict is not Verdict.RETRY or size == 1
            if window.fruitless >= FRUITLESS_RESTARTS if dead_cursor else final:
                raise
            with self._changed:
                if dead_cursor:
                    window.restart()
                else:
                    job.failed_with(size)
                self._room.answered(weight)
                if not job.failure and not window.lost:
                    job.plan.retry(window)
                    self._board.returned(job)
                self._changed.notify()
            return None
        with self._changed:
            # Of a page that was asked for once more it is known that it is late.
            if not window.lost:
                self._patience.took(time.monotonic() - window.asked_at)
            job.came_whole()
        return listing

    def _retrieve(self, job: Job, single: Single, weight: int) -> None:
        """Read one object; one that does not exist any more is handed over as absent."""
        found: list[dict[str, Any]] = []
        size = 0
        route = f"{job.listed.path}/{{id}}"
        try:
            answer = self._client.get(
                f"{job.listed.path}/{_path_part(single.id)}",
                job.listed.expanded(),
                account=job.header,
                route=route,
                objects=(job.listed.object,),
                name=single.id,
            )
            if answer.document.get("deleted") is not True:
                found = [answer.document]
                added, lost = completed(self._client, job, single.streams, found)
                size = answer.size + added
                found = [] if lost else found
        except StripeError as error:
            if not says_missing(error, single.id):
                raise
        absent = () if found else (single.id,)
        with self._changed:
            page = Page(job, single.streams, found, absent=absent, weight=size)
            self._hand_over(job, single, page, weight)

    def _hand_over(self, job: Job, unit: Window | Single, page: Page, weight: int) -> None:
        """Pass a page on to the main thread; called under the lock."""
        self._room.answered(weight)
        if not job.failure and not _is_lost(unit):
            job.page_bytes = page.weight
            self._room.wait(page.weight)
            self._arrived.put(page)
            job.plan.give_back(unit)
            self._board.returned(job)
            if job.plan.done:
                self._arrived.put(job)
        self._changed.notify()

    def _fail(self, job: Job, unit: Window | Single, error: StripeError, weight: int) -> None:
        """Give a job up, or all of its account; the others go on."""
        with self._changed:
            self._room.answered(weight)
            if not job.failure and not _is_lost(unit):
                if error.verdict is Verdict.SKIP_ACCOUNT:
                    lost = self._board.strike(job.account)
                else:
                    self._board.drop(job)
                    lost = [job]
                for one in lost:
                    one.failure = error
                    self._arrived.put(one)
            self._changed.notify()

    def _release(self, weight: int) -> None:
        with self._changed:
            self._room.written(weight)
            self._changed.notify()


def _is_lost(unit: Window | Single) -> bool:
    """Tell whether the same page has been asked for once more meanwhile."""
    return isinstance(unit, Window) and unit.lost


def _path_part(name: str) -> str:
    """Return an id as part of a path; one of dots alone would mean the folder above."""
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")
