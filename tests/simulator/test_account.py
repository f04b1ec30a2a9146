"""Changes of objects and their events."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tap_stripe_connect.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

DAY = 86_400


def events(world: World) -> list[dict[str, Any]]:
    """Return the platform's events, oldest first."""
    return list(world.platform.objects("event"))[::-1]


def test_what_is_created_is_complete_and_told(world: World) -> None:
    """A new object has an id, a time, every field, and its event."""
    made = world.platform.create("customer", {"email": "a@example.com"})
    assert made["id"].startswith("cus_")
    assert made["created"] == world.clock.now
    assert made["livemode"] is False
    assert made["description"] is None
    assert "phone" not in made
    assert world.platform.get("customer", made["id"]) == made
    (event,) = events(world)
    assert event["type"] == "customer.created"
    assert event["id"].startswith("evt_")
    assert event["data"]["object"]["id"] == made["id"]
    assert "account" not in event


@pytest.mark.parametrize("status", ["succeeded", "failed", "pending"])
def test_the_event_of_a_new_charge_has_its_status(world: World, status: str) -> None:
    """There is no charge.created."""
    world.platform.create("charge", {"status": status})
    assert [event["type"] for event in events(world)] == [f"charge.{status}"]


def test_inserting_is_silent_and_literal(world: World) -> None:
    """Inserted objects are stored as given."""
    given = {"id": "cus_1", "object": "customer", "created": 5, "new_field": [1, {"a": None}]}
    world.platform.insert(given)
    assert world.platform.get("customer", "cus_1") == given
    assert events(world) == []


def test_an_update_tells_what_was_before(world: World) -> None:
    """`previous_attributes` holds former values: of a hash the changed ones, of a list all."""
    fields = {"id": "sub_1", "metadata": {"a": "1", "b": "2"}, "items": [{"id": "si_1"}]}
    world.platform.create("subscription", fields)
    world.clock.advance(60)
    world.platform.update(
        "subscription",
        "sub_1",
        {
            "status": "past_due",
            "metadata": {"a": "1", "b": "3"},
            "items": [{"id": "si_1"}, {"id": "si_2"}],
        },
    )
    event = events(world)[-1]
    assert event["type"] == "customer.subscription.updated"
    assert event["created"] == world.clock.now
    previous = event["data"]["previous_attributes"]
    assert previous.keys() == {"items", "metadata", "status"}
    assert previous["metadata"] == {"b": "2"}
    assert [item["id"] for item in previous["items"]["data"]] == ["si_1"]
    updated = world.platform.get("subscription", "sub_1")
    assert updated is not None
    assert [item["id"] for item in updated["items"]["data"]] == ["si_1", "si_2"]


def test_an_update_can_be_named_or_silent(world: World) -> None:
    """The event of an update is any type, or none."""
    world.platform.create("charge", {"id": "ch_1"})
    world.platform.update("charge", "ch_1", {"refunded": True}, event="*.refunded")
    world.platform.update("charge", "ch_1", {"disputed": True}, event=None)
    assert [event["type"] for event in events(world)] == ["charge.succeeded", "charge.refunded"]


def test_a_deleted_customer_leaves_a_stub(world: World, get: Callable[..., Response]) -> None:
    """A retrieve returns the stub, lists omit it, and the event has the last known object."""
    world.platform.create("customer", {"id": "cus_1", "email": "a@example.com"})
    world.platform.delete("customer", "cus_1")
    stub = {"id": "cus_1", "object": "customer", "deleted": True}
    assert get("/v1/customers/cus_1").json() == stub
    assert get("/v1/customers").json()["data"] == []
    assert world.platform.get("customer", "cus_1") is None
    assert world.platform.count("customer") == 0
    event = events(world)[-1]
    assert event["type"] == "customer.deleted"
    assert event["data"]["object"]["email"] == "a@example.com"


def test_other_deleted_objects_are_not_found(world: World, get: Callable[..., Response]) -> None:
    """A deleted coupon is 404, and can be created again."""
    world.platform.create("coupon", {"id": "SUMMER"})
    world.platform.delete("coupon", "SUMMER")
    assert get("/v1/coupons/SUMMER").status_code == 404
    world.platform.create("coupon", {"id": "SUMMER"})
    assert get("/v1/coupons/SUMMER").status_code == 200
    with pytest.raises(KeyError):
        world.platform.delete("coupon", "WINTER")


