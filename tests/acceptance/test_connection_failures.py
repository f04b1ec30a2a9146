"""Reaching Stripe: what passes is tried again, what does not is told after one answer."""

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


class PatientClient(Client):
    """A client whose time passes with its pauses only, and takes none."""

    now = 0.0

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


def patient(url: str) -> PatientClient:
    """Return a client for an address."""
    client = PatientClient(
        url=url,
        api_key="sk_test_simulator",
        api_version=API_VERSION,
        limiter=Limiter(100_000),
        stopping=threading.Event(),
    )
    client.clock = lambda: client.now
    return client


def failure_at(url: str) -> tuple[StripeError, float]:
    """Return what the first request at an address ends with, and the seconds it waited."""
    client = patient(url)
    with pytest.raises(StripeError) as caught:
        client.account()
    return caught.value, client.now


def failed(stripe: Simulator, **settings: Any) -> StripeError:
    """Return what ends a run whose first request fails."""
    with pytest.raises(StripeError) as caught:
        run(config_for(stripe, **settings), catalog=selecting("coupons"))
    assert "\n" not in str(caught.value)
    return caught.value


@contextmanager
def listening(answer: bytes, *, tls: bool = False) -> Iterator[tuple[int, list[bytes]]]:
    """Answer each connection with some bytes; yields the port, and what was sent to it."""
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
                    (secured or connection).sendall(answer)
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
    ids=["reset", "cut off", "trouble", "gateway", "nothing", "too fast"],
)
def test_a_hiccup_at_the_first_request_ends_no_run(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    """Five failures in a row, and then Stripe is there."""
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
def test_the_first_request_is_tried_for_half_a_minute(
    stripe: Simulator, caplog: pytest.LogCaptureFixture, fault: dict[str, Any]
) -> None:
    """It is said at once what is wrong, and that it is tried again; then the run ends."""
    stripe.faults.add(Fault(**fault))
    error, waited = failure_at(stripe.url)
    assert error.action is ErrorAction.STOP
    assert 20 <= waited <= 31
    assert 5 <= stripe.journal.count() <= 8
    (line,) = [one for one in caplog.messages if "retrying for 30 seconds" in one]
    assert error.message in line


def test_once_stripe_has_answered_requests_are_tried_for_longer(stripe: Simulator) -> None:
    """An outage in the middle of a run is waited for about a minute."""
    client = patient(stripe.url)
    client.account()
    stripe.faults.add(Fault(match="/v1/charges", reset=True))
    with pytest.raises(StripeError, match="Lost the response"):
        client.page("/v1/charges")
    assert client.now > 31
    assert stripe.journal.count(path="/v1/charges") == client.attempts


def test_an_unknown_name_is_told_at_once() -> None:
    """No name server knows it, and none will in half a minute."""
    error, waited = failure_at("https://nowhere.invalid")
    assert waited == 0
    assert "Cannot reach Stripe at https://nowhere.invalid" in error.message
    assert "check api_url" in error.advice


def test_a_port_where_nobody_listens_is_told_at_once() -> None:
    """The address is wrong, or the server is not started."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    error, waited = failure_at(url)
    assert waited == 0
    assert "Connection refused" in error.message


def test_an_unknown_authority_is_told_at_once_with_what_to_set() -> None:
    """Where a company's proxy opens TLS, Python has to be told of its authority."""
    with listening(b"", tls=True) as (port, heads):
        error, waited = failure_at(f"https://127.0.0.1:{port}")
    assert waited == 0
    assert heads == []
    assert "certificate" in error.message
    assert "set REQUESTS_CA_BUNDLE" in error.advice


def test_a_trusted_authority_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the README says to set is enough."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    body = b'{"id":"acct_1Example","object":"account"}'
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    with listening(head + body, tls=True) as (port, heads):
        found = patient(f"https://127.0.0.1:{port}").account()
    assert found.document["id"] == "acct_1Example"
    assert len(heads) == 1


def test_a_bundle_that_is_not_there_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named, as nothing else says where the path comes from."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/bundle.pem")
    error, waited = failure_at("https://127.0.0.1:1")
    assert waited == 0
    assert "check REQUESTS_CA_BUNDLE" in error.advice


def test_https_at_a_port_of_http_is_told_at_once(stripe: Simulator) -> None:
    """The scheme of the address is wrong."""
    error, waited = failure_at(stripe.url.replace("http:", "https:"))
    assert waited == 0
    assert error.advice == "check api_url: the server does not use https on this port"


