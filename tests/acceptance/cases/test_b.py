"""Acceptance cases B: nested lists come whole, and shapes are those of the pinned version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_stripe_connect.simulator import shapes
from tap_stripe_connect.simulator.business import populate
from tests.acceptance.cases.steps import YEAR, next_run
from tests.support.harness import DAY, NOW, config_for, run, selecting

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.server import Simulator
    from tests.support.harness import Json


def lines(count: int) -> list[Json]:
    """Return so many lines of an invoice."""
    taxes = [{"amount": 1, "tax_behavior": "exclusive", "type": "tax_rate_details"}]
    return [
        {"id": f"il_{place}", "amount": place, "description": "x", "taxes": taxes}
        for place in range(1, count + 1)
    ]


def test_b01_long_nested_lists_are_completed_in_every_run(stripe: Simulator) -> None:
    """25 lines and 22 items arrive once each, in a first load and after an update."""
    account = stripe.world.platform
    items = [{"id": f"si_{place}"} for place in range(22)]
    account.create("invoice", {"id": "in_1", "lines": lines(25)}, at=NOW - 9 * DAY)
    account.create("subscription", {"id": "sub_1", "items": items}, at=NOW - 9 * DAY)
    first = run(config_for(stripe))

    def change(account: Account) -> None:
        account.update("invoice", "in_1", {"description": "new"})
        account.update("subscription", "sub_1", {"description": "new"})

    names = ["invoices", "invoice_line_items", "subscriptions", "subscription_items"]
    second = next_run(stripe, first, *names, change=change)
    for output in (first, second):
        for stream, count in {"invoice_line_items": 25, "subscription_items": 22}.items():
            assert output.counts[stream] == count
            assert len({row["id"] for row in output.records(stream)}) == count
        for stream in names:
            assert "'has_more': True" not in str(output.records(stream))


def test_b02_rows_beyond_the_embedded_ten_are_alike(stripe: Simulator) -> None:
    """Line 11 has the keys and types of line 1."""
    stripe.world.platform.create("invoice", {"id": "in_1", "lines": lines(12)}, at=NOW - DAY)
    output = run(config_for(stripe), catalog=selecting("invoice_line_items"))
    rows = {row["id"]: row for row in output.records("invoice_line_items")}
    kinds = [{key: type(value) for key, value in rows[name].items()} for name in ("il_1", "il_11")]
    assert kinds[0] == kinds[1]
    assert rows["il_11"]["taxes"] == rows["il_1"]["taxes"]


def test_b03_one_event_with_three_lines_gives_three_rows(stripe: Simulator) -> None:
    """Children come from their parent as it is now, each naming it."""
    account = stripe.world.platform
    account.create("invoice", {"id": "in_1", "lines": lines(3)}, at=NOW - 9 * DAY)
    first = run(config_for(stripe))
    second = next_run(
        stripe,
        first,
        "invoice_line_items",
        change=lambda account: account.update("invoice", "in_1", {"description": "new"}),
    )
    rows = second.records("invoice_line_items")
    assert {row["id"] for row in rows} == {"il_1", "il_2", "il_3"}
    assert {(row["object"], row["invoice"]) for row in rows} == {("line_item", "in_1")}
    assert len(rows) == 3


def test_b06_the_shape_of_old_payloads_and_lines_without_id_do_no_harm(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A payload with lines by kind changes nothing; a line without id is left out, told once."""
    document = shapes.complete("invoice", {"id": "in_1", "created": NOW - DAY, "lines": lines(2)})
    document["lines"]["data"][0].pop("id")
    stripe.world.platform.insert(document)
    first = run(config_for(stripe))
    payload = {"object": "invoice", "id": "in_1", "lines": {"subscriptions": [{"id": "sub_1"}]}}
    event = {
        "id": "evt_1",
        "created": NOW + DAY // 2,
        "type": "invoice.updated",
        "data": {"object": payload, "previous_attributes": {"lines": {"subscriptions": []}}},
    }
    caplog.clear()
    second = next_run(
        stripe,
        first,
        "invoices",
        "invoice_line_items",
        change=lambda account: account.insert(shapes.complete("event", event)),
    )
    assert second.exit_code == 0
    assert second.counts == {"invoices": 1, "invoice_line_items": 1}
    assert [row["id"] for row in second.records("invoice_line_items")] == ["il_2"]
    (told,) = [one for one in caplog.messages if "without a usable key" in one]
    assert told.startswith("invoice_line_items: skipped 1 ")


def test_b11_links_arrive_where_the_pinned_version_has_them(stripe: Simulator) -> None:
    """An invoice names its subscription in `parent`, and a line names both, in every run."""
    parent = {
        "type": "subscription_details",
        "subscription_details": {"subscription": "sub_1", "metadata": {}},
    }
    account = stripe.world.platform
    account.create(
        "invoice",
        {"id": "in_1", "parent": parent, "lines": [{"id": "il_1", "subscription": "sub_1"}]},
        at=NOW - 9 * DAY,
    )
    first = run(config_for(stripe))
    second = next_run(
        stripe,
        first,
        "invoices",
        "invoice_line_items",
        change=lambda account: account.update("invoice", "in_1", {"description": "new"}),
    )
    for output in (first, second):
        (invoice,) = output.records("invoices")
        (line,) = output.records("invoice_line_items")
        assert invoice["parent"]["subscription_details"]["subscription"] == "sub_1"
        assert (line["invoice"], line["subscription"]) == ("in_1", "sub_1")


@pytest.mark.parametrize("permissions", [None, ["rak_subscription_read", "rak_event_read"]])
def test_b15_nothing_is_ever_expanded(stripe: Simulator, permissions: list[str] | None) -> None:
    """No request carries `expand`, so none needs a permission beyond its stream's own."""
    account = stripe.world.platform
    populate(account, seed=6, customers=8, start=NOW - YEAR, until=NOW - DAY)
    key = stripe.world.add_key("rk_test_few", permissions=permissions)
    names = ("subscriptions", "subscription_items")
    first = run(config_for(stripe, api_key=key), catalog=selecting(*names))

    def change(account: Account) -> None:
        name = next(account.objects("subscription"))["id"]
        account.update("subscription", name, {"description": "new"})

    noted = stripe.journal.requests
    second = next_run(stripe, first, *names, change=change, api_key=key)
    noted += stripe.journal.requests
    assert first.exit_code == second.exit_code == 0
    assert second.counts["subscriptions"] == 1
    assert not [name for one in noted for name, _ in one.query if name.startswith("expand")]
