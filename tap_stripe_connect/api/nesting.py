"""JSON that is nested too deeply for a parser: read without the values that lie too deep."""

from __future__ import annotations

import logging
import re
from typing import Any

import msgspec

logger = logging.getLogger(__name__)

DEEPEST = 100
"""Levels that are kept of a document that is too deep; Stripe's own objects have about ten."""

HEADROOM = 100
"""Frames that reading takes more than writing: Python counts both and nesting against one limit,
so that without them a document could be read and not written."""

ROW = 3
"""Levels at which an object of a list begins: inside the envelope and its `data`."""

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)
_decode = msgspec.json.Decoder().decode


def decode(body: bytes | str) -> Any:  # noqa: ANN401 - whatever the body holds
    """Decode JSON; where it is nested too deeply, null takes the place of what lies too deep.

    The objects concerned are named in the log. Raises msgspec.DecodeError for a body that is not
    JSON, or ValueError for one that is too deep as well.
    """
    try:
        return _decode_below(HEADROOM, body)
    except RecursionError:
        text, rows = _shallow(body.encode() if isinstance(body, str) else body)
    try:
        document = _decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    for name in _names(document, rows):
        logger.warning(
            "%s holds values more than %s levels deep; they were replaced by null", name, DEEPEST
        )
    return document


def _decode_below(frames: int, body: bytes | str) -> Any:  # noqa: ANN401
    return _decode_below(frames - 1, body) if frames else _decode(body)


def _shallow(body: bytes) -> tuple[bytes, list[int]]:
    """Return the body without what lies too deep, and which of a list's rows had such values."""
    pieces: list[bytes] = []
    rows: list[int] = []
    depth = kept = 0
    row = -1
    for token in _TOKEN.finditer(body):
        kind = token[0]
        if kind in {b"[", b"{"}:
            depth += 1
            row += depth == ROW
            if depth == DEEPEST + 1:
                pieces += [body[kept : token.start()], b"null"]
                rows.append(row)
        elif kind in {b"]", b"}"}:
            if depth == DEEPEST + 1:
                kept = token.end()
            depth -= 1
    if depth:
        raise ValueError("the body was cut off")
    return b"".join([*pieces, body[kept:]]), rows


def _names(document: object, rows: list[int]) -> list[str]:
    """Return what to call the objects that `rows` counts, each once."""
    found = document.get("data") if isinstance(document, dict) else None
    listed = found if isinstance(found, list) else None
    concerned = (
        [document]
        if listed is None
        else [listed[row] for row in dict.fromkeys(rows) if 0 <= row < len(listed)]
    )
    return [f"{one.get('object')} {one.get('id')}" for one in concerned if isinstance(one, dict)]
