"""Keys, permissions and connected accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tap_stripe_connect.catalog import LISTED
from tap_stripe_connect.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from tap_stripe_connect.simulator.server import Simulator


def said(answer: Response) -> tuple[int, str | None, str]:
    """Return status, code and message of an error."""
    error = answer.json()["error"]
    return answer.status_code, error.get("code"), error["message"]


def test_a_key_goes_as_bearer_or_as_basic_user(world: World, simulator: Simulator) -> None:
    """Both forms of authorization name the same key."""
    url = f"{simulator.url}/v1/charges"
    bearer = {"Authorization": f"Bearer {world.api_key}"}
    assert requests.get(url, headers=bearer, timeout=120).status_code == 200
    assert requests.get(url, auth=(world.api_key, ""), timeout=120).status_code == 200


@pytest.mark.parametrize(
    ("authorization", "code", "text"),
    [
        ("", None, "You did not provide an API key."),
        ("Bearer ", None, "You did not provide an API key."),
        ("Basic !!!", None, "You did not provide an API key."),
        ("Digest x", None, "You did not provide an API key."),
        ("Bearer sk_test_wrongator", None, "Invalid API Key provided: sk_test_****ator"),
        ("Bearer sk_live_simulator", None, "Invalid API Key provided: sk_live_****ator"),
        ("Bearer x", None, "Invalid API Key provided: ****"),
        ("Bearer pk_test_1", "secret_key_required", "cannot be made with a publishable API key"),
    ],
)
def test_other_keys_are_refused(
    get: Callable[..., Response], authorization: str, code: str | None, text: str
) -> None:
    """Missing, unknown, publishable keys and those of the other mode are 401."""
    status, given, message = said(get("/v1/charges", Authorization=authorization))
    assert (status, given) == (401, code)
    assert text in message


@pytest.mark.parametrize("path", [stream.path for stream in LISTED.values()])
def test_a_restricted_key_reads_what_it_may(
    world: World, get: Callable[..., Response], path: str
) -> None:
    """The error names permission and account, and comes before the id is looked up."""
    (permission,) = {stream.permission for stream in LISTED.values() if stream.path == path}
    others = {stream.permission for stream in LISTED.values()} - {permission}
    allowed = world.add_key("rk_test_allowed", permissions={permission})
    denied = world.add_key("rk_test_denied", permissions=others)
    assert get(path, Authorization=f"Bearer {allowed}").status_code == 200
    for wanted in (path, f"{path}/nothing"):
        status, code, message = said(get(wanted, Authorization=f"Bearer {denied}"))
        assert (status, code) == (403, None)
        assert f"'{permission}'" in message
        assert "on account 'acct_1Simulator'" in message
        assert "rk_test_****nied" in message


def test_a_restricted_key_may_not_know_its_account(
    world: World, get: Callable[..., Response]
) -> None:
    """`/v1/account` needs its own permission."""
    key = world.add_key("rk_test_1", permissions={"rak_charge_read"})
    status, _, message = said(get("/v1/account", Authorization=f"Bearer {key}"))
    assert status == 403
    assert "rak_accounts_kyc_basic_read" in message


def test_a_platform_reads_connected_accounts(world: World, get: Callable[..., Response]) -> None:
    """`Stripe-Account` chooses whose objects are read; each account has its own."""
    connected = world.add_account("acct_1Example")
    connected.create("coupon", {"id": "SUMMER", "percent_off": 10})
    world.platform.create("coupon", {"id": "SUMMER", "percent_off": 20})
    assert get("/v1/coupons/SUMMER").json()["percent_off"] == 20
    answer = get("/v1/coupons/SUMMER", Stripe_Account="acct_1Example")
    assert answer.json()["percent_off"] == 10
    assert answer.headers["Stripe-Account"] == "acct_1Example"
    assert get("/v1/account", Stripe_Account="acct_1Example").json()["id"] == "acct_1Example"
    assert get("/v1/account", Stripe_Account=world.platform.id).json()["id"] == world.platform.id


def test_a_disconnected_account_is_out_of_reach(world: World, get: Callable[..., Response]) -> None:
    """It gets the error of an unknown account until it is connected again."""
    world.add_account("acct_1Example").create("customer", {"id": "cus_1"})
    world.disconnect("acct_1Example")
    for account in ("acct_1Example", "acct_1Stranger"):
        for path in ("/v1/customers", f"/v1/accounts/{account}"):
            headers = {} if account in path else {"Stripe_Account": account}
            status, code, message = said(get(path, **headers))
            assert (status, code) == (403, "account_invalid")
            assert f"does not have access to account '{account}'" in message
    world.add_account("acct_1Example")
    again = get("/v1/customers", Stripe_Account="acct_1Example")
    assert [customer["id"] for customer in again.json()["data"]] == ["cus_1"]


def test_only_platforms_act_on_others(world: World, get: Callable[..., Response]) -> None:
    """A connected account's own key reads that account alone and lists no others."""
    world.add_account("acct_1Example").create("customer", {"id": "cus_1"})
    key = f"Bearer {world.add_key('sk_test_connected', account='acct_1Example')}"
    assert len(get("/v1/customers", Authorization=key).json()["data"]) == 1
    assert get("/v1/accounts", Authorization=key).json()["data"] == []
    status, _, message = said(
        get("/v1/customers", Authorization=key, Stripe_Account=world.platform.id)
    )
    assert status == 403
    assert "Only Stripe Connect platforms can work with other accounts." in message
    assert get("/v1/accounts", Stripe_Account="acct_1Example").status_code == 403


def test_connected_accounts_are_listed(world: World, get: Callable[..., Response]) -> None:
    """The list has the connected, last connected first, and pages like any other."""
    for number in range(25):
        world.add_account(f"acct_{number}")
    world.disconnect("acct_3")
    assert world.add_account(world.platform.id) is world.platform
    first = get("/v1/accounts?limit=20").json()
    assert [account["id"] for account in first["data"]][:2] == ["acct_24", "acct_23"]
    assert first["has_more"] is True
    rest = get("/v1/accounts?limit=20&starting_after=acct_5").json()
    assert [account["id"] for account in rest["data"]] == [
        "acct_4",
        "acct_2",
        "acct_1",
        "acct_0",
    ]
    assert get("/v1/accounts/acct_4").json() == rest["data"][0]
    assert get("/v1/accounts?starting_after=acct_3").status_code == 400


def test_a_live_world_has_a_live_key() -> None:
    """The mode decides the key, and marks the objects."""
    world = World(now=0, livemode=True)
    assert world.api_key == "sk_live_simulator"
    assert world.platform.create("charge", {})["livemode"] is True


def test_a_revoked_key_is_unknown(world: World, get: Callable[..., Response]) -> None:
    """After `remove_key` the key gets the error of an unknown one."""
    world.remove_key(world.api_key)
    assert get("/v1/charges").status_code == 401
