"""Windows of creation time: set arithmetic, and walks by several readers against a fake list."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from itertools import cycle, pairwise
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_stripe_connect.sync.plan import windows
from tap_stripe_connect.sync.plan.backfill import Backfill
from tap_stripe_connect.sync.plan.windows import Window
from tap_stripe_connect.sync.state.ranges import (
    END_OF_TIME,
    STRIPE_EPOCH,
    Range,
    clipped,
    merged,
    missing,
    split_by_streams,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

stable = settings(deadline=None, derandomize=True, max_examples=300)

HORIZON = 30
"""Seconds in the small world of the brute-force tests."""

moments = st.integers(0, HORIZON)
spans = st.tuples(moments, moments)
ranges = st.lists(spans, max_size=6)
proper_ranges = st.lists(spans.filter(lambda span: span[0] < span[1]), max_size=6)

NOW = 1_800_000_000
DAY = 86_400
READERS = 16
ROWS = 100_000
PAGE = 100
DISORDER = 4
"""Seconds by which rows of the small world may be in the wrong order."""


def seconds(of: Iterable[Range]) -> set[int]:
    """Return every second in some ranges, one by one."""
    return {second for start, end in of for second in range(start, end)}


def is_tidy(of: Sequence[Range]) -> bool:
    """Return whether ranges are ordered, apart from each other, and none of them empty."""
    edges = [edge for span in of for edge in span]
    return edges == sorted(set(edges))


@stable
@given(ranges)
def test_merged_keeps_every_second(given_ranges: list[Range]) -> None:
    """Merging gives the same seconds in ordered ranges that neither touch nor are empty."""
    result = merged(given_ranges)
    assert seconds(result) == seconds(given_ranges)
    assert is_tidy(result)


@stable
@given(ranges, spans)
def test_missing_is_the_rest_of_what_is_wanted(covered: list[Range], wanted: Range) -> None:
    """What is missing is what is wanted less what is covered, in ordered ranges."""
    result = missing(covered, wanted)
    assert seconds(result) == seconds([wanted]) - seconds(covered)
    assert is_tidy(result)


@stable
@given(ranges, moments)
def test_clipped_ends_at_the_limit(given_ranges: list[Range], limit: int) -> None:
    """Clipping takes away the limit's second and every later one, and nothing else."""
    kept = {second for second in seconds(given_ranges) if second < limit}
    assert seconds(clipped(given_ranges, limit)) == kept


@stable
@given(st.dictionaries(st.sampled_from("abcd"), proper_ranges.map(merged)))
def test_shared_out_reads_each_second_once(gaps: dict[str, list[Range]]) -> None:
    """Each missing second lies in exactly one piece, for just the streams that lack it."""
    pieces = split_by_streams(gaps)
    lacking = {
        second: frozenset(name for name in gaps if second in seconds(gaps[name]))
        for second in range(HORIZON)
    }
    told = Counter(second for span, _ in pieces for second in range(*span))
    assert set(told.values()) <= {1}
    for (start, end), streams in pieces:
        assert {lacking[second] for second in range(start, end)} == {streams}
    assert set(told) == {second for second, streams in lacking.items() if streams}
    for (one, first), (other, second) in pairwise(pieces):
        assert one[1] < other[0] or first != second, "two pieces could be one"


class FakeList:
    """Lists rows the way Stripe does, and refuses a cursor that came from another filter."""

    def __init__(
        self, stamps: Iterable[int], page: int = PAGE, shifts: Sequence[int] = (0,)
    ) -> None:
        """Hold one row for each of `stamps`, some seconds off its place where `shifts` say so."""
        places = [(stamp + shift, stamp) for stamp, shift in zip(stamps, cycle(shifts))]
        newest_first = enumerate(sorted(places, reverse=True))
        self.rows: list[dict[str, Any]] = [
            {"id": f"ch_{place}", "created": stamp} for place, (_, stamp) in newest_first
        ]
        self._page = page
        self._filtered: dict[tuple[str | None, str | None], list[dict[str, Any]]] = {}
        self._filters: dict[str, set[tuple[str | None, str | None]]] = {}
        self.requests = 0

    def answer(self, query: Mapping[str, str]) -> tuple[list[dict[str, Any]], bool]:
        """Return a page and whether more rows lie behind it."""
        self.requests += 1
        assert query.keys() <= {"created[gte]", "created[lt]", "starting_after"}
        filters = (query.get("created[gte]"), query.get("created[lt]"))
        found = self._of(filters)
        first = 0
        if cursor := query.get("starting_after"):
            assert filters in self._filters.get(cursor, set()), "a cursor of another filter"
            first = bisect_right(found, _place(cursor), key=lambda row: _place(row["id"]))
        rows = found[first:][: self._page]
        if rows:
            self._filters.setdefault(rows[-1]["id"], set()).add(filters)
        return [dict(row) for row in rows], first + len(rows) < len(found)

    def _of(self, filters: tuple[str | None, str | None]) -> list[dict[str, Any]]:
        if filters not in self._filtered:
            low, high = (None if edge is None else int(edge) for edge in filters)
            self._filtered[filters] = [
                row
                for row in self.rows
                if (low is None or low <= row["created"])
                and (high is None or row["created"] < high)
            ]
        return self._filtered[filters]


