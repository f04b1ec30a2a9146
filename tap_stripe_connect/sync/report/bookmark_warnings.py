"""Warnings about bookmarks that cannot be followed from where they stand."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tap_stripe_connect.sync.plan.resume import FEED_REACH
from tap_stripe_connect.sync.report.failures import named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_stripe_connect.sync.plan.resume import UntrustedBookmark


def lines(untrusted: Iterable[UntrustedBookmark], moment: str) -> list[str]:
    """Return a line for all doubts that are alike; the run writes nothing before `moment`."""
    accounts: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for one in untrusted:
        accounts[one.days, one.stream].append(one.account)
    streams: defaultdict[tuple[int, tuple[str, ...]], list[str]] = defaultdict(list)
    for (days, stream), names in accounts.items():
        streams[days, tuple(names)].append(stream)
    return [
        f"{', '.join(names)} of {named(who)}: {_reason(days, moment)}"
        for (days, who), names in streams.items()
    ]


def _reason(days: int, moment: str) -> str:
    if days:
        return (
            f"the last run was {days} days ago and Stripe keeps events for 30; everything is "
            "listed again and deletions of the last 30 days are marked; rows last written before "
            f"{moment} were deleted earlier (docs/state.md, After a long pause)"
        )
    return (
        "the bookmark lies in the future; "
        f"put back to {FEED_REACH // 86_400} days before Stripe's clock"
    )
