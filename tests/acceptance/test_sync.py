"""A sync against a simulated Stripe: what is requested, how often, and what is written."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from tap_stripe_connect.catalog import LISTED, STREAMS
from tap_stripe_connect.simulator import bulk, shapes
from tap_stripe_connect.simulator.business import populate
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.sync.emit.gc_tuning import THRESHOLDS
from tap_stripe_connect.sync.fetch.engine import Engine
from tap_stripe_connect.sync.fetch.hedging import HedgeTimer
from tests.support.harness import (
    DAY,
    NOW,
    Warehouse,
    add_samples,
    cli,
    config_for,
    expected,
    run,
    selecting,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_stripe_connect.simulator.server import Simulator
    from tap_stripe_connect.sync.plan.jobs import Job, Page

YEAR = 365 * DAY
FIRST_RUN = ("/v1/account", "/v1/events")
"""Paths that every first run requests: the key's account, and whether it may read events."""


def lists_of(stripe: Simulator, path: str) -> int:
    """Count the requests of one list."""
    return stripe.journal.count(path=path)


def invoice_of(stripe: Simulator, name: str, lines: int, **fields: object) -> None:
    """Create an invoice with a number of lines."""
    stripe.world.platform.create(
        "invoice",
        {
            "id": name,
            "lines": [{"id": f"il_{name}_{place}", "amount": place} for place in range(lines)],
            **fields,
        },
    )


def test_a_first_load_writes_what_stripe_holds(stripe: Simulator) -> None:
    """Every object of every stream arrives once, with each field as Stripe has it."""
    populate(stripe.world.platform, seed=1, customers=60, start=NOW - YEAR, until=NOW)
    add_samples(stripe.world.platform)
    output = run(config_for(stripe))
    warehouse = Warehouse().load(output.messages)
    for stream, rows in expected(stripe.world.platform).items():
        assert warehouse.tables[stream] == rows, stream
        assert len(output.records(stream)) == len(rows), f"{stream}: a row was written twice"
    assert all(warehouse.tables[stream.name] for stream in STREAMS)


def test_an_idle_second_run_writes_no_row(stripe: Simulator) -> None:
    """Rows of the overlap that were written before are not written again."""
    populate(stripe.world.platform, seed=1, customers=20, start=NOW - YEAR, until=NOW)
    for place in range(5):
        stripe.world.platform.create("coupon", {"id": f"LATE{place}"}, at=NOW - place)
    first = run(config_for(stripe))
    second = run(config_for(stripe), state=first.state)
    third = run(config_for(stripe), state=second.state)
    assert {row["id"] for row in first.records("coupons")} >= {f"LATE{place}" for place in range(5)}
    assert second.counts == {}
    assert third.counts == {}


def test_a_later_run_writes_only_what_is_new(stripe: Simulator) -> None:
    """New objects arrive, also one that became visible after the first run."""
    account = stripe.world.platform
    account.create("customer", {"id": "cus_early"}, at=NOW - DAY)
    account.create("customer", {"id": "cus_late"}, at=NOW - 3, visible_at=NOW + 20)
    first = run(config_for(stripe), catalog=selecting("customers"))
    stripe.world.clock.advance(3600)
    account.create("customer", {"id": "cus_new"}, at=NOW + 1800)
    second = run(config_for(stripe), state=first.state, catalog=selecting("customers"))
    assert [row["id"] for row in first.records("customers")] == ["cus_early"]
    assert {row["id"] for row in second.records("customers")} == {"cus_late", "cus_new"}


def test_an_object_changed_within_the_overlap_is_written_again(stripe: Simulator) -> None:
    """Rows written before are recognised by their content, not by their id."""
    account = stripe.world.platform
    account.create("customer", {"id": "cus_1", "name": "One"}, at=NOW - 10)
    first = run(config_for(stripe), catalog=selecting("customers"))
    account.update("customer", "cus_1", {"name": "Two"})
    second = run(config_for(stripe), state=first.state, catalog=selecting("customers"))
    assert [row["name"] for row in second.records("customers")] == ["Two"]


def test_bookmarks_stay_behind_stripes_clock(stripe: Simulator) -> None:
    """No STATE covers anything newer than the lag allows."""
    stripe.world.platform.create("customer", {"id": "cus_1"}, at=NOW)
    output = run(config_for(stripe, lag_seconds=600))
    covered = output.state["bookmarks"]["customers"]["covered"]
    assert covered == [["1970-01-01T00:00:00+00:00", "2025-12-31T23:50:00+00:00"]]


