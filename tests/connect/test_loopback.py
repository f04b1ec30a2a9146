"""The server of the pages: what it answers to whom, however it is asked."""

from __future__ import annotations

import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
import requests

from tap_stripe_connect.connect import loopback
from tap_stripe_connect.connect.handler import IDLE_SECONDS, Handler
from tap_stripe_connect.connect.language import LANGUAGES, texts
from tap_stripe_connect.connect.loopback import Pages, PortTaken
from tap_stripe_connect.connect.oauth import Application
from tap_stripe_connect.connect.outcome import ConnectedAccount, Kind, Outcome
from tap_stripe_connect.connect.sitting import Sitting
from tap_stripe_connect.simulator.connect.registry import Client
from tests.connect.console import free_port
from tests.connect.loopback_client import ask, connect, read, request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_stripe_connect.simulator.server import Simulator

SECURITY = {
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
CLIENT_HELLO = bytes.fromhex("16030102000100") + bytes(505)


@pytest.fixture
def port() -> int:
    """A port that is free on both families."""
    return free_port()


@pytest.fixture
def saved() -> list[ConnectedAccount]:
    """The accounts that the sitting kept."""
    return []


@pytest.fixture
def sitting(stripe: Simulator, port: int, saved: list[ConnectedAccount]) -> Sitting:
    """A sitting of a platform, with one account to connect."""
    redirect = f"http://localhost:{port}/callback"
    stripe.world.connect.add_client(Client(id="ca_1Test", redirect_uris=(redirect,)))
    stripe.world.add_signup("acct_1Example", name="Example").create("customer", {})
    application = Application("ca_1Test", redirect, livemode=False, url=stripe.url)
    return Sitting(application, stripe.api_key, stripe.url, "", saved.append)


@pytest.fixture
def pages(sitting: Sitting) -> Iterator[Pages]:
    """Its pages, served."""
    with Pages(sitting, sitting.application.redirect_uri) as pages:
        yield pages


def consent(sitting: Sitting, decision: str = "allow") -> str:
    """Let the account decide at Stripe, and return path and query that the browser is sent to."""
    form = {"account": "acct_1Example", "decision": decision}
    answer = requests.post(sitting.link(), data=form, allow_redirects=False, timeout=120)
    parts = urlsplit(answer.headers["Location"])
    return f"{parts.path}?{parts.query}"


def token_posts(stripe: Simulator) -> int:
    """Return how many codes were exchanged."""
    return stripe.journal.count(method="POST", path="/oauth/token")


def outcomes(sitting: Sitting) -> list[Kind]:
    """Return what the terminal has been told."""
    return [sitting.outcomes.get_nowait().kind for _ in range(sitting.outcomes.qsize())]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_way_to_success(
    stripe: Simulator, sitting: Sitting, pages: Pages, saved: list[ConnectedAccount], address: str
) -> None:
    """From an empty list over both steps to Stripe and back, on either loopback address."""
    assert "No account is connected yet." in ask(pages, "/", address=address).body
    assert 'href="/authorize"' in ask(pages, "/add", address=address).body
    authorization = ask(pages, "/authorize", address=address)
    assert sitting.link().replace("&", "&amp;") in authorization.body
    assert "Afterwards Stripe brings you back here." in authorization.body
    assert not pages.delivered.is_set()
    answer = ask(pages, consent(sitting), address=address)
    assert answer.status == 303
    assert answer.body == ""
    assert re.fullmatch(r"/\?done=[\w-]{22}", answer.headers["location"])
    assert [account.id for account in saved] == ["acct_1Example"]
    assert not pages.delivered.is_set()
    end = ask(pages, answer.headers["location"], address=address)
    assert end.status == 200
    assert end.body.index("Connection successful!") < end.body.index("acct_1Example")
    assert pages.delivered.wait(120)
    assert token_posts(stripe) == 1


def test_the_end_can_be_loaded_again(stripe: Simulator, sitting: Sitting, pages: Pages) -> None:
    """Reload and Back show the same end; the answer of Stripe a second time does, too."""
    landed = consent(sitting)
    where = ask(pages, landed).headers["location"]
    first = ask(pages, where).body
    assert ask(pages, where).body == first
    assert ask(pages, landed).headers["location"] == where
    plain = ask(pages, "/")
    assert "Connection successful!" not in plain.body
    assert "acct_1Example" in plain.body
    assert ask(pages, "/?done=unknown").body == plain.body
    assert token_posts(stripe) == 1
    assert outcomes(sitting) == [Kind.CONNECTED]


def test_eight_answers_at_once_are_one(stripe: Simulator, sitting: Sitting, pages: Pages) -> None:
    """All wait for the one exchange and are shown its end."""
    landed = consent(sitting)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(pages, landed), range(8)))
    assert {answer.status for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert token_posts(stripe) == 1
    assert outcomes(sitting) == [Kind.CONNECTED]


def test_a_denial_is_an_end(stripe: Simulator, sitting: Sitting, pages: Pages) -> None:
    """Its page says that nothing was saved, and nothing is asked of Stripe."""
    where = ask(pages, consent(sitting, "deny")).headers["location"]
    assert "Access was not granted" in ask(pages, where).body
    assert pages.delivered.wait(120)
    assert token_posts(stripe) == 0
    assert outcomes(sitting) == [Kind.DENIED]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?",
        "?code=ac_1",
        "?code=ac_1&state=",
        "?code=&state=wrong",
        "?code=ac_1&state=wrong",
        "?error=access_denied&state=wrong",
        "?error=access_denied",
        "?error=access_denied&error_description=%3Cscript%3E&state=wrong",
        f"?code=ac_1&state={'x' * 10_000}",
        f"?code={'x' * 10_000}&state=wrong",
        "?code=ac_1&state=%ff%00",
        "?code=ac_1&state=wrong&state=wrong",
    ],
)
def test_an_answer_without_the_right_state_changes_nothing(
    stripe: Simulator, sitting: Sitting, pages: Pages, query: str
) -> None:
    """It is told so with status 400 and without the accounts, and waiting goes on."""
    answer = ask(pages, f"/callback{query}")
    assert answer.status == 400
    assert "This sign-in does not belong to this session" in answer.body
    assert "script" not in answer.body
    assert outcomes(sitting) == []
    assert pages.strays.total() == 1
    assert not pages.delivered.is_set()
    assert token_posts(stripe) == 0
    assert ask(pages, consent(sitting)).status == 303


