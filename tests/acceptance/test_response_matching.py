"""Answers count only if they belong to their requests: late, doubled and shifted ones do not."""

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


def filled(account: Account, customers: int = 130) -> Account:
    """Give an account objects of its own, customers on more than one page, and events of today."""
    mark = account.id.removeprefix("acct_1")
    for place in range(customers):
        at = NOW - YEAR + place * DAY
        account.create("customer", {"id": f"cus_{mark}{place}"}, at=at)
    account.create("coupon", {"id": mark}, at=NOW - DAY)
    return account


def keys_in(output: Output) -> dict[str, set[Key]]:
    """Return the keys of all rows that a run has written, by stream."""
    tables = Warehouse().load(output.messages).tables
    return {stream: set(tables[stream]) for stream in STREAMS}


def keys_of(*accounts: Account) -> dict[str, set[Key]]:
    """Return the keys of all that these accounts hold, by stream."""
    tables = [expected(account) for account in accounts]
    return {stream: {key for table in tables for key in table[stream]} for stream in STREAMS}


class LateDuplicate:
    """Sends one answer once more when the next request has come on the same connection."""

    def __init__(self, number: int, stripped: tuple[str, ...] = ()) -> None:
        """Disturb the first request from this number on that comes on a connection in use."""
        self._number = number
        self._stripped = stripped
        self._last: dict[int, bytes] = {}
        self.sent = 0

    def __call__(self, request: ProxiedRequest, fetch: Callable[[], bytes]) -> bytes:
        """Return the answer, perhaps behind the one before it."""
        before = self._last.get(request.connection, b"")
        answer = self._last[request.connection] = without(fetch(), *self._stripped)
        if not before or self.sent or request.number < self._number:
            return answer
        self.sent += 1
        return before + answer


class Shift:
    """Sends each answer to whoever asks next, over all connections, for some requests."""

    def __init__(self, first: int, last: int, stripped: tuple[str, ...] = ()) -> None:
        """From the request `first` on, send the response before it once more."""
        self._shifted = range(first, last + 1)
        self._stripped = stripped
        self._lock = threading.Lock()
        self._last = b""

    def __call__(self, request: ProxiedRequest, fetch: Callable[[], bytes]) -> bytes:
        """Return the answer to the request before."""
        with self._lock:
            answer = without(fetch(), *self._stripped)
            before, self._last = self._last, answer
            return before if request.number in self._shifted else answer


