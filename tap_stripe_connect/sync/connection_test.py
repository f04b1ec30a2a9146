"""The connection test: reads one record of each stream, and reports what cannot be read."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from tap_stripe_connect.api.errors import ErrorAction, StripeError
from tap_stripe_connect.catalog import LISTED, Listed, nested_in
from tap_stripe_connect.sync.emit.records import RecordContext
from tap_stripe_connect.sync.plan.backfill import Backfill
from tap_stripe_connect.sync.plan.jobs import Job, Purpose
from tap_stripe_connect.sync.state.ranges import unix_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_stripe_connect.accounts import Account
    from tap_stripe_connect.api.client import Client
    from tap_stripe_connect.catalog import Nested
    from tap_stripe_connect.sync.emit.conversions import Json
    from tap_stripe_connect.sync.emit.records import Records

MAX_ACCOUNTS = 10
"""Maximum number of accounts to test."""

ROWS_PER_LIST = "10"
"""Rows to request from each list; one of them may contain nested objects."""


class ConnectionTest:
    """Requests each list of the selected streams once, and empty ones in more accounts."""

    def __init__(
        self,
        client: Client,
        records: Records,
        streams: Mapping[str, Listed | Nested],
        *,
        livemode: bool,
    ) -> None:
        """Test the selected `streams`, by name."""
        self._client = client
        self._records = records
        self._livemode = livemode
        self._missing = set(streams)
        self._lists: list[tuple[Listed, frozenset[str]]] = []
        for name, listed in LISTED.items():
            names = {name, *(nested.name for nested in nested_in(name))} & streams.keys()
            selected = streams.get(name)
            if names:
                found = selected if isinstance(selected, Listed) else listed
                self._lists.append((found, frozenset(names)))
        self.failed: list[Job] = []
        """A failed job for each list that could not be read."""

    def records(self, accounts: Sequence[Account]) -> Iterator[tuple[str, Json]]:
        """Yield a record of each stream that has one, with its stream's name.

        Raises StripeError for an error that would stop a sync.
        """
        for place, account in enumerate(islice(accounts, MAX_ACCOUNTS)):
            lists = [one for one in self._lists if not place or one[1] & self._missing]
            for listed, streams in lists or self._lists[:1]:
                yield from self._of(listed, streams, account)
                if any(job.account == account.id and _is_lost(job) for job in self.failed):
                    break
            else:
                if not place:
                    self._check_feed(account)

    def _of(
        self, listed: Listed, streams: frozenset[str], account: Account
    ) -> Iterator[tuple[str, Json]]:
        for value in self._rows(listed, account, Purpose.LOAD):
            context = RecordContext(account.id, self._livemode, unix_time(value.get("created")))
            for name, record in self._records.of(listed, streams & self._missing, value, context):
                if name in self._missing:
                    self._missing.remove(name)
                    yield name, record

    def _check_feed(self, account: Account) -> None:
        """Request the event feed, which later runs need to find changes."""
        events = any(listed.name == "events" for listed, _ in self._lists)
        if not events and any(listed.changes == "feed" for listed, _ in self._lists):
            self._rows(LISTED["events"], account, Purpose.FEED)

    def _rows(self, listed: Listed, account: Account, purpose: Purpose) -> list[Json]:
        """Return some rows of a list; if that fails, return none and add a failed job."""
        parameters = {**listed.parameters, **listed.expanded("data."), "limit": ROWS_PER_LIST}
        try:
            page = self._client.page(
                listed.path, parameters, account.header, objects=[listed.object]
            )
        except StripeError as error:
            if error.action is ErrorAction.STOP:
                raise
            job = Job(listed, account.id, account.header, Backfill(()), purpose)
            job.failure = error
            self.failed.append(job)
            return []
        return page.rows


def _is_lost(job: Job) -> bool:
    """Return whether nothing of the job's account can be read."""
    return job.failure is not None and job.failure.action is ErrorAction.SKIP_ACCOUNT
