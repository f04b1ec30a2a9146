"""What an input catalog asks for, read the way users mean it."""

from __future__ import annotations

import logging
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.catalog import STREAMS
from tap_stripe_connect.streams import REPLICATION_KEY, stream_schema
from tap_stripe_connect.values import boolean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_stripe_connect.catalog import Listed, Nested

    Json = dict[str, Any]
    Path = tuple[str, ...]
    Metadata = dict[Path, Json]

logger = logging.getLogger(__name__)

NAMED = 5
"""Fields that a line of the log names; more are counted."""


class CatalogError(Exception):
    """The catalog cannot be used; the message says why."""


def normalised(catalog: Json) -> Json:
    """Return the catalog with what its writers took for granted made explicit.

    The log says where the catalog is understood otherwise than the SDK would, or not followed.
    Raises CatalogError for a selected stream that does not exist, and for what is no catalog.
    """
    result = deepcopy(catalog)
    known = {stream.name: stream for stream in STREAMS}
    for entry in _entries(result):
        name = entry.setdefault("tap_stream_id", entry.get("stream"))
        metadata = _metadata(name, entry)
        remarks = list(_read_flags(name, metadata.values()))
        if name in known:
            remarks += _complete(entry, known[name], metadata)
            for remark in remarks:
                logger.warning("catalog: %s: %s", name, remark)
        elif metadata.get((), {}).get("selected"):
            raise CatalogError(
                f"catalog: there is no stream {name!r}; deselect it, or make the catalog "
                "anew with --discover"
            )
    return result


def _complete(entry: Json, stream: Listed | Nested, metadata: Metadata) -> Iterator[str]:
    """Make an entry say all that the SDK needs to know; yield what users should know of it."""
    silent = not metadata
    yield from _read_schema_flags(entry, metadata)
    if silent:
        # To the SDK an entry without metadata is selected, but not one with only some.
        metadata.setdefault((), {}).setdefault("selected", True)
    for path in [path for path in metadata if path and _is_on(metadata[path])]:
        _select_inside(metadata, path)
    yield from _fit_schema(entry, stream, metadata)
    yield from _keep_keys(entry, stream, metadata)
    alias = entry.get("stream") or stream.name
    if alias != stream.name:
        yield (
            f"the name {alias!r} is not used; to rename a stream, set stream_maps to "
            f"{{{stream.name!r}: {{'__alias__': {alias!r}}}}}"
        )
    entry["stream"] = stream.name
    entry["metadata"] = [
        {"breadcrumb": list(path), "metadata": values} for path, values in metadata.items()
    ]


# What an entry is


def _entries(catalog: Json) -> list[Json]:
    entries = catalog.get("streams")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise CatalogError("catalog: `streams` is not a list of streams; make it with --discover")
    return entries


def _metadata(name: object, entry: Json) -> Metadata:
    items = entry.get("metadata", [])
    whole = (
        isinstance(name, str)
        and _is_schema(entry.get("schema", {}))
        and isinstance(items, list)
        and all(_is_metadata(item) for item in items)
    )
    if not whole:
        raise _damaged(name)
    return {tuple(item["breadcrumb"]): item["metadata"] for item in items}


def _damaged(name: object) -> CatalogError:
    return CatalogError(
        f"catalog: the entry of stream {name!r} is damaged; make it anew with --discover"
    )


def _is_schema(schema: object) -> bool:
    """Return whether a schema, and every schema of a property in it, is an object."""
    if not isinstance(schema, dict):
        return False
    properties = schema.get("properties", {})
    return isinstance(properties, dict) and all(map(_is_schema, properties.values()))


def _is_metadata(item: object) -> bool:
    """Return whether an item names a place in a schema and holds an object about it."""
    if not isinstance(item, dict) or not isinstance(item.get("metadata"), dict):
        return False
    breadcrumb = item.get("breadcrumb")
    return isinstance(breadcrumb, list) and all(isinstance(part, str) for part in breadcrumb)


