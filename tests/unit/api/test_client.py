"""The API client: which responses are valid, and when retries end."""

from __future__ import annotations

import json
import logging
import re
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tap_stripe_connect.api import responses
from tap_stripe_connect.api.client import Client
from tap_stripe_connect.api.errors import ErrorAction, StripeError
from tap_stripe_connect.api.rate_limit import Limiter
from tap_stripe_connect.catalog import API_VERSION
from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.simulator.faults import Fault
from tests.support.harness import DAY, NOW, config_for, run, selecting

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.server import Simulator

stable = settings(deadline=None, derandomize=True, max_examples=300)


class HurriedClient(Client):
    """A client whose clock moves only while it sleeps, by twenty seconds each time."""

    attempts = 4
    now = 0.0

    def _sleep(self, seconds: float) -> None:
        del seconds
        self.now += 20.0


@pytest.fixture
def client(stripe: Simulator) -> HurriedClient:
    """Return a client for the simulator."""
    hurried = HurriedClient(
        url=stripe.url,
        api_key=stripe.api_key,
        api_version=API_VERSION,
        limiter=Limiter(100_000),
        stopping=threading.Event(),
    )
    hurried.clock = lambda: hurried.now
    return hurried


def action(client: Client, path: str, **options: Any) -> ErrorAction:
    """Return the error action of a list that cannot be read."""
    with pytest.raises(StripeError) as caught:
        client.page(path, **options)
    return caught.value.action


def test_a_total_outage_ends_the_run(stripe: Simulator, client: HurriedClient) -> None:
    """After five minutes without a successful response, a failed list ends the run."""
    client.get("/v1/account")
    stripe.faults.add(Fault(match="/v1/", status=503))
    actions = [action(client, "/v1/charges") for _ in range(6)]
    # Sixty seconds each; the outage starts with the first failure.
    assert actions == [*[ErrorAction.RETRY] * 4, ErrorAction.STOP, ErrorAction.STOP]
    with pytest.raises(StripeError, match=r"for \d+ minutes; last error: An unknown error"):
        client.page("/v1/charges")


def test_a_successful_response_ends_the_outage(stripe: Simulator, client: HurriedClient) -> None:
    """A list that keeps failing while others succeed fails alone."""
    stripe.faults.add(Fault(match="/v1/charges", status=503))
    client.get("/v1/account")
    for _ in range(20):
        assert action(client, "/v1/charges") is ErrorAction.RETRY
        client.page("/v1/coupons")


def test_a_final_error_ends_the_outage(stripe: Simulator, client: HurriedClient) -> None:
    """An error that is not retried shows that Stripe responds."""
    stripe.faults.add(Fault(match="/v1/charges", status=503))
    stripe.faults.add(Fault(match="/v1/coupons", status=403))
    client.get("/v1/account")
    for _ in range(20):
        assert action(client, "/v1/charges") is ErrorAction.RETRY
        assert action(client, "/v1/coupons") is ErrorAction.SKIP_STREAM


def test_smaller_pages_are_tried_before_the_run_ends(
    stripe: Simulator, client: HurriedClient
) -> None:
    """A page with only a few attempts, before a smaller one is tried, never ends the run."""
    stripe.faults.add(Fault(match="/v1/charges", status=503))
    client.get("/v1/account")
    for _ in range(40):
        assert action(client, "/v1/charges", attempts=2) is ErrorAction.RETRY
    assert action(client, "/v1/charges") is ErrorAction.STOP


def test_time_without_requests_is_not_an_outage(stripe: Simulator, client: HurriedClient) -> None:
    """A slow target blocks all requests; the first failure after that is not an outage."""
    client.get("/v1/account")
    client.now += 3600
    stripe.faults.add(Fault(match="/v1/charges", status=503))
    assert action(client, "/v1/charges") is ErrorAction.RETRY


@pytest.mark.usefixtures("one_reader")
def test_an_outage_ends_a_run_of_many_accounts(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lists of the other accounts are not retried one by one."""
    monkeypatch.setattr(Client, "attempts", 3)
    monkeypatch.setattr(Client, "backoff", 0.001)
    monkeypatch.setattr(Client, "outage", 0.0)
    for place in range(300):
        stripe.world.add_account(f"acct_1N{place}")
    stripe.faults.add(Fault(match="/v1/(?!account)", status=500))
    config = config_for(stripe, account_ids=list(stripe.world.accounts))
    with pytest.raises(StripeError, match="No successful response"):
        run(config, catalog=selecting("coupons"))
    assert stripe.journal.count() < 600


@pytest.mark.parametrize("url", ["https://a..b", "http://127.0.0.1:1"])
def test_an_unreachable_url_is_reported(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Before the first response, the error is about the URL and not about a lost response."""
    monkeypatch.setattr(Client, "backoff", 0.001)
    with pytest.raises(StripeError) as caught:
        run(config_for(stripe, api_url=url))
    assert caught.value.action is ErrorAction.STOP
    assert f"Cannot reach Stripe at {url}" in caught.value.message
    assert "damaged" not in caught.value.message


def decoded(body: bytes) -> Any:
    """Return the document that is decoded from a body."""
    response = requests.Response()
    response._content = body
    return responses.read(response).document


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\ud83d", "\ufffd"),
        (r"\ude00", "\ufffd"),
        (r"a\ud83db", "a\ufffdb"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\ud83d\ude00\ude00", "\U0001f600\ufffd"),
        (r"\ud83d\\ude00", "\ufffd\\ude00"),
        (r"\\ud83d", "\\ud83d"),
        (r"é\uD83D\n", "é\ufffd\n"),
    ],
)
def test_an_unpaired_surrogate_does_not_fail_the_page(text: str, expected: str) -> None:
    """It is replaced by U+FFFD, because UTF-8 cannot encode it; everything else is kept."""
    body = f'{{"id":"{text}","n":[1.5,12345678901234567,null]}}'.encode()
    found = decoded(body)
    assert found == {"id": expected, "n": [1.5, 12345678901234567, None]}
    msgspec.json.encode(found)


