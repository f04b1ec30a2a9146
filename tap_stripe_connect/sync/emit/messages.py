"""Singer messages, written to stdout as whole lines in large blocks."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from singer_sdk.singerlib.encoding.base import GenericSingerWriter
from singer_sdk.singerlib.encoding.simple import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.singerlib import RecordMessage, SchemaMessage

    from tap_stripe_connect.sync.emit.field_selection import FieldFilter

BLOCK_BYTES = 65_536
"""Bytes buffered before a write, which blocks while the target is slow."""

_encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")


class EmittingStream(Protocol):
    """What the writer needs from a stream."""

    name: str

    @property
    def is_passthrough(self) -> bool:
        """Whether records are written without stream maps, after field selection."""

    @property
    def field_filter(self) -> FieldFilter:
        """The fields to remove from each record."""

    def schema_messages(self) -> Iterable[SchemaMessage]:
        """Return the SCHEMA messages, one for each stream map."""

    def record_messages(self, record: dict[str, Any]) -> Iterable[RecordMessage]:
        """Apply selection and stream maps to a record."""


class MessageWriter(GenericSingerWriter[bytes, Message]):
    """Writes messages to stdout, whole lines only."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def serialize_message(self, message: Message) -> bytes:
        """Return a message as one line of JSON."""
        return _encoder.encode(message.to_dict()) + b"\n"

    def write_message(self, message: Message) -> None:
        """Write a message; only RECORD messages are buffered."""
        self._buffer += self.serialize_message(message)
        if message.type != "RECORD" or len(self._buffer) >= BLOCK_BYTES:
            self.flush()

    def write_records(self, stream: EmittingStream, record: dict[str, Any], moment: str) -> int:
        """Write a record that was extracted at `moment`; return the number of messages.

        Stream maps can turn one record into none or several.
        """
        if not stream.is_passthrough:
            messages = list(stream.record_messages(record))
            for message in messages:
                self.write_message(message)
            return len(messages)
        stream.field_filter.apply(record)
        buffer = self._buffer
        whole = len(buffer)
        buffer += b'{"type":"RECORD","stream":"%b","record":' % stream.name.encode()
        try:
            _encoder.encode_into(record, buffer, -1)
        except BaseException:
            del buffer[whole:]
            raise
        buffer += b',"time_extracted":"%b"}\n' % moment.encode()
        if len(buffer) >= BLOCK_BYTES:
            self.flush()
        return 1

    def flush(self) -> None:
        """Write the buffer to stdout; blocks while the target is slow."""
        # Looked up each time because test runners replace stdout.
        out = sys.stdout.buffer
        with memoryview(self._buffer) as rest:
            written = 0
            # With PYTHONUNBUFFERED, a signal can cut a write short.
            while written < len(rest):
                written += out.write(rest[written:])
        out.flush()
        self._buffer.clear()


def now() -> str:
    """Return the current time as ISO 8601, as in `time_extracted`."""
    return datetime.now(UTC).isoformat()