def _place(name: str) -> int:
    return int(name.removeprefix("ch_"))


class Walk:
    """Several readers at work on one plan; what they have delivered and claimed."""

    def __init__(self, fake: FakeList, plan: Backfill) -> None:
        """Start with no request sent."""
        self._fake = fake
        self._plan = plan
        self._in_flight: list[tuple[Window, list[dict[str, Any]], bool]] = []
        self.delivered: Counter[str] = Counter()
        self.claimed: list[Range] = []

    @property
    def readers(self) -> int:
        """How many pages are on their way."""
        return len(self._in_flight)

    def pick_up(self) -> None:
        """Send the next request of a window; its answer arrives later."""
        window = self._plan.acquire()
        self._in_flight.append((window, *self._fake.answer(window.parameters())))

    def overtake(self) -> None:
        """Ask once more for a page that is on its way already."""
        window = self._plan.hedge(1.0, -1.0)
        if window:
            self._in_flight.append((window, *self._fake.answer(window.parameters())))

    def deliver(self, place: int = 0) -> None:
        """Let one of the answers arrive; one that was overtaken is of no use."""
        window, rows, has_more = self._in_flight.pop(place)
        if window.superseded:
            return
        kept, covered = window.take(rows, has_more=has_more)
        self.delivered.update(row["id"] for row in kept)
        self.claimed = merged([*self.claimed, covered])
        self._plan.release(window)

    def check_claims(self) -> None:
        """Fail if a row of a claimed second has not been delivered, or one of any second twice."""
        for row in self._fake.rows:
            assert row["created"] < 0 or self.delivered[row["id"]] <= 1
            if any(start <= row["created"] < end for start, end in self.claimed):
                assert row["id"] in self.delivered, "claimed ahead of its delivery"


def walked(fake: FakeList, gaps: list[Range], data: st.DataObject) -> Walk:
    """Let readers interleave in some way, and check every claim; return the finished walk."""
    plan = Backfill(Window(*span, frozenset({"charges"})) for span in gaps)
    walk = Walk(fake, plan)
    overtaking = iter(data.draw(st.lists(st.booleans(), max_size=9), label="overtake"))
    small: dict[str, Any] = {
        "MIN_ROWS_TO_SPLIT": 2,
        "PAGE_SIZE": 1,
        "SPARSE_FACTOR": 2,
        "STRIPE_EPOCH": 0,
    }
    with patch.multiple(windows, **small, DISORDER=DISORDER):
        while not plan.done:
            if next(overtaking, False):
                walk.overtake()
            can_start = plan.has_work and walk.readers < 4
            if can_start and (not walk.readers or data.draw(st.booleans(), label="pick up")):
                walk.pick_up()
            else:
                walk.deliver(data.draw(st.integers(0, walk.readers - 1), label="deliver"))
                walk.check_claims()
    assert walk.claimed == gaps
    return walk


