"""Looking at an account: name, access, and whether it is empty."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from tap_stripe_connect.catalog import API_VERSION
from tap_stripe_connect.connect.account import Glance, look_at, name_in, platform
from tap_stripe_connect.connect.outcome import Access, ConnectedAccount, Kind
from tap_stripe_connect.connect.refusals import Refusal
from tap_stripe_connect.simulator.faults import Fault

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.server import Simulator

ACCOUNT = "acct_1Example"
OWN = "acct_1Simulator"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Glance, "backoff", 0.0)


def look(stripe: Simulator, account_id: str | None = ACCOUNT, **given: Any) -> ConnectedAccount:
    """Look at an account with the platform's key, or another."""
    key = given.pop("key", stripe.api_key)
    return look_at(stripe.url, key, API_VERSION, account_id, **given)


def test_an_account_is_known_by_one_request(stripe: Simulator) -> None:
    """Name, country, mode and access come from one request on the account's behalf."""
    stripe.world.add_signup(ACCOUNT, name="Example GmbH")
    stripe.world.add_account(ACCOUNT)
    assert look(stripe) == ConnectedAccount(ACCOUNT, name="Example GmbH", country="US")
    (request,) = stripe.journal.requests
    assert (request.path, request.account) == ("/v1/account", ACCOUNT)
    assert request.api_version == API_VERSION


def test_the_platform_is_the_keys_own_account(stripe: Simulator) -> None:
    """It is asked for without a header; the mode is the key's."""
    assert platform(stripe.url, stripe.api_key, API_VERSION).id == OWN
    live = stripe.world.add_key("sk_live_1Example")
    assert platform(stripe.url, live, API_VERSION).livemode
    assert [request.account for request in stripe.journal.requests] == [None, None]


@pytest.mark.parametrize(
    ("permissions", "known"),
    [
        (["rak_accounts_kyc_basic_read"], True),
        (["rak_connected_account_read"], True),
        (["rak_charge_read"], False),
    ],
)
def test_a_restricted_key_need_not_know_the_name(
    stripe: Simulator, permissions: list[str], *, known: bool
) -> None:
    """A key that may not see the account itself still says that it can act on it."""
    stripe.world.add_signup(ACCOUNT, name="Example")
    stripe.world.add_account(ACCOUNT)
    key = stripe.world.add_key("rk_test_1Example", permissions=permissions)
    found = look(stripe, key=key, contents=True)
    assert (found.id, found.access, found.empty) == (ACCOUNT, Access.OK, False)
    assert found.name == ("Example" if known else "")
    own = platform(stripe.url, key, API_VERSION)
    assert (own.id, own.access) == (OWN, Access.OK)


def test_emptiness_is_proven(stripe: Simulator) -> None:
    """An account is empty if none of the three lists has a row, and nobody refused to look."""
    account = stripe.world.add_account(ACCOUNT)
    assert look(stripe, contents=True).empty
    assert stripe.journal.count() == 4
    account.create("customer", {})
    assert not look(stripe, contents=True).empty
    account.delete("customer", next(account.objects("customer"))["id"])
    account.create("charge", {})
    stripe.journal.clear()
    assert not look(stripe, contents=True).empty
    assert stripe.journal.count() == 2


@pytest.mark.parametrize("path", ["/v1/charges", "/v1/customers", "/v1/balance_transactions"])
def test_a_refusal_is_no_emptiness(stripe: Simulator, path: str) -> None:
    """Where a list cannot be looked at there may be rows."""
    stripe.world.add_account(ACCOUNT)
    stripe.faults.add(Fault(match=f"^{path}", status=403))
    found = look(stripe, contents=True)
    assert (found.access, found.empty) == (Access.OK, False)


def test_a_withdrawn_account_is_denied(stripe: Simulator) -> None:
    """What Stripe says about it is the reason, on one line without the key."""
    stripe.world.add_account(ACCOUNT)
    stripe.world.disconnect(ACCOUNT)
    found = look(stripe, contents=True)
    assert (found.id, found.access) == (ACCOUNT, Access.DENIED)
    assert "Application access may have been revoked" in found.reason
    assert found.reason.isprintable()
    assert "ator" not in found.reason