def test_a_deleted_subscription_is_a_cancelled_one(
    world: World, get: Callable[..., Response]
) -> None:
    """It stays, with its end, and its event says deleted."""
    world.platform.create("subscription", {"id": "sub_1"})
    world.platform.delete("subscription", "sub_1", at=world.clock.now + 5)
    world.clock.advance(5)
    ended = get("/v1/subscriptions/sub_1").json()
    assert (ended["status"], ended["ended_at"]) == ("canceled", world.clock.now)
    assert events(world)[-1]["type"] == "customer.subscription.deleted"


def test_events_are_frozen_in_an_older_version(world: World, get: Callable[..., Response]) -> None:
    """A payload is in the older version, whatever version the request has."""
    parent = {"subscription_details": {"subscription": "sub_1"}}
    lines = [{"id": f"il_{number}"} for number in range(12)]
    world.platform.create(
        "invoice", {"id": "in_1", "status": "open", "parent": parent, "lines": lines}
    )
    world.platform.update("invoice", "in_1", {"status": "paid"}, event=None)
    (event,) = get("/v1/events").json()["data"]
    payload = event["data"]["object"]
    assert event["api_version"] == "2022-11-15"
    assert payload["subscription"] == "sub_1"
    assert payload["paid"] is False
    assert "parent" not in payload
    assert len(payload["lines"]["data"]) == 10
    assert "type" in payload["lines"]["data"][0]
    assert get("/v1/invoices/in_1").json()["parent"]["subscription_details"]
    assert get(f"/v1/events/{event['id']}").json() == event


def test_without_a_version_the_accounts_own_is_answered(
    world: World, get: Callable[..., Response]
) -> None:
    """A request in the older version gets the older shape; an unknown version is an error."""
    world.platform.create("subscription", {"items": [{"id": "si_1", "current_period_end": 9}]})
    older = get("/v1/subscriptions", Stripe_Version="2022-11-15")
    assert older.json()["data"][0]["current_period_end"] == 9
    assert older.headers["Stripe-Version"] == "2022-11-15"
    assert get("/v1/subscriptions", Stripe_Version="2022-11-16").status_code == 400


def test_events_are_filtered_by_type(world: World, get: Callable[..., Response]) -> None:
    """`type` knows wildcards, `types` takes twenty names, and both together are an error."""
    for type_ in ("charge.succeeded", "charge.refund.updated", "customer.created"):
        world.platform.add_event(type_, {"id": "x_1", "object": "other"})

    def types(query: str) -> list[str]:
        return [event["type"] for event in get(f"/v1/events?{query}").json()["data"]]

    assert types("type=charge.*") == ["charge.refund.updated", "charge.succeeded"]
    assert types("type=customer.created") == ["customer.created"]
    assert types("type=customer") == []
    assert types("types[]=customer.created&types[]=charge.succeeded") == [
        "customer.created",
        "charge.succeeded",
    ]
    twenty = "&".join(f"types[]=a.{number}" for number in range(20))
    assert get(f"/v1/events?{twenty}").status_code == 200
    assert get(f"/v1/events?{twenty}&types[]=one.more").status_code == 400
    both = get("/v1/events?type=a&types[]=b").json()["error"]
    assert both["code"] == "parameters_exclusive"


def test_events_are_kept_for_thirty_days(world: World, get: Callable[..., Response]) -> None:
    """Older ones are neither listed nor found, and as cursors they get their own error."""
    old = world.platform.add_event("a.b", {"object": "other"})
    world.clock.advance(30 * DAY)
    assert len(get("/v1/events").json()["data"]) == 1
    world.clock.advance(1)
    young = world.platform.add_event("a.b", {"object": "other"})
    assert [event["id"] for event in get("/v1/events").json()["data"]] == [young["id"]]
    assert get(f"/v1/events/{old['id']}").status_code == 404
    aged = get(f"/v1/events?starting_after={old['id']}")
    assert aged.status_code == 400
    assert aged.json()["error"]["message"].endswith("aged out of our retention policy")
    unknown = get("/v1/events?starting_after=evt_1").json()["error"]
    assert unknown["code"] == "resource_missing"


