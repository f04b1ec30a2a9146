"""The documentation: its generated parts are up to date, and its examples work."""

from __future__ import annotations

import ast
import json
import re
import shutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from scripts import generate_docs
from tap_stripe_connect.catalog import STREAMS
from tap_stripe_connect.connect import commands
from tap_stripe_connect.connect.oauth import CONNECT, Application
from tap_stripe_connect.connect.outcome import Exit
from tap_stripe_connect.connect.refusals import RULES, UNKNOWN
from tap_stripe_connect.settings import SETTINGS
from tap_stripe_connect.sync.state.format import Bookmarks
from tests.connect.console import Place

if TYPE_CHECKING:
    from tap_stripe_connect.connect.refusals import Rule
    from tap_stripe_connect.simulator.server import Simulator

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "connect.md").read_text("utf-8")
TEST_MODE = Application("ca_…", "http://localhost:8765/callback", livemode=False, url=CONNECT)
MELTANO: Any = import_module("yaml").safe_load((ROOT / "meltano.yml").read_text("utf-8"))
NOT_IN_THE_REPOSITORY = {"config.json", "schemas/topups.json"}
"""Names in the documentation of files that users or an example create."""
OTHERS_OPTIONS = {"--log-level", "--signups", "--state-id-suffix", "--test"}
"""Of Meltano, the simulator and the tap."""


def examples(file: str, language: str) -> list[str]:
    """Return the code blocks of a language."""
    text = (ROOT / file).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_generated_parts_are_up_to_date() -> None:
    """The generated parts are up to date."""
    assert generate_docs.main(["--check"]) == 0


def test_check_names_stale_files_and_leaves_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --check a stale file fails and stays; without it is written, and then fits."""
    for file in generate_docs.parts():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    settings = tmp_path / "docs" / "settings.md"
    stale = settings.read_text("utf-8").replace("`lag_seconds` |", "`lag` |")
    settings.write_text(stale, "utf-8")
    monkeypatch.setattr(generate_docs, "ROOT", tmp_path)
    assert generate_docs.main(["--check"]) == 1
    assert capsys.readouterr().out == "stale: docs/settings.md\n"
    assert settings.read_text("utf-8") == stale
    assert generate_docs.main([]) == 0
    assert generate_docs.main(["--check"]) == 0


def test_a_missing_marker_is_an_error() -> None:
    """A file without a place for a generated part is rejected, naming both."""
    wanted = r"settings\.md lacks .*generated: settings"
    with pytest.raises(generate_docs.MarkerError, match=wanted):
        generate_docs.filled("docs/settings.md", "")


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("docs/settings.md", [setting.name for setting in SETTINGS]),
        ("docs/streams.md", [stream.name for stream in STREAMS]),
    ],
)
def test_tables_have_every_setting_and_stream(file: str, names: list[str]) -> None:
    """All settings and streams are documented."""
    text = (ROOT / file).read_text("utf-8")
    for name in names:
        assert f"\n| `{name}` | " in text


def test_the_readme_is_short() -> None:
    """Long tables belong in docs/."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 150


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


def between(name: str) -> str:
    """Return a part of the guide to connecting, by the name in its markers."""
    (part,) = re.findall(rf"<!-- \w+: {name} -->\n(.*?)<!-- end: {name} -->", GUIDE, re.DOTALL)
    return str(part).strip()


def table(name: str) -> list[list[str]]:
    """Return the cells of a table of the guide, without its head."""
    lines = between(name).splitlines()[2:]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def told(rule: Rule) -> list[str]:
    """Return the row that a rule has in the guide."""
    said = [f"`{rule.word}`" * bool(rule.word), f"“{rule.text}”" * bool(rule.text)]
    words = {**TEST_MODE.words, "said": "…"}
    line, advice = (text.format_map(words) for text in (rule.line, rule.advice))
    linked = re.sub(r"https://dashboard\S+", r"[Dashboard](\g<0>)", " ".join(advice.split()))
    return [", ".join(filter(None, said)) or "anything else", line, linked or "-"]


def test_every_error_of_stripe_is_explained() -> None:
    """The guide has each row of the table of errors, in its order and words."""
    assert table("what Stripe refuses") == [told(rule) for rule in (*RULES, UNKNOWN)]


