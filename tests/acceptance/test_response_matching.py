"""Responses have to match their requests: late, duplicate and shifted ones are rejected."""

from __future__ import annotations

import json
import threading
from itertools import count
from typing import TYPE_CHECKING

import pytest

from tap_stripe_connect.api.client import Client
from tap_stripe_connect.api.errors import StripeError
from tap_stripe_connect.api.matching import (
    PAGES_TO_CONFIRM,
    MismatchError,
    check_object,
    check_page,
)
from tap_stripe_connect.api.rate_limit import Limiter
from tap_stripe_connect.api.responses import ApiRequest
from tap_stripe_connect.catalog import API_VERSION
from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.sync.fetch import workers
from tests.support.faulty_proxy import Proxy, replaced, without
from tests.support.harness import DAY, NOW, Warehouse, config_for, expected, run, selecting

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.server import Simulator
    from tests.support.faulty_proxy import ProxiedRequest
    from tests.support.harness import Key, Output

YEAR = 365 * DAY
STREAMS = ("coupons", "customers", "events")
HEADERS = {
    "all headers": (),
    "no request id": ("request-id",),
    "neither request id nor account": ("request-id", "stripe-account"),
}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "backoff", 0.001)


def with_objects(account: Account, customers: int = 130) -> Account:
    """Create customers on more than one page, a coupon and their events; return the account."""
    mark = account.id.removeprefix("acct_1")
    for place in range(customers):
        at = NOW - YEAR + place * DAY
        account.create("customer", {"id": f"cus_{mark}{place}"}, at=at)
    account.create("coupon", {"id": mark}, at=NOW - DAY)
    return account


def keys_in(output: Output) -> dict[str, set[Key]]:
    """Return the keys of all rows that a run wrote, by stream."""
    tables = Warehouse().load(output.messages).tables
    return {stream: set(tables[stream]) for stream in STREAMS}


def keys_of(*accounts: Account) -> dict[str, set[Key]]:
    """Return the keys of all objects of these accounts, by stream."""
    tables = [expected(account) for account in accounts]
    return {stream: {key for table in tables for key in table[stream]} for stream in STREAMS}


class LateDuplicate:
    """Repeats one response when the next request arrives on the same connection."""

    def __init__(self, number: int, stripped: tuple[str, ...] = ()) -> None:
        """Disturb the first request from this number on that reuses a connection."""
        self._number = number
        self._stripped = stripped
        self._last: dict[int, bytes] = {}
        self.sent = 0

    def __call__(self, request: ProxiedRequest, fetch: Callable[[], bytes]) -> bytes:
        """Return the response, perhaps after the previous one."""
        previous = self._last.get(request.connection, b"")
        response = self._last[request.connection] = without(fetch(), *self._stripped)
        if not previous or self.sent or request.number < self._number:
            return response
        self.sent += 1
        return previous + response


class Shift:
    """Sends each response to the next request instead, over all connections, for some requests."""

    def __init__(self, first: int, last: int, stripped: tuple[str, ...] = ()) -> None:
        """Shift the responses to the requests `first` to `last`."""
        self._shifted = range(first, last + 1)
        self._stripped = stripped
        self._lock = threading.Lock()
        self._last = b""

    def __call__(self, request: ProxiedRequest, fetch: Callable[[], bytes]) -> bytes:
        """Return the response, or that to the previous request."""
        with self._lock:
            response = without(fetch(), *self._stripped)
            previous, self._last = self._last, response
            return previous if request.number in self._shifted else response


