"""Field selection, compiled to the fields that are removed from each record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Breadcrumb = tuple[str, ...]


@dataclass(frozen=True)
class FieldFilter:
    """Fields to remove from an object and from the objects inside it."""

    dropped: tuple[str, ...]
    inside: tuple[tuple[str, FieldFilter], ...]

    def apply(self, value: dict[str, Any]) -> None:
        """Remove deselected fields in place; lists are kept or removed as a whole."""
        for name in self.dropped:
            value.pop(name, None)
        for name, field_filter in self.inside:
            held = value.get(name)
            if type(held) is dict:
                field_filter.apply(held)


def field_filter(mask: Mapping[Breadcrumb, bool], within: Breadcrumb = ()) -> FieldFilter:
    """Compile a catalog's selection, by breadcrumbs such as `("properties", "address")`.

    A field that the selection does not name is kept if the object around it is kept.
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
