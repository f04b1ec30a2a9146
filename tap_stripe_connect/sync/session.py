"""A session: one sync or connection test, from the accounts to the summary."""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Protocol

from tap_stripe_connect.accounts import accounts
from tap_stripe_connect.api.client import Client
from tap_stripe_connect.api.rate_limit import ENDPOINT_SHARE, PER_ENDPOINT, Limiter
from tap_stripe_connect.errors import TapError
from tap_stripe_connect.sync.connection_test import ConnectionTest
from tap_stripe_connect.sync.emit.dedupe import RecordFilter
from tap_stripe_connect.sync.emit.gc_tuning import rare_collections
from tap_stripe_connect.sync.emit.messages import EmittingStream, now
from tap_stripe_connect.sync.emit.records import Records
from tap_stripe_connect.sync.emit.writer import OutputLoop, checked_output
from tap_stripe_connect.sync.fetch.engine import Engine
from tap_stripe_connect.sync.plan.jobs import Job
from tap_stripe_connect.sync.plan.planner import Planner
from tap_stripe_connect.sync.plan.scope import Scope, lists_of
from tap_stripe_connect.sync.report import bookmark_warnings
from tap_stripe_connect.sync.report.failures import fails_the_run, grouped_failures, log_failures
from tap_stripe_connect.sync.report.progress import Progress
from tap_stripe_connect.sync.report.stats import coverages, stats_by_stream, unwritten_objects
from tap_stripe_connect.sync.report.summary import Summary, announce
from tap_stripe_connect.sync.state.digests import Digests

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from typing import Any

    from tap_stripe_connect.accounts import Account
    from tap_stripe_connect.catalog import Listed, Nested
    from tap_stripe_connect.settings import Settings
    from tap_stripe_connect.sync.emit.messages import MessageWriter
    from tap_stripe_connect.sync.emit.records import Converter
    from tap_stripe_connect.sync.signals import Signals
    from tap_stripe_connect.sync.state.format import Bookmarks

logger = logging.getLogger(__name__)


class SelectedStream(EmittingStream, Protocol):
    """What a session needs from a stream."""

    @property
    def requested(self) -> Listed | Nested:
        """Its catalog entry, without what the selection does not need."""


