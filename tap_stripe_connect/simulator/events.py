"""What happens to objects, as Stripe's events tell it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from tap_stripe_connect.catalog.endpoints import EVENT_TYPES
from tap_stripe_connect.simulator import older_version, rendering

if TYPE_CHECKING:
    from collections.abc import Mapping

RETENTION = 30 * 86_400
"""For how many seconds Stripe keeps events."""

UPDATED, DELETED = "*.updated", "*.deleted"


@cache
def family(object_: str) -> str:
    """Return the first part of an object's event types."""
    families = {
        name.rpartition(".")[0] for name, objects in EVENT_TYPES.items() if object_ in objects
    }
    return object_ if object_ in families or not families else min(families)


def event_type(object_: str, pattern: str) -> str:
    """Return the pattern with the object's family in the place of `*`: `*.updated`."""
    return pattern.replace("*", family(object_))


def creation_type(document: Mapping[str, Any]) -> str:
    """Return the type of the event that tells of a new object."""
    if document["object"] == "charge":
        return f"charge.{document.get('status') or 'succeeded'}"
    return event_type(document["object"], "*.created")


def end_type(object_: str) -> str:
    """Return the type of the event that tells of an object's end, or nothing if there is none."""
    types = (event_type(object_, pattern) for pattern in (DELETED, "*.detached"))
    return next(filter(is_told, types), "")


def is_told(type_: str) -> bool:
    """Return whether Stripe has events of a type; not each kind of object has all."""
    return type_ in EVENT_TYPES


def payload(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of an object as an event carries it: older version, nested lists cut."""
    shown: dict[str, Any]
    if "object" in document:
        shown = msgspec.json.decode(rendering.encode(document)[1])
    else:
        shown = msgspec.json.decode(msgspec.json.encode(document))
    return older_version.rendered(shown)


def previous_attributes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the former values of what changed: of a list all, of a hash its changed fields."""
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
