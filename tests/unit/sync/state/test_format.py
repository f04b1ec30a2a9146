"""The state format: what is written comes back, small, and damage is named."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_stripe_connect.sync.state.bookmark import (
    EMPTY,
    RECENT_KEPT,
    Bookmark,
    StateError,
    last_covered,
    recent_by_object,
    recent_digests,
)
from tap_stripe_connect.sync.state.format import MIN_RUN_LENGTH, Bookmarks
from tap_stripe_connect.sync.state.migrations import HEADER, VERSION
from tap_stripe_connect.sync.state.ranges import clipped, merged

if TYPE_CHECKING:
    from collections.abc import Iterator

stable = settings(deadline=None, derandomize=True, max_examples=300)

ACCOUNTS = [f"acct_{number}Example" for number in range(5)]
NAMES = ["charges", "invoices", "events"]
DONE = Bookmark(((0, 1_700_000_000),), 1_700_000_000)

VALID: dict[str, Any] = {
    "bookmarks": {
        "charges": {
            "covered": [
                ["1970-01-01T00:00:00+00:00", "2026-01-31T12:00:00+00:00"],
                ["2026-02-01T00:00:00+00:00", "2026-02-02T00:00:00+00:00"],
            ],
            "events_until": "2026-02-02T00:00:00+00:00",
            "recent": ["ch_1:0123456789abcdef"],
            "level_accounts": 2,
            "accounts": {
                "acct_2Example": {"covered": [], "recent": ["ch_2:fedcba9876543210"]},
            },
        },
        "coupons": {"replication_key": "updated", "replication_key_value": 1_700_000_000},
        "of_another_tap": {"covered": [], "level_accounts": 0},
    },
    "currently_syncing": "charges",
    HEADER: {
        "version": VERSION,
        "livemode": True,
        "accounts": ["acct_1Example", "acct_2Example"],
    },
}

moments = st.integers(0, 4_000_000_000)
covered = st.lists(st.tuples(moments, moments), max_size=4).map(lambda spans: tuple(merged(spans)))
digests = st.frozensets(st.text("0123456789abcdef", min_size=16, max_size=16), max_size=3)
few_bookmarks = st.sampled_from(
    [EMPTY, DONE, Bookmark(((5, 9),)), Bookmark(recent=frozenset("ab"))]
)
perhaps = st.none() | moments
bookmarks = few_bookmarks | st.builds(Bookmark, covered, moments, digests, perhaps, perhaps).map(
    Bookmark.tidy
)
places = st.tuples(st.sampled_from(NAMES), st.sampled_from(ACCOUNTS))
steps = st.lists(
    st.tuples(places, bookmarks) | st.sampled_from([*NAMES, "reload"]), min_size=1, max_size=40
)


def reloaded(saved: Bookmarks) -> Bookmarks:
    """Write a state as text and read it again."""
    return Bookmarks(json.loads(json.dumps(saved.state())))


@stable
@given(steps)
def test_what_was_set_is_what_is_read(given_steps: list[Any]) -> None:
    """Any bookmarks survive any number of runs; no account gets those of others."""
    saved = Bookmarks()
    model: dict[tuple[str, str], Bookmark] = {}
    for step in [*given_steps, "reload"]:
        if step == "reload":
            saved = reloaded(saved)
        elif isinstance(step, str):
            saved.forget(step)
            model = {place: value for place, value in model.items() if place[0] != step}
        else:
            (name, account), value = step
            saved.set(name, account, value)
            model[name, account] = value
        for name in NAMES:
            for account in ACCOUNTS:
                assert saved.get(name, account) == model.get((name, account), EMPTY)


@stable
@given(steps)
def test_an_idle_run_writes_the_same_state(given_steps: list[Any]) -> None:
    """A state that is read and written again without a change is the same state."""
    saved = Bookmarks()
    for step in given_steps:
        if isinstance(step, tuple):
            (name, account), value = step
            saved.set(name, account, value)
    state = saved.state()
    assert Bookmarks(deepcopy(state)).state() == state


def test_level_accounts_share_one_value() -> None:
    """What all accounts share is written once, and only those that differ are named."""
    saved = Bookmarks()
    for account in ACCOUNTS:
        saved.set("charges", account, DONE)
    done = "2023-11-14T22:13:20+00:00"
    shared = {"covered": [["1970-01-01T00:00:00+00:00", done]], "events_until": done}
    entry = saved.state()["bookmarks"]["charges"]
    assert entry.pop("order").startswith("5:")
    assert entry == {**shared, "level_accounts": 5}
    saved.set("charges", ACCOUNTS[1], EMPTY)
    entry = saved.state()["bookmarks"]["charges"]
    assert entry.pop("order").startswith("5:")
    assert entry == {
        **shared,
        "level_accounts": 5,
        "accounts": {ACCOUNTS[1]: {"covered": []}},
    }


@pytest.mark.parametrize("known", range(1, 5))
def test_a_new_account_starts_from_nothing(known: int) -> None:
    """An account connected later has no bookmark, however many others are level."""
    saved = Bookmarks()
    for account in ACCOUNTS[:known]:
        saved.set("charges", account, DONE)
        saved.set("invoices", account, DONE)
    saved = reloaded(saved)
    new = ACCOUNTS[known]
    saved.set("charges", new, DONE)
    assert reloaded(saved).get("invoices", new) == EMPTY
    saved.set("invoices", ACCOUNTS[0], Bookmark(((0, 5),)))
    saved = reloaded(saved)
    assert saved.get("invoices", new) == EMPTY
    assert saved.get("charges", new) == DONE


def test_what_is_not_ours_passes_through() -> None:
    """Foreign bookmarks, unselected streams and unknown top-level keys stay as given."""
    state = deepcopy(VALID)
    state["bookmarks"] |= {
        "not_selected": {"covered": [], "level_accounts": 1, "added later": [None]},
        "empty": {},
    }
    state["of somebody else"] = {"deep": [1, {"deeper": None}]}
    saved = Bookmarks(deepcopy(state))
    assert saved.untrusted == ["coupons"]
    assert saved.state() == state
    saved.set("charges", "acct_3Example", DONE)
    changed = saved.state()
    del changed["bookmarks"]["charges"], state["bookmarks"]["charges"]
    assert changed["bookmarks"] == state["bookmarks"]
    assert {key: changed[key] for key in ("currently_syncing", "of somebody else")} == {
        key: state[key] for key in ("currently_syncing", "of somebody else")
    }


@pytest.mark.parametrize("state", [None, {}, {"bookmarks": {}}])
def test_no_state_is_an_empty_one(state: dict[str, Any] | None) -> None:
    """Where nothing was saved, nothing is known, and the first state says so."""
    saved = Bookmarks(state)
    assert saved.get("charges", "acct_1Example") == EMPTY
    assert saved.state() == {
        "bookmarks": {},
        HEADER: {"version": VERSION, "livemode": None, "accounts": []},
    }


def test_writing_does_not_change_what_was_read() -> None:
    """The state handed in stays as it was, whatever is set afterwards."""
    state = deepcopy(VALID)
    saved = Bookmarks(state)
    saved.set("charges", "acct_9Example", DONE)
    saved.state()
    assert state == VALID


def test_an_account_that_only_a_stream_names_is_kept() -> None:
    """A state repaired by hand loses no account for want of an entry in the list of accounts."""
    entry = {"covered": [["1970-01-01", "2026-01-31"]]}
    saved = Bookmarks({"bookmarks": {"charges": {"covered": [], "accounts": {"acct_7": entry}}}})
    before = saved.get("charges", "acct_7")
    saved.set("charges", "acct_1Example", DONE)
    assert last_covered(before) > 0
    assert reloaded(saved).get("charges", "acct_7") == before


JUNK: list[Any] = [
    *(None, True, False, 0, 1, -1, 99, 1.5, 10**30, "", "junk", "2026-01-31T12:00:00+00:00"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30"),
    *([], [None], ["junk"], [[]], [["a", "b"]], {}, {"covered": "junk"}, {"version": 2}),
]

Path = tuple[str | int, ...]


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every node of a document."""
    yield path
    inside: list[tuple[Any, Any]] = list(value.items()) if isinstance(value, dict) else []
    if isinstance(value, list):
        inside = list(enumerate(value))
    for key, inner in inside:
        yield from paths(inner, (*path, key))


