"""The rate limiter, used by many threads in virtual time."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from tap_stripe_connect.api.rate_limit import PER_ENDPOINT, Limiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

EPSILON = 1e-6
"""Tolerance for rounding, in seconds."""

THREADS = 32
DURATION = 20.0


class Clock:
    """A clock that moves once every thread sleeps, to the time at which the next one wakes up."""

    def __init__(self, threads: int) -> None:
        self.now = 1_000.0
        self._awake = threads
        self._sleepers: list[float] = []
        self._changed = threading.Condition()

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for `seconds`."""
        with self._changed:
            due = self.now + seconds
            self._sleepers.append(due)
            self._awake -= 1
            self._move_on()
            self._changed.wait_for(lambda: self.now >= due)

    def leave(self) -> None:
        """End a thread."""
        with self._changed:
            self._awake -= 1
            self._move_on()

    def _move_on(self) -> None:
        if self._awake or not self._sleepers:
            return
        self.now = max(self.now, min(self._sleepers))
        waiting = len(self._sleepers)
        self._sleepers = [due for due in self._sleepers if due > self.now]
        self._awake = waiting - len(self._sleepers)
        self._changed.notify_all()


Sent = dict[str, list[float]]


class Crowd:
    """Threads that send requests as fast as the limiter allows, and the times at which they did."""

    def __init__(self, per_second: float, threads: int = THREADS) -> None:
        self.clock = Clock(threads)
        self.limiter = Limiter(per_second, clock=self.clock)
        self.begin = self.clock()
        self.sent: Sent = defaultdict(list)
        self._threads = threads
        self._errors: list[BaseException] = []

    def run(self, send_all: Callable[[Crowd, int], None]) -> Sent:
        """Run `send_all` with its number in each thread; return the times by endpoint."""
        threads = [
            threading.Thread(target=self._part, args=(send_all, number), daemon=True)
            for number in range(self._threads)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=120)
            assert not thread.is_alive(), "the limiter blocked a thread forever"
        assert not self._errors, self._errors
        return self.sent

    def _part(self, send_all: Callable[[Crowd, int], None], number: int) -> None:
        try:
            send_all(self, number)
        except BaseException as error:  # noqa: BLE001 - the main thread reports it
            self._errors.append(error)
        finally:
            self.clock.leave()

    def send(self, endpoint: str) -> None:
        """Send one request as soon as it is allowed."""
        self.limiter.wait(endpoint, self.clock.sleep)
        self.sent[endpoint].append(self.clock())

    def keep_sending(self, endpoints: Sequence[str], number: int, *, slowest: float = 0.0) -> None:
        """Send requests to random endpoints; responses take up to `slowest` seconds."""
        chance = random.Random(number)  # noqa: S311 - repeatable delays, not secrets
        while self.clock() < self.begin + DURATION:
            self.send(chance.choice(endpoints))
            if slowest:
                self.clock.sleep(chance.uniform(0, slowest))


def busiest_second(moments: Iterable[float]) -> int:
    """Return the maximum number of requests in any half-open second."""
    ordered = sorted(moments)
    most = first = 0
    for place, moment in enumerate(ordered):
        while ordered[first] <= moment - 1 + EPSILON:
            first += 1
        most = max(most, place - first + 1)
    return most


def check_rates(sent: Sent, per_second: float, per_endpoint: float) -> None:
    """Assert that no second exceeds the total rate, or the rate of an endpoint."""
    assert busiest_second(moment for moments in sent.values() for moment in moments) <= per_second
    for endpoint, moments in sent.items():
        assert busiest_second(moments) <= per_endpoint, endpoint


ONE = ("/v1/charges",)
FEW = ("/v1/charges", "/v1/invoices", "/v1/events", "/v1/invoices/{id}/lines")


@pytest.mark.parametrize("slowest", [0.0, 0.3, 1.5])
@pytest.mark.parametrize("endpoints", [ONE, FEW], ids=["one", "few"])
@pytest.mark.parametrize("per_second", [1, 12, 50, 100])
def test_no_second_exceeds_the_rate(
    per_second: int, endpoints: Sequence[str], slowest: float
) -> None:
    """Many threads together never exceed the total rate, or the rate of an endpoint."""
    crowd = Crowd(per_second)
    sent = crowd.run(lambda crowd, number: crowd.keep_sending(endpoints, number, slowest=slowest))
    check_rates(sent, per_second, PER_ENDPOINT)


