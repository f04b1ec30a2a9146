"""Decodes JSON that is nested too deeply for the parser, with the deepest values left out."""

from __future__ import annotations

import logging
import re
from typing import Any

import msgspec

logger = logging.getLogger(__name__)

MAX_DEPTH = 100
"""Levels that are kept of a document that is too deep; Stripe's objects have about ten."""

HEADROOM = 100
"""Stack frames that are kept free while decoding. Nesting counts against the recursion limit, and
without them a document could be decoded but not encoded."""

ROW = 3
"""Depth of the objects in a list: inside the envelope and its `data`."""

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)
_decode = msgspec.json.Decoder().decode


def decode(body: bytes | str) -> Any:  # noqa: ANN401 - whatever the body holds
    """Decode JSON, with null in place of values that are nested too deeply.

    Logs which objects had such values. Raises msgspec.DecodeError if the body is not JSON, or
    ValueError if it is also too deep.
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
            "%s has values nested more than %s levels deep; replaced them by null", name, MAX_DEPTH
        )
    return document


def _decode_below(frames: int, body: bytes | str) -> Any:  # noqa: ANN401
    return _decode_below(frames - 1, body) if frames else _decode(body)


def _shallow(body: bytes) -> tuple[bytes, list[int]]:
    """Return the body without values that are too deep, and the list rows that had some."""
    pieces: list[bytes] = []
    rows: list[int] = []
    depth = kept = 0
    row = -1
    for token in _TOKEN.finditer(body):
        kind = token[0]
        if kind in {b"[", b"{"}:
            depth += 1
            row += depth == ROW
            if depth == MAX_DEPTH + 1:
                pieces += [body[kept : token.start()], b"null"]
                rows.append(row)
        elif kind in {b"]", b"}"}:
            if depth == MAX_DEPTH + 1:
                kept = token.end()
            depth -= 1
    if depth:
        raise ValueError("the body was cut off")
    return b"".join([*pieces, body[kept:]]), rows


def _names(document: object, rows: list[int]) -> list[str]:
    """Return a name for each object that was changed, without duplicates."""
    found = document.get("data") if isinstance(document, dict) else None
    listed = found if isinstance(found, list) else None
    changed = (
        [document]
        if listed is None
        else [listed[row] for row in dict.fromkeys(rows) if 0 <= row < len(listed)]
    )
    return [f"{one.get('object')} {one.get('id')}" for one in changed if isinstance(one, dict)]
