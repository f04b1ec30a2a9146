"""Where settings are kept: which file, and what is written to it."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tap_stripe_connect.connect.store import Store, StoreFault, found
from tap_stripe_connect.connect.store.atomic import rewrite

ACCOUNT = "acct_1Example"
OTHER = "acct_1Other"
KEY = "sk_test_1Planted"
LIVE = "rk_live_1Planted"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config() -> Store:
    """Return a store for config.json."""
    return found({}, config=Path("config.json"))


def dotenv(environ: dict[str, str] | None = None) -> Store:
    """Return a store for .env."""
    return found(environ or {}, dotenv=Path(".env"))


STORES = pytest.mark.parametrize("make", [config, dotenv])


def permissions(path: Path) -> int:
    """Return a file's mode."""
    return stat.S_IMODE(path.stat().st_mode)


# Which file


def test_meltano_tells_project_and_plugin(folder: Path) -> None:
    """Inside `meltano invoke` it is the project's .env and the variables of that very plugin."""
    environ = {"MELTANO_PROJECT_ROOT": str(folder), "MELTANO_EXTRACTOR_NAME": "tap-stripe--live"}
    store = found(environ)
    assert store.path == folder / ".env"
    assert store.save([ACCOUNT]) == ("TAP_STRIPE__LIVE_ACCOUNT_IDS",)
    assert store.next_step == "meltano config test tap-stripe--live"


