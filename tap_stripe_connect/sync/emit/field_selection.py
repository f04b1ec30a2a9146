"""Selection of fields, compiled: what to take out of each record of a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Breadcrumb = tuple[str, ...]


@dataclass(frozen=True)
class FieldFilter:
    """What a selection takes out of an object, and out of the objects in it."""

    dropped: tuple[str, ...]
    inside: tuple[tuple[str, FieldFilter], ...]

    def apply(self, value: dict[str, Any]) -> None:
        """Take out what is deselected, in place; lists are kept or dropped as a whole."""
        for name in self.dropped:
            value.pop(name, None)
        for name, field_filter in self.inside:
            held = value.get(name)
            if type(held) is dict:
                field_filter.apply(held)


def field_filter(mask: Mapping[Breadcrumb, bool], within: Breadcrumb = ()) -> FieldFilter:
    """Compile a catalog's selection, by breadcrumbs such as `("properties", "address")`.

    What the selection does not name is kept with what holds it.
    """
    depth = len(within) + 2
    names = {
        crumb[depth - 1]: None
        for crumb in mask
        if len(crumb) >= depth and crumb[: len(within)] == within
    }
    kept = {name: mask.get((*within, "properties", name), True) for name in names}
    inner = {
        name: field_filter(mask, (*within, "properties", name))
        for name, keep in kept.items()
        if keep
    }
    return FieldFilter(
        tuple(name for name, keep in kept.items() if not keep),
        tuple((name, one) for name, one in inner.items() if one.dropped or one.inside),
    )
