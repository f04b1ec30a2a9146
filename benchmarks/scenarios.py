"""The scenarios, with their sizes and thresholds."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from benchmarks.load import DAY, Conditions, dense_day, dense_second, empty_years
from benchmarks.scenario import (
    Scenario,
    Threshold,
    cpu,
    memory,
    rate,
    rate_limited,
    requests,
    requests_per_page,
    share_of_limit,
    wall,
)
from tap_stripe_connect.catalog import STREAMS

if TYPE_CHECKING:
    from collections.abc import Mapping

TURNS = 5
QUICK_TURNS = 3
QUICK_SIZE = 50_000

_EVERY_SIZE = {"ours": 1_000_000, "baseline": 1_000_000, "release": 100_000, "peer": 100_000}
_LARGE_OBJECTS = {"ours": 100_000, "baseline": 100_000, "release": 100_000, "peer": 10_000}
_SPEED = (
    Threshold("rows/s / baseline's", rate, over="baseline", minimum=0.5),
    Threshold("rows/s / tap-stripe's", rate, over="peer", minimum=8),
)
_GROWTH = (
    Threshold("MB", memory, maximum=200),
    Threshold("MB / MB for 100,000", memory, over_size=100_000, maximum=1.1),
    Threshold("CPU per row / that for 100,000", cpu, over_size=100_000, maximum=1.1),
)
_SPARING = Threshold("(requests - 50) / full pages", requests_per_page, maximum=1.5)

_STRIPE = Conditions(latency=0.2, per_second=100, per_endpoint=25, gzip=True)
_POLITE = (
    Threshold("429s", rate_limited, maximum=0),
    Threshold("(requests - 50) / full pages", requests_per_page, maximum=1.1),
)
_AT_STRIPE = Scenario(
    about="charges, customers and invoices in parallel; 200 ms, 25/s per list, 100/s in all, gzip",
    streams=("charges", "customers", "invoices"),
    largest={"ours": 100_000, "release": 100_000},
    sizes=(100_000,),
    conditions=_STRIPE,
    thresholds=(
        Threshold("rows/s / rate limit's", share_of_limit, minimum=0.9),
        *_POLITE,
    ),
)
_SLOWER = (Threshold("rows/s / rate limit's", share_of_limit, minimum=0.85), *_POLITE)
_CHARGES = Scenario(
    about="charges of 3.7 KB",
    streams=("charges",),
    largest=_EVERY_SIZE,
    thresholds=(*_SPEED, *_GROWTH),
)
_SHAPE = replace(_CHARGES, largest={"ours": 100_000}, sizes=(100_000,), thresholds=(_SPARING,))

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "charges": _CHARGES,
        "customers": Scenario(
            about="customers of 1.4 KB",
            streams=("customers",),
            largest={**_EVERY_SIZE, "ours": 100_000, "baseline": 100_000},
            thresholds=_SPEED,
        ),
        "invoices": Scenario(
            about="invoices of 14.8 KB, and their 8 lines as separate rows",
            streams=("invoices", "invoice_line_items"),
            largest=_LARGE_OBJECTS,
            thresholds=_SPEED,
        ),
        "lines": Scenario(
            about="invoices of 25 lines, with a request for each invoice's lines; 200 ms, 25/s per "
            "list, gzip",
            streams=("invoices", "invoice_line_items"),
            largest={"ours": 2_000, "release": 2_000},
            sizes=(2_000,),
            conditions=_STRIPE,
            lines=25,
            thresholds=(
                Threshold("rows/s / rate limit's", share_of_limit, minimum=0.87),
                Threshold("429s", rate_limited, maximum=0),
                Threshold("(requests - 50) / full pages", requests_per_page, maximum=1.05),
            ),
        ),
        "stripe": _AT_STRIPE,
        "far": replace(
            _AT_STRIPE,
            about="the same at 1 s per request",
            conditions=replace(_STRIPE, latency=1.0),
            thresholds=_SLOWER,
        ),
        "stalls": replace(
            _AT_STRIPE,
            about="the same with 5 % of the requests taking 10 s",
            conditions=replace(_STRIPE, slow_every=20),
            thresholds=_SLOWER,
        ),
        "second": replace(_SHAPE, about="charges within one second", spread=dense_second),
        "day": replace(_SHAPE, about="charges within one day", spread=dense_day),
        "gap": replace(_SHAPE, about="charges with a gap of ten years", spread=empty_years),
        "target": replace(
            _CHARGES,
            about="charges, into a target ten times slower than the tap",
            largest={"ours": 100_000, "slowed": 100_000},
            sizes=(100_000,),
            thresholds=(
                Threshold("MB / MB with a fast target", memory, "slowed", over="ours", maximum=1.1),
            ),
        ),
        "idle": Scenario(
            about="a run that finds nothing new and has no checks due, all streams",
            streams=tuple(stream.name for stream in STREAMS),
            largest={"ours": 100, "release": 100},
            sizes=(100,),
            resumes_after=DAY // 2,
            thresholds=(
                Threshold("requests", requests, maximum=2),
                Threshold("seconds", wall, maximum=1.5),
            ),
        ),
        "feed": Scenario(
            about="a hundred events for each charge, and the charges refetched",
            streams=("charges",),
            largest={"ours": 2_000_000},
            sizes=(2_000_000,),
            resumes_after=10 * DAY,
            changes=100,
            thresholds=(Threshold("MB", memory, maximum=400), _SPARING),
        ),
    }
)
QUICK: Mapping[str, Scenario] = MappingProxyType(
    {
        "charges": replace(
            _CHARGES,
            largest={"ours": QUICK_SIZE, "baseline": QUICK_SIZE},
            sizes=(QUICK_SIZE,),
            thresholds=(Threshold("rows/s / baseline's", rate, over="baseline", minimum=0.4),),
        )
    }
)
"""A ratio that holds on a busy machine, but not with a mistake in the code for each row."""
