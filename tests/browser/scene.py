"""A platform in a folder of its own: what there is to connect, and what came of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.connect.console import Place

if TYPE_CHECKING:
    from pathlib import Path

    from tap_stripe_connect.simulator.server import Simulator

FIRST, SECOND = "acct_1Example", "acct_2Example"
FIRST_NAME, SECOND_NAME = "Example account", "Example Nº 2"
CHARGES = ["ch_1Example0", "ch_1Example1", "ch_1Example2"]
"""Of the first account."""


def scene(folder: Path, stripe: Simulator) -> Place:
    """Return a folder with almost empty settings, beside two accounts with data to connect."""
    for id_, name in ((FIRST, FIRST_NAME), (SECOND, SECOND_NAME)):
        account = stripe.world.add_signup(id_, name=name)
        owner = id_.removeprefix("acct_")
        account.create("customer", {"id": f"cus_{owner}"})
        for number in range(3):
            charge = {"amount": 1200, "currency": "eur", "status": "succeeded"}
            account.create("charge", charge | {"id": f"ch_{owner}{number}"})
    stripe.world.platform.name = "Example platform"
    place = Place(folder, stripe)
    place.environ["BROWSER"] = "true"
    write(place, api_url=stripe.url)
    return place


def write(place: Place, **settings: object) -> None:
    """Write the settings."""
    (place.folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n", "utf-8")


def saved(place: Place) -> dict[str, object]:
    """Return the settings."""
    settings: dict[str, object] = json.loads((place.folder / "config.json").read_text("utf-8"))
    return settings


def connected(place: Place, *accounts: str) -> None:
    """Have accounts connected already, with the key in the settings."""
    stripe = place.stripe
    for account in accounts:
        stripe.world.add_account(account)
    write(place, api_url=stripe.url, api_key=stripe.api_key, account_ids=list(accounts))


def token_posts(place: Place) -> int:
    """Return how many codes were exchanged."""
    return place.stripe.journal.count(method="POST", path="/oauth/token")


def rows(lines: str) -> list[dict[str, object]]:
    """Return the records among a tap's messages."""
    messages = [json.loads(line) for line in lines.splitlines()]
    return [message["record"] for message in messages if message["type"] == "RECORD"]


def charges(found: list[dict[str, object]]) -> list[str]:
    """Return the ids of the charges among records."""
    return sorted(str(row["id"]) for row in found if row.get("object") == "charge")