def test_lists_cut_at_ten_are_completed(stripe: Simulator) -> None:
    """An invoice of 25 lines and a subscription of 22 items give all their rows."""
    invoice_of(stripe, "in_1", 25)
    invoice_of(stripe, "in_2", 10)
    stripe.world.platform.create(
        "subscription",
        {"id": "sub_1", "items": [{"id": f"si_{place}"} for place in range(22)]},
    )
    output = run(config_for(stripe))
    assert output.counts["invoice_line_items"] == 35
    assert output.counts["subscription_items"] == 22
    assert len({frozenset(row) for row in output.records("invoice_line_items")}) == 1
    assert {row["invoice"] for row in output.records("invoice_line_items")} == {"in_1", "in_2"}
    assert lists_of(stripe, "/v1/invoices/{id}/lines") == 1
    assert "has_more" not in str(output.records("invoices") + output.records("subscriptions"))


def test_an_invoice_of_thousands_of_lines_stays_small(stripe: Simulator) -> None:
    """The parent's row does not contain its children."""
    invoice_of(stripe, "in_big", 5000)
    output = run(config_for(stripe), catalog=selecting("invoices", "invoice_line_items"))
    assert output.counts == {"invoices": 1, "invoice_line_items": 5000}
    assert len(str(output.records("invoices")[0])) < 65_536


@pytest.mark.parametrize(
    ("selected", "counts"),
    [
        (["invoices", "invoice_line_items"], {"invoices": 300, "invoice_line_items": 2400}),
        (["invoice_line_items"], {"invoice_line_items": 2400}),
        (["invoices"], {"invoices": 300}),
    ],
)
def test_embedded_children_cost_no_request(
    stripe: Simulator, selected: list[str], counts: dict[str, int]
) -> None:
    """Invoices of eight lines are read by their list pages alone, each once."""
    bulk.load(stripe.world.platform, invoices=300, lines=8, start=NOW - YEAR, until=NOW)
    output = run(config_for(stripe), catalog=selecting(*selected))
    assert output.counts == counts
    assert {one.path for one in stripe.journal.requests} == {*FIRST_RUN, "/v1/invoices"}
    queries = [tuple(one.query) for one in stripe.journal.requests]
    assert len(queries) == len(set(queries))


def test_unselected_streams_cost_no_request(stripe: Simulator) -> None:
    """With only customers selected nothing else is requested."""
    populate(stripe.world.platform, seed=1, customers=10, start=NOW - YEAR, until=NOW)
    run(config_for(stripe), catalog=selecting("customers"))
    assert {request.path for request in stripe.journal.requests} == {*FIRST_RUN, "/v1/customers"}


def test_long_lists_are_not_completed_for_a_child_that_is_not_selected(stripe: Simulator) -> None:
    """An invoice's further lines are not requested if only invoices are selected."""
    invoice_of(stripe, "in_1", 25)
    run(config_for(stripe), catalog=selecting("invoices"))
    assert lists_of(stripe, "/v1/invoices/{id}/lines") == 0


def test_subscriptions_of_every_status_arrive(stripe: Simulator) -> None:
    """Cancelled ones too, and their items."""
    statuses = ["active", "canceled", "incomplete", "incomplete_expired", "past_due", "trialing"]
    for status in statuses:
        stripe.world.platform.create(
            "subscription",
            {"id": f"sub_{status}", "status": status, "items": [{"id": f"si_{status}"}]},
        )
    output = run(config_for(stripe))
    assert sorted(row["status"] for row in output.records("subscriptions")) == statuses
    assert len(output.records("subscription_items")) == len(statuses)


def test_a_preview_without_an_id_stays_in_events(stripe: Simulator) -> None:
    """`invoice.upcoming` gives a row of events and none of invoices."""
    preview = shapes.complete("invoice", {"id": None})
    preview.pop("id")
    stripe.world.platform.add_event("invoice.upcoming", preview, at=NOW - DAY)
    output = run(config_for(stripe))
    assert output.counts == {"events": 1}
    assert output.records("events")[0]["data"]["object"]["object"] == "invoice"


def test_equal_line_ids_of_two_invoices_are_two_rows(stripe: Simulator) -> None:
    """The invoice is part of a line's key."""
    for name in ("in_1", "in_2"):
        stripe.world.platform.create("invoice", {"id": name, "lines": [{"id": "il_same"}]})
    output = run(config_for(stripe))
    assert set(Warehouse().load(output.messages).tables["invoice_line_items"]) == {
        ("acct_1Simulator", "in_1", "il_same"),
        ("acct_1Simulator", "in_2", "il_same"),
    }


