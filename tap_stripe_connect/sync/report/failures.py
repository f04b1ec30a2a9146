"""Failures of a run, grouped by cause."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.api.errors import ErrorAction, missing_permission
from tap_stripe_connect.sync.plan.jobs import Purpose

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_stripe_connect.api.errors import StripeError
    from tap_stripe_connect.settings import Settings
    from tap_stripe_connect.sync.plan.jobs import Job

logger = logging.getLogger(__name__)

MAX_ACCOUNTS_NAMED = 5
"""Maximum number of accounts in a log line; the others are counted."""

MAX_ACCOUNTS_IN_JSON = 200
"""Maximum number of accounts in a JSON entry; the others are counted."""

REASONS = {
    ErrorAction.SKIP_STREAM: "permission",
    ErrorAction.NOT_ENABLED: "not_enabled",
    ErrorAction.SKIP_ACCOUNT: "account",
}
"""Reasons by action; the others are errors."""


@dataclass(eq=False)
class FailureGroup:
    """A failure of one account, or the same failure of many."""

    stream: str
    """Empty if the whole account could not be read."""
    feed: bool
    """Whether the event feed failed, so that changes are unknown."""
    error: StripeError
    """The first of these errors."""
    accounts: list[str] = field(default_factory=list)

    @property
    def reason(self) -> str:
        """The reason as one word."""
        return REASONS.get(self.error.action, "error")

    @property
    def permission(self) -> str:
        """The missing permission; empty for other reasons."""
        return missing_permission(self.error.message)

    @property
    def expected(self) -> bool:
        """Whether nothing has to be corrected, because there are no rows to read."""
        return self.error.action is ErrorAction.NOT_ENABLED

    @property
    def line(self) -> str:
        """The log line; it contains the error of the first account."""
        who = accounts_text(self.accounts)
        if not self.stream:
            outcome = f"{who} could not be read"
        elif self.feed and self.error.action is ErrorAction.SKIP_STREAM:
            return (
                f"changes and deletions of {who} cannot be read, only new rows: "
                f"{self.error.without_advice} - add the permission to the key"
            )
        elif self.feed:
            outcome = f"changes of {who} could not be read; the next run reads them"
        elif self.expected:
            outcome = f"{self.stream} of {who} skipped because it is not enabled at Stripe"
        else:
            outcome = f"{self.stream} of {who} could not be read"
        first = "; the first" if len(self.accounts) > 1 else ""
        return f"{outcome}{first}: {self.error}"

    @property
    def remark(self) -> str:
        """The remark in the summary table."""
        if self.reason == "permission":
            return f"needs {self.permission or 'a permission'}"
        if self.expected:
            return "not enabled"
        cause = self.error.code or (f"status {self.error.status}" if self.error.status else "")
        outcome = "failed" if self.stream else "could not be read"
        return f"{outcome}: {cause}" if cause else outcome

    def as_json(self) -> dict[str, Any]:
        """Return the entry of the JSON summary."""
        error = self.error
        entry = {
            "reason": self.reason,
            "stream": self.stream,
            "feed": self.feed,
            "accounts": len(self.accounts),
            "account_ids": self.accounts[:MAX_ACCOUNTS_IN_JSON],
            "permission": self.permission,
            "message": error.message,
            "path": error.path,
            "status": error.status,
            "code": error.code,
            "request_id": error.request_id,
        }
        return {name: value for name, value in entry.items() if value}


def accounts_text(accounts: Sequence[str]) -> str:
    """Return accounts as text: the only one, or their number and the first ones."""
    if len(accounts) == 1:
        return accounts[0]
    more = ", …" if len(accounts) > MAX_ACCOUNTS_NAMED else ""
    return f"{len(accounts)} accounts ({', '.join(accounts[:MAX_ACCOUNTS_NAMED])}{more})"


def grouped_failures(failed: Iterable[Job]) -> list[FailureGroup]:
    """Group failures that differ only in the account."""
    found: dict[tuple[object, ...], FailureGroup] = {}
    for job in failed:
        error = job.failure
        if error is None:
            continue
        whole_account = error.action is ErrorAction.SKIP_ACCOUNT
        stream = "" if whole_account else job.listed.name
        feed = not whole_account and job.purpose is Purpose.FEED
        permission = missing_permission(error.message)
        kind = (stream, feed, error.action, error.status, error.code, permission)
        group = found.setdefault(kind, FailureGroup(stream, feed, error))
        # A revoked account fails all of its jobs at once.
        if job.account not in group.accounts[-1:]:
            group.accounts.append(job.account)
    for group in found.values():
        group.accounts = list(dict.fromkeys(group.accounts))
    return list(found.values())


def fails_the_run(failed: Iterable[Job], settings: Settings) -> bool:
    """Return whether the failures make the run exit with 1."""
    tolerated = {ErrorAction.NOT_ENABLED}
    if settings.on_permission_error == "warn":
        tolerated.add(ErrorAction.SKIP_STREAM)
    if settings.on_account_error == "warn":
        tolerated.add(ErrorAction.SKIP_ACCOUNT)
    return any(not job.failure or job.failure.action not in tolerated for job in failed)


def log_failures(found: Iterable[FailureGroup]) -> None:
    """Log a line for each group of failures."""
    for group in found:
        level = logging.INFO if group.expected else logging.WARNING
        logger.log(level, group.line)
