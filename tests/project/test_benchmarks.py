"""The benchmarks measure correctly."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import __main__ as command_line
from benchmarks import report, sink
from benchmarks.load import (
    YEAR,
    Conditions,
    CreationTimes,
    Load,
    Span,
    dense_second,
    empty_years,
    even,
)
from benchmarks.objects import BYTES, LINES
from benchmarks.pages import Stripe
from benchmarks.processes import Measurement, PageServer, run
from benchmarks.scenario import Results, Scenario, Threshold, cpu, memory, rate
from benchmarks.scenarios import QUICK, SCENARIOS
from benchmarks.server import RequestStats, Service
from benchmarks.subjects import SUBJECTS, Task, baseline, selecting, this_tap
from tap_stripe_connect.catalog import LISTED, NESTED

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_767_225_600
Json = dict[str, Any]


def asked(stripe: Stripe, path: str, query: str = "") -> tuple[int, Json]:
    """Return the status and the document of a response."""
    reply = stripe.answer(path, query)
    return reply.status, json.loads(reply.body)


def walked(stripe: Stripe, query: str = "") -> list[str]:
    """Return the ids that following the cursor through charges gives."""
    found: list[str] = []
    more = True
    while more:
        after = f"&starting_after={found[-1]}" if found else ""
        status, page = asked(stripe, "/v1/charges", f"limit=7{query}{after}")
        assert status == 200
        assert page["data"] or not found
        found += [row["id"] for row in page["data"]]
        more = page["has_more"]
    return found


def charges(*spans: Span) -> Stripe:
    """Return a Stripe with charges only."""
    return Stripe(Load(NOW, {"charge": spans}))


@pytest.mark.parametrize("spread", [even, dense_second, empty_years])
def test_pages_hold_every_object_once(spread: Callable[[int, int], tuple[Span, ...]]) -> None:
    """Cursors reach all objects, newest first, however these lie in time."""
    found = walked(charges(*spread(50, NOW)))
    assert found == [f"ch_Bulk{number:020}" for number in reversed(range(50))]


def test_windows_partition_the_objects() -> None:
    """Two adjacent windows give all objects, each within its bounds."""
    stripe = charges(*even(50, NOW))
    middle = asked(stripe, f"/v1/charges/ch_Bulk{25:020}")[1]["created"]
    newer, older = (walked(stripe, f"&created[{bound}]={middle}") for bound in ("gte", "lt"))
    assert newer + older == walked(stripe)
    assert newer[-1] == f"ch_Bulk{25:020}"
    before = asked(stripe, f"/v1/charges/{older[0]}")[1]["created"]
    assert newer == walked(stripe, f"&created[gt]={before}")
    assert older == walked(stripe, f"&created[lte]={before}")


def test_moments_never_decrease_across_spans() -> None:
    """Objects are numbered in the order of their creation, and each span holds its share."""
    moments = CreationTimes((Span(3, 10, 20), Span(0, 30, 40), Span(2, 50, 51)))
    assert list(moments) == [10, 13, 16, 50, 50]
    assert moments[1:4] == [13, 16, 50]


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/v1/charges", f"created[lt]={NOW - YEAR}&starting_after=ch_Bulk{49:020}", 400),
        ("/v1/charges", "starting_after=ch_Missing", 400),
        ("/v1/charges", "customer=cus_1", 400),
        ("/v1/charges", "type=charge.updated", 400),
        ("/v1/charges/ch_Missing", "", 404),
        ("/v1/nothing", "", 404),
    ],
)
def test_unsupported_requests_get_an_error(path: str, query: str, status: int) -> None:
    """A cursor outside the window, an unknown filter or path gets an error."""
    assert asked(charges(*even(50, NOW)), path, query)[0] == status


def test_objects_have_real_sizes_and_ids_of_their_own() -> None:
    """Rows take as many bytes as in accounts of real businesses, and name themselves."""
    kinds = ("charge", "customer", "invoice")
    stripe = Stripe(Load(NOW, {kind: even(2, NOW) for kind in kinds}))
    for listed in LISTED.values():
        if listed.object in kinds:
            row = asked(stripe, listed.path)[1]["data"][0]
            assert asked(stripe, f"{listed.path}/{row['id']}") == (200, row)
            size = len(json.dumps(row, separators=(",", ":")))
            assert size == pytest.approx(BYTES[listed.object], rel=0.02)
    lines = [
        line["id"]
        for row in asked(stripe, "/v1/invoices")[1]["data"]
        for line in row["lines"]["data"]
    ]
    assert len(set(lines)) == 2 * LINES
    nested = asked(stripe, f"/v1/invoices/in_Bulk{1:020}/lines")[1]["data"]
    assert [line["id"] for line in nested] == lines[:LINES]


def test_events_go_round_the_charges() -> None:
    """Each charge changes as often as any other, and its events show it as it was created."""
    spans = {"charge": even(3, NOW), "event": (Span(6, NOW - 100, NOW),)}
    stripe = Stripe(Load(NOW, spans))
    events = asked(stripe, "/v1/events")[1]["data"]
    about = Counter(event["data"]["object"]["id"] for event in events)
    assert about == {f"ch_Bulk{number:020}": 2 for number in range(3)}
    listed = {row["id"]: row["created"] for row in asked(stripe, "/v1/charges")[1]["data"]}
    assert {
        event["data"]["object"]["id"]: event["data"]["object"]["created"] for event in events
    } == listed
    assert [event["created"] for event in events] == sorted(
        (event["created"] for event in events), reverse=True
    )


def test_conditions_delay_limit_and_count() -> None:
    """Every n-th response stalls, requests over the limit get 429, and both are counted."""
    conditions = Conditions(latency=0.2, slow_every=3, per_second=4, per_endpoint=2)
    service = Service(Load(NOW, {"charge": even(5, NOW)}, conditions))
    waits = [service.respond("/v1/charges", "", zipped=False)[0] for _ in range(3)]
    service.respond("/v1/charges/ch_1", "", zipped=False)
    assert waits == [0.2, 0.2, 10.0]
    stats = json.loads(
        service.respond("/_bench/stats", "", zipped=False)[1].partition(b"\r\n\r\n")[2]
    )
    assert (stats["requests"], stats["rate_limited"], stats["rows"]) == (4, 1, 10)
    assert stats["by_path"] == {"/v1/charges": 3, "/v1/charges/{id}": 1}
    assert service.respond("/v1/charges", "", zipped=True)[1].count(b"gzip") == 0


def small(folder: Path, url: str, *streams: str) -> Task:
    """Return the task of reading some streams."""
    return Task(url, streams, NOW - 3 * YEAR, folder)


def test_the_tap_reads_the_page_server_once_and_whole(tmp_path: Path) -> None:
    """With real processes every row is written once, and both sides count the same requests."""
    load = Load(
        NOW,
        {"charge": empty_years(250, NOW), "invoice": even(30, NOW)},
        Conditions(gzip=True),
    )
    streams = ("charges", "invoices", "invoice_line_items")
    with PageServer(load) as server:
        command = this_tap(small(tmp_path, server.url, *streams))
        done = subprocess.run(command.arguments, check=True, capture_output=True)  # noqa: S603 - this tap
        stats = server.request_stats()
    rows = Counter(
        (message["stream"], message["record"]["id"])
        for message in map(json.loads, done.stdout.splitlines())
        if message["type"] == "RECORD"
    )
    assert set(rows.values()) == {1}
    assert Counter(stream for stream, _ in rows) == {
        "charges": 250,
        "invoices": 30,
        "invoice_line_items": 30 * LINES,
    }
    (summary,) = re.findall(r"summary ({.*})$", done.stderr.decode(), re.MULTILINE)
    assert stats.requests == sum(stats.by_path.values()) == json.loads(summary)["requests"]
    assert stats.by_path["/v1/account"] == 1


def test_the_baseline_writes_every_row(tmp_path: Path) -> None:
    """The baseline reads to the end of each list, and writes line items if selected."""
    with PageServer(Load(NOW, {"charge": even(150, NOW), "invoice": even(101, NOW)})) as server:
        streams = ("charges", "invoices", "invoice_line_items")
        command = baseline(small(tmp_path, server.url, *streams))
        measurement = run(command.arguments, tmp_path / "log")
        assert measurement.records == 150 + 101 * (1 + LINES)
        assert isinstance(stats := server.request_stats(), RequestStats)
        assert stats.by_path == {"/v1/charges": 2, "/v1/invoices": 2}
        without = baseline(small(tmp_path, server.url, "invoices"))
        assert run(without.arguments, tmp_path / "log").records == 101


def test_the_sink_counts_records_across_blocks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record counts once wherever a block ends and however its JSON is spaced."""
    text = b'{"type":"RECORD"}\n{"type":"STATE"}\n{"type": "RECORD"}\n'
    for width in range(1, len(text) + 1):
        blocks = iter([text[at : at + width] for at in range(0, len(text), width)])
        monkeypatch.setattr("benchmarks.sink.os.read", lambda *_, blocks=blocks: next(blocks, b""))
        sink.main()
        assert json.loads(capsys.readouterr().out) == {"records": 2, "bytes": len(text)}


