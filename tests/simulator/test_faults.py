"""Faults, rate limits and the journal."""

from __future__ import annotations

import gzip
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import requests

from tap_stripe_connect.catalog import API_VERSION
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.simulator.rate_limit import RateLimit
from tap_stripe_connect.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from tap_stripe_connect.simulator.world import World


@pytest.fixture(autouse=True)
def _customers(world: World) -> None:
    for number in range(25):
        world.platform.insert({"id": f"cus_{number}", "object": "customer", "created": number})


def test_a_fault_hits_what_it_matches(simulator: Simulator, get: Callable[..., Response]) -> None:
    """It skips the first `skip` matching requests, affects `times`, and counts them."""
    fault = simulator.faults.add(
        Fault(match=r"/v1/customers\?.*created\[gte\]=", status=500, skip=1, times=2)
    )
    path = "/v1/customers?created%5Bgte%5D=1"
    assert [get(path).status_code for _ in range(4)] == [200, 500, 500, 200]
    assert get("/v1/customers").status_code == 200
    assert fault.fired == 2


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(status=500), (500, "api_error", None)),
        (Fault(status=503), (503, "api_error", None)),
        (Fault(status=429), (429, "invalid_request_error", "rate_limit")),
        (Fault(status=409), (409, "invalid_request_error", None)),
        (Fault(status=429, body={"error": {"type": "t", "code": "c"}}), (429, "t", "c")),
    ],
)
def test_a_fault_answers_with_a_status(
    simulator: Simulator,
    get: Callable[..., Response],
    fault: Fault,
    expected: tuple[int, str, str | None],
) -> None:
    """The body is Stripe's usual one unless given."""
    fault.headers = {"Stripe-Should-Retry": "true"}
    simulator.faults.add(fault)
    answer = get("/v1/customers")
    assert answer.headers["Stripe-Should-Retry"] == "true"
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error.get("code")) == expected


def test_a_fault_spoils_a_list(simulator: Simulator, get: Callable[..., Response]) -> None:
    """Pages can be empty with more to come, repeated, no list, or too large."""
    spoiled: list[tuple[Fault, Any]] = [
        (Fault(empty_page=True), {"data": [], "has_more": True}),
        (Fault(not_a_list=True), {}),
        (Fault(body="<html>"), None),
    ]
    for fault, expected in spoiled:
        simulator.faults.clear()
        simulator.faults.add(fault)
        answer = get("/v1/customers")
        assert answer.status_code == 200
        if expected is None:
            assert answer.text == "<html>"
        else:
            assert expected.items() <= answer.json().items()
    simulator.faults.clear()
    simulator.faults.add(Fault(repeat_page=True))
    again = get("/v1/customers?limit=2&starting_after=cus_9").json()
    assert [one["id"] for one in again["data"]] == ["cus_24", "cus_23"]
    simulator.faults.clear()
    large = simulator.faults.add(Fault(page_limit=30))
    limits = ("?limit=31", "?limit=30", "", "?limit=x")
    assert [get(f"/v1/customers{one}").status_code for one in limits] == [500, 200, 200, 400]
    assert large.fired == 1


@pytest.mark.parametrize(("truncate", "share"), [(0.5, 0.5), (100.0, None)])
def test_a_body_is_cut_as_if_that_were_all(
    simulator: Simulator, get: Callable[..., Response], truncate: float, share: float | None
) -> None:
    """HTTP is whole, JSON is not."""
    whole = get("/v1/customers").content
    simulator.faults.add(Fault(truncate=truncate))
    cut = get("/v1/customers").content
    assert len(cut) == (int(len(whole) * share) if share else truncate)
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(cut)


def test_a_connection_breaks_in_the_middle_of_the_body(
    simulator: Simulator, get: Callable[..., Response]
) -> None:
    """The client sees a broken connection, and the next request works again."""
    simulator.faults.add(Fault(reset=True, times=1))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get("/v1/customers")
    assert get("/v1/customers").status_code == 200


def test_a_hanging_request_is_never_answered(simulator: Simulator) -> None:
    """It ends when the client gives up; other requests are answered."""
    simulator.faults.add(Fault(match="/v1/charges", hang=True))
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(f"{simulator.url}/v1/charges", timeout=(120, 0.05))
    # The server may hear of it later than it is given up.
    assert simulator.journal.wait_for(bool, timeout=120)
    assert requests.get(f"{simulator.url}/v1/customers", timeout=120).status_code == 401
    assert simulator.journal.requests[0].status is None


