"""Going through the pages in a browser, as a person does."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import pytest

from tap_stripe_connect.connect.language import texts
from tap_stripe_connect.connect.pages import BUTTON

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page, Request, Response

    from tests.connect.console import Place

ROOT = Path(__file__).parents[2]
ALBUM = ROOT / "output" / "screenshots"
"""Every state that a test comes by; kept by CI."""
IMAGES = ROOT / "docs" / "images"
"""The few that the documentation shows; written if UPDATE_IMAGES is set."""
PATIENCE = 120_000
"""Milliseconds after which something that was expected counts as missing, on a busy machine too."""


@dataclass(frozen=True)
class Look:
    """How a browser is set up."""

    language: str
    width: int
    """Pixels."""
    scheme: Literal["light", "dark"]

    def __str__(self) -> str:
        """Return a name for tests and files."""
        return f"{self.language}-{self.width}-{self.scheme}"


EN = Look("en", 1280, "light")
DE = Look("de", 360, "dark")
SV = Look("sv", 1280, "dark")
PT = Look("pt-BR", 360, "light")
FR = Look("fr", 1280, "light")
IT = Look("it", 360, "dark")


def looks(*wanted: Look) -> pytest.MarkDecorator:
    """Run a test once for each look."""
    return pytest.mark.parametrize("look", wanted, indirect=True, ids=str)


class Visit:
    """A browser's window on the pages of a `connect` that runs."""

    def __init__(self, page: Page, place: Place, look: Look, test: str) -> None:
        """Watch what the window asks for and complains of."""
        self.page = page
        self.place = place
        self.look = look
        self.said = texts(look.language)
        self.complaints: list[str] = []
        """What the browser found wrong: faults, and what a policy forbade."""
        self.callbacks: list[str] = []
        """Addresses by which Stripe sent the browser back."""
        self.statuses: list[int] = []
        """What our pages were answered with."""
        self._test = test.removeprefix("test_")
        page.set_default_timeout(PATIENCE)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._asked)
        page.on("response", self._answered)

    def _heard(self, message: ConsoleMessage) -> None:
        # A page with an error status is a complaint to the browser; the tests look at the status.
        if "the server responded with a status of" not in message.text:
            self.complaints.append(message.text)

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.port == self.place.port and parts.path == "/callback":
            self.callbacks.append(request.url)

    def _answered(self, response: Response) -> None:
        if urlsplit(response.url).port == self.place.port:
            self.statuses.append(response.status)

    @property
    def address(self) -> str:
        """Where Connections is."""
        return f"http://localhost:{self.place.port}/"

    def open(self, address: str = "") -> None:
        """Go to an address; without one to Connections, which takes having been let in."""
        self.page.goto(address or self.address)

    def click(self, name: str) -> None:
        """Click a link or a button by its whole name."""
        role = re.compile(rf"^\s*{re.escape(name)}\s*$")
        self.page.locator("a, button").filter(has_text=role).click()

    def link(self) -> str:
        """Return the link to Stripe that our page has."""
        self.open(f"{self.address}authorize")
        return self.page.get_by_role("link", name=BUTTON).get_attribute("href") or ""

    def to_stripe(self) -> None:
        """Take both steps to Stripe, from Connections."""
        self.click(self.said["add_source"])
        self.page.locator("a.tile").click()
        self.heading("authorization")
        self.click(BUTTON)

    def decide(self, account: str, button: str = "Connect") -> None:
        """Sign in to Stripe and decide."""
        self.page.locator(f"button[value={account}]").click()
        self.page.get_by_role("button", name=button, exact=True).click()

    def heading(self, key: str) -> None:
        """Wait for a page by its first heading, which is the title as well."""
        expected = self.said[key]
        self.page.get_by_role("heading", level=1, name=expected, exact=True).wait_for()
        assert self.page.title() == f"{expected} | tap-stripe-connect"
        assert self.page.get_attribute("html", "lang") == self.look.language

    def says(self, *keys: str, **values: str) -> None:
        """Fail unless the page has these sentences."""
        text = " ".join(self.page.inner_text("main").split())
        for key in keys:
            assert " ".join(self.said[key].format(**values).split()) in text, key

    def accounts(self) -> dict[str, str]:
        """Return the text of each account's row, by the account's id."""
        rows = [" ".join(row.split()) for row in self.page.locator("tbody tr").all_inner_texts()]
        return {re.findall(r"acct_\w+", row)[0]: row for row in rows}

    def shoot(self, name: str, image: str = "") -> None:
        """Keep a picture, and check that all fits into the window and is dressed.

        `image` is the name that the documentation has for it.
        """
        width = self.page.evaluate("document.documentElement.scrollWidth")
        assert width <= self.look.width
        ground = self.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (
            ground == {"light": "rgb(244, 246, 249)", "dark": "rgb(18, 22, 29)"}[self.look.scheme]
        ), "the style was not applied"
        ALBUM.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=ALBUM / f"{self._test}-{name}-{self.look}.png", full_page=True)
        if image and self.look.language == "en" and os.environ.get("UPDATE_IMAGES"):
            IMAGES.mkdir(exist_ok=True)
            self.page.screenshot(path=IMAGES / f"{image}.png", full_page=True)
