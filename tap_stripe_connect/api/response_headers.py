"""Reads the headers of Stripe's responses: the server's clock, and notices to users."""

from __future__ import annotations

import logging
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from tap_stripe_connect.api.network import is_loopback
from tap_stripe_connect.api.not_stripe import sanitized

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

MAX_CLOCK_SKEW = 120
"""Seconds by which the two clocks may differ without a warning."""

MAX_NOTICES = 5
"""How many different notices are logged in a run."""

MAX_NOTICE_LENGTH = 300

UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


class HeaderReader:
    """Reads the server's clock from response headers, and logs each warning once."""

    def __init__(self, url: str, wall_clock: Callable[[], float]) -> None:
        self._is_loopback = is_loopback(url)
        self._wall_clock = wall_clock
        self._notices: set[str] = set()
        self.server_time: int | None = None
        """The server's clock at its first response, in unix seconds; None if it sent no date."""

    def read(self, headers: Mapping[str, str]) -> None:
        """Read the headers of a response that is known to be Stripe's."""
        if self.server_time is None:
            self.server_time = _date(headers)
            if self.server_time is not None:
                self._check_skew(self.server_time - int(self._wall_clock()))
        notice = sanitized(headers.get("Stripe-Notice", ""), MAX_NOTICE_LENGTH)
        if notice and notice not in self._notices and len(self._notices) < MAX_NOTICES:
            self._notices.add(notice)
            logger.warning("Notice from Stripe: %s", notice)

    def _check_skew(self, server_ahead: int) -> None:
        """Warn if the clocks differ; `server_ahead` is in seconds, negative if it is behind."""
        # A simulator on this machine has its own clock, usually in the past.
        if abs(server_ahead) <= MAX_CLOCK_SKEW or (server_ahead < 0 and self._is_loopback):
            return
        later, earlier = "Stripe's response date", "this machine's clock"
        if server_ahead < 0:
            later, earlier = "This machine's clock", "Stripe's response date"
        logger.warning(
            "%s is %s ahead of %s; using the earlier time. Check this machine's clock, and whether "
            "a proxy changes the date of responses",
            later,
            _duration(abs(server_ahead)),
            earlier,
        )


def _date(headers: Mapping[str, str]) -> int | None:
    try:
        return int(parsedate_to_datetime(headers["Date"]).timestamp())
    except (KeyError, ValueError, OverflowError):
        return None


def _duration(seconds: int) -> str:
    """Format a duration of at least a minute in its largest whole unit."""
    size, unit = next(one for one in UNITS if seconds >= one[0])
    count = round(seconds / size)
    return f"{count} {unit}{'s' * (count != 1)}"
