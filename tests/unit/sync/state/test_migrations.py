"""A state of any earlier version is read; one of a newer release is not."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from tap_stripe_connect.sync.state import format as state_format
from tap_stripe_connect.sync.state import migrations
from tap_stripe_connect.sync.state.bookmark import StateError
from tap_stripe_connect.sync.state.format import Bookmarks
from tap_stripe_connect.sync.state.migrations import HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT = "acct_1Example"
UNTIL = "2026-01-31T12:00:00+00:00"
VERSION_1: dict[str, Any] = {
    "bookmarks": {
        "charges": {
            "covered": [["1970-01-01T00:00:00+00:00", UNTIL]],
            "events_until": UNTIL,
            "level_accounts": 1,
        }
    },
    HEADER: {"version": 1, "livemode": True, "accounts": [ACCOUNT]},
}


def test_the_first_version_is_read() -> None:
    """A release never loses what the one before wrote."""
    assert Bookmarks(deepcopy(VERSION_1)).get("charges", ACCOUNT).events_until


def test_older_states_are_migrated_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """With two more versions, a state of the first passes both migrations, in order."""

    def rename(state: Mapping[str, Any]) -> dict[str, Any]:
        streams = {f"{name}_v2": value for name, value in state["bookmarks"].items()}
        return {**state, "bookmarks": streams}

    def rename_again(state: Mapping[str, Any]) -> dict[str, Any]:
        streams = {f"{name}_v3": value for name, value in state["bookmarks"].items()}
        return {**state, "bookmarks": streams}

    monkeypatch.setattr(migrations, "MIGRATIONS", (rename, rename_again))
    monkeypatch.setattr(migrations, "VERSION", 3)
    monkeypatch.setattr(state_format, "VERSION", 3)
    state = deepcopy(VERSION_1)
    saved = Bookmarks(state)
    assert state == VERSION_1
    assert saved.get("charges_v2_v3", ACCOUNT).events_until
    written = saved.state()
    assert written[HEADER]["version"] == 3
    assert Bookmarks(written).get("charges_v2_v3", ACCOUNT).events_until


@pytest.mark.parametrize("version", [migrations.VERSION + 1, 0, "1", None])
def test_an_unknown_version_is_an_error(version: object) -> None:
    """The error says what this release knows, and what to do."""
    state = {**VERSION_1, HEADER: {"version": version}}
    with pytest.raises(StateError, match="upgrade the tap, or start without a state"):
        Bookmarks(state)
