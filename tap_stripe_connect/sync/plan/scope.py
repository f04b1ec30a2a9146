"""What a run covers: its lists, and the moments it may claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_stripe_connect.catalog import LISTED, Listed, nested_in

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tap_stripe_connect.catalog import Nested
    from tap_stripe_connect.settings import Settings

Lists = tuple[tuple[Listed, tuple[str, ...]], ...]
"""Lists to read, each with the selected streams that come with it."""


@dataclass(frozen=True)
class Scope:
    """What is the same for every account of a run."""

    settings: Settings
    lists: Lists
    clocks: tuple[int, int]
    """Stripe's time and our own, in unix seconds."""
    full_table: Collection[str] = ()
    """Streams that are listed again whatever their bookmarks say."""

    @property
    def now(self) -> int:
        """The earlier of both clocks: a clock may be wrong, and a claim must not be."""
        return min(self.clocks)

    @property
    def stripe_now(self) -> int:
        """Stripe's time."""
        return self.clocks[0]

    @property
    def horizon(self) -> int:
        """No bookmark claims anything newer: it may not be visible yet, or not exist yet."""
        return self.now - self.settings.lag_seconds

    def start(self, listed: Listed) -> int:
        """Return the creation time from which on a list is read."""
        return 0 if listed.reference else self.settings.start


def lists_of(selected: Mapping[str, Listed | Nested]) -> Lists:
    """Return the lists that have to be read for the selected streams."""
    asked = {**LISTED, **{n: one for n, one in selected.items() if isinstance(one, Listed)}}
    found = ((listed, _streams_of(listed, selected)) for listed in asked.values())
    return tuple((listed, streams) for listed, streams in found if streams)


def _streams_of(listed: Listed, selected: Collection[str]) -> tuple[str, ...]:
    names = [listed.name, *(nested.name for nested in nested_in(listed.name))]
    return tuple(name for name in names if name in selected)