def test_equal_ids_of_two_accounts_are_two_rows(stripe: Simulator) -> None:
    """Users choose the ids of coupons; the account is part of every key."""
    for name in ("acct_1One", "acct_1Two"):
        stripe.world.add_account(name).create("coupon", {"id": "SUMMER"})
    output = run(config_for(stripe, account_ids="acct_1One, acct_1Two"))
    assert set(Warehouse().load(output.messages).tables["coupons"]) == {
        ("acct_1One", "SUMMER"),
        ("acct_1Two", "SUMMER"),
    }
    assert {request.account for request in stripe.journal.requests} == {
        None,
        "acct_1One",
        "acct_1Two",
    }


def test_every_connected_account_can_be_read(stripe: Simulator) -> None:
    """All accounts, including the platform's own, except for the excluded ones."""
    stripe.world.platform.create("coupon", {"id": "OWN"}, at=NOW - DAY)
    for place in range(120):
        account = stripe.world.add_account(f"acct_1N{place}")
        account.create("coupon", {"id": f"C{place}"}, at=NOW - DAY)
    config = config_for(stripe, all_connected_accounts=True, exclude_account_ids=["acct_1N7"])
    output = run(config, catalog=selecting("coupons"))
    assert output.counts == {"coupons": 120}
    assert lists_of(stripe, "/v1/accounts") == 2
    bookmark = output.state["bookmarks"]["coupons"]
    assert bookmark["level_accounts"] == 120
    assert "accounts" not in bookmark


def test_an_account_added_later_gets_its_history(stripe: Simulator) -> None:
    """Each account has its own bookmark."""
    for name in ("acct_1One", "acct_1Two"):
        stripe.world.add_account(name).create("coupon", {"id": name}, at=NOW - YEAR)
    first = run(config_for(stripe, account_ids=["acct_1One"]))
    second = run(config_for(stripe, account_ids=["acct_1One", "acct_1Two"]), state=first.state)
    assert [row["account_id"] for row in second.records("coupons")] == ["acct_1Two"]


def test_a_key_that_may_not_read_its_own_account_works(stripe: Simulator) -> None:
    """The account is then taken from Stripe's error response."""
    stripe.world.platform.create("coupon", {"id": "C"})
    stripe.world.add_key("rk_test_few", permissions=["rak_coupon_read", "rak_event_read"])
    output = run(config_for(stripe, api_key="rk_test_few"), catalog=selecting("coupons"))
    assert output.exit_code == 0
    assert [row["account_id"] for row in output.records("coupons")] == ["acct_1Simulator"]


def test_an_account_that_stripe_does_not_name_has_a_fixed_name(stripe: Simulator) -> None:
    """Rows then have `acct_unknown`, the documented fallback."""
    stripe.world.platform.create("coupon", {"id": "C"})
    stripe.faults.add(Fault(match="/v1/account$", status=403, body={"error": {"message": "no"}}))
    output = run(config_for(stripe), catalog=selecting("coupons"))
    assert output.exit_code == 0
    assert [row["account_id"] for row in output.records("coupons")] == ["acct_unknown"]


