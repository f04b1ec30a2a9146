"""Settings as members of a JSON object, edited so that all else stays byte by byte."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_stripe_connect.connect.store.kept import StoreFault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_stripe_connect.connect.store.kept import Value

_BOM = "\ufeff"
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")


class Member(NamedTuple):
    """Where a member of the outermost object stands in the text."""

    start: int
    value: int
    end: int


class Json:
    """The syntax of `config.json`."""

    def name(self, setting: str) -> str:
        """Return the key of a setting."""
        return setting

    def values(self, text: str) -> dict[str, Value]:
        """Return what the file has; raises StoreFault unless it is a JSON object."""
        if not text.removeprefix(_BOM).strip():
            return {}
        try:
            found: Any = json.loads(text.removeprefix(_BOM))
        except RecursionError:
            raise StoreFault("is nested too deeply; mend it first") from None
        except ValueError as error:
            place = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            raise StoreFault(f"is not valid JSON{place}; mend it first") from None
        if not isinstance(found, dict):
            raise StoreFault("is JSON, but not an object; mend it first")
        return found

    def of_others(self, text: str, setting: str) -> list[str]:
        """Return nothing: the file is of one plugin alone."""
        del text, setting
        return []

    def edited(self, text: str, values: Mapping[str, Value]) -> str:
        """Return the text with these settings, and nothing else, changed."""
        before = self.values(text)
        bom = _BOM if text.startswith(_BOM) else ""
        text = text.removeprefix(_BOM)
        if not text.strip():
            text = "{}\n"
        for setting, value in values.items():
            text = _with(text, setting, json.dumps(value, ensure_ascii=False))
        if self.values(text) != before | dict(values):
            raise StoreFault("is too unusual to be edited safely; set the values by hand")
        return bom + text


def _with(text: str, name: str, value: str) -> str:
    """Put a value, as JSON, in place of the member's, or behind the last member."""
    members = _members(text)
    if name in members:
        found = members[name]
        return text[: found.value] + value + text[found.end :]
    added = f"{json.dumps(name)}: {value}"
    if not members:
        start = text.index("{") + 1
        newline = "\r\n" if "\r\n" in text else "\n"
        return f"{text[:start]}{newline}  {added}{newline}{text[text.rindex('}') :]}"
    last = max(members.values())
    gap = re.search(r"\s*\Z", text[: last.start])
    between = gap[0] if gap else ""
    return f"{text[: last.end]},{between or ' '}{added}{text[last.end :]}"


def _members(text: str) -> dict[str, Member]:
    """Find the members of an object in valid JSON; of equal names the last, as that counts."""
    members: dict[str, Member] = {}
    place = _skip(text, text.index("{") + 1)
    while text[place] != "}":
        name, end = _DECODER.raw_decode(text, place)
        value = _skip(text, text.index(":", end) + 1)
        _, end = _DECODER.raw_decode(text, value)
        members.pop(name, None)
        members[name] = Member(place, value, end)
        place = _skip(text, end)
        if text[place] == ",":
            place = _skip(text, place + 1)
    return members


def _skip(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return match.end() if match else place