@pytest.mark.parametrize("stripped", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("number", [1, 3, 4, 5])
def test_a_late_duplicate_costs_no_row(
    stripe: Simulator, number: int, stripped: tuple[str, ...]
) -> None:
    """The answer that is read for the next request on its connection is another one's."""
    account = filled(stripe.world.platform)
    duplicate = LateDuplicate(number, stripped)
    with Proxy(stripe.url, duplicate) as proxy:
        output = run(config_for(stripe, api_url=proxy.url), catalog=selecting(*STREAMS))
    assert duplicate.sent == 1
    assert output.exit_code == 0
    assert keys_in(output) == keys_of(account)


@pytest.mark.parametrize("stripped", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize(("first", "last"), [(2, 5), (4, 9), (6, 14), (3, 10_000)])
def test_answers_that_are_shifted_by_one_get_into_no_wrong_account(
    stripe: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    first: int,
    last: int,
    stripped: tuple[str, ...],
) -> None:
    """What fits nowhere is not written, and what is missing therefore is read by the next run."""
    if len(stripped) > 1:
        # Where nothing in an answer's head tells it apart, only the order of requests is left.
        monkeypatch.setattr(workers, "MAX_WORKERS", 1)
    names = ("acct_1One", "acct_1Two", "acct_1Three")
    accounts = [
        filled(stripe.world.add_account(name), 40 * place) for place, name in enumerate(names)
    ]
    catalog = selecting(*STREAMS)
    with Proxy(stripe.url, Shift(first, last, stripped)) as proxy:
        config = config_for(stripe, api_url=proxy.url, account_ids=list(names))
        bent = run(config, catalog=catalog)
    straight = run(config_for(stripe, account_ids=list(names)), state=bent.state, catalog=catalog)
    assert straight.exit_code == 0
    found, wanted = keys_in(bent), keys_of(*accounts)
    for stream in STREAMS:
        assert found[stream] <= wanted[stream]
        assert found[stream] | keys_in(straight)[stream] == wanted[stream]
    if not bent.exit_code:
        assert found == wanted


def test_another_list_in_its_place_fails_a_stream_alone(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No row of it is written, nothing is claimed, and one line says what came and what to do."""
    monkeypatch.setattr(Client, "attempts", 3)
    account = filled(stripe.world.platform)
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
    """A page of another window would be claimed for the one that was asked for."""
    monkeypatch.setattr(Client, "attempts", 3)
    bulk.load(stripe.world.platform, charges=20, start=NOW - YEAR, until=NOW - DAY)

    def passed_on(request: ProxiedRequest, fetch: Callable[[], bytes]) -> bytes:
        del request
        return fetch()

    # Its windows begin with `created`.
    with Proxy(stripe.url, passed_on, target=lambda path: path.split("&created")[0]) as proxy:
        config = config_for(stripe, api_url=proxy.url, start_date="2025-12-01")
        output = run(config, catalog=selecting("charges"))
    assert output.exit_code == 1
    assert output.counts == {}
    assert "charges" not in output.state["bookmarks"]


@pytest.mark.parametrize("address", ["/v1/other", "https://example.com/elsewhere?x=1", None])
def test_a_list_that_calls_itself_otherwise_is_read_and_told_once(
    stripe: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    address: str | None,
) -> None:
    """Where all rows fit and the same address comes again, it is this server's way (once more)."""
    monkeypatch.setattr(workers, "MAX_WORKERS", 1)
    account = filled(stripe.world.platform)

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
    # Two pages of customers, one of which is asked for twice.
    assert len([one for one in proxy.requests if "/v1/customers" in one.target]) == 3


def test_an_address_that_only_names_its_host_is_no_oddity(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the path is compared, without what stands before and behind it."""
    filled(stripe.world.platform)

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
    """Else the platform's rows would be written as those of the account that was named."""
    monkeypatch.setattr(Client, "attempts", 3)
    filled(stripe.world.platform)
    filled(stripe.world.add_account("acct_1One"))

    def passed_on(request: ProxiedRequest, fetch: Callable[[], bytes]) -> bytes:
        del request
        return fetch()

    def dropped(headers: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in headers.items() if name != "stripe-account"}

    with (
        Proxy(stripe.url, passed_on, changes=dropped) as proxy,
        pytest.raises(StripeError, match="it is not account acct_1One") as caught,
    ):
        run(config_for(stripe, api_url=proxy.url, account_ids=["acct_1One"]))
    assert "drops the Stripe-Account header" in str(caught.value)


def test_the_refusal_of_another_object_is_no_deletion(stripe: Simulator) -> None:
    """A changed object is there, whatever is said of another one."""
    account = filled(stripe.world.platform)
    first = run(config_for(stripe), catalog=selecting("coupons"))
    stripe.world.clock.advance(DAY)
    account.update("coupon", "Simulator", {"name": "new"})
    stripe.world.clock.advance(DAY)
    missing = {"error": {"code": "resource_missing", "message": "No such coupon: 'Else'"}}
    stripe.faults.add(Fault(match="^/v1/coupons/", status=404, body=missing, times=2))
    second = run(config_for(stripe), state=first.state, catalog=selecting("coupons"))
    assert second.exit_code == 0
    assert [row["name"] for row in second.records("coupons")] == ["new"]


def test_another_object_than_the_one_retrieved_is_asked_for_again(stripe: Simulator) -> None:
    """A row is never written in another one's place."""
    account = filled(stripe.world.platform)
    first = run(config_for(stripe), catalog=selecting("coupons"))
    stripe.world.clock.advance(DAY)
    account.update("coupon", "Simulator", {"name": "new"})
    stripe.world.clock.advance(DAY)
    for body in ({"id": "Else", "object": "coupon"}, {"id": "Simulator", "object": "plan"}):
        stripe.faults.add(Fault(match="^/v1/coupons/", body=body, times=1))
    second = run(config_for(stripe), state=first.state, catalog=selecting("coupons"))
    assert second.exit_code == 0
    assert [(row["id"], row["name"]) for row in second.records("coupons")] == [("Simulator", "new")]


class Odd:
    """Answers the first request for customers oddly; a late answer comes with the next request."""

    def __init__(self, kind: str) -> None:
        """Do as one of the kinds says."""
        self._kind = kind
        self._numbers = count(1)
        self._next = threading.Event()

    def __call__(self, request: ProxiedRequest, fetch: Callable[[], bytes]) -> bytes:
        """Return the answer, the first one of customers oddly."""
        answer = fetch()
        if "/v1/customers" not in request.target:
            return answer
        number = next(self._numbers)
        if number > 1:
            self._next.set()
            return answer
        if self._kind == "late":
            self._next.wait(120)
        return {
            "late": answer,
            "cut off": replaced(answer, answer[-200:], b""),
            "another list": replaced(answer, b'"object":"customer"', b'"object":"coupon"'),
            "a page": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
            "trouble": b"HTTP/1.1 502 Bad\r\nContent-Length: 6\r\n\r\n<html>",
        }[self._kind]


@pytest.mark.parametrize("kind", ["late", "cut off", "another list", "a page", "trouble"])
def test_a_connection_with_an_odd_answer_is_given_up(
    stripe: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    give_up: Callable[[str, float], None],
    kind: str,
) -> None:
    """What still comes on it would be taken for the answer to the next request."""
    if kind == "late":
        give_up("/v1/customers", 1.0)
    monkeypatch.setattr(workers, "MAX_WORKERS", 1)
    account = filled(stripe.world.platform)
    with Proxy(stripe.url, Odd(kind)) as proxy:
        output = run(config_for(stripe, api_url=proxy.url), catalog=selecting(*STREAMS))
    assert output.exit_code == 0
    assert keys_in(output) == keys_of(account)
    customers = [one for one in proxy.requests if "/v1/customers" in one.target]
    later = [one for one in proxy.requests if one.number > customers[0].number]
    assert customers[0].connection not in {one.connection for one in later}


def test_bytes_behind_an_answer_end_its_connection(stripe: Simulator) -> None:
    """They are not read as the beginning of the next answer."""
    account = filled(stripe.world.platform)

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
    """One more request tells that they tell nothing."""
    monkeypatch.setattr(workers, "MAX_WORKERS", 1)
    account = filled(stripe.world.platform)
    stripe.faults.add(Fault(headers={"request-id": "req_1"}))
    output = run(config_for(stripe), catalog=selecting(*STREAMS))
    assert output.exit_code == 0
    assert keys_in(output) == keys_of(account)
    # The account, four pages, and one of them once more.
    assert stripe.journal.count() == 6


def test_an_empty_page_that_goes_on_is_asked_for_once_more(stripe: Simulator) -> None:
    """Once it is a hiccup, and twice a list without an end."""
    account = filled(stripe.world.platform)
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
    """Return a client for an address, whose budget is ample."""
    return Client(
        url=url,
        api_key="sk_test_simulator",
        api_version=API_VERSION,
        limiter=Limiter(100_000),
        stopping=threading.Event(),
    )


def test_after_a_mix_up_a_page_has_to_come_twice(stripe: Simulator) -> None:
    """An empty page of the same list fits every question about it; a stale one is no answer."""
    filled(stripe.world.platform)
    client = client_of(stripe.url)
    empty = {"object": "list", "url": "/v1/customers", "has_more": False, "data": []}
    other = {"object": "list", "url": "/v1/coupons", "has_more": False, "data": []}
    client.page("/v1/coupons")
    for body in (other, empty):
        stripe.faults.add(Fault(match="/v1/customers", body=body, times=1))
    page = client.page("/v1/customers", objects=("customer",))
    assert len(page.rows) == 100
    assert stripe.journal.count(path="/v1/customers") == 4


def test_doubt_ends_after_some_good_pages(stripe: Simulator) -> None:
    """One late duplicate does not double the requests of a long run."""
    filled(stripe.world.platform)
    client = client_of(stripe.url)
    stripe.faults.add(Fault(match="/v1/customers", body={"object": "plan", "id": "x"}, times=1))
    for _ in range(30):
        client.page("/v1/customers", objects=("customer",))
    assert stripe.journal.count(path="/v1/customers") == 1 + PAGES_TO_CONFIRM + 30


def test_threads_that_doubt_ask_one_after_another(stripe: Simulator) -> None:
    """Two requests in a row tell nothing where those of others come between them."""
    names = ("acct_1One", "acct_1Two", "acct_1Three")
    for name in names:
        filled(stripe.world.add_account(name))
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
    asked = [str(one.account) for one in stripe.journal.requests]
    assert asked[::2] == asked[1::2]
    assert sorted(asked[::2]) == sorted(names)


@pytest.mark.parametrize("named", ["acct_1Two", ""])
def test_an_answer_about_another_account_is_asked_for_again(stripe: Simulator, named: str) -> None:
    """Stripe's answers name the account that they are about, if it is not the key's own."""
    filled(stripe.world.add_account("acct_1One"))
    client = client_of(stripe.url)
    client.page("/v1/coupons", account="acct_1One")
    fault = stripe.faults.add(Fault(headers={"stripe-account": named}, times=1))
    client.page("/v1/coupons", {"limit": "2"}, account="acct_1One")
    assert fault.fired == 1
    assert stripe.journal.count() == 4


def test_an_answer_about_an_account_that_nobody_named_is_asked_for_again(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A gateway may name one itself; it does so always, and that is told once."""
    client = client_of(stripe.url)
    stripe.faults.add(Fault(headers={"stripe-account": "acct_1Two"}, times=1))
    client.page("/v1/coupons")
    # The odd one, and the right one twice.
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


ASKED = ApiRequest(
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
    """A time that is none tells nothing of the page, and a list may hold several kinds."""
    check_page(page(**row), ASKED)


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
    """One of them is enough to doubt the page."""
    with pytest.raises(MismatchError):
        check_page(page(**row), ASKED)


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
    """What Stripe says to other requests is told apart from what it never says."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        check_page(document, ASKED)
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
    """Another kind and another id belong to another request."""
    asked = ApiRequest("/v1/charges/ch_1", {}, None, "", objects=frozenset({"charge"}), id="ch_1")
    with pytest.raises(ValueError, match=r"\w") as caught:
        check_object(document, asked)
    assert isinstance(caught.value, MismatchError) is mismatch


@pytest.mark.parametrize("place", ["path", "query"])
def test_the_lines_of_another_invoice_do_not_count(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Lists of the same kind differ in their parent: in the address, or in the rows."""
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
    stopped = Mixed(place)
    with Proxy(stripe.url, stopped) as proxy:
        output = run(config_for(stripe, api_url=proxy.url), catalog=selecting(*streams))
    assert stopped.sent
    assert output.exit_code == 0
    parents = {row["id"] for row in output.records(streams[0])}
    assert len(parents) == 2
    assert len({row["id"] for row in output.records(streams[1])}) == 30


class Mixed:
    """Answers the second request for the rest of a nested list with the rest of the first one."""

    def __init__(self, place: str) -> None:
        """Look for nested lists with the parent in the path, or in the query."""
        self._mark = "/lines" if place == "path" else "/v1/subscription_items"
        self._first = b""
        self.sent = False

    def __call__(self, request: ProxiedRequest, fetch: Callable[[], bytes]) -> bytes:
        """Return the answer, or once another one."""
        answer = without(fetch(), "request-id")
        if self._mark not in request.target:
            return answer
        first, self._first = self._first, self._first or answer
        if not first or self.sent:
            return answer
        self.sent = True
        return first
