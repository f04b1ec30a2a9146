"""Runs after the first: changes, deletions, and gaps in the event feed."""

from __future__ import annotations

import random
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_stripe_connect.api.client import Client
from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.simulator.business import populate
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.simulator.world import World
from tests.property.transport import RunOptions, Transport, run_tap
from tests.support.harness import DAY, NOW, Output, Warehouse, config_for, expected, run, selecting

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.server import Simulator
    from tests.support.harness import Json

YEAR = 365 * DAY
STATE_DOCS = (Path(__file__).parents[2] / "docs/state.md").read_text("utf-8")


def requests_of(stripe: Simulator) -> list[str]:
    """Return the requested routes, except for the key's own account."""
    return [one.template for one in stripe.journal.requests if one.path != "/v1/account"]


def later(
    stripe: Simulator,
    first: Output,
    *names: str,
    change: Callable[[Account], object] | None = None,
    days: float = 1,
    **settings: Any,
) -> Output:
    """Let time pass, change something, and run again, with a clean journal."""
    stripe.world.clock.advance(days * DAY / 2)
    if change:
        change(stripe.world.platform)
    stripe.world.clock.advance(days * DAY / 2)
    stripe.journal.clear()
    return run(config_for(stripe, **settings), state=first.state, catalog=selecting(*names))


def test_a_changed_object_costs_a_feed_page_and_a_retrieve(stripe: Simulator) -> None:
    """An update to a subscription of long ago arrives without listing subscriptions."""
    stripe.world.platform.create(
        "subscription", {"id": "sub_1", "status": "trialing"}, at=NOW - 400 * DAY
    )
    first = run(config_for(stripe), catalog=selecting("subscriptions"))
    second = later(
        stripe,
        first,
        "subscriptions",
        change=lambda account: account.update("subscription", "sub_1", {"status": "active"}),
    )
    assert [row["status"] for row in second.records("subscriptions")] == ["active"]
    assert requests_of(stripe) == ["/v1/events", "/v1/subscriptions/{id}"]


def test_an_idle_run_takes_two_requests(stripe: Simulator) -> None:
    """Nine streams, nothing new: the account and one page of the feed."""
    populate(
        stripe.world.platform, seed=1, customers=20, start=NOW - 3 * YEAR, until=NOW - 40 * DAY
    )
    first = run(config_for(stripe))
    stripe.world.clock.advance(DAY)
    stripe.journal.clear()
    second = run(config_for(stripe), state=first.state)
    assert second.counts == {}
    assert len(stripe.journal.requests) == 2


def test_rows_come_from_a_new_read_never_from_the_payload(stripe: Simulator) -> None:
    """The event shows an older API version; the record is as in a first load."""
    account = stripe.world.platform
    account.create("invoice", {"id": "in_1", "lines": [{"id": "il_1"}]}, at=NOW - DAY)
    first = run(config_for(stripe))
    second = later(
        stripe,
        first,
        "invoices",
        change=lambda account: account.update("invoice", "in_1", {"description": "x"}),
    )
    (row,) = second.records("invoices")
    fresh = run(config_for(stripe), catalog=selecting("invoices")).records("invoices")[0]
    assert {**row, "updated_at": None} == {**fresh, "updated_at": None}
    assert row["description"] == "x"
    assert "subscription" not in row
    assert row["updated_at"] > fresh["updated_at"]


def test_an_invented_event_type_triggers_a_new_read(stripe: Simulator) -> None:
    """The feed is read unfiltered and routed by the payload's object."""
    stripe.world.platform.create("invoice", {"id": "in_1"}, at=NOW - 2 * DAY)
    first = run(config_for(stripe), catalog=selecting("invoices"))

    def invent(account: Account) -> None:
        account.update("invoice", "in_1", {"description": "silent"}, event=None)
        account.add_event("invoice.some_new_thing", account.get("invoice", "in_1") or {})

    second = later(stripe, first, "invoices", change=invent)
    assert [row["description"] for row in second.records("invoices")] == ["silent"]


def test_a_dispute_re_reads_its_charge(stripe: Simulator) -> None:
    """Only `charge.dispute.created` reports it; refunds do the same."""
    stripe.world.platform.create("charge", {"id": "ch_1"}, at=NOW - 2 * DAY)
    first = run(config_for(stripe), catalog=selecting("charges"))

    def dispute(account: Account) -> None:
        account.update("charge", "ch_1", {"disputed": True}, event=None)
        account.add_event(
            "charge.dispute.created", {"object": "dispute", "id": "dp_1", "charge": "ch_1"}
        )

    second = later(stripe, first, "charges", change=dispute)
    assert [row["disputed"] for row in second.records("charges")] == [True]
    assert second.records("charges")[0]["object"] == "charge"


