"""Singer SDK stream built from a row of the streams table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from singer_sdk import Stream
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib import RecordMessage

from tap_stripe_connect.catalog import Listed, columns
from tap_stripe_connect.mapping import mapped
from tap_stripe_connect.sync.emit.field_selection import FieldFilter, field_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context
    from singer_sdk.singerlib import Catalog, SchemaMessage

    from tap_stripe_connect.catalog import Nested

    Read = Callable[[str], Iterator[dict[str, Any]]]

FULL_TABLE = "FULL_TABLE"
LOG_BASED = "LOG_BASED"
REPLICATION_KEY = columns.UPDATED.name


def _read_schema(stream: str) -> dict[str, Any]:
    content = files("tap_stripe_connect.schemas").joinpath(f"{stream}.json").read_bytes()
    schema: dict[str, Any] = msgspec.json.decode(content)
    return schema


@cache
def schema_file(stream: str) -> dict[str, Any]:
    """Return a stream's generated schema, including its lists of paths to convert (`x-…`)."""
    return _read_schema(stream)


def stream_schema(stream: str) -> dict[str, Any]:
    """Return a new copy of a stream's schema without internal keys; decoding beats copying."""
    schema = _read_schema(stream)
    return {name: part for name, part in schema.items() if not name.startswith("x-")}


class StripeStream(Stream):
    """A stream of the table; the sync session reads its records."""

    # Stripe sends typed JSON. Conforming it again would take most of the SDK's time, and would drop
    # fields that the schema lacks.
    TYPE_CONFORMANCE_LEVEL: ClassVar[TypeConformanceLevel] = TypeConformanceLevel.NONE  # type: ignore[misc]

    def __init__(self, tap: Tap, spec: Listed | Nested, read: Read) -> None:
        """Create the stream; `read` yields the records of the stream with a given name."""
        self.spec = spec
        self._read = read
        super().__init__(tap, schema=stream_schema(spec.name), name=spec.name)
        self._fix_keys()

    def _fix_keys(self) -> None:
        """Set what a catalog cannot change; the SDK leaves LOG_BASED bookmarks to the tap."""
        self.primary_keys = self.spec.key
        self.replication_key = REPLICATION_KEY
        if self.forced_replication_method != FULL_TABLE:
            self.forced_replication_method = LOG_BASED

    def apply_catalog(self, catalog: Catalog) -> None:
        """Take the selection and FULL_TABLE from the catalog, but not its keys."""
        super().apply_catalog(catalog)
        self._fix_keys()

    @property
    def catalog_entry(self) -> dict[str, Any]:
        """The stream's entry in a discovered catalog, the same as the SDK's.

        The SDK builds an object for every property, which takes seconds for all streams.
        """
        return {
            "tap_stream_id": self.tap_stream_id,
            "replication_key": self.replication_key,
            "replication_method": self.replication_method,
            "key_properties": self.primary_keys,
            "schema": self.schema,
            "stream": self.name,
            "metadata": self.metadata.to_list(),
        }

    def get_records(self, context: Context | None) -> Iterator[dict[str, Any]]:
        """Yield the records of this stream alone; a sync reads all streams together instead."""
        del context
        yield from self._read(self.name)

    @property
    def requested(self) -> Listed | Nested:
        """The row of the table, without expansions that the selection would drop."""
        if not isinstance(self.spec, Listed) or not self.spec.expand:
            return self.spec
        kept = tuple(path for path in self.spec.expand if self._is_selected(path))
        return replace(self.spec, expand=kept)

    def _is_selected(self, path: str) -> bool:
        """Return whether a field is selected; `path` may be dotted."""
        breadcrumb = tuple(part for name in path.split(".") for part in ("properties", name))
        return self.mask.get(breadcrumb, True)

    @cached_property
    def is_passthrough(self) -> bool:
        """Whether records are written without stream maps or flattening."""
        maps = self.stream_maps
        return (
            len(maps) == 1
            and type(maps[0]) is SameRecordTransform
            and not maps[0].flattening_enabled
            and maps[0].stream_alias == self.name
        )

    @cached_property
    def field_filter(self) -> FieldFilter:
        """Removes deselected fields from a record."""
        return field_filter(self.mask)

    def schema_messages(self) -> Iterable[SchemaMessage]:
        """Return a SCHEMA message for each stream map."""
        return self._generate_schema_messages()

    @cached_property
    def _columns(self) -> list[str]:
        """The selected columns."""
        return [name for name in self.schema["properties"] if self.mask["properties", name]]

    def record_messages(self, record: dict[str, Any]) -> Iterable[RecordMessage]:
        """Yield RECORD messages after selection, stream maps and flattening; raises MapError.

        Stripe omits some fields that have no value. They are set to null, because the expressions
        of stream maps may use them.
        """
        self.field_filter.apply(record)
        for name in self._columns:
            record.setdefault(name, None)
        moment = datetime.now(UTC)
        for stream_map in self.stream_maps:
            result = mapped(self.name, stream_map, record)
            if result is not None:
                yield RecordMessage(stream_map.stream_alias, result, time_extracted=moment)