@pytest.mark.parametrize(
    ("per_second", "endpoints", "expected"), [(12, ONE, 12), (50, ONE, 25), (50, FEW, 50)]
)
def test_the_rate_is_used_fully(per_second: int, endpoints: Sequence[str], expected: int) -> None:
    """Threads that have enough to send reach the rate."""
    crowd = Crowd(per_second)
    sent = crowd.run(lambda crowd, number: crowd.keep_sending(endpoints, number))
    total = sum(len(moments) for moments in sent.values())
    assert total >= 0.98 * expected * DURATION


@pytest.mark.parametrize("per_second", [12, 100])
def test_late_requests_hardly_reduce_the_rate(per_second: int) -> None:
    """A busy machine wakes threads late; others catch up, and still no second exceeds the rate."""
    crowd = Crowd(per_second)

    def part(crowd: Crowd, number: int) -> None:
        chance = random.Random(number)  # noqa: S311 - repeatable delays, not secrets
        while crowd.clock() < crowd.begin + DURATION:
            endpoint = FEW[number % len(FEW)]
            late = chance.uniform(0, 0.03)
            crowd.limiter.wait(endpoint, lambda seconds: crowd.clock.sleep(seconds + late))  # noqa: B023 - called at once
            crowd.sent[endpoint].append(crowd.clock())

    sent = crowd.run(part)
    check_rates(sent, per_second, PER_ENDPOINT)
    assert sum(len(moments) for moments in sent.values()) >= 0.96 * per_second * DURATION


def test_idle_slots_are_reported_until_they_are_spent() -> None:
    """Those of the last second are reported, less those spent; then one whenever a slot is free."""
    crowd = Crowd(50, threads=1)
    reported: list[int] = []

    def part(crowd: Crowd, number: int) -> None:
        del number
        # Nothing has been sent before.
        reported.append(crowd.limiter.idle_slots(ONE[0], spend=100))
        crowd.send(ONE[0])
        reported.append(crowd.limiter.idle_slots(ONE[0]))
        crowd.clock.sleep(0.5)
        reported.append(crowd.limiter.idle_slots(ONE[0], spend=5))
        reported.append(crowd.limiter.idle_slots(ONE[0], spend=100))
        reported.append(crowd.limiter.idle_slots(ONE[0]))
        crowd.send(ONE[0])
        reported.append(crowd.limiter.idle_slots(ONE[0]))
        crowd.clock.sleep(60.0)
        reported.append(crowd.limiter.idle_slots(ONE[0]))

    crowd.run(part)
    # A request may be as late as the interval, so that two are sent together after a pause.
    assert reported == [PER_ENDPOINT, 1, 12, 7, 1, 1, PER_ENDPOINT]


def test_raised_limits_raise_those_of_endpoints() -> None:
    """Where Stripe allows an account more, an endpoint gets a quarter of it."""
    crowd = Crowd(400)
    sent = crowd.run(lambda crowd, number: crowd.keep_sending(ONE, number))
    assert busiest_second(sent[ONE[0]]) == 100


@pytest.mark.parametrize("endpoints", [ONE, FEW], ids=["one", "few"])
def test_a_backoff_delays_all_threads(endpoints: Sequence[str]) -> None:
    """During a backoff nobody sends, not even threads already waiting, and no burst follows."""
    crowd = Crowd(50)
    held: list[float] = []

    def part(crowd: Crowd, number: int) -> None:
        if number:
            crowd.keep_sending(endpoints, number)
            return
        for seconds in (3.0, 0.5, 2.0):
            crowd.clock.sleep(2.005)
            crowd.limiter.back_off(endpoints[0], "", seconds)
            held.append(crowd.clock())
            crowd.clock.sleep(seconds)

    sent = crowd.run(part)
    moments = sorted(moment for moments in sent.values() for moment in moments)
    for begin, seconds in zip(held, (3.0, 0.5, 2.0), strict=True):
        during = [one for one in moments if begin < one < begin + seconds - EPSILON]
        assert during == []
        assert any(begin + seconds - EPSILON <= one < begin + seconds + 0.1 for one in moments)
    check_rates(sent, 50, PER_ENDPOINT)