@pytest.mark.parametrize("twice", ["code=ac_2", "state=other", "state={state}", "error=no"])
def test_an_answer_that_says_something_twice_is_refused(
    stripe: Simulator, sitting: Sitting, pages: Pages, twice: str
) -> None:
    """Nothing is exchanged when it is not certain what was said, and that is an end."""
    landed = consent(sitting)
    state = parse_qs(urlsplit(landed).query)["state"][0]
    answer = ask(pages, f"{landed}&{twice.format(state=state)}")
    if twice == "error=no":  # which comes once, but beside a code
        assert answer.status == 303
        answer = ask(pages, answer.headers["location"])
    else:
        assert answer.status == 400
    assert "The connection could not be completed" in answer.body
    assert pages.delivered.wait(120)
    assert token_posts(stripe) == 0
    assert outcomes(sitting) == [Kind.FAILED]


def test_an_old_link_belongs_to_no_session(sitting: Sitting, pages: Pages) -> None:
    """What was answered once stays answered; an answer with an invented state never is."""
    old = consent(sitting, "deny")
    ask(pages, old)
    forged = old.replace("state=", "state=x")
    assert ask(pages, forged).status == 400
    assert outcomes(sitting) == [Kind.DENIED]
    assert pages.strays.total() == 1


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost",
        "localhost:1",
        "localhost.:{port}",
        "localhost:{port}.evil.example",
        "127.0.0.1:{port}",
        "user@localhost:{port}",
        "localhost:{port}\r\nHost: localhost:{port}",
        "localhost:{port}, evil.example",
        "",
    ],
)
def test_a_foreign_host_gets_nothing(
    stripe: Simulator, sitting: Sitting, pages: Pages, host: str
) -> None:
    """A name that was bent to lead here, or none, is refused before all else."""
    given = host.format(port=pages.port) or None
    for target in ("/", "/authorize", "/nothing", consent(sitting)):
        answer = ask(pages, request(target, host=given))
        assert answer.status == 421
        assert answer.body == "This program does not answer for that host.\n"
    assert token_posts(stripe) == 0
    assert outcomes(sitting) == []


