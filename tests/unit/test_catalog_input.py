"""Input catalogs: the way Meltano and people write them, and damaged ones."""

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
"""What no catalog can deselect: the key of charges, and the replication key."""


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
    """Return a stream's entry the way Meltano writes it for the patterns `stream.pattern`.

    It deselects everything and then selects what a pattern names, the properties that hold that
    included, but nothing inside it.
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
    """Return the dotted paths that the SDK takes for selected."""
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


def test_an_object_named_by_a_pattern_comes_whole() -> None:
    """Selecting an object without naming anything inside it selects all of it."""
    catalog = {"streams": [by_meltano("charges", "billing_details")]}
    assert "billing_details.email" not in mask(catalog, "charges")
    assert mask(normalize(catalog), "charges") == {
        *below("charges", "billing_details"),
        *KEPT,
    }


def test_a_deeper_object_comes_whole_and_its_siblings_do_not() -> None:
    """The same holds at any depth, and does not reach what lies beside the object."""
    pattern = "payment_method_details.card"
    catalog = {"streams": [by_meltano("charges", pattern)]}
    assert mask(normalize(catalog), "charges") == {
        *below("charges", pattern),
        *(*KEPT, "payment_method_details"),
    }


def test_what_was_picked_inside_an_object_is_all_that_comes() -> None:
    """Where something inside an object is selected, the rest of the object is not."""
    catalog = {"streams": [by_meltano("charges", "billing_details.address.country", "amount")]}
    assert mask(normalize(catalog), "charges") == {
        *(*KEPT, "amount"),
        *("billing_details", "billing_details.address", "billing_details.address.country"),
    }


def test_what_is_deselected_stays_so() -> None:
    """An object that is not selected itself gets nothing by this."""
    catalog = {"streams": [by_meltano("charges", "amount")]}
    assert mask(normalize(catalog), "charges") == {*KEPT, "amount"}


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_selecting_every_property_by_name_gives_all(stream: Any) -> None:
    """Naming each top-level property is the same as selecting the whole stream."""
    schema = schema_file(stream.name)
    catalog = {"streams": [by_meltano(stream.name, *schema["properties"])]}
    everything = {".".join(path[1::2]) for path in breadcrumbs(schema)}
    assert mask(normalize(catalog), stream.name) == everything


def test_a_catalog_without_a_say_on_the_inside_stays_as_it_is() -> None:
    """Where metadata is silent on what is inside an object, nothing is added."""
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


def test_the_catalog_handed_in_stays_as_it_was() -> None:
    """Reading a catalog does not change it."""
    catalog = {"streams": [by_meltano("charges", "billing_details")]}
    before = deepcopy(catalog)
    assert normalize(catalog) != before
    assert catalog == before


def stray(*, selected: bool | None) -> dict[str, Any]:
    """Return a catalog with a stream that does not exist."""
    entry = by_meltano("charges", "amount")
    entry["metadata"][0]["metadata"]["selected"] = selected
    return {"streams": [by_meltano("coupons", "name"), {**entry, "tap_stream_id": "chargebacks"}]}


def test_a_selected_stream_that_does_not_exist_is_refused() -> None:
    """A stream that is asked for and cannot be had is an error that names it."""
    with pytest.raises(CatalogError, match="there is no stream 'chargebacks'; deselect it, or"):
        normalize(stray(selected=True))


@pytest.mark.parametrize("selected", [False, None])
def test_an_unselected_stream_that_does_not_exist_is_no_matter(*, selected: bool | None) -> None:
    """A left-over of another release does no harm while nobody asks for it."""
    assert (
        normalize(stray(selected=selected))["streams"][1] == stray(selected=selected)["streams"][1]
    )


def test_the_old_name_of_a_stream_is_understood() -> None:
    """An entry that names its stream only in `stream` is read by that name."""
    entry = by_meltano("charges", "billing_details")
    del entry["tap_stream_id"]
    result = normalize({"streams": [entry]})
    assert "billing_details.email" in mask(result, "charges")


@pytest.mark.parametrize("streams", [None, {}, "charges", 5, [5], [None], ["charges"], [[]]])
def test_what_is_no_list_of_streams_is_refused(streams: Any) -> None:
    """A catalog needs a list of entries; the message says how to get one."""
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
def test_a_damaged_entry_is_refused_or_harmless(
    way: tuple[str | int, ...], *, missing: bool
) -> None:
    """Whatever an entry holds, the SDK can read the result, or the error names the entry."""
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
        except CatalogError as fault:
            told = str(fault)
            assert told.startswith(("catalog: the entry of stream ", "catalog: there is no stream"))
            assert told.endswith("--discover")


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
def test_damage_is_named(damage: dict[str, Any]) -> None:
    """An entry that cannot be read is refused, and says which stream it is of."""
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
def test_nothing_selected_is_ever_lost(choices: dict[str, bool]) -> None:
    """Whatever was selected before stays so, and only insides of selected objects are added."""
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
