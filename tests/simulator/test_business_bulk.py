"""Masses of objects for load tests."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tap_stripe_connect.simulator import bulk, shapes
from tap_stripe_connect.simulator.world import World

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.account import Account

START, UNTIL = 1_700_000_000, 1_750_000_000
DAY = 86_400


@pytest.fixture(name="account")
def empty_account() -> Account:
    """Return an account without objects."""
    return World(now=UNTIL, livemode=True).platform


def test_loads_as_many_as_asked_for(account: Account) -> None:
    """Each kind has its number of objects, nested lists their length, and there are no events."""
    bulk.load(
        account,
        charges=7,
        invoices=5,
        lines=40,
        customers=3,
        subscriptions=2,
        items=12,
        start=START,
        until=UNTIL,
    )
    kinds = ("charge", "invoice", "customer", "subscription", "event")
    assert [account.count(kind) for kind in kinds] == [7, 5, 3, 2, 0]
    assert all(len(each["lines"]["data"]) == 40 for each in account.objects("invoice"))
    assert all(len(each["items"]["data"]) == 12 for each in account.objects("subscription"))


def test_objects_are_complete(account: Account) -> None:
    """Every object, nested ones too, has every field that Stripe always sends, in its mode."""
    bulk.load(
        account, charges=1, invoices=1, customers=1, subscriptions=1, start=START, until=UNTIL
    )
    documents = [
        document
        for kind in ("charge", "invoice", "customer", "subscription")
        for document in account.objects(kind)
    ]
    for name in ("lines", "items"):
        documents += [row for each in documents if name in each for row in each[name]["data"]]
    for document in documents:
        template = shapes.complete(document["object"], {"id": document["id"]})
        assert document.keys() >= template.keys()
        more = {f"{document['object']}.{name}" for name in document.keys() - template.keys()}
        assert more <= shapes.optional_fields()
        assert document.get("livemode", True)


def test_ids_are_unique_and_refer_to_each_other(account: Account) -> None:
    """Loading twice adds to what there is; children belong to their parents, who exist."""
    for _ in range(2):
        bulk.load(
            account,
            charges=4,
            invoices=6,
            lines=3,
            customers=2,
            subscriptions=2,
            start=START,
            until=UNTIL,
        )
    assert account.count("invoice") == 12
    customers = {each["id"] for each in account.objects("customer")}
    subscriptions = {each["id"] for each in account.objects("subscription")}
    line_ids: Counter[str] = Counter()
    for invoice in account.objects("invoice"):
        assert invoice["customer"] in customers
        assert invoice["lines"]["url"] == f"/v1/invoices/{invoice['id']}/lines"
        assert invoice["total"] == sum(line["amount"] for line in invoice["lines"]["data"])
        for line in invoice["lines"]["data"]:
            assert line["invoice"] == invoice["id"]
            assert line["subscription"] in subscriptions
            line_ids[line["id"]] += 1
    assert set(line_ids.values()) == {1}
    assert all(charge["customer"] in customers for charge in account.objects("charge"))
    assert all(each["amount"] == each["amount_captured"] for each in account.objects("charge"))


def test_even_spread() -> None:
    """Moments are equally far apart and cover the whole span."""
    assert list(bulk.moments(5, 100, 200, "even")) == [100, 120, 140, 160, 180]


def test_clustered_spread() -> None:
    """A clustered spread puts all moments into three days, in order."""
    moments = list(bulk.moments(1000, START, UNTIL, "clustered"))
    assert len(moments) == 1000
    assert moments == sorted(moments)
    assert moments[0] >= START
    assert moments[-1] < UNTIL
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert sum(gap > DAY for gap in gaps) == 2
    assert sum(gap for gap in gaps if gap < DAY) < 3 * DAY


def test_clusters_fit_into_a_short_span() -> None:
    """In a span of less than three days the clusters are shorter, and stay inside it."""
    moments = list(bulk.moments(90, 0, 600, "clustered"))
    assert moments == sorted(moments)
    assert moments[0] >= 0
    assert moments[-1] < 600


def test_charges_have_the_size_of_real_ones(account: Account) -> None:
    """A charge takes about 3 kB of compact JSON, as Stripe's do."""
    bulk.load(account, charges=1, start=START, until=UNTIL)
    (charge,) = account.objects("charge")
    stored = account.read("charge", charge["id"])
    assert stored is not None
    assert 2_700 < len(stored) < 4_200
