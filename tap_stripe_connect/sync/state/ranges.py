"""Ranges of creation time, and set arithmetic on them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Range = tuple[int, int]
"""Unix seconds, the first one included, the last one not."""

EARLIEST, LATEST = -62_135_596_800, 253_402_300_799
"""First and last second that a date-time can express, in unix seconds: the years 1 to 9999."""

END_OF_TIME = LATEST + 1
"""The year 10000: an end that no object's creation reaches."""

STRIPE_EPOCH = 1_293_840_000
"""2011-01-01: Stripe has nothing older."""


def unix_time(value: object) -> int | None:
    """Return what a field holds if it is a time that a date-time can express."""
    return value if type(value) is int and EARLIEST <= value <= LATEST else None


def merged(ranges: Iterable[Range]) -> list[Range]:
    """Return the same seconds as few ordered ranges."""
    result: list[Range] = []
    for start, end in sorted(ranges):
        if start >= end:
            continue
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result


def missing(covered: Iterable[Range], wanted: Range) -> list[Range]:
    """Return what of `wanted` is not covered."""
    gaps: list[Range] = []
    position, limit = wanted
    for start, end in merged(covered):
        if start >= limit:
            break
        if start > position:
            gaps.append((position, start))
        position = max(position, end)
    if position < limit:
        gaps.append((position, limit))
    return gaps


def clipped(ranges: Iterable[Range], limit: int) -> list[Range]:
    """Return what of `ranges` lies before `limit`."""
    return [(start, min(end, limit)) for start, end in ranges if start < limit]


def split_by_streams(gaps: Mapping[str, Sequence[Range]]) -> list[tuple[Range, frozenset[str]]]:
    """Cut the gaps of several streams so that each second is read once for all that lack it."""
    edges = sorted({edge for ranges in gaps.values() for span in ranges for edge in span})
    pieces: list[tuple[Range, frozenset[str]]] = []
    for start, end in pairwise(edges):
        lacking = frozenset(
            name
            for name, ranges in gaps.items()
            if any(first <= start and end <= last for first, last in ranges)
        )
        if not lacking:
            continue
        if pieces and pieces[-1][1] == lacking and pieces[-1][0][1] == start:
            pieces[-1] = ((pieces[-1][0][0], end), lacking)
        else:
            pieces.append(((start, end), lacking))
    return pieces