@stable
@given(st.text(st.characters(exclude_categories=())))
@example("\ud83d")
def test_any_text_can_be_decoded_and_encoded(text: str) -> None:
    """Only unpaired surrogates are replaced, whatever a JSON string contains."""
    found = decoded(json.dumps({"x": text}).encode())["x"]
    assert found == re.sub("[\ud800-\udfff]", "\ufffd", paired(text))
    msgspec.json.encode(found)


def paired(text: str) -> str:
    """Return `text` with each surrogate pair as the character that it encodes."""
    return str(json.loads(json.dumps(text)))


@pytest.mark.parametrize("body", [b'{"x":"\\ud83d', b'{"x":"\\ud83d"', b"{", b"", b"\xff", b"NaN"])
def test_damaged_json_is_rejected(body: bytes) -> None:
    """Replacing surrogates does not accept JSON that is cut off."""
    with pytest.raises(ValueError, match=r"\w"):
        decoded(body)


def test_rows_with_an_unpaired_surrogate_are_written(stripe: Simulator) -> None:
    """One such name fails neither its row nor the page."""
    bulk.load(stripe.world.platform, customers=3, start=NOW - DAY, until=NOW)
    page = {
        "object": "list",
        "has_more": False,
        "url": "/v1/customers",
        "data": [{"id": "cus_1", "object": "customer", "created": NOW - DAY, "name": "PLACE"}],
    }
    body = json.dumps(page).replace("PLACE", r"\ud83d!")
    stripe.faults.add(Fault(match="/v1/customers", body=body))
    output = run(config_for(stripe), catalog=selecting("customers"))
    assert output.exit_code == 0
    assert [row["name"] for row in output.records("customers")] == ["\ufffd!"]


def test_a_rate_limit_is_logged_once(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The first 429 logs the name of the limit; later ones are only counted."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(Client, "backoff", 0.001)
    stripe.faults.add(Fault(match="/v1/coupons", status=429, times=5))
    output = run(config_for(stripe), catalog=selecting("coupons"))
    assert output.exit_code == 0
    assert (
        len([one for one in caplog.messages if "Rate limited by Stripe (global-rate)" in one]) == 1
    )


def test_the_limiter_learns_which_limit_was_reached(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, client: HurriedClient
) -> None:
    """The error code is the same for all limits; the reason is in a header."""
    backoffs = []
    monkeypatch.setattr(Limiter, "back_off", lambda _, *arguments: backoffs.append(arguments[:2]))
    body = {"error": {"code": "rate_limit", "message": "Request rate limit exceeded."}}
    reason = {"Stripe-Rate-Limited-Reason": "endpoint-rate"}
    stripe.faults.add(Fault(match="/v1/coupons", status=429, body=body, headers=reason, times=1))
    client.page("/v1/coupons")
    assert backoffs == [("/v1/coupons", "endpoint-rate")]


def test_a_nested_list_without_a_url_fails_only_its_stream(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """The error says that an incomplete list has no URL."""
    invoice = {
        "id": "in_1",
        "object": "invoice",
        "created": NOW - DAY,
        "lines": {"object": "list", "data": [], "has_more": True},
    }
    page = {"object": "list", "has_more": False, "url": "/v1/invoices", "data": [invoice]}
    stripe.faults.add(Fault(match="/v1/invoices", body=page))
    stripe.world.platform.create("coupon", {"id": "C"}, at=NOW - DAY)
    output = run(config_for(stripe), catalog=selecting("invoices", "invoice_line_items", "coupons"))
    assert output.exit_code == 1
    assert output.counts == {"coupons": 1}
    assert "no url to fetch them from" in caplog.text
    assert "invoices" not in output.state["bookmarks"]


@pytest.mark.parametrize("name", ["ac_sale  x", ".", "..", "...", "a/b", "50%", "é ?#", "C+%2E"])
def test_changed_and_deleted_coupons_with_any_id_are_read(stripe: Simulator, name: str) -> None:
    """Ids that users chose are quoted in paths, and recognized in errors about missing objects."""
    account = stripe.world.platform
    account.create("coupon", {"id": name}, at=NOW - DAY)
    account.create("coupon", {"id": "gone"}, at=NOW - DAY)
    first = run(config_for(stripe), catalog=selecting("coupons"))
    stripe.world.clock.advance(DAY)
    account.update("coupon", name, {"name": "new"})
    stripe.world.clock.advance(DAY)
    second = run(config_for(stripe), state=first.state, catalog=selecting("coupons"))
    assert second.exit_code == 0
    assert [(row["id"], row["name"]) for row in second.records("coupons")] == [(name, "new")]
    account.update("coupon", name, {"name": "newer"})
    missing = {"error": {"code": "resource_missing", "message": f"No such coupon: '{name}'"}}
    stripe.faults.add(Fault(match="/v1/coupons/", status=404, body=missing))
    stripe.world.clock.advance(DAY)
    third = run(config_for(stripe), state=second.state, catalog=selecting("coupons"))
    assert third.exit_code == 0
    assert [(row["id"], bool(row["_sdc_deleted_at"])) for row in third.records("coupons")] == [
        (name, True)
    ]
