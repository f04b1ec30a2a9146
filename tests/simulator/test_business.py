"""The simulated business: its books are right, whole and repeatable."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tap_stripe_connect.catalog import STREAMS, Nested
from tap_stripe_connect.simulator import shapes
from tap_stripe_connect.simulator.business import populate
from tap_stripe_connect.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

Document = dict[str, Any]
Books = dict[str, dict[str, Document]]

START = int(datetime(2023, 1, 1, tzinfo=UTC).timestamp())
UNTIL = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
OBJECTS = ("customer", "plan", "coupon", "subscription", "invoice", "charge")


def books(*, until: int = UNTIL, seed: int = 7, customers: int = 240, live: bool = False) -> Books:
    """Return all objects of a business, by kind and id."""
    account = World(now=until, livemode=live).platform
    populate(account, seed=seed, customers=customers, start=START, until=until)
    return {kind: {each["id"]: each for each in account.objects(kind)} for kind in OBJECTS}


@pytest.fixture(scope="module", name="whole")
def whole_business() -> Books:
    """Return the business that most tests look at."""
    return books()


def every(documents: Books) -> Iterator[Document]:
    """Go through all objects, and those that the nested lists hold."""
    for kind in OBJECTS:
        for document in documents[kind].values():
            yield document
            for stream in STREAMS:
                if isinstance(stream, Nested) and stream.list_field in document:
                    yield from document[stream.list_field]["data"]


def test_size(whole: Books) -> None:
    """Three years have about the customers asked for, and an invoice and charge a month each."""
    counts = {kind: len(documents) for kind, documents in whole.items()}
    assert 230 <= counts["customer"] <= 255
    assert 240 <= counts["subscription"] <= 330
    assert 2_400 <= counts["invoice"] <= 4_300
    assert 2_900 <= counts["charge"] <= 4_600
    assert counts["plan"] > 100
    assert counts["coupon"] > 15


def test_invoices_add_up(whole: Books) -> None:
    """An invoice's sums are those of its lines, less discounts, plus taxes."""
    for invoice in whole["invoice"].values():
        lines = invoice["lines"]["data"]
        subtotal = sum(line["amount"] for line in lines)
        off = sum(each["amount"] for line in lines for each in line["discount_amounts"])
        taxes = sum(each["amount"] for line in lines for each in line["taxes"])
        assert invoice["subtotal"] == subtotal
        assert sum(each["amount"] for each in invoice["total_discount_amounts"]) == off
        assert sum(each["amount"] for each in invoice["total_taxes"]) == taxes
        assert invoice["total_excluding_tax"] == subtotal - off
        assert invoice["total"] == invoice["amount_due"] == subtotal - off + taxes >= 0
        assert invoice["amount_remaining"] == invoice["amount_due"] - invoice["amount_paid"]
        assert invoice["amount_paid"] == (invoice["total"] if invoice["status"] == "paid" else 0)


def test_paid_invoices_have_one_charge(whole: Books) -> None:
    """Each paid invoice over an amount has one succeeded charge of it; no other invoice has one."""
    paying = defaultdict(list)
    for charge in whole["charge"].values():
        if charge["status"] == "succeeded" and "invoice" in charge["metadata"]:
            paying[charge["metadata"]["invoice"]].append(charge)
    for invoice in whole["invoice"].values():
        charges = paying.pop(invoice["id"], [])
        if invoice["status"] == "paid" and invoice["amount_due"]:
            (charge,) = charges
            assert charge["amount"] == invoice["amount_due"]
            assert charge["currency"] == invoice["currency"]
            assert charge["customer"] == invoice["customer"]
            assert charge["payment_intent"].startswith("pi_")
            assert charge["created"] == invoice["status_transitions"]["paid_at"]
        else:
            assert not charges
    assert not paying


def test_charges_are_consistent(whole: Books) -> None:
    """Refunds never exceed the charge, and a declined charge took no money and says why."""
    refunds: Counter[str] = Counter()
    for charge in whole["charge"].values():
        amount, back = charge["amount"], charge["amount_refunded"]
        assert 0 <= back <= amount
        assert charge["refunded"] == (back == amount)
        refunds["full" if charge["refunded"] else "partial" if back else "none"] += 1
        succeeded = charge["status"] == "succeeded"
        assert charge["paid"] == charge["captured"] == succeeded
        assert charge["amount_captured"] == (amount if succeeded else 0)
        assert (charge["failure_code"] is None) == succeeded
        assert (charge["balance_transaction"] is None) != succeeded
    assert min(refunds.values()) > 20