def test_a_project_is_found_from_a_folder_inside(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Meltano's environment, the nearest folder above with a meltano.yml counts."""
    inside = folder / "extract" / "deep"
    inside.mkdir(parents=True)
    (folder / "meltano.yml").touch()
    monkeypatch.chdir(inside)
    assert found({}).path == folder / ".env"
    assert found({}).save([ACCOUNT]) == ("TAP_STRIPE_CONNECT_ACCOUNT_IDS",)
    assert found({}, plugin="tap-two").save([ACCOUNT]) == ("TAP_TWO_ACCOUNT_IDS",)


def test_without_a_project_it_is_config_json() -> None:
    """Outside of a Meltano project, config.json in the working folder is used."""
    store = found({})
    assert store.save([ACCOUNT], KEY) == ("account_ids", "api_key")
    assert json.loads(Path("config.json").read_text()) == {"account_ids": [ACCOUNT], "api_key": KEY}
    assert store.next_step == "tap-stripe-connect --test --config config.json"


def test_a_named_file_beats_meltano(folder: Path) -> None:
    """What users name goes before what Meltano says."""
    environ = {"MELTANO_PROJECT_ROOT": str(folder), "MELTANO_EXTRACTOR_NAME": "tap-x"}
    assert found(environ, config=Path("a.json")).path == Path("a.json")
    assert found(environ, dotenv=Path("b.env")).path == Path("b.env")


def test_choices_without_sense_are_refused() -> None:
    """A plugin without a project, and a project that is not there, are told."""
    with pytest.raises(StoreFault, match="--plugin"):
        found({}, plugin="tap-two")
    with pytest.raises(StoreFault, match="MELTANO_PROJECT_ROOT"):
        found({"MELTANO_PROJECT_ROOT": "/nowhere/at/all"})


@pytest.mark.parametrize("file", ["config.json", "meltano.yml", ".env"])
def test_files_of_others_have_to_be_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """What another user left on the way says nothing of where keys go, unless it is named."""
    (folder / "meltano.yml").touch()
    if file == "config.json":
        (folder / "meltano.yml").unlink()
    (folder / file).touch()
    inside = folder / "inside"
    inside.mkdir()
    monkeypatch.chdir(folder if file == "config.json" else inside)
    assert found({})
    others = {(folder / file).stat().st_ino}
    theirs = os.getuid() + 1
    real = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        values = list(real(path))
        if values[stat.ST_INO] in others:
            values[stat.ST_UID] = theirs
        return os.stat_result(values)

    monkeypatch.setattr(Path, "lstat", lstat)
    with pytest.raises(StoreFault, match="another user"):
        found({})
    assert found({}, config=folder / file)
    assert found({}, dotenv=folder / file)
    assert found({"MELTANO_PROJECT_ROOT": str(folder)})


# What is read


def test_settings_of_the_file_go_before_the_environment() -> None:
    """What Meltano passed at the start is older than what the file says now."""
    Path(".env").write_text(f"export TAP_STRIPE_CONNECT_API_KEY={KEY}\n")
    environ = {
        "TAP_STRIPE_CONNECT_API_KEY": LIVE,
        "TAP_STRIPE_CONNECT_API_URL": "http://127.0.0.1:1",
        "TAP_STRIPE_CONNECT_ACCOUNT_IDS": f'["{ACCOUNT}"]',
    }
    Path(".env").chmod(0o600)
    store = dotenv(environ)
    assert store.read()["api_key"] == KEY
    assert store.read()["api_url"] == "http://127.0.0.1:1"
    assert store.account_ids() == (ACCOUNT,)
    assert store.remarks() == ["TAP_STRIPE_CONNECT_API_KEY in the environment wins over .env"]


def test_a_variable_may_come_from_another() -> None:
    """References in .env are followed, as Meltano follows them."""
    Path(".env").write_text(f"KEPT={KEY}\nTAP_STRIPE_CONNECT_API_KEY=${{KEPT}}\n")
    assert dotenv().read()["api_key"] == KEY


@STORES
def test_a_missing_file_has_no_settings(make: Any) -> None:
    """Before the first connection there is nothing to read, and no fault."""
    assert make().read() == {}
    assert make().account_ids() == ()


@STORES
def test_what_is_not_a_file_is_refused(make: Any) -> None:
    """A folder or a pipe in the file's place is told, not read."""
    os.mkfifo(make().path)
    with pytest.raises(StoreFault, match="not a file"):
        make().save([ACCOUNT])


@pytest.mark.parametrize("text", ["[" * 200_000, '{"account_ids": "' + "[" * 200_000 + '"}'])
def test_deep_nesting_is_refused(text: str) -> None:
    """What is nested beyond all measure is a fault like another."""
    Path("config.json").write_text(text)
    with pytest.raises(StoreFault):
        config().account_ids()


@pytest.mark.parametrize("value", ["not a list", '["acct_1", "sk_test_1Planted"]', "[1"])
def test_account_ids_of_another_kind_are_refused(value: str) -> None:
    """What account_ids hold is understood before it is replaced."""
    Path("config.json").write_text(json.dumps({"account_ids": value}))
    with pytest.raises(StoreFault, match="account_ids"):
        config().save([ACCOUNT])
    assert json.loads(Path("config.json").read_text()) == {"account_ids": value}


# What is written


@STORES
def test_accounts_are_merged(make: Any) -> None:
    """Accounts come to those that are there, each once, and leave one by one."""
    store = make()
    assert len(store.save([ACCOUNT])) == 1
    assert store.save([ACCOUNT]) == ()
    store.save([OTHER, ACCOUNT])
    assert store.account_ids() == (ACCOUNT, OTHER)
    assert store.remove(ACCOUNT)
    assert store.account_ids() == (OTHER,)
    assert not store.remove(ACCOUNT)
    assert store.remove(OTHER)
    assert store.account_ids() == ()


def test_accounts_of_the_environment_are_kept() -> None:
    """Accounts that meltano.yml names are not lost when .env begins to name some."""
    store = dotenv({"TAP_STRIPE_CONNECT_ACCOUNT_IDS": f'["{ACCOUNT}"]'})
    store.save([OTHER])
    assert Path(".env").read_text() == (
        f"""TAP_STRIPE_CONNECT_ACCOUNT_IDS='["{ACCOUNT}","{OTHER}"]'\n"""
    )


def test_a_key_of_the_environment_can_be_saved() -> None:
    """A key that only the environment has is written where that is wanted."""
    store = dotenv({"TAP_STRIPE_CONNECT_API_KEY": KEY})
    assert store.save([], KEY) == ("TAP_STRIPE_CONNECT_API_KEY",)
    assert store.save([], KEY) == ()


def test_a_parents_settings_are_not_ones_own(folder: Path) -> None:
    """What Meltano hands on from the parent plugin is written where it becomes one's own."""
    Path(".env").write_text(
        f"""TAP_STRIPE_CONNECT_API_KEY='{KEY}'\n"""
        f"""TAP_STRIPE_CONNECT_ACCOUNT_IDS='["{ACCOUNT}","{OTHER}"]'\n"""
    )
    environ = {
        "MELTANO_PROJECT_ROOT": str(folder),
        "MELTANO_EXTRACTOR_NAME": "tap-stripe-connect--two",
        "TAP_STRIPE_CONNECT__TWO_API_KEY": KEY,
        "TAP_STRIPE_CONNECT__TWO_ACCOUNT_IDS": f'["{ACCOUNT}", "{OTHER}"]',
    }
    store = found(environ)
    assert store.read()["api_key"] == KEY
    assert store.effective_ids() == (ACCOUNT, OTHER)
    assert (store.own_key(), store.account_ids()) == ("", ())
    assert store.save([OTHER], KEY) == (
        "TAP_STRIPE_CONNECT__TWO_ACCOUNT_IDS",
        "TAP_STRIPE_CONNECT__TWO_API_KEY",
    )
    assert (store.own_key(), store.account_ids()) == (KEY, (OTHER,))


@STORES
@pytest.mark.parametrize(("before", "after"), [(KEY, LIVE), (LIVE, KEY)])
def test_keys_of_the_other_mode_stay(make: Any, before: str, after: str) -> None:
    """A live key is not replaced by a test key, nor the other way round, unless that is meant."""
    store = make()
    store.save([], before)
    with pytest.raises(StoreFault, match="may not replace") as fault:
        store.save([ACCOUNT], after)
    assert before not in str(fault.value)
    assert after not in str(fault.value)
    assert store.read() == {"api_key": before}
    assert store.save([], after, other_mode=True)
    assert store.read() == {"api_key": after}


@STORES
def test_new_files_are_the_owners(make: Any) -> None:
    """A new file is for its owner only, even with umask 000."""
    before = os.umask(0)
    try:
        make().save([ACCOUNT], KEY)
    finally:
        os.umask(before)
    assert permissions(make().path) == 0o600


@STORES
def test_open_files_are_closed(make: Any) -> None:
    """A file that others can read is told, and tightened, even if nothing else changes."""
    store = make()
    store.save([ACCOUNT])
    store.path.chmod(0o644)
    assert [remark for remark in store.remarks() if "0644" in remark]
    store.save([ACCOUNT])
    assert permissions(store.path) == 0o600
    assert store.remarks() == []


@STORES
def test_links_are_followed_openly(make: Any, folder: Path) -> None:
    """Of a symbolic link the target is told and written, and the link stays."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    store = make()
    store.path.symlink_to(elsewhere / "settings")
    assert store.remarks() == [
        f"{store.path} is a symbolic link; {elsewhere / 'settings'} will be written"
    ]
    store.save([ACCOUNT])
    assert store.path.is_symlink()
    assert permissions(elsewhere / "settings") == 0o600
    assert store.account_ids() == (ACCOUNT,)
    assert [path.name for path in elsewhere.iterdir()] == ["settings"]


@STORES
def test_a_link_to_itself_is_refused(make: Any) -> None:
    """A circle of links is told in a line."""
    make().path.symlink_to(make().path)
    with pytest.raises(StoreFault):
        make().save([ACCOUNT])


@STORES
def test_what_git_would_commit_is_told(make: Any, folder: Path) -> None:
    """A file that git does not ignore, or tracks already, is warned of."""
    store = make()
    git = ("git", "-C", str(folder))
    subprocess.run([*git, "init", "--quiet"], check=True)  # noqa: S603 - our own arguments
    (remark,) = store.remarks()
    assert f"put {store.path.name} into .gitignore" in remark
    (folder / ".gitignore").write_text(f"{store.path.name}\n")
    assert store.remarks() == []
    store.save([ACCOUNT])
    subprocess.run([*git, "add", "--force", str(store.path)], check=True)  # noqa: S603 - the same
    assert len(store.remarks()) == 1


def test_git_runs_no_program_of_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a folder's git configuration names is not run; a folder of others is not asked about."""
    git = ("git", "-C", str(folder))
    hook = folder / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {folder}/ran\n")
    hook.chmod(0o755)
    for arguments in (
        ["init", "--quiet"],
        ["add", "hook"],
        ["config", "core.fsmonitor", str(hook)],
    ):
        subprocess.run([*git, *arguments], check=True)  # noqa: S603 - our own arguments
    (folder / "ran").unlink(missing_ok=True)
    assert len(config().remarks()) == 1
    assert not (folder / "ran").exists()
    monkeypatch.setattr("os.getuid", lambda: -1)
    assert config().remarks() == []


@pytest.mark.parametrize(("root", "said"), [(True, "it stays theirs"), (False, "makes it yours")])
@STORES
def test_whose_the_file_is_afterwards_is_told(
    make: Any, monkeypatch: pytest.MonkeyPatch, *, root: bool, said: str
) -> None:
    """Before a file of another user is replaced it is said who can read it then."""
    make().save([ACCOUNT])
    monkeypatch.setattr("os.getuid", lambda: 12_345)
    monkeypatch.setattr("os.geteuid", lambda: 0 if root else 12_345)
    (remark,) = make().remarks()
    assert said in remark


@STORES
def test_what_only_looks_left_over_stays(make: Any, folder: Path) -> None:
    """A folder, or a file that cannot be removed, with such a name does not stop saving."""
    store = make()
    (folder / f".{store.path.name}.connect-folder").mkdir()
    assert store.save([ACCOUNT])


# Accidents

LIMITED = """
import resource, sys
from pathlib import Path
from tap_stripe_connect.connect.store import StoreFault, found
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    found({}, **{sys.argv[1]: Path(sys.argv[2])}).save(["acct_1Example"], "sk_test_1Planted")
except StoreFault as fault:
    print(fault)
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from tap_stripe_connect.connect.store import found
Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
found({}, **{sys.argv[1]: Path(sys.argv[2])}).save(["acct_1Example"], "sk_test_1Planted")
"""


def script(text: str, kind: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of its own against a settings file."""
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", text, kind, str(path)], capture_output=True, text=True, check=False
    )


FILES = pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("config", json.dumps({"start_date": "2026-01-01", "note": "x" * 100})),
        ("dotenv", f"# {'x' * 100}\nOTHER=1\n"),
    ],
)


@FILES
def test_a_full_disk_leaves_the_file_alone(folder: Path, kind: str, content: str) -> None:
    """Where the new content does not fit, the old file stays, and nothing beside it."""
    path = folder / "settings"
    path.write_text(content)
    done = script(LIMITED, kind, path)
    assert "nothing was saved" in done.stdout, done.stderr
    assert path.read_text() == content
    assert [each.name for each in folder.iterdir()] == ["settings"]


@FILES
def test_being_killed_leaves_the_file_alone(folder: Path, kind: str, content: str) -> None:
    """What is left of a new file is the owner's only, and gone with the next saving."""
    path = folder / "settings"
    path.write_text(content)
    assert script(KILLED, kind, path).returncode == -9
    assert path.read_text() == content
    (left,) = (each for each in folder.iterdir() if each != path)
    assert permissions(left) == 0o600
    found({}, **{kind: path}).save([ACCOUNT])  # type: ignore[arg-type]
    assert [each.name for each in folder.iterdir()] == ["settings"]


@STORES
def test_a_folder_that_cannot_be_written_is_told(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no file can be made, the fault names the file, and nothing is lost."""
    store = make()
    store.save([ACCOUNT])
    content = store.path.read_bytes()

    def refuse(**_: object) -> None:
        # Root may write everywhere, so that a folder's mode proves nothing.
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(StoreFault, match=r"Permission denied; nothing was saved"):
        store.save([OTHER])
    assert store.path.read_bytes() == content


@STORES
def test_a_missing_folder_is_told(make: Any, folder: Path) -> None:
    """No folders are made; a wrong path is a fault."""
    make().path.symlink_to(folder / "missing" / "settings")
    with pytest.raises(StoreFault, match="No such file or directory"):
        make().save([ACCOUNT])


def save_one(kind: str, path: Path, name: str) -> None:
    """Save an account, in a process of its own."""
    found({}, **{kind: path}).save([name])  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["config", "dotenv"])
def test_savings_at_once_are_all_kept(folder: Path, kind: str) -> None:
    """Of several commands that save at the same time, none loses what another saved."""
    names = [f"acct_{number}" for number in range(8)]
    path = folder / "settings"
    workers = multiprocessing.get_context("spawn")
    running = [workers.Process(target=save_one, args=(kind, path, name)) for name in names]
    for process in running:
        process.start()
    for process in running:
        process.join()
    store = found({}, **{kind: path})  # type: ignore[arg-type]
    assert sorted(store.account_ids()) == names


def test_a_change_that_fails_changes_nothing(folder: Path) -> None:
    """An exception on the way leaves the file and the folder as they were."""
    path = folder / "file"
    path.write_bytes(b"before")

    def fail(_: bytes) -> bytes:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        rewrite(path, fail)
    assert [(each.name, each.read_bytes()) for each in folder.iterdir()] == [("file", b"before")]
