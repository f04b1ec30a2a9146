"""Estimate of the time left, from the pages left of each list and the requests per page."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_stripe_connect.catalog import LISTED, NESTED
from tap_stripe_connect.sync.plan.jobs import Purpose
from tap_stripe_connect.sync.report.stats import LOOKUPS, stream_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_stripe_connect.api.request_stats import Cost, Endpoint

Group = tuple[str, Purpose]
"""A list and a purpose; the jobs of all accounts form one group."""


@dataclass
class WorkLeft:
    """Pages that jobs have written, and pages left to read."""

    done: float = 0.0
    left: float = 0.0
    uncertainty: float = 0.0
    """How much `left` may be off."""

    def add(self, other: WorkLeft) -> None:
        """Add the work of other jobs."""
        self.done += other.done
        self.left += other.left
        self.uncertainty += other.uncertainty


def seconds_left(
    works: Mapping[Group, WorkLeft],
    costs: Mapping[Endpoint, Cost],
    elapsed: float,
    per_endpoint: float,
) -> float:
    """Return the seconds left, from the speed in the `elapsed` seconds.

    Once only long lists are left, the speed is limited by `per_endpoint`, the requests per second
    that Stripe allows for one endpoint.
    """
    spent: Counter[str] = Counter()
    for (_, route), cost in costs.items():
        spent[route] += cost.requests
    of_list = {route: _list_of(route) for route in spent}
    pages: defaultdict[str, float] = defaultdict(float)
    needed: dict[Group, list[str]] = {}
    for (name, purpose), work in works.items():
        single = f"{LISTED[name].path}/{{id}}"
        routes = [route for route, owner in of_list.items() if owner == name]
        routes = [one for one in routes if one != single or purpose is Purpose.REFETCH]
        needed[name, purpose] = routes = routes or [LISTED[name].path]
        for route in routes:
            pages[route] += work.done
    left: defaultdict[str, float] = defaultdict(float)
    done = 0.0
    for group, work in works.items():
        for route in needed[group]:
            each = spent[route] / pages[route] if spent[route] and pages[route] else 1.0
            left[route] += work.left * each
            done += work.done * each
    shared = elapsed * sum(left.values()) / done if done else 0.0
    return max(shared, max(left.values(), default=0.0) / per_endpoint)


def _list_of(route: str) -> str:
    """Return the list that a route is requested for."""
    stream = stream_of(route)
    if stream == LOOKUPS:
        return ""
    return NESTED[stream].parent if stream in NESTED else stream
