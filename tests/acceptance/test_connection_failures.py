"""Reaching Stripe: passing failures are retried, permanent ones reported after one response."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_stripe_connect.api import network
from tap_stripe_connect.api.client import Client
from tap_stripe_connect.api.errors import ErrorAction, StripeError
from tap_stripe_connect.api.rate_limit import Limiter
from tap_stripe_connect.catalog import API_VERSION
from tap_stripe_connect.simulator.faults import Fault
from tests.support.harness import DAY, NOW, config_for, run, selecting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_stripe_connect.simulator.server import Simulator

HTML = {"content-type": "text/html; charset=utf-8"}
PORTAL = "<html><head><title>\n Hotel &amp; Caf\u00e9   Wi-Fi login </title></head></html>"
CERTIFICATE = Path(__file__).parents[1] / "support/data" / "unknown_authority.pem"
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _plain_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXY_VARIABLES, *map(str.upper, PROXY_VARIABLES), "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


class VirtualTimeClient(Client):
    """A client whose clock advances only when it sleeps, without really sleeping."""

    now = 0.0

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


def client_for(url: str) -> VirtualTimeClient:
    """Return a client for an address."""
    client = VirtualTimeClient(
        url=url,
        api_key="sk_test_simulator",
        api_version=API_VERSION,
        limiter=Limiter(100_000),
        stopping=threading.Event(),
    )
    client.clock = lambda: client.now
    return client


def failure_at(url: str) -> tuple[StripeError, float]:
    """Return the error of the first request at an address, and the seconds waited."""
    client = client_for(url)
    with pytest.raises(StripeError) as caught:
        client.account()
    return caught.value, client.now


def run_error(stripe: Simulator, **settings: Any) -> StripeError:
    """Return the error that ends a run."""
    with pytest.raises(StripeError) as caught:
        run(config_for(stripe, **settings), catalog=selecting("coupons"))
    assert "\n" not in str(caught.value)
    return caught.value


@contextmanager
def listening(response: bytes, *, tls: bool = False) -> Iterator[tuple[int, list[bytes]]]:
    """Send some bytes to each connection; yields the port and the list of received requests."""
    heads: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with closing(connection):
                try:
                    secured = context.wrap_socket(connection, server_side=True) if tls else None
                    heads.append((secured or connection).recv(65_536))
                    (secured or connection).sendall(response)
                except OSError:
                    continue

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1], heads
    finally:
        listener.close()


# The first request


@pytest.mark.parametrize(
    "fault",
    [
        {"reset": True},
        {"truncate": 0.5},
        {"status": 503},
        {"status": 502, "body": "<html><title>Bad gateway</title></html>", "headers": HTML},
        {"status": 504, "body": ""},
        {"status": 429, "body": "slow down"},
    ],
    ids=["reset", "cut off", "unavailable", "gateway", "empty", "rate limited"],
)
def test_passing_failures_of_the_first_request_end_no_run(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    """Five failures in a row, then a response."""
    monkeypatch.setattr(Client, "backoff", 0.001)
    stripe.faults.add(Fault(match="/v1/account", times=5, **fault))
    stripe.world.platform.create("coupon", {"id": "C"}, at=NOW - DAY)
    output = run(config_for(stripe), catalog=selecting("coupons"))
    assert output.exit_code == 0
    assert output.counts == {"coupons": 1}


@pytest.mark.parametrize(
    "fault",
    [{"reset": True}, {"status": 502, "body": "<html></html>", "headers": HTML}],
    ids=["reset", "gateway"],
)
def test_the_first_request_is_retried_for_half_a_minute(
    stripe: Simulator, caplog: pytest.LogCaptureFixture, fault: dict[str, Any]
) -> None:
    """The error and the retries are logged at once; then the run ends."""
    stripe.faults.add(Fault(**fault))
    error, waited = failure_at(stripe.url)
    assert error.action is ErrorAction.STOP
    assert 20 <= waited <= 31
    assert 5 <= stripe.journal.count() <= 8
    (line,) = [one for one in caplog.messages if "retrying for 30 seconds" in one]
    assert error.message in line


def test_later_requests_are_retried_for_longer(stripe: Simulator) -> None:
    """An outage in the middle of a run is retried for about a minute."""
    client = client_for(stripe.url)
    client.account()
    stripe.faults.add(Fault(match="/v1/charges", reset=True))
    with pytest.raises(StripeError, match="Lost the response"):
        client.page("/v1/charges")
    assert client.now > 31
    assert stripe.journal.count(path="/v1/charges") == client.attempts


def test_an_unknown_host_name_is_reported_at_once() -> None:
    """Retrying for half a minute would not help."""
    error, waited = failure_at("https://nowhere.invalid")
    assert waited == 0
    assert "Cannot reach Stripe at https://nowhere.invalid" in error.message
    assert "check api_url" in error.advice


def test_a_port_where_nothing_listens_is_reported_at_once() -> None:
    """The address is wrong, or the server is not running."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    error, waited = failure_at(url)
    assert waited == 0
    assert "Connection refused" in error.message


