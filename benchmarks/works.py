"""The works that are measured, one table, and what must hold of each."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from benchmarks.load import Conditions, dense_day, dense_second, empty_years
from benchmarks.work import (
    Demand,
    Work,
    allowed,
    cpu,
    memory,
    rate,
    refused,
    requests,
    share,
    wall,
)
from tap_stripe_connect.catalog import STREAMS

if TYPE_CHECKING:
    from collections.abc import Mapping

TURNS = 5
QUICK_TURNS = 3
QUICK_SIZE = 50_000

_EVERY_SIZE = {"ours": 1_000_000, "floor": 1_000_000, "release": 100_000, "peer": 100_000}
_LARGE_OBJECTS = {"ours": 100_000, "floor": 100_000, "release": 100_000, "peer": 10_000}
_SPEED = (
    Demand("rows/s, of the floor's", rate, over="floor", least=0.5),
    Demand("rows/s, of tap-stripe's", rate, over="peer", least=8),
)
_GROWTH = (
    Demand("MB", memory, most=200),
    Demand("MB, of those for 100,000", memory, over_size=100_000, most=1.1),
    Demand("CPU per row, of that for 100,000", cpu, over_size=100_000, most=1.1),
)
_SPARING = Demand("(requests - 50) / full pages", share, most=1.5)

_STRIPE = Conditions(latency=0.2, per_second=100, per_endpoint=25, gzip=True)
_POLITE = (
    Demand("refused requests", refused, most=0),
    Demand("(requests - 50) / full pages", share, most=1.1),
)
_AT_STRIPE = Work(
    about="charges, customers and invoices side by side; 200 ms, 25/s per list, 100/s in all, gzip",
    streams=("charges", "customers", "invoices"),
    largest={"ours": 100_000, "release": 100_000},
    sizes=(100_000,),
    conditions=_STRIPE,
    demands=(Demand("rows/s, of what the limits allow", allowed, least=0.9), *_POLITE),
)
_SLOWER = (Demand("rows/s, of what the limits allow", allowed, least=0.85), *_POLITE)
_CHARGES = Work(
    about="charges of 3.7 KB",
    streams=("charges",),
    largest=_EVERY_SIZE,
    demands=(*_SPEED, *_GROWTH),
)
_SHAPE = replace(_CHARGES, largest={"ours": 100_000}, sizes=(100_000,), demands=(_SPARING,))

WORKS: Mapping[str, Work] = MappingProxyType(
    {
        "charges": _CHARGES,
        "customers": Work(
            about="customers of 1.4 KB",
            streams=("customers",),
            largest={**_EVERY_SIZE, "ours": 100_000, "floor": 100_000},
            demands=_SPEED,
        ),
        "invoices": Work(
            about="invoices of 14.8 KB, and their 8 lines as rows of their own",
            streams=("invoices", "invoice_line_items"),
            largest=_LARGE_OBJECTS,
            demands=_SPEED,
        ),
        "lines": Work(
            about="invoices of 25 lines, each invoice's in a request of its own; 200 ms, 25/s per "
            "list, gzip",
            streams=("invoices", "invoice_line_items"),
            largest={"ours": 2_000, "release": 2_000},
            sizes=(2_000,),
            conditions=_STRIPE,
            lines=25,
            demands=(
                Demand("rows/s, of what the limits allow", allowed, least=0.87),
                Demand("refused requests", refused, most=0),
                Demand("(requests - 50) / full pages", share, most=1.05),
            ),
        ),
        "stripe": _AT_STRIPE,
        "far": replace(
            _AT_STRIPE,
            about="the same at 1 s per request",
            conditions=replace(_STRIPE, latency=1.0),
            demands=_SLOWER,
        ),
        "stalls": replace(
            _AT_STRIPE,
            about="the same with 5 % of the requests taking 10 s",
            conditions=replace(_STRIPE, slow_every=20),
            demands=_SLOWER,
        ),
        "second": replace(_SHAPE, about="charges of one second", spread=dense_second),
        "day": replace(_SHAPE, about="charges of one day", spread=dense_day),
        "gap": replace(_SHAPE, about="charges with ten empty years between", spread=empty_years),
        "target": replace(
            _CHARGES,
            about="charges, into a target ten times slower than the tap",
            largest={"ours": 100_000, "slowed": 100_000},
            sizes=(100_000,),
            demands=(
                Demand("MB, of those with a quick target", memory, "slowed", over="ours", most=1.1),
            ),
        ),
        "idle": Work(
            about="a run that finds nothing new, all streams",
            streams=tuple(stream.name for stream in STREAMS),
            largest={"ours": 100, "release": 100},
            sizes=(100,),
            resumes=True,
            demands=(Demand("requests", requests, most=2), Demand("seconds", wall, most=1.5)),
        ),
        "feed": Work(
            about="events about charges, a hundred each, and the charges read again",
            streams=("charges",),
            largest={"ours": 2_000_000},
            sizes=(2_000_000,),
            resumes=True,
            changes=100,
            demands=(Demand("MB", memory, most=400), _SPARING),
        ),
    }
)
QUICK: Mapping[str, Work] = MappingProxyType(
    {
        "charges": replace(
            _CHARGES,
            largest={"ours": QUICK_SIZE, "floor": QUICK_SIZE},
            sizes=(QUICK_SIZE,),
            demands=(Demand("rows/s, of the floor's", rate, over="floor", least=0.4),),
        )
    }
)
"""A ratio that a busy machine gives too, and that a mistake in the row path does not."""
