"""The forms of a state that the tap accepts: bare, STATE message, lines, or from Meltano."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.sync.state.bookmark import StateError, as_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BOOKMARKS = "bookmarks"
MELTANO = "singer_state"
"""The key in the output of `meltano state get`."""

STORED = (("completed", "partial"), ("completed_state", "partial_state"))
"""The outer keys in the files and the tables of Meltano's state backends."""

IGNORED_MESSAGES = frozenset({"ACTIVATE_VERSION", "BATCH", "RECORD", "SCHEMA"})
"""Messages that may precede or follow a STATE message."""

KEYS_SHOWN = 3
LONGEST_KEY = 30


def state_text(lines: Iterable[str]) -> str:
    """Return the JSON object of a file, or the last complete state or STATE message in its lines.

    Raises ValueError whose text continues a sentence about the file.
    """
    rest = (line for line in lines if line.strip())
    first = next(rest, "")
    if _object(first) is None:
        text = first + "".join(rest)
        if _object(text) is None:
            raise ValueError("is not a JSON object; it may have been cut off")
        return text
    chosen, cut_off = "", False
    for line in chain([first], rest):
        if cut_off:
            raise ValueError("has a line that is not a JSON object, and more lines after it")
        message = _object(line)
        if message is None:
            cut_off = True
        elif message.get("type") not in IGNORED_MESSAGES and (message or not chosen):
            chosen = line
    if not chosen:
        raise ValueError("has messages, but no STATE among them")
    return chosen


def _object(text: str) -> dict[str, Any] | None:
    """Return the JSON object in a text; None if it is not one."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def unwrapped(given: object) -> Mapping[str, Any]:
    """Return the state itself; raises StateError for something else."""
    state = as_object(given, "state")
    if BOOKMARKS in state:
        return state
    if state.get("type") == "STATE":
        state = as_object(state.get("value"), "value")
    elif MELTANO in state:
        state = as_object(state[MELTANO], MELTANO)
    else:
        for completed, partial in STORED:
            if completed in state or partial in state:
                state = _merged(*(_stored(state, name) for name in (completed, partial)))
                break
    return state


def check_bookmarks(state: Mapping[str, Any]) -> None:
    """Raise StateError for a state without bookmarks, which would silently start from scratch."""
    if not state or BOOKMARKS in state:
        return
    shown = [key if len(key) <= LONGEST_KEY else f"{key[:LONGEST_KEY]}…" for key in state]
    more = ["…"] if len(shown) > KEYS_SHOWN else []
    raise StateError(
        f"state: {BOOKMARKS} is missing, there is only "
        f"{', '.join([*map(repr, shown[:KEYS_SHOWN]), *more])}; "
        "give the whole value of a STATE message, or start without a state to load "
        "everything again"
    )


def _stored(state: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the state below one key of Meltano's storage; an empty one if there is none."""
    inside = as_object(state.get(name) or {}, name)
    found = as_object(inside.get(MELTANO) or {}, f"{name}.{MELTANO}")
    check_bookmarks(found)
    return found


def _merged(completed: Mapping[str, Any], partial: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the completed state, updated with the streams of the partial one."""
    known = {**completed, **partial}
    both = [as_object(one.get(BOOKMARKS, {}), BOOKMARKS) for one in (completed, partial)]
    return {**known, BOOKMARKS: {**both[0], **both[1]}} if known else {}