def test_two_events_of_one_second_are_one_row(stripe: Simulator) -> None:
    """In any order of the feed."""
    stripe.world.platform.create("subscription", {"id": "sub_1"}, at=NOW - 2 * DAY)
    first = run(config_for(stripe), catalog=selecting("subscriptions"))

    def twice(account: Account) -> None:
        account.update("subscription", "sub_1", {"status": "active"})
        document = account.get("subscription", "sub_1") or {}
        account.add_event(
            "customer.subscription.trial_will_end", {**document, "status": "trialing"}
        )

    second = later(stripe, first, "subscriptions", change=twice)
    assert [row["status"] for row in second.records("subscriptions")] == ["active"]


def test_many_events_of_few_objects_are_one_read_each(stripe: Simulator) -> None:
    """A thousand events on ten subscriptions: ten reads at most, for both streams together."""
    for place in range(10):
        stripe.world.platform.create(
            "subscription",
            {"id": f"sub_{place}", "items": [{"id": f"si_{place}"}]},
            at=NOW - (place + 2) * DAY,
        )
    first = run(config_for(stripe))

    def busy(account: Account) -> None:
        for turn in range(100):
            for place in range(10):
                account.update("subscription", f"sub_{place}", {"description": str(turn)})

    second = later(stripe, first, "subscriptions", "subscription_items", change=busy)
    assert second.counts == {"subscriptions": 10, "subscription_items": 10}
    read = [path for path in requests_of(stripe) if path.startswith("/v1/subscriptions")]
    assert len(read) <= 10
    assert "/v1/subscription_items" not in requests_of(stripe)


def test_changes_close_together_come_in_one_list_call(stripe: Simulator) -> None:
    """A hundred charges of one hour are re-read by one or two list calls."""
    bulk.load(stripe.world.platform, charges=100, start=NOW - 10 * DAY, until=NOW - 10 * DAY + 3600)
    first = run(config_for(stripe), catalog=selecting("charges"))

    def refund_all(account: Account) -> None:
        for charge in list(account.objects("charge")):
            account.update("charge", charge["id"], {"refunded": True}, event="charge.refunded")

    second = later(stripe, first, "charges", change=refund_all)
    assert len(second.records("charges")) == 100
    assert all(row["refunded"] for row in second.records("charges"))
    assert requests_of(stripe).count("/v1/charges") <= 2
    assert requests_of(stripe).count("/v1/charges/{id}") == 0


def test_thirteen_new_invoices_bring_only_their_lines(stripe: Simulator) -> None:
    """Lines of invoices that did not change are not read again."""
    bulk.load(stripe.world.platform, invoices=500, lines=8, start=NOW - YEAR, until=NOW - DAY)
    first = run(config_for(stripe))

    def bill(account: Account) -> None:
        for place in range(13):
            lines = [{"id": f"il_{place}_{line}"} for line in range(3)]
            account.create("invoice", {"id": f"in_new{place}", "lines": lines})

    second = later(stripe, first, "invoices", "invoice_line_items", change=bill)
    assert second.counts == {"invoices": 13, "invoice_line_items": 39}
    requests = [route for route in requests_of(stripe) if route.startswith("/v1/invoices")]
    assert len(requests) <= 13


@pytest.mark.parametrize("object_", ["customer", "coupon", "plan", "invoice"])
def test_a_deleted_object_is_marked_once(stripe: Simulator, object_: str) -> None:
    """Key, last known columns and the time of the deletion; later runs write nothing."""
    stripe.world.platform.create(object_, {"id": "x_1", "metadata": {"a": "b"}}, at=NOW - 9 * DAY)
    first = run(config_for(stripe))
    stream = f"{object_}s"
    second = later(stripe, first, stream, change=lambda account: account.delete(object_, "x_1"))
    (row,) = second.records(stream)
    assert row["id"] == "x_1"
    assert row["metadata"] == {"a": "b"}
    assert row["_sdc_deleted_at"] == row["updated_at"] == "2026-01-01T12:00:00+00:00"
    assert later(stripe, second, stream).counts == {}


