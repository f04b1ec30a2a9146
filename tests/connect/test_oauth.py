"""Stripe's side of Connect OAuth: what is sent, what comes back, and what is never repeated."""

from __future__ import annotations

import re
import socket
import threading
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tap_stripe_connect.connect import oauth
from tap_stripe_connect.connect.oauth import (
    CONNECT,
    Application,
    Grant,
    authorize_link,
    deauthorize,
    exchange,
    oauth_url,
    preflight,
    secret_key,
)
from tap_stripe_connect.connect.outcome import Exit, Kind
from tap_stripe_connect.connect.refusals import Refusal
from tap_stripe_connect.simulator.connect.registry import Client
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.simulator.server import Simulator
from tap_stripe_connect.simulator.world import World
from tests.simulator.oauth import ACCOUNT, CALLBACK, SECURE, Platform
from tests.support.harness import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "sk_test_simulator"
CODE = "ac_1PlantedCode"
PARTS = ("1Pl", "2Planted")
"""Of the keys that are refused."""


@pytest.fixture
def platform(stripe: Simulator) -> Platform:
    """A platform at the simulated Stripe, with a client id more that has OAuth switched off."""
    off = Client(id="ca_1Off", redirect_uris=(CALLBACK,), enabled=False)
    stripe.world.connect.add_client(off)
    return Platform(stripe)


@pytest.fixture
def application(stripe: Simulator, platform: Platform) -> Application:
    """The test client id of the platform."""
    assert platform.simulator is stripe
    return Application("ca_1Test", CALLBACK, livemode=False, url=oauth_url(stripe.url))


def refusal_of(call: Callable[[], object], *secrets: str) -> Refusal:
    """Return what a call refuses; fails if it shows a secret anywhere."""
    with pytest.raises(Refusal) as caught:
        call()
    refusal = caught.value
    told = "".join(traceback.format_exception(refusal)) + repr(refusal) + refusal.advice
    assert refusal.__context__ is None
    assert refusal.line == str(refusal)
    assert refusal.line.isprintable()
    for secret in secrets:
        assert secret not in told
    return refusal


def test_oauth_lives_at_stripe_or_beside_a_simulator() -> None:
    """Only an API on this machine takes OAuth along; nothing else receives the secret key."""
    for local in ("http://127.0.0.1:8090", "http://localhost:8090/", "http://[::1]:8090"):
        assert oauth_url(local) == local.rstrip("/")
    for other in (
        "https://api.stripe.com",
        "https://proxy.example.com",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@example.com",
        "http://0.0.0.0:8090",
        "localhost",
        "",
    ):
        assert oauth_url(other) == CONNECT


def test_the_link_asks_for_what_platforms_may_have() -> None:
    """It names scope, redirect and state; renewing asks again although access was given before."""
    live = Application("ca_1Live", SECURE, livemode=True, url=CONNECT)
    link = urlsplit(authorize_link(live, "s&s"))
    assert f"{link.scheme}://{link.netloc}{link.path}" == f"{CONNECT}/oauth/authorize"
    expected = [
        ("response_type", "code"),
        ("client_id", "ca_1Live"),
        ("scope", "read_write"),
        ("redirect_uri", SECURE),
        ("state", "s&s"),
        ("stripe_landing", "login"),
    ]
    assert parse_qsl(link.query) == expected
    again = urlsplit(authorize_link(live, "s&s", again=True)).query
    assert parse_qsl(again) == [*expected, ("always_prompt", "true")]
    default = Application("ca_1Live", "", livemode=True, url=CONNECT)
    assert "redirect_uri" not in authorize_link(default, "s")