def test_a_shorter_backoff_does_not_end_a_longer_one() -> None:
    """Of several backoffs, the longest one applies."""
    crowd = Crowd(50, threads=1)

    def part(crowd: Crowd, number: int) -> None:
        del number
        crowd.limiter.back_off("/v1/charges", "", 5.0)
        crowd.limiter.back_off("/v1/charges", "", 1.0)
        crowd.send("/v1/charges")

    assert crowd.run(part) == {"/v1/charges": [pytest.approx(crowd.begin + 5.0)]}


def test_the_first_request_is_sent_at_once() -> None:
    """Nothing waits before the first request."""
    crowd = Crowd(1, threads=1)
    assert crowd.run(lambda crowd, _: crowd.send("/v1/charges")) == {"/v1/charges": [crowd.begin]}


def test_waiting_for_one_endpoint_does_not_delay_others() -> None:
    """However many threads wait for a busy endpoint, another one gets the rest of the rate."""
    crowd = Crowd(50)

    def part(crowd: Crowd, number: int) -> None:
        crowd.keep_sending(("/v1/events",) if number == 0 else ONE, number)

    sent = crowd.run(part)
    assert len(sent[ONE[0]]) >= 0.9 * PER_ENDPOINT * DURATION
    assert len(sent["/v1/events"]) >= 0.9 * (50 - PER_ENDPOINT) * DURATION


def test_idle_time_does_not_accumulate() -> None:
    """An idle minute does not allow a burst after it."""
    crowd = Crowd(10)

    def part(crowd: Crowd, number: int) -> None:
        crowd.clock.sleep(60.0)
        crowd.send(FEW[number % len(FEW)])

    check_rates(crowd.run(part), 10, PER_ENDPOINT)


def between(moments: Iterable[float], begin: float, end: float) -> int:
    """Return how many times are in a half-open range."""
    return sum(begin <= moment < end for moment in moments)


def test_a_429_halves_the_rate_until_it_recovers() -> None:
    """All threads slow down together, and later reach the full rate again."""
    crowd = Crowd(40)

    def part(crowd: Crowd, number: int) -> None:
        if number:
            crowd.keep_sending(FEW, number)
            return
        crowd.clock.sleep(2.0)
        # Requests in flight at the same time are rejected together.
        for _ in range(12):
            crowd.limiter.back_off(FEW[0], "global-rate", 1.0)

    sent = crowd.run(part)
    moments = sorted(moment for moments in sent.values() for moment in moments)
    after = crowd.begin + 3.0
    assert between(moments, crowd.begin + 2.0 + EPSILON, after - EPSILON) == 0
    assert 18 <= between(moments, after, after + 1) <= 23
    assert 27 <= between(moments, after + 4, after + 5) <= 32
    assert between(moments, after + 12, after + 13) >= 39


def test_a_429_of_one_endpoint_slows_down_no_other() -> None:
    """If the reason is an endpoint's own limit, others continue at full rate."""
    crowd = Crowd(50)

    def part(crowd: Crowd, number: int) -> None:
        if number:
            crowd.keep_sending((FEW[number % 2],), number)
            return
        crowd.clock.sleep(2.0)
        crowd.limiter.back_off(FEW[0], "endpoint-concurrency", 5.0)

    sent = crowd.run(part)
    begin = crowd.begin + 2.0
    assert between(sent[FEW[0]], begin + EPSILON, begin + 5 - EPSILON) == 0
    assert between(sent[FEW[1]], begin, begin + 5) >= 0.95 * PER_ENDPOINT * 5


def test_repeated_429s_never_stop_all_requests() -> None:
    """The rate never falls to zero."""
    crowd = Crowd(16, threads=1)

    def part(crowd: Crowd, number: int) -> None:
        del number
        for _ in range(20):
            crowd.send(FEW[0])
            crowd.limiter.back_off(FEW[0], "global-rate", 0.01)

    crowd.run(part)
    assert crowd.clock() < crowd.begin + 20 * 1.1


def test_repeated_429s_leave_a_sixteenth_of_the_rate() -> None:
    """The floor is neither zero nor so high that backoff has no effect."""
    crowd = Crowd(160, threads=1)

    def part(crowd: Crowd, number: int) -> None:
        del number
        for _ in range(50):
            crowd.limiter.back_off(FEW[0], "global-rate", 0.0)
        for _ in range(5):
            crowd.send(FEW[0])

    sent = crowd.run(part)[FEW[0]]
    assert sent[1] - sent[0] == pytest.approx(1 / 10)
    assert 0.3 < sent[-1] - sent[0] < 0.4
