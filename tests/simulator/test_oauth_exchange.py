"""Connect OAuth at the simulated Stripe: exchanging codes."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_stripe_connect.simulator.connect.authorize import CHOICES
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.simulator.server import Simulator
from tap_stripe_connect.simulator.world import World
from tests.simulator.oauth import GRANT, LINK, USED, Platform, denied, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response


@pytest.fixture
def platform(simulator: Simulator) -> Platform:
    """The platform of the simulator."""
    return Platform(simulator)


def test_a_code_connects(
    world: World,
    platform: Platform,
    get: Callable[..., Response],
) -> None:
    """Consent alone opens nothing; the exchange does, with the platform's key and by token."""
    text = platform.code()
    assert get("/v1/customers", Stripe_Account="acct_1Example").status_code == 403
    answer = platform.exchange(text)
    assert answer.status_code == 200
    content = answer.json()
    token = content.pop("access_token")
    assert content.pop("refresh_token").startswith("rt_")
    assert content.pop("stripe_publishable_key").startswith("pk_test_")
    assert content == {
        "livemode": False,
        "scope": "read_write",
        "stripe_user_id": "acct_1Example",
        "token_type": "bearer",
    }
    assert world.connected("acct_1Example")
    for headers in ({"Stripe_Account": "acct_1Example"}, {"Authorization": f"Bearer {token}"}):
        (customer,) = get("/v1/customers", **headers).json()["data"]
        assert customer["id"] == "cus_1"


@pytest.mark.parametrize("way", ["basic", "bearer", "field"])
def test_the_secret_key_goes_three_ways(simulator: Simulator, platform: Platform, way: str) -> None:
    """Basic user, Bearer, and the form's client_secret name the same key."""
    key = simulator.api_key
    answer = requests.post(
        f"{simulator.url}/oauth/token",
        data=GRANT | {"code": platform.code()} | ({"client_secret": key} if way == "field" else {}),
        headers={"Authorization": f"Bearer {key}"} if way == "bearer" else {},
        auth=(key, "") if way == "basic" else None,
        timeout=120,
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("key", "status", "text"),
    [
        ("", 401, "You did not provide an API key."),
        ("sk_test_wrongator", 401, "Invalid API Key provided: sk_test_****ator"),
        ("sk_live_simulator", 401, "Invalid API Key provided: sk_live_****ator"),
        ("pk_test_1", 401, "This API call cannot be made with a publishable API key."),
        (
            "rk_test_1Restricted",
            403,
            "The provided key 'rk_test_****cted' does not have the required permissions for",
        ),
        ("sk_org_1Example", 403, "The provided key 'sk_org_****mple' does not have the required"),
    ],
)
def test_only_a_secret_key_will_do(
    world: World, platform: Platform, key: str, status: int, text: str
) -> None:
    """Any other key gets an API error before the form is checked, and uses up no code."""
    world.add_key("rk_test_1Restricted", permissions={"rak_connected_account_read"})
    world.add_organization_key("sk_org_1Example", accounts=[world.platform.id])
    form = GRANT | {"code": platform.code()}
    for path, sent in (
        ("/oauth/token", form),
        ("/oauth/token", {}),
        ("/oauth/deauthorize", {"client_id": "ca_1Test", "stripe_user_id": "acct_1Example"}),
    ):
        given, message = refused(platform.post(path, sent, key))
        assert given == status
        assert message.startswith(text)
    assert platform.post("/oauth/token", form).status_code == 200


@pytest.mark.parametrize(
    ("path", "form", "expected"),
    [
        ("/oauth/token", {}, ("invalid_request", "No grant type specified")),
        (
            "/oauth/token",
            {"grant_type": "password"},
            ("unsupported_grant_type", "Unsupported grant type: password"),
        ),
        ("/oauth/token", GRANT, ("invalid_request", "No authorization code specified")),
        (
            "/oauth/token",
            GRANT | {"code": "ac_1"},
            ("invalid_grant", "Authorization code does not exist: ac_1"),
        ),
        ("/oauth/deauthorize", {}, ("invalid_request", "No client_id specified")),
        (
            "/oauth/deauthorize",
            {"client_id": "ca_1Test"},
            ("invalid_request", "No stripe_user_id specified"),
        ),
    ],
)
def test_a_wrong_form_is_an_oauth_error(
    platform: Platform, path: str, form: dict[str, str], expected: tuple[str, str]
) -> None:
    """Missing and unknown parameters are OAuth errors."""
    assert denied(platform.post(path, form)) == (400, *expected)


def test_a_code_lives_five_minutes(world: World, platform: Platform) -> None:
    """In its last second it connects, a second later it has expired."""
    late, later = platform.code(), platform.code()
    world.clock.advance(299)
    assert platform.exchange(late).status_code == 200
    world.clock.advance(1)
    assert denied(platform.exchange(later)) == (
        400,
        "invalid_grant",
        f"Authorization code expired: {later}",
    )


def test_a_second_use_cuts_the_connection(
    world: World,
    platform: Platform,
    get: Callable[..., Response],
) -> None:
    """Account and token are disconnected, however late it comes, until approved again."""
    code = platform.code()
    token = platform.exchange(code).json()["access_token"]
    world.clock.advance(3600)
    for _ in range(2):
        assert denied(platform.exchange(code)) == (400, "invalid_grant", USED)
        assert not world.connected("acct_1Example")
    assert get("/v1/customers", Authorization=f"Bearer {token}").status_code == 401
    status, text = refused(get("/v1/customers", Stripe_Account="acct_1Example"))
    assert status == 403
    assert text.endswith("Application access may have been revoked.")
    again = platform.exchange(platform.code())
    assert again.json()["stripe_user_id"] == "acct_1Example"
    assert again.json()["access_token"] != token
    assert get("/v1/customers", Stripe_Account="acct_1Example").status_code == 200


