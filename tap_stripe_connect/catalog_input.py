"""Normalizes an input catalog, so that the SDK reads it the way its author meant it."""

from __future__ import annotations

import logging
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.catalog import STREAMS
from tap_stripe_connect.settings.parsers import boolean
from tap_stripe_connect.streams import REPLICATION_KEY, stream_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_stripe_connect.catalog import Listed, Nested

    Json = dict[str, Any]
    Path = tuple[str, ...]
    Metadata = dict[Path, Json]

logger = logging.getLogger(__name__)

MAX_NAMES = 5
"""How many fields a log line names before it counts the rest."""


class CatalogError(Exception):
    """The catalog cannot be used; the message says why."""


def normalize(catalog: Json) -> Json:
    """Return a copy of the catalog in which everything that it implies is explicit.

    Logs a warning where the catalog is read differently than the SDK would, or is not followed.
    Raises CatalogError if it is malformed or selects a stream that does not exist.
    """
    result = deepcopy(catalog)
    known = {stream.name: stream for stream in STREAMS}
    for entry in _entries(result):
        name = entry.setdefault("tap_stream_id", entry.get("stream"))
        metadata = _metadata(name, entry)
        warnings = list(_read_flags(name, metadata.values()))
        if name in known:
            warnings += _complete(entry, known[name], metadata)
            for warning in warnings:
                logger.warning("catalog: %s: %s", name, warning)
        elif metadata.get((), {}).get("selected"):
            raise CatalogError(
                f"catalog: there is no stream {name!r}; deselect it, or create a new catalog "
                "with --discover"
            )
    return result


def _complete(entry: Json, stream: Listed | Nested, metadata: Metadata) -> Iterator[str]:
    """Add to an entry what the SDK needs; yield warnings."""
    has_metadata = bool(metadata)
    yield from _read_schema_flags(entry, metadata)
    if not has_metadata:
        # The SDK selects an entry without metadata, but not one with incomplete metadata.
        metadata.setdefault((), {}).setdefault("selected", True)
    for path in [path for path in metadata if path and _is_selected(metadata[path])]:
        _select_inside(metadata, path)
    yield from _fit_schema(entry, stream, metadata)
    yield from _keep_keys(entry, stream, metadata)
    alias = entry.get("stream") or stream.name
    if alias != stream.name:
        yield (
            f"ignoring the name {alias!r}; to rename a stream, set stream_maps to "
            f"{{{stream.name!r}: {{'__alias__': {alias!r}}}}}"
        )
    entry["stream"] = stream.name
    entry["metadata"] = [
        {"breadcrumb": list(path), "metadata": values} for path, values in metadata.items()
    ]


# Validation


def _entries(catalog: Json) -> list[Json]:
    entries = catalog.get("streams")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise CatalogError(
            "catalog: `streams` is not a list of streams; create a catalog with --discover"
        )
    return entries


def _metadata(name: object, entry: Json) -> Metadata:
    items = entry.get("metadata", [])
    is_valid = (
        isinstance(name, str)
        and _is_schema(entry.get("schema", {}))
        and isinstance(items, list)
        and all(_is_metadata(item) for item in items)
    )
    if not is_valid:
        raise _malformed(name)
    return {tuple(item["breadcrumb"]): item["metadata"] for item in items}


def _malformed(name: object) -> CatalogError:
    return CatalogError(
        f"catalog: the entry of stream {name!r} is malformed; create a new catalog with --discover"
    )


def _is_schema(schema: object) -> bool:
    """Return whether a schema is an object, and so are the schemas of all its properties."""
    if not isinstance(schema, dict):
        return False
    properties = schema.get("properties", {})
    return isinstance(properties, dict) and all(map(_is_schema, properties.values()))


def _is_metadata(item: object) -> bool:
    """Return whether a metadata item has a breadcrumb and an object of metadata."""
    if not isinstance(item, dict) or not isinstance(item.get("metadata"), dict):
        return False
    breadcrumb = item.get("breadcrumb")
    return isinstance(breadcrumb, list) and all(isinstance(part, str) for part in breadcrumb)


# Selection


