"""What a selection takes out of records, held against the SDK's own reading of it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.singerlib import SelectionMask

from tap_stripe_connect.sync.emit.field_selection import field_filter

names = st.sampled_from("abc")
values = st.recursive(
    st.none() | st.integers(0, 3),
    lambda inner: st.dictionaries(names, inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=12,
)
paths = st.lists(names, min_size=1, max_size=3)
masks = st.dictionaries(
    paths.map(lambda path: tuple(part for name in path for part in ("properties", name))),
    st.booleans(),
    max_size=8,
)


@settings(derandomize=True, deadline=None, max_examples=1000)
@given(record=st.dictionaries(names, values, max_size=3), mask=masks)
def test_the_compiled_selection_leaves_what_the_sdk_leaves(
    record: dict[str, Any], mask: dict[tuple[str, ...], bool]
) -> None:
    """Whatever is named or not named at any depth, the same fields stay."""
    ours, theirs = deepcopy(record), deepcopy(record)
    field_filter({(): True, **mask}).apply(ours)
    pop_deselected_record_properties(theirs, {}, SelectionMask({(): True, **mask}))
    assert ours == theirs
