"""Stripe's events: types, payloads and previous attributes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from tap_stripe_connect.catalog.endpoints import EVENT_TYPES
from tap_stripe_connect.simulator import older_version, rendering

if TYPE_CHECKING:
    from collections.abc import Mapping

RETENTION = 30 * 86_400
"""Seconds for which Stripe keeps events."""

UPDATED, DELETED = "*.updated", "*.deleted"


@cache
def family(object_: str) -> str:
    """Return the first part of an object's event types."""
    families = {
        name.rpartition(".")[0] for name, objects in EVENT_TYPES.items() if object_ in objects
    }
    return object_ if object_ in families or not families else min(families)


def event_type(object_: str, pattern: str) -> str:
    """Replace `*` in a pattern such as `*.updated` by the object's family."""
    return pattern.replace("*", family(object_))


def creation_type(document: Mapping[str, Any]) -> str:
    """Return the type of the event for a new object."""
    if document["object"] == "charge":
        return f"charge.{document.get('status') or 'succeeded'}"
    return event_type(document["object"], "*.created")


def end_type(object_: str) -> str:
    """Return the type of the event for a deletion, or an empty string if there is none."""
    types = (event_type(object_, pattern) for pattern in (DELETED, "*.detached"))
    return next(filter(is_event_type, types), "")


def is_event_type(type_: str) -> bool:
    """Return whether Stripe has events of a type; few kinds of objects have all."""
    return type_ in EVENT_TYPES


def payload(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of an object as in an event: older version, truncated nested lists."""
    shown: dict[str, Any]
    if "object" in document:
        shown = msgspec.json.decode(rendering.encode(document)[1])
    else:
        shown = msgspec.json.decode(msgspec.json.encode(document))
    return older_version.rendered(shown)


def previous_attributes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return former values of changed fields: whole lists, but only changed fields of a hash."""
    former: dict[str, Any] = {}
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            inner = previous_attributes(old, new)
            if inner:
                former[name] = inner
        elif old != new:
            former[name] = old
    return former