def test_hosts_are_the_same_in_any_case(sitting: Sitting, pages: Pages) -> None:
    """Names of hosts know no case."""
    assert ask(pages, request("/", host=f"LocalHost:{pages.port}")).status == 200
    landed = consent(sitting)
    assert ask(pages, request(landed, host=f"LOCALHOST:{pages.port}")).status == 303


# Other users of the machine


@pytest.mark.parametrize("target", ["/", "/add", "/authorize", "/?done=x", "/?key=x", "/?key="])
def test_a_stranger_sees_no_page(sitting: Sitting, pages: Pages, target: str) -> None:
    """Whoever has not come by the terminal's address learns nothing, least of all the state."""
    cookie = pages.admission.cookie.partition(";")[0]
    name, _, value = cookie.partition("=")
    state = parse_qs(urlsplit(sitting.link()).query)["state"][0]
    for header in ("X: y", f"Cookie: {name}=", f"Cookie: {name}={value[:-1]}", f"Cookie: {value}"):
        answer = ask(pages.port, request(target, header))
        assert answer.status == 403
        assert "<h1>Open the address that the terminal shows.</h1>" in answer.body
        assert state not in answer.body
        assert "mode" not in answer.body.partition("</style>")[2]
        assert "set-cookie" not in answer.headers


def test_the_terminals_address_lets_a_browser_in(pages: Pages) -> None:
    """It leads on to an address without the key, with a cookie that scripts do not see."""
    for entrance in (pages.entrance, pages.entrance_once()):
        parts = urlsplit(entrance)
        first = ask(pages.port, f"{parts.path}?{parts.query}")
        assert (first.status, first.headers["location"], first.body) == (303, "/", "")
        cookie, *attributes = first.headers["set-cookie"].split("; ")
        assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Lax"}
        assert re.fullmatch(rf"tap_stripe_connect_{pages.port}=\w{{32}}", cookie)
        for target in ("/", "/add", "/authorize"):
            assert ask(pages.port, request(target, f"Cookie: a=b; {cookie}")).status == 200


def test_the_address_of_a_command_line_counts_once(pages: Pages) -> None:
    """All users see how a browser was started; what the terminal shows is good until the end."""
    once, again = pages.entrance_once(), pages.entrance
    assert once != pages.entrance_once()
    for entrance, statuses in ((once, [303, 403]), (again, [303, 303])):
        target = f"/?{urlsplit(entrance).query}"
        assert [ask(pages.port, target).status for _ in range(2)] == statuses


def test_an_answer_of_stripe_lets_its_browser_in(sitting: Sitting, pages: Pages) -> None:
    """Who comes back from Stripe by the printed link has no cookie yet, but the state."""
    back = ask(pages.port, consent(sitting))
    assert back.status == 303
    cookie = back.headers["set-cookie"].partition(";")[0]
    assert ask(pages.port, request("/add", f"Cookie: {cookie}")).status == 200
    # Where cookies are blocked the end is told all the same.
    assert "Connection successful!" in ask(pages.port, back.headers["location"]).body
    assert pages.delivered.is_set()
    assert ask(pages.port, "/callback?code=ac_1&state=wrong").headers.get("set-cookie") is None


@pytest.mark.parametrize("code", LANGUAGES)
def test_strangers_are_told_in_their_language(sitting: Sitting, port: int, code: str) -> None:
    """The one sentence is there in each language."""
    with Pages(sitting, sitting.application.redirect_uri, language=code):
        assert f"<h1>{texts(code)['closed']}</h1>" in ask(port, "/").body