def test_a_deletion_within_the_overlap_is_told_once(stripe: Simulator) -> None:
    """The next run sees the event again and writes nothing."""
    stripe.world.platform.create("coupon", {"id": "C"}, at=NOW - 9 * DAY)
    first = run(config_for(stripe), catalog=selecting("coupons"))
    stripe.world.platform.delete("coupon", "C")
    second = run(config_for(stripe), state=first.state, catalog=selecting("coupons"))
    third = run(config_for(stripe), state=second.state, catalog=selecting("coupons"))
    assert [bool(row["_sdc_deleted_at"]) for row in second.records("coupons")] == [True]
    assert third.counts == {}


def test_an_id_that_is_used_again_is_alive(stripe: Simulator) -> None:
    """A coupon deleted and created again between two runs is no deletion."""
    stripe.world.platform.create("coupon", {"id": "C", "name": "old"}, at=NOW - 9 * DAY)
    first = run(config_for(stripe), catalog=selecting("coupons"))

    def anew(account: Account) -> None:
        account.delete("coupon", "C")
        account.create("coupon", {"id": "C", "name": "new"})

    second = later(stripe, first, "coupons", change=anew)
    (row,) = second.records("coupons")
    assert (row["name"], row["_sdc_deleted_at"]) == ("new", None)


def test_the_end_of_a_subscription_is_no_deletion(stripe: Simulator) -> None:
    """`customer.subscription.deleted` gives a cancelled row without a mark."""
    stripe.world.platform.create("subscription", {"id": "sub_1"}, at=NOW - 9 * DAY)
    first = run(config_for(stripe), catalog=selecting("subscriptions"))
    second = later(
        stripe,
        first,
        "subscriptions",
        change=lambda account: account.delete("subscription", "sub_1"),
    )
    (row,) = second.records("subscriptions")
    assert row["status"] == "canceled"
    assert row["ended_at"] is not None
    assert row["_sdc_deleted_at"] is None


def test_an_item_that_left_its_subscription_is_marked(stripe: Simulator) -> None:
    """A plan change removes si_1 and adds si_2: one row and one mark."""
    stripe.world.platform.create(
        "subscription", {"id": "sub_1", "items": [{"id": "si_1", "quantity": 7}]}, at=NOW - 9 * DAY
    )
    first = run(config_for(stripe))
    second = later(
        stripe,
        first,
        "subscription_items",
        change=lambda account: account.update("subscription", "sub_1", {"items": [{"id": "si_2"}]}),
    )
    rows = {row["id"]: row for row in second.records("subscription_items")}
    assert rows["si_2"]["_sdc_deleted_at"] is None
    assert rows["si_1"]["_sdc_deleted_at"] == "2026-01-01T12:00:00+00:00"
    assert rows["si_1"]["quantity"] == 7
    assert rows["si_1"]["subscription"] == "sub_1"
    assert set(rows) == {"si_1", "si_2"}


def test_a_drafts_temporary_lines_are_marked_when_it_is_finalized(stripe: Simulator) -> None:
    """`il_tmp_1` becomes `il_9`."""
    stripe.world.platform.create(
        "invoice",
        {"id": "in_1", "status": "draft", "lines": [{"id": "il_tmp_1"}]},
        at=NOW - 9 * DAY,
    )
    first = run(config_for(stripe))
    second = later(
        stripe,
        first,
        "invoice_line_items",
        change=lambda account: account.update(
            "invoice", "in_1", {"status": "open", "lines": [{"id": "il_9"}]}
        ),
    )
    rows = {row["id"]: bool(row["_sdc_deleted_at"]) for row in second.records("invoice_line_items")}
    assert rows == {"il_9": False, "il_tmp_1": True}


def test_lines_of_a_deleted_draft_are_marked_too(stripe: Simulator) -> None:
    """Nested objects are deleted with their parent."""
    stripe.world.platform.create(
        "invoice", {"id": "in_1", "status": "draft", "lines": [{"id": "il_1"}]}, at=NOW - 9 * DAY
    )
    first = run(config_for(stripe))
    second = later(
        stripe,
        first,
        "invoices",
        "invoice_line_items",
        change=lambda account: account.delete("invoice", "in_1"),
    )
    assert all(row["_sdc_deleted_at"] for row in second.records("invoices"))
    assert all(row["_sdc_deleted_at"] for row in second.records("invoice_line_items"))
    assert second.counts == {"invoices": 1, "invoice_line_items": 1}


