"""What could not be read, told once for everything that failed alike."""

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

NAMED = 5
"""Accounts that a line names; more are counted."""

LISTED_IN_JSON = 200
"""Accounts that a JSON entry names; more are counted."""

REASONS = {
    ErrorAction.SKIP_STREAM: "permission",
    ErrorAction.NOT_ENABLED: "not_enabled",
    ErrorAction.SKIP_ACCOUNT: "account",
}
"""Reasons by action; anything else is an error."""


@dataclass(eq=False)
class FailureGroup:
    """Something that failed, for one account or for many in the same way."""

    stream: str
    """Empty where the whole account could not be read."""
    feed: bool
    """Whether it is the event feed, so that no change of the account is known."""
    error: StripeError
    """The first of these errors."""
    accounts: list[str] = field(default_factory=list)

    @property
    def reason(self) -> str:
        """Why, in a word."""
        return REASONS.get(self.error.action, "error")

    @property
    def permission(self) -> str:
        """The permission that the key lacks, if that is the reason."""
        return missing_permission(self.error.message)

    @property
    def expected(self) -> bool:
        """Whether it is nothing to put right: there are no rows to be had."""
        return self.error.action is ErrorAction.NOT_ENABLED

    @property
    def line(self) -> str:
        """One line for the log; with many accounts the error is that of the first."""
        who = named(self.accounts)
        if not self.stream:
            lost = f"{who} could not be read"
        elif self.feed and self.error.action is ErrorAction.SKIP_STREAM:
            return (
                f"changes and deletions in {who} cannot be seen, only new rows: "
                f"{self.error.without_advice} - add the permission to the key"
            )
        elif self.feed:
            lost = f"changes in {who} could not be followed, the bookmarks stay where they are"
        elif self.expected:
            lost = f"{self.stream} of {who} left out, not enabled at Stripe"
        else:
            lost = f"{self.stream} of {who} could not be read"
        first = "; the first" if len(self.accounts) > 1 else ""
        return f"{lost}{first}: {self.error}"

    @property
    def remark(self) -> str:
        """A few words for the table."""
        if self.reason == "permission":
            return f"needs {self.permission or 'a permission'}"
        if self.expected:
            return "not enabled"
        cause = self.error.code or (f"status {self.error.status}" if self.error.status else "")
        outcome = "failed" if self.stream else "could not be read"
        return f"{outcome}: {cause}" if cause else outcome

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        error = self.error
        entry = {
            "reason": self.reason,
            "stream": self.stream,
            "feed": self.feed,
            "accounts": len(self.accounts),
            "account_ids": self.accounts[:LISTED_IN_JSON],
            "permission": self.permission,
            "message": error.message,
            "path": error.path,
            "status": error.status,
            "code": error.code,
            "request_id": error.request_id,
        }
        return {name: value for name, value in entry.items() if value}


def named(accounts: Sequence[str]) -> str:
    """Return accounts for a sentence: all of a few, the first ones and the number of many."""
    if len(accounts) == 1:
        return accounts[0]
    more = ", …" if len(accounts) > NAMED else ""
    return f"{len(accounts)} accounts ({', '.join(accounts[:NAMED])}{more})"


def grouped_failures(failed: Iterable[Job]) -> list[FailureGroup]:
    """Put failures together that differ only in the account."""
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
    """Return whether what could not be read makes the run end non-zero."""
    pardoned = {ErrorAction.NOT_ENABLED}
    if settings.on_permission_error == "warn":
        pardoned.add(ErrorAction.SKIP_STREAM)
    if settings.on_account_error == "warn":
        pardoned.add(ErrorAction.SKIP_ACCOUNT)
    return any(not job.failure or job.failure.action not in pardoned for job in failed)


def log_failures(found: Iterable[FailureGroup]) -> None:
    """Log what could not be read."""
    for group in found:
        level = logging.INFO if group.expected else logging.WARNING
        logger.log(level, group.line)
