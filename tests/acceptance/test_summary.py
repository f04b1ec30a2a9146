"""The closing summary, and failures that do not end a run."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tap_stripe_connect.api.client import Client
from tap_stripe_connect.api.errors import RULES, ErrorAction, StripeError, rule_for, says_missing
from tap_stripe_connect.catalog import LISTED, STREAMS
from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.sync.emit import messages
from tap_stripe_connect.sync.emit.dedupe import RecordFilter
from tap_stripe_connect.sync.emit.writer import OutputLoop
from tap_stripe_connect.sync.plan.backfill import Backfill
from tap_stripe_connect.sync.plan.jobs import Job, Purpose
from tap_stripe_connect.sync.report.failures import grouped_failures
from tap_stripe_connect.sync.report.stats import Coverage, Stats, coverage, stream_of
from tap_stripe_connect.sync.report.summary import Summary
from tap_stripe_connect.sync.state.bookmark import Bookmark
from tap_stripe_connect.tap import TapStripeConnect
from tests.support.harness import DAY, NOW, config_for, parsed, run, selecting

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.server import Simulator
    from tap_stripe_connect.sync.plan.page_output import PageOutput
    from tests.support.harness import Json

YEAR = 365 * DAY
OWN = "acct_1Simulator"


@pytest.fixture(autouse=True)
def _capture_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Capture the log, and keep the backoff short."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(Client, "backoff", 0.01)


def summary_of(caplog: pytest.LogCaptureFixture) -> Json:
    """Return the JSON line; fails unless there is exactly one."""
    (line,) = (one for one in caplog.messages if one.startswith("summary {"))
    found: Json = json.loads(line.removeprefix("summary "))
    return found


def table_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines of the table; fails unless it is exactly one log call."""
    (text,) = (one for one in caplog.messages if one.startswith("Summary: "))
    return text.splitlines()


def line_of(caplog: pytest.LogCaptureFixture, name: str) -> str:
    """Return the table's only line of a stream or account."""
    (line,) = (one for one in table_of(caplog) if one.startswith(f"{name} "))
    return line


def gone(name: str, object_: str = "invoice") -> Json:
    """Return Stripe's response for an object that does not exist."""
    message = f"No such {object_}: '{name}'"
    return {"error": {"code": "resource_missing", "param": "id", "message": message}}


def invoices(account: Account, number: int, lines: int = 11) -> None:
    """Create invoices `in_0` and so on, with truncated lists of lines."""
    for place in range(number):
        given = [{"id": f"il_{place}_{line}"} for line in range(lines)]
        account.create("invoice", {"id": f"in_{place}", "lines": given}, at=NOW - DAY - place)


