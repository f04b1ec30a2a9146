"""The index of objects against a model that sorts and searches a list each time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_stripe_connect.simulator.collection import (
    Collection,
    Entry,
    Selection,
    Span,
    UnknownCursorError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LATEST = 12
MOMENTS = st.integers(0, LATEST)


def entry(id_: str, created: int, *, visible_at: int = 0, even: bool = True) -> Entry:
    """Make an entry with one fact."""
    return Entry(id_, created, visible_at, b"", id_.encode(), ((even,),))


def is_even(one: Entry) -> bool:
    """Filter by the fact."""
    return one.facts == ((True,),)


class Naive:
    """A model without an index."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def page(self, selection: Selection, now: int) -> tuple[list[str], bool]:
        """Look at every entry."""
        latest_first = list(reversed(self.entries))
        newest_first = sorted(latest_first, key=lambda one: -one.created)
        listed = [
            one.id
            for one in newest_first
            if one.created <= now and one.visible_at <= now and one.created in selection.span
            if selection.matches is None or selection.matches(one)
        ]
        cursor = selection.starting_after or selection.ending_before
        if cursor is not None and cursor not in listed:
            raise UnknownCursorError(cursor)
        if selection.ending_before is not None:
            newer = listed[: listed.index(selection.ending_before)]
            return newer[-selection.limit :], len(newer) > selection.limit
        if selection.starting_after is not None:
            listed = listed[listed.index(selection.starting_after) + 1 :]
        return listed[: selection.limit], len(listed) > selection.limit


entries = st.lists(
    st.builds(
        lambda created, late, even: (created, created + late, even),
        MOMENTS,
        st.sampled_from([0, 0, 0, 3]),
        st.booleans(),
    ),
    max_size=40,
)
selections = st.builds(
    Selection,
    limit=st.integers(1, 7),
    span=st.builds(Span, st.integers(-2, LATEST), st.integers(0, LATEST + 2)),
    matches=st.sampled_from([None, is_even]),
)


def filled(
    objects: list[tuple[int, int, bool]], removed: set[int], moved: dict[int, int], now: int
) -> tuple[Collection, Naive]:
    """Put, change and remove the same in both."""
    collection, naive = Collection(), Naive()
    for number, (created, visible_at, even) in enumerate(objects):
        one = entry(f"x{number}", created, visible_at=visible_at, even=even)
        collection.put(one)
        naive.entries.append(replace(one))
        if number % 5 == 0:
            collection.show_due(now // 2)
    for number, created in moved.items():
        if number < len(objects):
            former = naive.entries[number]
            naive.entries[number] = replace(former, created=created)
            collection.put(replace(former, created=created))
    for number in sorted(removed, reverse=True):
        if number < len(objects):
            collection.remove(f"x{number}")
            del naive.entries[number]
    return collection, naive


def walk(page: Callable[[Selection], tuple[list[str], bool]], selection: Selection) -> list[str]:
    """Follow the pages to the end."""
    ids, more = page(selection)
    while more:
        following, more = page(replace(selection, starting_after=ids[-1]))
        ids += following
    return ids


@given(
    entries,
    st.sets(st.integers(0, 40), max_size=6),
    st.dictionaries(st.integers(0, 40), MOMENTS, max_size=4),
    selections,
    st.integers(0, LATEST + 4),
)
def test_pages_and_walks_are_those_of_a_sorted_list(
    objects: list[tuple[int, int, bool]],
    removed: set[int],
    moved: dict[int, int],
    selection: Selection,
    now: int,
) -> None:
    """Pages and walks agree for ties, ranges, filters, late objects and removals."""
    collection, naive = filled(objects, removed, moved, now)
    collection.show_due(now)

    def indexed(wanted: Selection) -> tuple[list[str], bool]:
        found, more = collection.select(wanted)
        return [one.id for one in found], more

    assert indexed(selection) == naive.page(selection, now)
    assert walk(indexed, selection) == walk(lambda s: naive.page(s, now), selection)
    for number in range(len(objects)):
        cursor = f"x{number}"
        for wanted in (
            replace(selection, starting_after=cursor),
            replace(selection, ending_before=cursor),
        ):
            try:
                expected = naive.page(wanted, now)
            except UnknownCursorError:
                with pytest.raises(UnknownCursorError):
                    indexed(wanted)
            else:
                assert indexed(wanted) == expected


@given(entries, MOMENTS)
def test_what_expires_is_gone_for_good(objects: list[tuple[int, int, bool]], before: int) -> None:
    """Entries older than the moment disappear from lists and from look-ups alike."""
    collection, naive = filled(objects, set(), {}, LATEST * 2)
    collection.show_due(LATEST * 2)
    gone = collection.expire(before)
    expected = [one.id for one in naive.entries if one.created < before]
    assert sorted(gone) == sorted(expected)
    assert all(collection.visible(id_) is None and collection.get(id_) is None for id_ in gone)
    assert len(collection) == len(naive.entries) - len(gone)


def test_an_object_shows_from_its_time_on() -> None:
    """An entry is hidden before `created` and before `visible_at`, then takes its place."""
    collection = Collection()
    collection.put(entry("late", 5, visible_at=9))
    collection.put(entry("future", 8))
    collection.put(entry("other", 6))
    seen = []
    for now in (7, 8, 9):
        collection.show_due(now)
        seen.append([one.id for one in collection.select(Selection(limit=10))[0]])
    assert seen == [["other"], ["future", "other"], ["future", "other", "late"]]
    assert collection.get("late") is not None
