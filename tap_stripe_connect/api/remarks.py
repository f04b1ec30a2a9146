"""What Stripe's answers tell beside their content: its clock, and notices."""

from __future__ import annotations

import logging
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from tap_stripe_connect.api.network import is_loopback
from tap_stripe_connect.api.not_stripe import cleaned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

TOLERATED = 120
"""Seconds that two clocks may differ without a word."""

NOTICES = 5
"""Different notices that a run tells, at most."""

LONGEST_NOTICE = 300
"""Letters of a notice that are shown."""

UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


class Remarks:
    """Reads the heads of Stripe's answers, and warns of what their users should know, once."""

    def __init__(self, url: str, wall_clock: Callable[[], float]) -> None:
        """Compare the server at `url` with `wall_clock`, this machine's date in unix seconds."""
        self._is_loopback = is_loopback(url)
        self._wall_clock = wall_clock
        self._notices: set[str] = set()
        self.server_time: int | None = None
        """The server's clock at its first answer, in unix seconds; None where it told none."""

    def read(self, headers: Mapping[str, str]) -> None:
        """Read the head of an answer; it must be certain that the answer is Stripe's."""
        if self.server_time is None:
            self.server_time = _date(headers)
            if self.server_time is not None:
                self._compare(self.server_time - int(self._wall_clock()))
        notice = cleaned(headers.get("Stripe-Notice", ""), LONGEST_NOTICE)
        if notice and notice not in self._notices and len(self._notices) < NOTICES:
            self._notices.add(notice)
            logger.warning("Stripe notes: %s", notice)

    def _compare(self, ahead: int) -> None:
        """Warn of clocks that differ; `ahead` is by how many seconds the server's is the later."""
        # A simulator on this machine has a time of its own, mostly a past one.
        if abs(ahead) <= TOLERATED or (ahead < 0 and self._is_loopback):
            return
        late, early = "Stripe's answers are dated", "this machine's clock"
        if ahead < 0:
            late, early = "This machine's clock is", "Stripe's answers"
        logger.warning(
            "%s %s ahead of %s; the earlier time is used. Check this clock, and whether a proxy "
            "dates the answers",
            late,
            _span(abs(ahead)),
            early,
        )


def _date(headers: Mapping[str, str]) -> int | None:
    try:
        return int(parsedate_to_datetime(headers["Date"]).timestamp())
    except (KeyError, ValueError, OverflowError):
        return None


def _span(seconds: int) -> str:
    """Return a span of at least a minute in the largest unit that it fills."""
    size, unit = next(one for one in UNITS if seconds >= one[0])
    count = round(seconds / size)
    return f"{count} {unit}{'s' * (count != 1)}"
