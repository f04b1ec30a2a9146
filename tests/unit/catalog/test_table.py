"""The streams table: each row agrees with Stripe's package."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import stripe
from stripe._object_classes import OBJECT_CLASSES

from scripts import stripe_package
from tap_stripe_connect.catalog import API_VERSION, LISTED, NESTED, STREAMS, Listed, Nested
from tap_stripe_connect.catalog.endpoints import EVENT_TYPES, FACTS
from tap_stripe_connect.catalog.kinds import (
    Events,
    EventsAndRecheck,
    Immutable,
    Relist,
    WithParent,
)

if TYPE_CHECKING:
    from tap_stripe_connect.catalog.kinds import ChangeTracking, Stream

FOLLOWED = (Events, EventsAndRecheck)
NO_DELETION = {"customer.subscription.deleted"}
"""The subscription is canceled, but still exists."""

every_stream = pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
every_list = pytest.mark.parametrize("listed", LISTED.values(), ids=lambda listed: listed.name)


def has_field(object_: str, path: str) -> bool:
    """Return whether the package's class of an object has a field, at any depth."""
    owner = stripe_package.resource(*OBJECT_CLASSES[object_])
    for step in path.split("."):
        field = next((one for one in owner.fields() if one.name == step), None)
        if field is None:
            return False
        parts = list(stripe_package.embedded(field.type, field.owner))
        owner = parts[0] if parts else owner
    return True


def test_the_api_version_is_that_of_the_installed_package() -> None:
    """Requests use the version that lists and schemas are generated for."""
    assert stripe.api_version == API_VERSION


def test_stream_names_are_unique_and_sorted() -> None:
    """The table is sorted by name."""
    names = [stream.name for stream in STREAMS]
    assert names == sorted(set(names))


@every_list
def test_a_list_has_no_required_parameters(listed: Listed) -> None:
    """It can be listed for a whole account, with a cursor and a limit."""
    assert "{" not in listed.path
    assert not listed.facts.required
    assert listed.facts.takes >= {"starting_after", "limit", "expand"}
    assert listed.facts.retrieve
    assert re.fullmatch(r"rak_[a-z_]+_read", listed.permission)
    assert listed.key[0] == "account_id"


@every_list
def test_a_list_sends_only_valid_parameters(listed: Listed) -> None:
    """Filters exist and accept the values; expanded fields exist."""
    for name, value in listed.parameters.items():
        kind = listed.facts.filters[name]
        assert value in (kind if isinstance(kind, list) else (value,))
    for path in listed.expand:
        assert has_field(listed.object, path), path


@every_list
def test_a_list_can_be_filtered_by_created_or_not_at_all(listed: Listed) -> None:
    """The parameter is always called `created`; a recheck needs it."""
    assert listed.facts.created in {"", "created"}
    assert listed.windowed or not isinstance(listed.tracking, EventsAndRecheck)


@pytest.mark.parametrize(
    ("name", "filter_"),
    [
        ("invoices", {"type": "invoice.*"}),
        ("subscriptions", {"type": "customer.subscription.*"}),
        ("refunds", {}),
        ("events", {}),
    ],
)
def test_the_event_feed_is_filtered_by_a_common_prefix(name: str, filter_: dict[str, str]) -> None:
    """Event types do not always start with the object's name, or with the same prefix."""
    assert LISTED[name].told_by == filter_


@every_list
def test_a_list_knows_its_deletion_events(listed: Listed) -> None:
    """Every event type that looks like a deletion is used, or is a known exception."""
    deletions = {
        name
        for name, objects in EVENT_TYPES.items()
        if listed.object in objects and name.endswith((".deleted", ".detached"))
    }
    expected = deletions - NO_DELETION if isinstance(listed.tracking, FOLLOWED) else set()
    assert set(listed.deleted_by) == expected
    assert len(listed.deleted_by) == len(expected)


@every_list
def test_a_list_that_follows_events_has_some(listed: Listed) -> None:
    """Objects are tracked by events exactly if there are events about them."""
    has_events = any(listed.object in objects for objects in EVENT_TYPES.values())
    assert has_events is isinstance(listed.tracking, FOLLOWED)


@every_list
def test_a_list_is_touched_by_objects_that_have_events(listed: Listed) -> None:
    """Those objects are in events, and have the id in at least one of the fields."""
    about = {name for objects in EVENT_TYPES.values() for name in objects}
    for object_, paths in listed.touched_by.items():
        assert object_ in about
        assert object_ != listed.object
        assert any(has_field(object_, path) for path in paths)


@pytest.mark.parametrize("nested", NESTED.values(), ids=lambda nested: nested.name)
def test_a_nested_list_is_a_field_of_its_parent(nested: Nested) -> None:
    """The parent is a stream whose objects have the list, and the complete list has a URL."""
    assert LISTED[nested.parent] is nested.within
    assert nested.facts is FACTS.objects[nested.within.object].nested[nested.list_field]
    assert "{id}" in nested.facts.url
    assert not nested.facts.expand or nested.list_field in nested.within.expand
    assert nested.tracking == WithParent()
    assert set(nested.key) <= {"account_id", "id", nested.parent_field}


@pytest.mark.parametrize(
    ("tracking", "changes"),
    [
        (Events(), "feed"),
        (EventsAndRecheck(days=30), "feed"),
        (Immutable(), "none"),
        (Relist(), "unseen"),
    ],
)
def test_changes_of_each_tracking(tracking: ChangeTracking, changes: str) -> None:
    """Each way to track changes is one of the three that a sync knows."""
    assert Listed("x", "/v1/charges", "rak_charge_read", tracking).changes == changes


def test_a_row_needs_only_a_path_and_a_permission() -> None:
    """The object type and the list's parameters come from Stripe."""
    disputes = Listed("disputes", "/v1/disputes", "rak_dispute_read")
    assert disputes.object == "dispute"
    assert disputes.facts.created == "created"
    assert disputes.tracking == Events()
    lines = Nested("credit_note_line_items", Listed("x", "/v1/credit_notes", "y"), "lines")
    assert (lines.object, lines.parent_field) == ("credit_note_line_item", "credit_note")
    assert lines.route == "/v1/credit_notes/{id}/lines"


@every_stream
def test_a_stream_has_a_class_in_the_package(stream: Stream) -> None:
    """Its schema is generated from that class."""
    assert stream.object in OBJECT_CLASSES
