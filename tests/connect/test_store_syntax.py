"""Editing `.env` and `config.json`: what is not meant to change stays byte by byte."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from dotenv.parser import parse_stream
from hypothesis import given
from hypothesis import strategies as st

from tap_stripe_connect.connect.store import StoreFault, found
from tap_stripe_connect.connect.store.config_file import Json
from tap_stripe_connect.connect.store.dotenv_file import Dotenv

if TYPE_CHECKING:
    from pathlib import Path

ENV = Dotenv("TAP_")
NEW = """'["acct_1"]'"""
ACCOUNTS = {"account_ids": ["acct_1"]}

LINES = {
    "plain": ("TAP_ACCOUNT_IDS=acct_0\n", f"TAP_ACCOUNT_IDS={NEW}\n"),
    "export": ("export TAP_ACCOUNT_IDS=acct_0\n", f"export TAP_ACCOUNT_IDS={NEW}\n"),
    "indented": ("\n\n  TAP_ACCOUNT_IDS=x\n", f"\n\n  TAP_ACCOUNT_IDS={NEW}\n"),
    "quoted name": ("'TAP_ACCOUNT_IDS'=x\n", f"'TAP_ACCOUNT_IDS'={NEW}\n"),
    "spaces": ("TAP_ACCOUNT_IDS = x\n", f"TAP_ACCOUNT_IDS ={NEW}\n"),
    "empty": ("TAP_ACCOUNT_IDS=\nA=1\n", f"TAP_ACCOUNT_IDS={NEW}\nA=1\n"),
    "without =": ("TAP_ACCOUNT_IDS\nA=1\n", f"TAP_ACCOUNT_IDS={NEW}\nA=1\n"),
    "comment": ("TAP_ACCOUNT_IDS=x # mine\n", f"TAP_ACCOUNT_IDS={NEW} # mine\n"),
    "only comment": ("TAP_ACCOUNT_IDS= # mine\n", f"TAP_ACCOUNT_IDS={NEW} # mine\n"),
    "tight comment": ("TAP_ACCOUNT_IDS='x'#mine\n", f"TAP_ACCOUNT_IDS={NEW}#mine\n"),
    "hash": ("TAP_ACCOUNT_IDS=#x\n", f"TAP_ACCOUNT_IDS={NEW}\n"),
    "escaped quote": ('TAP_ACCOUNT_IDS="a\\"b\\\\" # c\n', f"TAP_ACCOUNT_IDS={NEW} # c\n"),
    "many lines": ("TAP_ACCOUNT_IDS='[\n\"x\"\n]'\nA=1\n", f"TAP_ACCOUNT_IDS={NEW}\nA=1\n"),
    "crlf": ("A=1\r\nTAP_ACCOUNT_IDS=x\r\nB=2\r\n", f"A=1\r\nTAP_ACCOUNT_IDS={NEW}\r\nB=2\r\n"),
    "twice": ("TAP_ACCOUNT_IDS=x\nTAP_ACCOUNT_IDS=y", f"TAP_ACCOUNT_IDS=x\nTAP_ACCOUNT_IDS={NEW}"),
    "new": ("", f"TAP_ACCOUNT_IDS={NEW}\n"),
    "no newline": ("A=1", f"A=1\nTAP_ACCOUNT_IDS={NEW}\n"),
    "new after crlf": ("A=1\r\n", f"A=1\r\nTAP_ACCOUNT_IDS={NEW}\r\n"),
    "byte order mark": ("\ufeffA=1\n", f"\ufeffA=1\nTAP_ACCOUNT_IDS={NEW}\n"),
    "comments": (
        "# TAP_ACCOUNT_IDS=old\n\nA='it''s'\nB=\"$X \\\\ #\"\n",
        f"# TAP_ACCOUNT_IDS=old\n\nA='it''s'\nB=\"$X \\\\ #\"\nTAP_ACCOUNT_IDS={NEW}\n",
    ),
}


@pytest.mark.parametrize(("before", "after"), LINES.values(), ids=LINES)
def test_dotenv_changes_one_value(before: str, after: str) -> None:
    """Comments, order, quotes, line ends and other lines of .env stay as they are."""
    assert ENV.edited(before, ACCOUNTS) == after
    assert ENV.values(after)["account_ids"] == '["acct_1"]'


PIECES = st.sampled_from(
    ["TAP_ACCOUNT_IDS", "A", "=", "'", '"', "#", " ", "\n", "\r\n", "export ", "\\", "$A", "x", "é"]
)


@given(st.lists(PIECES, max_size=25).map("".join))
def test_dotenv_never_changes_another_value(text: str) -> None:
    """Whatever the file looks like, either it is refused, or only our variable has changed."""
    try:
        after = ENV.edited(text, ACCOUNTS)
    except StoreFault:
        return
    assert ENV.values(after)["account_ids"] == '["acct_1"]'
    before, place = lines(text)
    changed, _ = lines(after)
    if place == len(before):
        assert after.startswith(text)
        assert after[len(text) :].strip("\r\n") == f"TAP_ACCOUNT_IDS={NEW}"
    else:
        assert changed[:place] == before[:place]
        assert changed[place + 1 :] == before[place + 1 :]


def lines(text: str) -> tuple[list[str], int]:
    """Return the statements of a .env file, and the place of the one that sets our variable."""
    statements = list(parse_stream(io.StringIO(text, newline="")))
    ours = [place for place, each in enumerate(statements) if each.key == "TAP_ACCOUNT_IDS"]
    return [each.original.string for each in statements], ours[-1] if ours else len(statements)


def test_dotenv_keeps_bytes_that_are_no_text(
    tmp_path: Path,
) -> None:
    """A comment in an old encoding comes through."""
    path = tmp_path / ".env"
    path.write_bytes(b"# caf\xe9\nA=1\n")
    found({}, dotenv=path).save(["acct_1"])
    assert path.read_bytes().startswith(b"# caf\xe9\nA=1\n")


OBJECTS = {
    "empty file": ("", '{\n  "account_ids": ["acct_1"]\n}\n'),
    "empty object": ("{}", '{\n  "account_ids": ["acct_1"]\n}'),
    "four spaces": (
        '{\n    "b": 1.0,\n    "a": [1,2]\n}\n',
        '{\n    "b": 1.0,\n    "a": [1,2],\n    "account_ids": ["acct_1"]\n}\n',
    ),
    "tabs and crlf": (
        '{\r\n\t"a": "\\u00e9"\r\n}',
        '{\r\n\t"a": "\\u00e9",\r\n\t"account_ids": ["acct_1"]\r\n}',
    ),
    "one line": ('{"a": 1}', '{"a": 1, "account_ids": ["acct_1"]}'),
    "in the middle": (
        '{"a": 1, "account_ids": [ "x" ] , "z": {"account_ids": 2}}',
        '{"a": 1, "account_ids": ["acct_1"] , "z": {"account_ids": 2}}',
    ),
    "twice": (
        '{"account_ids": 1, "account_ids": 2}',
        '{"account_ids": 1, "account_ids": ["acct_1"]}',
    ),
    "byte order mark": ('\ufeff{"a": 1}', '\ufeff{"a": 1, "account_ids": ["acct_1"]}'),
}


@pytest.mark.parametrize(("before", "after"), OBJECTS.values(), ids=OBJECTS)
def test_config_changes_one_value(before: str, after: str) -> None:
    """Order, indentation, unknown settings and spelling of config.json stay as they are."""
    assert Json().edited(before, ACCOUNTS) == after


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(max_size=8) | st.just("account_ids"), JSON), st.sampled_from([None, 3])
)
def test_config_never_changes_another_value(content: dict[str, object], indent: int | None) -> None:
    """Whatever else an object holds is the same afterwards, in the same order."""
    after = json.loads(Json().edited(json.dumps(content, indent=indent), ACCOUNTS))
    assert list(after.items()) == list((content | ACCOUNTS).items())


@pytest.mark.parametrize(
    "text", ["{", '{"a": 1,}', '// mine\n{"a": 1}', "[]", "null", '"text"', "{} {}"]
)
def test_invalid_config_is_refused(tmp_path: Path, text: str) -> None:
    """A config.json that is no JSON object is not touched."""
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(StoreFault, match="JSON"):
        found({}, config=path).save(["acct_1"])
    assert path.read_text() == text
