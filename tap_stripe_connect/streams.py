"""The Singer SDK's face of a row of the streams table."""

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
    """Return a stream's generated schema, with its lists of paths to convert."""
    return _read_schema(stream)


def stream_schema(stream: str) -> dict[str, Any]:
    """Return a copy of a stream's schema as users see it; decoding is faster than copying."""
    schema = _read_schema(stream)
    return {name: part for name, part in schema.items() if not name.startswith("x-")}


class StripeStream(Stream):
    """A stream of the table; reading is left to the engine."""

    # Stripe sends typed JSON; conforming it again costs most of the SDK's time and drops
    # fields that the schema does not know.
    TYPE_CONFORMANCE_LEVEL: ClassVar[TypeConformanceLevel] = TypeConformanceLevel.NONE  # type: ignore[misc]

    def __init__(self, tap: Tap, spec: Listed | Nested, read: Read) -> None:
        """Show the stream that `spec` describes; `read` yields the records of a stream."""
        self.spec = spec
        self._read = read
        super().__init__(tap, schema=stream_schema(spec.name), name=spec.name)
        self._keep_promises()

    def _keep_promises(self) -> None:
        """Set what no catalog may change; the SDK leaves LOG_BASED bookmarks to the tap."""
        self.primary_keys = self.spec.key
        self.replication_key = REPLICATION_KEY
        if self.forced_replication_method != FULL_TABLE:
            self.forced_replication_method = LOG_BASED

    def apply_catalog(self, catalog: Catalog) -> None:
        """Take selection and FULL_TABLE from the catalog; keys are not up to it."""
        super().apply_catalog(catalog)
        self._keep_promises()

    @property
    def catalog_entry(self) -> dict[str, Any]:
        """The stream's entry in a discovered catalog, as the SDK would write it.

        The SDK makes objects of the whole schema for that, which takes seconds for all streams.
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
        """Read this stream alone, by the engine that reads all of them in a sync."""
        del context
        yield from self._read(self.name)

    @property
    def wanted(self) -> Listed | Nested:
        """The row of the table, asking for nothing that the selection throws away (F11)."""
        if not isinstance(self.spec, Listed) or not self.spec.expand:
            return self.spec
        kept = tuple(path for path in self.spec.expand if self._is_selected(path))
        return replace(self.spec, expand=kept)

    def _is_selected(self, path: str) -> bool:
        """Return whether a field is selected; `path` may lead into nested objects."""
        breadcrumb = tuple(part for name in path.split(".") for part in ("properties", name))
        return self.mask.get(breadcrumb, True)

    @cached_property
    def is_passthrough(self) -> bool:
        """Whether nothing but the selection of fields changes a record."""
        maps = self.stream_maps
        return (
            len(maps) == 1
            and type(maps[0]) is SameRecordTransform
            and not maps[0].flattening_enabled
            and maps[0].stream_alias == self.name
        )

    @cached_property
    def field_filter(self) -> FieldFilter:
        """What the selection takes out of each record."""
        return field_filter(self.mask)

    def schema_messages(self) -> Iterable[SchemaMessage]:
        """Return the SCHEMA messages, one for each stream map."""
        return self._generate_schema_messages()

    @cached_property
    def _columns(self) -> list[str]:
        """The selected columns."""
        return [name for name in self.schema["properties"] if self.mask["properties", name]]

    def record_messages(self, record: dict[str, Any]) -> Iterable[RecordMessage]:
        """Apply selection, stream maps and flattening to a record.

        Stripe leaves out fields that have no value. Expressions name them all the same, so what
        is left out is null here. Raises MapError for an expression that fails.
        """
        self.field_filter.apply(record)
        for name in self._columns:
            record.setdefault(name, None)
        moment = datetime.now(UTC)
        for stream_map in self.stream_maps:
            result = mapped(self.name, stream_map, record)
            if result is not None:
                yield RecordMessage(stream_map.stream_alias, result, time_extracted=moment)
