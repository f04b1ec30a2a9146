"""Warnings about bookmarks that the feed cannot be followed from."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tap_stripe_connect.sync.plan.resume import FEED_REACH
from tap_stripe_connect.sync.report.failures import accounts_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_stripe_connect.sync.plan.resume import UntrustedBookmark


def lines(untrusted: Iterable[UntrustedBookmark], moment: str) -> list[str]:
    """Return a log line for each group of similar bookmarks; `moment` is the start of the run."""
    accounts: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for one in untrusted:
        accounts[one.days, one.stream].append(one.account)
    streams: defaultdict[tuple[int, tuple[str, ...]], list[str]] = defaultdict(list)
    for (days, stream), names in accounts.items():
        streams[days, tuple(names)].append(stream)
    return [
        f"{', '.join(names)} of {accounts_text(who)}: {_reason(days, moment)}"
        for (days, who), names in streams.items()
    ]


def _reason(days: int, moment: str) -> str:
    if days:
        return (
            f"the last run was {days} days ago, but Stripe keeps events for 30; this run lists "
            "everything again and marks deletions of the last 30 days; rows last written before "
            f"{moment} were deleted earlier, see docs/state.md, After a long pause"
        )
    return (
        "the bookmark is in the future; "
        f"this run resumes {FEED_REACH // 86_400} days before Stripe's clock"
    )