def test_references_lead_somewhere(whole: Books) -> None:
    """Every customer, subscription, invoice, plan and coupon that an object names exists."""
    for kind in ("subscription", "invoice", "charge"):
        assert {each["customer"] for each in whole[kind].values()} <= whole["customer"].keys()
    items = {}
    for subscription in whole["subscription"].values():
        assert subscription["latest_invoice"] in whole["invoice"]
        assert subscription["metadata"].get("coupon", "WELCOME10") in whole["coupon"]
        for item in subscription["items"]["data"]:
            items[item["id"]] = item
            assert item["subscription"] == subscription["id"]
            plan = whole["plan"][item["plan"]["id"]]
            assert item["plan"] == {name: plan[name] for name in item["plan"]}
            assert item["price"]["id"] == plan["id"]
            assert plan["currency"] == subscription["currency"]
    for invoice in whole["invoice"].values():
        for line in invoice["lines"]["data"]:
            assert line["invoice"] == invoice["id"]
            assert line["currency"] == invoice["currency"]
            assert line["subscription"] is None or line["subscription"] in whole["subscription"]
            if line["parent"]["type"] == "subscription_item_details":
                assert line["pricing"]["price_details"]["price"] in whole["plan"]
    for charge in whole["charge"].values():
        assert charge["metadata"].get("invoice") in {None, *whole["invoice"]}


def test_coupons_count_their_redemptions(whole: Books) -> None:
    """A coupon was redeemed as often as subscriptions and customers got it."""
    redeemed = Counter(
        subscription["metadata"]["coupon"]
        for subscription in whole["subscription"].values()
        if subscription["discounts"] or subscription["metadata"]
    )
    redeemed.update(
        customer["discount"]["source"]["coupon"]
        for customer in whole["customer"].values()
        if customer.get("discount")
    )
    assert {id_: each["times_redeemed"] for id_, each in whole["coupon"].items()} == {
        id_: redeemed[id_] for id_ in whole["coupon"]
    }
    assert whole["coupon"]["SUMMER25"]["valid"] is False


def test_times_are_in_order(whole: Books) -> None:
    """Nothing happens before what it depends on, or outside the time of the business."""
    for kind in OBJECTS:
        assert all(START <= each["created"] < UNTIL for each in whole[kind].values())
    for kind in ("subscription", "invoice", "charge"):
        for each in whole[kind].values():
            assert whole["customer"][each["customer"]]["created"] < each["created"]
    for subscription in whole["subscription"].values():
        assert (subscription["ended_at"] or UNTIL) > subscription["created"]
        for item in subscription["items"]["data"]:
            assert subscription["created"] <= item["created"]
            assert item["created"] < item["current_period_end"]
            assert item["current_period_start"] < item["current_period_end"]
            assert whole["plan"][item["plan"]["id"]]["created"] < item["current_period_end"]
    for invoice in whole["invoice"].values():
        moments = invoice["status_transitions"].values()
        assert all(invoice["created"] <= moment < UNTIL for moment in moments if moment)
        assert all(
            line["period"]["start"] <= line["period"]["end"] for line in invoice["lines"]["data"]
        )
    for charge in whole["charge"].values():
        if invoice_id := charge["metadata"].get("invoice"):
            assert charge["created"] >= whole["invoice"][invoice_id]["created"]


