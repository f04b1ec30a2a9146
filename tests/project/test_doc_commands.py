"""The commands of the documentation, run by a shell as they are written, in an empty home."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import requests

import dev
from tap_stripe_connect.accounts import in_shard
from tap_stripe_connect.simulator.connect.registry import Client
from tests.browser.scene import CHARGES, FIRST, rows, scene
from tests.connect.console import PATIENCE
from tests.connect.meltano_project import MELTANO, meltano_project
from tests.support.harness import DAY, NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_stripe_connect.simulator.server import Simulator
    from tests.connect.console import Console, Place
    from tests.support.harness import Json

ROOT = Path(__file__).parents[2]
FILES = (
    *sorted(file.name for file in ROOT.glob("*.md")),
    *sorted(f"docs/{file.name}" for file in ROOT.glob("docs/*.md")),
)
PLACEHOLDERS = {"ca_…": "ca_1Test", "rk_live_…": "{key}", "target-…": "target-jsonl"}
"""Values for what only readers know."""

TAP = f"""#!/bin/sh
# The port that readers register is not free on a machine that runs several tests.
case "$*" in
  *--own* | *--complete*) ;;
  connect*) set -- "$@" --redirect-uri "$REDIRECT" ;;
esac
exec {sys.executable} -m tap_stripe_connect "$@"
"""

TARGET = f"""#!{sys.executable}
# As targets of the SDK: STATE is passed on at the end, but for what TARGET says.
import json, os, sys
how = os.environ.get("TARGET", "")
if how == "does not start":
    sys.exit(3)
if how == "begins with an empty state":
    print("{{}}", flush=True)
last = None
with open("rows.jsonl", "a") as file:
    for line in sys.stdin:
        file.write(line)
        message = json.loads(line)
        if message["type"] == "STATE":
            first, last = last is None, json.dumps(message["value"])
            if first and how.startswith("dies"):
                print(last, flush=True)
                if how == "dies after a state":
                    os._exit(3)
