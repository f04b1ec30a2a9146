"""`Stripe-Context`, and the keys of organizations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tap_stripe_connect.catalog import API_VERSION
from tests.simulator.oauth import refused

if TYPE_CHECKING:
    from requests import Response

    from tap_stripe_connect.simulator.server import Simulator
    from tap_stripe_connect.simulator.world import World


def read(simulator: Simulator, key: str, **headers: str) -> Response:
    """Request coupons, with a version only if given."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(f"{simulator.url}/v1/coupons", auth=(key, ""), headers=given, timeout=120)


def test_context_succeeds_the_account_header(world: World, simulator: Simulator) -> None:
    """For a platform's key it names the connected account; with both headers it is an error."""
    key = simulator.api_key
    world.add_account("acct_1Example").create("coupon", {"id": "THEIRS"})
    world.platform.create("coupon", {"id": "OURS"})
    for context, coupon in (("acct_1Example", "THEIRS"), (world.platform.id, "OURS")):
        (found,) = read(simulator, key, Stripe_Context=context).json()["data"]
        assert found["id"] == coupon
    assert simulator.journal.requests[0].context == "acct_1Example"
    assert simulator.journal.requests[0].account is None
    both = {"Stripe_Context": "acct_1Example", "Stripe_Account": "acct_1Example"}
    assert refused(read(simulator, key, **both)) == (
        400,
        "Received both Stripe-Account and Stripe-Context headers. Please pass in only one.",
    )
    for context in ("acct_1Stranger", f"{world.platform.id}/acct_1Example", ""):
        status, text = refused(read(simulator, key, Stripe_Context=context))
        assert status == 403
        assert f"does not have access to account '{context}'" in text


def test_an_organization_names_account_and_version(world: World, simulator: Simulator) -> None:
    """Its key reaches its accounts and what is connected to them, each with both headers."""
    key = world.add_organization_key("sk_org_1", accounts=[world.platform.id, "acct_1Sibling"])
    world.add_signup("acct_1Sibling").create("coupon", {"id": "SIBLING"})
    world.add_account("acct_1Example").create("coupon", {"id": "THEIRS"})
    world.platform.create("coupon", {"id": "OURS"})
    for context, coupon in (
        (world.platform.id, "OURS"),
        ("acct_1Sibling", "SIBLING"),
        (f"{world.platform.id}/acct_1Example", "THEIRS"),
    ):
        headers = {"Stripe_Context": context, "Stripe_Version": API_VERSION}
        (found,) = read(simulator, key, **headers).json()["data"]
        assert found["id"] == coupon
        assert refused(read(simulator, key, Stripe_Context=context)) == (
            400,
            (
                "Please include the Stripe-Version header with your API version when using an "
                "Organization API key."
            ),
        )
    for headers in ({}, {"Stripe_Account": world.platform.id}):
        assert refused(read(simulator, key, Stripe_Version=API_VERSION, **headers)) == (
            400,
            (
                "Please include the Stripe-Context header with your target account when using an "
                "Organization API key."
            ),
        )


@pytest.mark.parametrize(
    ("context", "text"),
    [
        ("acct_1Example", "does not have access to account 'acct_1Example'"),
        ("acct_1Simulator/", "does not have access to account ''"),
        ("acct_1Simulator/acct_1Sibling", "does not have access to account 'acct_1Sibling'"),
        ("acct_1Missing", "does not have access to account 'acct_1Missing'"),
        ("acct_1Sibling/acct_1Example", "Only Stripe Connect platforms can work with other"),
    ],
)
def test_an_organization_reaches_no_others(
    world: World, simulator: Simulator, context: str, text: str
) -> None:
    """Accounts outside, unconnected ones, and other platforms' are refused."""
    world.add_account("acct_1Example")
    world.add_signup("acct_1Sibling")
    members = [world.platform.id, "acct_1Sibling", "acct_1Missing"]
    key = world.add_organization_key("sk_org_1", accounts=members)
    headers = {"Stripe_Context": context, "Stripe_Version": API_VERSION}
    status, message = refused(read(simulator, key, **headers))
    assert status == 403
    assert text in message


def test_an_organization_lists_connected_accounts(world: World, simulator: Simulator) -> None:
    """In the context of a platform it sees what is connected there."""
    world.add_account("acct_1Example")
    key = world.add_organization_key("sk_org_1", accounts=[world.platform.id])
    headers = {"Stripe-Context": world.platform.id, "Stripe-Version": API_VERSION}
    answer = requests.get(
        f"{simulator.url}/v1/accounts", auth=(key, ""), headers=headers, timeout=120
    )
    assert [account["id"] for account in answer.json()["data"]] == ["acct_1Example"]