def test_a_change_during_the_first_load_is_not_lost(stripe: Simulator) -> None:
    """The feed's position is stamped before the first list call and kept by resumed runs."""
    bulk.load(stripe.world.platform, customers=500, start=NOW - YEAR, until=NOW - DAY)
    whole = run(config_for(stripe), catalog=selecting("customers"), every_state=True)
    early = next(one for one in whole.states if one["bookmarks"]["customers"]["covered"])
    written = whole.messages[: whole.messages.index({"type": "STATE", "value": early}) + 1]
    seen = [one["record"]["id"] for one in written if one["type"] == "RECORD"]
    stripe.world.clock.advance(1200)
    stripe.world.platform.update("customer", seen[0], {"name": "changed meanwhile"})
    stripe.world.clock.advance(1200)
    rest = run(config_for(stripe), state=early, catalog=selecting("customers"))
    warehouse = Warehouse().load(written).load(rest.messages)
    row = warehouse.tables["customers"]["acct_1Simulator", seen[0]]
    assert row["name"] == "changed meanwhile"
    assert len(warehouse.tables["customers"]) == 500


def test_a_gap_longer_than_events_are_kept_is_read_anew(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning with stream, account and gap, exit code 0, and current rows in the same run."""
    stripe.world.platform.create("customer", {"id": "cus_9"}, at=NOW - 400 * DAY)
    first = run(config_for(stripe), catalog=selecting("customers"))
    stripe.world.clock.advance(5 * DAY)
    stripe.world.platform.update("customer", "cus_9", {"name": "changed in the gap"})
    stripe.world.clock.advance(40 * DAY)
    second = run(config_for(stripe), state=first.state, catalog=selecting("customers"))
    assert second.exit_code == 0
    assert [row["name"] for row in second.records("customers")] == ["changed in the gap"]
    (warning,) = [one for one in caplog.messages if "days ago" in one]
    assert "customers of acct_1Simulator" in warning
    assert "45 days" in warning
    bookmark = second.state["bookmarks"]["customers"]
    assert bookmark["events_until"] == "2026-02-14T23:55:00+00:00"


def test_deletions_that_are_still_in_the_feed_are_marked_after_a_long_pause(
    stripe: Simulator,
) -> None:
    """The pause is longer than the feed reaches; its last 30 days are followed nevertheless."""
    platform = stripe.world.platform
    for name in ("cus_early", "cus_late", "cus_stays"):
        platform.create("customer", {"id": name}, at=NOW - 400 * DAY)
    items = [{"id": f"si_{number}"} for number in range(3)]
    platform.create("subscription", {"id": "sub_1", "items": items}, at=NOW - 400 * DAY)
    streams = ("customers", "subscriptions", "subscription_items")
    first = run(config_for(stripe), catalog=selecting(*streams))
    stripe.world.clock.advance(5 * DAY)
    platform.delete("customer", "cus_early")
    stripe.world.clock.advance(20 * DAY)
    platform.delete("customer", "cus_late")
    platform.update("subscription", "sub_1", {"items": items[:2]})
    stripe.world.clock.advance(20 * DAY)
    second = run(config_for(stripe), state=first.state, catalog=selecting(*streams))
    gone = {row["id"] for row in second.records("customers") if row["_sdc_deleted_at"]}
    assert gone == {"cus_late"}
    left = {row["id"] for row in second.records("subscription_items") if row["_sdc_deleted_at"]}
    assert left == {"si_2"}
    assert {row["id"] for row in second.records("customers")} == {"cus_late", "cus_stays"}


@pytest.mark.parametrize("again", ["a pause", "FULL_TABLE"])
def test_updated_at_never_goes_back_when_everything_is_listed_again(
    stripe: Simulator, again: str
) -> None:
    """A row that is listed again has the time of that listing if nothing newer is known."""
    platform = stripe.world.platform
    platform.create("subscription", {"id": "sub_1", "items": [{"id": "si_1"}]}, at=NOW - 9 * DAY)
    streams = ("subscriptions", "subscription_items")
    first = run(config_for(stripe), catalog=selecting(*streams))
    second = later(
        stripe,
        first,
        *streams,
        change=lambda account: account.update("subscription", "sub_1", {"metadata": {"a": "b"}}),
    )
    catalog = selecting(*streams)
    if again == "FULL_TABLE":
        for entry in catalog["streams"]:
            entry["replication_method"] = "FULL_TABLE"
    else:
        stripe.world.clock.advance(45 * DAY)
    third = run(config_for(stripe), state=second.state, catalog=catalog)
    for stream in streams:
        (before,), (after,) = second.records(stream), third.records(stream)
        assert after["updated_at"] > before["updated_at"]
    fourth = later(stripe, third, *streams)
    assert fourth.counts == {}


def test_updated_at_never_goes_back_after_a_run_that_was_killed_while_listing_anew(
    stripe: Simulator,
) -> None:
    """The rows of the killed run have the time of its listing, which no bookmark covers yet."""
    account = stripe.world.platform
    account.create("customer", {"id": "cus_1", "name": "old"}, at=NOW - 90 * DAY)
    config = config_for(stripe)
    first = run(config, catalog=selecting("customers"))
    stripe.world.clock.advance(DAY)
    account.update("customer", "cus_1", {"name": "new"})
    stripe.world.clock.advance(DAY)
    anew = selecting("customers")
    for entry in anew["streams"]:
        entry["replication_method"] = "FULL_TABLE"
    killed = run(config, state=first.state, catalog=anew).messages
    row = max(place for place, one in enumerate(killed) if one["type"] == "RECORD")
    (state,) = [one["value"] for one in killed[:row] if one["type"] == "STATE"][-1:]
    stripe.world.clock.advance(DAY)
    rest = run(config, state=state, catalog=selecting("customers"))
    times = [killed[row]["record"]["updated_at"]]
    times += [record["updated_at"] for record in rest.records("customers")]
    assert times == sorted(times)


def test_a_full_table_run_after_a_lost_state_carries_the_time_of_reading(
    stripe: Simulator,
) -> None:
    """Earlier runs whose state is lost may have written rows."""
    stripe.world.platform.create("customer", {"id": "cus_1"}, at=NOW - 9 * DAY)
    catalog = selecting("customers")
    for entry in catalog["streams"]:
        entry["replication_method"] = "FULL_TABLE"
    (row,) = run(config_for(stripe), catalog=catalog).records("customers")
    assert row["updated_at"] == "2026-01-01T00:00:00+00:00"


def test_an_object_that_is_gone_without_a_deletion_event_is_marked(stripe: Simulator) -> None:
    """A 404 that names the object; its last event has the last known columns."""
    platform = stripe.world.platform
    platform.create("customer", {"id": "cus_1", "name": "before"}, at=NOW - 9 * DAY)
    first = run(config_for(stripe), catalog=selecting("customers"))

    def lose(account: Account) -> None:
        account.update("customer", "cus_1", {"name": "last"})
        shown = account.get("customer", "cus_1") or {}
        account.delete("customer", "cus_1", event=None)
        assert shown["name"] == "last"

    second = later(stripe, first, "customers", change=lose)
    (row,) = second.records("customers")
    assert row["_sdc_deleted_at"]
    assert row["name"] == "last"
    assert later(stripe, second, "customers").counts == {}


def test_an_object_that_only_other_objects_events_name_is_marked_by_its_key(
    stripe: Simulator,
) -> None:
    """No event has its columns; the row in the warehouse is marked nevertheless."""
    platform = stripe.world.platform
    platform.create("charge", {"id": "ch_1"}, at=NOW - 9 * DAY)
    first = run(config_for(stripe), catalog=selecting("charges"))

    def lose(account: Account) -> None:
        account.add_event("refund.created", {"object": "refund", "id": "re_1", "charge": "ch_1"})
        account.delete("charge", "ch_1", event=None)

    second = later(stripe, first, "charges", change=lose)
    (row,) = second.records("charges")
    assert row["id"] == "ch_1"
    assert row["_sdc_deleted_at"]


def test_events_of_another_account_in_a_platforms_feed_mark_nothing(stripe: Simulator) -> None:
    """The same id in the platform's own account stays as it is."""
    platform = stripe.world.platform
    platform.create("customer", {"id": "cus_1"}, at=NOW - 9 * DAY)
    first = run(config_for(stripe), catalog=selecting("customers"))

    def foreign(account: Account) -> None:
        shown = account.get("customer", "cus_1") or {}
        account.add_event("customer.deleted", shown, account="acct_1Other")

    second = later(stripe, first, "customers", change=foreign)
    assert second.counts == {}


@pytest.mark.parametrize("hours", [1, 30])
def test_the_temporary_line_of_a_draft_is_marked_when_the_draft_is_finalized(
    stripe: Simulator, hours: int
) -> None:
    """`invoice.finalized` names no former lines; an earlier event of the draft shows them."""
    streams = ("invoices", "invoice_line_items")
    first = run(config_for(stripe), catalog=selecting(*streams))
    platform = stripe.world.platform
    draft = {"id": "in_1", "status": "draft", "lines": [{"id": "il_tmp_1"}]}
    platform.create("invoice", draft)
    stripe.world.clock.advance(3600)
    second = run(config_for(stripe), state=first.state, catalog=selecting(*streams))
    assert [row["id"] for row in second.records("invoice_line_items")] == ["il_tmp_1"]

    def finalize(account: Account) -> None:
        final = {"status": "open", "lines": {"data": [{"id": "il_9"}]}}
        account.update("invoice", "in_1", final, event=None)
        account.add_event("invoice.finalized", account.get("invoice", "in_1") or {})

    third = later(stripe, second, *streams, change=finalize, days=hours / 24)
    rows = {row["id"]: row["_sdc_deleted_at"] for row in third.records("invoice_line_items")}
    assert rows["il_9"] is None
    assert rows["il_tmp_1"]


def test_a_run_that_is_killed_while_the_feed_is_read_goes_on_from_there() -> None:
    """Checkpoints cover a long feed oldest part first; the next run reads only the rest."""
    world = World(now=NOW)
    platform = world.platform
    for number in range(5):
        platform.create("customer", {"id": f"cus_{number}"}, at=NOW - 90 * DAY)
    transport = Transport(world)

    def one_run(state: Json | None) -> Output:
        turns = RunOptions(1, random.Random(1))  # noqa: S311 - repeatable
        return run_tap(transport, {"api_key": world.api_key}, ("customers",), state, turns)

    first = one_run(None)
    for turn in range(200):
        world.clock.advance(2 * 3600)
        platform.update("customer", f"cus_{turn % 5}", {"metadata": {"turn": str(turn)}})
    second = one_run(first.state)
    whole = transport.sent
    reached = [state["bookmarks"]["customers"]["events_until"] for state in second.states]
    assert reached == sorted(reached)
    assert len(set(reached)) > 5
    # Each is read once, and once more for what happened in the last minutes.
    assert second.counts["customers"] <= 2 * 5
    half = second.states[reached.index(max(one for one in reached if one < "2026-01-12"))]
    third = one_run(half)
    assert transport.sent < whole * 0.7
    warehouse = Warehouse().load(third.messages)
    turns = {row["id"]: row["metadata"]["turn"] for row in warehouse.tables["customers"].values()}
    assert turns == {f"cus_{turn % 5}": str(turn) for turn in range(195, 200)}


def test_what_was_deleted_in_a_long_pause_is_found_by_its_id_in_the_warehouse(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """The statement in the docs marks exactly the rows that the full listing left out."""
    platform = stripe.world.platform
    for number in range(9):
        lines = [{"id": f"il_{number}"}]
        platform.create("customer", {"id": f"cus_{number}"}, at=NOW - 400 * DAY + number)
        platform.create("invoice", {"id": f"in_{number}", "lines": lines}, at=NOW - 90 * DAY)
    streams = ("customers", "invoices", "invoice_line_items")
    first = run(config_for(stripe), catalog=selecting(*streams))
    stripe.world.clock.advance(5 * DAY)
    for number in (3, 7):
        platform.delete("customer", f"cus_{number}")
        platform.delete("invoice", f"in_{number}")
    stripe.world.clock.advance(40 * DAY)
    second = run(config_for(stripe), state=first.state, catalog=selecting(*streams))
    (warning,) = [one for one in caplog.messages if "days ago" in one]
    moment = re.search(r"last written before (\S+) were", warning)
    statement = re.search(r"```sql\n(.*?)```", STATE_DOCS, re.DOTALL)
    assert moment
    assert statement
    text = statement[1].replace("2026-03-01T09:30:00+00:00", moment[1])
    text = text.replace("acct_1Example", platform.id)
    with closing(sqlite3.connect(":memory:")) as warehouse:
        for stream in streams:
            warehouse.execute(
                f"CREATE TABLE {stream} (account_id, id PRIMARY KEY, _sdc_deleted_at, "
                "_sdc_extracted_at)"
            )
            for one in [*first.messages, *second.messages]:
                if one["type"] == "RECORD" and one["stream"] == stream:
                    row = one["record"]
                    warehouse.execute(
                        f"INSERT OR REPLACE INTO {stream} VALUES (?, ?, ?, ?)",  # noqa: S608
                        (row["account_id"], row["id"], None, one["time_extracted"]),
                    )
            warehouse.execute(text.replace("UPDATE customers", f"UPDATE {stream}"))
            marked = warehouse.execute(
                f"SELECT id FROM {stream} WHERE _sdc_deleted_at IS NOT NULL ORDER BY id"  # noqa: S608
            ).fetchall()
            assert [row[0][-1] for row in marked] == ["3", "7"]


def test_a_stream_selected_later_gets_its_history(stripe: Simulator) -> None:
    """The others go on from the feed; their lists are not read again."""
    populate(stripe.world.platform, seed=1, customers=20, start=NOW - 3 * YEAR, until=NOW - DAY)
    first = run(config_for(stripe), catalog=selecting("customers", "invoices"))
    second = later(stripe, first, "customers", "invoices", "invoice_line_items", "charges")
    expected_rows = expected(stripe.world.platform)
    assert len(second.records("charges")) == len(expected_rows["charges"])
    assert len(second.records("invoice_line_items")) == len(expected_rows["invoice_line_items"])
    assert second.records("invoices") == second.records("customers") == []
    assert "/v1/customers" not in requests_of(stripe)


def test_a_late_event_is_not_lost(stripe: Simulator) -> None:
    """An event that becomes visible after the run that should have seen it."""
    stripe.world.platform.create("customer", {"id": "cus_1"}, at=NOW - 9 * DAY)
    first = run(config_for(stripe), catalog=selecting("customers"))
    stripe.world.platform.update("customer", "cus_1", {"name": "x"}, event=None)
    stripe.world.platform.add_event(
        "customer.updated",
        stripe.world.platform.get("customer", "cus_1") or {},
        at=NOW - 3,
        visible_at=NOW + 20,
    )
    second = run(config_for(stripe), state=first.state, catalog=selecting("customers"))
    stripe.world.clock.advance(60)
    third = run(config_for(stripe), state=second.state, catalog=selecting("customers"))
    assert second.counts == {}
    assert [row["name"] for row in third.records("customers")] == ["x"]


def test_a_read_that_keeps_failing_leaves_the_bookmark(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No record from the payload; this stream fails, the others are not affected."""
    monkeypatch.setattr(Client, "attempts", 2)
    monkeypatch.setattr(Client, "backoff", 0.01)
    for object_ in ("charge", "coupon"):
        stripe.world.platform.create(object_, {"id": "x_1"}, at=NOW - 9 * DAY)
    first = run(config_for(stripe), catalog=selecting("charges", "coupons"))
    stripe.faults.add(Fault(match="/v1/charges/x_1", status=500))

    def change(account: Account) -> None:
        account.update("charge", "x_1", {"description": "new"})
        account.update("coupon", "x_1", {"name": "new"})

    second = later(stripe, first, "charges", "coupons", change=change)
    assert second.exit_code == 1
    assert second.counts == {"coupons": 1}
    assert second.state["bookmarks"]["charges"]["events_until"] <= "2026-01-01T12:00:00+00:00"
    stripe.faults.clear()
    third = later(stripe, second, "charges", "coupons")
    assert third.counts == {"charges": 1}


def test_a_key_without_event_permission_is_reported(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """The first run already reports what is lost, and which permission is missing."""
    stripe.world.add_key("rk_test_few", permissions={"rak_coupon_read"})
    first = run(config_for(stripe, api_key="rk_test_few"), catalog=selecting("coupons"))
    assert first.exit_code == 1
    warnings = (one for one in caplog.records if one.levelname == "WARNING")
    (line,) = (one.getMessage() for one in warnings)
    assert "rak_event_read" in line
    assert "changes and deletions" in line
    assert "deselect" not in line


def test_new_rows_come_by_listing_where_the_key_may_not_read_events(stripe: Simulator) -> None:
    """Changes are not read until the permission is granted; then they come from the feed."""
    platform = stripe.world.platform
    platform.create("coupon", {"id": "OLD"}, at=NOW - 9 * DAY)
    stripe.world.add_key("rk_test_few", permissions={"rak_coupon_read"})
    settings: Json = {"api_key": "rk_test_few", "on_permission_error": "warn"}
    first = run(config_for(stripe, **settings), catalog=selecting("coupons"))

    def change(account: Account) -> None:
        account.update("coupon", "OLD", {"name": "changed"})
        account.create("coupon", {"id": "NEW"})

    second = later(stripe, first, "coupons", change=change, **settings)
    assert [row["id"] for row in second.records("coupons")] == ["NEW"]
    third = later(stripe, second, "coupons", **settings)
    assert third.counts == {}
    allowed = later(stripe, third, "coupons")
    assert {row["id"]: row["name"] for row in allowed.records("coupons")}["OLD"] == "changed"


def test_a_cursor_that_died_restarts_its_window(stripe: Simulator) -> None:
    """The object that a page ended with is deleted: no gap, no duplicate."""
    bulk.load(stripe.world.platform, customers=450, start=NOW - DAY, until=NOW - DAY + 100)
    dead: Json = {
        "error": {
            "type": "invalid_request_error",
            "code": "resource_missing",
            "param": "starting_after",
            "message": "No such customer",
        }
    }
    stripe.faults.add(Fault(match="starting_after", status=400, body=dead, times=3, skip=1))
    output = run(config_for(stripe), catalog=selecting("customers"))
    assert output.exit_code == 0
    assert len(output.records("customers")) == 450
    assert len({row["id"] for row in output.records("customers")}) == 450


@pytest.mark.parametrize(
    "fault",
    [{"truncate": 0.5}, {"reset": True}, {"not_a_list": True}, {"status": 500}, {"status": 409}],
)
def test_passing_faults_cost_no_row(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, fault: Json
) -> None:
    """Requests with damaged responses are retried with the same cursor."""
    monkeypatch.setattr(Client, "backoff", 0.01)
    bulk.load(stripe.world.platform, customers=1500, start=NOW - YEAR, until=NOW - DAY)
    for skip in (2, 5, 9):
        stripe.faults.add(Fault(match="/v1/customers", skip=skip, times=1, **fault))
    output = run(config_for(stripe), catalog=selecting("customers"))
    assert output.exit_code == 0
    assert len(output.records("customers")) == 1500
    assert len({row["id"] for row in output.records("customers")}) == 1500


def test_pages_that_are_too_large_are_requested_in_smaller_sizes(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that fails above 30 rows is read in pages of 25."""
    monkeypatch.setattr(Client, "backoff", 0.01)
    bulk.load(stripe.world.platform, invoices=300, lines=2, start=NOW - YEAR, until=NOW - DAY)
    stripe.faults.add(Fault(match="/v1/invoices", page_limit=30))
    output = run(config_for(stripe), catalog=selecting("invoices"))
    assert output.exit_code == 0
    assert len({row["id"] for row in output.records("invoices")}) == 300


def test_a_second_account_does_not_wait_for_the_first(stripe: Simulator) -> None:
    """Each account follows its own feed."""
    for name in ("acct_1One", "acct_1Two"):
        account = stripe.world.add_account(name)
        account.create("coupon", {"id": "C"}, at=NOW - 9 * DAY)
    config = {"account_ids": ["acct_1One", "acct_1Two"]}
    first = run(config_for(stripe, **config), catalog=selecting("coupons"))
    stripe.world.accounts["acct_1Two"].update("coupon", "C", {"name": "two"})
    stripe.world.clock.advance(DAY)
    stripe.journal.clear()
    second = run(config_for(stripe, **config), state=first.state, catalog=selecting("coupons"))
    assert [row["account_id"] for row in second.records("coupons")] == ["acct_1Two"]
    assert requests_of(stripe).count("/v1/events") == 2


def test_a_busy_week_ends_in_what_stripe_says(stripe: Simulator) -> None:
    """Random changes over some runs, then one quiet run: the warehouse equals Stripe."""
    chance = random.Random(5)  # noqa: S311 - not for secrets
    account = stripe.world.platform
    warehouse = Warehouse()
    state: Json | None = None
    for _ in range(6):
        for place in range(30):
            name = f"cus_{chance.randrange(40)}"
            if account.get("customer", name) is None:
                account.create("customer", {"id": name})
            elif chance.random() < 0.2:
                account.delete("customer", name)
            else:
                account.update("customer", name, {"name": str(place)})
            stripe.world.clock.advance(chance.choice([0, 1, 100]))
        output = run(config_for(stripe), state=state, catalog=selecting("customers"))
        warehouse.load(output.messages)
        state = output.state
    stripe.world.clock.advance(3600)
    warehouse.load(run(config_for(stripe), state=state, catalog=selecting("customers")).messages)
    alive = {
        key: {**row, "updated_at": None}
        for key, row in warehouse.tables["customers"].items()
        if not row["_sdc_deleted_at"]
    }
    expected_rows = expected(account)["customers"]
    assert alive == {key: {**row, "updated_at": None} for key, row in expected_rows.items()}
