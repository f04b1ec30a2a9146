"""Rows with invalid times: they lose only that column."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.simulator.faults import Fault
from tests.support.harness import DAY, NOW, config_for, run, selecting

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.server import Simulator
    from tests.support.harness import Json

INVALID: tuple[Any, ...] = (253_402_300_800, 10**18, 1_700_000_000.5, "2025-06-01", True, [1], {})
CUSTOMERS = selecting("customers")


def customer(name: str, created: Any) -> Json:
    """Return a customer as Stripe lists it."""
    return {"id": name, "object": "customer", "created": created, "livemode": False}


def serve(stripe: Simulator, *pages: list[Json]) -> None:
    """Serve these pages as the list of customers."""
    for place in reversed(range(len(pages))):
        page = {
            "object": "list",
            "url": "/v1/customers",
            "has_more": place + 1 < len(pages),
            "data": pages[place],
        }
        after = f".*starting_after={pages[place - 1][-1]['id']}$" if place else ""
        stripe.faults.add(Fault(match=f"^/v1/customers{after}", body=page))


@pytest.mark.parametrize(
    ("place", "invalid"),
    [*((3, invalid) for invalid in INVALID), *((place, INVALID[0]) for place in (0, 1))],
    ids=repr,
)
def test_a_row_with_an_invalid_time_arrives_without_it(
    stripe: Simulator, caplog: pytest.LogCaptureFixture, place: int, invalid: Any
) -> None:
    """Wherever it is on its page: all rows are written, it is named, the bookmark covers all."""
    pages = [
        [customer(f"cus_{page}{row}", NOW - DAY * (1 + page) - row) for row in range(4)]
        for page in range(3)
    ]
    pages[1][place]["created"] = invalid
    serve(stripe, *pages)
    output = run(config_for(stripe), catalog=CUSTOMERS)
    assert output.exit_code == 0
    rows = {record["id"]: record for record in output.records("customers")}
    assert len(output.records("customers")) == len(rows) == 12
    odd = rows.pop(f"cus_1{place}")
    assert (odd["created"], odd["updated_at"]) == (None, None)
    assert odd["additional_fields"] == {"created": invalid}
    assert all(row["created"] and row["additional_fields"] is None for row in rows.values())
    (line,) = (one.message for one in caplog.records if "invalid times" in one.message)
    assert f"created of cus_1{place} (acct_1Simulator)" in line
    assert output.state["bookmarks"]["customers"]["covered"] == [
        ["1970-01-01T00:00:00+00:00", "2025-12-31T23:55:00+00:00"]
    ]
    requests = [one for one in stripe.journal.requests if one.path == "/v1/customers"]
    assert len({one.parameter("starting_after") for one in requests}) == len(pages)


def test_a_whole_page_of_invalid_times_is_read_past(stripe: Simulator) -> None:
    """The page has no usable time; the cursor continues the list."""
    odd = [customer(f"cus_1{row}", invalid) for row, invalid in enumerate(INVALID)]
    serve(stripe, [customer("cus_0", NOW - DAY)], odd, [customer("cus_2", NOW - 2 * DAY)])
    output = run(config_for(stripe), catalog=CUSTOMERS)
    assert len(output.records("customers")) == 2 + len(INVALID)


def test_the_next_run_is_not_affected(stripe: Simulator) -> None:
    """A row with an invalid time is neither read nor written again."""
    serve(stripe, [customer("cus_0", NOW - DAY), customer("cus_1", "soon")])
    state = run(config_for(stripe), catalog=CUSTOMERS).state
    stripe.world.clock.advance(DAY)
    output = run(config_for(stripe), state=state, catalog=CUSTOMERS)
    assert (output.exit_code, output.counts) == (0, {})


@pytest.mark.parametrize("rows", [0, 350])
def test_a_row_from_before_1970_has_its_time(stripe: Simulator, rows: int) -> None:
    """It is written as a date-time, however the list is split."""
    account = stripe.world.platform
    bulk.load(account, customers=rows, start=NOW - 300 * DAY, until=NOW - DAY)
    for number, created in enumerate((-1, -86_400 * 365, -1)):
        account.create("customer", {"id": f"cus_old{number}", "created": created})
    output = run(config_for(stripe), catalog=CUSTOMERS)
    records = {record["id"]: record for record in output.records("customers")}
    assert len(output.records("customers")) == len(records) == rows + 3
    old = records["cus_old1"]
    assert old["created"] == old["updated_at"] == "1969-01-01T00:00:00+00:00"
    assert old["additional_fields"] is None


def test_any_time_of_a_row_can_be_invalid(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """The column is null, its value is kept under its path, and the row is named."""
    invoice = {
        "id": "in_1",
        "due_date": 10**12,
        "status_transitions": {"paid_at": "yesterday", "voided_at": NOW},
        "lines": [{"id": "il_1", "period": {"start": -1, "end": 1.5}}],
    }
    stripe.world.platform.create("invoice", invoice)
    output = run(config_for(stripe), catalog=selecting("invoices", "invoice_line_items"))
    (record,) = output.records("invoices")
    assert (record["due_date"], record["status_transitions"]["paid_at"]) == (None, None)
    assert record["status_transitions"]["voided_at"] == "2026-01-01T00:00:00+00:00"
    kept = {"due_date": 10**12, "status_transitions.paid_at": "yesterday"}
    assert record["additional_fields"] == kept
    (line,) = output.records("invoice_line_items")
    assert line["period"] == {"start": "1969-12-31T23:59:59+00:00", "end": None}
    assert line["additional_fields"] == {"period.end": 1.5}
    warnings = [one.message for one in caplog.records if "invalid times" in one.message]
    assert sorted(one.partition(":")[0] for one in warnings) == ["invoice_line_items", "invoices"]
    assert any("due_date, status_transitions.paid_at of in_1" in one for one in warnings)
    assert "yesterday" not in json.dumps(warnings)


@pytest.mark.parametrize("invalid", ["soon", 1.5, 10**12, -5], ids=repr)
def test_a_changed_object_with_an_invalid_time_is_read_again(
    stripe: Simulator, invalid: Any
) -> None:
    """An event about it costs neither the run nor the other changes."""
    account = stripe.world.platform
    account.create("customer", {"id": "cus_2"}, at=NOW - 9 * DAY)
    state = run(config_for(stripe), catalog=CUSTOMERS).state
    stripe.world.clock.advance(DAY)
    account.add_event("customer.updated", customer("cus_1", invalid))
    account.update("customer", "cus_2", {"name": "N"})
    stripe.faults.add(Fault(match="/v1/customers/cus_1", body=customer("cus_1", invalid)))
    output = run(config_for(stripe), state=state, catalog=CUSTOMERS)
    rows = {record["id"]: record for record in output.records("customers")}
    assert (output.exit_code, set(rows)) == (0, {"cus_1", "cus_2"})
    assert rows["cus_1"]["updated_at"] == "2026-01-02T00:00:00+00:00"
    kept = None if invalid == -5 else {"created": invalid}
    assert rows["cus_1"]["additional_fields"] == kept


def test_a_deleted_object_with_an_invalid_time_is_marked(stripe: Simulator) -> None:
    """Its last known columns are written, without that one."""
    state = run(config_for(stripe), catalog=CUSTOMERS).state
    stripe.world.clock.advance(DAY)
    stripe.world.platform.add_event("customer.deleted", customer("cus_1", "soon"))
    (record,) = run(config_for(stripe), state=state, catalog=CUSTOMERS).records("customers")
    assert (record["id"], record["created"]) == ("cus_1", None)
    assert record["_sdc_deleted_at"] == "2026-01-02T00:00:00+00:00"
