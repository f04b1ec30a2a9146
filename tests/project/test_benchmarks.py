"""The benchmarks: what they measure with tells the truth."""

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
from benchmarks.contestants import CONTESTANTS, Task, floor, selecting, this_tap
from benchmarks.load import YEAR, Conditions, Load, Moments, Span, dense_second, empty_years, even
from benchmarks.objects import BYTES, LINES
from benchmarks.pages import Stripe
from benchmarks.processes import Figures, PageServer, run
from benchmarks.server import Service, Tally
from benchmarks.work import Demand, Results, Work, cpu, memory, rate
from benchmarks.works import QUICK, WORKS
from tap_stripe_connect.catalog import LISTED, NESTED

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_767_225_600
Json = dict[str, Any]


def asked(stripe: Stripe, path: str, query: str = "") -> tuple[int, Json]:
    """Return the status and the document of an answer."""
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


def test_windows_part_the_objects() -> None:
    """Two windows that meet give what the whole gives, each within its bounds."""
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
    moments = Moments((Span(3, 10, 20), Span(0, 30, 40), Span(2, 50, 51)))
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
def test_what_it_would_answer_wrongly_is_refused(path: str, query: str, status: int) -> None:
    """A cursor from beyond the window, a filter or a path it does not know gets an error."""
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


def test_conditions_delay_refuse_and_count() -> None:
    """Every so-and-so-many-th answer stalls, what is too much is refused, and both are counted."""
    conditions = Conditions(latency=0.2, slow_every=3, per_second=4, per_endpoint=2)
    service = Service(Load(NOW, {"charge": even(5, NOW)}, conditions))
    waits = [service.respond("/v1/charges", "", zipped=False)[0] for _ in range(3)]
    service.respond("/v1/charges/ch_1", "", zipped=False)
    assert waits == [0.2, 0.2, 10.0]
    told = json.loads(
        service.respond("/_bench/tally", "", zipped=False)[1].partition(b"\r\n\r\n")[2]
    )
    assert (told["requests"], told["refused"], told["rows"]) == (4, 1, 10)
    assert told["by_path"] == {"/v1/charges": 3, "/v1/charges/{id}": 1}
    assert service.respond("/v1/charges", "", zipped=True)[1].count(b"gzip") == 0


def small(folder: Path, url: str, *streams: str) -> Task:
    """Return the task of reading some streams."""
    return Task(url, streams, NOW - 3 * YEAR, folder)


def test_the_tap_reads_the_page_server_once_and_whole(tmp_path: Path) -> None:
    """Through real processes every row comes once, and the counts of both sides agree."""
    load = Load(
        NOW,
        {"charge": empty_years(250, NOW), "invoice": even(30, NOW)},
        Conditions(gzip=True),
    )
    streams = ("charges", "invoices", "invoice_line_items")
    with PageServer(load) as server:
        command = this_tap(small(tmp_path, server.url, *streams))
        done = subprocess.run(command.arguments, check=True, capture_output=True)  # noqa: S603 - this tap
        told = server.tally()
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
    assert told.requests == sum(told.by_path.values()) == json.loads(summary)["requests"]
    assert told.by_path["/v1/account"] == 1


def test_the_floor_writes_every_row(tmp_path: Path) -> None:
    """The floor reads to the end of each list, and writes line items if they are asked for."""
    with PageServer(Load(NOW, {"charge": even(150, NOW), "invoice": even(101, NOW)})) as server:
        streams = ("charges", "invoices", "invoice_line_items")
        command = floor(small(tmp_path, server.url, *streams))
        figures = run(command.arguments, tmp_path / "log")
        assert figures.records == 150 + 101 * (1 + LINES)
        assert isinstance(told := server.tally(), Tally)
        assert told.by_path == {"/v1/charges": 2, "/v1/invoices": 2}
        without = floor(small(tmp_path, server.url, "invoices"))
        assert run(without.arguments, tmp_path / "log").records == 101


