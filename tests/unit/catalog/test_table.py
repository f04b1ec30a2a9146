"""The streams' table: what each row says fits what Stripe's package says."""

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
"""The subscription has been cancelled, and stays."""

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
    """What every request asks for is what lists and schemas were generated for."""
    assert stripe.api_version == API_VERSION


def test_streams_have_names_of_their_own_and_stand_in_order() -> None:
    """The table is sorted by name, and no two streams are called the same."""
    names = [stream.name for stream in STREAMS]
    assert names == sorted(set(names))


@every_list
def test_a_list_needs_nothing_but_its_path(listed: Listed) -> None:
    """A stream of this shape is listed at once for a whole account, with cursor and limit."""
    assert "{" not in listed.path
    assert not listed.facts.required
    assert listed.facts.takes >= {"starting_after", "limit", "expand"}
    assert listed.facts.retrieve
    assert re.fullmatch(r"rak_[a-z_]+_read", listed.permission)
    assert listed.key[0] == "account_id"


@every_list
def test_a_list_sends_only_what_stripe_takes(listed: Listed) -> None:
    """Filters that are undone exist, with these values; what is expanded exists, too."""
    for name, value in listed.parameters.items():
        kind = listed.facts.filters[name]
        assert value in (kind if isinstance(kind, list) else (value,))
    for path in listed.expand:
        assert has_field(listed.object, path), path


@every_list
def test_a_list_is_read_by_creation_time_or_whole(listed: Listed) -> None:
    """Its range of creation times is called `created`, or it has none; a recheck needs one."""
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
def test_the_event_feed_is_narrowed_by_what_event_types_have_in_common(
    name: str, filter_: dict[str, str]
) -> None:
    """Types of events do not always begin with the object's name, and not all alike."""
    assert LISTED[name].told_by == filter_


@every_list
def test_a_list_hears_of_its_deletions(listed: Listed) -> None:
    """Each type of event that sounds like the end of these objects is taken for it, or judged."""
    told = {
        name
        for name, objects in EVENT_TYPES.items()
        if listed.object in objects and name.endswith((".deleted", ".detached"))
    }
    wanted = told - NO_DELETION if isinstance(listed.tracking, FOLLOWED) else set()
    assert set(listed.deleted_by) == wanted
    assert len(listed.deleted_by) == len(wanted)


@every_list
def test_a_list_that_follows_events_has_some(listed: Listed) -> None:
    """Objects that change as events tell are what some events are about; others are not."""
    told = any(listed.object in objects for objects in EVENT_TYPES.values())
    assert told is isinstance(listed.tracking, FOLLOWED)


@every_list
def test_a_list_is_touched_by_what_events_are_about(listed: Listed) -> None:
    """What touches it comes in events, and names its object in one of the fields at least."""
    about = {name for objects in EVENT_TYPES.values() for name in objects}
    for object_, paths in listed.touched_by.items():
        assert object_ in about
        assert object_ != listed.object
        assert any(has_field(object_, path) for path in paths)


@pytest.mark.parametrize("nested", NESTED.values(), ids=lambda nested: nested.name)
def test_a_nested_list_is_one_of_its_parents(nested: Nested) -> None:
    """The parent is a stream, its objects hold the list, and the rest of that is somewhere."""
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
def test_the_engine_knows_how_changes_are_found(tracking: ChangeTracking, changes: str) -> None:
    """Each way to track changes is one of the three that reading knows."""
    assert Listed("x", "/v1/charges", "rak_charge_read", tracking).changes == changes


def test_a_row_says_the_least() -> None:
    """Path and permission are enough: the object and what the list takes come from Stripe."""
    disputes = Listed("disputes", "/v1/disputes", "rak_dispute_read")
    assert disputes.object == "dispute"
    assert disputes.facts.created == "created"
    assert disputes.tracking == Events()
    lines = Nested("credit_note_line_items", Listed("x", "/v1/credit_notes", "y"), "lines")
    assert (lines.object, lines.parent_field) == ("credit_note_line_item", "credit_note")
    assert lines.route == "/v1/credit_notes/{id}/lines"


@every_stream
def test_a_stream_that_is_no_more_than_its_row_is_whole(stream: Stream) -> None:
    """Its object has a class in Stripe's package, from which the schema is made."""
    assert stream.object in OBJECT_CLASSES
