"""The scope of a run: its lists, and the times that bookmarks may claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_stripe_connect.catalog import LISTED, Listed, nested_in

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tap_stripe_connect.catalog import Nested
    from tap_stripe_connect.settings import Settings

Lists = tuple[tuple[Listed, tuple[str, ...]], ...]
"""Lists to read, each with the selected streams whose rows it contains."""


@dataclass(frozen=True)
class Scope:
    """What all accounts of a run have in common."""

    settings: Settings
    lists: Lists
    clocks: tuple[int, int]
    """Stripe's time and local time, in unix seconds."""
    full_table: Collection[str] = ()
    """Streams that are listed in full despite their bookmarks."""

    @property
    def now(self) -> int:
        """The time of the slower clock, because a bookmark must not claim the future."""
        return min(self.clocks)

    @property
    def stripe_now(self) -> int:
        """Stripe's time."""
        return self.clocks[0]

    @property
    def horizon(self) -> int:
        """The newest moment that a bookmark may claim; newer objects may not be visible yet."""
        return self.now - self.settings.lag_seconds

    def start(self, listed: Listed) -> int:
        """Return the oldest creation time to list."""
        return 0 if listed.reference else self.settings.start


def lists_of(selected: Mapping[str, Listed | Nested]) -> Lists:
    """Return the lists that the selected streams need."""
    lists = {**LISTED, **{n: one for n, one in selected.items() if isinstance(one, Listed)}}
    found = ((listed, _streams_of(listed, selected)) for listed in lists.values())
    return tuple((listed, streams) for listed, streams in found if streams)


def _streams_of(listed: Listed, selected: Collection[str]) -> tuple[str, ...]:
    names = [listed.name, *(nested.name for nested in nested_in(listed.name))]
    return tuple(name for name in names if name in selected)
