"""Reads many windows of many lists at once: threads fetch, the main thread takes whole pages."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.api.client import Interrupted, check_progress
from tap_stripe_connect.api.errors import StripeError, Verdict
from tap_stripe_connect.catalog import nested_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_stripe_connect.api.client import Client, Listing
    from tap_stripe_connect.catalog import Listed
    from tap_stripe_connect.sync.windows import Plan, Range, Window

READERS = 16
"""Threads; 50 requests a second at 0.3 s each keep 15 busy."""

BYTES_IN_FLIGHT = 12_000_000
"""Bytes of pages asked for or waiting to be written; decoded they take about five times that."""

FIRST_PAGE_BYTES = 400_000
"""What a page is taken to weigh before the first one of its list has come."""


@dataclass(eq=False)
class Job:
    """One list of one account, to be read for the streams that need it."""

    listed: Listed
    account: str
    """The account that rows belong to."""
    header: str | None
    """The connected account to act on; None for the key's own."""
    plan: Plan
    page_bytes: int = field(default=FIRST_PAGE_BYTES)
    """Weight of the newest page, as a guess of the next one's."""
    failure: StripeError | None = None


@dataclass(frozen=True)
class Page:
    """Objects of one list that belong together: once written, `covered` may be claimed."""

    job: Job
    streams: frozenset[str]
    objects: list[dict[str, Any]]
    covered: Range
    weight: int


class Engine:
    """Works jobs off, several windows at a time, and hands out their pages as they come."""

    def __init__(self, client: Client, jobs: Sequence[Job], stopping: threading.Event) -> None:
        """Prepare to read; nothing is asked for before `pages` is begun."""
        self._client = client
        self._jobs = list(jobs)
        self._stopping = stopping
        self._changed = threading.Condition()
        self._weight = 0
        self._woken = False
        self._arrived: SimpleQueue[Page | Job | BaseException | None] = SimpleQueue()

    def pages(self) -> Iterator[Page | Job]:
        """Yield pages, and each job when it is done or has failed.

        A page counts as written once the next one is asked for. Raises what stops the
        whole run; leaving the iterator early stops the readers.
        """
        unfinished = {id(job): job for job in self._jobs if not job.plan.done}
        yield from (job for job in self._jobs if job.plan.done)
        readers = [
            threading.Thread(target=self._read, name=f"reader-{number}", daemon=True)
            for number in range(READERS)
        ]
        for reader in readers:
            reader.start()
        try:
            while unfinished:
                arrived = self._arrived.get()
                if self._woken or arrived is None:
                    return
                if isinstance(arrived, BaseException):
                    raise arrived
                if isinstance(arrived, Job):
                    del unfinished[id(arrived)]
                yield arrived
                if isinstance(arrived, Page):
                    self._release(arrived.weight)
        finally:
            self.stop()
            for reader in readers:
                reader.join(timeout=1.0)

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
        """Fetch pages until no work is left; the body of a reader thread."""
        try:
            while found := self._next_window():
                job, window, weight = found
                try:
                    self._deliver(job, window, weight)
                except StripeError as error:
                    if error.verdict is Verdict.STOP:
                        raise
                    self._fail(job, error, weight)
        except Interrupted:
            pass
        except BaseException as error:  # noqa: BLE001 - the main thread raises it again
            self._arrived.put(error)

    def _next_window(self) -> tuple[Job, Window, int] | None:
        """Wait for a window worth reading and room for its page; None when all is read."""
        with self._changed:
            while not self._stopping.is_set():
                if all(job.plan.done for job in self._jobs):
                    return None
                job = self._hungriest()
                if job and (not self._weight or self._weight + job.page_bytes <= BYTES_IN_FLIGHT):
                    self._weight += job.page_bytes
                    return job, job.plan.next(), job.page_bytes
                self._changed.wait()
            return None

    def _hungriest(self) -> Job | None:
        """Return the job with the fewest readers that could use one more."""
        return min(
            (job for job in self._jobs if job.plan.has_work),
            key=lambda job: (job.plan.readers, not job.plan.has_waiting),
            default=None,
        )

    def _deliver(self, job: Job, window: Window, weight: int) -> None:
        """Fetch the next page of a window, complete it and hand it over."""
        parameters = {**job.listed.parameters, **window.parameters()}
        listing = self._client.page(job.listed.path, parameters, job.header)
        if listing.has_more:
            check_progress(listing, window.cursor, job.listed.path, job.header)
        size = listing.size + self._complete(job, window.streams, listing)
        with self._changed:
            if job.failure:
                self._weight -= weight
                return
            objects, covered = window.take(listing.rows, has_more=listing.has_more)
            job.page_bytes = size
            self._weight += size - weight
            self._arrived.put(Page(job, window.streams, objects, covered, size))
            job.plan.give_back(window)
            if job.plan.done:
                self._arrived.put(job)
            self._changed.notify_all()

    def _complete(self, job: Job, streams: frozenset[str], listing: Listing) -> int:
        """Read the rest of nested lists that Stripe cut short (B1); return the bytes added."""
        added = 0
        wanted = {
            nested.list_field for nested in nested_in(job.listed.name) if nested.name in streams
        }
        unwanted = {nested.list_field for nested in nested_in(job.listed.name)} - wanted
        for row in listing.rows:
            for name, value in row.items():
                if type(value) is dict and value.get("has_more") is True and name not in unwanted:
                    value["data"] = self._client.all_rows(value["url"], job.header)
                    value["has_more"] = False
                    added += listing.size // max(1, len(listing.rows))
        return added

    def _fail(self, job: Job, error: StripeError, weight: int) -> None:
        """Give a job up, or all of its account; the others go on."""
        with self._changed:
            self._weight -= weight
            for lost in self._jobs if error.verdict is Verdict.SKIP_ACCOUNT else [job]:
                if lost.account == job.account and not lost.failure and not lost.plan.done:
                    lost.failure = error
                    lost.plan.abandon()
                    self._arrived.put(lost)
            self._changed.notify_all()

    def _release(self, weight: int) -> None:
        with self._changed:
            self._weight -= weight
            self._changed.notify_all()