@pytest.mark.parametrize("stripped", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("number", [1, 3, 4, 5])
def test_a_late_duplicate_costs_no_row(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, number: int, stripped: tuple[str, ...]
) -> None:
    """The next request on the connection reads the response to another one."""
    # With more workers, each request of a slow machine may open a connection of its own.
    monkeypatch.setattr(workers, "MAX_WORKERS", 1)
    account = with_objects(stripe.world.platform)
    duplicate = LateDuplicate(number, stripped)
    with Proxy(stripe.url, duplicate) as proxy:
        output = run(config_for(stripe, api_url=proxy.url), catalog=selecting(*STREAMS))
    assert duplicate.sent == 1
    assert output.exit_code == 0
    assert keys_in(output) == keys_of(account)


@pytest.mark.parametrize("stripped", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize(("first", "last"), [(2, 5), (4, 9), (6, 14), (3, 10_000)])
def test_responses_that_are_shifted_by_one_get_into_no_wrong_account(
    stripe: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    first: int,
    last: int,
    stripped: tuple[str, ...],
) -> None:
    """Mismatched responses are not written; the next run reads what is missing."""
    if len(stripped) > 1:
        # Without distinguishing headers only the order of requests can be checked.
        monkeypatch.setattr(workers, "MAX_WORKERS", 1)
    names = ("acct_1One", "acct_1Two", "acct_1Three")
    accounts = [
        with_objects(stripe.world.add_account(name), 40 * place) for place, name in enumerate(names)
    ]
    catalog = selecting(*STREAMS)
    with Proxy(stripe.url, Shift(first, last, stripped)) as proxy:
        config = config_for(stripe, api_url=proxy.url, account_ids=list(names))
        disturbed = run(config, catalog=catalog)
    undisturbed = run(
        config_for(stripe, account_ids=list(names)), state=disturbed.state, catalog=catalog
    )
    assert undisturbed.exit_code == 0
    found, expected_keys = keys_in(disturbed), keys_of(*accounts)
    for stream in STREAMS:
        assert found[stream] <= expected_keys[stream]
        assert found[stream] | keys_in(undisturbed)[stream] == expected_keys[stream]
    if not disturbed.exit_code:
        assert found == expected_keys


def test_another_list_in_its_place_fails_a_stream_alone(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No row is written, no bookmark is set, and one line says what was wrong and what to do."""
    monkeypatch.setattr(Client, "attempts", 3)
    account = with_objects(stripe.world.platform)
    body = {
        "object": "list",
        "url": "/v1/customers",
        "has_more": False,
        "data": [{"id": "cou_1", "object": "coupon", "created": NOW - DAY}],
    }
    stripe.faults.add(Fault(match="^/v1/customers", body=body))
    output = run(config_for(stripe), catalog=selecting(*STREAMS))
    assert output.exit_code == 1
    assert keys_in(output) == {**keys_of(account), "customers": set()}
    assert "customers" not in output.state["bookmarks"]
    (line,) = [one for one in caplog.messages if one.startswith("customers of")]
    assert "The response belongs to another request: it has a coupon instead of a customer" in line
    assert "mixes up responses" in line
    assert "req_" in line


def test_rows_of_another_time_do_not_count(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a page of another window would cover the requested one."""
    monkeypatch.setattr(Client, "attempts", 3)
    bulk.load(stripe.world.platform, charges=20, start=NOW - YEAR, until=NOW - DAY)

    def forwarded(request: ProxiedRequest, fetch: Callable[[], bytes]) -> bytes:
        del request
        return fetch()

    # Its windows begin with `created`.
    with Proxy(stripe.url, forwarded, target=lambda path: path.split("&created")[0]) as proxy:
        config = config_for(stripe, api_url=proxy.url, start_date="2025-12-01")
        output = run(config, catalog=selecting("charges"))
    assert output.exit_code == 1
    assert output.counts == {}
    assert "charges" not in output.state["bookmarks"]


@pytest.mark.parametrize("address", ["/v1/other", "https://example.com/elsewhere?x=1", None])
def test_a_list_with_an_unexpected_url_is_read_and_reported_once(
    stripe: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    address: str | None,
) -> None:
    """It is accepted if all rows match and the same URL is returned again."""
    monkeypatch.setattr(workers, "MAX_WORKERS", 1)
    account = with_objects(stripe.world.platform)

    def renamed(request: ProxiedRequest, fetch: Callable[[], bytes]) -> bytes:
        del request
        return replaced(
            fetch(), b'"url":"/v1/customers"', b'"url":%s' % json.dumps(address).encode()
        )

    with Proxy(stripe.url, renamed) as proxy:
        output = run(config_for(stripe, api_url=proxy.url), catalog=selecting(*STREAMS))
    assert output.exit_code == 0
    assert keys_in(output) == keys_of(account)
    assert (
        len([one for one in caplog.messages if "Accepting responses with an anomaly" in one]) == 1
    )
    # Two pages of customers, one of which is requested twice.
    assert len([one for one in proxy.requests if "/v1/customers" in one.target]) == 3


def test_a_list_url_with_a_host_is_no_anomaly(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the path is compared, without host and query."""
    with_objects(stripe.world.platform)

    def renamed(request: ProxiedRequest, fetch: Callable[[], bytes]) -> bytes:
        del request
        return replaced(
            fetch(), b'"url":"/v1/coupons"', b'"url":"https://x.test/v1/coupons?limit=1"'
        )

    with Proxy(stripe.url, renamed) as proxy:
        output = run(config_for(stripe, api_url=proxy.url), catalog=selecting("coupons"))
    assert output.counts == {"coupons": 1}
    assert "anomaly" not in caplog.text


def test_a_proxy_that_drops_the_account_ends_the_run(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the platform's rows would be written as those of the requested account."""
    monkeypatch.setattr(Client, "attempts", 3)
    with_objects(stripe.world.platform)
    with_objects(stripe.world.add_account("acct_1One"))

    def forwarded(request: ProxiedRequest, fetch: Callable[[], bytes]) -> bytes:
        del request
        return fetch()

    def dropped(headers: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in headers.items() if name != "stripe-account"}

    with (
        Proxy(stripe.url, forwarded, changes=dropped) as proxy,
        pytest.raises(StripeError, match="it is not account acct_1One") as caught,
    ):
        run(config_for(stripe, api_url=proxy.url, account_ids=["acct_1One"]))
    assert "drops the Stripe-Account header" in str(caught.value)


def test_a_404_of_another_object_is_no_deletion(stripe: Simulator) -> None:
    """A changed object exists, even if another one does not."""
    account = with_objects(stripe.world.platform)
    first = run(config_for(stripe), catalog=selecting("coupons"))
    stripe.world.clock.advance(DAY)
    account.update("coupon", "Simulator", {"name": "new"})
    stripe.world.clock.advance(DAY)
    missing = {"error": {"code": "resource_missing", "message": "No such coupon: 'Else'"}}
    stripe.faults.add(Fault(match="^/v1/coupons/", status=404, body=missing, times=2))
    second = run(config_for(stripe), state=first.state, catalog=selecting("coupons"))
    assert second.exit_code == 0
    assert [row["name"] for row in second.records("coupons")] == ["new"]


def test_another_object_than_the_requested_one_is_requested_again(stripe: Simulator) -> None:
    """A row is never written in place of another one."""
    account = with_objects(stripe.world.platform)
    first = run(config_for(stripe), catalog=selecting("coupons"))
    stripe.world.clock.advance(DAY)
    account.update("coupon", "Simulator", {"name": "new"})
    stripe.world.clock.advance(DAY)
    for body in ({"id": "Else", "object": "coupon"}, {"id": "Simulator", "object": "plan"}):
        stripe.faults.add(Fault(match="^/v1/coupons/", body=body, times=1))
    second = run(config_for(stripe), state=first.state, catalog=selecting("coupons"))
    assert second.exit_code == 0
    assert [(row["id"], row["name"]) for row in second.records("coupons")] == [("Simulator", "new")]


class DamagedResponse:
    """Damages the first response of customers; a late one is sent with the next request."""

    def __init__(self, kind: str) -> None:
        """Store the kind of damage."""
        self._kind = kind
        self._numbers = count(1)
        self._next = threading.Event()

    def __call__(self, request: ProxiedRequest, fetch: Callable[[], bytes]) -> bytes:
        """Return the response, the first one of customers damaged."""
        response = fetch()
        if "/v1/customers" not in request.target:
            return response
        number = next(self._numbers)
        if number > 1:
            self._next.set()
            return response
        if self._kind == "late":
            self._next.wait(120)
        return {
            "late": response,
            "cut off": replaced(response, response[-200:], b""),
            "another list": replaced(response, b'"object":"customer"', b'"object":"coupon"'),
            "HTML": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
            "bad gateway": b"HTTP/1.1 502 Bad\r\nContent-Length: 6\r\n\r\n<html>",
        }[self._kind]


@pytest.mark.parametrize("kind", ["late", "cut off", "another list", "HTML", "bad gateway"])
def test_a_connection_with_a_damaged_response_is_closed(
    stripe: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    give_up: Callable[[str, float], None],
    kind: str,
) -> None:
    """Otherwise leftover bytes would be read as the response to the next request."""
    if kind == "late":
        give_up("/v1/customers", 1.0)
    monkeypatch.setattr(workers, "MAX_WORKERS", 1)
    account = with_objects(stripe.world.platform)
    with Proxy(stripe.url, DamagedResponse(kind)) as proxy:
        output = run(config_for(stripe, api_url=proxy.url), catalog=selecting(*STREAMS))
    assert output.exit_code == 0
    assert keys_in(output) == keys_of(account)
    customers = [one for one in proxy.requests if "/v1/customers" in one.target]
    later = [one for one in proxy.requests if one.number > customers[0].number]
    assert customers[0].connection not in {one.connection for one in later}


def test_bytes_after_a_response_close_its_connection(stripe: Simulator) -> None:
    """They are not read as the beginning of the next response."""
    account = with_objects(stripe.world.platform)

    def more(request: ProxiedRequest, fetch: Callable[[], bytes]) -> bytes:
        del request
        return fetch() + (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" * 9000)

    with Proxy(stripe.url, more) as proxy:
        output = run(config_for(stripe, api_url=proxy.url), catalog=selecting(*STREAMS))
    assert output.exit_code == 0
    assert keys_in(output) == keys_of(account)
    assert len({one.connection for one in proxy.requests}) == len(proxy.requests)


def test_a_server_whose_request_ids_are_all_the_same_is_read(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more request shows that the ids do not distinguish responses."""
    monkeypatch.setattr(workers, "MAX_WORKERS", 1)
    account = with_objects(stripe.world.platform)
    stripe.faults.add(Fault(headers={"request-id": "req_1"}))
    output = run(config_for(stripe), catalog=selecting(*STREAMS))
    assert output.exit_code == 0
    assert keys_in(output) == keys_of(account)
    # The account, four pages, and one of them once more.
    assert stripe.journal.count() == 6


def test_an_empty_page_with_has_more_is_requested_once_more(stripe: Simulator) -> None:
    """Once it passes; twice means an endless list."""
    account = with_objects(stripe.world.platform)
    stripe.faults.add(Fault(match="starting_after", empty_page=True, times=1))
    output = run(config_for(stripe), catalog=selecting("customers"))
    assert output.exit_code == 0
    assert keys_in(output)["customers"] == keys_of(account)["customers"]
    stripe.faults.add(Fault(match="starting_after", empty_page=True, times=2))
    stripe.journal.clear()
    output = run(config_for(stripe), catalog=selecting("customers"))
    assert output.exit_code == 1
    assert len([one for one in stripe.journal.requests if one.parameter("starting_after")]) == 2


def client_of(url: str) -> Client:
    """Return a client with a high rate limit."""
    return Client(
        url=url,
        api_key="sk_test_simulator",
        api_version=API_VERSION,
        limiter=Limiter(100_000),
        stopping=threading.Event(),
    )


def test_after_a_mismatch_a_page_has_to_come_twice(stripe: Simulator) -> None:
    """An empty page of the same list matches every request for it, even if it is stale."""
    with_objects(stripe.world.platform)
    client = client_of(stripe.url)
    empty = {"object": "list", "url": "/v1/customers", "has_more": False, "data": []}
    other = {"object": "list", "url": "/v1/coupons", "has_more": False, "data": []}
    client.page("/v1/coupons")
    for body in (other, empty):
        stripe.faults.add(Fault(match="/v1/customers", body=body, times=1))
    page = client.page("/v1/customers", objects=("customer",))
    assert len(page.rows) == 100
    assert stripe.journal.count(path="/v1/customers") == 4


def test_confirmation_ends_after_some_matching_pages(stripe: Simulator) -> None:
    """One late duplicate does not double the requests of a long run."""
    with_objects(stripe.world.platform)
    client = client_of(stripe.url)
    stripe.faults.add(Fault(match="/v1/customers", body={"object": "plan", "id": "x"}, times=1))
    for _ in range(30):
        client.page("/v1/customers", objects=("customer",))
    assert stripe.journal.count(path="/v1/customers") == 1 + PAGES_TO_CONFIRM + 30


def test_threads_confirm_pages_one_after_another(stripe: Simulator) -> None:
    """Two requests in a row confirm nothing if those of other threads come between them."""
    names = ("acct_1One", "acct_1Two", "acct_1Three")
    for name in names:
        with_objects(stripe.world.add_account(name))
    client = client_of(stripe.url)
    stripe.faults.add(Fault(match="/v1/customers", body={"object": "plan", "id": "x"}, times=1))
    client.page("/v1/customers")
    stripe.journal.clear()
    threads = [
        threading.Thread(target=client.page, args=("/v1/customers", {}, name)) for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    requested = [str(one.account) for one in stripe.journal.requests]
    assert requested[::2] == requested[1::2]
    assert sorted(requested[::2]) == sorted(names)


@pytest.mark.parametrize("named", ["acct_1Two", ""])
def test_a_response_for_another_account_is_requested_again(stripe: Simulator, named: str) -> None:
    """Stripe's responses name their account if it is not the key's own."""
    with_objects(stripe.world.add_account("acct_1One"))
    client = client_of(stripe.url)
    client.page("/v1/coupons", account="acct_1One")
    fault = stripe.faults.add(Fault(headers={"stripe-account": named}, times=1))
    client.page("/v1/coupons", {"limit": "2"}, account="acct_1One")
    assert fault.fired == 1
    assert stripe.journal.count() == 4


def test_a_response_for_an_unrequested_account_is_requested_again(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A gateway may always add an account; this is reported once."""
    client = client_of(stripe.url)
    stripe.faults.add(Fault(headers={"stripe-account": "acct_1Two"}, times=1))
    client.page("/v1/coupons")
    # The mismatched response, and the right one twice.
    assert stripe.journal.count() == 3
    stripe.journal.clear()
    client = client_of(stripe.url)
    stripe.faults.add(Fault(headers={"stripe-account": "acct_1Two"}))
    for _ in range(5):
        client.page("/v1/coupons")
    assert stripe.journal.count() == 6
    assert (
        len([one for one in caplog.messages if "Accepting responses with an anomaly" in one]) == 1
    )


@pytest.mark.parametrize(
    ("path", "parent", "route"),
    [
        ("/v1/invoices/in_1Example/lines", "in_1Example", "/v1/invoices/{id}/lines"),
        ("/v1/credit_notes/credit_notes_1/lines", "credit_notes_1", "/v1/credit_notes/{id}/lines"),
        ("/v1/credit_notes/a%2Fb/lines", "a/b", "/v1/credit_notes/{id}/lines"),
        ("/v1/subscription_items", "sub_1Example", "/v1/subscription_items"),
    ],
)
def test_lists_of_all_parents_share_one_endpoint(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, path: str, parent: str, route: str
) -> None:
    """Stripe counts requests by the path without ids, however these look."""
    waited: list[str] = []
    monkeypatch.setattr(Limiter, "wait", lambda _, endpoint, _sleep: waited.append(endpoint))
    with pytest.raises(StripeError):
        client_of(stripe.url).page(path, parent=parent)
    assert waited == [route]


REQUEST = ApiRequest(
    "/v1/charges",
    {"created[gte]": "100", "created[lt]": "200"},
    None,
    "/v1/charges",
    objects=frozenset({"charge", "card"}),
    fields={"customer": "cus_1"},
)


def page(**row: object) -> dict[str, object]:
    """Return a page with one row."""
    row = {"id": "ch_1", "object": "charge", **row}
    return {"object": "list", "url": "/v1/charges", "has_more": False, "data": [row]}


@pytest.mark.parametrize(
    "row",
    [
        {"created": 100},
        {"created": 199},
        {"created": None},
        {"created": 1.5},
        {"created": "soon"},
        {"created": []},
        {"object": "card"},
        {"customer": None},
        {"customer": "cus_1"},
        {"customer": {"id": "cus_1"}},
    ],
)
def test_rows_that_fit(row: dict[str, object]) -> None:
    """Invalid times say nothing about the page, and a list may have several kinds of objects."""
    check_page(page(**row), REQUEST)


@pytest.mark.parametrize(
    "row",
    [
        {"created": 99},
        {"created": 200},
        {"object": "customer"},
        {"customer": "cus_2"},
        {"customer": {"id": "cus_2"}},
    ],
)
def test_rows_that_do_not_fit(row: dict[str, object]) -> None:
    """One of them is enough to reject the page."""
    with pytest.raises(MismatchError):
        check_page(page(**row), REQUEST)


@pytest.mark.parametrize(
    ("document", "mismatch"),
    [
        ({"object": "charge", "id": "ch_1"}, True),
        ({"object": "list", "data": {}, "has_more": False}, False),
        ({"object": "list", "data": [5], "has_more": False}, False),
        ({"object": "list", "data": [{"id": "ch_1"}], "has_more": False}, False),
        ({"object": "list", "data": [], "has_more": "no"}, False),
        ({"data": [], "has_more": False}, False),
        ({}, False),
        ([], False),
    ],
)
def test_documents_that_are_no_page(document: object, *, mismatch: bool) -> None:
    """Responses to other requests are distinguished from malformed ones."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        check_page(document, REQUEST)
    assert isinstance(caught.value, MismatchError) is mismatch


@pytest.mark.parametrize(
    ("document", "mismatch"),
    [
        ({"object": "list", "data": [], "has_more": False}, True),
        ({"object": "customer", "id": "ch_1"}, True),
        ({"object": "charge", "id": "ch_2"}, True),
        ({"object": "charge"}, False),
        ({"id": "ch_1"}, False),
        (5, False),
    ],
)
def test_documents_that_are_not_the_object(document: object, *, mismatch: bool) -> None:
    """Another kind or another id belongs to another request."""
    request = ApiRequest("/v1/charges/ch_1", {}, None, "", objects=frozenset({"charge"}), id="ch_1")
    with pytest.raises(ValueError, match=r"\w") as caught:
        check_object(document, request)
    assert isinstance(caught.value, MismatchError) is mismatch


@pytest.mark.parametrize("place", ["path", "query"])
def test_the_lines_of_another_invoice_do_not_count(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Lists of the same kind differ in their parent, in the path or in the query."""
    monkeypatch.setattr(Client, "attempts", 3)
    account = stripe.world.platform
    if place == "path":
        bulk.load(account, invoices=2, lines=15, start=NOW - DAY, until=NOW)
        streams = ("invoices", "invoice_line_items")
    else:
        for name in ("sub_1", "sub_2"):
            items = [{"id": f"si_{name}{part}"} for part in range(15)]
            account.create("subscription", {"id": name, "items": items}, at=NOW - DAY)
        streams = ("subscriptions", "subscription_items")
    swapped = SwappedNestedList(place)
    with Proxy(stripe.url, swapped) as proxy:
        output = run(config_for(stripe, api_url=proxy.url), catalog=selecting(*streams))
    assert swapped.sent
    assert output.exit_code == 0
    parents = {row["id"] for row in output.records(streams[0])}
    assert len(parents) == 2
    assert len({row["id"] for row in output.records(streams[1])}) == 30


class SwappedNestedList:
    """Responds to the second request for a nested list with the first list."""

    def __init__(self, place: str) -> None:
        """Match nested lists with the parent in the path, or in the query."""
        self._mark = "/lines" if place == "path" else "/v1/subscription_items"
        self._first = b""
        self.sent = False

    def __call__(self, request: ProxiedRequest, fetch: Callable[[], bytes]) -> bytes:
        """Return the response, or once another one."""
        response = without(fetch(), "request-id")
        if self._mark not in request.target:
            return response
        first, self._first = self._first, self._first or response
        if not first or self.sent:
            return response
        self.sent = True
        return first