# Selection


def _read_flags(name: object, places: Iterable[Json]) -> Iterator[str]:
    """Make booleans of flags that were written as text, which the SDK takes for true."""
    texts: list[object] = []
    for values in places:
        for flag in ("selected", "selected-by-default"):
            given = values.get(flag)
            if given is None or isinstance(given, bool):
                continue
            try:
                values[flag] = boolean(given)
            except ValueError:
                raise _damaged(name) from None
            texts.append(given)
    if texts:
        yield f"`selected` is {_some(texts)} instead of true or false, and read as such"


def _read_schema_flags(entry: Json, metadata: Metadata) -> Iterator[str]:
    """Move `selected` from the schema, where it stood before there was metadata."""
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
        yield "`selected` in the schema counts as if it were in the metadata"


def _parts(schema: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Yield a schema and the schemas of all properties in it, with their breadcrumbs."""
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from _parts(part, (*path, "properties", name))


def _is_on(metadata: Json) -> bool:
    return bool(metadata.get("selected")) or metadata.get("inclusion") == "automatic"


def _select_inside(metadata: Metadata, path: Path) -> None:
    """Select all of a selected object of which nothing inside is selected.

    Meltano first deselects every property and then selects what the pattern names, so that
    `charges.billing_details` would otherwise give an empty object.
    """
    inside = [
        values for key, values in metadata.items() if key[: len(path)] == path and key != path
    ]
    if inside and not any(values.get("selected", True) for values in inside):
        for values in inside:
            values["selected"] = True


# Schema and keys


def _fit_schema(entry: Json, stream: Listed | Nested, metadata: Metadata) -> Iterator[str]:
    """Make the schema one that records fit: what it leaves out is not written either."""
    whole = stream_schema(stream.name)
    schema = entry.setdefault("schema", {})
    properties = schema.get("properties")
    if not properties:
        entry["schema"] = whole
        return
    for name in (*stream.key, REPLICATION_KEY):
        properties.setdefault(name, whole["properties"][name])
    schema |= {"type": "object", "required": list(stream.key)}
    for _, part in _parts(schema):
        # Flattening makes nothing of an object with an empty list of properties.
        if part.get("properties") == {}:
            del part["properties"]
    unknown = [name for name in properties if name not in whole["properties"]]
    for name in unknown:
        del properties[name]
    if unknown:
        yield f"there are no fields {_some(unknown)}"
    missing = list(_missing(whole, schema))
    for path in missing:
        metadata[path] = {"inclusion": "available", "selected": False}
    if missing:
        names = [".".join(path[1::2]) for path in missing]
        yield (
            f"its schema leaves out {_some(names)}, which is not written; "
            "--discover makes a whole one"
        )


def _missing(whole: Json, given: Json, path: Path = ()) -> Iterator[Path]:
    """Yield the breadcrumbs of what a schema does not have of the whole one."""
    for name, part in whole.get("properties", {}).items():
        inside = (*path, "properties", name)
        if name not in given["properties"]:
            yield inside
        elif "properties" in given["properties"][name]:
            yield from _missing(part, given["properties"][name], inside)


def _keep_keys(entry: Json, stream: Listed | Nested, metadata: Metadata) -> Iterator[str]:
    """Select the key and the replication key, which no catalog can deselect or change."""
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
        yield f"{_some(kept)} cannot be left out, and is written"
    keys = list(stream.key)
    if entry.get("key_properties", keys) != keys:
        yield f"key_properties are {', '.join(keys)}, whatever the catalog says"
    entry["key_properties"] = keys


def _some(names: list[Any]) -> str:
    """Return names for a sentence: a few of them, and how many more there are."""
    unique = list(dict.fromkeys(map(str, names)))
    more = f" and {len(unique) - NAMED} more" if len(unique) > NAMED else ""
    return ", ".join(unique[:NAMED]) + more