def test_an_unknown_certificate_authority_is_reported_at_once() -> None:
    """If a company's proxy decrypts TLS, Python has to trust its certificate authority."""
    with listening(b"", tls=True) as (port, heads):
        error, waited = failure_at(f"https://127.0.0.1:{port}")
    assert waited == 0
    assert heads == []
    assert "certificate" in error.message
    assert "set REQUESTS_CA_BUNDLE" in error.advice


def test_a_trusted_certificate_authority_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that the README names is enough."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    body = b'{"id":"acct_1Example","object":"account"}'
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    with listening(head + body, tls=True) as (port, heads):
        found = client_for(f"https://127.0.0.1:{port}").account()
    assert found.document["id"] == "acct_1Example"
    assert len(heads) == 1


def test_a_missing_ca_bundle_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable, as nothing else shows where the path comes from."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/bundle.pem")
    error, waited = failure_at("https://127.0.0.1:1")
    assert waited == 0
    assert "check REQUESTS_CA_BUNDLE" in error.advice


def test_https_at_a_port_of_http_is_reported_at_once(stripe: Simulator) -> None:
    """The scheme of the address is wrong."""
    error, waited = failure_at(stripe.url.replace("http:", "https:"))
    assert waited == 0
    assert error.advice == "check api_url: the server does not use https on this port"


# Proxies