def _read_flags(name: object, places: Iterable[Json]) -> Iterator[str]:
    """Convert flags from text, which the SDK takes for true, to booleans; yield a warning."""
    texts: list[object] = []
    for values in places:
        for flag in ("selected", "selected-by-default"):
            value = values.get(flag)
            if value is None or isinstance(value, bool):
                continue
            try:
                values[flag] = boolean(value)
            except ValueError:
                raise _malformed(name) from None
            texts.append(value)
    if texts:
        yield f"`selected` should be true or false; read {_some(texts)} as such"


def _read_schema_flags(entry: Json, metadata: Metadata) -> Iterator[str]:
    """Move `selected` from the schema, where old catalogs have it, to the metadata."""
    moved = False
    for path, part in _parts(entry.get("schema", {})):
        if isinstance(part.get("selected"), bool | str | int):
            holder = {"selected": part.pop("selected")}
            list(_read_flags(entry["tap_stream_id"], [holder]))
            values = metadata.setdefault(path, {})
            if values.get("selected") is None:
                values |= holder
                moved = True
    if moved:
        yield "`selected` belongs in the metadata; read it from the schema"


def _parts(schema: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Yield a schema and the schemas of all its properties, with their breadcrumbs."""
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from _parts(part, (*path, "properties", name))


def _is_selected(metadata: Json) -> bool:
    return bool(metadata.get("selected")) or metadata.get("inclusion") == "automatic"


def _select_inside(metadata: Metadata, path: Path) -> None:
    """Select everything in a selected object that has nothing selected inside.

    Meltano deselects every property and then selects those that the pattern matches. Without this,
    `charges.billing_details` would give an empty object.
    """
    inside = [
        values for key, values in metadata.items() if key[: len(path)] == path and key != path
    ]
    if inside and not any(values.get("selected", True) for values in inside):
        for values in inside:
            values["selected"] = True


# Schema and keys


def _fit_schema(entry: Json, stream: Listed | Nested, metadata: Metadata) -> Iterator[str]:
    """Make the schema fit the records, and deselect the fields that it lacks; yield warnings."""
    full_schema = stream_schema(stream.name)
    schema = entry.setdefault("schema", {})
    properties = schema.get("properties")
    if not properties:
        entry["schema"] = full_schema
        return
    for name in (*stream.key, REPLICATION_KEY):
        properties.setdefault(name, full_schema["properties"][name])
    schema |= {"type": "object", "required": list(stream.key)}
    for _, part in _parts(schema):
        # Flattening drops an object whose properties are empty.
        if part.get("properties") == {}:
            del part["properties"]
    unknown = [name for name in properties if name not in full_schema["properties"]]
    for name in unknown:
        del properties[name]
    if unknown:
        yield f"there are no fields {_some(unknown)}"
    missing = list(_missing(full_schema, schema))
    for path in missing:
        metadata[path] = {"inclusion": "available", "selected": False}
    if missing:
        names = [".".join(path[1::2]) for path in missing]
        yield (
            f"its schema lacks {_some(names)}, which will not be written; "
            "create a complete one with --discover"
        )


def _missing(full_schema: Json, schema: Json, path: Path = ()) -> Iterator[Path]:
    """Yield the breadcrumbs of everything that a schema lacks."""
    for name, part in full_schema.get("properties", {}).items():
        inside = (*path, "properties", name)
        if name not in schema["properties"]:
            yield inside
        elif "properties" in schema["properties"][name]:
            yield from _missing(part, schema["properties"][name], inside)


def _keep_keys(entry: Json, stream: Listed | Nested, metadata: Metadata) -> Iterator[str]:
    """Select the key columns and the replication key, which a catalog cannot change."""
    kept = []
    for name in (*stream.key, REPLICATION_KEY):
        values = metadata.setdefault(("properties", name), {})
        automatic = values.get("inclusion") == "automatic"
        if values.get("inclusion") == "unsupported" or (
            values.get("selected") is False and not automatic
        ):
            kept.append(name)
        values["inclusion"] = "automatic"
    if kept:
        yield f"{_some(kept)} cannot be deselected, and will be written"
    keys = list(stream.key)
    if entry.get("key_properties", keys) != keys:
        yield f"key_properties cannot be changed, and will be {', '.join(keys)}"
    entry["key_properties"] = keys


def _some(names: list[Any]) -> str:
    """Return the first few names, and how many more there are."""
    unique = list(dict.fromkeys(map(str, names)))
    more = f" and {len(unique) - MAX_NAMES} more" if len(unique) > MAX_NAMES else ""
    return ", ".join(unique[:MAX_NAMES]) + more