def test_lines_of_the_program_are_quoted_right() -> None:
    """Program output in the guide is what the program prints."""
    package = ROOT / "tap_stripe_connect"
    said = "\n".join(
        text
        for file in (
            *sorted((package / "connect").rglob("*.py")),
            package / "settings" / "parsers.py",
        )
        for text in texts(ast.parse(file.read_text("utf-8")))
    )
    for line, advice in table("what the program refuses"):
        assert line in said
        assert advice


def texts(tree: ast.AST) -> list[str]:
    """Return the texts in a program, with gaps where values are put in."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
            found.append("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


def test_every_exit_code_is_explained() -> None:
    """The guide has each exit code of the commands, and no other."""
    assert [int(code) for code, _ in table("exit codes")] == list(Exit)


def test_options_of_the_guide_exist_and_none_is_left_out() -> None:
    """The guide documents all options of the three commands, and no others."""
    shown = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", GUIDE))
    options = {
        option
        for command in (commands.connect, commands.status, commands.disconnect)
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("-")
    }
    assert options <= shown
    assert shown <= options | OTHERS_OPTIONS


@pytest.mark.parametrize(
    "file", [str(one.relative_to(ROOT)) for one in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))]
)
def test_links_lead_somewhere(file: str) -> None:
    """Files, pictures and headings that the documentation links to are there."""
    text = (ROOT / file).read_text("utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        name, _, anchor = target.partition("#")
        found = (ROOT / file).parent / name if name else ROOT / file
        assert found.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text("utf-8"), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, target


@pytest.mark.parametrize("file", ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_named_paths_exist(file: str) -> None:
    """Each file and folder that is named in backticks is there, from the root or the package."""
    text = (ROOT / file).read_text("utf-8")
    named = re.findall(r"`([\w./-]+(?:/|\.(?:json|md|py|toml|yaml|yml)))`", text)
    assert named
    missing = [
        name
        for name in named
        if not (ROOT / name).exists() and not (ROOT / "tap_stripe_connect" / name).exists()
    ]
    assert not [name for name in missing if name not in NOT_IN_THE_REPOSITORY]


def slug(heading: str) -> str:
    """Return the anchor that a heading gets."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_the_first_connection_is_shown_as_it_is(tmp_path: Path, stripe: Simulator) -> None:
    """The guide's terminal is what a terminal shows, from the first question to the last line."""
    stripe.world.platform.name = "Example platform"
    account = stripe.world.add_signup("acct_1Example", name="Example account")
    account.create("customer", {"id": "cus_1Example"})
    place = Place(tmp_path, stripe)
    del place.environ["STRIPE_SECRET_KEY"]
    place.environ["BROWSER"] = "true"
    with place.connect() as console:
        console.expect("(not shown): ")
        console.type(f"{stripe.api_key}\n")
        link = console.link()
        console.expect("> ")
        requests.get(place.approve(link, account.id), timeout=120)
        console.expect("[y/N] ")
        console.type("y\n")
        console.expect(" first.\n> ")
        seen = console.seen
    shown = [
        (r"^! Keys are sent to .*\n", ""),
        (re.escape(stripe.url), CONNECT),
        (f":{place.port}", ":8765"),
        (stripe.world.platform.id, "acct_1Platform"),
        (r"ending in \w{4}", "ending in 9Qa2"),
        (r"\?\S+", "?…"),
        (r" +$", ""),
    ]
    for real, example in shown:
        seen = re.sub(real, example, seen, flags=re.MULTILINE)
    assert f"```text\n{seen.strip()}\n```" == between("first connection")


def test_the_extractor_of_the_guide_is_a_part_of_ours() -> None:
    """The settings for a separate project match the meltano.yml of the repository."""
    (text,) = examples("docs/connect.md", "yaml")
    (shown,) = import_module("yaml").safe_load(text)["plugins"]["extractors"]
    (ours,) = MELTANO["plugins"]["extractors"]
    for name in ("name", "namespace", "executable", "capabilities"):
        assert shown[name] == ours[name]
    settings = {row["name"]: row for row in ours["settings"]}
    for row in shown["settings"]:
        assert row.items() <= settings[row["name"]].items()
    for name, arguments in shown["commands"].items():
        assert arguments == ours["commands"][name]["args"]
