"""Two clocks, Stripe's and this machine's: the earlier one says what a run may claim."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from tap_stripe_connect.api.client import Client
from tap_stripe_connect.api.response_headers import HeaderReader
from tap_stripe_connect.simulator.faults import Fault
from tests.support.harness import DAY, NOW, config_for, run, selecting

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.server import Simulator

CHARGES = ("charges",)


def dated(moment: int) -> dict[str, str]:
    """Return the head of an answer of that moment, in unix seconds."""
    return {"date": formatdate(moment, usegmt=True)}


@pytest.fixture
def _right_clock(stripe: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine's clock be that of the simulated world."""
    monkeypatch.setattr(Client, "wall_clock", staticmethod(lambda: stripe.world.clock.now))


@pytest.mark.usefixtures("_right_clock")
def test_a_date_a_day_ahead_hides_no_charge(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """What is created on the day that a proxy's clock claimed to be over comes in a later run."""
    account = stripe.world.platform
    account.create("charge", {"id": "ch_before"}, at=NOW - DAY)
    ahead = stripe.faults.add(Fault(headers=dated(NOW + DAY)))
    first = run(config_for(stripe), catalog=selecting(*CHARGES))
    assert ahead.fired
    assert [row["id"] for row in first.records("charges")] == ["ch_before"]
    (line,) = [one for one in caplog.messages if "clock" in one]
    assert "Stripe's response date is 1 day ahead of this machine's clock" in line
    assert "using the earlier time" in line
    stripe.faults.clear()
    for hour in range(1, 24, 5):
        account.create("charge", {"id": f"ch_{hour}"}, at=NOW + hour * 3600)
    stripe.world.clock.advance(2 * DAY)
    second = run(config_for(stripe), state=first.state, catalog=selecting(*CHARGES))
    assert {row["id"] for row in second.records("charges")} == {
        f"ch_{hour}" for hour in range(1, 24, 5)
    }


@pytest.mark.usefixtures("_right_clock")
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 502, "body": "<html>Bad gateway</html>"},
        {"status": 500, "headers": {"request-id": ""}},
        {"truncate": 0.5},
        {"body": {"object": "list", "url": "/v1/x", "data": [], "has_more": False}},
    ],
    ids=["gateway", "no request id", "cut off", "of another request"],
)
def test_only_what_is_certainly_stripes_tells_the_time(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, fault: dict[str, object]
) -> None:
    """The date of a gateway's answer, or of a damaged one, may be any."""
    monkeypatch.setattr(Client, "backoff", 0.001)
    headers = {**dated(NOW - 10 * DAY), **fault.pop("headers", {})}  # type: ignore[dict-item]
    stripe.faults.add(Fault(times=1, headers=headers, **fault))  # type: ignore[arg-type]
    output = run(config_for(stripe), catalog=selecting("coupons"))
    assert output.exit_code == 0
    assert "2025-12-31T23:55:00" in str(output.state["bookmarks"])


@pytest.mark.usefixtures("_right_clock")
def test_a_refusal_of_stripes_tells_the_time(stripe: Simulator) -> None:
    """A key that may not ask for its account has heard Stripe's date all the same."""
    stripe.world.add_key("rk_test_few", permissions={"rak_coupon_read", "rak_event_read"})
    stripe.faults.add(Fault(match="/v1/account", headers=dated(NOW - DAY)))
    output = run(config_for(stripe, api_key="rk_test_few"), catalog=selecting("coupons"))
    assert output.exit_code == 0
    assert "2025-12-30T23:55:00" in str(output.state["bookmarks"])


def test_a_slow_clock_here_does_not_hide_a_hole_in_the_feed(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How far Stripe's events reach is told by Stripe's date: after a month all is listed again."""
    account = stripe.world.platform
    account.create("coupon", {"id": "C"}, at=NOW - DAY)
    first = run(config_for(stripe), catalog=selecting("coupons"))
    stripe.world.clock.advance(DAY)
    account.update("coupon", "C", {"name": "new"})
    stripe.world.clock.advance(35 * DAY)
    monkeypatch.setattr(Client, "wall_clock", staticmethod(lambda: NOW + 2 * DAY))
    second = run(config_for(stripe), state=first.state, catalog=selecting("coupons"))
    assert [row["name"] for row in second.records("coupons")] == ["new"]


@pytest.mark.parametrize(
    ("url", "ahead", "said"),
    [
        ("https://api.stripe.com", 0, ""),
        ("https://api.stripe.com", 120, ""),
        ("https://api.stripe.com", -120, ""),
        ("https://api.stripe.com", 130, "date is 2 minutes ahead of this machine's clock"),
        (
            "https://api.stripe.com",
            -7200,
            "machine's clock is 2 hours ahead of Stripe's response date",
        ),
        ("http://127.0.0.1:1", 2 * DAY, "date is 2 days ahead"),
        ("http://127.0.0.1:1", -2 * DAY, ""),
    ],
)
def test_clocks_that_differ_by_minutes_are_told_once(
    caplog: pytest.LogCaptureFixture, url: str, ahead: int, said: str
) -> None:
    """A simulator on this machine may live in the past, without a word."""
    reader = HeaderReader(url, lambda: NOW)
    for _ in range(2):
        reader.read({"Date": dated(NOW + ahead)["date"]})
    assert reader.server_time == NOW + ahead
    assert len(caplog.messages) == bool(said)
    assert said in caplog.text


@pytest.mark.parametrize("date", ["", "soon", "Thu, 32 Foo 2026 00:00:00 GMT"])
def test_without_a_date_this_machines_clock_counts(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, date: str
) -> None:
    """A server that does not tell the time can be read."""
    monkeypatch.setattr(Client, "wall_clock", staticmethod(lambda: NOW - DAY))
    stripe.faults.add(Fault(headers={"date": date}))
    output = run(config_for(stripe), catalog=selecting("coupons"))
    assert output.exit_code == 0
    assert "2025-12-30T23:55:00" in str(output.state["bookmarks"])


def test_a_notice_of_stripes_is_told_once(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """However many answers have it."""
    notice = "You are using an outdated API version."
    stripe.faults.add(Fault(headers={"stripe-notice": notice}))
    assert run(config_for(stripe), catalog=selecting("coupons", "plans")).exit_code == 0
    told = [one for one in caplog.records if "outdated" in one.message]
    assert [(one.levelname, one.message) for one in told] == [
        ("WARNING", f"Notice from Stripe: {notice}")
    ]


def test_notices_that_all_differ_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A few are enough to look into it; they have neither control characters nor keys."""
    reader = HeaderReader("https://api.stripe.com", lambda: NOW)
    for place in range(100):
        reader.read({"Stripe-Notice": f"Object {place}\x1b[1m of sk_test_51Planted is old"})
    assert len(caplog.messages) == 5
    assert caplog.messages[0] == "Notice from Stripe: Object 0 [1m of sk_… is old"
