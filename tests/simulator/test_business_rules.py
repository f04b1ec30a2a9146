"""The business's arithmetic: sums, shares, billing dates, sign-ups."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_stripe_connect.simulator.business import invoicing, money, rhythm
from tap_stripe_connect.simulator.business.chance import poisson, stream, stripe_id
from tap_stripe_connect.simulator.business.offer import SEAT, TIERS, PriceList

START = int(datetime(2023, 1, 1, tzinfo=UTC).timestamp())


def unix(text: str) -> int:
    """Return a date or time in UTC as unix seconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def line(amount: int, *, discountable: bool = True) -> invoicing.Line:
    """Return what sums need of an invoice line."""
    return {"amount": amount, "discountable": discountable}


@given(
    st.integers(0, 10_000).flatmap(
        lambda whole: st.tuples(st.just(whole), st.lists(st.integers(0, 10_000), min_size=1))
    )
)
def test_shares_are_exact_and_fair(case: tuple[int, list[int]]) -> None:
    """Shares add up to the whole, and no share is further than 1 from its exact size."""
    whole, weights = case
    parts = invoicing.shares(whole, weights)
    if sum(weights):
        assert sum(parts) == whole
        for part, weight in zip(parts, weights, strict=True):
            assert abs(part - whole * weight / sum(weights)) <= 1
    else:
        assert parts == [0] * len(weights)


@given(
    st.lists(st.integers(0, 100_000), min_size=1, max_size=40),
    st.one_of(st.none(), st.floats(0.1, 100)),
    st.integers(0, 50_000),
    st.sampled_from([None, 8.0, 19.0, 20.0]),
)
def test_totals_follow_from_lines(
    amounts: list[int], percent: float | None, off: int, tax: float | None
) -> None:
    """The invoice's discounts and taxes are the sums of the lines', and never make it negative."""
    discount = invoicing.Discount("di_1", "C", percent, None if percent else off, None)
    rate: dict[str, Any] | None = {"id": "txr_1", "percentage": tax} if tax else None
    fields = invoicing.totals([line(amount) for amount in amounts], discount, rate)
    taken = sum(each["discount_amounts"][0]["amount"] for each in fields["lines"])
    assert fields["total_discount_amounts"] == [{"amount": taken, "discount": "di_1"}]
    assert 0 <= taken <= sum(amounts) == fields["subtotal"]
    taxes = sum(each["amount"] for one in fields["lines"] for each in one["taxes"])
    assert fields["total"] == fields["amount_due"] == sum(amounts) - taken + taxes


def test_discounts_leave_prorations_alone() -> None:
    """A discount takes nothing off a line that can't be discounted."""
    lines = [line(1000), line(500, discountable=False), line(-300, discountable=False)]
    discount = invoicing.Discount("di_1", "C", 50.0, None, None)
    assert invoicing.discounted(lines, discount) == [500, 0, 0]


def test_prorations_are_for_the_rest_of_the_period() -> None:
    """A change in mid-period credits the unused part and charges the rest, without discounts."""
    price = PriceList(7, START, START + 1).price(TIERS[0], "month", money.USD, START)
    item = invoicing.Item("si_1", price, 2, START, "sub_1")
    rng, period = stream("prorated"), (START, START + 40)
    credit = invoicing.prorated(rng, item, START + 30, period, credit=True)
    debit = invoicing.prorated(rng, item, START + 30, period)
    assert (credit["amount"], debit["amount"]) == (-950, 950)
    for each in (credit, debit):
        assert each["period"] == {"start": START + 30, "end": START + 40}
        assert not each["discountable"]
        assert each["parent"]["subscription_item_details"]["proration"]


def test_amount_off_takes_no_more_than_there_is() -> None:
    """A coupon over more than the invoice brings it to zero."""
    discount = invoicing.Discount("di_1", "C", None, 5000, None)
    assert invoicing.totals([line(700), line(300)], discount, None)["total"] == 0


