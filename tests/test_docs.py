"""The documentation: its generated parts are up to date, and its examples work."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scripts import generate_docs
from tap_stripe_connect.catalog import STREAMS
from tap_stripe_connect.settings import SETTINGS
from tap_stripe_connect.sync.bookmarks import Bookmarks

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def examples(file: str, language: str) -> list[str]:
    """Return the code blocks of a language."""
    text = (ROOT / file).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_generated_parts_are_up_to_date() -> None:
    """What the README generates from tables of the code fits them."""
    assert generate_docs.main(["--check"]) == 0


def test_check_tells_of_a_stale_readme_and_leaves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --check a stale README fails and stays; without it is written, and then fits."""
    stale = README.replace("`lag_seconds`", "`lag`")
    readme = tmp_path / "README.md"
    readme.write_text(stale, "utf-8")
    monkeypatch.setattr(generate_docs, "README", readme)
    assert generate_docs.main(["--check"]) == 1
    assert readme.read_text("utf-8") == stale
    assert generate_docs.main([]) == 0
    assert generate_docs.main(["--check"]) == 0


def test_a_missing_marker_is_a_fault() -> None:
    """A README without a place for a generated part is refused, naming the part."""
    with pytest.raises(generate_docs.MarkerError, match="generated: settings"):
        generate_docs.filled(README.replace("<!-- generated: settings -->", ""))


def test_tables_have_every_setting_and_stream() -> None:
    """No setting and no stream is left out of the README."""
    for name in [*(setting.name for setting in SETTINGS), *(stream.name for stream in STREAMS)]:
        assert f"\n| `{name}` | " in README


def test_the_key_link_asks_for_each_permission_once() -> None:
    """The link to Stripe's form names every permission of the table, and no other."""
    asked = re.findall(r"permissions%5B%5D=(\w+)", generate_docs.key_link())
    needed = {generate_docs.listed(stream).permission for stream in STREAMS}
    assert sorted(asked) == sorted(needed)


def test_the_example_of_a_state_means_what_is_said_of_it() -> None:
    """The state in its documentation is read as described, and written back the same."""
    (text,) = examples("docs/state.md", "json")
    state = json.loads(text)
    bookmarks = Bookmarks(state)
    assert bookmarks.get("charges", "acct_1Example").covered == ((0, 1_769_860_800),)
    assert bookmarks.get("charges", "acct_2Example").covered == ((1_762_157_700, 1_769_860_800),)
    assert bookmarks.get("charges", "acct_3Example").covered == ()
    assert bookmarks.state() == state


def test_the_example_of_the_simulator_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The Python of the simulator's documentation works as it stands."""
    (program,) = examples("docs/simulator.md", "python")
    exec(program, {})  # noqa: S102 - a file of this repository
    assert capsys.readouterr().out == "0\n"