def test_what_is_late_shows_when_it_is_due(world: World, get: Callable[..., Response]) -> None:
    """Object and event are hidden until `visible_at`, and then stand at their `created`."""
    now = world.clock.now
    world.platform.create("customer", {"id": "late"}, at=now - 30, visible_at=now + 20)
    world.platform.create("customer", {"id": "prompt"}, at=now - 20)

    def seen() -> tuple[list[str], list[str]]:
        customers = get("/v1/customers").json()["data"]
        told = get("/v1/events").json()["data"]
        return [one["id"] for one in customers], [one["data"]["object"]["id"] for one in told]

    assert seen() == (["prompt"], ["prompt"])
    assert get("/v1/customers/late").status_code == 404
    assert world.platform.count("customer") == 2
    world.clock.advance(20)
    assert seen() == (["prompt", "late"], ["prompt", "late"])


def test_a_preview_has_no_id(world: World, get: Callable[..., Response]) -> None:
    """`invoice.upcoming` carries an object without an id."""
    lines = {"data": [{"id": "il_1", "object": "line_item"}]}
    world.platform.add_event("invoice.upcoming", {"object": "invoice", "lines": lines})
    (event,) = get("/v1/events").json()["data"]
    assert "id" not in event["data"]["object"]


def test_events_of_connected_accounts_name_them(world: World) -> None:
    """Their events carry `account` and stay on that account."""
    connected = world.add_account("acct_1Example")
    connected.create("customer", {})
    (event,) = connected.objects("event")
    assert event["account"] == "acct_1Example"
    assert world.platform.count("event") == 0


def test_an_event_can_be_of_another_account(world: World) -> None:
    """It is in the feed of one account and names the other."""
    event = world.platform.add_event("coupon.deleted", {"object": "coupon"}, account="acct_2")
    assert event["account"] == "acct_2"


def test_ids_are_the_same_in_every_run() -> None:
    """Two worlds with the same changes have the same ids."""
    one, other = World(now=9), World(now=9)
    assert one.platform.create("charge", {}) == other.platform.create("charge", {})
    assert events(one) == events(other)


@pytest.mark.parametrize(
    "document",
    [
        {"id": "tok_1", "object": "token", "created": 1},
        {"id": 1, "object": "charge", "created": 1},
        {"id": "ch_1", "object": "charge", "created": "yesterday"},
        {"id": "ch_1", "object": "charge", "created": None},
    ],
)
def test_what_cannot_be_listed_is_not_stored(world: World, document: dict[str, Any]) -> None:
    """An object of another kind, or without id and time, is an error at once."""
    with pytest.raises((TypeError, ValueError)):
        world.platform.insert(document)
    assert world.platform.count("charge") == 0


def test_a_world_changes_while_it_is_read(world: World, get: Callable[..., Response]) -> None:
    """Writers on several threads disturb neither one another nor a walk over what was there."""
    moment = world.clock.now - 1_000
    for number in range(300):
        world.platform.create("customer", {"id": f"old_{number}"}, at=moment + number // 9)

    def write(thread: int) -> None:
        for number in range(100):
            world.platform.create("customer", {"id": f"new_{thread}_{number}"})
            world.platform.update("customer", f"old_{number}", {"name": str(thread)})

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    seen: list[str] = []
    path = f"/v1/customers?limit=7&created[lt]={world.clock.now}"
    answer = get(path).json()
    seen += [customer["id"] for customer in answer["data"]]
    while answer["has_more"]:
        answer = get(f"{path}&starting_after={seen[-1]}").json()
        seen += [customer["id"] for customer in answer["data"]]
    for writer in writers:
        writer.join()
    assert seen == [f"old_{number}" for number in reversed(range(300))]
    assert world.platform.count("customer") == 700
    told = world.platform.count("event")
    assert told == len({event["id"] for event in events(world)}) == 300 + 4 * 200
