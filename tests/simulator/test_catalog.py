"""The simulator serves all streams of the catalog, as the generated facts say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_stripe_connect.catalog import LISTED, NESTED, Listed, Nested
from tap_stripe_connect.catalog.endpoints import EVENT_TYPES
from tap_stripe_connect.simulator import rendering, shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from tap_stripe_connect.simulator.world import World

    Get = Callable[..., Response]

STORED = {name: listed for name, listed in LISTED.items() if name != "events"}
every_list = pytest.mark.parametrize("listed", STORED.values(), ids=lambda listed: listed.name)


def made(world: World, listed: Listed, count: int = 1) -> list[dict[str, Any]]:
    """Create objects of a list, a second apart, and return them newest first."""
    found = []
    for _ in range(count):
        found.append(world.platform.create(listed.object, {}))
        world.clock.advance(1)
    return found[::-1]


@every_list
def test_serves_every_list(world: World, get: Get, listed: Listed) -> None:
    """Generated objects are listed in pages, newest first, and read by id."""
    objects = made(world, listed, 3)
    query = "&".join(f"{name}={value}" for name, value in listed.parameters.items())
    page = get(f"{listed.path}?limit=2&{query}").json()
    assert [one["id"] for one in page["data"]] == [one["id"] for one in objects[:2]]
    assert page["has_more"] is True
    rest = get(f"{listed.path}?starting_after={page['data'][-1]['id']}&{query}").json()
    assert [one["id"] for one in rest["data"]] == [objects[2]["id"]]
    for shown in page["data"]:
        assert shown["object"] == listed.object
        assert get(f"{listed.path}/{shown['id']}").json() == shown


@every_list
def test_creation_times_narrow_only_lists_that_know_them(
    world: World, get: Get, listed: Listed
) -> None:
    """A range of creation times is an error where Stripe's list has none."""
    made(world, listed)
    answer = get(f"{listed.path}?created[gte]={world.clock.now}")
    if listed.facts.created == "created":
        assert answer.json()["data"] == []
    else:
        assert answer.status_code == 400
        assert "Received unknown parameter: created" in answer.json()["error"]["message"]


@every_list
def test_filters_are_those_of_stripes_list(world: World, get: Get, listed: Listed) -> None:
    """Each filter is known, and invalid values and unknown filters are errors."""
    made(world, listed)
    for name, kind in listed.facts.filters.items():
        if kind == "string" and shapes.has(listed.object, name):
            assert get(f"{listed.path}?{name}=none").json()["data"] == [], name
        elif kind == "boolean" or isinstance(kind, list):
            error = get(f"{listed.path}?{name}=brand_new").json()["error"]
            assert error["param"] == name
            assert error.get("code") != "parameter_unknown"
    error = get(f"{listed.path}?brand_new=1").json()["error"]
    assert (error["code"], error["param"]) == ("parameter_unknown", "brand_new")


@every_list
def test_what_is_only_shown_expanded_is_hidden(world: World, get: Get, listed: Listed) -> None:
    """Includable fields are only in responses to requests that expand them."""
    for path in listed.expand:
        *way, last = path.split(".")
        fields: dict[str, Any] = {last: {"a": 1}}
        for step in reversed(way):
            fields = {step: fields}
        object_ = world.platform.create(listed.object, fields)
        whole = get(f"{listed.path}/{object_['id']}?expand[]={path}").json()
        plain = get(f"{listed.path}/{object_['id']}").json()
        assert rendering.without(whole, path) == plain
        assert whole != plain


@every_list
def test_ids_of_objects_that_are_there_can_be_expanded(
    world: World, get: Get, listed: Listed
) -> None:
    """The object replaces its id if the simulator has objects of that kind."""
    for path, (target, *_) in rendering.EXPANDABLE[listed.object].items():
        if "." in path or target == listed.object:
            continue
        other = world.platform.create(target, {})
        object_ = world.platform.create(listed.object, {path: other["id"]})
        shown = get(f"{listed.path}/{object_['id']}?expand[]={path}").json()
        assert shown[path]["id"] == other["id"]
        assert shown[path]["object"] == target


@every_list
def test_a_key_needs_the_permission(world: World, get: Get, listed: Listed) -> None:
    """The error of a restricted key names the permission that it lacks."""
    key = world.add_key("rk_test_few", permissions=[])
    answer = get(listed.path, Authorization=f"Bearer {key}")
    assert answer.status_code == 403
    assert f"'{listed.permission}'" in answer.json()["error"]["message"]


@every_list
def test_events_tell_what_stripe_has_events_for(world: World, listed: Listed) -> None:
    """Creation, change and deletion have events of Stripe's types only."""
    (object_,) = made(world, listed)
    world.platform.update(listed.object, object_["id"], {"metadata": {"a": "b"}})
    world.platform.delete(listed.object, object_["id"])
    told = [event["type"] for event in world.platform.objects("event")]
    assert all(listed.object in EVENT_TYPES[name] for name in told)
    assert set(listed.deleted_by) <= set(told)


@pytest.mark.parametrize("nested", NESTED.values(), ids=lambda nested: nested.name)
def test_serves_every_nested_list(world: World, get: Get, nested: Nested) -> None:
    """Ten items are embedded in the parent, and its `url` has all."""
    items = [{"id": f"item_{number}"} for number in range(12)]
    parent = world.platform.create(nested.within.object, {nested.list_field: items})
    held = get(f"{nested.within.path}/{parent['id']}").json()[nested.list_field]
    assert (len(held["data"]), held["has_more"]) == (10, True)
    separator = "&" if "?" in held["url"] else "?"
    rest = get(f"{held['url']}{separator}limit=100&starting_after=item_9").json()
    assert [item["id"] for item in rest["data"]] == ["item_10", "item_11"]
    for item in rest["data"]:
        assert item["object"] == nested.object
        if nested.facts.parent_field:
            assert item[nested.parent_field] == parent["id"]
        else:
            assert nested.parent_field not in item
