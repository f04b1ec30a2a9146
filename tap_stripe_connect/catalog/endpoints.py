"""What Stripe's lists take and give, and what its events are about: the generated facts."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import msgspec

PAGE_SIZE = 100
"""Rows per list request; the most that Stripe gives."""


class ListFacts(msgspec.Struct, frozen=True):
    """A list of Stripe's."""

    objects: tuple[str, ...]
    """The values of `object` on what it lists."""
    retrieve: str = ""
    """Path of one of its objects, with the names of ids in braces; empty if there is none."""
    takes: frozenset[str] = frozenset()
    """Which of `starting_after`, `ending_before`, `limit` and `expand` it knows."""
    created: str | dict[str, str] = ""
    """The parameter for a range of creation times, or those for its bounds; empty for none."""
    required: tuple[str, ...] = ()
    filters: dict[str, Any] = {}
    """Kinds of other parameters: a word, the choices of an enumeration, or the keys of a hash."""
    include: tuple[str, ...] = ()
    """What a v2 list shows only to those who ask for it."""


class NestedFacts(msgspec.Struct, frozen=True):
    """A list inside an object."""

    objects: tuple[str, ...]
    expand: bool
    """Whether it is there only if it is asked for."""
    url: str = ""
    """Where all of it is, with fields of the object in braces; empty if nobody knows."""
    parent_field: str = ""
    """Field of what it holds that has the object's id; empty if there is none."""


class ObjectFacts(msgspec.Struct, frozen=True):
    """A kind of object that Stripe lists."""

    lacks: frozenset[str] = frozenset()
    """Which of `id`, `created` and `livemode` it does not have."""
    expandable: dict[str, tuple[str, ...]] = {}
    """Paths of ids that can be expanded, and the kinds of objects that come then."""
    nested: dict[str, NestedFacts] = {}
    """The lists inside it, by path."""


class Facts(msgspec.Struct, frozen=True):
    """All that is generated."""

    api_version: str
    lists: dict[str, ListFacts]
    """By path, with the names of ids in braces."""
    objects: dict[str, ObjectFacts]


def _read(name: str) -> bytes:
    return files("tap_stripe_connect.catalog").joinpath(name).read_bytes()


FACTS = msgspec.json.decode(_read("endpoints.json"), type=Facts)

EVENT_TYPES: dict[str, tuple[str, ...]] = msgspec.json.decode(
    _read("event_types.json"), type=dict[str, tuple[str, ...]]
)
"""The kinds of objects that each type of event is about."""
