"""Connect OAuth at the simulated Stripe: sign-in, consent, denial and errors."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from tap_stripe_connect.simulator.connect.registry import Client
from tests.simulator.oauth import CALLBACK, LINK, SECURE, UNKNOWN_CLIENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from tap_stripe_connect.simulator.server import Simulator
    from tap_stripe_connect.simulator.world import World

DISABLED = (
    "Standard OAuth is disabled for this Stripe Connect integration. "
    "If you own this integration, you can enable the Standard OAuth flow in the Connect Settings "
    "page in your dashboard."
)


@pytest.fixture(autouse=True)
def _clients(world: World) -> None:
    world.connect.add_client(Client(id="ca_1Test", redirect_uris=(CALLBACK, f"{CALLBACK}?a=b")))
    world.connect.add_client(Client(id="ca_1Live", redirect_uris=(SECURE,), livemode=True))
    world.connect.add_client(Client(id="ca_1Old", redirect_uris=(CALLBACK,), extension=True))
    world.add_signup("acct_1Example", email="Owner@example.com", name="Example")


@pytest.fixture
def authorize(simulator: Simulator) -> Callable[..., Response]:
    """Open the link, or post a form to it; `without` and `change` alter its parameters."""

    def call(
        form: dict[str, str] | None = None, *, without: str = "", **change: str
    ) -> requests.Response:
        query = {name: value for name, value in (LINK | change).items() if name != without}
        url = f"{simulator.url}/oauth/authorize"
        method = "GET" if form is None else "POST"
        return requests.request(
            method, url, params=query, data=form, allow_redirects=False, timeout=120
        )

    return call


class Form(HTMLParser):
    """The fields and buttons of a page, and its text."""

    def __init__(self, page: str) -> None:
        """Parse a page."""
        super().__init__()
        self.tags: list[str] = []
        self.fields: list[tuple[str | None, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element, and what it would send."""
        self.tags.append(tag)
        given = dict(attrs)
        if tag in {"input", "button"} and "name" in given:
            self.fields.append((given["name"], given.get("value")))

    def handle_data(self, data: str) -> None:
        """Record text."""
        self.text += data


def landed(answer: Response) -> tuple[str, list[tuple[str, str]]]:
    """Return the address and parameters of a redirect."""
    assert answer.status_code == 303, answer.text
    parts = urlsplit(answer.headers["Location"])
    return f"{parts.scheme}://{parts.netloc}{parts.path}", parse_qsl(parts.query)


def test_a_person_signs_in_and_allows(authorize: Callable[..., Response]) -> None:
    """Sign-in offers the accounts, consent names platform and account, and the code comes back."""
    page = Form(authorize().text)
    assert page.fields == [("account", "acct_1Example"), ("account", None)]
    assert "Simulated Stripe." in page.text
    assert "Simulated platform (test mode) wants to connect." in page.text
    page = Form(authorize({"account": "owner@EXAMPLE.com"}).text)
    assert "see and change all data of this account" in page.text
    assert "Exampleowner@example.comacct_1Example".lower() in page.text.lower()
    assert page.fields == [
        ("account", "acct_1Example"),
        ("decision", "allow"),
        ("decision", "deny"),
    ]
    form = {"account": "acct_1Example", "decision": "allow"}
    where, given = landed(authorize(form, state="s &?/ä"))
    assert where == CALLBACK
    assert [name for name, _ in given] == ["scope", "code", "state"]
    assert dict(given)["scope"] == "read_write"
    assert dict(given)["code"].startswith("ac_")
    assert dict(given)["state"] == "s &?/ä"


def test_pages_need_nothing_else(authorize: Callable[..., Response]) -> None:
    """They are HTML without scripts or external resources, with a matching policy."""
    for answer in (authorize(), authorize({"account": "acct_1Example"})):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert not {"script", "link", "img", "iframe"} & set(Form(answer.text).tags)


def test_names_are_text(world: World, authorize: Callable[..., Response]) -> None:
    """Markup in the names that accounts and platforms choose stays text."""
    world.add_signup("acct_1Example", name="<script>alert('\"')</script>")
    world.connect.add_client(
        Client(id="ca_1Test", redirect_uris=(CALLBACK,), name="</h1><img src=x>")
    )
    for form in (None, {"account": "acct_1Example"}):
        page = Form(authorize(form).text)
        assert not {"script", "img"} & set(page.tags)
        assert "<script>alert('\"')</script>" in page.text
        assert "</h1><img src=x>" in page.text


