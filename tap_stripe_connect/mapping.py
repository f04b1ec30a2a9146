"""Applies stream maps and flattening, without losing fields, and explains failed expressions."""

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
"""Errors whose messages contain types and names, but no values from the record."""


class LazyStreamMaps(dict[str, "list[StreamMap]"]):
    """Stream maps that are created on first use, for runs without `stream_maps` and flattening.

    The SDK creates the maps of all streams at once, but a run needs only those of selected streams.
    """

    def __init__(self, register: Callable[[str], None]) -> None:
        """Create an empty dict; `register` makes the SDK's mapper add the maps of a stream."""
        super().__init__()
        self._register = register

    def __missing__(self, stream: str) -> list[StreamMap]:
        """Create and return the maps of a stream."""
        self._register(stream)
        return self[stream]


class MapError(Exception):
    """A stream map failed; the message names the stream and the expression."""


def mapped(stream: str, stream_map: StreamMap, record: Record) -> Record | None:
    """Return a record after its stream map and flattening; None if the map drops it.

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
    """Return a flattened record with exactly the columns of its schema.

    New fields that Stripe has added inside an object have no column, and go to
    `additional_fields`.
    """
    complete = {name: flat.get(name) for name in columns}
    extra = {
        name: value for name, value in flat.items() if name not in columns and value is not None
    }
    if extra and ADDITIONAL in columns:
        # A stream map may have replaced this column by something else.
        with suppress(TypeError, ValueError):
            known = json.loads(complete[ADDITIONAL] or "{}")
            complete[ADDITIONAL] = json.dumps({**known, **extra}, ensure_ascii=False)
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
        f"({reason}); any field can be null, which the expression has to handle, "
        "for example: md5(phone) if phone else None"
    )
