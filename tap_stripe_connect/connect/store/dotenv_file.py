"""Settings as variables of a `.env` file, edited so that all else stays byte by byte."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from tap_stripe_connect.connect.store.kept import StoreFault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_stripe_connect.connect.store.kept import Value

_BOM = "\ufeff"
_ASSIGNMENT = re.compile(
    r"""
    (?P<name>\s*(?:export[^\S\r\n]+)?(?:'[^']+'|[^=\#\s]+)[^\S\r\n]*)
    (?P<value>=(?:
        [^\S\r\n]*(?=[^\S\r\n]\#)
        | [^\S\r\n]*(?: '(?:\\.|[^'\\])*' | "(?:\\.|[^"\\])*" | [^\r\n]*? )
    ))?
    (?P<rest>(?:(?:(?<=['"])|[^\S\r\n]+)\#[^\r\n]*)?[^\S\r\n]*(?:\r\n|\n|\r)?)
    """,
    re.VERBOSE | re.DOTALL,
)
"""The same reading as python-dotenv's, which does not tell where in a line the value stands."""


@dataclass(frozen=True)
class Dotenv:
    """The syntax of `.env` files, with the settings of one plugin."""

    prefix: str
    """What the names of the plugin's variables begin with."""

    def name(self, setting: str) -> str:
        """Return the variable of a setting."""
        return self.prefix + setting.upper()

    def values(self, text: str) -> dict[str, Value]:
        """Return the settings that the file has, as the plugin would get them."""
        return {
            name.removeprefix(self.prefix).lower(): value
            for name, value in dotenv_values(stream=_stream(text)).items()
            if name.startswith(self.prefix) and value is not None
        }

    def of_others(self, text: str, setting: str) -> list[str]:
        """Return what the file has for a setting of other plugins."""
        return [
            value
            for name, value in dotenv_values(stream=_stream(text)).items()
            if name.endswith(f"_{setting.upper()}") and name != self.name(setting) and value
        ]

    def edited(self, text: str, values: Mapping[str, Value]) -> str:
        """Return the text with these settings, and nothing else, changed."""
        wanted = {self.name(setting): _written(value) for setting, value in values.items()}
        after = text
        for name, value in wanted.items():
            after = _assigned(after, name, value)
        if _variables(after) != _variables(text) | wanted:
            raise StoreFault("is too unusual to be edited safely; set the variables by hand")
        return after


def _stream(text: str) -> io.StringIO:
    return io.StringIO(text, newline="")


def _variables(text: str) -> dict[str, str | None]:
    return {binding.key: binding.value for binding in parse_stream(_stream(text)) if binding.key}


def _written(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _assigned(text: str, name: str, value: str) -> str:
    """Give the variable a value: where it stands last, as that counts, or at the end."""
    bom = _BOM if text.startswith(_BOM) else ""
    bindings = list(parse_stream(_stream(text)))
    lines = [binding.original.string for binding in bindings]
    places = [place for place, binding in enumerate(bindings) if binding.key == name]
    if places:
        match = _ASSIGNMENT.fullmatch(lines[places[-1]])
        if not match:
            raise StoreFault(f"has {name} in a form that cannot be edited; set it by hand")
        lines[places[-1]] = f"{match['name']}='{value}'{match['rest']}"
        return bom + "".join(lines)
    newline = "\r\n" if "\r\n" in text else "\n"
    whole = bom + "".join(lines)
    if whole and not whole.endswith(("\n", "\r", _BOM)):
        whole += newline
    return f"{whole}{name}='{value}'{newline}"