def test_selecting_deselects_the_others() -> None:
    """A catalog selects the requested streams with all fields, and no others."""
    metadata = [{"metadata": {"selected": True}}, {"metadata": {}}]
    catalog = {"streams": [{"tap_stream_id": name, "metadata": metadata} for name in "ab"]}
    chosen = selecting(json.loads(json.dumps(catalog)), ["b"])["streams"]
    assert [
        [entry["metadata"]["selected"] for entry in stream["metadata"]] for stream in chosen
    ] == [[False, False], [True, True]]


def test_scenarios_name_known_streams_and_subjects() -> None:
    """All streams and subjects of scenarios exist, and compared subjects are measured."""
    for scenario in (*SCENARIOS.values(), *QUICK.values()):
        assert set(scenario.streams) <= {*LISTED, *NESTED}
        assert set(scenario.largest) <= set(SUBJECTS)
        for threshold in scenario.thresholds:
            assert {threshold.of, threshold.over or threshold.of} <= set(scenario.largest)


SCENARIO = Scenario(
    about="charges",
    streams=("charges",),
    largest={"ours": 100, "baseline": 100, "peer": 10},
    thresholds=(
        Threshold("speed", rate, over="baseline", minimum=0.5),
        Threshold("speed of the peer's", rate, over="peer", minimum=8),
        Threshold("growth", cpu, over_size=10, maximum=1.1),
        Threshold("memory", memory, maximum=5),
    ),
)


