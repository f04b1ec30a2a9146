"""When things happen: growth over the years, seasons, weekdays, hours, and billing periods."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime
from functools import cache
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
YEAR_DAYS = 365.25

SEASON = (0.92, 0.92, 1.0, 1.0, 1.04, 0.96, 0.72, 0.66, 1.0, 1.06, 1.16, 1.50)
"""Demand by month, January first, around 1."""

_WEEKDAY = (1.15, 1.25, 1.2, 1.15, 1.05, 0.6, 0.6)
_HOUR = (1, 1, 1, 1, 1, 2, 4, 7, 11, 14, 15, 14, 12, 13, 15, 15, 13, 10, 8, 7, 6, 4, 3, 2)

# Sign-ups a day grow linearly: after three years, three times those of the first day.
_HORIZON_YEARS = 3.0
_GROWTH = 3.0


def season(moment: int) -> float:
    """Return the demand of the month that the unix time `moment` lies in, around 1."""
    return SEASON[datetime.fromtimestamp(moment, UTC).month - 1]


def signup_days(customers: int, start: int) -> Iterator[int]:
    """Yield, without end, the day (unix time) on which each further customer signs up.

    About `customers` of them come in the first three years after `start`. It never depends on how
    far anyone looks ahead, so that more time adds customers and changes none.
    """
    pace = customers / (_HORIZON_YEARS * YEAR_DAYS * (1 + _GROWTH) / 2)
    expected = 0.5
    for day in count():
        moment = start + day * DAY
        date = datetime.fromtimestamp(moment, UTC)
        growth = 1 + (_GROWTH - 1) * day / (_HORIZON_YEARS * YEAR_DAYS)
        expected += pace * growth * SEASON[date.month - 1] * _WEEKDAY[date.weekday()]
        while expected >= 1:
            expected -= 1
            yield moment


def at_daytime(rng: Random, day: int) -> int:
    """Return a moment within the 24 hours after `day`, mostly in office hours (UTC)."""
    midnight = day - day % DAY
    moment = midnight + rng.choices(range(24), _HOUR)[0] * HOUR + rng.randrange(HOUR)
    return moment if moment >= day else moment + DAY


@cache
def _anchor(moment: int) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def add_months(moment: int, months: int) -> int:
    """Return the same day and time `months` later; the month's last day where it has no such day.

    As Stripe does with a billing anchor: always counted from the first period, so that a
    subscription of the 31st comes back to the 31st.
    """
    anchor = _anchor(moment)
    years, month = divmod(anchor.month - 1 + months, 12)
    year, month = anchor.year + years, month + 1
    day = min(anchor.day, monthrange(year, month)[1])
    return int(anchor.replace(year=year, month=month, day=day).timestamp())