def test_the_sink_counts_records_across_blocks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record counts once wherever the blocks part it, and in whichever way it is written."""
    text = b'{"type":"RECORD"}\n{"type":"STATE"}\n{"type": "RECORD"}\n'
    for width in range(1, len(text) + 1):
        blocks = iter([text[at : at + width] for at in range(0, len(text), width)])
        monkeypatch.setattr("benchmarks.sink.os.read", lambda *_, blocks=blocks: next(blocks, b""))
        sink.main()
        assert json.loads(capsys.readouterr().out) == {"records": 2, "bytes": len(text)}


def test_selecting_leaves_nothing_of_the_others() -> None:
    """A catalog selects the streams that are asked for with all their fields, and no other."""
    metadata = [{"metadata": {"selected": True}}, {"metadata": {}}]
    catalog = {"streams": [{"tap_stream_id": name, "metadata": metadata} for name in "ab"]}
    chosen = selecting(json.loads(json.dumps(catalog)), ["b"])["streams"]
    assert [
        [entry["metadata"]["selected"] for entry in stream["metadata"]] for stream in chosen
    ] == [[False, False], [True, True]]


def test_the_table_of_works_names_what_exists() -> None:
    """Streams and contestants of all works are there, and whoever is compared is measured."""
    for work in (*WORKS.values(), *QUICK.values()):
        assert set(work.streams) <= {*LISTED, *NESTED}
        assert set(work.largest) <= set(CONTESTANTS)
        for demand in work.demands:
            assert {demand.of, demand.over or demand.of} <= set(work.largest)


WORK = Work(
    about="charges",
    streams=("charges",),
    largest={"ours": 100, "floor": 100, "peer": 10},
    demands=(
        Demand("speed", rate, over="floor", least=0.5),
        Demand("speed of the peer's", rate, over="peer", least=8),
        Demand("growth", cpu, over_size=10, most=1.1),
        Demand("memory", memory, most=5),
    ),
)


def turn(wall: float, processor: float = 1.0) -> Figures:
    """Return what a process took."""
    return Figures(wall, processor, memory=6.0, records=0, size=0)


RESULTS = Results(
    WORK,
    {
        ("ours", 10): [turn(2), turn(2), turn(2)],
        ("floor", 10): [turn(1), turn(1), turn(1)],
        ("peer", 10): [turn(40), turn(20), turn(30)],
        ("ours", 100): [turn(2, 5), turn(8, 5), turn(4, 5)],
        ("floor", 100): [turn(1), turn(2), turn(4)],
    },
)


def test_demands_are_judged_by_the_largest_size_they_share() -> None:
    """Ratios are taken turn by turn, and growth against the smaller size."""
    values = [value for _, value in report.verdicts(RESULTS)]
    assert values == [(100, 0.5), (10, 15.0), (100, 0.5), (100, 6.0)]
    assert report.missed(RESULTS)
    assert "| memory | ≤ 5 | 100 | 6.00 | **no** |" in report.demands(RESULTS)
    assert "| speed | ≥ 0.5 | 100 | 0.50 | yes |" in report.demands(RESULTS)


def test_what_was_not_measured_is_not_missed() -> None:
    """Without the other one, or the smaller size, a demand says so and fails nothing."""
    alone = Results(WORK, {("ours", 100): [turn(2)]})
    values = [value for _, value in report.verdicts(alone)]
    assert values == [None, None, None, (100, 6.0)]
    smaller = Results(WORK, {("ours", 10): [turn(2)]})
    assert smaller.judged(WORK.demands[2]) is None
    assert "| growth | ≤ 1.1 |  |  | not measured |" in report.demands(alone)


def test_tables_show_medians_by_size() -> None:
    """One table has a line for each size and contestant, the other the widest comparison."""
    lines = report.figures(RESULTS).splitlines()
    assert len(lines) == 2 + len(RESULTS.turns)
    assert lines[2] == "| 10 | this tap | 5 | 100.000 | 6 | 2.0 | 0 | 0 |"
    assert report.compared(RESULTS) == ("10 charges", "5", "50%", "15.0-fold", "6")
    assert report.compared(Results(WORK, {("ours", 100): [turn(2)]}))[2:4] == ("", "")


def test_the_readme_is_filled_between_its_marks() -> None:
    """Only what lies between the marks changes, and their absence is an error."""
    text = "a\n<!-- benchmarks -->\nformer\n<!-- /benchmarks -->\nb\n"
    filled = report.filled(text, report.summary({"charges": RESULTS}))
    assert filled.startswith("a\n<!-- benchmarks -->\n")
    assert filled.endswith("<!-- /benchmarks -->\nb\n")
    assert "| 10 charges | 5 |" in filled
    assert "former" not in filled
    with pytest.raises(ValueError, match="no place"):
        report.filled("a", "b")


def test_sizes_asked_for_cap_the_works_of_one_size() -> None:
    """Growing works take the sizes as they are, the others grow no larger than the largest."""
    assert command_line.chosen(WORKS["charges"], [200, 100]) == [100, 200]
    assert command_line.chosen(WORKS["feed"], [200, 100]) == [200]
    assert command_line.chosen(WORKS["idle"], [200]) == [100]
    assert command_line.chosen(WORKS["idle"], None) == [100]


def test_works_are_measured_from_start_to_end() -> None:
    """The command measures a load, and runs that go on from one, and holds their records exact."""
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
    """An invoice shows ten of its 25 lines, and its own list gives all, a page at a time."""
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
    """Lists side by side have their pages at once; lines take a request for each invoice."""
    assert WORKS["stripe"].seconds(100_000) == pytest.approx(3 * 1_000 / 75)
    assert WORKS["lines"].seconds(2_000) == pytest.approx(2_000 / 25)
    assert WORKS["lines"].records(2_000) == 2_000 * 26
    assert WORKS["lines"].pages(2_000) == 20 + 2_000
