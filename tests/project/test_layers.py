"""The layers that pyproject.toml declares: `lint-imports` checks them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the package with its pyproject.toml."""
    ignored = shutil.ignore_patterns("__pycache__", "*.json", "*.svg")
    shutil.copytree(ROOT / "tap_stripe_connect", tmp_path / "tap_stripe_connect", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(checkout: Path) -> subprocess.CompletedProcess[str]:
    """Check the imports of a copy."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(  # noqa: S603 - installed with the lint group
        [sys.executable, program, "--no-logo", "--no-cache"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_package_keeps_its_layers(checkout: Path) -> None:
    """The lint passes for the package as it is."""
    done = lint(checkout)
    assert done.returncode == 0, done.stdout
    assert "3 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "imported", "contract"),
    [
        ("catalog/table.py", "tap_stripe_connect.api.client", "The package is layered"),
        ("api/client.py", "tap_stripe_connect.sync.session", "The package is layered"),
        ("settings/table.py", "tap_stripe_connect.connect.oauth", "The package is layered"),
        ("sync/state/ranges.py", "tap_stripe_connect.sync.plan.jobs", "A sync is layered by stage"),
        ("sync/fetch/engine.py", "tap_stripe_connect.sync.report", "A sync is layered by stage"),
        ("simulator/server.py", "tap_stripe_connect.api.client", "The simulator shares only"),
    ],
)
def test_an_upward_import_fails(checkout: Path, module: str, imported: str, contract: str) -> None:
    """The lint fails and names the contract if a module imports from a layer above it."""
    with (checkout / "tap_stripe_connect" / module).open("a", encoding="utf-8") as file:
        file.write(f"\nimport {imported}\n")
    done = lint(checkout)
    assert done.returncode == 1
    broken = [line for line in done.stdout.splitlines() if line.endswith("BROKEN")]
    assert any(line.startswith(contract) for line in broken), done.stdout


def test_a_new_module_needs_a_layer(checkout: Path) -> None:
    """A module that no layer names fails the lint."""
    (checkout / "tap_stripe_connect" / "unplaced.py").touch()
    assert lint(checkout).returncode == 1


def test_type_checking_imports_are_free(checkout: Path) -> None:
    """An import that only type checkers see may point upward."""
    with (checkout / "tap_stripe_connect/catalog/table.py").open("a", encoding="utf-8") as file:
        file.write(
            "\nfrom typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    import tap_stripe_connect.tap\n"
        )
    assert lint(checkout).returncode == 0