def replaced(document: Any, path: Path, value: Any) -> Any:
    """Return a copy of a document with another value at `path`."""
    if not path:
        return value
    result = deepcopy(document)
    node = result
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return result


def written(path: Path) -> str:
    """Return a path as messages show it."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".") or "state"


def fault_of(state: Any) -> str:
    """Use a state for all that it is good for; return the message if it is refused, or nothing."""
    try:
        saved = Bookmarks(state)
    except StateError as fault:
        return str(fault)
    assert saved.livemode is None or isinstance(saved.livemode, bool)
    for account in [*ACCOUNTS, *saved.accounts]:
        for name in NAMES:
            saved.set(name, account, saved.get(name, account).covering(0, 5))
    reloaded(saved)
    return ""


def check_damage(state: Any, path: Path) -> None:
    """Fail if a state with junk at `path` raises an error without the path."""
    fault = fault_of(state)
    if not fault:
        return
    # The error may name the item, the list around it or a key inside it. Streams also depend on
    # the accounts in the header.
    allowed = {written(path[:length]) for length in range(len(path) + 1)}
    if path[:1] in {(), (HEADER,)}:
        allowed |= {"bookmarks.charges.level_accounts", "bookmarks", f"{HEADER}.version"}
    name = fault.removeprefix("state: ").partition(" is ")[0]
    assert name in allowed or name.startswith((f"{written(path)}.", f"{written(path)}["))
    assert "start without a state" in fault
    assert len(fault.splitlines()) == 1


@pytest.mark.parametrize("path", list(paths(VALID)), ids=written)
def test_junk_is_refused_by_name(path: Path) -> None:
    """Whatever stands in the place of any value, the error is a StateError naming the key."""
    for junk in JUNK:
        check_damage(replaced(VALID, path, junk), path)


TEXT_ALSO_FITS = {"currently_syncing", "replication_key", "replication_key_value"}


@pytest.mark.parametrize(
    "path",
    [path for path in paths(VALID) if path and path[-1] not in TEXT_ALSO_FITS],
    ids=written,
)
@pytest.mark.parametrize("junk", [1.5, [1.5], b""], ids=repr)
def test_what_fits_nowhere_is_never_taken(path: Path, junk: Any) -> None:
    """A value that no key can hold is refused wherever it stands, not read as nothing."""
    with pytest.raises(StateError, match=r"^state: "):
        Bookmarks(replaced(VALID, path, junk))


@pytest.mark.parametrize(
    ("path", "junk", "message"),
    [
        ((), [], "state is [], not an object"),
        (("bookmarks",), [], "bookmarks is [], not an object"),
        (("bookmarks",), None, "bookmarks is None, not an object"),
        ((HEADER,), 0, f"{HEADER} is 0, not an object"),
        ((HEADER, "livemode"), "yes", f"{HEADER}.livemode is 'yes', not true or false"),
        ((HEADER, "accounts", 0), 7, f"{HEADER}.accounts is [7, 'acct_2Example'], not a list of"),
        (("bookmarks", "charges", "level_accounts"), -1, "bookmarks.charges.level_accounts is -1"),
        (("bookmarks", "charges", "level_accounts"), True, "bookmarks.charges.level_accounts is T"),
        (
            ("bookmarks", "charges", "covered", 1, 0),
            "never",
            "bookmarks.charges.covered[1] is 'never', not a date-time",
        ),
        (("bookmarks", "charges", "events_until"), 5, "bookmarks.charges.events_until is 5, not a"),
        (
            ("bookmarks", "charges", "accounts", "acct_2Example", "recent"),
            "abc",
            "bookmarks.charges.accounts.acct_2Example.recent is 'abc', not a list of digests",
        ),
    ],
)
def test_the_message_shows_what_is_wrong(path: Path, junk: Any, message: str) -> None:
    """A fault names its key, shows what stands there, and says what belongs there."""
    with pytest.raises(StateError) as caught:
        Bookmarks(replaced(VALID, path, junk))
    assert str(caught.value).startswith(f"state: {message}")


def test_a_long_value_is_shown_in_part() -> None:
    """A fault does not fill the log with the value that is wrong."""
    with pytest.raises(StateError) as caught:
        Bookmarks({"bookmarks": "x" * 10_000})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("version", [VERSION + 1, 0, "1", True, None, 1.0])
def test_another_version_is_refused(version: Any) -> None:
    """A state that a newer release wrote is not guessed at."""
    state = replaced(VALID, (HEADER, "version"), version)
    with pytest.raises(StateError, match=rf"{HEADER}\.version is .*upgrade the tap"):
        Bookmarks(state)


@settings(stable, max_examples=50)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_random_junk_gives_a_state_error_or_a_usable_state(junk: Any) -> None:
    """Made-up values at the places that matter most never give another exception."""
    for path in paths(VALID):
        if path[:1] != ("currently_syncing",):
            check_damage(replaced(VALID, path, junk), path)


def test_a_header_older_than_a_bookmark_only_makes_accounts_load_again() -> None:
    """A target may pair them; then only accounts named by themselves are taken as written."""
    saved = Bookmarks()
    for account in ACCOUNTS[:3]:
        saved.set("charges", account, DONE)
    state = saved.state()
    state[HEADER]["accounts"] = ACCOUNTS[:1]
    read = Bookmarks(state)
    assert read.untrusted == ["charges"]
    assert read.get("charges", ACCOUNTS[0]) == EMPTY
    assert read.get("charges", ACCOUNTS[1]) == EMPTY


def test_a_list_in_another_order_is_not_believed() -> None:
    """A merge of states can put another list of accounts beside a bookmark."""
    saved = Bookmarks()
    for account in ACCOUNTS[:2]:
        saved.set("charges", account, DONE)
    state = saved.state()
    state[HEADER]["accounts"] = [ACCOUNTS[2], *ACCOUNTS[:2]]
    read = Bookmarks(state)
    assert read.untrusted == ["charges"]
    assert all(read.get("charges", account) == EMPTY for account in ACCOUNTS)


def test_a_platform_of_level_accounts_has_a_small_state() -> None:
    """5,000 level accounts and 30 streams take less than a megabyte."""
    saved = Bookmarks()
    accounts = [f"acct_1{number:015d}" for number in range(5_000)]
    for account in accounts:
        saved.set("charges", account, DONE)
    state = saved.state()
    entry = state["bookmarks"].pop("charges")
    state["bookmarks"] = {f"stream_with_a_long_name_{number}": entry for number in range(30)}
    text = json.dumps(Bookmarks(state).state())
    assert len(text) < 1_000_000
    again = Bookmarks(json.loads(text))
    assert {again.get("stream_with_a_long_name_29", account) for account in accounts} == {DONE}


def test_recent_digests_stay_few() -> None:
    """A bookmark keeps as many digests as fit into 4 KB, and none where there are more."""
    enough = {f"ch_1{number:023d}": f"{number:016x}" for number in range(RECENT_KEPT)}
    kept = Bookmark(recent=recent_digests(enough))
    assert recent_by_object(kept) == enough
    assert recent_digests({**enough, "ch_more": "1"}) == frozenset()
    saved = Bookmarks()
    saved.set("charges", "acct_1Example", kept)
    assert len(json.dumps(saved.state()["bookmarks"]["charges"])) < 4_096
    assert recent_by_object(reloaded(saved).get("charges", "acct_1Example")) == enough


@stable
@given(bookmarks, st.tuples(moments, moments), moments)
def test_claims_grow_by_what_was_written_and_end_at_the_limit(
    bookmark: Bookmark, span: tuple[int, int], limit: int
) -> None:
    """A claim is what was claimed and what was added; a limit takes away what lies beyond it."""
    grown = bookmark.covering(*span)
    assert grown.covered == tuple(merged([*bookmark.covered, span]))
    assert replace(grown, covered=(), written_from=None) == replace(
        bookmark, covered=(), written_from=None
    )
    begun = [bookmark.oldest, *(one[0] for one in grown.covered[:1])]
    assert grown.oldest == min((edge for edge in begun if edge is not None), default=None)
    assert last_covered(grown) == (grown.covered[-1][1] if grown.covered else 0)
    cut = grown.up_to(limit)
    assert cut.covered == tuple(clipped(grown.covered, limit))
    assert (last_covered(cut) <= limit, cut.events_until <= limit) == (True, True)
    assert cut.events_until in {limit, bookmark.events_until}
    assert cut.recent == bookmark.recent
    assert cut.oldest == grown.oldest


def test_neighbours_that_share_a_value_are_written_as_a_run() -> None:
    """Halfway through thousands of accounts a state stays small, and means the same."""
    accounts = [f"acct_1N{place:04}" for place in range(2000)]
    saved = Bookmarks()
    for place, account in enumerate(accounts):
        saved.set("charges", account, DONE if place < 1200 else Bookmark(((0, 9),), 9))
    saved.set("charges", accounts[7], Bookmark(((0, 5),)))
    written = saved.state()
    names = set(written["bookmarks"]["charges"]["accounts"])
    assert names == {"acct_1N0007", "acct_1N1200:acct_1N1999"}
    read = Bookmarks(json.loads(json.dumps(written)))
    assert all(read.get("charges", one) == saved.get("charges", one) for one in accounts)
    written[HEADER]["accounts"] = accounts[:1500]
    assert Bookmarks(written).get("charges", accounts[1300]) == EMPTY


class Compared(str):
    """An account id that counts how often it is compared."""

    __slots__ = ()
    times = 0

    def __eq__(self, other: object) -> bool:
        """Compare as text does."""
        Compared.times += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_a_state_of_accounts_that_differ_is_read_in_linear_time() -> None:
    """Finding the accounts of a run takes a lookup, not a walk along the list of accounts."""
    runs, length = 500, MIN_RUN_LENGTH + 1
    saved = Bookmarks()
    accounts = [f"acct_1N{place:05}" for place in range(runs * length)]
    for place, account in enumerate(accounts):
        saved.set("charges", account, Bookmark(((0, 9 + place // length),)))
    state = saved.state()
    assert len(state["bookmarks"]["charges"]["accounts"]) == runs - 1
    state[HEADER]["accounts"] = [Compared(account) for account in accounts]
    Compared.times = 0
    read = Bookmarks(state)
    assert Compared.times <= 10 * len(accounts)
    assert all(read.get("charges", one) == saved.get("charges", one) for one in accounts)


def test_a_run_reaches_from_the_first_place_of_an_account_that_is_listed_twice() -> None:
    """A list repaired by hand means what it always did."""
    state = deepcopy(VALID)
    first, last = ACCOUNTS[0], ACCOUNTS[3]
    entry = VALID["bookmarks"]["charges"]["accounts"]["acct_2Example"]
    state[HEADER]["accounts"] = [*ACCOUNTS, first, last]
    state["bookmarks"]["charges"] = {"covered": [], "accounts": {f"{first}:{last}": entry}}
    read = Bookmarks(state)
    assert [read.get("charges", one) != EMPTY for one in ACCOUNTS] == [True] * 4 + [False]