def test_zero_decimal_amounts_are_plausible(whole: Books) -> None:
    """Yen amounts are yen, not hundredths: about as many as US cents, times 1.5."""
    plans = {plan["nickname"]: plan["amount"] for plan in whole["plan"].values() if plan["active"]}
    assert plans["Extra seat USD monthly"] == 900
    assert plans["Extra seat JPY monthly"] == 1350
    yen = sorted(each["amount"] for each in whole["charge"].values() if each["currency"] == "jpy")
    assert 500 < yen[len(yen) // 2] < 50_000
    assert {each["currency"] for each in whole["charge"].values()} == {"usd", "eur", "gbp", "jpy"}


def test_objects_are_complete(whole: Books) -> None:
    """Every object, nested ones too, has every field that Stripe always sends, and no unknown."""
    for document in every(whole):
        template = shapes.complete(document["object"], {"id": document["id"]})
        assert document.keys() >= template.keys()
        more = {f"{document['object']}.{name}" for name in document.keys() - template.keys()}
        assert more <= shapes.optional_fields()


@pytest.mark.parametrize("live", [False, True])
def test_livemode(*, live: bool) -> None:
    """Every object says whether it is real, the plans and tax rates inside others too."""

    def modes(value: Any) -> Iterator[bool]:
        if isinstance(value, dict):
            if "livemode" in value:
                yield value["livemode"]
            for inner in value.values():
                yield from modes(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from modes(inner)

    documents = books(customers=15, live=live)
    assert set(modes(list(every(documents)))) == {live}


def test_variety(whole: Books) -> None:
    """All statuses occur, subscriptions with more items and invoices with more lines than ten."""
    assert {each["status"] for each in whole["invoice"].values()} == {
        "draft",
        "open",
        "paid",
        "void",
        "uncollectible",
    }
    assert {each["status"] for each in whole["subscription"].values()} >= {
        "active",
        "canceled",
        "incomplete_expired",
        "past_due",
    }
    assert any(each["trial_end"] for each in whole["subscription"].values())
    sizes = Counter(len(each["items"]["data"]) for each in whole["subscription"].values())
    assert set(sizes) <= set(range(1, 13))
    assert 0 < sum(count for size, count in sizes.items() if size > 10) < 20
    lines = Counter(len(each["lines"]["data"]) for each in whole["invoice"].values())
    assert 20 < max(lines) <= 40
    reasons = {each["billing_reason"] for each in whole["invoice"].values()}
    assert reasons == {
        "manual",
        "subscription_create",
        "subscription_cycle",
        "subscription_update",
    }
    assert any(each["metadata"].get("order") for each in whole["charge"].values())


def test_people_are_made_up(whole: Books) -> None:
    """Nobody's address is used: all e-mails are unique and of example.com."""
    emails = [customer["email"] for customer in whole["customer"].values()]
    assert all(email.endswith("@example.com") for email in emails)
    assert len(set(emails)) == len(emails)


def test_repeatable() -> None:
    """The same seed gives the same books, another seed other ones."""
    assert books(customers=20) == books(customers=20)
    assert books(customers=20)["charge"].keys().isdisjoint(books(customers=20, seed=8)["charge"])


@pytest.mark.parametrize("days", [1, 40, 365])
def test_later_is_the_same_business_some_time_on(whole: Books, days: int) -> None:
    """What was created before an earlier end has the same id and time when told until later."""
    earlier = UNTIL - days * 86_400
    before = books(until=earlier)
    for kind in OBJECTS:
        then = {id_: each["created"] for id_, each in before[kind].items()}
        now = {id_: each["created"] for id_, each in whole[kind].items()}
        assert then == {id_: created for id_, created in now.items() if created < earlier}
        assert len(then) < len(now) or days == 1 or kind in {"plan", "coupon"}


def test_growing_the_business_keeps_settled_invoices(whole: Books) -> None:
    """A paid invoice is told the same, number and lines included, however much time has passed."""
    before = books(until=UNTIL - 365 * 86_400)
    settled = {id_: each for id_, each in before["invoice"].items() if each["status"] == "paid"}
    assert settled
    assert all(whole["invoice"][id_] == invoice for id_, invoice in settled.items())


def test_revenue_is_alive(whole: Books) -> None:
    """Net revenue grows from year to year, peaks in December and dips in summer."""
    months: Counter[str] = Counter()
    rates = {"usd": 1.0, "eur": 1.06, "gbp": 1.25, "jpy": 0.67}
    for charge in whole["charge"].values():
        if charge["status"] == "succeeded":
            month = datetime.fromtimestamp(charge["created"], UTC).strftime("%Y-%m")
            net = charge["amount"] - charge["amount_refunded"]
            months[month] += round(net * rates[charge["currency"]])
    years = [
        sum(net for month, net in months.items() if month.startswith(year))
        for year in ("2023", "2024", "2025")
    ]
    assert all(later > 1.3 * earlier for earlier, later in pairwise(years))
    for year in ("2024", "2025"):
        peak = max((month for month in months if month.startswith(year)), key=months.__getitem__)
        assert peak == f"{year}-12"
        summer = (months[f"{year}-07"] + months[f"{year}-08"]) / 2
        assert summer < (months[f"{year}-05"] + months[f"{year}-10"]) / 2