def test_everything_that_was_skipped_is_told(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A denied stream, a revoked account and a deleted parent in one run, with exact counts."""
    for name in ("acct_1One", "acct_1Two", "acct_1Three"):
        account = stripe.world.add_account(name)
        account.create("coupon", {"id": "C"}, at=NOW - DAY)
        invoices(account, 3)
    stripe.world.disconnect("acct_1Two")
    stripe.world.add_key("rk_test_few", permissions=["rak_coupon_read", "rak_invoice_read"])
    stripe.faults.add(Fault(match="in_1/lines", status=404, body=gone("in_1"), times=1))
    stripe.faults.add(Fault(match="/v1/coupons", status=500, times=1))
    output = run(
        config_for(
            stripe,
            api_key="rk_test_few",
            account_ids=["acct_1One", "acct_1Two", "acct_1Three"],
        ),
        catalog=selecting("charges", "coupons", "invoices", "invoice_line_items"),
    )
    assert output.exit_code == 1
    assert output.counts == {"coupons": 2, "invoices": 5, "invoice_line_items": 55}
    report = summary_of(caplog)
    assert report["outcome"] == "incomplete"
    assert report["rows"] == 62
    assert report["requests"] == stripe.journal.count()
    assert report["retries"] == 1
    streams = report["streams"]
    assert {name: streams[name]["rows"] for name in output.counts} == output.counts
    assert streams["invoices"]["vanished"] == 1
    assert streams["charges"]["accounts_unfinished"] == 3
    assert streams["invoice_line_items"]["requests"] == 6
    skipped = {one["reason"]: one for one in report["skipped"]}
    assert set(skipped) == {"permission", "account"}
    assert skipped["permission"]["permission"] == "rak_charge_read"
    assert sorted(skipped["permission"]["account_ids"]) == ["acct_1One", "acct_1Three"]
    assert skipped["account"]["account_ids"] == ["acct_1Two"]
    assert set(report["accounts"]) == {"acct_1One", "acct_1Two", "acct_1Three"}
    assert report["accounts_not_shown"] == 0
    assert "needs rak_charge_read for 2 accounts" in line_of(caplog, "charges")
    assert "1 vanished while being read" in line_of(caplog, "invoices")
    assert "could not be read: account_invalid" in line_of(caplog, "acct_1Two")
    assert sum("acct_1Two could not be read" in one for one in caplog.messages) == 1


def test_requests_and_retries_are_counted_where_they_belong(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """By account and stream; the event feed and the account lookup have names of their own."""
    stripe.world.platform.create("coupon", {"id": "C"}, at=NOW - DAY)
    first = run(config_for(stripe), catalog=selecting("coupons"))
    stripe.world.platform.update("coupon", "C", {"name": "new"})
    stripe.world.platform.create("coupon", {"id": "D"})
    stripe.world.clock.advance(10)
    stripe.world.platform.delete("coupon", "D")
    stripe.world.clock.advance(DAY - 10)
    stripe.faults.add(Fault(match="/v1/coupons", status=500, times=3))
    caplog.clear()
    second = run(config_for(stripe), state=first.state, catalog=selecting("coupons"))
    report = summary_of(caplog)
    assert [bool(row["_sdc_deleted_at"]) for row in second.records("coupons")] == [True, False]
    own = report["accounts"][OWN]
    assert own["coupons"].pop("seconds_waited", 0) >= 0
    assert own == {
        "(account lookup)": {"rows": 0, "requests": 1},
        "(event feed)": {"rows": 0, "requests": 1},
        "coupons": {"rows": 2, "deleted": 1, "requests": 4, "retries": 3},
    }
    totals = [report[name] for name in ("rows", "deleted", "requests", "retries")]
    assert totals == [2, 1, 6, 3]
    assert report["streams"]["coupons"]["until"] == "2026-01-01T23:55:00+00:00"


def test_a_stream_that_did_nothing_is_not_in_the_table(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """An idle run has two lines beneath the head, however many streams are selected."""
    first = run(config_for(stripe))
    stripe.world.clock.advance(DAY)
    caplog.clear()
    run(config_for(stripe), state=first.state)
    assert [line.split("  ")[0] for line in table_of(caplog)[1:]] == [
        "stream",
        "(account lookup)",
        "events",
    ]
    assert summary_of(caplog)["outcome"] == "complete"


def test_every_stream_has_a_metric(stripe: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    """One record count for each selected stream, as the SDK writes it, in JSON."""
    invoices(stripe.world.platform, 2)
    run(config_for(stripe))
    points = [
        json.loads(one.removeprefix("METRIC: ")) for one in caplog.messages if "METRIC: " in one
    ]
    counts = {one["tags"]["stream"]: one["value"] for one in points}
    assert {one["metric"] for one in points} == {"record_count"}
    assert len(points) == len(STREAMS)
    assert (counts["invoices"], counts["invoice_line_items"], counts["charges"]) == (2, 22, 0)


def test_rows_that_a_stream_map_drops_are_not_counted(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Only written rows count."""
    for name in ("A", "B"):
        stripe.world.platform.create("coupon", {"id": name})
    maps = {"coupons": {"__filter__": "record['id'] == 'A'"}}
    output = run(config_for(stripe, stream_maps=maps), catalog=selecting("coupons"))
    assert output.counts == {"coupons": 1}
    assert summary_of(caplog)["rows"] == 1


# Ways out


def interrupt_after(monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
    """Interrupt the run in the middle of the page after a number of pages."""
    original_records = RecordFilter.records_of
    seen = []

    def records(self: RecordFilter, output: PageOutput) -> Any:
        seen.append(output)
        for row in original_records(self, output):
            if len(seen) > pages:
                (loop,) = loops
                loop.interrupt(15)
            yield row

    loops: list[OutputLoop] = []
    original_run = OutputLoop.run

    def captured_run(self: OutputLoop, *given: Any) -> None:
        loops.append(self)
        original_run(self, *given)

    monkeypatch.setattr(OutputLoop, "run", captured_run)
    monkeypatch.setattr(RecordFilter, "records_of", records)


def test_an_interrupted_run_sums_up_what_it_wrote(
    stripe: Simulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counts are those of the records on stdout."""
    bulk.load(stripe.world.platform, customers=500, start=NOW - YEAR, until=NOW - DAY)
    interrupt_after(monkeypatch, 2)
    output = run(config_for(stripe), catalog=selecting("customers"))
    assert output.exit_code == 143
    report = summary_of(caplog)
    assert report["outcome"] == "interrupted"
    assert report["rows"] == len(output.records("customers"))
    assert 100 <= report["rows"] < 500
    assert report["streams"]["customers"]["accounts_unfinished"] == 1
    assert "unfinished for 1 account" in line_of(caplog, "customers")


@pytest.mark.parametrize("way", ["signal", "error"])
def test_what_is_claimed_is_written_on_every_way_out(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Buffered rows are written when a run ends early."""
    monkeypatch.setattr(messages, "BLOCK_BYTES", 1_000_000_000)
    bulk.load(stripe.world.platform, customers=500, start=NOW - YEAR, until=NOW - DAY)
    if way == "signal":
        # The first page is that of the event feed.
        interrupt_after(monkeypatch, 2)
    else:
        error = {"error": {"message": "Invalid API Key provided"}}
        stripe.faults.add(Fault(match="starting_after", status=401, body=error))
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    tap = TapStripeConnect(config=config_for(stripe), catalog=selecting("customers"))
    with contextlib.redirect_stdout(stdout), contextlib.suppress(StripeError, SystemExit):
        tap.sync_all()
    buffer = stdout.buffer
    assert isinstance(buffer, io.BytesIO)
    written = parsed(buffer.getvalue())
    ids = {one["record"]["id"] for one in written if one["type"] == "RECORD"}
    stripe.faults.clear()
    monkeypatch.undo()
    rest = run(config_for(stripe), state=written[-1]["value"], catalog=selecting("customers"))
    assert written[-1]["value"]["bookmarks"]["customers"]["covered"]
    assert len(ids | {row["id"] for row in rest.records("customers")}) == 500


def test_a_fatal_error_is_summed_up_too(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong key costs one request, and nothing else."""
    with pytest.raises(StripeError):
        run(config_for(stripe, api_key="sk_test_wrong"))
    report = summary_of(caplog)
    assert (report["outcome"], report["rows"], report["requests"]) == ("ended early", 0, 1)


# What vanishes while it is read


@pytest.mark.parametrize("number", [1, 1000])
def test_parents_that_vanish_are_left_out_and_counted(
    stripe: Simulator, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    """One of 1,000 or all of them: the others are written, without a line for each."""
    invoices(stripe.world.platform, 1000)
    match = "in_500/lines" if number == 1 else "/lines"
    # A 404 that names another object would not count.
    body = gone("in_500") if number == 1 else {"error": {"code": "resource_missing"}}
    stripe.faults.add(Fault(match=match, status=404, body=body))
    caplog.clear()
    output = run(config_for(stripe), catalog=selecting("invoices", "invoice_line_items"))
    assert output.exit_code == 0
    assert len(output.records("invoices")) == 1000 - number
    assert len(output.records("invoice_line_items")) == 11 * (1000 - number)
    report = summary_of(caplog)
    assert report["streams"]["invoices"]["vanished"] == number
    assert report["streams"]["invoices"]["accounts_unfinished"] == 0
    assert report["skipped"] == []
    assert sum("vanish" in one for one in caplog.messages) == 2


def test_an_object_that_vanishes_while_it_is_read_again_is_marked(stripe: Simulator) -> None:
    """No incomplete row is written; its last event has the last known columns."""
    invoices(stripe.world.platform, 1)
    first = run(config_for(stripe), catalog=selecting("invoices", "invoice_line_items"))
    stripe.world.clock.advance(DAY)
    stripe.world.platform.update("invoice", "in_0", {"description": "x"})
    stripe.world.clock.advance(DAY)
    stripe.faults.add(Fault(match="in_0/lines", status=404, body=gone("in_0")))
    catalog = selecting("invoices", "invoice_line_items")
    second = run(config_for(stripe), state=first.state, catalog=catalog)
    assert second.exit_code == 0
    assert second.counts == {"invoices": 1, "invoice_line_items": 10}
    rows = [*second.records("invoices"), *second.records("invoice_line_items")]
    assert all(row["_sdc_deleted_at"] for row in rows)
    assert rows[0]["description"] == "x"


def test_objects_that_vanish_from_a_list_read_again_are_marked(stripe: Simulator) -> None:
    """Of three invoices changed together, the two that remain are written."""
    invoices(stripe.world.platform, 3)
    catalog = selecting("invoices", "invoice_line_items")
    first = run(config_for(stripe), catalog=catalog)
    stripe.world.clock.advance(DAY)
    for place in range(3):
        stripe.world.platform.update("invoice", f"in_{place}", {"description": "x"})
    stripe.world.clock.advance(DAY)
    stripe.faults.add(Fault(match="in_2/lines", status=404, body=gone("in_2")))
    second = run(config_for(stripe), state=first.state, catalog=catalog)
    gone_rows = {row["id"] for row in second.records("invoices") if row["_sdc_deleted_at"]}
    assert gone_rows == {"in_2"}
    left = [row for row in second.records("invoice_line_items") if not row["_sdc_deleted_at"]]
    assert len(left) == 22


@pytest.mark.parametrize(
    ("match", "body"),
    [
        ("/v1/customers", {"error": {"message": "Unrecognized request URL"}}),
        ("/v1/customers", gone("cus_1", "customer")),
        ("/lines", {"error": {"message": "Unrecognized request URL"}}),
    ],
)
def test_other_404s_are_errors(
    stripe: Simulator, caplog: pytest.LogCaptureFixture, match: str, body: Json
) -> None:
    """A list that does not exist fails, whatever the response says."""
    invoices(stripe.world.platform, 1)
    stripe.faults.add(Fault(match=match, status=404, body=body))
    output = run(config_for(stripe))
    assert output.exit_code == 1
    (skipped,) = summary_of(caplog)["skipped"]
    assert (skipped["reason"], skipped["status"]) == ("error", 404)


@pytest.mark.parametrize(
    ("status", "path", "message", "missing"),
    [
        (404, "/v1/invoices/in_1/lines", "No such invoice: 'in_1'", True),
        (404, "/v1/invoices/in_1/lines", "gone", True),
        (400, "/v1/subscription_items", "No such subscription: 'in_1'", True),
        (400, "/v1/invoices/in_1/lines", "No such line item: 'il_9'", False),
        (400, "/v1/subscription_items", "No such subscription: 'in_12'", False),
    ],
)
def test_a_response_names_the_missing_object(
    status: int, path: str, message: str, *, missing: bool
) -> None:
    """A deleted cursor or another missing object does not mean a missing parent."""
    error = StripeError(
        message,
        action=ErrorAction.FAIL_STREAM,
        path=path,
        status=status,
        code="resource_missing",
    )
    assert says_missing(error, "in_1") is missing


# Products that are not enabled


NOT_ENABLED = [rule for rule in RULES if rule.action is ErrorAction.NOT_ENABLED]


@pytest.mark.parametrize("rule", NOT_ENABLED, ids=lambda rule: rule.text)
@pytest.mark.parametrize("path", ["/v1/charges", "/v1/customers/cus_1/sources"])
def test_stripes_words_count_only_where_the_product_lives(rule: Any, path: str) -> None:
    """The same message for another list, or an unknown 400, is an error."""
    message = f"Your account is {rule.text}. See the Dashboard."
    own = f"{rule.path}cards"
    assert rule_for(400, "", message, own).action is ErrorAction.NOT_ENABLED
    assert rule_for(400, "", message, path).action is ErrorAction.FAIL_STREAM
    assert rule_for(400, "", "Something new", own).action is ErrorAction.FAIL_STREAM


@pytest.mark.parametrize(("path", "code"), [("/v1/issuing/cards", 0), ("/v1/coupons", 1)])
def test_a_product_that_is_not_enabled_is_one_information(
    stripe: Simulator,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    code: int,
) -> None:
    """Two accounts without the product: the run succeeds, and reports it once."""
    for name in ("acct_1One", "acct_1Two"):
        stripe.world.add_account(name).create("plan", {"id": "P"}, at=NOW - DAY)
    moved = replace(LISTED["coupons"], path=path)
    streams = tuple(moved if one.name == "coupons" else one for one in STREAMS)
    monkeypatch.setattr("tap_stripe_connect.tap.STREAMS", streams)
    message = "Your account is not set up to use Issuing. Please visit the Dashboard."
    stripe.faults.add(Fault(match=path, status=400, body={"error": {"message": message}}))
    output = run(
        config_for(stripe, account_ids=["acct_1One", "acct_1Two"]),
        catalog=selecting("coupons", "plans"),
    )
    assert output.exit_code == code
    assert output.counts == {"plans": 2}
    assert "coupons" not in output.state["bookmarks"]
    (record,) = (
        one for one in caplog.records if "not set up" in one.message and "{" not in one.message
    )
    assert record.levelno == (logging.WARNING if code else logging.INFO)
    report = summary_of(caplog)
    assert report["outcome"] == ("incomplete" if code else "complete")
    assert [(one["reason"], one["accounts"]) for one in report["skipped"]] == [
        ("error" if code else "not_enabled", 2)
    ]


# Errors


def test_an_error_line_has_all_that_support_asks_for(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Request id, method, path, status, code and account; also where a nested list fails."""
    invoices(stripe.world.add_account("acct_1One"), 1)
    body = {"error": {"code": "parameter_unknown", "message": "sk_test_51PlantedSecret is odd"}}
    stripe.faults.add(Fault(match="/lines", status=400, body=body))
    run(config_for(stripe, account_ids=["acct_1One"]))
    (line,) = (one for one in caplog.messages if "invoices of acct_1One" in one)
    for part in (
        "request id req_",
        "GET /v1/invoices/in_0/lines",
        "status 400",
        "code parameter_unknown",
        "account acct_1One",
    ):
        assert part in line
    assert "PlantedSecret" not in caplog.text


# Thousands of accounts


def failed(account: str, action: ErrorAction, stream: str = "charges") -> Job:
    """Return a job that has failed."""
    error = StripeError("no", action=action, path="/v1/x", account=account, status=403)
    return Job(LISTED[stream], account, account, Backfill([]), Purpose.LOAD, failure=error)


def large(accounts: int, denied: int) -> Summary:
    """Return the summary of a run over many accounts, some of which are denied charges."""
    names = [f"acct_1N{place:05}" for place in range(accounts)]
    return Summary(
        outcome="incomplete",
        seconds=3700,
        stats={
            (stream.name, name): Stats(rows=place, requests=1)
            for place, name in enumerate(names)
            for stream in STREAMS
        },
        failures=grouped_failures(failed(name, ErrorAction.SKIP_STREAM) for name in names[:denied]),
        coverages={stream.name: Coverage(NOW, 0) for stream in STREAMS},
        notes={},
    )


def test_thousands_of_accounts_take_few_lines() -> None:
    """Totals by stream, the accounts with failures, and the number of the others."""
    summary = large(5000, 300)
    lines = summary.table().splitlines()
    assert len(lines) == 1 + 1 + len(STREAMS) + 1 + 20 + 1
    assert lines[-1] == "and 4,980 other accounts"
    assert all("charges needs a permission" in line for line in lines[-21:-1])
    assert all(len(line) < 200 for line in lines)
    report = summary.as_json()
    assert report["rows"] == len(STREAMS) * sum(range(5000))
    assert len(report["accounts"]) == 200
    assert report["accounts_not_shown"] == 4800
    assert report["skipped"][0]["accounts"] == 300
    assert len(json.dumps(report)) < 200_000


def test_columns_stand_below_each_other() -> None:
    """Numbers are right-aligned, and text is left-aligned."""
    lines = large(3, 0).table().splitlines()
    streams = lines[1 : 2 + len(STREAMS)]
    end = streams[0].index("rows") + len("rows")
    assert {line[end - 1] for line in streams[1:]} == {"3"}
    start = streams[0].index("read until")
    assert {line[start:] for line in streams[1:]} == {"2026-01-01 00:00:00"}


def test_equal_failures_of_many_accounts_are_one_line() -> None:
    """The first accounts are named and all are counted; each account once."""
    jobs = [failed(f"acct_{place}", ErrorAction.SKIP_ACCOUNT) for place in range(900)]
    jobs += [failed(f"acct_{place}", ErrorAction.SKIP_ACCOUNT, "coupons") for place in range(900)]
    (group,) = grouped_failures(jobs)
    assert len(group.accounts) == 900
    assert group.line.startswith(
        "900 accounts (acct_0, acct_1, acct_2, acct_3, acct_4, …) could not be read; the first: no"
    )


@pytest.mark.parametrize(
    ("bookmarks", "until", "unfinished"),
    [
        ([Bookmark(((10, 90),), 80), Bookmark(((0, 70),), 0)], 70, 0),
        ([Bookmark(((10, 40), (60, 90)), 90)], 90, 1),
        ([Bookmark(((20, 90),), 90)], 90, 1),
        ([Bookmark(), Bookmark(((10, 90),), 90)], 90, 1),
        ([], 0, 0),
    ],
)
def test_the_account_farthest_behind_counts(
    bookmarks: list[Bookmark], until: int, unfinished: int
) -> None:
    """The oldest bookmark counts for a stream; gaps make an account unfinished."""
    assert coverage(bookmarks, 10) == Coverage(until, unfinished)


@pytest.mark.parametrize(
    ("route", "stream"),
    [
        *((listed.path, listed.name) for listed in LISTED.values()),
        *((f"{listed.path}/{{id}}", listed.name) for listed in LISTED.values()),
        ("/v1/invoices/{id}/lines", "invoice_line_items"),
        ("/v1/subscription_items", "subscription_items"),
        ("/v1/charges/{id}/refunds", "charges"),
        ("/v1/account", "(account lookup)"),
        ("/v1/accounts", "(account lookup)"),
    ],
)
def test_each_route_is_of_a_stream(route: str, stream: str) -> None:
    """Requests are counted for the stream whose rows they read."""
    assert stream_of(route) == stream