def test_approving_again_replaces_the_token(world: World, platform: Platform) -> None:
    """The account stays connected, with one token that works."""
    tokens = [platform.exchange(platform.code()).json()["access_token"] for _ in range(2)]
    assert [world.key(token) is not None for token in tokens] == [False, True]
    assert world.connected("acct_1Example")


def test_parallel_exchanges_connect_once(platform: Platform) -> None:
    """Of many at the same time one wins; all others get the error of a used code."""
    code = platform.code()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(platform.exchange, [code] * 8))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 7]


def test_a_lost_answer_has_spent_the_code(
    world: World, simulator: Simulator, platform: Platform
) -> None:
    """The account is connected although the platform got no response; a retry disconnects."""
    code = platform.code()
    simulator.faults.add(Fault(match="^/oauth/token", reset=True, times=1))
    with pytest.raises(requests.RequestException):
        platform.exchange(code)
    assert world.connected("acct_1Example")
    assert denied(platform.exchange(code))[2] == USED
    assert not world.connected("acct_1Example")


@pytest.mark.parametrize(
    ("client", "account", "key"),
    [
        ("ca_1Live", "acct_1Example", "sk_test_simulator"),
        ("ca_1Test", "acct_1Example", "sk_live_simulator"),
        ("ca_1Theirs", "acct_1Example", "sk_test_simulator"),
        ("ca_1Test", "acct_1Example", "sk_test_theirs"),
        ("ca_1Test", "acct_1Simulator", "sk_test_simulator"),
    ],
    ids=["test key", "live key", "their client", "their key", "own account"],
)
def test_codes_of_others_are_foreign(
    world: World,
    platform: Platform,
    client: str,
    account: str,
    key: str,
) -> None:
    """Key and client id have to be of one platform and mode; trying costs no one a connection."""
    world.add_key("sk_live_simulator")
    world.add_key("sk_test_theirs", account="acct_1Theirs")
    code = platform.code(client=client, account=account)
    expected = (400, "invalid_grant", "Authorization code provided does not belong to you")
    for _ in range(2):
        assert denied(platform.exchange(code, key)) == expected
    assert not world.connected("acct_1Example")


def test_live_codes_go_with_live_keys(world: World, platform: Platform) -> None:
    """The response has the mode."""
    world.add_key("sk_live_simulator")
    content = platform.exchange(platform.code(client="ca_1Live"), "sk_live_simulator").json()
    assert content["livemode"] is True
    assert content["access_token"].startswith("sk_live_")


def test_a_platform_connects_to_itself_only(world: World, platform: Platform) -> None:
    """What another platform exchanges is not connected to the world's."""
    world.add_key("sk_test_theirs", account="acct_1Theirs")
    code = platform.code(client="ca_1Theirs")
    assert platform.exchange(code, "sk_test_theirs").status_code == 200
    assert not world.connected("acct_1Example")


def test_a_form_cut_short_does_nothing(
    world: World, simulator: Simulator, platform: Platform
) -> None:
    """A client that disconnects before the end of its form changes nothing."""
    text = platform.code()
    body = f"grant_type=authorization_code&client_secret={simulator.api_key}&code={text}"
    address = ("127.0.0.1", int(simulator.url.rsplit(":", 1)[1]))
    with socket.create_connection(address, timeout=120) as client:
        head = f"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body) + 1}\r\n\r\n"
        client.sendall((head + body).encode())
        assert simulator.journal.wait_for(lambda seen: seen[-1].path == "/oauth/token", 10)
    assert not world.connected("acct_1Example")
    assert platform.exchange(text).status_code == 200


def test_ids_are_the_same_in_every_run() -> None:
    """Two worlds with the same changes have the same codes and tokens."""

    def told() -> list[Any]:
        world = World(now=0)
        world.add_signup("acct_1Held", controlled_by="acct_1Other")
        with Simulator(world) as simulator:
            platform = Platform(simulator)
            codes = [platform.code(account="acct_1Held") for _ in range(2)]
            return [(code, platform.exchange(code).json()) for code in codes]

    told_first = told()
    assert told_first == told()
    (first, content), (second, same) = told_first
    assert first != second
    assert content["stripe_user_id"] == same["stripe_user_id"] != "acct_1Held"


def test_many_accounts_connect_at_once(
    world: World, platform: Platform, get: Callable[..., Response]
) -> None:
    """Of thousands that could, hundreds approve side by side, and each gets its own connection."""
    names = [f"acct_{number:04}" for number in range(3000)]
    for name in names:
        world.add_signup(name)

    def connect(account: str) -> str:
        answer = platform.exchange(platform.code(account=account))
        return str(answer.json()["stripe_user_id"])

    chosen = names[::15]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(connect, chosen)) == chosen
    first = get("/v1/accounts?limit=100").json()["data"]
    rest = get(f"/v1/accounts?limit=100&starting_after={first[-1]['id']}").json()["data"]
    assert sorted(account["id"] for account in (*first, *rest)) == chosen
    page = requests.get(f"{platform.simulator.url}/oauth/authorize", params=LINK, timeout=120)
    assert page.text.count("<button") == CHOICES + 1
