"""Migrations of the state format: a state that an earlier release wrote always works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_stripe_connect.sync.state.bookmark import StateError, as_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    State = Mapping[str, Any]

HEADER = "tap_stripe_connect"
"""Key in a state of what applies to all streams, such as the version of the format."""

MIGRATIONS: tuple[Callable[[State], State], ...] = ()
"""The first one converts a state of version 1 to version 2, and so on; none may change its input.

They do not set the version in the header.
"""

VERSION = 1 + len(MIGRATIONS)
"""The version that this release writes."""


def migrated(state: State) -> State:
    """Return a state in the form of this release; raises StateError for an unknown version."""
    header = as_object(state.get(HEADER, {}), HEADER)
    version = header.get("version", VERSION)
    if type(version) is not int or not 1 <= version <= VERSION:
        raise StateError(
            f"state: {HEADER}.version is {version!r}, but this release knows {VERSION}; "
            "upgrade the tap, or start without a state"
        )
    for migration in MIGRATIONS[version - 1 :]:
        state = migration(state)
    return state