@pytest.mark.parametrize(
    ("key", "account", "text"),
    [
        ("sk_test_1Theirs", "acct_1Theirs", "does not belong to a Connect platform"),
        ("sk_test_1Planted", None, "must be a valid key"),
        ("pk_test_1Planted", None, "publishable API key"),
        ("sk_live_1Planted", None, "must be a valid key"),
    ],
)
def test_wrong_combinations_take_one_request(
    stripe: Simulator, key: str, account: str | None, text: str
) -> None:
    """A key of no platform, of another mode or of no account fails at once and says why."""
    stripe.world.add_account(ACCOUNT)
    if account is not None:
        stripe.world.add_account(account)
        stripe.world.add_key(key, account=account)
    found = look(stripe, key=key)
    assert found.access is Access.DENIED
    assert text in found.reason
    assert "Planted" not in found.reason
    assert stripe.journal.count() == 1


@pytest.mark.parametrize(
    "fault",
    [Fault(status=500), Fault(reset=True), Fault(body="no JSON"), Fault(status=302)],
    ids=repr,
)
def test_trouble_says_nothing_about_access(stripe: Simulator, fault: Fault) -> None:
    """Unless Stripe refuses, access is unknown; the key's own account cannot be used then."""
    stripe.world.add_account(ACCOUNT)
    stripe.faults.add(fault)
    found = look(stripe)
    assert (found.id, found.access) == (ACCOUNT, Access.UNKNOWN)
    assert found.reason
    with pytest.raises(Refusal) as caught:
        platform(stripe.url, stripe.api_key, API_VERSION)
    assert caught.value.kind is Kind.FAILED
    assert stripe.api_key not in repr(caught.value)


def test_trouble_at_the_second_question_counts_too(stripe: Simulator) -> None:
    """If the platform's view of an account is asked for and does not come, access is unknown."""
    key = stripe.world.add_key("rk_test_1Example", permissions=["rak_connected_account_read"])
    stripe.world.add_account(ACCOUNT)
    stripe.faults.add(Fault(match="^/v1/accounts/", status=500))
    assert look(stripe, key=key).access is Access.UNKNOWN


def test_nothing_listens() -> None:
    """A Stripe that is not there leaves access unknown."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    found = look_at(url, "sk_test_1Planted", API_VERSION, ACCOUNT)
    assert found.access is Access.UNKNOWN
    assert "Cannot reach Stripe at" in found.reason


def test_another_accounts_answer_is_noticed(stripe: Simulator) -> None:
    """A proxy that drops the header would show the platform's own data as the account's."""
    stripe.faults.add(Fault(match="^/v1/account", body={"id": OWN, "object": "account"}))
    found = look(stripe)
    assert (found.id, found.access) == (ACCOUNT, Access.UNKNOWN)
    assert "it is not account acct_1Example" in found.reason


@pytest.mark.parametrize(
    ("document", "name"),
    [
        (
            {
                "settings": {"dashboard": {"display_name": "One"}},
                "business_profile": {"name": "Two"},
            },
            "One",
        ),
        (
            {
                "settings": {"dashboard": {"display_name": " \u202e "}},
                "business_profile": {"name": "Two"},
            },
            "Two",
        ),
        ({"settings": None, "business_profile": None, "company": {"name": "Three"}}, "Three"),
        ({"business_name": "Four", "email": "five@example.com"}, "Four"),
        ({"settings": [], "company": "Three", "email": "five@example.com"}, "five@example.com"),
        ({"email": 5}, ""),
        ({}, ""),
        ({"email": "</h1><script>\x1b]0;owned\x07\n\u202eBeta"}, "</h1><script> ]0;owned Beta"),
        ({"email": "x" * 500}, "x" * 79 + "…"),
    ],
)
def test_names_are_the_best_there_is(document: dict[str, Any], name: str) -> None:
    """The name people know comes first, and no name moves the cursor or fills the screen (10)."""
    assert name_in(document) == name


@pytest.mark.parametrize("country", ["<b>", "us", "USA", 7, None, "\x1b["])
def test_countries_are_two_letters(stripe: Simulator, country: Any) -> None:
    """Anything else in its place is left out."""
    body = {"id": ACCOUNT, "object": "account", "country": country}
    stripe.faults.add(Fault(match="^/v1/account", body=body))
    assert look(stripe).country == ""