@pytest.mark.parametrize(
    ("redirect", "expected"),
    [
        ("http://127.0.0.1:9/a/b", ("127.0.0.1:9", "/a/b", True)),
        ("http://[::1]:9/a", ("[::1]:9", "/a", True)),
        ("http://LOCALHOST:9/A", ("localhost:9", "/A", True)),
        ("https://localhost:9/a", ("localhost:9", "/a", False)),
        ("http://localhost/a", ("localhost:80", "/a", True)),
        ("https://localhost/a", ("localhost:443", "/a", False)),
        ("http://localhost:9", ("localhost:9", "/", True)),
        ("https://example.com/a", ("localhost:8765", "", False)),
        ("http://example.com:9/a", ("localhost:8765", "", False)),
        ("", ("localhost:8765", "", False)),
    ],
)
def test_the_redirect_decides_where_pages_are(
    sitting: Sitting, redirect: str, expected: tuple[str, str, bool]
) -> None:
    """On this machine its host, port and path hold; elsewhere, pages are where they usually are."""
    pages = Pages(sitting, redirect)
    where, callback, returns = expected
    assert pages.address == f"http://{where}/"
    assert (pages.callback, pages.returns) == (callback, returns)
    name, _, port = where.rpartition(":")
    assert pages.hosts == ({where, name} if port in {"80", "443"} else {where})


@pytest.mark.parametrize("path", ["/", "/add"])
def test_an_answer_may_come_to_the_address_of_a_page(
    stripe: Simulator, sitting: Sitting, port: int, path: str
) -> None:
    """A redirect to the path of a page is told from a visit by what it says."""
    with Pages(sitting, f"http://localhost:{port}{path}") as pages:
        landed = consent(sitting).replace("/callback", path)
        assert ask(pages, path).status == 200
        assert ask(pages, f"{path}?done=x").status == 200
        assert ask(pages, f"{path}?state=x").status == 400
        assert ask(pages, landed).status == 303
    assert token_posts(stripe) == 1


