"""The table of all streams."""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING

from tap_stripe_connect.catalog import billing, connect, core, products
from tap_stripe_connect.catalog.kinds import Embedded, List

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_stripe_connect.catalog.kinds import Stream

STREAMS: tuple[Stream, ...] = tuple(
    sorted(
        (*billing.STREAMS, *connect.STREAMS, *core.STREAMS, *products.STREAMS),
        key=attrgetter("name"),
    )
)

LISTED: Mapping[str, List] = MappingProxyType(
    {stream.name: stream for stream in STREAMS if isinstance(stream, List)}
)
NESTED: Mapping[str, Embedded] = MappingProxyType(
    {stream.name: stream for stream in STREAMS if isinstance(stream, Embedded)}
)


def _followed() -> dict[str, tuple[List, ...]]:
    found: dict[str, tuple[List, ...]] = {}
    for listed in LISTED.values():
        if listed.changes == "feed":
            found[listed.object] = (*found.get(listed.object, ()), listed)
    return found


FOLLOWED: Mapping[str, tuple[List, ...]] = MappingProxyType(_followed())
"""The lists that an event reports changes of, by the type of the event's object."""


def _touched() -> dict[str, tuple[tuple[List, str], ...]]:
    found: dict[str, tuple[tuple[List, str], ...]] = {}
    for listed in LISTED.values():
        for object_, paths in listed.touched_by.items():
            found[object_] = (*found.get(object_, ()), *((listed, path) for path in paths))
    return found


TOUCHED: Mapping[str, tuple[tuple[List, str], ...]] = MappingProxyType(_touched())
"""Other lists that an event implies changes of, by the type of the event's object, and the field
that has the id of the changed object."""


@cache
def nested_in(parent: str) -> tuple[Embedded, ...]:
    """Return the streams whose objects are embedded in those of the stream `parent`."""
    return tuple(stream for stream in NESTED.values() if stream.parent == parent)