@pytest.mark.parametrize("given", ['["acct_1One","acct_1Two"]', "acct_1One,acct_1Two"])
def test_settings_come_from_the_environment(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """Lists as JSON or with commas, numbers and booleans as words."""
    for name in ("acct_1One", "acct_1Two"):
        stripe.world.add_account(name).create("coupon", {"id": "C"})
    settings = {
        "API_KEY": stripe.api_key,
        "API_URL": stripe.url,
        "ACCOUNT_IDS": given,
        "MAX_REQUESTS_PER_SECOND": "500",
        "INCLUDE_PLATFORM": "false",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"TAP_STRIPE_CONNECT_{name}", value)
    result = cli("--config=ENV")
    assert result.returncode == 0
    assert result.stdout.count('"stream":"coupons","record"') == 2


def test_a_wrong_number_in_the_environment_is_one_error_among_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It does not hide the other errors."""
    monkeypatch.setenv("TAP_STRIPE_CONNECT_LAG_SECONDS", "soon")
    result = cli("--config=ENV")
    assert result.returncode == 1
    assert "lag_seconds: 'soon' is not a whole number" in result.stderr
    assert "api_key is missing" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_empty_account_ends_with_all_bookmarks(stripe: Simulator) -> None:
    """The last message is a STATE that has a bookmark of every stream."""
    output = run(config_for(stripe))
    assert output.messages[-1]["type"] == "STATE"
    assert set(output.state["bookmarks"]) == {stream.name for stream in STREAMS}


def test_what_is_not_selected_keeps_its_bookmark(stripe: Simulator) -> None:
    """Bookmarks of other streams and keys that are not ours pass through."""
    first = run(config_for(stripe))
    state = {**first.state, "somebody": {"else": 1}}
    state["bookmarks"]["long_gone"] = {"replication_key_value": "2020-01-01"}
    stripe.world.clock.advance(DAY)
    second = run(config_for(stripe), state=state, catalog=selecting("charges"))
    assert second.state["somebody"] == {"else": 1}
    changed = {
        name
        for name, bookmark in second.state["bookmarks"].items()
        if bookmark != state["bookmarks"][name]
    }
    assert changed == {"charges"}
    assert set(second.state["bookmarks"]) == set(state["bookmarks"])


def test_an_earlier_start_date_loads_the_missing_years_once(stripe: Simulator) -> None:
    """What lies between the new and the old start is read, nothing else."""
    for year in range(4):
        stripe.world.platform.create("charge", {"id": f"ch_{year}"}, at=NOW - year * YEAR - DAY)
    catalog = selecting("charges")
    first = run(config_for(stripe, start_date="2024-12-01"), catalog=catalog)
    second = run(config_for(stripe, start_date="2022-01-01"), state=first.state, catalog=catalog)
    third = run(config_for(stripe, start_date="2022-01-01"), state=second.state, catalog=catalog)
    assert {row["id"] for row in first.records("charges")} == {"ch_0", "ch_1"}
    assert {row["id"] for row in second.records("charges")} == {"ch_2", "ch_3"}
    assert third.counts == {}


def test_what_others_refer_to_ignores_the_start_date(stripe: Simulator) -> None:
    """An old customer of a new charge is loaded nevertheless."""
    stripe.world.platform.create("customer", {"id": "cus_old"}, at=NOW - 5 * YEAR)
    stripe.world.platform.create("charge", {"id": "ch_old"}, at=NOW - 5 * YEAR)
    stripe.world.platform.create("charge", {"id": "ch_1", "customer": "cus_old"}, at=NOW - DAY)
    output = run(config_for(stripe, start_date="2025-12-01"))
    assert [row["id"] for row in output.records("customers")] == ["cus_old"]
    assert [row["id"] for row in output.records("charges")] == ["ch_1"]


def test_a_bookmark_in_the_future_is_put_right(stripe: Simulator) -> None:
    """It is clamped to Stripe's clock less the lag, and the run goes on."""
    first = run(config_for(stripe), catalog=selecting("coupons"))
    first.state["bookmarks"]["coupons"]["covered"][0][1] = "2026-01-02T00:00:00+00:00"
    stripe.world.platform.create("coupon", {"id": "NEW"}, at=NOW - 1)
    second = run(config_for(stripe), state=first.state, catalog=selecting("coupons"))
    assert second.counts == {"coupons": 1}
    covered = second.state["bookmarks"]["coupons"]["covered"]
    assert covered == [["1970-01-01T00:00:00+00:00", "2025-12-31T23:55:00+00:00"]]


def test_a_bookmark_of_another_tap_is_not_believed(stripe: Simulator) -> None:
    """Its rows in the warehouse have another schema, so everything is loaded."""
    stripe.world.platform.create("coupon", {"id": "OLD"}, at=NOW - YEAR)
    state = {"bookmarks": {"coupons": {"replication_key_value": "2025-12-31T00:00:00Z"}}}
    output = run(config_for(stripe), state=state, catalog=selecting("coupons"))
    assert output.counts == {"coupons": 1}
    assert "covered" in output.state["bookmarks"]["coupons"]


def test_full_table_in_the_catalog_reads_everything_again(stripe: Simulator) -> None:
    """`replication-method: FULL_TABLE` refreshes one stream."""
    stripe.world.platform.create("coupon", {"id": "OLD"}, at=NOW - YEAR)
    catalog = selecting("coupons")
    first = run(config_for(stripe), catalog=catalog)
    for entry in catalog["streams"]:
        entry["replication_method"] = "FULL_TABLE"
    second = run(config_for(stripe), state=first.state, catalog=catalog)
    assert second.counts == {"coupons": 1}


def test_fields_that_the_schema_does_not_know_are_kept(stripe: Simulator) -> None:
    """They arrive in `additional_fields`."""
    document = shapes.complete("coupon", {"id": "C", "created": NOW - DAY})
    stripe.world.platform.insert({**document, "brand_new_field": {"a": [1, None]}})
    output = run(config_for(stripe))
    (row,) = output.records("coupons")
    assert row["additional_fields"] == {"brand_new_field": {"a": [1, None]}}
    assert "brand_new_field" not in row


@pytest.mark.usefixtures("one_reader")
@pytest.mark.parametrize("spread", ["even", "clustered"])
def test_a_first_load_takes_hardly_more_requests_than_pages(
    stripe: Simulator, spread: bulk.Spread
) -> None:
    """At most 1.2 times the full pages plus 50, however the rows are spread over ten years."""
    rows = 10_000
    bulk.load(
        stripe.world.platform, customers=rows, start=NOW - 10 * YEAR, until=NOW, spread=spread
    )
    output = run(config_for(stripe), catalog=selecting("customers"))
    assert output.counts == {"customers": rows}
    assert len({row["id"] for row in output.records("customers")}) == rows
    assert stripe.journal.count() <= 1.2 * rows / 100 + 50


@pytest.mark.usefixtures("one_reader")
def test_a_second_dense_with_rows_is_read_whole(stripe: Simulator) -> None:
    """More rows than a page holds may share a second."""
    bulk.load(stripe.world.platform, customers=1050, start=NOW - DAY, until=NOW - DAY + 1)
    output = run(config_for(stripe), catalog=selecting("customers"))
    assert len({row["id"] for row in output.records("customers")}) == 1050
    assert output.counts == {"customers": 1050}
    assert stripe.journal.count() <= 11 + 50


def test_only_get_requests_are_sent_and_the_version_is_named(stripe: Simulator) -> None:
    """The tap reads; it never changes anything at Stripe."""
    invoice_of(stripe, "in_1", 25)
    run(config_for(stripe))
    assert {request.method for request in stripe.journal.requests} == {"GET"}
    assert {request.api_version for request in stripe.journal.requests} == {"2026-10-28.endive"}
    assert {request.status for request in stripe.journal.requests} == {200}


def test_every_record_fits_its_schema_and_stream(stripe: Simulator) -> None:
    """Each property is of the one type that its schema names, and `object` is the stream's."""
    import jsonschema  # noqa: PLC0415 - takes long to import

    populate(stripe.world.platform, seed=2, customers=30, start=NOW - YEAR, until=NOW)
    output = run(config_for(stripe))
    for stream in STREAMS:
        checker = jsonschema.Draft7Validator(output.schema(stream.name))
        for record in output.records(stream.name):
            checker.validate(record)
            assert record["object"] == stream.object
            assert "1.7e9" not in str(record)


def test_requests_to_a_list_carry_the_parameters_of_the_table(stripe: Simulator) -> None:
    """Every list is requested with a limit of 100, without default filters, and with `expand`."""
    run(config_for(stripe))
    for listed in LISTED.values():
        (request,) = (one for one in stripe.journal.requests if one.path == listed.path)
        parameters = {**listed.parameters, **listed.expanded("data.")}
        assert dict(request.query) == {"limit": "100", **parameters}


def test_a_page_that_takes_too_long_is_hedged(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first response counts, the other one is discarded; each row is written once."""
    monkeypatch.setattr("tap_stripe_connect.sync.fetch.engine.HedgeTimer", HedgeTimer)
    monkeypatch.setattr("tap_stripe_connect.sync.fetch.hedging.MIN_SECONDS", 0.1)
    monkeypatch.setattr("tap_stripe_connect.sync.fetch.hedging.FIRST_GUESS", 0.05)
    monkeypatch.setattr("tap_stripe_connect.sync.fetch.engine.HEDGE_POLL_SECONDS", 0.02)
    bulk.load(stripe.world.platform, customers=800, start=NOW - YEAR, until=NOW - DAY)
    stripe.faults.add(Fault(match="/v1/customers", skip=1, times=1, hang=True))
    output = run(config_for(stripe), catalog=selecting("customers"))
    ids = [row["id"] for row in output.records("customers")]
    assert len(ids) == len(set(ids)) == 800
    covered = output.state["bookmarks"]["customers"]["covered"]
    assert len(covered) == 1
    assert any(one.status is None for one in stripe.journal.requests)


def test_a_run_restores_the_thresholds_of_garbage_collection(stripe: Simulator) -> None:
    """A program that runs the tap in its process has the same settings afterwards."""
    before = gc.get_threshold()
    during: list[tuple[int, int, int]] = []

    class ObservedEngine(Engine):
        """An engine that records the settings."""

        def pages(self) -> Iterator[Page | Job]:
            """Record them before anything is read."""
            during.append(gc.get_threshold())
            return super().pages()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tap_stripe_connect.sync.session.Engine", ObservedEngine)
        run(config_for(stripe), catalog=selecting("charges"))
    assert during == [THRESHOLDS] != [before]
    assert gc.get_threshold() == before
