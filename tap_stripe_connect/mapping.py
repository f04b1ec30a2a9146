"""Stream maps and flattening: complete records in and out, errors that name the expression."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import MapExpressionError
from singer_sdk.mapper import CustomStreamMap

from tap_stripe_connect.catalog import columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_sdk.mapper import StreamMap

Record = dict[str, Any]

ADDITIONAL = columns.ADDITIONAL.name

SAFE_TO_QUOTE = (AttributeError, NameError, TypeError)
"""Errors whose messages speak of types and names, never of the values in a record."""


class LazyStreamMaps(dict[str, "list[StreamMap]"]):
    """The stream maps of streams that nothing maps, each made when it is asked for.

    The SDK makes those of all streams at once, though a run needs those of the selected ones.
    """

    def __init__(self, register: Callable[[str], None]) -> None:
        """Prepare; `register` has the SDK's mapper put a stream's map in here."""
        super().__init__()
        self._register = register

    def __missing__(self, stream: str) -> list[StreamMap]:
        """Return the maps of a stream."""
        self._register(stream)
        return self[stream]


class MapError(Exception):
    """A stream map cannot be applied; the message names the stream and the expression."""


def mapped(stream: str, stream_map: StreamMap, record: Record) -> Record | None:
    """Apply a stream map, with flattening where that is on; None if the map drops the record.

    Raises MapError if an expression fails.
    """
    try:
        result = stream_map.transform(record)
    except Exception as error:
        if not isinstance(stream_map, CustomStreamMap):
            raise
        raise _failure(stream, stream_map, record, error) from error
    if result is None or not stream_map.flattening_enabled:
        return result
    return _completed(result, stream_map.transformed_schema["properties"])


def _completed(flat: Record, columns: Record) -> Record:
    """Return a flattened record with just the announced columns, and every value in one of them.

    A field that Stripe added inside an object has no column; it joins `additional_fields`.
    """
    complete = {name: flat.get(name) for name in columns}
    strays = {
        name: value for name, value in flat.items() if name not in columns and value is not None
    }
    if strays and ADDITIONAL in columns:
        # Whoever maps this column to something of their own keeps that.
        with suppress(TypeError, ValueError):
            known = json.loads(complete[ADDITIONAL] or "{}")
            complete[ADDITIONAL] = json.dumps({**known, **strays}, ensure_ascii=False)
    return complete


def _failure(
    stream: str, stream_map: CustomStreamMap, record: Record, error: Exception
) -> MapError:
    cause = error.__cause__ if isinstance(error, MapExpressionError) and error.__cause__ else error
    reason = type(cause).__name__
    if isinstance(error, MapExpressionError) or isinstance(cause, SAFE_TO_QUOTE):
        reason = f"{reason}: {cause}"
    expression = stream_map.expr_evaluator.expr
    return MapError(
        f"stream_maps: the expression {expression!r} failed for {record.get('id')} of {stream} "
        f"({reason}); any field can be null, and then needs a case of its own, "
        "as in: md5(phone) if phone else None"
    )
