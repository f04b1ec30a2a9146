"""The forms in which a state comes back: bare, as a STATE message, as lines, or from Meltano."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.sync.state.bookmark import StateError, as_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BOOKMARKS = "bookmarks"
MELTANO = "singer_state"
"""What `meltano state get` puts a state under."""

STORED = (("completed", "partial"), ("completed_state", "partial_state"))
"""What the files and the tables of Meltano's state backends put it under once more."""

IGNORED_MESSAGES = frozenset({"ACTIVATE_VERSION", "BATCH", "RECORD", "SCHEMA"})
"""Messages that may stand between those that count."""

KEYS_SHOWN = 3
LONGEST_KEY = 30


def state_text(lines: Iterable[str]) -> str:
    """Return the JSON object of a file; of several lines the last whole state or STATE message.

    Raises ValueError, whose text says what is wrong with the file.
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
    """Return the JSON object that a text is, if it is one."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def unwrapped(given: object) -> Mapping[str, Any]:
    """Return the state itself; raises StateError where there is something else, naming its keys."""
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
    """Raise StateError where there is something, but no bookmarks: it would count as no state."""
    if not state or BOOKMARKS in state:
        return
    shown = [key if len(key) <= LONGEST_KEY else f"{key[:LONGEST_KEY]}…" for key in state]
    more = ["…"] if len(shown) > KEYS_SHOWN else []
    raise StateError(
        f"state: {BOOKMARKS} is missing, there is only "
        f"{', '.join([*map(repr, shown[:KEYS_SHOWN]), *more])}; "
        "give the whole value of a STATE message, or start again without state to load "
        "everything anew"
    )


def _stored(state: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the state below one key of Meltano's storage; an empty one where there is none."""
    inside = as_object(state.get(name) or {}, name)
    found = as_object(inside.get(MELTANO) or {}, f"{name}.{MELTANO}")
    check_bookmarks(found)
    return found


def _merged(completed: Mapping[str, Any], partial: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what was stored last, and the streams that only the state before it names."""
    known = {**completed, **partial}
    both = [as_object(one.get(BOOKMARKS, {}), BOOKMARKS) for one in (completed, partial)]
    return {**known, BOOKMARKS: {**both[0], **both[1]}} if known else {}
