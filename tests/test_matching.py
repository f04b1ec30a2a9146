"""Answers count only if they belong to their requests: late, doubled and shifted ones do not."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tap_stripe_connect.api.client import Client
from tests.crooked_proxy import Proxy, without
from tests.harness import DAY, NOW, Warehouse, config_for, expected, run, selecting

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.server import Simulator
    from tests.crooked_proxy import Asked
    from tests.harness import Key, Output

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

    def __call__(self, asked: Asked, fetch: Callable[[], bytes]) -> bytes:
        """Return the answer, perhaps behind the one before it."""
        before = self._last.get(asked.connection, b"")
        answer = self._last[asked.connection] = without(fetch(), *self._stripped)
        if not before or self.sent or asked.number < self._number:
            return answer
        self.sent += 1
        return before + answer


class Shift:
    """Sends each answer to whoever asks next, over all connections, for some requests."""

    def __init__(self, first: int, last: int, stripped: tuple[str, ...] = ()) -> None:
        """Begin at the request `first` by sending the answer before it once more."""
        self._shifted = range(first, last + 1)
        self._stripped = stripped
        self._lock = threading.Lock()
        self._last = b""

    def __call__(self, asked: Asked, fetch: Callable[[], bytes]) -> bytes:
        """Return the answer to the request before."""
        with self._lock:
            answer = without(fetch(), *self._stripped)
            before, self._last = self._last, answer
            return before if asked.number in self._shifted else answer


@pytest.mark.parametrize("stripped", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("number", [1, 3, 4, 5])
def test_a_late_duplicate_costs_no_row(
    stripe: Simulator, number: int, stripped: tuple[str, ...]
) -> None:
    """The answer that is read for the next request on its connection is another one's."""
    account = filled(stripe.world.platform)
    crook = LateDuplicate(number, stripped)
    with Proxy(stripe.url, crook) as proxy:
        output = run(config_for(stripe, api_url=proxy.url), catalog=selecting(*STREAMS))
    assert crook.sent == 1
    assert output.exit_code == 0
    assert keys_in(output) == keys_of(account)


@pytest.mark.parametrize("stripped", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize(("first", "last"), [(2, 5), (4, 9), (6, 14), (3, 10_000)])
def test_answers_that_are_shifted_by_one_get_into_no_wrong_account(
    stripe: Simulator, first: int, last: int, stripped: tuple[str, ...]
) -> None:
    """What fits nowhere is not written, and what is missing therefore is read by the next run."""
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
