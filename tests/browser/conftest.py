"""Fixtures: a real browser, and a platform with accounts to connect."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.scene import scene
from tests.browser.visit import Look, Visit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tap_stripe_connect.simulator.server import Simulator
    from tests.connect.console import Place

CHROMIUM = Path("/usr/bin/chromium")
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def missing() -> str:
    """Return why there is no browser; empty if there is one."""
    if find_spec("playwright") is None:
        return "playwright is not installed"
    return "" if CHROMIUM.exists() else f"{CHROMIUM} is missing (Debian: apt install chromium)"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Start Chromium, once; where it is missing tests fail: none is left out in silence."""
    if reason := missing():
        pytest.fail(f"{reason}; or leave these tests out: -m 'not browser'")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - may not be installed

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def place(tmp_path: Path, stripe: Simulator) -> Place:
    """Return a folder with almost empty settings, and two accounts with data to connect."""
    return scene(tmp_path, stripe)


@pytest.fixture
def look(request: pytest.FixtureRequest) -> Look:
    """The language, width and colours of a test, as its parameter says."""
    look: Look = request.param
    return look


@pytest.fixture
def visit(
    chromium: Browser, place: Place, look: Look, request: pytest.FixtureRequest
) -> Iterator[Visit]:
    """Open a browser of that look; at the end nothing may have gone wrong unseen in it."""
    with chromium.new_context(
        locale=look.language,
        color_scheme=look.scheme,
        viewport={"width": look.width, "height": 720},
    ) as context:
        visit = Visit(context.new_page(), place, look, request.node.originalname)
        yield visit
        assert visit.complaints == []
