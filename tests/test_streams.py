"""What each row of the streams' table promises, through real HTTP: also of rows to come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_stripe_connect.catalog import LISTED, NESTED, Listed, Nested
from tap_stripe_connect.streams import schema_file
from tests.cases.steps import next_run
from tests.harness import (
    DAY,
    NOW,
    add_samples,
    change_types,
    config_for,
    nested_samples,
    run,
    selecting,
)

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.server import Simulator
    from tests.harness import Output

FOLLOWED = [listed for listed in LISTED.values() if listed.changes == "feed"]
BEGINNING = NOW - 9 * DAY
every_followed = pytest.mark.parametrize("listed", FOLLOWED, ids=lambda listed: listed.name)
every_nested = pytest.mark.parametrize("nested", NESTED.values(), ids=lambda nested: nested.name)


def loaded(stripe: Simulator, listed: Listed, **fields: Any) -> Output:
    """Create an object of the list, and run for its stream and those of its nested lists."""
    stripe.world.platform.create(listed.object, {"id": "x_1", **fields}, at=BEGINNING)
    return run(config_for(stripe), catalog=selecting(*streams(listed)))


def streams(listed: Listed) -> list[str]:
    """Return the streams that one list is read for."""
    return [listed.name, *(one.name for one in NESTED.values() if one.within is listed)]


def plain_field(listed: Listed) -> tuple[str, list[Any]]:
    """Return a field that any of these objects can have, and two values of its type."""
    values: dict[str, list[Any]] = {
        "object": [{"version": "1"}, {"version": "2"}],
        "boolean": [False, True],
        "integer": [1, 2],
    }
    found = {
        name: schema["type"][0]
        for name, schema in schema_file(listed.name)["properties"].items()
        if name not in {*listed.key, "livemode", "additional_fields"}
        and not schema.get("properties")
        and schema["type"][0] in values
    }
    name = "metadata" if "metadata" in found else next(iter(found))
    return name, values[found[name]]


@every_followed
def test_a_change_that_an_event_tells_arrives(stripe: Simulator, listed: Listed) -> None:
    """After any event about an object, but that of its end, its present state is written."""
    field, (before, after) = plain_field(listed)
    first = loaded(stripe, listed, **{field: before})
    assert [row[field] for row in first.records(listed.name)] == [before]

    def change(account: Account) -> None:
        account.update(listed.object, "x_1", {field: after}, event=change_types(listed)[0])

    second = next_run(stripe, first, *streams(listed), change=change)
    (row,) = second.records(listed.name)
    assert (row[field], row["_sdc_deleted_at"]) == (after, None)


@every_followed
def test_an_object_that_is_new_arrives(stripe: Simulator, listed: Listed) -> None:
    """What was created since the last run comes with the next one, with its nested objects."""
    first = loaded(stripe, listed)

    def create(account: Account) -> None:
        account.create(listed.object, {"id": "x_2", **nested_samples(listed)})

    second = next_run(stripe, first, *streams(listed), change=create)
    assert [row["id"] for row in second.records(listed.name)] == ["x_2"]
    for name in streams(listed)[1:]:
        assert len(second.records(name)) == 2


@every_followed
def test_what_is_deleted_is_marked(stripe: Simulator, listed: Listed) -> None:
    """Events that mean the end leave the last state, marked; of other lists nothing is marked."""
    first = loaded(stripe, listed, **nested_samples(listed))
    second = next_run(
        stripe,
        first,
        *streams(listed),
        change=lambda account: account.delete(listed.object, "x_1"),
    )
    for name in streams(listed):
        assert bool(second.records(name)) >= bool(listed.deleted_by)
        for row in second.records(name):
            assert bool(row["_sdc_deleted_at"]) is bool(listed.deleted_by)


@pytest.mark.parametrize(
    ("listed", "object_", "path"),
    [
        pytest.param(listed, object_, path, id=f"{listed.name}-{object_}-{path}")
        for listed in FOLLOWED
        for object_, paths in listed.touched_by.items()
        for path in paths
    ],
)
def test_an_event_about_another_object_brings_what_it_touches(
    stripe: Simulator, listed: Listed, object_: str, path: str
) -> None:
    """An object that changed silently is read again once an event names it (A22)."""
    field, (before, after) = plain_field(listed)
    first = loaded(stripe, listed, **{field: before})

    def touch(account: Account) -> None:
        account.update(listed.object, "x_1", {field: after}, event=None)
        payload: Any = "x_1"
        for step in reversed(path.split(".")):
            payload = {step: payload}
        account.add_event("brand.new", {"object": object_, "id": "y_1", **payload})

    second = next_run(stripe, first, listed.name, change=touch)
    assert [row[field] for row in second.records(listed.name)] == [after]


@every_nested
def test_nested_objects_beyond_the_tenth_arrive(stripe: Simulator, nested: Nested) -> None:
    """Twenty-five give as many rows, each with its parent's id; one that leaves is marked."""
    items = [{"id": f"y_{place}"} for place in range(25)]
    first = loaded(stripe, nested.within, **{nested.list_field: items})
    rows = first.records(nested.name)
    assert {row["id"] for row in rows} == {item["id"] for item in items}
    assert {row[nested.parent_field] for row in rows} == {"x_1"}
    assert all(nested.list_field not in row for row in first.records(nested.parent))
    second = next_run(
        stripe,
        first,
        nested.name,
        change=lambda account: account.update(
            nested.within.object, "x_1", {nested.list_field: items[1:]}
        ),
    )
    marked = {row["id"]: bool(row["_sdc_deleted_at"]) for row in second.records(nested.name)}
    assert {name for name, gone in marked.items() if gone} == {"y_0"}


def test_every_list_is_read_and_nothing_else(stripe: Simulator) -> None:
    """A first load of all streams asks for each list, and for no single object."""
    add_samples(stripe.world.platform)
    run(config_for(stripe))
    asked = {one.path for one in stripe.journal.requests if one.path != "/v1/account"}
    assert asked == {listed.path for listed in LISTED.values()}
