"""Singer messages out: whole lines in large blocks, records on the shortest way there is."""

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

BLOCK = 65_536
"""Bytes gathered before they are written; a reader that is slow holds us back here."""

_encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")


class EmittingStream(Protocol):
    """What is asked of a stream in order to write its records."""

    name: str

    @property
    def is_passthrough(self) -> bool:
        """Whether nothing but the selection of fields changes a record."""

    @property
    def field_filter(self) -> FieldFilter:
        """What the selection takes out of each record."""

    def schema_messages(self) -> Iterable[SchemaMessage]:
        """Return the SCHEMA messages, one for each stream map."""

    def record_messages(self, record: dict[str, Any]) -> Iterable[RecordMessage]:
        """Apply selection and stream maps to a record."""


class MessageWriter(GenericSingerWriter[bytes, Message]):
    """Writes messages to stdout, whole lines only."""

    def __init__(self) -> None:
        self._gathered = bytearray()

    def serialize_message(self, message: Message) -> bytes:
        """Return a message as one line of JSON."""
        return _encoder.encode(message.to_dict()) + b"\n"

    def write_message(self, message: Message) -> None:
        """Write a message; anything but a record is on stdout when this returns."""
        self._gathered += self.serialize_message(message)
        if message.type != "RECORD" or len(self._gathered) >= BLOCK:
            self.flush()

    def write_records(self, stream: EmittingStream, record: dict[str, Any], moment: str) -> int:
        """Write what a record becomes, and return how many messages; `moment` is when it was read.

        Stream maps can make none or several of one.
        """
        if not stream.is_passthrough:
            messages = list(stream.record_messages(record))
            for message in messages:
                self.write_message(message)
            return len(messages)
        stream.field_filter.apply(record)
        gathered = self._gathered
        whole = len(gathered)
        gathered += b'{"type":"RECORD","stream":"%b","record":' % stream.name.encode()
        try:
            _encoder.encode_into(record, gathered, -1)
        except BaseException:
            del gathered[whole:]
            raise
        gathered += b',"time_extracted":"%b"}\n' % moment.encode()
        if len(gathered) >= BLOCK:
            self.flush()
        return 1

    def flush(self) -> None:
        """Hand what was gathered to stdout; waits for as long as the reader takes."""
        # Looked up now, because test runners put another stdout in place.
        out = sys.stdout.buffer
        with memoryview(self._gathered) as rest:
            written = 0
            # Unbuffered (PYTHONUNBUFFERED), a write that a signal interrupts is a short one.
            while written < len(rest):
                written += out.write(rest[written:])
        out.flush()
        self._gathered.clear()


def now() -> str:
    """Return this moment as records name it."""
    return datetime.now(UTC).isoformat()