def test_elsewhere_no_answer_is_taken(sitting: Sitting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Stripe answers to another host there is no page for it, and how to paste is told."""
    port = free_port()
    monkeypatch.setattr(loopback, "PORT", port)
    with Pages(sitting, "https://example.com/callback") as pages:
        assert ask(pages, consent(sitting)).status == 404
        assert "paste it into the terminal" in ask(pages, "/authorize").body


@pytest.mark.parametrize(
    "path",
    [
        "/favicon.ico",
        "/callback/",
        "/Callback",
        "/%63allback",
        "/%2e%2e/",
        "/../callback",
        "/add/",
        "/index.html",
        "http://localhost/callback",
        "callback",
        "*",
    ],
)
def test_other_paths_are_not_there(sitting: Sitting, pages: Pages, path: str) -> None:
    """They are one line of text, and change nothing."""
    answer = ask(pages, path)
    assert (answer.status, answer.body) == (404, "There is no such page.\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert outcomes(sitting) == []


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "PUT", "DELETE", "CONNECT", "X"])
def test_only_get_is_answered(
    stripe: Simulator, sitting: Sitting, pages: Pages, method: str
) -> None:
    """Another method changes nothing, not even with an answer that would be right."""
    answer = ask(pages, request(consent(sitting), "Content-Length: 0", method=method))
    assert answer.status == 405
    assert answer.headers["allow"] == "GET"
    assert answer.body == ("" if method == "HEAD" else "Only GET is answered here.\n")
    assert token_posts(stripe) == 0
    assert outcomes(sitting) == []


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request("/callback?state=" + "x" * 70_000), 414),
        (request("/", *(f"X-{number}: x" for number in range(200))), 431),
        (request("/", f"X: {'x' * 70_000}"), 431),
        (request("/callback?" + "&".join(f"x{number}=1" for number in range(60))), 400),
        (b"GET / HTTP/9\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"nonsense\r\n\r\n", 400),
        (b"\x00\xff\xfe\r\n\r\n", 400),
    ],
)
def test_what_is_no_proper_request_is_refused(pages: Pages, sent: bytes, status: int) -> None:
    """It gets a line that repeats none of it, and the next one is served."""
    answer = ask(pages, sent)
    assert answer.status == status
    assert re.fullmatch(r"[A-Z][\w' ]+\.?\n", answer.body)
    assert ask(pages, "/").status == 200


def test_every_answer_protects_itself(sitting: Sitting, pages: Pages) -> None:
    """No cache, no referrer, no frame, no script, and no word on what the server is made of."""
    targets = ["/", "/add", "/authorize", "/nothing", "/callback", consent(sitting)]
    answers = [ask(pages, target) for target in targets]
    answers.append(ask(pages, request("/", method="POST")))
    answers.append(ask(pages, request("/", host="evil.example")))
    for answer in answers:
        assert SECURITY.items() <= answer.headers.items()
        policy = answer.headers["content-security-policy"]
        for rule in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'none'"):
            assert rule in policy
        assert "unsafe" not in policy
        assert not {"server", "date"} & answer.headers.keys()
        assert ("set-cookie" in answer.headers) is (answer.status == 303)


def test_nobody_waits_for_the_idle(pages: Pages) -> None:
    """Connections that say nothing, or half a line, keep nobody from an answer."""
    with ExitStack() as stack:
        for number in range(40):
            idle = stack.enter_context(connect(pages.port))
            idle.sendall(b"GET /callback?st" if number % 2 else b"")
        assert ask(pages, "/").status == 200
        waiting = [one for one in threading.enumerate() if "process_request" in one.name]
        assert len(waiting) >= 40
        assert all(thread.daemon for thread in waiting), "the program could not end"


def test_an_idle_connection_is_hung_up_on(
    pages: Pages, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whoever says nothing is not waited for for ever, nor told of in the terminal."""
    assert Handler.timeout == IDLE_SECONDS
    monkeypatch.setattr(Handler, "timeout", 0.01)
    for sent in (b"", b"GET / HT"):
        # Whoever is hung up on before it speaks is told so by an error.
        with connect(pages.port) as client, suppress(ConnectionError):
            client.sendall(sent)
            assert client.recv(1) == b""
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_tls_is_noticed(sitting: Sitting, port: int, scheme: str) -> None:
    """A browser with TLS can't be served; the terminal hears of it where Stripe leads to https."""
    with Pages(sitting, f"{scheme}://localhost:{port}/callback") as pages:
        ask(pages, "/")
        assert not pages.told_tls.is_set()
        with connect(port) as client:
            client.sendall(CLIENT_HELLO)
            assert client.recv(5) != b"\x16\x03"
        assert pages.told_tls.is_set() is (scheme == "https")
        assert ask(pages, "/").status == 200


def test_an_answer_waits_for_the_exchange(sitting: Sitting, pages: Pages) -> None:
    """Nothing is sent back before the end is known, and others are served meanwhile."""
    landed = consent(sitting)
    begun, go_on = threading.Event(), threading.Event()
    finish = sitting.finish

    def held(query: Sequence[tuple[str, str]]) -> Outcome:
        begun.set()
        assert go_on.wait(120)
        return finish(query)

    sitting.finish = held  # type: ignore[method-assign]
    with connect(pages.port) as client:
        content = request(landed, host=f"localhost:{pages.port}")
        client.sendall(content)
        assert begun.wait(120)
        assert ask(pages, "/").status == 200
        client.settimeout(0)
        with pytest.raises(BlockingIOError):
            client.recv(1)
        go_on.set()
        client.settimeout(120)
        assert read(client).status == 303


def test_a_browser_that_left_is_not_missed(
    sitting: Sitting, pages: Pages, saved: list[ConnectedAccount]
) -> None:
    """The exchange is done although nobody waits for its answer any more."""
    with connect(pages.port) as client:
        client.sendall(request(consent(sitting), host=f"localhost:{pages.port}"))
    assert sitting.outcomes.get(timeout=120).kind is Kind.CONNECTED
    assert [account.id for account in saved] == ["acct_1Example"]


def test_a_fault_inside_is_told_without_its_text(
    sitting: Sitting, pages: Pages, caplog: pytest.LogCaptureFixture
) -> None:
    """The browser gets an answer, and the log the kind of the fault only."""

    def broken(query: Sequence[tuple[str, str]]) -> Outcome:
        raise KeyError(query)

    sitting.finish = broken  # type: ignore[method-assign]
    answer = ask(pages, "/callback?code=ac_1Secret&state=x")
    assert (answer.status, answer.body) == (500, "Internal Server Error\n")
    assert caplog.messages == ["A page could not be shown (KeyError)"]


def test_nothing_is_printed(
    sitting: Sitting, pages: Pages, capfd: pytest.CaptureFixture[str]
) -> None:
    """No request leaves a line in the terminal, where it could show a code."""
    for sent in ("/", "/nothing", consent(sitting), b"nonsense\r\n\r\n"):
        ask(pages, sent)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("header", "chosen", "expected"),
    [
        ("fr-CA,fr;q=0.9", {"fallback": "de"}, "fr"),
        ("ja", {"fallback": "de_DE.UTF-8"}, "de"),
        ("ja", {}, "en"),
        ("fr", {"language": "sv", "fallback": "de"}, "sv"),
        ("fr", {"language": "pt"}, "pt-BR"),
        ("fr", {"language": "tlh"}, "fr"),
    ],
)
def test_pages_speak_the_browsers_language(
    sitting: Sitting, header: str, chosen: dict[str, str], expected: str
) -> None:
    """The browser's wish holds, unless one language was set for all; then the fallback."""
    redirect = sitting.application.redirect_uri
    with Pages(sitting, redirect, **chosen) as pages:
        for target in ("/", "/authorize", "/callback"):
            answer = ask(pages, request(target, f"Accept-Language: {header}"))
            assert f'<html lang="{expected}">' in answer.body


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "0.0.0.0"])  # noqa: S104 - a squatter's
def test_a_taken_port_is_refused(sitting: Sitting, port: int, address: str) -> None:
    """On whichever address another program listens, ours does not start, and frees the other."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family):
        pages = Pages(sitting, f"http://localhost:{port}/callback")
        with pytest.raises(PortTaken, match=rf"^Port {port} on .* Address already in use\.$"):
            pages.__enter__()
    with pages:
        assert ask(pages, "/").status == 200


def test_a_port_that_is_not_allowed_is_refused(
    sitting: Sitting, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A low port without the right to it is told like a taken one."""

    def forbidden(_: socket.socket, __: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", forbidden)
    with (
        pytest.raises(PortTaken, match="Permission denied"),
        Pages(sitting, f"http://localhost:{port}/callback"),
    ):
        pass


def test_without_ipv6_the_other_address_serves(
    sitting: Sitting, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without IPv6 has nobody who could take our answers there."""
    monkeypatch.setattr(loopback, "FAMILIES", ((socket.AF_INET, "127.0.0.1"), (10, "2001:db8::1")))
    with Pages(sitting, f"http://localhost:{port}/callback") as pages:
        assert ask(pages, "/").status == 200


def test_a_second_start_works_at_once(sitting: Sitting, port: int) -> None:
    """Connections that still linger from a moment ago do not keep the port."""
    redirect = f"http://localhost:{port}/callback"
    for _ in range(3):
        with Pages(sitting, redirect) as pages:
            assert ask(pages, "/").status == 200
        with pytest.raises(ConnectionRefusedError), connect(port):
            pass


def test_a_name_is_never_markup(stripe: Simulator, sitting: Sitting, pages: Pages) -> None:
    """What an account calls itself reaches the page as text, whatever it is."""
    name = "</h1><script>alert(1)</script>\x1b]0;x\x07\u202e"
    stripe.world.add_signup("acct_1Example", name=name).create("customer", {})
    page = ask(pages, ask(pages, consent(sitting)).headers["location"])
    assert "&lt;/h1&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in page.body
    assert not {"\x1b", "\x07", "\u202e"} & set(page.body)


def test_no_page_tells_secrets(stripe: Simulator, sitting: Sitting, pages: Pages) -> None:
    """Neither key nor code is in any page or header; the state is in Stripe's link alone."""
    landed = consent(sitting)
    code, state = (parse_qs(urlsplit(landed).query)[name][0] for name in ("code", "state"))
    link = ask(pages, "/authorize")
    assert link.body.count(state) == 1
    first = ask(pages, landed)
    answers = [link, first, *(ask(pages, t) for t in (first.headers["location"], "/", landed))]
    denial = urlencode({"error": "access_denied", "error_description": quote(code), "state": "x"})
    answers.append(ask(pages, f"/callback?{denial}"))
    for answer in answers:
        for secret in (stripe.api_key, code, *([state] if answer is not link else [])):
            assert secret not in f"{answer.headers} {answer.body}"
