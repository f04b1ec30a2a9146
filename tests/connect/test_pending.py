"""What lies beside the settings between `--start` and `--complete`."""

from __future__ import annotations

import json
import os
import stat
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest

from tap_stripe_connect.connect.outcome import Exit, Kind
from tap_stripe_connect.connect.pending import LIFETIME, Pending, beside, claim, keep, load
from tap_stripe_connect.connect.refusals import Refusal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a place for the file."""
    return beside(tmp_path / ".env")


@pytest.fixture
def attempt() -> Pending:
    """Return an attempt that has just begun."""
    deadline = time.time() + LIFETIME - 1
    return Pending("state", "ca_1Example", "http://localhost:1/", False, "", deadline)  # noqa: FBT003


def test_it_is_kept_for_the_owner_and_completed_once(path: Path, attempt: Pending) -> None:
    """The file is the owner's whatever the umask, and the first to claim it is the only one."""
    before = os.umask(0)
    try:
        keep(path, replace(attempt, state="older"))
        keep(path, attempt)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load(path) == attempt
    claim(path)
    with pytest.raises(Refusal, match="already"):
        claim(path)
    with pytest.raises(Refusal, match="No attempt") as refusal:
        load(path)
    assert refusal.value.exit is Exit.USAGE


@pytest.mark.parametrize("seconds", [-1, LIFETIME * 2])
def test_it_ends_with_its_time(path: Path, attempt: Pending, seconds: float) -> None:
    """After a quarter of an hour, or with a deadline nobody here set, it is refused and gone."""
    keep(path, replace(attempt, deadline=time.time() + seconds))
    with pytest.raises(Refusal) as refusal:
        load(path)
    assert refusal.value.kind is Kind.EXPIRED
    assert not path.exists()


@pytest.mark.parametrize(
    "change",
    [{"state": 1}, {"livemode": "no"}, {"deadline": "soon"}, {"more": ""}, {"deadline": 10**400}],
)
def test_what_was_edited_is_refused(
    path: Path, attempt: Pending, change: dict[str, object]
) -> None:
    """Another shape than the one that was written is not worked with."""
    keep(path, attempt)
    path.write_text(json.dumps(asdict(attempt) | change))
    with pytest.raises(Refusal, match="damaged"):
        load(path)


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00", "9" * 20_000, "[" * 9_999])
def test_what_is_no_attempt_is_refused(path: Path, attempt: Pending, content: str) -> None:
    """A file that is cut off, or is something else, is not worked with."""
    keep(path, attempt)
    path.write_text(content)
    with pytest.raises(Refusal, match="damaged"):
        load(path)


def test_a_pipe_is_not_waited_for(path: Path) -> None:
    """A pipe in the file's place, to which nobody writes, is refused at once."""
    os.mkfifo(path)
    with pytest.raises(Refusal, match="not a file"):
        load(path)


def test_what_others_could_have_written_is_refused(
    path: Path, attempt: Pending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a file that others may write, nor one of another user, nor a link is trusted."""
    keep(path, attempt)
    path.chmod(0o660)
    with pytest.raises(Refusal, match="somebody else"):
        load(path)
    path.chmod(0o600)
    elsewhere = path.rename(path.with_name("elsewhere"))
    path.symlink_to(elsewhere)
    with pytest.raises(Refusal, match="cannot be read"):
        load(path)
    monkeypatch.setattr("os.getuid", lambda: 12_345)
    with pytest.raises(Refusal, match="somebody else"):
        load(elsewhere)