def test_an_unknown_address_asks_again(authorize: Callable[..., Response]) -> None:
    """An unknown account shows the sign-in page with an alert, whatever else was sent."""
    for form in ({"account": "who@example.com"}, {"decision": "allow"}, {}):
        answer = authorize(form)
        assert answer.status_code == 200
        assert "No account has this e-mail address or id." in answer.text


def test_a_denial_comes_back(authorize: Callable[..., Response]) -> None:
    """It is the one error that does, with the state if there was one."""
    form = {"account": "acct_1Example", "decision": "deny"}
    expected = [("error", "access_denied"), ("error_description", "The user denied your request")]
    assert landed(authorize(form)) == (CALLBACK, expected)
    answer = authorize(form, state="abc")
    assert landed(answer) == (CALLBACK, [*expected, ("state", "abc")])
    assert "The%20user%20denied" in answer.headers["Location"]


def test_redirects_are_exact(authorize: Callable[..., Response]) -> None:
    """The first registered is the default, any registered one can be named, a query is kept."""
    form = {"account": "acct_1Example", "decision": "deny"}
    assert landed(authorize(form, redirect_uri=CALLBACK))[0] == CALLBACK
    where, given = landed(authorize(form, redirect_uri=f"{CALLBACK}?a=b"))
    assert (where, given[0]) == (CALLBACK, ("a", "b"))
    for uri in (f"{CALLBACK}/", CALLBACK.upper(), f"{CALLBACK}?a=c", "http://localhost", ""):
        answer = authorize(redirect_uri=uri)
        assert answer.status_code == 400
        assert answer.json() == {
            "error": {
                "message": f"Invalid request: Invalid redirect URI: '{uri}'. Ensure this uri "
                "exactly matches one of the uris specified in your application settings"
            }
        }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"client_id": "ca_2Test"}, UNKNOWN_CLIENT),
        ({"client_id": "ca_1Test\n"}, UNKNOWN_CLIENT),
        (
            {"client_id": "ca_1Live", "redirect_uri": CALLBACK},
            "Livemode requests must always be redirected via HTTPS.",
        ),
        (
            {"client_id": "ca_1Off", "redirect_uri": "http://localhost"},
            DISABLED,
        ),
    ],
)
def test_a_wrong_link_is_an_api_error(
    world: World, authorize: Callable[..., Response], change: dict[str, str], message: str
) -> None:
    """It stays at Stripe, as JSON with nothing but a message, for every step of the way."""
    world.connect.add_client(Client(id="ca_1Off", redirect_uris=(CALLBACK,), enabled=False))
    for form in (None, {"account": "acct_1Example", "decision": "allow"}):
        answer = authorize(form, state="abc", **change)
        assert answer.status_code == 400
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json() == {"error": {"message": message}}


@pytest.mark.parametrize(
    ("change", "error", "description"),
    [
        ({"without": "client_id"}, "invalid_request", "No client_id specified"),
        ({"without": "response_type"}, "invalid_request", "No response_type specified"),
        (
            {"response_type": "token"},
            "unsupported_response_type",
            "Unsupported response_type: token",
        ),
        ({"scope": "write_only"}, "invalid_scope", "Invalid scope: write_only"),
        (
            {"without": "scope"},
            "invalid_scope",
            "Platforms must use the read_write scope, not read_only",
        ),
        (
            {"scope": "read_only"},
            "invalid_scope",
            "Platforms must use the read_write scope, not read_only",
        ),
    ],
)
def test_a_wrong_request_is_an_oauth_error(
    authorize: Callable[..., Response], change: dict[str, str], error: str, description: str
) -> None:
    """It stays at Stripe too, in the other shape, with the state."""
    expected: dict[str, Any] = {"error": error, "error_description": description}
    answer = authorize(**change)
    assert (answer.status_code, answer.json()) == (400, expected)
    assert authorize(state="abc", **change).json() == expected | {"state": "abc"}


def test_an_extension_may_only_read(authorize: Callable[..., Response]) -> None:
    """For the old kind of application `read_only` is allowed, and the default."""
    page = authorize({"account": "acct_1Example"}, client_id="ca_1Old", without="scope")
    assert "see all data of this account" in page.text
    form = {"account": "acct_1Example", "decision": "allow"}
    _, given = landed(authorize(form, client_id="ca_1Old", without="scope"))
    assert dict(given)["scope"] == "read_only"