def turn(wall: float, processor: float = 1.0) -> Measurement:
    """Return the measurement of a process."""
    return Measurement(wall, processor, memory=6.0, records=0, size=0)


RESULTS = Results(
    SCENARIO,
    {
        ("ours", 10): [turn(2), turn(2), turn(2)],
        ("baseline", 10): [turn(1), turn(1), turn(1)],
        ("peer", 10): [turn(40), turn(20), turn(30)],
        ("ours", 100): [turn(2, 5), turn(8, 5), turn(4, 5)],
        ("baseline", 100): [turn(1), turn(2), turn(4)],
    },
)


def test_thresholds_use_the_largest_common_size() -> None:
    """Ratios are taken turn by turn, and growth against the smaller size."""
    values = [value for _, value in report.evaluations(RESULTS)]
    assert values == [(100, 0.5), (10, 15.0), (100, 0.5), (100, 6.0)]
    assert report.missed(RESULTS)
    assert "| memory | ≤ 5 | 100 | 6.00 | **no** |" in report.thresholds(RESULTS)
    assert "| speed | ≥ 0.5 | 100 | 0.50 | yes |" in report.thresholds(RESULTS)


def test_thresholds_that_were_not_measured_are_not_missed() -> None:
    """Without the other subject or the smaller size, a threshold is reported as not measured."""
    alone = Results(SCENARIO, {("ours", 100): [turn(2)]})
    values = [value for _, value in report.evaluations(alone)]
    assert values == [None, None, None, (100, 6.0)]
    smaller = Results(SCENARIO, {("ours", 10): [turn(2)]})
    assert smaller.evaluate(SCENARIO.thresholds[2]) is None
    assert "| growth | ≤ 1.1 |  |  | not measured |" in report.thresholds(alone)


