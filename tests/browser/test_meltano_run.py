"""In a Meltano project: connected through its command, then run with what that wrote."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.scene import CHARGES, FIRST, FIRST_NAME, charges, rows, token_posts
from tests.browser.visit import EN, IT, looks
from tests.connect.opener import Opener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.visit import Visit
    from tests.connect.console import Place

ROOT = Path(__file__).parents[2]
MELTANO = ROOT / ".venv" / "meltano" / "bin" / "meltano"
TAP = Path(sys.executable).with_name("tap-stripe-connect")
PATIENCE = 120
TARGET = f"""#!{sys.executable}
import json, sys
with open("rows.jsonl", "w") as file:
    for line in sys.stdin:
        file.write(line)
        message = json.loads(line)
        if message["type"] == "STATE":
            print(json.dumps(message["value"]), flush=True)
"""
# Comes with the Singer SDK, but without types.
yaml: Any = import_module("yaml")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not MELTANO.exists(), reason="Meltano is not installed (dev.py demo)"),
]


@pytest.fixture
def project(place: Place) -> Place:
    """Turn the place into a Meltano project with our tap and a target that keeps the messages."""
    target = place.folder / "target"
    target.write_text(TARGET)
    target.chmod(0o755)
    described = yaml.safe_load((ROOT / "meltano.yml").read_text("utf-8"))
    (extractor,) = described["plugins"]["extractors"]
    del extractor["pip_url"]
    extractor["executable"] = str(TAP)
    loader = {"name": "target-rows", "namespace": "target_rows", "executable": str(target)}
    plugins = {"extractors": [extractor], "loaders": [loader]}
    content = {
        "default_environment": "dev",
        "environments": [{"name": "dev"}],
        "plugins": plugins,
        "send_anonymous_usage_stats": False,
    }
    (place.folder / "meltano.yml").write_text(yaml.safe_dump(content))
    (place.folder / ".env").write_text(
        f"# of the simulator\nTAP_STRIPE_CONNECT_API_URL='{place.stripe.url}'\n"
    )
    (place.folder / "config.json").unlink()
    place.environ["NO_COLOR"] = "1"
    return place


@contextmanager
def meltano(project: Place, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run Meltano without a terminal, and end it with the block."""
    process = subprocess.Popen(  # noqa: S603 - the Meltano of this project
        [MELTANO, *arguments],
        cwd=project.folder,
        env=project.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@looks(EN, IT)
def test_connected_and_run(visit: Visit, project: Place) -> None:
    """`meltano invoke …:connect` writes `.env`, and `meltano run` reads the account with it."""
    options = ("--redirect-uri", project.redirect, "--yes", "--timeout", "60")
    with (
        Opener(project) as opener,
        meltano(project, "invoke", "tap-stripe-connect:connect", *options) as process,
    ):
        assert process.stderr
        visit.open(opener.opened())
        visit.heading("connections")
        visit.to_stripe()
        visit.decide(FIRST)
        visit.heading("success")
        visit.shoot("success")
        shown = process.stderr.read()
        assert process.wait(PATIENCE) == 0, shown
    assert f"Connection successful! {FIRST_NAME}" in shown
    assert project.stripe.api_key not in shown
    assert token_posts(project) == 1
    written = (project.folder / ".env").read_text()
    assert written.startswith("# of the simulator\nTAP_STRIPE_CONNECT_API_URL='")
    assert f"TAP_STRIPE_CONNECT_ACCOUNT_IDS='[\"{FIRST}\"]'" in written
    for name in ("STRIPE_SECRET_KEY", "STRIPE_CLIENT_ID"):
        del project.environ[name]
    with meltano(project, "run", "tap-stripe-connect", "target-rows") as process:
        _, told = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, told
    found = rows((project.folder / "rows.jsonl").read_text())
    assert charges(found) == CHARGES
    assert {row["account_id"] for row in found} == {FIRST}