def test_live_mode_is_shown(authorize: Callable[..., Response]) -> None:
    """The sign-in and consent pages of a live client id say which mode it is."""
    for form in (None, {"account": "acct_1Example"}):
        assert "live mode" in authorize(form, client_id="ca_1Live").text


@pytest.mark.parametrize(
    ("uris", "mode", "text"),
    [
        ((CALLBACK,), "live", "is not https"),
        ((), "test", "has no redirect_uris"),
        (("localhost:8765",), "test", "is no address"),
        (("http://",), "test", "is no address"),
        ((f"{CALLBACK}\r\nX: y",), "test", "is no address"),
        (("http://bücher.example/",), "test", "is no address"),
    ],
)
def test_unfit_redirects_are_not_registered(uris: tuple[str, ...], mode: str, text: str) -> None:
    """As in the Dashboard, live mode takes https alone, and nothing that is not an address."""
    with pytest.raises(ValueError, match=text):
        Client(id="ca_1", redirect_uris=uris, livemode=mode == "live")


def test_controlled_accounts_give_way_to_new_ones(
    world: World, authorize: Callable[..., Response]
) -> None:
    """With `read_write` consent creates another, empty account, the same one every time."""
    world.add_signup("acct_1Held", controlled_by="acct_1Other").create("customer", {})
    page = authorize({"account": "acct_1Held"}).text
    assert "Another platform controls <strong>" in page
    assert "Create account and connect" in page
    before = set(world.accounts)
    form = {"account": "acct_1Held", "decision": "allow"}
    for _ in range(2):
        landed(authorize(form))
        (new,) = set(world.accounts) - before
        assert world.accounts[new].count("customer") == 0
    read_only = authorize({"account": "acct_1Held"}, client_id="ca_1Old", scope="read_only")
    assert "Another platform" not in read_only.text


def test_an_account_controlled_by_the_platform_is_its_own(
    world: World, authorize: Callable[..., Response]
) -> None:
    """Nothing is created in its place."""
    world.add_signup("acct_1Ours", controlled_by=world.platform.id)
    assert "Another platform" not in authorize({"account": "acct_1Ours"}).text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "PATCH"])
def test_other_methods_do_not_exist(simulator: Simulator, method: str) -> None:
    """Pages take GET and POST, and nothing else."""
    answer = requests.request(method, f"{simulator.url}/oauth/authorize", params=LINK, timeout=120)
    assert answer.status_code == 404


def test_only_connect_takes_posts(simulator: Simulator) -> None:
    """The API stays for reading, and codes are not exchanged by GET."""
    key = (simulator.api_key, "")
    for method, path in (
        ("POST", "/v1/customers"),
        ("POST", "/v1/oauth/token"),
        ("GET", "/oauth/token"),
        ("GET", "/oauth/deauthorize"),
    ):
        answer = requests.request(method, simulator.url + path, auth=key, data="a=b", timeout=120)
        assert answer.status_code == 404
        assert f"Unrecognized request URL ({method}: {path})" in answer.json()["error"]["message"]


def test_signups_keep_their_addresses_apart(world: World) -> None:
    """An e-mail address belongs to one account; changing one's own is fine."""
    with pytest.raises(ValueError, match=r"owner@example.com is the address of acct_1Example"):
        world.add_signup("acct_1Second", email="owner@example.com")
    assert "acct_1Second" not in world.accounts
    world.add_signup("acct_1Example", email="new@example.com")
    assert world.sign_in(" NEW@example.com ") is world.accounts["acct_1Example"]
    assert world.sign_in(world.platform.email) is world.platform
    assert world.sign_in("") is None


def test_a_connected_account_shows_its_new_name(world: World, get: Callable[..., Response]) -> None:
    """What `add_signup` changes is in the list of connected accounts too."""
    world.add_account("acct_1Example")
    world.add_signup("acct_1Example", name="Renamed")
    (listed,) = get("/v1/accounts").json()["data"]
    assert listed["business_profile"]["name"] == "Renamed"
    assert listed["settings"]["dashboard"]["display_name"] == "Renamed"
    assert listed["email"] == "Owner@example.com"