@pytest.mark.parametrize("fault", [Fault(hang=True), Fault(delay=3_600)])
def test_stopping_ends_what_waits(world: World, fault: Fault) -> None:
    """A simulator stops although a client waits for an answer."""
    with Simulator(world) as simulator:
        simulator.faults.add(fault)
        client = threading.Thread(
            target=lambda: requests.get(f"{simulator.url}/v1/customers", timeout=120)
        )
        client.start()
        assert simulator.journal.wait_for(lambda noted: len(noted) == 1, timeout=120)
    client.join(10)
    assert not client.is_alive()


def test_every_request_takes_the_latency(
    simulator: Simulator, get: Callable[..., Response]
) -> None:
    """Responses are delayed in parallel."""
    simulator.latency = 0.02
    get("/v1/customers")
    (request,) = simulator.journal.requests
    assert request.answered_at is not None
    assert request.answered_at - request.at >= 0.02


def test_rates_are_limited_in_all_and_by_endpoint() -> None:
    """A burst of one second's requests passes, then as many as the rate allows."""
    now = 100.0
    limit = RateLimit(per_second=5, per_endpoint=3, monotonic=lambda: now)
    assert [limit.exceeded("a") for _ in range(4)] == [None, None, None, "endpoint-rate"]
    assert [limit.exceeded("b") for _ in range(3)] == [None, None, "global-rate"]
    now += 0.2
    assert [limit.exceeded("c") for _ in range(2)] == [None, "global-rate"]


def test_requests_over_the_limit_are_refused_like_stripe(
    simulator: Simulator, get: Callable[..., Response]
) -> None:
    """429 has a reason but no Retry-After; ids of one object share an endpoint."""
    simulator.rate_limit = RateLimit(per_second=50, per_endpoint=2, monotonic=lambda: 0.0)
    paths = ("/v1/customers/cus_1", "/v1/customers/cus_2", "/v1/customers/cus_3", "/v1/customers")
    answers = [get(path) for path in paths]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200]
    refused = answers[2]
    assert refused.json()["error"]["code"] == "rate_limit"
    assert refused.headers["Stripe-Rate-Limited-Reason"] == "endpoint-rate"
    assert "Retry-After" not in refused.headers


def test_the_journal_notes_every_request(
    world: World, simulator: Simulator, get: Callable[..., Response]
) -> None:
    """It has each request with caller, time and response, in order."""
    get("/v1/customers?limit=3&created%5Blt%5D=9")
    get("/v1/customers/cus_1", Stripe_Account="acct_1Other")
    first, second = simulator.journal.requests
    assert first.query == [("limit", "3"), ("created[lt]", "9")]
    assert first.parameter("created[lt]") == "9"
    assert (first.method, first.path, first.template) == ("GET", "/v1/customers", "/v1/customers")
    assert (first.status, first.rows, first.account) == (200, 3, None)
    assert first.api_version == API_VERSION
    assert first.moment == world.clock.now
    assert (second.template, second.account) == ("/v1/customers/{id}", "acct_1Other")
    assert (second.status, second.rows) == (403, None)
    assert first.request_id.startswith("req_")
    assert first.request_id != second.request_id
    assert simulator.journal.count(path="/v1/customers") == 1
    assert simulator.journal.count(path="/v1/customers/{id}", method="GET") == 1
    assert simulator.journal.count(method="POST") == 0
    simulator.journal.clear()
    assert simulator.journal.requests == []
    assert simulator.journal.wait_for(bool, timeout=0) is False


def test_headers_are_those_of_stripe(
    world: World, simulator: Simulator, get: Callable[..., Response]
) -> None:
    """`Date` is the virtual time; the request's id is in the journal too."""
    world.clock.set(1_800_000_000)
    answer = get("/v1/customers")
    assert answer.headers["Date"] == "Fri, 15 Jan 2027 08:00:00 GMT"
    assert answer.headers["Request-Id"] == simulator.journal.requests[-1].request_id
    assert answer.headers["Stripe-Version"] == API_VERSION
    assert answer.headers["Content-Type"] == "application/json"
    assert "Content-Encoding" not in answer.headers


def test_bodies_are_compressed_on_demand(
    simulator: Simulator, get: Callable[..., Response]
) -> None:
    """With `gzip` on, clients that accept it get it."""
    plain = get("/v1/customers").content
    simulator.gzip = True
    answer = get("/v1/customers")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.content == plain
    assert int(answer.headers["Content-Length"]) < len(gzip.compress(plain)) * 2 < len(plain)
    assert "Content-Encoding" not in get("/v1/customers", Accept_Encoding="identity").headers


@pytest.mark.parametrize("wrong", [{"match": "("}, {"status": 99}, {"status": 600}])
def test_impossible_faults_are_refused(wrong: dict[str, Any]) -> None:
    """An invalid fault fails on creation."""
    with pytest.raises(ValueError, match=r"^(match|status) is "):
        Fault(**wrong)
