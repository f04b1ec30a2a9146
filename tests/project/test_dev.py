"""`dev.py`: what its options run, and that its environments are pinned."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dev

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dev.Task, Sequence[str]]]:
    """Record the tasks that would run, without installing anything."""
    calls: list[tuple[dev.Task, Sequence[str]]] = []

    def run(task: dev.Task, arguments: Sequence[str]) -> int:
        calls.append((task, arguments))
        return 0

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("UV_SYSTEM_CERTS", "true")
    monkeypatch.setattr(dev, "prepare", lambda _: None)
    monkeypatch.setattr(dev, "run", run)
    return calls


def test_fast_skips_slow_tests(ran: list[tuple[dev.Task, Sequence[str]]]) -> None:
    """`test --fast` deselects slow tests; other arguments still go to pytest."""
    assert dev.main(["test", "--fast", "tests/unit"]) == 0
    assert dev.main(["test", "tests/unit"]) == 0
    (fast, arguments), (whole, _) = ran
    assert "not(slow)" in fast.commands[0]
    assert "--cov" not in fast.commands[0]
    assert "slow" not in whole.commands[0]
    assert list(arguments) == ["tests/unit"]


def test_other_tasks_have_no_fast(ran: list[tuple[dev.Task, Sequence[str]]]) -> None:
    """`lint` takes no arguments, not even `--fast`."""
    assert dev.main(["lint", "--fast"]) == 2
    assert not ran


def test_every_requirement_is_pinned() -> None:
    """Every package that pyproject.toml names has a pin; `python3 dev.py lock` writes them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = project["dependency-groups"]
    required = {
        re.split(r"[^A-Za-z0-9._-]", line)[0].lower()
        for line in (
            *project["project"]["dependencies"],
            *project["project"]["optional-dependencies"]["simulator"],
            *groups["test"],
            *groups["lint"],
        )
    }
    pinned = set(re.findall(r"^([\w.-]+)==", (ROOT / dev.LOCK).read_text("utf-8"), re.MULTILINE))
    assert required - {"tap-stripe-connect"} <= pinned


@pytest.mark.parametrize("lock", [dev.LOCK, dev.MELTANO_LOCK])
def test_pins_name_no_host(lock: Path) -> None:
    """Pins hold for any mirror of the package index: they name no address."""
    assert "://" not in (ROOT / lock).read_text("utf-8")


@pytest.mark.parametrize("change", ["lock", "pyproject"])
def test_new_pins_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """An environment is installed again once its pins or pyproject.toml change."""
    monkeypatch.chdir(tmp_path)
    lock, project = tmp_path / "lock.txt", tmp_path / "pyproject.toml"
    lock.write_text("a==1\n")
    project.write_text("")
    environment = dev.Environment("test", tmp_path, ("a",), lock)
    before = dev.fingerprint(environment)
    (lock if change == "lock" else project).write_text("a==2\n")
    assert dev.fingerprint(environment) != before
