"""What an input catalog asks for, read the way users mean it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from tap_stripe_connect.catalog import STREAMS


class CatalogError(Exception):
    """The catalog cannot be used; the message says why."""


def normalised(catalog: dict[str, Any]) -> dict[str, Any]:
    """Return the catalog with what its writers took for granted made explicit.

    A selected object of which nothing inside is selected stands for all of it: Meltano first
    deselects every property and then selects what the pattern names, so that
    `charges.billing_details` would otherwise give an empty object.

    Raises CatalogError for a selected stream that does not exist, and for what is no catalog.
    """
    result = deepcopy(catalog)
    known = {stream.name for stream in STREAMS}
    for entry in _entries(result):
        name = entry.setdefault("tap_stream_id", entry.get("stream"))
        metadata = _metadata(name, entry)
        if name not in known:
            if metadata.get((), {}).get("selected"):
                raise CatalogError(
                    f"catalog: there is no stream {name!r}; deselect it, or make the catalog "
                    "anew with --discover"
                )
            continue
        for path in metadata:
            if path and _is_on(metadata[path]):
                _select_inside(metadata, path)
    return result


def _entries(catalog: dict[str, Any]) -> list[dict[str, Any]]:
    entries = catalog.get("streams")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise CatalogError("catalog: `streams` is not a list of streams; make it with --discover")
    return entries


def _metadata(name: object, entry: dict[str, Any]) -> dict[tuple[str, ...], dict[str, Any]]:
    items = entry.get("metadata", [])
    schema = entry.get("schema", {})
    whole = (
        isinstance(name, str)
        and isinstance(schema, dict)
        and isinstance(schema.get("properties", {}), dict)
        and isinstance(items, list)
        and all(_is_metadata(item) for item in items)
    )
    if not whole:
        raise CatalogError(
            f"catalog: the entry of stream {name!r} is damaged; make it anew with --discover"
        )
    return {tuple(item["breadcrumb"]): item["metadata"] for item in items}


def _is_metadata(item: object) -> bool:
    """Tell whether an item names a place in a schema and holds an object about it."""
    if not isinstance(item, dict) or not isinstance(item.get("metadata"), dict):
        return False
    breadcrumb = item.get("breadcrumb")
    return isinstance(breadcrumb, list) and all(isinstance(part, str) for part in breadcrumb)


def _is_on(metadata: dict[str, Any]) -> bool:
    return bool(metadata.get("selected")) or metadata.get("inclusion") == "automatic"


def _select_inside(metadata: dict[tuple[str, ...], dict[str, Any]], path: tuple[str, ...]) -> None:
    inside = [
        values for key, values in metadata.items() if key[: len(path)] == path and key != path
    ]
    if inside and not any(values.get("selected", True) for values in inside):
        for values in inside:
            values["selected"] = True
