"""Reading the event feed: which objects changed, which are gone, how to read them again."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from tap_stripe_connect.catalog import LISTED
from tap_stripe_connect.sync.plan import events as changes_module
from tap_stripe_connect.sync.plan.events import Changes

if TYPE_CHECKING:
    from collections.abc import Iterable

Json = dict[str, Any]


def event(kind: str, value: Json, at: int = 100, previous: Json | None = None) -> Json:
    """Return an event as Stripe lists it."""
    data: Json = {"object": value}
    if previous is not None:
        data["previous_attributes"] = previous
    return {"object": "event", "id": "evt_1", "type": kind, "created": at, "data": data}


def noted(events: Iterable[Json]) -> Changes:
    """Take in events."""
    changes = Changes("acct_1Example")
    for one in events:
        changes.add(one)
    return changes


@pytest.mark.parametrize("listed", LISTED.values(), ids=lambda listed: listed.name)
def test_an_event_type_nobody_knows_is_routed_by_its_object(listed: Any) -> None:
    """The payload's object says which stream it belongs to, whatever the type is called."""
    changes = noted([event("some.new_thing", {"object": listed.object, "id": "x_1", "created": 7})])
    found = changes.of(listed.name)
    assert set(found) == (set() if listed.object == "event" else {"x_1"})
    assert all(not changes.of(name) for name in LISTED if name != listed.name)


def test_an_object_of_two_lists_is_changed_in_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each list that holds objects of a kind reads one again that an event is about."""
    lists = LISTED["coupons"], LISTED["plans"]
    monkeypatch.setattr(changes_module, "FOLLOWED", {"card": lists})
    changes = noted([event("customer.source.updated", {"object": "card", "id": "card_1"})])
    assert set(changes.of("coupons")) == set(changes.of("plans")) == {"card_1"}


def test_a_deletion_is_what_the_row_says_whatever_the_type_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The end of a card is told of by `customer.source.deleted`; a list can see no end in it."""
    ends = replace(LISTED["coupons"], deleted_by=("customer.source.deleted",))
    monkeypatch.setattr(changes_module, "FOLLOWED", {"card": (ends, LISTED["plans"])})
    changes = noted([event("customer.source.deleted", {"object": "card", "id": "card_1"})])
    assert changes.of("coupons")["card_1"].gone
    assert not changes.of("plans")["card_1"].gone


def test_a_refund_goes_to_its_charge_and_nowhere_else() -> None:
    """`charge.refund.updated` carries a refund, which is not a row of charges."""
    refund = {"object": "refund", "id": "re_1", "charge": "ch_1", "created": 9}
    changes = noted([event("charge.refund.updated", refund)])
    assert set(changes.of("charges")) == {"ch_1"}
    assert changes.of("charges")["ch_1"].created is None


@pytest.mark.parametrize("charge", ["ch_1", {"object": "charge", "id": "ch_1"}])
def test_a_dispute_touches_its_charge_named_or_embedded(charge: Any) -> None:
    """The dispute's event alone tells that the charge is disputed."""
    changes = noted([event("charge.dispute.created", {"object": "dispute", "charge": charge})])
    assert set(changes.of("charges")) == {"ch_1"}


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"data": None, "created": 1},
        {"data": {"object": []}, "created": 1},
        {"data": {"object": {"object": "invoice"}}, "created": 1},
        {"data": {"object": {"object": "invoice", "id": None}}, "created": 1},
        {"data": {"object": {"object": "invoice", "id": "in_1"}}, "created": None},
    ],
)
def test_events_without_an_object_to_read_are_passed_over(damaged: Json) -> None:
    """A preview without an id, or a payload of another shape, changes nothing."""
    assert noted([damaged]).of("invoices") == {}


def test_many_events_of_one_object_are_one_change_in_any_order() -> None:
    """The outcome does not depend on the order in which events arrive."""
    sub = {"object": "subscription", "id": "sub_1", "created": 5}
    events = [
        event("customer.subscription.created", sub, at=10),
        event("customer.subscription.trial_will_end", sub, at=20),
        event("customer.subscription.updated", sub, at=20),
        event("customer.subscription.deleted", sub, at=30),
    ]
    outcomes = {str(noted(order).of("subscriptions")) for order in permutations(events)}
    assert len(outcomes) == 1
    change = noted(events).of("subscriptions")["sub_1"]
    assert (change.first, change.last, change.created) == (10, 30, 5)
    assert not change.gone, "the end of a subscription is not a deletion"


@pytest.mark.parametrize(
    ("deleted", "other", "gone"), [(20, 10, True), (20, 20, False), (20, 30, False)]
)
def test_only_a_deletion_strictly_newest_decides_without_a_look(
    deleted: int, other: int, *, gone: bool
) -> None:
    """A coupon's id can be used again, and events of one second have no order."""
    coupon = {"object": "coupon", "id": "SUMMER", "created": 5, "name": "Summer"}
    events = [event("coupon.deleted", coupon, deleted), event("coupon.created", coupon, other)]
    for order in permutations(events):
        change = noted(order).of("coupons")["SUMMER"]
        assert change.gone is gone
        assert json.loads(change.last_payload)["name"] == "Summer"


def test_items_that_were_there_before_are_remembered() -> None:
    """`previous_attributes` names the items that an update took away."""
    changes = noted(
        [
            event(
                "customer.subscription.updated",
                {"object": "subscription", "id": "sub_1", "created": 5},
                previous={"items": {"data": [{"id": "si_1", "quantity": 3}]}},
            )
        ]
    )
    former = changes.of("subscriptions")["sub_1"].former_children
    assert json.loads(former["subscription_items", "si_1"]) == {"id": "si_1", "quantity": 3}
