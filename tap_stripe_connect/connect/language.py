"""The languages of the pages, and which of them a browser gets."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LANGUAGES = ("en", "de", "sv", "pt-BR", "fr", "it")


@cache
def texts(language: str) -> Mapping[str, str]:
    """Return the sentences of one of the LANGUAGES; `lang` is its own code."""
    if language not in LANGUAGES:
        raise ValueError(f"there are no texts in {language!r}")
    file = files(__package__).joinpath("languages", f"{language}.json")
    return MappingProxyType(json.loads(file.read_text("utf-8")))


def negotiate(accept_language: str, fallback: str) -> str:
    """Return the supported language that a browser likes best, else the fallback's, else English.

    The fallback may be a locale's name, such as `de_DE.UTF-8`.
    """
    for wish in _wishes(accept_language):
        if wish == "*":
            break
        if language := supported(wish):
            return language
    return supported(fallback) or LANGUAGES[0]


def supported(tag: str) -> str:
    """Return the language that serves a tag or a locale; empty if none does.

    Regions are let go of, and Portuguese of any region is served in that of Brazil.
    """
    primary = tag.strip().partition(".")[0].replace("_", "-").partition("-")[0].lower()
    return next((code for code in LANGUAGES if code.partition("-")[0] == primary), "")


def _wishes(accept_language: str) -> list[str]:
    """Return the tags of the header in the order of their weights, without the refused ones."""
    weighed = [_weighed(part) for part in accept_language.split(",")]
    accepted = [(weight, tag) for weight, tag in weighed if tag and weight > 0]
    return [tag for _, tag in sorted(accepted, key=lambda wish: -wish[0])]


def _weighed(part: str) -> tuple[float, str]:
    """Return weight and tag of one part; a weight that is no number between 0 and 1 refuses it."""
    tag, _, parameter = part.partition(";")
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return 1.0, tag.strip()
    try:
        weight = float(value)
    except ValueError:
        weight = 0.0
    return (weight if 0 <= weight <= 1 else 0.0), tag.strip()