def test_tables_show_medians_by_size() -> None:
    """One table has a line for each size and subject, the other the widest comparison."""
    lines = report.measurements(RESULTS).splitlines()
    assert len(lines) == 2 + len(RESULTS.turns)
    assert lines[2] == "| 10 | this tap | 5 | 100.000 | 6 | 2.0 | 0 | 0 |"
    assert report.compared(RESULTS) == ("10 charges", "5", "50%", "15.0-fold", "6")
    assert report.compared(Results(SCENARIO, {("ours", 100): [turn(2)]}))[2:4] == ("", "")


def test_the_readme_is_filled_between_its_markers() -> None:
    """Only text between the markers changes, and missing markers are an error."""
    text = "a\n<!-- benchmarks -->\nformer\n<!-- /benchmarks -->\nb\n"
    filled = report.filled(text, report.summary({"charges": RESULTS}))
    assert filled.startswith("a\n<!-- benchmarks -->\n")
    assert filled.endswith("<!-- /benchmarks -->\nb\n")
    assert "| 10 charges | 5 |" in filled
    assert "former" not in filled
    with pytest.raises(ValueError, match="no markers"):
        report.filled("a", "b")


def test_requested_sizes_cap_scenarios_of_one_size() -> None:
    """Growing scenarios take the sizes as they are, others are capped by the largest."""
    assert command_line.chosen(SCENARIOS["charges"], [200, 100]) == [100, 200]
    assert command_line.chosen(SCENARIOS["feed"], [200, 100]) == [200]
    assert command_line.chosen(SCENARIOS["idle"], [200]) == [100]
    assert command_line.chosen(SCENARIOS["idle"], None) == [100]


def test_scenarios_are_measured_from_start_to_end() -> None:
    """The command measures first loads and resumed runs, and checks their number of records."""
    asked_for = ["--only", "gap", "feed", "--sizes", "300", "--turns", "1"]
    # In a process of its own: what is measured of a child includes the size of its parent.
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "benchmarks", *asked_for],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("| 300 | this tap |") == 2
    assert "**no**" not in ended.stdout


def test_lines_beyond_ten_have_a_list_of_their_own() -> None:
    """An invoice embeds ten of its 25 lines, and its list has all of them."""
    stripe = Stripe(Load(NOW, {"invoice": even(3, NOW)}, lines=25))
    row = asked(stripe, "/v1/invoices")[1]["data"][0]
    assert row["lines"]["has_more"] is True
    path = row["lines"]["url"]
    whole = asked(stripe, path, "limit=100")[1]
    assert whole["has_more"] is False
    assert whole["data"][:10] == row["lines"]["data"]
    ids = [line["id"] for line in whole["data"]]
    assert len(set(ids)) == 25
    first = asked(stripe, path, "limit=20")[1]
    assert first["has_more"] is True
    rest = asked(stripe, path, f"limit=20&starting_after={ids[19]}")[1]
    assert [line["id"] for line in first["data"] + rest["data"]] == ids
    others = asked(stripe, "/v1/invoices")[1]["data"][1]["lines"]["data"]
    assert not set(ids) & {line["id"] for line in others}


def test_limits_allow_each_endpoint_its_own() -> None:
    """Parallel lists do not share a limit; lines take a request for each invoice."""
    assert SCENARIOS["stripe"].seconds(100_000) == pytest.approx(3 * 1_000 / 75)
    assert SCENARIOS["lines"].seconds(2_000) == pytest.approx(2_000 / 25)
    assert SCENARIOS["lines"].records(2_000) == 2_000 * 26
    assert SCENARIOS["lines"].pages(2_000) == 20 + 2_000