def test_keys_are_taken_as_pasted() -> None:
    """Line breaks, quotes, spaces and a byte order mark around a key are not part of it."""
    for around in ("", "\n", "\r\n", '"', "'", "\ufeff", "  "):
        pasted = f"{around}sk_test_1Example{around}"
        assert secret_key(pasted, livemode=False) == "sk_test_1Example"
    assert secret_key("sk_live_1Example", livemode=True) == "sk_live_1Example"


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("pk_test_1Planted", "a publishable key"),
        ("rk_test_1Planted", "a restricted key"),
        ("sk_org_test_1Planted", "an organisation's key"),
        ("", "not a secret key"),
        ("sk_test_1Planted\nsk_test_2Planted", "not a secret key"),
        ("sk_test_1Plänted", "not a secret key"),
        ("ca_1Planted", "not a secret key"),
        ("sk_live_1Planted", "not of test mode"),
    ],
)
def test_other_keys_are_refused_at_once(key: str, line: str) -> None:
    """A key that cannot exchange codes is refused before anything is sent, and not shown."""
    refusal = refusal_of(lambda: secret_key(key, livemode=False), *PARTS)
    assert line in refusal.line
    assert refusal.exit is (Exit.WRONG_ACCOUNT if "live" in key else Exit.USAGE)


def test_preflight_finds_nothing_to_say(stripe: Simulator, application: Application) -> None:
    """It asks once, without a key, and a page is good news."""
    preflight(application)
    (request,) = stripe.journal.requests
    assert (request.method, request.path) == ("GET", "/oauth/authorize")
    assert request.parameter("state") is None
    preflight(replace(application, redirect_uri=""))


def test_preflight_follows_redirects_and_takes_any_page(
    stripe: Simulator, application: Application
) -> None:
    """Stripe's page lives elsewhere today; and only an error that it states keeps us here."""
    elsewhere = {"location": f"{stripe.url}/oauth/v2/authorize"}
    stripe.faults.add(Fault(match="^/oauth/authorize", status=302, body="", headers=elsewhere))
    page = stripe.faults.add(Fault(match="^/oauth/v2", status=403, body="<html>"))
    preflight(application)
    assert page.fired == 1


@pytest.mark.parametrize(
    ("client_id", "redirect_uri", "line", "advice"),
    [
        ("ca_1Unknown", CALLBACK, "does not know the client id ca_1Unknown", "/test/settings/"),
        ("ca_1Test", "http://localhost:1/", "does not accept this redirect", "http://localhost:1/"),
        ("ca_1Off", CALLBACK, "switched off", "connect --own"),
    ],
)
def test_preflight_says_what_the_browser_would_show(
    application: Application, client_id: str, redirect_uri: str, line: str, advice: str
) -> None:
    """Stripe's errors on its own page are told here, with the text for the Dashboard."""
    asked = replace(application, client_id=client_id, redirect_uri=redirect_uri)
    refusal = refusal_of(lambda: preflight(asked))
    assert line in refusal.line
    assert advice in refusal.advice
    assert refusal.exit is Exit.FAILED


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"client_id": "ca_1\nTest"}, "has to begin with ca_"),
        ({"client_id": "acct_1Example"}, "has to begin with ca_"),
        ({"livemode": True}, "has to begin with https://"),
        ({"redirect_uri": "localhost:8765"}, "http or https"),
        ({"redirect_uri": "http://localhost:8765/a b"}, "http or https"),
    ],
)
def test_preflight_asks_nobody_about_what_cannot_be(
    stripe: Simulator, application: Application, changes: dict[str, Any], line: str
) -> None:
    """A client id of another form, or plain http in live mode, needs no request (item 14)."""
    asked = replace(application, **changes)
    refusal = refusal_of(lambda: preflight(asked))
    assert line in refusal.line
    assert refusal.exit is Exit.USAGE
    assert not stripe.journal.requests


def test_preflight_explains_a_scope(stripe: Simulator, application: Application) -> None:
    """What Stripe's text about the scope means is told."""
    body = {"error": "invalid_scope", "error_description": "Invalid scope: read_write"}
    stripe.faults.add(Fault(match="^/oauth/authorize", status=400, body=body))
    assert "read_write" in refusal_of(lambda: preflight(application)).line


