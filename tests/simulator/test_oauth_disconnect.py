"""Connect OAuth at the simulated Stripe: the end of a connection, and control endpoints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests
from click.testing import CliRunner

from tap_stripe_connect.simulator.cli import build, connect_client, simulate
from tap_stripe_connect.simulator.connect.registry import Client
from tests.simulator.oauth import CALLBACK, NOT_CONNECTED, SECURE, UNKNOWN_CLIENT, Platform, denied

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from tap_stripe_connect.simulator.cli import Options
    from tap_stripe_connect.simulator.server import Simulator
    from tap_stripe_connect.simulator.world import World

UNDETACHABLE = (
    "The account acct_1Example can't be disconnected because your platform controls it. "
    "Use the rejection API instead."
)


@pytest.fixture
def platform(simulator: Simulator) -> Platform:
    """The platform of the simulator."""
    return Platform(simulator)


@pytest.mark.parametrize("authorized", [True, False])
def test_a_platform_disconnects(
    world: World,
    platform: Platform,
    get: Callable[..., Response],
    *,
    authorized: bool,
) -> None:
    """The account is disconnected with an event, and a second time it is not connected."""
    if authorized:
        platform.exchange(platform.code())
    else:
        world.add_account("acct_1Example")
    answer = platform.deauthorize()
    assert (answer.status_code, answer.json()) == (200, {"stripe_user_id": "acct_1Example"})
    assert get("/v1/accounts").json()["data"] == []
    assert denied(platform.deauthorize()) == (
        401,
        "invalid_client",
        NOT_CONNECTED.format("acct_1Example"),
    )
    told = next(world.accounts["acct_1Example"].objects("event"))
    assert told["type"] == "account.application.deauthorized"
    assert told["account"] == "acct_1Example"
    assert told["data"]["object"] == {
        "id": "ca_1Test",
        "object": "application",
        "name": "Simulated platform",
    }


def test_an_owner_disconnects(world: World, platform: Platform) -> None:
    """`world.disconnect` ends a grant with the same event, and without a grant adds none."""
    account = world.accounts["acct_1Example"]
    before = account.count("event")
    world.add_account("acct_1Example")
    world.disconnect("acct_1Example")
    assert account.count("event") == before
    token = platform.exchange(platform.code()).json()["access_token"]
    world.remove_key(token)
    world.disconnect("acct_1Example")
    assert next(account.objects("event"))["type"] == "account.application.deauthorized"
    with pytest.raises(KeyError):
        world.disconnect("acct_1Example")


@pytest.mark.parametrize(
    ("client", "account", "text"),
    [
        ("ca_1Unknown", "acct_1Example", UNKNOWN_CLIENT),
        ("ca_1Theirs", "acct_1Example", UNKNOWN_CLIENT),
        ("ca_1Live", "acct_1Example", UNKNOWN_CLIENT),
        (
            "ca_1Test",
            "acct_000000000000PROBE",
            NOT_CONNECTED.format("acct_000000000000PROBE"),
        ),
        (
            "ca_2Test",
            "acct_1Example",
            NOT_CONNECTED.format("acct_1Example"),
        ),
    ],
)
def test_disconnecting_needs_the_right_client(
    world: World,
    platform: Platform,
    client: str,
    account: str,
    text: str,
) -> None:
    """An unknown, foreign or other mode's client id is not an unconnected account."""
    world.connect.add_client(Client(id="ca_2Test", redirect_uris=(CALLBACK,)))
    platform.exchange(platform.code())
    answer = platform.deauthorize(client, account)
    assert denied(answer) == (401, "invalid_client", text)
    assert world.connected("acct_1Example")


def test_controlled_accounts_stay_connected(world: World, platform: Platform) -> None:
    """The platform cannot disconnect an account that it controls."""
    world.add_signup("acct_1Example", controlled_by=world.platform.id)
    platform.exchange(platform.code())
    assert denied(platform.deauthorize()) == (
        400,
        "no_deauth_on_controlled_account",
        UNDETACHABLE,
    )
    assert world.connected("acct_1Example")


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("client", {"id": "ca_1New", "redirect_uris": [CALLBACK]}, {"account": "acct_1Simulator"}),
        ("signup", {"account": "acct_1New", "name": "New"}, {"id": "acct_1New"}),
    ],
)
def test_connect_is_controlled_over_http(
    world: World, simulator: Simulator, path: str, body: dict[str, Any], expected: dict[str, str]
) -> None:
    """Clients and sign-ups are added, accounts disconnected, and errors explained."""
    url = f"{simulator.url}/_simulator"
    answer = requests.post(f"{url}/{path}", json=body, timeout=120)
    assert answer.json().items() >= expected.items()
    wrong = requests.post(f"{url}/{path}", json=body | {"more": 1}, timeout=120)
    assert wrong.status_code == 400
    world.add_account("acct_1Example")
    gone = [
        requests.post(f"{url}/disconnect", json={"account": "acct_1Example"}, timeout=120)
        for _ in range(2)
    ]
    assert [answer.status_code for answer in gone] == [200, 400]
    live = {"id": "ca_1", "redirect_uris": [CALLBACK], "livemode": True}
    wrong = requests.post(f"{url}/client", json=live, timeout=120)
    assert "is not https" in wrong.json()["error"]["message"]


def test_the_command_has_a_client_of_its_mode() -> None:
    """Sign-ups stand ready, and the redirect has to suit the mode before anything is made up."""
    options: Options = {
        "port": 0,
        "seed": 1,
        "customers": 9,
        "years": 1,
        "until": datetime(2026, 1, 1, tzinfo=UTC),
        "accounts": 1,
        "signups": 2,
        "redirect_uri": (),
        "latency": 0.0,
        "live": False,
        "rate_limit": False,
    }
    world = build(options)
    assert [account.id for account in world.signups(9)] == [
        "acct_1Connected0001",
        "acct_1Signup0001",
        "acct_1Signup0002",
    ]
    assert not world.connected("acct_1Signup0001")
    assert world.accounts["acct_1Signup0001"].count("customer") > 0
    assert connect_client(options).redirect_uris == (CALLBACK,)
    options["live"] = True
    assert connect_client(options).redirect_uris == (SECURE,)
    done = CliRunner().invoke(simulate, ["--live", "--redirect-uri", CALLBACK])
    assert done.exit_code == 2
    assert "is not https, as live mode demands" in done.output