# Proxies


def test_a_proxy_that_refuses_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is told after one try that the proxy wants a password."""
    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with listening(answer) as (port, heads):
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
    """It is the proxy that is looked for in vain, not Stripe."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{unused.getsockname()[1]}")
    error, waited = failure_at("https://api.stripe.com")
    assert waited == 0
    assert "through the proxy http://127.0.0.1:" in error.message


def test_a_proxy_in_trouble_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 503 of the proxy passes, as one of Stripe does."""
    with listening(b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n") as (port, heads):
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        _, waited = failure_at("https://api.stripe.com")
    assert waited > 20
    assert len(heads) >= 5


@pytest.mark.parametrize("given", ["http://[", "http://host:port", "//", "http://", "%"])
def test_a_proxy_in_odd_words_raises_nothing_odd(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """What the environment holds may be anything."""
    monkeypatch.setenv("https_proxy", given)
    error, waited = failure_at("https://api.stripe.com")
    assert waited == 0
    assert "Cannot reach Stripe" in error.message


def test_passwords_in_errors_of_the_network_are_hidden() -> None:
    """Libraries quote the address of a proxy as it was given."""
    told = network.root_cause(
        requests.exceptions.InvalidURL("Failed to parse: http://me:pa/ss@x:1")
    )
    assert "pa/ss" not in told
    assert "pa@ss" not in network.root_cause(ValueError("Failed to parse: http://me:pa@ss@x:1"))


# What is not Stripe


@pytest.mark.parametrize(
    ("fault", "said"),
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
def test_what_is_not_stripe_is_told_after_one_answer(
    stripe: Simulator, fault: dict[str, Any], said: str
) -> None:
    """One line says what answered, and none asks for permissions or another try."""
    stripe.faults.add(Fault(**fault))
    error = failed(stripe)
    assert error.action is ErrorAction.STOP
    assert stripe.journal.count() == 1
    assert error.message.startswith(f"The server at {stripe.url} is not Stripe: ")
    assert said in error.message
    assert "permission" not in str(error)
    assert "run again" not in str(error)


def test_titles_of_others_are_shortened_and_harmless(stripe: Simulator) -> None:
    """A page can have any title."""
    title = "\x1b]0;owned\x07 sk_live_51PlantedSecret \u202e" + "very " * 50
    stripe.faults.add(Fault(body=f"<TITLE lang=x>{title}</TITLE>", headers=HTML))
    message = failed(stripe).message
    assert "Planted" not in message
    assert not {"\x1b", "\x07", "\u202e"} & set(message)
    assert len(message) < 220


@pytest.mark.parametrize(
    ("path", "said"),
    [("/v1", "remove /v1 from the end of api_url"), ("/else", "its path /else may be wrong")],
)
@pytest.mark.parametrize("html", [True, False])
def test_a_path_too_many_in_the_address_is_told(
    stripe: Simulator, path: str, said: str, *, html: bool
) -> None:
    """Stripe says that it does not know the URL; what is wrong with the setting, the tap says."""
    if html:
        stripe.faults.add(Fault(status=404, body="<html></html>", headers=HTML))
    error = failed(stripe, api_url=f"{stripe.url}{path}")
    assert said in error.advice
    assert stripe.journal.count() == 1


def test_a_firewall_in_the_middle_of_a_run_costs_its_stream_alone(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """It refuses one path for good: one request, and the others go on."""
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
    """Every list would be asked for in vain."""
    stripe.faults.add(Fault(match="/v1/c", status=302, body="", headers={"location": "/login"}))
    error = failed(stripe)
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
    ids=["page", "gateway", "refusal cut off", "list cut off"],
)
def test_passing_pages_of_others_in_the_middle_of_a_run_cost_no_row(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    """Once Stripe has answered it is there, and what comes in between is damage."""
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
    """Rows without a known account are no small matter; fakes of Stripe can be read, too."""
    stripe.world.platform.create("coupon", {"id": "C"}, at=NOW - DAY)
    stripe.faults.add(Fault(match="/v1/account$", **fault))
    output = run(config_for(stripe), catalog=selecting("coupons"))
    assert output.exit_code == 0
    assert [row["account_id"] for row in output.records("coupons")] == ["acct_unknown"]
    (told,) = [one for one in caplog.records if "acct_unknown" in one.message]
    assert told.levelname == "WARNING"
    assert stripe.journal.count(path="/v1/account") == 1