def test_a_stripe_that_is_not_there_is_told() -> None:
    """Where nothing listens, neither preflight nor exchange pretend otherwise (item 26)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    nowhere = Application("ca_1Test", CALLBACK, livemode=False, url=f"http://127.0.0.1:{port}")
    for call in (
        lambda: preflight(nowhere),
        lambda: exchange(nowhere, KEY, CODE),
        lambda: deauthorize(nowhere, KEY, ACCOUNT),
    ):
        refusal = refusal_of(call, KEY, CODE)
        assert refusal.line == f"Stripe cannot be reached at {nowhere.url}: no connection."


def test_an_exchange_is_one_post(
    stripe: Simulator, platform: Platform, application: Application
) -> None:
    """The account's id is all that is kept of Stripe's answer."""
    code = platform.code()
    stripe.journal.clear()
    assert exchange(application, KEY, code) == Grant(ACCOUNT, livemode=False, scope="read_write")
    (request,) = stripe.journal.requests
    assert (request.method, request.path, request.query) == ("POST", "/oauth/token", [])
    assert stripe.world.connected(ACCOUNT)


def answer(**changed: Any) -> dict[str, Any]:
    """Return Stripe's documented answer, changed; None leaves a field out."""
    usual = {
        "livemode": False,
        "scope": "read_write",
        "stripe_user_id": ACCOUNT,
        "token_type": "bearer",
    }
    whole = usual | changed
    return {name: value for name, value in whole.items() if value is not None}


@pytest.mark.parametrize(
    ("body", "grant"),
    [
        (answer(), Grant(ACCOUNT, livemode=False, scope="read_write")),
        (answer(scope="read_only"), Grant(ACCOUNT, livemode=False, scope="read_only")),
        (answer(scope=None), Grant(ACCOUNT, livemode=False, scope="")),
        (answer(livemode=True), Grant(ACCOUNT, livemode=True, scope="read_write")),
    ],
)
def test_tokens_are_not_needed(
    stripe: Simulator, application: Application, body: dict[str, Any], grant: Grant
) -> None:
    """An answer without tokens, or with another scope or mode than asked for, is understood."""
    stripe.faults.add(Fault(match="^/oauth/token", body=body))
    assert exchange(application, KEY, CODE) == grant


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=502, body="<html>Bad gateway"),
        Fault(status=500, body={"error": {"message": "An unknown error occurred"}}),
        Fault(body="not JSON"),
        Fault(body="[" * 100_000),
        Fault(body={}),
        Fault(body=[ACCOUNT]),
        Fault(body=answer(stripe_user_id=None)),
        Fault(body=answer(stripe_user_id=1)),
        Fault(body=answer(stripe_user_id="cus_1")),
        Fault(body=answer(stripe_user_id="acct_1\n--evil")),
        Fault(body=answer(stripe_user_id="acct_" + "1" * 1000)),
        Fault(body=answer(livemode="false")),
        Fault(body=answer(livemode=None)),
        Fault(truncate=0.5),
        Fault(reset=True),
        Fault(status=404, body="nothing"),
    ],
    ids=repr,
)
def test_a_lost_answer_is_not_asked_for_again(
    stripe: Simulator, platform: Platform, application: Application, fault: Fault
) -> None:
    """Whatever became of the answer, the code is sent once, and a new approval is advised."""
    code = platform.code()
    # What Stripe does before its answer is lost: the code is spent.
    stripe.world.connect.exchange_code(_key(stripe.world), code)
    stripe.journal.clear()
    fault.match = "^/oauth/token"
    if fault.reset or fault.truncate:
        fault.body = answer()
    stripe.faults.add(fault)
    refusal = refusal_of(lambda: exchange(application, KEY, code), KEY, code)
    assert "Stripe may have connected the account" in refusal.line
    assert "approve once more" in refusal.advice
    assert refusal.exit is Exit.FAILED
    assert [request.path for request in stripe.journal.requests] == ["/oauth/token"]
    assert stripe.world.connected(ACCOUNT)


def _key(world: World) -> Any:
    return world.key(world.api_key)