class Session:
    """One run over the selected streams."""

    def __init__(
        self,
        settings: Settings,
        bookmarks: Bookmarks,
        streams: Mapping[str, SelectedStream],
        converters: dict[str, Converter],
        full_table: Collection[str] = (),
    ) -> None:
        """Set up a session; `full_table` streams are listed in full despite their bookmarks."""
        self._settings = settings
        self._bookmarks = bookmarks
        self._streams = streams
        self._records = Records(converters)
        self._full_table = full_table
        self._stopping = threading.Event()
        self.client = Client(
            url=settings.api_url,
            api_key=settings.api_key,
            api_version=settings.api_version,
            limiter=Limiter(settings.max_requests_per_second),
            stopping=self._stopping,
        )
        self._accounts: list[Account] = []

    def _read_accounts(self) -> list[Account]:
        """Return the accounts to read from Stripe; raises TapError if there are none."""
        found = accounts(self.client, self._settings)
        part, parts = self._settings.shard
        if not found and parts > 1:
            logger.info("No account is in shard %s/%s", part, parts)
        elif not found:
            raise TapError(
                "there is no account to read: set account_ids or include_platform, "
                "or exclude fewer accounts"
            )
        return found

    def _check_mode(self) -> None:
        """Raise TapError if the state is for live mode and the key for test mode, or vice versa."""
        mode = {True: "live", False: "test"}
        known, given = self._bookmarks.livemode, self._settings.livemode
        if known is not None and known is not given:
            raise TapError(
                f"the state is for {mode[known]} data, but api_key is a {mode[given]} key; use "
                "another state or the other key; if they do belong together, remove livemode from "
                "the state"
            )
        self._bookmarks.livemode = given

    def _plan(self) -> tuple[Planner, RecordFilter, list[Job]]:
        """Read the accounts, and plan what to read; raises StripeError and TapError."""
        self._accounts = self._read_accounts()
        self._check_mode()
        own_time = int(self.client.wall_clock())
        scope = Scope(
            self._settings,
            lists_of({name: stream.requested for name, stream in self._streams.items()}),
            (self.client.server_time or own_time, own_time),
            self._full_table,
        )
        digests = Digests(scope.horizon)
        planner = Planner(scope, self._bookmarks, digests)
        planned = planner.begin(self._accounts)
        for line in bookmark_warnings.lines(planner.untrusted, now()):
            logger.warning(line)
        record_filter = RecordFilter(self._records, digests, livemode=self._settings.livemode)
        return planner, record_filter, planned

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield all records; raises StripeError for the first failure."""
        planner, record_filter, planned = self._plan()
        engine = Engine(self.client, self._stopping)
        engine.add(planned)
        for arrived in engine.pages():
            waiting = [arrived]
            while waiting:
                one = waiting.pop(0)
                if isinstance(one, Job):
                    if one.failure:
                        raise one.failure
                    pages, jobs = planner.finished(one)
                else:
                    if output := planner.prepare(one):
                        for _, record in record_filter.records_of(output):
                            yield record
                    pages, jobs = planner.written(one)
                engine.add(jobs)
                waiting += pages

    def test_connection(self, writer: MessageWriter) -> None:
        """Write the schema and one record of each stream; exits with 1 if a sync would fail."""
        found = self._read_accounts()
        test = ConnectionTest(
            self.client,
            self._records,
            {name: stream.requested for name, stream in self._streams.items()},
            livemode=self._settings.livemode,
        )
        count = 0
        with checked_output():
            for stream in self._streams.values():
                for message in stream.schema_messages():
                    writer.write_message(message)
            for name, record in test.records(found):
                count += 1
                writer.write_records(self._streams[name], record, now())
            writer.flush()
        log_failures(grouped_failures(test.failed))
        if fails_the_run(test.failed, self._settings):
            sys.exit(1)
        logger.info(
            "Connection test passed; %s of %s streams have records", count, len(self._streams)
        )

    def sync(self, writer: MessageWriter, signals: Signals, state_interval: float) -> None:
        """Read all streams in parallel; exits with a non-zero code if the sync is incomplete.

        Stripe limits each endpoint, so only parallel streams reach the limit of an account.
        """
        per_endpoint = self._settings.max_requests_per_second * ENDPOINT_SHARE
        progress = Progress(self.client.stats, per_endpoint=max(PER_ENDPOINT, per_endpoint))
        output = OutputLoop(writer, self._bookmarks, self._streams, state_interval, progress)
        signals.set_wake(output.interrupt)
        try:
            with progress.reporting(), rare_collections():
                planner, record_filter, planned = signals.run_interruptible(self._plan)
                engine = Engine(self.client, self._stopping)
                engine.add(planned)
                progress.add_jobs(planned, planner.horizon)
                output.run(planner, record_filter, engine)
        except BaseException:
            self._report("ended early", output, progress)
            raise
        for line in record_filter.warnings():
            logger.warning(line)
        self._report("complete", output, progress)
        if output.interrupted_by:
            logger.warning("Stopped by a signal; the next run resumes here")
            sys.exit(128 + output.interrupted_by)
        if fails_the_run(output.run_stats.failed, self._settings):
            sys.exit(1)

    def _report(self, outcome: str, output: OutputLoop, progress: Progress) -> None:
        """Log the failures and the summary, however the run ended."""
        found = grouped_failures(output.run_stats.failed)
        log_failures(found)
        if output.interrupted_by:
            outcome = "interrupted"
        elif outcome == "complete" and not all(group.expected for group in found):
            outcome = "incomplete"
        summary = Summary(
            outcome=outcome,
            seconds=progress.elapsed,
            stats=stats_by_stream(output.run_stats, self.client.stats.costs(), self._accounts),
            failures=found,
            coverages=coverages(
                self._bookmarks, self._accounts, self._streams, self._settings.start
            ),
            notes=unwritten_objects(self._records.converters, output.gone_without_event),
        )
        announce(summary, self._streams)