def test_a_proxy_that_rejects_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One attempt; the error says that the proxy requires a password."""
    response = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with listening(response) as (port, heads):
        monkeypatch.setenv("https_proxy", f"http://planted:Secret7@127.0.0.1:{port}")
        error, waited = failure_at("https://api.stripe.com")
        assert len(heads) == 1
    assert waited == 0
    assert heads[0].startswith(b"CONNECT api.stripe.com:443")
    assert f"through the proxy http://127.0.0.1:{port}" in error.message
    assert "407" in error.message
    assert f"check the proxy http://127.0.0.1:{port}" in error.advice
    assert "lanted" not in str(error)
    assert "Secret7" not in str(error)


def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is about the proxy, not Stripe."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{unused.getsockname()[1]}")
    error, waited = failure_at("https://api.stripe.com")
    assert waited == 0
    assert "through the proxy http://127.0.0.1:" in error.message


def test_errors_of_a_proxy_are_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 503 of the proxy is retried, as one of Stripe is."""
    with listening(b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n") as (port, heads):
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        _, waited = failure_at("https://api.stripe.com")
    assert waited > 20
    assert len(heads) >= 5


@pytest.mark.parametrize("given", ["http://[", "http://host:port", "//", "http://", "%"])
def test_a_malformed_proxy_address_is_reported(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """The environment variable may have any value."""
    monkeypatch.setenv("https_proxy", given)
    error, waited = failure_at("https://api.stripe.com")
    assert waited == 0
    assert "Cannot reach Stripe" in error.message


def test_passwords_in_errors_of_the_network_are_hidden() -> None:
    """Libraries quote the address of a proxy unchanged."""
    text = network.root_cause(
        requests.exceptions.InvalidURL("Failed to parse: http://me:pa/ss@x:1")
    )
    assert "pa/ss" not in text
    assert "pa@ss" not in network.root_cause(ValueError("Failed to parse: http://me:pa@ss@x:1"))


# What is not Stripe


@pytest.mark.parametrize(
    ("fault", "expected_text"),
    [
        (
            {"body": PORTAL, "headers": HTML},
            "HTTP status 200, text/html, titled “Hotel & Caf\u00e9 Wi-Fi login”",
        ),
        (
            {"status": 403, "body": "<title>Blocked</title>", "headers": HTML},
            "HTTP status 403, text/html, titled “Blocked”",
        ),
        ({"status": 404, "body": "<html></html>", "headers": HTML}, "HTTP status 404, text/html"),
        ({"status": 403, "body": "", "headers": HTML}, "HTTP status 403, without content"),
        (
            {"status": 302, "body": "", "headers": {"location": "https://login.example/?t=1"}},
            "HTTP status 302, a redirect to https://login.example, without content",
        ),
        ({"status": 407, "body": "no", "headers": HTML}, "HTTP status 407, text/html"),
        ({"status": 511, "body": PORTAL, "headers": HTML}, "HTTP status 511, text/html, titled"),
        ({"status": 404, "body": {"detail": "Not Found"}}, "HTTP status 404, application/json"),
        ({"status": 401, "body": {"error": "unauthorized"}}, "HTTP status 401, application/json"),
        ({"body": {"status": "ok"}}, "HTTP status 200, application/json"),
        ({"body": []}, "HTTP status 200, application/json"),
        ({"body": "pong", "headers": {"content-type": "text/plain"}}, "status 200, text/plain"),
    ],
)
def test_what_is_not_stripe_is_reported_after_one_response(
    stripe: Simulator, fault: dict[str, Any], expected_text: str
) -> None:
    """The error describes the response, and suggests neither permissions nor another run."""
    stripe.faults.add(Fault(**fault))
    error = run_error(stripe)
    assert error.action is ErrorAction.STOP
    assert stripe.journal.count() == 1
    assert error.message.startswith(f"The server at {stripe.url} is not Stripe: ")
    assert expected_text in error.message
    assert "permission" not in str(error)
    assert "run again" not in str(error)


def test_foreign_titles_are_shortened_and_sanitized(stripe: Simulator) -> None:
    """A title can be anything."""
    title = "\x1b]0;owned\x07 sk_live_51PlantedSecret \u202e" + "very " * 50
    stripe.faults.add(Fault(body=f"<TITLE lang=x>{title}</TITLE>", headers=HTML))
    message = run_error(stripe).message
    assert "Planted" not in message
    assert not {"\x1b", "\x07", "\u202e"} & set(message)
    assert len(message) < 220


@pytest.mark.parametrize(
    ("path", "expected_text"),
    [("/v1", "remove /v1 from the end of api_url"), ("/else", "its path /else may be wrong")],
)
@pytest.mark.parametrize("html", [True, False])
def test_an_extra_path_in_the_address_is_reported(
    stripe: Simulator, path: str, expected_text: str, *, html: bool
) -> None:
    """Stripe reports an unrecognized URL; the tap adds what is wrong with the setting."""
    if html:
        stripe.faults.add(Fault(status=404, body="<html></html>", headers=HTML))
    error = run_error(stripe, api_url=f"{stripe.url}{path}")
    assert expected_text in error.advice
    assert stripe.journal.count() == 1


def test_a_firewall_in_the_middle_of_a_run_fails_only_its_stream(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """It blocks one path permanently: one request, and the other streams go on."""
    stripe.world.platform.create("coupon", {"id": "C"}, at=NOW - DAY)
    blocked = {"status": 403, "body": "<title>Blocked</title>", "headers": HTML}
    stripe.faults.add(Fault(match="/v1/charges", **blocked))  # type: ignore[arg-type]
    output = run(config_for(stripe), catalog=selecting("charges", "coupons"))
    assert output.exit_code == 1
    assert output.counts == {"coupons": 1}
    assert stripe.journal.count(path="/v1/charges") == 1
    assert "titled “Blocked”" in caplog.text
    assert "charges" not in output.state["bookmarks"]


def test_a_login_in_the_middle_of_a_run_ends_it(stripe: Simulator) -> None:
    """Requests for other lists would fail, too."""
    stripe.faults.add(Fault(match="/v1/c", status=302, body="", headers={"location": "/login"}))
    error = run_error(stripe)
    assert "a redirect to /login" in error.message
    assert stripe.journal.count(path="/v1/coupons") == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"body": PORTAL, "headers": HTML},
        {"status": 502, "body": PORTAL, "headers": HTML},
        {"status": 403, "truncate": 0.5},
        {"body": '{"object":"list","data":[{"id":"x"'},
    ],
    ids=["page", "gateway", "error cut off", "list cut off"],
)
def test_passing_foreign_pages_in_the_middle_of_a_run_lose_no_row(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    """After a response from Stripe, foreign pages count as damaged responses."""
    monkeypatch.setattr(Client, "backoff", 0.001)
    stripe.world.platform.create("coupon", {"id": "C"}, at=NOW - DAY)
    stripe.faults.add(Fault(match="/v1/coupons", times=3, **fault))
    output = run(config_for(stripe), catalog=selecting("coupons"))
    assert output.exit_code == 0
    assert output.counts == {"coupons": 1}


# The key's account


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 403, "body": {"error": {"message": "No permissions"}}},
        {"status": 404, "body": {"error": {"message": "Unrecognized request URL"}}},
        {"status": 404, "body": "404: Not Found", "headers": {"content-type": "text/plain"}},
    ],
    ids=["forbidden", "unknown", "unknown in plain text"],
)
def test_a_stripe_that_does_not_know_the_account_is_read_with_a_warning(
    stripe: Simulator, caplog: pytest.LogCaptureFixture, fault: dict[str, Any]
) -> None:
    """Rows without a known account deserve a warning; fakes of Stripe can be read nevertheless."""
    stripe.world.platform.create("coupon", {"id": "C"}, at=NOW - DAY)
    stripe.faults.add(Fault(match="/v1/account$", **fault))
    output = run(config_for(stripe), catalog=selecting("coupons"))
    assert output.exit_code == 0
    assert [row["account_id"] for row in output.records("coupons")] == ["acct_unknown"]
    (warning,) = [one for one in caplog.records if "acct_unknown" in one.message]
    assert warning.levelname == "WARNING"
    assert stripe.journal.count(path="/v1/account") == 1