def test_silence_ends_too(
    stripe: Simulator, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that does not come is given up, after one request."""
    monkeypatch.setattr(oauth, "TIMEOUT", (120.0, 0.1))
    stripe.faults.add(Fault(match="^/oauth/token", hang=True))
    refusal = refusal_of(lambda: exchange(application, KEY, CODE), KEY, CODE)
    assert refusal.line.endswith("it took too long")
    # The server may hear of it later than it is given up.
    assert stripe.journal.wait_for(bool, timeout=120)
    assert stripe.journal.count(path="/oauth/token") == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_key_follows_no_redirect(
    stripe: Simulator, application: Application, status: int
) -> None:
    """Neither key nor code reach where an answer points to."""
    with Simulator(World(now=NOW)) as evil:
        headers = {"location": f"{evil.url}/oauth/token"}
        stripe.faults.add(Fault(match="^/oauth", status=status, body="", headers=headers))
        refusal_of(lambda: exchange(application, KEY, CODE), KEY, CODE)
        refusal_of(lambda: deauthorize(application, KEY, ACCOUNT), KEY)
        assert not evil.journal.requests


def test_a_second_exchange_cuts_the_connection(
    stripe: Simulator, platform: Platform, application: Application
) -> None:
    """Stripe's text for a code that was used is told as what happened."""
    code = platform.code()
    exchange(application, KEY, code)
    refusal = refusal_of(lambda: exchange(application, KEY, code), KEY, code)
    assert refusal.kind is Kind.USED
    assert not stripe.world.connected(ACCOUNT)


def test_codes_are_refused_with_a_reason(
    stripe: Simulator, platform: Platform, application: Application
) -> None:
    """Unknown, expired and foreign codes each have their text; D12 names the three causes."""
    refusal = refusal_of(lambda: exchange(application, KEY, CODE), KEY, CODE)
    assert (refusal.kind, "cut off" in refusal.line) == (Kind.FAILED, True)
    late = platform.code()
    stripe.world.clock.advance(300)
    refusal = refusal_of(lambda: exchange(application, KEY, late), KEY, late)
    assert (refusal.kind, "5 minutes" in refusal.line) == (Kind.EXPIRED, True)
    foreign = platform.code(client="ca_1Theirs")
    refusal = refusal_of(lambda: exchange(application, KEY, foreign), KEY, foreign)
    assert (refusal.kind, refusal.exit) == (Kind.FAILED, Exit.FAILED)
    for cause in ("another Stripe account", "of live mode", "to a Stripe App"):
        assert cause in refusal.advice


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("", "got no secret key"),
        ("sk_test_1Planted", "does not accept the secret key"),
        ("pk_test_1Planted", "publishable key"),
        ("rk_test_1Planted", "takes the platform's secret key"),
    ],
)
def test_keys_are_refused_with_a_reason(
    stripe: Simulator, platform: Platform, application: Application, key: str, line: str
) -> None:
    """Both shapes of Stripe's errors are read; the code stays unspent (items 12 and 14)."""
    stripe.world.add_key("rk_test_1Planted", permissions=[])
    code = platform.code()
    refusal = refusal_of(lambda: exchange(application, key, code), *PARTS, code)
    assert line in refusal.line
    assert "/test/apikeys" in refusal.advice
    assert exchange(application, KEY, code).account_id == ACCOUNT


def test_disconnecting(stripe: Simulator, platform: Platform, application: Application) -> None:
    """It ends the access; what was not connected any more is no failure."""
    platform.exchange(platform.code())
    assert deauthorize(application, KEY, ACCOUNT)
    assert not stripe.world.connected(ACCOUNT)
    assert not deauthorize(application, KEY, ACCOUNT)
    assert not deauthorize(application, KEY, "acct_1Unknown")


def test_disconnecting_can_be_refused(
    stripe: Simulator, platform: Platform, application: Application
) -> None:
    """A wrong client id and an account that the platform controls are told apart (item 21)."""
    stripe.world.add_signup(ACCOUNT, controlled_by=stripe.world.platform.id)
    platform.exchange(platform.code())
    refusal = refusal_of(lambda: deauthorize(application, KEY, ACCOUNT), KEY)
    assert "The platform controls this account" in refusal.line
    theirs = Application("ca_1Theirs", CALLBACK, livemode=False, url=application.url)
    refusal = refusal_of(lambda: deauthorize(theirs, KEY, ACCOUNT), KEY)
    assert "not of the platform that has the client id ca_1Theirs" in refusal.line
    assert stripe.world.connected(ACCOUNT)


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(body={}), Fault(reset=True)], ids=repr)
def test_a_doubtful_disconnection_is_a_failure(
    stripe: Simulator, application: Application, fault: Fault
) -> None:
    """Unless Stripe says so, nothing counts as disconnected (item 21)."""
    fault.match = "^/oauth/deauthorize"
    stripe.faults.add(fault)
    refusal = refusal_of(lambda: deauthorize(application, KEY, ACCOUNT), KEY)
    assert "may still be connected" in refusal.advice
    assert stripe.journal.count(path="/oauth/deauthorize") == 1


