"""The forms in which a saved state is understood, and what is refused instead of ignored."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, Self

import pytest

from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.sync.state.bookmark import EMPTY, StateError
from tap_stripe_connect.sync.state.format import Bookmarks
from tap_stripe_connect.sync.state.input import state_text
from tests.support.harness import DAY, NOW, Output, cli, command, config_for, parsed, run, selecting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_stripe_connect.simulator.server import Simulator
    from tests.support.harness import Json

ROWS = 150


def lines_of(*messages: Any) -> str:
    """Return messages as lines of JSON."""
    return "".join(f"{json.dumps(message)}\n" for message in messages)


def message(state: Json) -> Json:
    """Return the STATE message of a state."""
    return {"type": "STATE", "value": state}


EARLIER: Json = {"bookmarks": {}}
RECORD = {"type": "RECORD", "stream": "customers", "record": {"id": "cus_1"}}
SCHEMA = {"type": "SCHEMA", "stream": "customers", "schema": {}, "key_properties": []}

FORMS: dict[str, Callable[[Json], str]] = {
    "the state": json.dumps,
    "the state, indented": lambda state: json.dumps(state, indent=2),
    "a STATE message": lambda state: lines_of(message(state)),
    "a STATE message, indented": lambda state: json.dumps(message(state), indent=2),
    "lines of a target": lambda state: lines_of(EARLIER, EARLIER, state),
    "lines of a target, the last cut off": lambda state: lines_of(EARLIER, state) + '{"bookm',
    "lines of a target that ended without a state": lambda state: lines_of(state, {}),
    "lines of a tap": lambda state: lines_of(SCHEMA, message(EARLIER), message(state), RECORD),
    "blank lines between": lambda state: f"\n{lines_of(EARLIER)}\n{lines_of(state)}\n",
    "meltano state get": lambda state: json.dumps({"singer_state": state}),
    "meltano state get, pretty": lambda state: json.dumps({"singer_state": state}, indent=2),
    "a file of Meltano's": lambda state: json.dumps(
        {"completed": {"singer_state": state}, "partial": {}}
    ),
    "a row of Meltano's": lambda state: json.dumps(
        {"partial_state": {"singer_state": state}, "completed_state": None}
    ),
    "a run that Meltano calls incomplete": lambda state: json.dumps(
        {"completed": {"singer_state": EARLIER}, "partial": {"singer_state": state}}
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_saved_state_goes_on_in_whatever_form_it_was_saved(stripe: Simulator, form: str) -> None:
    """Only what is new comes; a form that is not understood would load everything again."""
    account = stripe.world.platform
    bulk.load(account, customers=ROWS, start=NOW - 9 * DAY, until=NOW - DAY)
    first = run(config_for(stripe), catalog=selecting("customers"))
    assert first.counts == {"customers": ROWS}
    stripe.world.clock.advance(DAY)
    account.create("customer", {"id": "cus_new"})
    given = json.loads(state_text(io.StringIO(FORMS[form](first.state))))
    second = run(config_for(stripe), catalog=selecting("customers"), state=given)
    assert [row["id"] for row in second.records("customers")] == ["cus_new"]
    assert set(second.state) == {"bookmarks", "tap_stripe_connect"}


REFUSED = [
    ('{"charges": {"covered": []}}', "bookmarks is missing, there is only 'charges'; give"),
    ('{"singer_state": {"charges": {"covered": []}}}', "there is only 'charges'; give"),
    ('{"type": "STATE", "value": {"charges": {}}}', "there is only 'charges'; give"),
    ('{"type": "STATE"}', "value is None, not an object"),
    ('{"singer_state": [1]}', "singer_state is [1], not an object"),
    ('{"completed": {"singer_state": {"charges": {}}}}', "there is only 'charges'; give"),
    ('{"completed": {"singer_state": 5}}', "completed.singer_state is 5, not an object"),
    ('{"completed": 5}', "completed is 5, not an object"),
    ('{"api_key": "rk_test_1PlantedSecret"}', "there is only 'api_key'; give"),
    ('{"a": 1, "b": 2, "c": 3, "d": 4}', "there is only 'a', 'b', 'c', …; give"),
    (f'{{"{"x" * 999}": 1}}', f"there is only '{'x' * 30}…'; give"),
    ('{"a\\nb": 1}', "there is only 'a\\nb'; give"),
    ('{"currently_syncing": null}', "there is only 'currently_syncing'; give"),
    ('{"tap_stripe_connect": {"version": 1}}', "there is only 'tap_stripe_connect'; give"),
    (lines_of(RECORD), "has messages, but no STATE among them"),
    (lines_of(EARLIER, {"charges": {}}), "there is only 'charges'; give"),
    (f"{lines_of(EARLIER)}broken\n{lines_of(EARLIER)}", "has a line that is not a JSON object"),
    ('{"bookmarks": {"charges": {"cov', "is not a JSON object; it may have been cut off"),
    ('{\n  "bookmarks": {\n', "is not a JSON object; it may have been cut off"),
    ("", "is not a JSON object; it may have been cut off"),
    ("[" * 99_999, "is not a JSON object; it may have been cut off"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_what_is_no_state_is_refused_by_name(text: str, said: str) -> None:
    """Taken for no state it would load everything again."""
    with pytest.raises((ValueError, StateError)) as caught:
        Bookmarks(json.loads(state_text(io.StringIO(text))))
    message = str(caught.value)
    assert said in message
    assert len(message.splitlines()) == 1
    assert "PlantedSecret" not in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"charges": {"covered": []}}', "Error: state: bookmarks is missing, there is only"),
        (b'{"bookmarks": {"charges": {"cov', "may have been cut off"),
        (lines_of(RECORD).encode(), "has messages, but no STATE among them"),
        (b"\xff\xfe{}", "is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_state_ends_the_run_in_one_line(
    stripe: Simulator, tmp_path: Path, content: bytes, said: str
) -> None:
    """Exit code 1, nothing on stdout, no request."""
    line = command(tmp_path, config_for(stripe))
    (tmp_path / "saved.json").write_bytes(content)
    result = cli(*line[3:], "--state", str(tmp_path / "saved.json"))
    assert (result.returncode, result.stdout) == (1, "")
    assert "Traceback" not in result.stderr
    (error,) = (one for one in result.stderr.splitlines() if one.startswith("Error:"))
    assert said in error
    assert stripe.journal.count() == 0


def test_the_output_of_a_run_is_a_state_for_the_next(stripe: Simulator, tmp_path: Path) -> None:
    """As a program of its own: `--state` takes the file that standard output went to."""
    bulk.load(stripe.world.platform, customers=ROWS, start=NOW - 9 * DAY, until=NOW - DAY)
    line = command(tmp_path, config_for(stripe))[3:]
    (tmp_path / "output.jsonl").write_text(cli(*line).stdout)
    result = cli(*line, "--state", str(tmp_path / "output.jsonl"))
    assert result.returncode == 0
    assert Output(parsed(result.stdout.encode())).counts == {}


@pytest.mark.parametrize(
    "state",
    [
        *({}, {"bookmarks": {}}, message({}), message({"bookmarks": {}}), {"singer_state": {}}),
        *({"completed": {}, "partial": {}}, {"completed_state": None, "partial_state": None}),
    ],
)
def test_an_empty_state_is_no_state(state: Json) -> None:
    """As it is before a first run, in each form."""
    assert Bookmarks(state).state() == Bookmarks().state()


def test_of_two_states_the_later_one_counts_stream_by_stream() -> None:
    """Meltano keeps what a run left unfinished beside the last whole state."""
    account = "acct_1Example"

    def state(until: str, *names: str) -> Json:
        entry = {"covered": [["1970-01-01T00:00:00+00:00", until]], "level_accounts": 1}
        header = {"version": 1, "livemode": False, "accounts": [account]}
        return {
            "singer_state": {
                "bookmarks": dict.fromkeys(names, entry),
                "tap_stripe_connect": header,
            }
        }

    read = Bookmarks(
        {
            "completed": state("2026-01-01T00:00:00+00:00", "charges", "customers"),
            "partial": state("2026-02-01T00:00:00+00:00", "customers", "invoices"),
        }
    )
    ends = {name: read.get(name, account).covered[0][1] for name in ("charges", "customers")}
    assert ends == {"charges": 1_767_225_600, "customers": 1_769_904_000}
    assert read.get("invoices", account) != EMPTY
    assert read.livemode is False


def test_the_forms_are_for_states_only() -> None:
    """A state that has bookmarks is taken as it is, whatever other keys it has."""
    state = {"bookmarks": {}, "type": "STATE", "value": 5, "singer_state": 5, "completed": 5}
    kept = Bookmarks(dict(state)).state()
    assert {name: kept[name] for name in state} == state


class Line(str):
    """A line that reports how many others exist at the same time."""

    __slots__ = ()
    alive = 0
    most = 0

    def __new__(cls, text: str) -> Self:
        """Count one more."""
        Line.alive += 1
        Line.most = max(Line.most, Line.alive)
        return super().__new__(cls, text)

    def __del__(self) -> None:
        """Count one less."""
        Line.alive -= 1


def test_lines_are_read_one_at_a_time() -> None:
    """The output of a tap may be larger than the memory."""
    lines = (Line(lines_of(message({"bookmarks": {}, "number": one}))) for one in range(1000))
    assert json.loads(state_text(lines))["value"]["number"] == 999
    assert Line.most <= 4


def test_a_broken_wrapper_is_a_state_error() -> None:
    """In the same words as any other damage."""
    with pytest.raises(StateError, match="start without a state"):
        Bookmarks({"singer_state": "x"})