@pytest.mark.parametrize(
    ("begin", "months", "expected"),
    [
        ("2024-01-31T10:00:05", 1, "2024-02-29T10:00:05"),
        ("2024-01-31T10:00:05", 2, "2024-03-31T10:00:05"),
        ("2023-12-15", 1, "2024-01-15"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-05-10", 0, "2024-05-10"),
    ],
)
def test_months_keep_the_day(begin: str, months: int, expected: str) -> None:
    """Billing dates keep the anchor's day, or take the last one of a shorter month."""
    assert rhythm.add_months(unix(begin), months) == unix(expected)


def test_sign_ups_come_to_the_number_asked_for() -> None:
    """In three years about as many sign up as asked for, more each year, fewest in summer."""
    end = START + 3 * 365 * rhythm.DAY
    days = list(takewhile(lambda day: day < end, rhythm.signup_days(1000, START)))
    assert 970 <= len(days) <= 1030
    years = [sum(1 for day in days if (day - START) // rhythm.DAY // 365 == y) for y in range(3)]
    assert years[0] < years[1] < years[2]
    months = [datetime.fromtimestamp(day, UTC).month for day in days]
    assert months.count(8) < months.count(5) < months.count(12)


def test_daytime_stays_within_the_day() -> None:
    """A moment chosen for a day lies in the 24 hours from its beginning, mostly by daylight."""
    rng = stream("daytime")
    day = START + 5 * rhythm.HOUR
    moments = [rhythm.at_daytime(rng, day) for _ in range(500)]
    assert all(day <= moment < day + rhythm.DAY for moment in moments)
    assert sum(8 <= moment % rhythm.DAY // rhythm.HOUR < 18 for moment in moments) > 300


def test_streams_are_independent() -> None:
    """Each name has random numbers of its own, the same ones every time."""
    assert stream(7, "a", 1).random() == stream(7, "a", 1).random()
    assert stream(7, "a", 1).random() != stream(7, "a", 2).random()


def test_ids_look_like_stripes() -> None:
    """An id is its prefix and so many letters and digits."""
    rng = stream("ids")
    for length in (14, 24):
        prefix, _, rest = stripe_id(rng, "cus", length).partition("_")
        assert prefix == "cus"
        assert len(rest) == length
        assert rest.isalnum()


def test_poisson_has_its_mean() -> None:
    """Counts come near the mean that was asked for, and never past 50."""
    rng = stream("poisson")
    counts = [poisson(rng, 3.0) for _ in range(2000)]
    assert 2.8 < sum(counts) / len(counts) < 3.2
    assert poisson(rng, 1000.0) == 50


def test_tiers_get_new_prices_each_december() -> None:
    """A new price list retires the old tiers; add-ons keep their price."""
    prices = PriceList(7, START, unix("2025-06-01"))
    team = [
        prices.price(TIERS[1], "month", money.USD, unix(f"{y}-12-31")) for y in (2022, 2023, 2024)
    ]
    assert [price.amount for price in team] == [4900, 5140, 5390]
    assert [price.retired is None for price in team] == [False, False, True]
    seats = {price.id for price in prices if price.product is SEAT and price.currency is money.USD}
    assert len(seats) == 2
    assert all(price.created >= START for price in prices)


def test_metered_prices_have_fractions() -> None:
    """Prices finer than a minor unit are exact strings, and usage is billed in whole units."""
    prices = [price for price in PriceList(7, START, START + 1) if price.product.metered]
    assert {price.interval for price in prices} == {"month"}
    calls = next(p for p in prices if p.product.name == "API calls" and p.currency is money.USD)
    assert (calls.amount, calls.decimal) == (None, "0.02")
    assert calls.cost(12_345) == 247


@pytest.mark.parametrize(
    ("currency", "cents", "expected", "text"),
    [
        (money.USD, 1900, 1900, "$19.00"),
        (money.EUR, 1900, 1790, "€17.90"),
        (money.JPY, 1900, 2850, "¥2850"),
        (money.JPY, 14_900, 22_400, "¥22400"),
    ],
)
def test_list_prices(currency: money.Currency, cents: int, expected: int, text: str) -> None:
    """List prices are converted and rounded in the currency's own minor unit."""
    assert currency.convert(cents) == expected
    assert currency.text(expected) == text
