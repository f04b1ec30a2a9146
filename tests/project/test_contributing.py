"""CONTRIBUTING.md: its recipe for a stream, and the CI that it names."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import dev

ROOT = Path(__file__).resolve().parents[2]
yaml: Any = import_module("yaml")
CHECKS = ("tests/unit/catalog/test_table.py", "tests/simulator/test_catalog.py")


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of each file, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the files that the recipes change, and of their checks."""
    for name in ("README.md", "dev.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    ignored = shutil.ignore_patterns("__pycache__", "images")
    for name in ("docs", "scripts", "tap_stripe_connect", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    return tmp_path


def run(checkout: Path, *arguments: str) -> str:
    """Run Python in a copy, and return its output."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COV_", "COVERAGE_", "PYTEST_"))
    }
    done = subprocess.run(  # noqa: S603 - commands of this repository
        [sys.executable, *arguments],
        cwd=checkout,
        env=inherited | {"PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_stream_is_one_line(checkout: Path) -> None:
    """The row that CONTRIBUTING.md shows becomes a stream; everything else is generated."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    (row,) = re.findall(r"```python\n *(.+)\n *```", text)
    before = files(checkout)
    family = checkout / "tap_stripe_connect" / "catalog" / "core.py"
    table = family.read_text("utf-8").replace("STREAMS = (\n", f"STREAMS = (\n    {row},\n", 1)
    family.write_text(table, "utf-8")
    for task in ("schemas", "docs"):
        for command in dev.TASKS[task].commands:
            run(checkout, *command.split())
    after = files(checkout)
    assert {name for name, content in after.items() if before.get(name) != content} == {
        "README.md",
        "docs/streams.md",
        "tap_stripe_connect/catalog/core.py",
        "tap_stripe_connect/schemas/topups.json",
    }
    catalog = json.loads(run(checkout, "-m", "tap_stripe_connect", "--discover"))
    assert "topups" in [stream["tap_stream_id"] for stream in catalog["streams"]]
    options = ("-p", "no:xdist", "-p", "no:cacheprovider", "-k", "topups")
    assert " passed" in run(checkout, "-m", "pytest", *options, *CHECKS)


def test_ci_tests_the_pythons_that_are_claimed() -> None:
    """The matrix has the versions of the classifiers, and runs the test command of the README."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    claimed = [
        line.rpartition(" ")[2]
        for line in project["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", line)
    ]
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    job = workflow["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == claimed
    assert "python3 dev.py test" in [step.get("run") for step in job["steps"]]
    assert "```sh\npython3 dev.py test\n```" in (ROOT / "README.md").read_text("utf-8")


def test_hooks_are_local() -> None:
    """Hooks of pre-commit download nothing."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    assert {hook["language"] for hook in config["repos"][0]["hooks"]} == {"system"}