if how.startswith("dies"):
    sys.stdout.write(last[: len(last) // 2])
    sys.stdout.flush()
    os._exit(3)
print(last)
"""


class Block(NamedTuple):
    """A block of commands in a file of the documentation."""

    file: str
    text: str
    marker: str
    """Why it is not run; empty if it is."""

    @property
    def name(self) -> str:
        """The file and the first command."""
        first = self.text.splitlines()[0].partition("  ")[0]
        return f"{self.file}: {first}"


def blocks(file: str, text: str) -> list[Block]:
    """Return the blocks of commands in a text."""
    pattern = r"^(?: *<!-- not run by tests: ([^\n]*) -->\n)?( *)```sh\n(.*?)^ *```$"
    found = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
    return [
        Block(file, re.sub(rf"^{indent}", "", inner, flags=re.MULTILINE), marker)
        for marker, indent, inner in found
    ]


BLOCKS = {
    block.name: block for file in FILES for block in blocks(file, (ROOT / file).read_text("utf-8"))
}


class Desk:
    """A reader's folder, an empty home, and a simulated Stripe."""

    def __init__(self, folder: Path, stripe: Simulator) -> None:
        """Lay out programs, and settings that say where Stripe answers."""
        work, self.home, self._programs = (folder / one for one in ("work", "home", "programs"))
        for one in (work, self.home, self._programs):
            one.mkdir()
        self.place: Place = scene(work, stripe)
        self.work = work
        self.stripe = stripe
        path = f"{self._programs}{os.pathsep}{os.environ['PATH']}"
        self.place.environ |= {
            "HOME": str(self.home),
            "PATH": path,
            "REDIRECT": self.place.redirect,
            "LANG": "C.UTF-8",
        }
        self.program("tap-stripe-connect", TAP)
        self.program("target-jsonl", TARGET)
        for installer in ("pip", "uv"):
            self.program(installer, f'#!/bin/sh\necho "$@" >> {folder}/{installer}\n')
        (self._programs / "meltano").symlink_to(MELTANO)
        self._folder = folder

    def program(self, name: str, text: str) -> None:
        """Put a program where the shell finds it."""
        (self._programs / name).write_text(text)
        (self._programs / name).chmod(0o755)

    def installed(self, installer: str) -> list[str]:
        """Return the arguments of an installer."""
        return (self._folder / installer).read_text().splitlines()

    def settings(self, **settings: object) -> None:
        """Write the settings file."""
        self.place.configure(**settings)

    def project(self, loader: str) -> None:
        """Turn the folder into a Meltano project."""
        meltano_project(self.place, loader, self._programs / "tap-stripe-connect")

    def command(self, script: str, shell: str = "sh") -> list[str]:
        """Return the command line that runs a script."""
        for shown, meant in PLACEHOLDERS.items():
            script = script.replace(shown, meant.format(key=self.stripe.api_key))
        return [shell, "-e", "-c", script]

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script without a terminal."""
        return subprocess.run(  # noqa: S603 - the documentation's own commands
            self.command(script),
            cwd=self.work,
            env=self.place.environ | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            timeout=4 * PATIENCE,
        )

    def terminal(self, script: str) -> Console:
        """Run a script in a terminal."""
        return self.place.script(*self.command(script))

    @property
    def records(self) -> list[dict[str, object]]:
        """The input of the target."""
        return rows((self.work / "rows.jsonl").read_text())

    def approve(self, console: Console) -> None:
        """Approve in Stripe what a terminal asks for, and go on from there."""
        link = console.link()
        console.expect("> ")
        requests.get(self.place.approve(link, FIRST), timeout=PATIENCE)


def charges(desk: Desk) -> list[str]:
    """Return the ids of the charges in the target's input, in order."""
    return sorted(str(row["id"]) for row in desk.records if str(row["id"]).startswith("ch_"))


def a_key(desk: Desk) -> dict[str, object]:
    """Return settings with which the connected account can be read."""
    desk.stripe.world.add_account(FIRST)
    return {"api_key": desk.stripe.api_key, "account_ids": [FIRST]}


def with_meltano(desk: Desk, script: str) -> None:
    """README: Meltano is installed, given the key, and run."""
    desk.project("target-duckdb")
    desk.stripe.world.platform.create("charge", {"id": "ch_1Own"}, at=NOW - DAY)
    done = desk.run(script)
    assert done.returncode == 0, done.stderr
    assert desk.installed("uv") == [f"tool install {dev.MELTANO.packages[0]}"]
    assert f"API_KEY='{desk.stripe.api_key}'" in (desk.work / ".env").read_text()
    assert charges(desk) == ["ch_1Own"]


def as_a_plain_tap(desk: Desk, script: str) -> None:
    """docs/running.md: a first run without a state, and a second one that resumes from it."""
    desk.settings(**a_key(desk))
    done = desk.run(script)
    assert done.returncode == 0, done.stderr
    assert charges(desk) == CHARGES
    before = state(desk)
    (desk.work / "rows.jsonl").unlink()
    desk.stripe.world.clock.advance(DAY)
    desk.stripe.world.accounts[FIRST].create("charge", {"id": "ch_new"})
    done = desk.run(script)
    assert done.returncode == 0, done.stderr
    assert charges(desk) == ["ch_new"]
    assert state(desk) != before
    assert json.loads((desk.work / "catalog.json").read_text())["streams"]


def connect_and_status(desk: Desk, script: str) -> None:
    """README: an account is connected in the terminal, and then looked at."""
    with desk.terminal(script) as console:
        desk.approve(console)
        console.expect("[y/N] ")
        console.type("y\n")
        console.expect("first.\n> ")
        console.type("\n")
        assert console.ended() == 0, console.seen
        assert re.search(rf"^{FIRST} .* ok$", console.result(), re.MULTILINE)


def connect(desk: Desk, script: str) -> None:
    """The guide: with the client id in the environment, an account is connected."""
    del desk.place.environ["STRIPE_CLIENT_ID"]
    with desk.terminal(script) as console:
        desk.approve(console)
        console.expect("[y/N] ")
        console.type("n\n")
        console.expect("first.\n> ")
        console.type("\n")
        assert console.ended() == 0, console.seen
    assert desk.place.settings["account_ids"] == [FIRST]


def connect_own(desk: Desk, script: str) -> None:
    """The guide: a restricted key is pasted, checked and saved."""
    with desk.terminal(script) as console:
        console.expect("(not shown)")
        console.type(f"{desk.stripe.api_key}\n")
        assert console.ended() == 0, console.seen
    assert desk.place.settings["api_key"] == desk.stripe.api_key


def run_both_ways(desk: Desk, script: str) -> None:
    """The guide: what was connected is read, by a pipe and by Meltano."""
    found = a_key(desk)
    desk.project("target-jsonl")
    desk.settings(**found)
    with (desk.work / ".env").open("a") as file:
        file.write(f"TAP_STRIPE_CONNECT_API_KEY='{found['api_key']}'\n")
        file.write(f"TAP_STRIPE_CONNECT_ACCOUNT_IDS='[\"{FIRST}\"]'\n")
    pipe, meltano = script.strip().splitlines()
    for one in (pipe, meltano):
        done = desk.run(one)
        assert done.returncode == 0, done.stderr
        assert charges(desk) == CHARGES
        (desk.work / "rows.jsonl").unlink()


def in_two_steps(desk: Desk, script: str) -> None:
    """The guide: somebody approves while the script waits for the address."""
    os.mkfifo(desk.work / "landed.txt")
    (desk.work / "key.txt").write_text(desk.stripe.api_key)
    del desk.place.environ["STRIPE_SECRET_KEY"]

    def somebody() -> None:
        # Opening it waits until the second command wants to read, so the first one is done.
        with (desk.work / "landed.txt").open("w") as landed:
            attempt = json.loads((desk.work / "attempt.json").read_text())
            landed.write(desk.place.approve(attempt["browser_url"], FIRST))

    approving = threading.Thread(target=somebody, daemon=True)
    approving.start()
    done = desk.run(script)
    assert done.returncode == 0, done.stderr
    assert desk.place.settings["account_ids"] == [FIRST]


def connect_with_meltano(desk: Desk, script: str) -> None:
    """The guide: connected, looked at and run through Meltano."""
    desk.project("target-jsonl")
    with desk.terminal(script) as console:
        desk.approve(console)
        console.expect("[y/N] ")
        console.type("y\n")
        console.expect("first.\n> ")
        console.type("\n")
        assert console.ended() == 0, console.seen
    assert charges(desk) == CHARGES


def one_shard(desk: Desk, script: str) -> None:
    """The guide: a run reads its part of the accounts."""
    desk.project("target-jsonl")
    names = [f"acct_1Part{number}" for number in range(12)]
    for name in names:
        desk.stripe.world.add_account(name).create("charge", {"id": f"ch_{name}"}, at=NOW - DAY)
    with (desk.work / ".env").open("a") as file:
        file.write(f"TAP_STRIPE_CONNECT_API_KEY='{desk.stripe.api_key}'\n")
        file.write("TAP_STRIPE_CONNECT_ALL_CONNECTED_ACCOUNTS=true\n")
    done = desk.run(script)
    assert done.returncode == 0, done.stderr
    wanted = [f"ch_{name}" for name in names if in_shard(name, (3, 4))]
    assert charges(desk) == sorted(wanted)
    assert 0 < len(wanted) < len(names)


def simulate(desk: Desk, script: str) -> None:
    """The simulator is installed and started; it answers until Ctrl-C."""
    with subprocess.Popen(  # noqa: S603 - the documentation's own commands
        desk.command(script),
        cwd=desk.work,
        env=desk.place.environ,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        url, key = (re.findall(rf"{name}=(\S+)", line)[0] for name in ("url", "api_key"))
        answer = requests.get(f"{url}/v1/accounts", auth=(key, ""), timeout=PATIENCE)
        assert len(answer.json()["data"]) == 2
        os.killpg(process.pid, signal.SIGINT)
    assert desk.installed("pip") == ["install .[simulator]"]


def oauth_by_hand(desk: Desk, script: str) -> None:
    """The pages of the simulated sign-in are plain forms."""
    assert shutil.which("curl"), "curl is missing (Debian: apt install curl)"
    name = "acct_1Signup0001"
    client = Client(id="ca_SimulatorTest", redirect_uris=("http://localhost:8765/callback",))
    desk.stripe.world.connect.add_client(client)
    desk.stripe.world.add_signup(name)
    url, link = desk.stripe.url, script.partition('link="$url')[2].partition('"')[0]
    code = re.findall(r"[?&]code=(\w+)", desk.place.approve(f"{url}{link}", name))[0]
    done = desk.run(script, url=url, key=desk.stripe.api_key, code=code)
    assert done.returncode == 0, done.stderr
    location, _, answer = done.stdout.partition("\n")
    assert location.startswith("location: http://localhost:8765/callback?")
    assert json.loads(answer)["stripe_user_id"] == name


PLAYS: dict[str, Callable[[Desk, str], None]] = {
    "README.md: uv tool install meltano==4.4.1": with_meltano,
    "docs/running.md: tap-stripe-connect --discover > catalog.json": as_a_plain_tap,
    "README.md: tap-stripe-connect connect": connect_and_status,
    "docs/connect.md: tap-stripe-connect connect --own": connect_own,
    "docs/connect.md: export STRIPE_CLIENT_ID=ca_…": connect,
    "docs/connect.md: tap-stripe-connect --config config.json | target-jsonl": run_both_ways,
    "docs/connect.md: tap-stripe-connect connect --start --test > attempt.json": in_two_steps,
    "docs/connect.md: meltano invoke tap-stripe-connect:connect": connect_with_meltano,
    "docs/connect.md: TAP_STRIPE_CONNECT_SHARD=3/4 meltano run --state-id-suffix=3of4 "
    "tap-stripe-connect target-jsonl": one_shard,
    "docs/simulator.md: pip install '.[simulator]'": simulate,
    'docs/simulator.md: link="$url/oauth/authorize?response_type=code&scope=read_write'
    '&client_id=ca_SimulatorTest&state=abc"': oauth_by_hand,
}


def state(desk: Desk) -> Json:
    """Return the contents of the state file."""
    found: Json = json.loads((desk.work / "state.json").read_text())
    return found


@pytest.fixture
def desk(tmp_path: Path, stripe: Simulator) -> Desk:
    """Return a reader's desk."""
    return Desk(tmp_path, stripe)


@pytest.mark.parametrize("name", PLAYS)
def test_commands_of_the_documentation_work(desk: Desk, name: str) -> None:
    """As they are written, but for what only a reader knows."""
    PLAYS[name](desk, BLOCKS[name].text)


# The recipe of the plain tap, and a target that dies

RECIPE = BLOCKS["docs/running.md: tap-stripe-connect --discover > catalog.json"].text


@pytest.mark.parametrize("how", ["does not start", "dies after a state", "dies within a line"])
def test_a_target_that_dies_leaves_the_state_of_the_run_before(desk: Desk, how: str) -> None:
    """What it confirmed counts; the next run brings the rest."""
    desk.settings(**a_key(desk))
    desk.run(RECIPE)
    before = (desk.work / "state.json").read_bytes()
    (desk.work / "rows.jsonl").unlink()
    desk.stripe.world.clock.advance(DAY)
    desk.stripe.world.accounts[FIRST].create("charge", {"id": "ch_new"})
    desk.run(RECIPE, TARGET=how)
    assert (desk.work / "state.json").read_bytes() == before
    done = desk.run(RECIPE)
    assert done.returncode == 0, done.stderr
    assert "ch_new" in charges(desk)
    assert (desk.work / "state.json").read_bytes() != before


@pytest.mark.parametrize("how", ["does not start", "dies after a state", "dies within a line"])
def test_a_target_that_dies_in_the_first_run_leaves_a_state_to_begin_with(
    desk: Desk, how: str
) -> None:
    """Nothing is claimed that it did not confirm."""
    desk.settings(**a_key(desk))
    desk.run(RECIPE, TARGET=how)
    told = state(desk).get("bookmarks", {})
    assert all(entry["covered"] == [] for entry in told.values())
    done = desk.run(RECIPE)
    assert done.returncode == 0, done.stderr
    assert set(charges(desk)) == set(CHARGES)


def test_an_empty_state_of_a_target_is_none(desk: Desk) -> None:
    """Some targets pass an empty one on before they have got any."""
    desk.settings(**a_key(desk))
    desk.run(RECIPE)
    (desk.work / "rows.jsonl").unlink()
    done = desk.run(RECIPE, TARGET="begins with an empty state")
    assert done.returncode == 0, done.stderr
    assert charges(desk) == []
    assert state(desk)["bookmarks"]


# None is forgotten


def test_every_block_of_commands_is_run_or_says_why_not() -> None:
    """A new one turns this red until it is either."""
    for name, block in BLOCKS.items():
        assert (name in PLAYS) != bool(block.marker), name
    assert PLAYS.keys() <= BLOCKS.keys()
    text = "".join((ROOT / file).read_text("utf-8") for file in FILES)
    assert text.count("```sh\n") == len(BLOCKS)
    assert text.count("not run by tests") == sum(bool(block.marker) for block in BLOCKS.values())


def test_other_shells_are_not_spoken() -> None:
    """Blocks of commands are all marked alike, so that none escapes."""
    for file in FILES:
        languages = re.findall(r"^ *```(\w+)$", (ROOT / file).read_text("utf-8"), re.MULTILINE)
        assert set(languages) <= {"json", "mermaid", "python", "sh", "sql", "text", "yaml"}


def test_a_block_and_its_marker_are_found_wherever_they_stand() -> None:
    """Within a list, too."""
    text = "* x\n  <!-- not run by tests: too long -->\n  ```sh\n  a\n    b\n  ```\n```sh\nc\n```\n"
    assert blocks("f", text) == [Block("f", "a\n  b\n", "too long"), Block("f", "c\n", "")]