class Listener:
    """Notes what requests look like on the wire, and answers each the same."""

    def __init__(self, body: bytes, *, at_once: int | None = None) -> None:
        """Listen on a free port; what is not sent `at_once` comes byte by byte."""
        self._at_once = at_once
        self._closed = threading.Event()
        self.heads: list[str] = []
        self._answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                head = b"".join(iter(lines.readline, b"\r\n")).decode()
                length = re.search(r"(?i)content-length: (\d+)", head)
                head += lines.read(int(length[1]) if length else 0).decode()
                self.heads.append(head)
                connection.sendall(self._answer[: self._at_once])
                for byte in self._answer[self._at_once :] if self._at_once is not None else b"":
                    if self._closed.wait(0.05):
                        return
                    connection.sendall(bytes([byte]))

    def close(self) -> None:
        """Stop."""
        self._closed.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


@pytest.mark.parametrize("at_once", [5, 45], ids=["head", "body"])
def test_an_answer_that_drips_ends_too(
    application: Application, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Each byte is in time, but all of them take too long: it is given up, after one request."""
    monkeypatch.setattr(oauth, "WHOLE", 0.5)
    body = b'{"stripe_user_id": "acct_1Example", "livemode": false, "scope": "read_write"}'
    listener = Listener(body, at_once=at_once)
    try:
        there = replace(application, url=listener.url)
        refusal = refusal_of(lambda: exchange(there, KEY, CODE), KEY, CODE)
        assert refusal.line.endswith("it took too long")
        assert len(listener.heads) == 1
    finally:
        listener.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A server that answers an exchange, but is no page."""
    listener = Listener(b'{"stripe_user_id":"acct_1Example","livemode":false}')
    yield listener
    listener.close()


def test_netrc_stays_out(
    stripe: Simulator, listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ~/.netrc has for the host is not sent, with a key or without, redirected or not (26)."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login planted password planted\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    asked = Application("ca_1Test", CALLBACK, livemode=False, url=listener.url)
    preflight(asked)
    exchange(asked, "sk_test_1", CODE)
    headers = {"location": listener.url}
    stripe.faults.add(Fault(match="^/oauth/authorize", status=302, body="", headers=headers))
    preflight(replace(asked, url=stripe.url))
    anonymous, exchanged, redirected = listener.heads
    assert "authorization" not in (anonymous + redirected).lower()
    assert "Authorization: Basic c2tfdGVzdF8xOg==" in exchanged
    assert exchanged.endswith(f"grant_type=authorization_code&code={CODE}")


def test_proxies_stay_in_force(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests go through the proxy of the environment (item 26)."""
    monkeypatch.setenv("http_proxy", listener.url)
    monkeypatch.setenv("no_proxy", "")
    asked = Application("ca_1Test", CALLBACK, livemode=False, url="http://stripe.example.com")
    preflight(asked)
    exchange(asked, KEY, CODE)
    assert [head.split()[1].split("?")[0] for head in listener.heads] == [
        "http://stripe.example.com/oauth/authorize",
        "http://stripe.example.com/oauth/token",
    ]


def test_a_missing_certificate_bundle_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle that is not there keeps the code from being sent, and no traceback says so."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/bundle.pem")
    asked = Application("ca_1Test", CALLBACK, livemode=False, url="https://127.0.0.1:1")
    refusal = refusal_of(lambda: exchange(asked, KEY, CODE), KEY, CODE)
    assert "cannot be reached" in refusal.line
    assert "REQUESTS_CA_BUNDLE" in refusal.advice
