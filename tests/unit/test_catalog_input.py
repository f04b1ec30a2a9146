"""Input catalogs, as Meltano and people write them, and malformed ones."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.singerlib import Catalog

from tap_stripe_connect.catalog import STREAMS
from tap_stripe_connect.catalog_input import CatalogError, normalize
from tap_stripe_connect.streams import schema_file

stable = settings(deadline=None, derandomize=True, max_examples=40)

Breadcrumb = tuple[str, ...]

KEPT = ("account_id", "id", "updated_at")
"""Columns that a catalog cannot deselect: the key of charges, and the replication key."""


def breadcrumbs(schema: dict[str, Any], path: Breadcrumb = ()) -> list[Breadcrumb]:
    """Return the breadcrumb of everything in a schema that can be selected."""
    found = []
    for name, inner in schema.get("properties", {}).items():
        found += [here := (*path, "properties", name), *breadcrumbs(inner, here)]
    return found


def place(dotted: str) -> Breadcrumb:
    """Return the breadcrumb of `a.b`."""
    return tuple(part for name in dotted.split(".") if name for part in ("properties", name))


def by_meltano(stream: str, *patterns: str) -> dict[str, Any]:
    """Return a stream's entry as Meltano writes it for the patterns `stream.pattern`.

    It deselects everything. Then it selects the properties that a pattern matches and their
    parents, but nothing inside them.
    """
    named = {
        place(".".join(parts[: length + 1]))
        for parts in (pattern.split(".") for pattern in patterns)
        for length in range(len(parts))
    }
    schema = schema_file(stream)
    metadata = [{"breadcrumb": [], "metadata": {"inclusion": "available", "selected": True}}]
    for breadcrumb in breadcrumbs(schema):
        key = breadcrumb[1:] in {(name,) for name in (*schema["required"], "updated_at")}
        inclusion = "automatic" if key else "available"
        selected = breadcrumb in named
        metadata.append(
            {
                "breadcrumb": list(breadcrumb),
                "metadata": {"inclusion": inclusion, "selected": selected},
            }
        )
    return {"tap_stream_id": stream, "stream": stream, "schema": schema, "metadata": metadata}


def mask(catalog: dict[str, Any], stream: str) -> set[str]:
    """Return the dotted paths that the SDK selects."""
    entry = Catalog.from_dict(catalog)[stream]
    found = entry.metadata.resolve_selection()
    return {".".join(path[1::2]) for path, selected in found.items() if path and selected}


def below(stream: str, dotted: str) -> set[str]:
    """Return the dotted paths of a property and of everything inside it."""
    start = place(dotted)
    return {
        ".".join(path[1::2])
        for path in breadcrumbs(schema_file(stream))
        if path[: len(start)] == start
    }


def test_a_selected_object_is_selected_completely() -> None:
    """Selecting an object without naming anything inside it selects all of it."""
    catalog = {"streams": [by_meltano("charges", "billing_details")]}
    assert "billing_details.email" not in mask(catalog, "charges")
    assert mask(normalize(catalog), "charges") == {
        *below("charges", "billing_details"),
        *KEPT,
    }


def test_a_nested_object_is_selected_without_its_siblings() -> None:
    """The same applies at any depth, and only to the object itself."""
    pattern = "payment_method_details.card"
    catalog = {"streams": [by_meltano("charges", pattern)]}
    assert mask(normalize(catalog), "charges") == {
        *below("charges", pattern),
        *(*KEPT, "payment_method_details"),
    }


def test_a_selection_inside_an_object_is_kept() -> None:
    """If something inside an object is selected, the rest of the object is not."""
    catalog = {"streams": [by_meltano("charges", "billing_details.address.country", "amount")]}
    assert mask(normalize(catalog), "charges") == {
        *(*KEPT, "amount"),
        *("billing_details", "billing_details.address", "billing_details.address.country"),
    }


def test_deselected_objects_stay_deselected() -> None:
    """Nothing is selected inside an object that is not selected itself."""
    catalog = {"streams": [by_meltano("charges", "amount")]}
    assert mask(normalize(catalog), "charges") == {*KEPT, "amount"}


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_selecting_every_property_selects_everything(stream: Any) -> None:
    """Naming each top-level property is the same as selecting the whole stream."""
    schema = schema_file(stream.name)
    catalog = {"streams": [by_meltano(stream.name, *schema["properties"])]}
    everything = {".".join(path[1::2]) for path in breadcrumbs(schema)}
    assert mask(normalize(catalog), stream.name) == everything


def test_missing_metadata_inside_an_object_is_not_added() -> None:
    """If there is no metadata about what is inside an object, none is added."""
    entry = by_meltano("charges", "billing_details")
    inside = place("billing_details")
    entry["metadata"] = [
        item for item in entry["metadata"] if tuple(item["breadcrumb"][:2]) != inside
    ]
    entry["metadata"].append(
        {"breadcrumb": list(inside), "metadata": {"inclusion": "available", "selected": True}}
    )
    catalog = {"streams": [entry], "added by others": 1}
    result = normalize(catalog)
    assert result["added by others"] == 1
    assert "billing_details.email" not in {
        ".".join(item["breadcrumb"][1::2]) for item in result["streams"][0]["metadata"]
    }
    assert mask(result, "charges") == mask(catalog, "charges")


def test_the_input_is_not_modified() -> None:
    """The result is a copy."""
    catalog = {"streams": [by_meltano("charges", "billing_details")]}
    before = deepcopy(catalog)
    assert normalize(catalog) != before
    assert catalog == before


def stray(*, selected: bool | None) -> dict[str, Any]:
    """Return a catalog with a stream that does not exist."""
    entry = by_meltano("charges", "amount")
    entry["metadata"][0]["metadata"]["selected"] = selected
    return {"streams": [by_meltano("coupons", "name"), {**entry, "tap_stream_id": "chargebacks"}]}


def test_a_selected_unknown_stream_is_rejected() -> None:
    """The error names the stream."""
    with pytest.raises(CatalogError, match="there is no stream 'chargebacks'; deselect it, or"):
        normalize(stray(selected=True))


@pytest.mark.parametrize("selected", [False, None])
def test_an_unselected_unknown_stream_is_ignored(*, selected: bool | None) -> None:
    """A stream of another release is harmless unless it is selected."""
    assert (
        normalize(stray(selected=selected))["streams"][1] == stray(selected=selected)["streams"][1]
    )


def test_a_stream_can_be_named_by_stream_alone() -> None:
    """An entry without `tap_stream_id` is identified by `stream`."""
    entry = by_meltano("charges", "billing_details")
    del entry["tap_stream_id"]
    result = normalize({"streams": [entry]})
    assert "billing_details.email" in mask(result, "charges")


@pytest.mark.parametrize("streams", [None, {}, "charges", 5, [5], [None], ["charges"], [[]]])
def test_an_invalid_list_of_streams_is_rejected(streams: Any) -> None:
    """The error says how to create a catalog."""
    with pytest.raises(CatalogError, match=r"`streams` is not a list of streams.*--discover"):
        normalize({"streams": streams})
    with pytest.raises(CatalogError, match="`streams` is not a list of streams"):
        normalize({})


DAMAGE: list[Any] = [None, True, 5, "x", [], [None], [5], ["x"], [[]], {}, {"x": None}]
WAYS: list[tuple[str | int, ...]] = [
    ("tap_stream_id",),
    ("stream",),
    ("schema",),
    ("metadata",),
    ("metadata", 0),
    ("metadata", 1),
    ("metadata", 1, "breadcrumb"),
    ("metadata", 1, "breadcrumb", 0),
    ("metadata", 1, "metadata"),
    ("metadata", 1, "metadata", "selected"),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: ".".join(map(str, way)))
@pytest.mark.parametrize("missing", [False, True], ids=["junk", "missing"])
def test_a_malformed_entry_is_rejected_or_harmless(
    way: tuple[str | int, ...], *, missing: bool
) -> None:
    """Whatever an entry contains, the SDK can read the result, or the error names the entry."""
    for junk in DAMAGE:
        entry = by_meltano("charges", "billing_details")
        node: Any = entry
        for key in way[:-1]:
            node = node[key]
        if missing:
            del node[way[-1]]
        else:
            node[way[-1]] = junk
        try:
            Catalog.from_dict(normalize({"streams": [entry]}))
        except CatalogError as error:
            message = str(error)
            assert message.startswith(
                ("catalog: the entry of stream ", "catalog: there is no stream")
            )
            assert message.endswith("--discover")


@pytest.mark.parametrize(
    "damage",
    [
        {"tap_stream_id": None},
        {"tap_stream_id": ["charges"]},
        {"schema": []},
        {"metadata": None},
        {"metadata": {}},
        {"metadata": ["x"]},
        {"metadata": [{"metadata": {}}]},
        {"metadata": [{"breadcrumb": []}]},
        {"metadata": [{"breadcrumb": "id", "metadata": {}}]},
        {"metadata": [{"breadcrumb": [["id"]], "metadata": {}}]},
        {"metadata": [{"breadcrumb": [], "metadata": None}]},
    ],
    ids=repr,
)
def test_a_malformed_entry_is_named(damage: dict[str, Any]) -> None:
    """The error says which stream the entry is of."""
    entry = by_meltano("charges", "amount") | damage
    with pytest.raises(
        CatalogError, match=r"the entry of stream .* is malformed; create a new catalog"
    ):
        normalize({"streams": [entry]})


@stable
@given(
    st.dictionaries(
        st.sampled_from(
            [
                *("amount", "refunds", "billing_details", "billing_details.address"),
                *("billing_details.address.city", "billing_details.email"),
                *("outcome", "outcome.rule"),
            ]
        ),
        st.booleans(),
    )
)
def test_the_selection_only_grows(choices: dict[str, bool]) -> None:
    """Everything selected stays selected, and only properties inside selected objects are added."""
    entry = by_meltano("charges")
    for item in entry["metadata"]:
        name = ".".join(item["breadcrumb"][1::2])
        item["metadata"]["selected"] = choices.get(name, False)
    catalog = {"streams": [entry]}
    before, after = mask(catalog, "charges"), mask(normalize(catalog), "charges")
    assert before <= after
    for added in after - before:
        assert added.rpartition(".")[0] in after
        assert added.partition(".")[0] in before
    assert mask(normalize(normalize(catalog)), "charges") == after
