"""Generated facts about Stripe's API: its lists, its objects and its event types."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import msgspec

PAGE_SIZE = 100
"""Rows per list request; Stripe's maximum."""


class ListFacts(msgspec.Struct, frozen=True):
    """A list endpoint."""

    objects: tuple[str, ...]
    """Possible values of `object` in its rows."""
    retrieve: str = ""
    """Path of one of its objects, with id names in braces; empty if there is none."""
    takes: frozenset[str] = frozenset()
    """Which of `starting_after`, `ending_before`, `limit` and `expand` it accepts."""
    created: str | dict[str, str] = ""
    """The parameter for a range of creation times, or those for its bounds; empty for none."""
    required: tuple[str, ...] = ()
    filters: dict[str, Any] = {}
    """Types of other parameters: a type name, the values of an enum, or the keys of a hash."""
    include: tuple[str, ...] = ()
    """Fields that a v2 list returns only on request."""


class NestedFacts(msgspec.Struct, frozen=True):
    """A list inside an object."""

    objects: tuple[str, ...]
    expand: bool
    """Whether it is returned only if it is expanded."""
    url: str = ""
    """URL of the complete list, with fields of the object in braces; empty if unknown."""
    parent_field: str = ""
    """Field of its rows that has the parent's id; empty if there is none."""


class ObjectFacts(msgspec.Struct, frozen=True):
    """A type of object that Stripe lists."""

    lacks: frozenset[str] = frozenset()
    """Which of `id`, `created` and `livemode` it lacks."""
    expandable: dict[str, tuple[str, ...]] = {}
    """Paths of ids that can be expanded, and the types of objects that replace them."""
    nested: dict[str, NestedFacts] = {}
    """Nested lists, by path."""


class Facts(msgspec.Struct, frozen=True):
    """Content of `endpoints.json`."""

    api_version: str
    lists: dict[str, ListFacts]
    """By path, with id names in braces."""
    objects: dict[str, ObjectFacts]


def _read(name: str) -> bytes:
    return files("tap_stripe_connect.catalog").joinpath(name).read_bytes()


FACTS = msgspec.json.decode(_read("endpoints.json"), type=Facts)

EVENT_TYPES: dict[str, tuple[str, ...]] = msgspec.json.decode(
    _read("event_types.json"), type=dict[str, tuple[str, ...]]
)
"""The types of objects that each event type is about."""
