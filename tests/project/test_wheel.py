"""The wheel, installed alone: it starts on every Python that is here."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import dev

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")

pytestmark = pytest.mark.slow


def run(*command: str | Path, **options: str | Path) -> str:
    """Return what a command prints; its errors show in the test's output."""
    return subprocess.run(  # noqa: S603 - the test's own commands
        [str(part) for part in command],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=options.get("cwd"),
    ).stdout


def find(version: str) -> Path | None:
    """Return an interpreter of a version, from PATH or from pyenv's folder; None if there is none.

    pyenv's shims are on PATH also for versions that are not active, and then fail.
    """
    named = shutil.which(f"python{version}")
    installed = Path.home().glob(f".pyenv/versions/{version}.*/bin/python")
    for candidate in (*([Path(named)] if named else []), *installed):
        if subprocess.run([candidate, "-c", ""], check=False, capture_output=True).returncode == 0:  # noqa: S603 - an interpreter
            return candidate
    return None


PYTHONS = [path for version in VERSIONS if (path := find(version))]


@pytest.fixture(scope="module")
def uv() -> str:
    """Return the path of uv, which dev.py installed."""
    return str(ROOT / dev.UV / "bin" / "uv") if (ROOT / dev.UV).exists() else dev.uv()


@pytest.fixture(scope="module")
def wheel(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of what it is made of."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(ROOT / "tap_stripe_connect", source / "tap_stripe_connect")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run(uv, "build", "--wheel", "--out-dir", source / "dist", cwd=source)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.mark.parametrize("python", PYTHONS, ids=str)
def test_the_wheel_starts_alone(python: Path, uv: str, wheel: Path, tmp_path: Path) -> None:
    """`--about` and `--discover` work with only the wheel and its requirements installed."""
    environment = tmp_path / "environment"
    run(uv, "venv", "--python", python, environment)
    constraints = ROOT / dev.LOCK
    target = ("--python", environment / "bin" / "python", "--constraint", constraints)
    run(uv, "pip", "install", *target, wheel)
    tap = environment / "bin" / "tap-stripe-connect"
    about = json.loads(run(tap, "--about", "--format=json", cwd=tmp_path))
    assert about["name"] == "tap-stripe-connect"
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"api_key": "sk_test_wheel"}))
    catalog = json.loads(run(tap, "--config", config, "--discover", cwd=tmp_path))
    assert {stream["tap_stream_id"] for stream in catalog["streams"]} >= {"charges", "customers"}