@settings(stable, max_examples=600)
@given(
    stamps=st.lists(moments, max_size=60),
    shifts=st.lists(st.integers(-DISORDER // 2, DISORDER // 2), min_size=1, max_size=20),
    page=st.integers(1, 5),
    gaps=proper_ranges.map(merged),
    data=st.data(),
)
def test_any_interleaving_reads_each_row_once(
    stamps: list[int], shifts: list[int], page: int, gaps: list[Range], data: st.DataObject
) -> None:
    """Each wanted row comes once and no claim precedes its rows, though some are out of order."""
    fake = FakeList(stamps, page, shifts)
    walk = walked(fake, gaps, data)
    wanted = {row["id"] for row in fake.rows if row["created"] in seconds(gaps)}
    assert (+walk.delivered).keys() == wanted


@stable
@given(
    stamps=st.lists(st.integers(-5, HORIZON), min_size=1, max_size=60),
    page=st.integers(1, 5),
    data=st.data(),
)
def test_rows_from_before_1970_come_with_the_oldest_window(
    stamps: list[int], page: int, data: st.DataObject
) -> None:
    """A negative time lies in no window; such rows come all the same."""
    fake = FakeList(stamps, page)
    walk = walked(fake, [(0, HORIZON + 1)], data)
    assert (+walk.delivered).keys() == {row["id"] for row in fake.rows}


def spread_evenly(rows: int) -> list[int]:
    """Return creation times at even distances over ten years."""
    return [NOW - place * 3650 * DAY // rows for place in range(rows)]


def clustered_in_days(rows: int) -> list[int]:
    """Return creation times in three days of the ten years, and nowhere else."""
    starts = [NOW - age * DAY for age in (12, 1_201, 3_402)]
    return [starts[place % 3] + place * DAY // rows for place in range(rows)]


def one_day(rows: int) -> list[int]:
    """Return creation times in one day, five years ago."""
    return [NOW - 1_825 * DAY + place * DAY // rows for place in range(rows)]


def one_second(rows: int) -> list[int]:
    """Return one creation time for all rows, five years ago."""
    return [NOW - 1_825 * DAY] * rows


def requests_for(stamps: Sequence[int]) -> int:
    """Return how many requests 16 readers, answered in turn, send for a whole history."""
    fake = FakeList(stamps)
    plan = Backfill([Window(0, END_OF_TIME, frozenset({"charges"}))])
    walk = Walk(fake, plan)
    while not plan.done:
        while plan.has_work and walk.readers < READERS:
            walk.pick_up()
        walk.deliver()
    assert walk.delivered == Counter(row["id"] for row in fake.rows)
    assert walk.claimed == [(0, END_OF_TIME)]
    return fake.requests


@pytest.mark.parametrize("history", [spread_evenly, clustered_in_days, one_day, one_second])
@pytest.mark.parametrize("rows", [ROWS // 10, ROWS])
def test_requests_stay_near_the_number_of_pages(
    history: Callable[[int], list[int]], rows: int
) -> None:
    """Sixteen readers need at most 1.2 requests for a full page, and 50 to find the rows."""
    assert requests_for(history(rows)) <= 1.2 * (rows // PAGE) + 50


def test_an_empty_account_costs_one_request() -> None:
    """A list without rows is not searched any further."""
    assert requests_for([]) == 1


@pytest.mark.parametrize(
    ("span", "query"),
    [
        ((0, END_OF_TIME), {}),
        ((5, END_OF_TIME), {"created[gte]": "5"}),
        ((0, 9), {"created[lt]": "9"}),
        ((5, 9), {"created[gte]": "5", "created[lt]": "9"}),
    ],
)
def test_filters_name_only_real_bounds(span: Range, query: dict[str, str]) -> None:
    """An open side of a window is not sent, so that rows without a time are listed."""
    assert Window(*span, frozenset()).parameters() == query


def test_the_filter_outlives_a_split() -> None:
    """A window keeps the filter of its cursor after giving half of itself away."""
    window = Window(0, NOW, frozenset({"charges"}))
    rows = [{"id": f"ch_{age}", "created": NOW - age} for age in range(1, 101)]
    window.take(rows, has_more=True)
    older = window.split()
    assert older.end < NOW - 100
    assert window.parameters() == {"created[lt]": str(NOW), "starting_after": "ch_100"}
    assert older.parameters() == {"created[lt]": str(window.start)}
    assert older.streams == window.streams
    split_at = window.start
    late = [{"id": "ch_101", "created": split_at}, {"id": "ch_102", "created": split_at - 1}]
    kept, covered = window.take(late, has_more=True)
    assert [row["created"] for row in kept] == [split_at]
    assert covered == (split_at + windows.DISORDER, NOW - 99 + windows.DISORDER)
    # A row of this half may still follow on rows of the other one.
    straggler = {"id": "ch_103", "created": split_at + 1}
    behind = {"id": "ch_104", "created": split_at - 1 - windows.DISORDER}
    kept, covered = window.take([straggler, behind], has_more=True)
    assert kept == [straggler]
    assert covered == (older.end, split_at + windows.DISORDER)
    assert window.finished


def test_older_halves_begin_where_there_can_be_rows() -> None:
    """Years before Stripe are not taken for half of the history, but are read all the same."""
    window = Window(0, END_OF_TIME, frozenset({"charges"}))
    rows = [{"id": f"ch_{age}", "created": NOW - age} for age in range(100)]
    window.take(rows, has_more=True)
    older = window.split()
    assert STRIPE_EPOCH < older.end < NOW - 100
    assert older.start == 0


def test_both_halves_of_a_dense_window_have_seconds() -> None:
    """However many pages two seconds hold, one of them goes to another reader."""
    window = Window(NOW - 3, NOW, frozenset({"charges"}), density=150.0)
    older = window.split()
    assert (older.start, older.end) == (NOW - 3, NOW - 2)
    assert (window.start, window.end) == (NOW - 2, NOW)


@pytest.mark.parametrize("pages", [2, 3, 4, 7])
def test_halves_hold_whole_pages(pages: int) -> None:
    """A split leaves as many pages to read as before, where rows lie evenly."""
    window = Window(NOW - 100 * pages - 1, NOW, frozenset({"charges"}), density=1.0)
    older = window.split()
    rows = (window.end - 1 - window.start, older.end - older.start)
    assert rows == ((pages - pages // 2) * 100, pages // 2 * 100)


def test_what_may_follow_on_the_next_page_is_not_claimed() -> None:
    """Rows of the oldest second on a page and of those above it may follow on the next."""
    window = Window(0, 100, frozenset())
    rows = [{"id": "ch_3", "created": 50}, {"id": "ch_2", "created": 40}]
    assert window.take(rows, has_more=True)[1] == (41 + windows.DISORDER, 100)
    assert window.take([{"id": "ch_1", "created": 40}], has_more=False)[1][0] == 0


@pytest.mark.parametrize("nameless", [{"id": "ch_0"}, {"id": "ch_0", "created": None}])
def test_rows_without_a_time_are_kept_and_claim_nothing(nameless: dict[str, Any]) -> None:
    """A row without `created` is delivered wherever it comes, and moves no claim."""
    window = Window(0, 100, frozenset())
    assert window.take([nameless], has_more=True) == ([nameless], (100, 100))
    assert window.parameters()["starting_after"] == "ch_0"
    mixed = [{"id": "ch_1", "created": 70}, nameless]
    assert window.take(mixed, has_more=True) == (mixed, (71 + windows.DISORDER, 100))
    assert window.take([nameless], has_more=False) == ([nameless], (0, 71 + windows.DISORDER))


@pytest.mark.parametrize("invalid", ["2025-01-01", 70.5, True, END_OF_TIME, 10**30, [], {}, -1])
def test_rows_with_an_invalid_time_are_kept_and_claim_nothing(invalid: Any) -> None:
    """What is no time says nothing of where a page ends, first, in the middle or last on it."""
    window = Window(0, END_OF_TIME, frozenset())
    odd = {"id": "ch_0", "created": invalid}
    assert window.take([odd], has_more=True) == ([odd], (END_OF_TIME, END_OF_TIME))
    assert window.parameters()["starting_after"] == "ch_0"
    rows = [
        odd,
        {"id": "ch_1", "created": 70},
        {**odd, "id": "ch_2"},
        {"id": "ch_3", "created": 60},
    ]
    first = 61 + windows.DISORDER
    assert window.take(rows, has_more=True) == (rows, (first, END_OF_TIME))
    last = [{"id": "ch_4", "created": 50}, {**odd, "id": "ch_5"}]
    assert window.take(last, has_more=True) == (last, (first - 10, first))
    assert window.take([odd], has_more=False) == ([odd], (0, first - 10))


def test_waiting_windows_are_handed_out_newest_first() -> None:
    """What is newest is read first, so that an interrupted first load has the latest rows."""
    plan = Backfill(Window(start, start + 10, frozenset()) for start in (20, 0, 40))
    assert [plan.acquire().start for _ in range(3)] == [40, 20, 0]


def test_an_abandoned_plan_is_done() -> None:
    """Nothing is left to read after a plan has been given up, also where pages were awaited."""
    plan = Backfill([Window(0, 10, frozenset()), Window(20, 30, frozenset())])
    plan.acquire()
    assert (plan.workers, plan.has_waiting, plan.has_work, plan.done) == (1, True, True, False)
    plan.cancel()
    assert (plan.workers, plan.has_waiting, plan.has_work, plan.done) == (0, False, False, True)
