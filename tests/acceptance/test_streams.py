"""The behaviour of each row of the table of streams, over real HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tap_stripe_connect.api.rate_limit import Limiter
from tap_stripe_connect.catalog import LISTED, NESTED, Listed, Nested
from tap_stripe_connect.simulator.events import creation_type, is_event_type
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.streams import schema_file
from tests.acceptance.cases.steps import next_run
from tests.support.harness import (
    DAY,
    NOW,
    Warehouse,
    add_samples,
    change_types,
    config_for,
    cuts,
    nested_samples,
    run,
    selecting,
)

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.server import Simulator
    from tests.support.harness import Output

FOLLOWED = [listed for listed in LISTED.values() if listed.changes == "feed"]
STRIPE_EPOCH = NOW - 9 * DAY
every_followed = pytest.mark.parametrize("listed", FOLLOWED, ids=lambda listed: listed.name)
every_nested = pytest.mark.parametrize("nested", NESTED.values(), ids=lambda nested: nested.name)


def loaded(stripe: Simulator, listed: Listed, **fields: Any) -> Output:
    """Create an object of the list, and run for its stream and those of its nested lists."""
    stripe.world.platform.create(listed.object, {"id": "x_1", **fields}, at=STRIPE_EPOCH)
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
def test_a_change_with_an_event_arrives(stripe: Simulator, listed: Listed) -> None:
    """After any event of an object except for deletions its current state is written."""
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
        made = account.create(listed.object, {"id": "x_2", **nested_samples(listed)})
        if not is_event_type(creation_type(made)):
            account.add_event(change_types(listed)[0], made)

    second = next_run(stripe, first, *streams(listed), change=create)
    assert [row["id"] for row in second.records(listed.name)] == ["x_2"]
    for name in streams(listed)[1:]:
        assert len(second.records(name)) == 2


@every_followed
def test_what_is_deleted_is_marked(stripe: Simulator, listed: Listed) -> None:
    """Deletion events mark the last state; lists without such events mark nothing."""
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
    """An object that changed silently is read again once an event names it."""
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


@every_nested
def test_the_rest_of_a_nested_list_counts_for_its_own_endpoint(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, nested: Nested
) -> None:
    """Stripe limits each endpoint; ids in the path, however they look, make no new one."""
    waited: set[str] = set()
    monkeypatch.setattr(Limiter, "wait", lambda _, route, _sleep: waited.add(route))
    items = [{"id": f"y_{place}"} for place in range(12)]
    fields = {"id": "credit_notes_1", nested.list_field: items}
    stripe.world.platform.create(nested.within.object, fields, at=STRIPE_EPOCH)
    output = run(config_for(stripe), catalog=selecting(nested.name))
    assert len(output.records(nested.name)) == 12
    assert nested.route in waited
    assert not any("credit_notes_1" in route for route in waited)


@pytest.fixture
def unwindowed(monkeypatch: pytest.MonkeyPatch) -> Listed:
    """Return a list that Stripe cannot filter by creation time, like payment methods."""
    listed = LISTED["disputes"]
    facts = msgspec.structs.replace(listed.facts, created="")
    monkeypatch.setitem(vars(listed), "facts", facts)
    return listed


def fill(account: Account, listed: Listed, count: int) -> dict[str, int]:
    """Create objects a minute apart, the newest last; return the creation times by id."""
    times = {f"x_{place}": STRIPE_EPOCH + 60 * place for place in range(count)}
    for name, created in times.items():
        account.create(listed.object, {"id": name}, at=created)
    return times


def test_a_list_without_creation_times_is_read_from_end_to_end(
    stripe: Simulator, unwindowed: Listed
) -> None:
    """Its pages are requested by cursor alone, and it is covered once all of it is read."""
    times = fill(stripe.world.platform, unwindowed, 250)
    catalog = selecting(unwindowed.name)
    whole = run(config_for(stripe), catalog=catalog, every_state=True)
    rows = [row["id"] for row in whole.records(unwindowed.name)]
    assert sorted(rows) == sorted(times)
    requests = [one for one in stripe.journal.requests if one.path == unwindowed.path]
    assert len(requests) == 3
    assert not any("created" in name for one in requests for name, _ in one.query)
    for written, state in list(cuts(whole.messages))[:-1]:
        tables = (
            Warehouse()
            .load(written)
            .load(run(config_for(stripe), state=state, catalog=catalog).messages)
        )
        assert {name for _, name in tables.tables[unwindowed.name]} == times.keys()


def test_changes_in_a_list_without_creation_times_are_read_one_by_one(
    stripe: Simulator, unwindowed: Listed
) -> None:
    """The changed objects cannot be listed; the whole list is not read again either."""
    times = fill(stripe.world.platform, unwindowed, 30)
    first = run(config_for(stripe), catalog=selecting(unwindowed.name))

    def change(account: Account) -> None:
        for name in times:
            type_ = change_types(unwindowed)[0]
            account.update(unwindowed.object, name, {"metadata": {"a": "b"}}, event=type_)

    second = next_run(stripe, first, unwindowed.name, change=change)
    assert {row["id"] for row in second.records(unwindowed.name)} == times.keys()
    assert all(row["metadata"] == {"a": "b"} for row in second.records(unwindowed.name))
    paths = [one.path for one in stripe.journal.requests]
    assert unwindowed.path not in paths
    assert len([path for path in paths if path.startswith(unwindowed.path)]) == 30


def test_a_check_of_a_list_without_creation_times_reads_the_feed_alone(
    stripe: Simulator, unwindowed: Listed
) -> None:
    """Its newest rows cannot be listed alone; the check is done nevertheless."""
    fill(stripe.world.platform, unwindowed, 3)
    output = run(config_for(stripe), catalog=selecting(unwindowed.name))
    checked = []
    for _ in range(2):
        output = next_run(stripe, output, unwindowed.name, recheck_interval=0)
        assert unwindowed.path not in {one.path for one in stripe.journal.requests}
        checked.append(output.state["bookmarks"][unwindowed.name]["checked_at"])
    assert checked == sorted(set(checked))


def test_an_object_that_does_not_say_when_it_was_created_is_as_new_as_its_reading(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its `updated_at` is the time of the run, until an event says more; it never goes back."""
    listed = LISTED["disputes"]
    monkeypatch.setitem(vars(listed), "dated", value=False)
    moment = datetime.fromtimestamp(NOW, UTC).isoformat()
    shown = stripe.world.platform.create(listed.object, {"id": "x_1"}, at=STRIPE_EPOCH)
    del shown["created"]
    page = {"object": "list", "url": listed.path, "has_more": False, "data": [shown]}
    stripe.faults.add(Fault(match=listed.path, body=page, times=1))
    first = run(config_for(stripe), catalog=selecting(listed.name))
    assert [row["updated_at"] for row in first.records(listed.name)] == [moment]
    stripe.world.platform.update(
        listed.object, "x_1", {"metadata": {"a": "b"}}, event=change_types(listed)[0], at=NOW - 10
    )
    second = next_run(stripe, first, listed.name)
    assert [row["updated_at"] for row in second.records(listed.name)] == [moment]


def test_every_list_is_read_and_nothing_else(stripe: Simulator) -> None:
    """A first load of all streams requests each list, and no single object."""
    add_samples(stripe.world.platform)
    run(config_for(stripe))
    requests = {one.path for one in stripe.journal.requests if one.path != "/v1/account"}
    assert requests == {listed.path for listed in LISTED.values()}
