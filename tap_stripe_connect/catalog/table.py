"""All streams, by name."""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING

from tap_stripe_connect.catalog import billing, core, products
from tap_stripe_connect.catalog.kinds import Embedded, List

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_stripe_connect.catalog.kinds import Stream

STREAMS: tuple[Stream, ...] = tuple(
    sorted((*billing.STREAMS, *core.STREAMS, *products.STREAMS), key=attrgetter("name"))
)

LISTED: Mapping[str, List] = MappingProxyType(
    {stream.name: stream for stream in STREAMS if isinstance(stream, List)}
)
NESTED: Mapping[str, Embedded] = MappingProxyType(
    {stream.name: stream for stream in STREAMS if isinstance(stream, Embedded)}
)


@cache
def nested_in(parent: str) -> tuple[Embedded, ...]:
    """Return the streams whose objects come inside those of the stream `parent`."""
    return tuple(stream for stream in NESTED.values() if stream.parent == parent)
