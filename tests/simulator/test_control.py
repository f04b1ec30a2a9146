"""A simulator in its own process, its control endpoints and malformed input."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_stripe_connect.catalog import LISTED
from tap_stripe_connect.simulator.cli import simulate

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from tap_stripe_connect.simulator.server import Simulator
    from tap_stripe_connect.simulator.world import World

RUN = "from tap_stripe_connect.simulator.cli import simulate; simulate()"


@pytest.fixture
def control(simulator: Simulator) -> Callable[..., Any]:
    """Call a control endpoint, and return the JSON of its 200 response."""

    def call(method: str, path: str, body: object = None) -> Any:
        url = f"{simulator.url}/_simulator/{path}"
        answer = requests.request(method, url, json=body, timeout=120)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return call


def test_the_clock_is_moved(world: World, control: Callable[..., Any]) -> None:
    """POST clock sets or advances the time, and returns it."""
    start = world.clock.now
    assert control("POST", "clock", {"advance": 60}) == {"now": start + 60}
    assert control("POST", "clock", {"set": start + 90}) == {"now": start + 90}
    assert world.clock.now == start + 90


def test_objects_are_changed(world: World, control: Callable[..., Any]) -> None:
    """POST change creates, updates and deletes, on any account, with events."""
    world.add_account("acct_1Example")
    change = {"action": "create", "object": "customer", "account": "acct_1Example", "at": 7}
    made = control("POST", "change", change | {"fields": {"name": "A"}})
    assert (made["name"], made["created"]) == ("A", 7)
    id_ = made["id"]
    change |= {"id": id_, "action": "update", "at": world.clock.now}
    assert control("POST", "change", change | {"fields": {"name": "B"}})["name"] == "B"
    assert control("POST", "change", change | {"action": "delete"}) == {}
    counts = control("GET", "state")["accounts"]
    objects = sorted(listed.object for listed in LISTED.values())
    assert counts["acct_1Example"] == dict.fromkeys(objects, 0) | {"event": 2}
    assert counts[world.platform.id]["event"] == 0


def test_faults_and_journal_are_at_hand(
    get: Callable[..., Response], control: Callable[..., Any]
) -> None:
    """Faults are added, counted and cleared; the journal is read and cleared."""
    control("POST", "faults", {"match": "/v1/charges", "status": 503, "times": 1})
    assert [get("/v1/charges").status_code for _ in range(2)] == [503, 200]
    assert control("GET", "faults")[0]["fired"] == 1
    control("DELETE", "faults")
    assert control("GET", "faults") == []
    noted = control("GET", "journal")
    assert [request["status"] for request in noted] == [503, 200]
    control("DELETE", "journal")
    assert control("GET", "journal") == []


def test_speed_is_set(simulator: Simulator, control: Callable[..., Any]) -> None:
    """Latency and limits of requests can be set, and the limits removed."""
    control("POST", "latency", {"seconds": 0.001})
    assert simulator.latency == 0.001
    control("POST", "rate_limit", {"per_second": 10})
    assert simulator.rate_limit is not None
    assert simulator.rate_limit.per_second == 10
    control("POST", "rate_limit", {})
    assert simulator.rate_limit is None


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", b""),
        ("clock", b"[]"),
        ("clock", b'{"set": 1}'),
        ("clock", b'{"advance": -1}'),
        ("clock", b'{"forward": 1}'),
        ("faults", b'{"match": "("}'),
        ("faults", b'{"times": "two"}'),
        ("latency", b'{"seconds": "long"}'),
        ("change", b'{"action": "create", "object": "token"}'),
        ("change", b'{"action": "create", "object": "charge", "account": "acct_1Other"}'),
        ("change", b'{"action": "create", "object": "charge", "fields": {"created": "x"}}'),
        ("change", b'{"action": "create", "object": "charge", "fields": {"id": null}}'),
        ("change", b'{"action": "create", "object": "invoice", "fields": {"lines": 1}}'),
        ("change", b'{"action": "create", "object": "invoice", "fields": {"lines": [1]}}'),
        ("change", b'{"action": "update", "object": "charge", "id": "ch_1"}'),
        ("change", b'{"action": "delete", "object": "house", "id": "ch_1"}'),
        ("change", b'{"action": "explode", "object": "charge"}'),
        ("change", b"\xff\xfe"),
    ],
)
def test_wrong_control_is_explained(
    simulator: Simulator, get: Callable[..., Response], path: str, body: bytes
) -> None:
    """It is 400 with a reason, and changes nothing that others see."""
    answer = requests.post(f"{simulator.url}/_simulator/{path}", data=body, timeout=120)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    for stream in ("charges", "invoices", "events"):
        assert get(f"/v1/{stream}").json()["data"] == []


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.text(st.sampled_from("/v1charges_%2F?&=[]. \té\0cus"), max_size=30),
    name=st.sampled_from(["limit", "created", "created[gte]", "types[]", "expand[]", "status"]),
    value=st.text(max_size=8),
)
def test_no_request_breaks_the_simulator(
    get: Callable[..., Response], path: str, name: str, value: str
) -> None:
    """Any request gets a status that Stripe uses."""
    assert get("/v1/" + quote(path, safe="/%[]=&")).status_code in {200, 400, 404}
    query = f"{quote(name)}={quote(value)}"
    for stream in ("charges", "events", "subscriptions"):
        assert get(f"/v1/{stream}?{query}").status_code in {200, 400}


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET /v1/charges HTTP/9.9\r\n\r\n",
        b"GET /v1/charges HTTP/1.1\r\nStripe-Account: \xff\xfe\r\nHost: x\r\n\r\n",
        b"POST /_simulator/clock HTTP/1.1\r\nContent-Length: 5\r\n\r\n{",
        b"HEAD /v1/charges HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_no_bytes_break_the_simulator(
    simulator: Simulator, get: Callable[..., Response], sent: bytes
) -> None:
    """Clients that send no HTTP, or disconnect, do not affect others."""
    with socket.create_connection((simulator.url[7:].split(":")[0], int(simulator.url[-5:]))) as s:
        s.sendall(sent)
    assert get("/v1/charges").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_a_signal(number: signal.Signals) -> None:
    """One line has the address and the key; a signal ends it with 0."""
    arguments = ["--customers", "5", "--years", "1", "--accounts", "1", "--live", "--rate-limit"]
    with subprocess.Popen(  # noqa: S603 - the program is this project's own
        [sys.executable, "-c", RUN, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Simulated Stripe ready: url=http://127.0.0.1:")
        facts = dict(pair.split("=", 1) for pair in line.split() if "=" in pair)
        key = {"Authorization": f"Bearer {facts['api_key']}"}
        answer = requests.get(f"{facts['url']}/v1/customers?limit=100", headers=key, timeout=120)
        assert answer.json()["data"][0]["livemode"] is True
        account = requests.get(f"{facts['url']}/v1/accounts", headers=key, timeout=120)
        assert len(account.json()["data"]) == 1
        assert facts["accounts"] == "2"
        process.send_signal(number)
        assert process.wait(120) == 0
        assert process.stdout.read() == ""


def test_the_command_says_what_to_install() -> None:
    """Without the extra there is one line, and no traceback."""
    code = f"import sys; sys.modules['uvicorn'] = None; {RUN}"
    done = subprocess.run(  # noqa: S603 - the program is this project's own
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "Error: uvicorn is missing: pip install 'tap-stripe-connect[simulator]'"
    )


def test_the_command_says_that_a_port_is_taken(simulator: Simulator) -> None:
    """A port in use is one line, not a traceback."""
    port = simulator.url.rsplit(":", 1)[1]
    done = CliRunner().invoke(simulate, ["--port", port, "--customers", "1", "--years", "1"])
    assert done.exit_code == 1
    assert done.output.startswith(f"Error: Port {port} cannot be used: ")
    assert done.output.count("\n") == 1
