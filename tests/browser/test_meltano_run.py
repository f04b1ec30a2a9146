"""In a Meltano project: connected through its command, then run with what that wrote."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.browser.scene import CHARGES, FIRST, FIRST_NAME, charges, rows, token_posts
from tests.browser.visit import EN, IT, looks
from tests.connect.console import PATIENCE
from tests.connect.meltano_project import MELTANO, meltano_project
from tests.connect.opener import Opener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.visit import Visit
    from tests.connect.console import Place

pytestmark = pytest.mark.browser


@pytest.fixture
def project(place: Place) -> Place:
    """Turn the place into a Meltano project with our tap and a target that keeps the messages."""
    meltano_project(place, "target-rows")
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
    options = ("--redirect-uri", project.redirect, "--yes", "--timeout", "600")
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
