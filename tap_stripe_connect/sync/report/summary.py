"""The closing summary of a run: a table for people and one line of JSON for programs."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from singer_sdk import metrics

from tap_stripe_connect.sync.report.progress import duration
from tap_stripe_connect.sync.report.stats import Stats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tap_stripe_connect.sync.report.failures import FailureGroup
    from tap_stripe_connect.sync.report.stats import Coverage, StreamAccount

logger = logging.getLogger(__name__)

ACCOUNTS_SHOWN = 20
"""Accounts in the table at most, those with trouble first."""

ACCOUNTS_IN_JSON = 200
"""Accounts in the JSON line at most, those with trouble first."""

FIGURES = 5
"""Columns of figures in the table, after the first one."""

FEED = "(event feed)"
"""Stands for the stream of events where that is read and not selected."""


def announce(summary: Summary, streams: Iterable[str]) -> None:
    """Log the table, the JSON line, and the SDK's metric of each stream."""
    entry = summary.as_json()
    for name in streams:
        with metrics.record_counter(name) as counter:
            counter.increment(entry["streams"].get(name, {}).get("rows", 0))
    logger.info(summary.table())
    logger.info("summary %s", json.dumps(entry))


class Summary:
    """Everything that the table and the JSON line tell."""

    def __init__(  # noqa: PLR0913 - each is counted by somebody else
        self,
        *,
        outcome: str,
        seconds: float,
        stats: Mapping[StreamAccount, Stats],
        failures: Sequence[FailureGroup],
        coverages: Mapping[str, Coverage],
        notes: Mapping[str, Mapping[str, int]],
    ) -> None:
        """Sum up; `notes` has further counts by stream, such as objects without a key."""
        self._outcome = outcome
        self._seconds = seconds
        self._failures = failures
        self._coverages = coverages
        self._notes = notes
        self._stats = {
            (self._label(stream), account): one for (stream, account), one in stats.items()
        }
        self._total = _sum(self._stats, lambda _place: "").get("", Stats())
        self._streams = _sum(self._stats, lambda place: place[0])
        self._accounts = _sum(self._stats, lambda place: place[1])
        self._accounts.pop("", None)
        for group in self._failures:
            for account in group.accounts:
                self._accounts.setdefault(account, Stats())

    def _label(self, stream: str) -> str:
        """Return the name to show; the feed is read whether its stream is selected or not."""
        return FEED if stream == "events" and stream not in self._coverages else stream

    def as_json(self) -> dict[str, Any]:
        """Return the summary for programs; as long for thousands of accounts as for hundreds."""
        shown = self._ranked_accounts()[:ACCOUNTS_IN_JSON]
        accounts: dict[str, dict[str, Any]] = {account: {} for account in shown}
        for (stream, account), one in sorted(self._stats.items()):
            if account in accounts:
                accounts[account][stream] = _compact_json(one)
        return {
            "outcome": self._outcome,
            "seconds": round(self._seconds, 1),
            **_full_json(self._total),
            "streams": {name: self._stream_json(name) for name in self._names()},
            "skipped": [group.as_json() for group in self._failures],
            "accounts": accounts,
            "accounts_not_shown": len(self._accounts) - len(shown),
        }

    def _stream_json(self, name: str) -> dict[str, Any]:
        entry = {**_compact_json(self._streams.get(name, Stats())), **self._notes.get(name, {})}
        if coverage := self._coverages.get(name):
            entry["until"] = _moment(coverage.until).isoformat() if coverage.until else None
            entry["accounts_unfinished"] = coverage.unfinished
        return entry

    def _names(self) -> list[str]:
        """Return the streams that did something, failed or have a note, in order."""
        failed = {self._label(group.stream) for group in self._failures if group.stream}
        return sorted({*self._streams, *failed, *self._notes} - {""})

    def _ranked_accounts(self) -> list[str]:
        """Return the accounts: those with trouble first, then those with most rows."""
        failed = {account for one in self._failures for account in one.accounts}
        return sorted(
            self._accounts,
            key=lambda name: (name not in failed, -self._accounts[name].rows, name),
        )

    def table(self) -> str:
        """Return the summary as aligned lines of text."""
        total = self._total
        first = (
            f"Summary: {self._outcome}, {total.rows:,} rows in {duration(self._seconds)}, "
            f"{total.requests:,} requests, {total.retries:,} retries, "
            f"{duration(total.seconds_waited)} waited"
        )
        lines = [first]
        streams = [
            [
                name,
                *_cells(self._streams.get(name, Stats())),
                self._until(name),
                self._stream_remarks(name),
            ]
            for name in self._names()
        ]
        head = ["rows", "deleted", "requests", "retries", "waited"]
        if streams:
            lines += _aligned([["stream", *head, "read until", ""], *streams])
        accounts, hidden = self._accounts_shown()
        if accounts:
            rows = [
                [name, *_cells(self._accounts[name]), self._account_remarks(name)]
                for name in accounts
            ]
            lines += _aligned([["account", *head, ""], *rows])
        if hidden:
            lines.append(f"and {hidden:,} other accounts")
        return "\n".join(lines)

    def _accounts_shown(self) -> tuple[list[str], int]:
        """Return the accounts in the table, and how many are not: one alone needs no line."""
        foremost = self._ranked_accounts()
        failed = {account for one in self._failures if not one.stream for account in one.accounts}
        if len(foremost) == 1 and not failed:
            return [], 0
        if len(foremost) > ACCOUNTS_SHOWN:
            of_note = {account for one in self._failures for account in one.accounts}
            shown = [name for name in foremost if name in of_note][:ACCOUNTS_SHOWN]
            return shown, len(foremost) - len(shown)
        return foremost, 0

    def _until(self, stream: str) -> str:
        coverage = self._coverages.get(stream)
        return f"{_moment(coverage.until):%Y-%m-%d %H:%M:%S}" if coverage and coverage.until else ""

    def _stream_remarks(self, stream: str) -> str:
        """Return the remarks on a stream."""
        several = len(self._accounts) > 1
        remarks = [
            group.remark + (f" for {_accounts(len(group.accounts))}" if several else "")
            for group in self._failures
            if self._label(group.stream) == stream
        ]
        coverage = self._coverages.get(stream)
        if coverage and coverage.unfinished and not remarks:
            remarks.append(f"unfinished for {_accounts(coverage.unfinished)}")
        if vanished := self._streams.get(stream, Stats()).vanished:
            remarks.append(f"{vanished:,} vanished while being read")
        counts = self._notes.get(stream, {}).items()
        remarks += [f"{count:,} {name.replace('_', ' ')}" for name, count in counts]
        return "; ".join(remarks)

    def _account_remarks(self, account: str) -> str:
        remarks = [
            f"{one.stream} {one.remark}".lstrip()
            for one in self._failures
            if account in one.accounts
        ]
        return "; ".join(remarks)


def _sum(
    stats: Mapping[StreamAccount, Stats], key: Callable[[StreamAccount], str]
) -> dict[str, Stats]:
    sums: defaultdict[str, Stats] = defaultdict(Stats)
    for place, one in stats.items():
        sums[key(place)].add(one)
    return dict(sums)


def _full_json(one: Stats) -> dict[str, Any]:
    return {**asdict(one), "seconds_waited": round(one.seconds_waited, 1)}


def _compact_json(one: Stats) -> dict[str, Any]:
    """Return figures without those that are nothing, the rows aside."""
    return {name: value for name, value in _full_json(one).items() if value or name == "rows"}


def _cells(one: Stats) -> list[str]:
    counts = (one.rows, one.deleted, one.requests, one.retries)
    return [*(f"{count:,}" for count in counts), duration(one.seconds_waited)]


def _accounts(number: int) -> str:
    return f"{number:,} account{'s' if number > 1 else ''}"


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines whose columns stand below each other, figures to the right."""
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    return [
        "  ".join(
            cell.rjust(width) if 0 < place <= FIGURES else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=False))
        ).rstrip()
        for row in rows
    ]
