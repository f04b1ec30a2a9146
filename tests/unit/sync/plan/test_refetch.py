"""Changed objects are refetched with few requests: pages where they are dense, or retrieves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_stripe_connect.sync.plan.events import Change
from tap_stripe_connect.sync.plan.refetch import WALK_OBJECTS, RefetchWork, RetrieveTask
from tests.support.harness import DAY, NOW
from tests.unit.sync.plan.test_windows import FakeList

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_stripe_connect.sync.plan.windows import Window

HOUR = 3600
YEAR = 365 * DAY


@dataclass
class Reading:
    """The result of a refetch."""

    seen: Counter[str] = field(default_factory=Counter)
    """How often each id was found, or found missing."""
    pages: int = 0
    retrieved: int = 0
    order: list[str] = field(default_factory=list)
    """Ids in the order in which they were finished."""

    @property
    def requests(self) -> int:
        """Number of requests."""
        return self.pages + self.retrieved


def chance(seed: int) -> Random:
    """Return repeatable random numbers."""
    return Random(seed)  # noqa: S311 - repeatable


def read(fake: FakeList, changes: dict[str, Change], *, workers: int = 1) -> Reading:
    """Refetch the changed objects of a list with several workers."""
    order = chance(workers)
    work = RefetchWork(changes, frozenset({"charges"}))
    reading = Reading()
    in_progress: list[tuple[Window | RetrieveTask, list[dict[str, Any]], bool]] = []
    while not work.done:
        while work.has_waiting and len(in_progress) < workers:
            unit = work.acquire()
            rows, more = (
                ([], False) if isinstance(unit, RetrieveTask) else fake.answer(unit.parameters())
            )
            in_progress.append((unit, rows, more))
        unit, rows, more = in_progress.pop(order.randrange(len(in_progress)))
        if isinstance(unit, RetrieveTask):
            found = [unit.id]
            reading.retrieved += 1
        else:
            kept, _ = unit.take(rows, has_more=more)
            found = [row["id"] for row in kept]
            reading.pages += 1
        reading.seen.update(found)
        reading.order += found
        work.release(unit)
    return reading


def changed(fake: FakeList, places: Iterable[int], *, any_order: bool = False) -> dict[str, Change]:
    """Return changes of the rows at some indexes, in the order of the rows or in any order."""
    rows = [fake.rows[place] for place in sorted(places, reverse=True)]
    if any_order:
        chance(1).shuffle(rows)
    return {
        row["id"]: Change(NOW + place, NOW + place, row["created"])
        for place, row in enumerate(rows)
    }


def check(fake: FakeList, changes: dict[str, Change], most: int) -> Reading:
    """Refetch changes; fail if one is not read exactly once, or if it takes more requests."""
    reading = read(fake, changes)
    assert reading.seen == Counter(changes.keys())
    assert reading.requests <= most
    return reading


@pytest.mark.parametrize("any_order", [False, True])
def test_a_sparse_list_that_has_changed_whole_takes_its_pages(*, any_order: bool) -> None:
    """1,000 rows created two hours apart, all of them changed: ten pages."""
    fake = FakeList(NOW - 2 * HOUR * place for place in range(1000))
    reading = check(fake, changed(fake, range(1000), any_order=any_order), most=10)
    assert reading.retrieved == 0


def test_changes_of_a_large_list_in_any_order_take_few_pages() -> None:
    """20,000 rows that changed in random order take far fewer requests than rows."""
    fake = FakeList(NOW - HOUR * place for place in range(20_000))
    check(fake, changed(fake, range(20_000), any_order=True), most=2_100)


def test_a_row_here_and_there_is_retrieved() -> None:
    """One changed row in a thousand: few pages, and no more requests than rows."""
    fake = FakeList(NOW - 60 * place for place in range(300_000))
    reading = check(fake, changed(fake, range(0, 300_000, 1000)), most=300)
    assert reading.pages <= 8


@pytest.mark.parametrize("count", range(1, 10))
def test_few_rows_far_apart_are_retrieved(count: int) -> None:
    """For few objects, a page costs more than it saves."""
    fake = FakeList(NOW - DAY * place for place in range(1000))
    reading = check(fake, changed(fake, range(0, 1000, 111)[:count]), most=count)
    assert reading.pages <= int(count > 5)


def test_two_rows_of_an_hour_are_a_list_call() -> None:
    """Before the first page, the span of a page is assumed to be an hour."""
    fake = FakeList(NOW - 60 * place for place in range(1000))
    reading = check(fake, changed(fake, [3, 40]), most=1)
    assert reading.pages == 1


def test_clusters_take_a_page_each() -> None:
    """Forty bursts of thirty changed rows, with thousands of others between."""
    fake = FakeList(NOW - 60 * place for place in range(200_000))
    places = [begin + row for begin in range(0, 200_000, 5_000) for row in range(0, 90, 3)]
    check(fake, changed(fake, places), most=2 * 40)


def test_old_years_are_looked_at_though_the_newest_are_dense() -> None:
    """A page of a growing business spans minutes at the end, and days at the beginning."""
    dense = [NOW - 60 * place for place in range(100_000)]
    sparse = [NOW - YEAR - 2 * HOUR * place for place in range(1000)]
    fake = FakeList([*dense, *sparse])
    places = [*range(0, 100_000, 2_500), *range(100_000, 101_000)]
    check(fake, changed(fake, places), most=40 + 2 * 4 + 4 * 4 + 12)


def test_rows_of_one_second_come_with_its_cursor() -> None:
    """Three pages of one second, all changed."""
    fake = FakeList([NOW] * 300)
    assert check(fake, changed(fake, range(300)), most=3).pages == 3


def test_rows_deep_in_one_second_are_retrieved() -> None:
    """The last of ten thousand rows of a second are retrieved instead of a hundred pages."""
    fake = FakeList([NOW] * 10_000 + [NOW - 1] * 100)
    check(fake, changed(fake, [9_990, 9_995, *range(10_000, 10_100)]), most=2 + 2 + 2)


def test_rows_that_no_list_shows_are_retrieved() -> None:
    """A missing object costs one request."""
    fake = FakeList(NOW - HOUR * place for place in range(1000))
    changes = changed(fake, range(1000))
    hidden = [f"hidden_{place}" for place in range(20)]
    changes |= {name: Change(1, 1, NOW - 50 * HOUR * n) for n, name in enumerate(hidden)}
    reading = check(fake, changes, most=20 + 2 * 11)
    assert reading.retrieved == 20


@pytest.mark.parametrize("created", [None, 0, -5, 1e12, 10**15, "soon"])
def test_a_row_of_which_no_list_could_tell_is_retrieved(created: Any) -> None:
    """Its creation time is unknown or invalid."""
    reading = check(FakeList([NOW]), {"x": Change(1, 1, created)}, most=1)
    assert reading.retrieved == 1


def test_oldest_events_are_done_with_first() -> None:
    """A killed run has finished the first steps."""
    fake = FakeList(NOW - HOUR * place for place in range(3 * WALK_OBJECTS))
    changes = changed(fake, range(3 * WALK_OBJECTS), any_order=True)
    done = [changes[name].first - NOW for name in read(fake, changes).order]
    for step in range(3):
        part = done[step * WALK_OBJECTS : (step + 1) * WALK_OBJECTS]
        assert sorted(part) == list(range(step * WALK_OBJECTS, (step + 1) * WALK_OBJECTS))


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    moments=st.lists(st.integers(1, 60) | st.integers(1, 5_000), min_size=1, max_size=120),
    page=st.integers(1, 7),
    data=st.data(),
)
def test_whatever_changes_is_read_once_in_hardly_more_requests_than_objects(
    moments: list[int], page: int, data: st.DataObject
) -> None:
    """For any distribution of rows and any overlap of requests."""
    fake = FakeList([HOUR * moment for moment in moments], page)
    places = data.draw(st.sets(st.sampled_from(range(len(moments)))), label="changed")
    changes = changed(fake, places, any_order=True)
    hidden = data.draw(st.lists(st.integers(1, 5_000), max_size=5), label="hidden")
    changes |= {f"gone_{n}": Change(1, 1, HOUR * at) for n, at in enumerate(hidden)}
    workers = data.draw(st.integers(1, 4), label="workers")
    reading = read(fake, changes, workers=workers)
    assert reading.seen == Counter(changes.keys())
    # A page gives an object at least, unless what it begins with is gone or deep in its second.
    assert reading.requests <= len(changes) + 2 * len(hidden) + _overfull(moments, page)


def _overfull(moments: list[int], page: int) -> int:
    """Return the number of rows in seconds with more rows than a page."""
    return sum(count for count in Counter(moments).values() if count > page)
