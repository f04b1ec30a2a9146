"""Two clocks, Stripe's and this machine's: the earlier one limits what a bookmark covers."""

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
    """Return the `date` header of a response at a time in unix seconds."""
    return {"date": formatdate(moment, usegmt=True)}


@pytest.fixture
def _synchronized_clock(stripe: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set this machine's clock to that of the simulated world."""
    monkeypatch.setattr(Client, "wall_clock", staticmethod(lambda: stripe.world.clock.now))


@pytest.mark.usefixtures("_synchronized_clock")
def test_a_date_a_day_ahead_hides_no_charge(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A later run reads what is created on the day that a proxy's clock skipped."""
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


@pytest.mark.usefixtures("_synchronized_clock")
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
def test_only_dates_of_certain_stripe_responses_count(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, fault: dict[str, object]
) -> None:
    """The date of a gateway's response, or of a damaged one, may be wrong."""
    monkeypatch.setattr(Client, "backoff", 0.001)
    headers = {**dated(NOW - 10 * DAY), **fault.pop("headers", {})}  # type: ignore[dict-item]
    stripe.faults.add(Fault(times=1, headers=headers, **fault))  # type: ignore[arg-type]
    output = run(config_for(stripe), catalog=selecting("coupons"))
    assert output.exit_code == 0
    assert "2025-12-31T23:55:00" in str(output.state["bookmarks"])


@pytest.mark.usefixtures("_synchronized_clock")
def test_the_date_of_an_error_response_of_stripe_counts(stripe: Simulator) -> None:
    """A key without permission to read its account gets Stripe's date nevertheless."""
    stripe.world.add_key("rk_test_few", permissions={"rak_coupon_read", "rak_event_read"})
    stripe.faults.add(Fault(match="/v1/account", headers=dated(NOW - DAY)))
    output = run(config_for(stripe, api_key="rk_test_few"), catalog=selecting("coupons"))
    assert output.exit_code == 0
    assert "2025-12-30T23:55:00" in str(output.state["bookmarks"])


def test_a_slow_clock_here_does_not_hide_a_hole_in_the_feed(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe's date decides how far back its events reach: after a month all is listed again."""
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
    ("url", "ahead", "expected_text"),
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
def test_clocks_that_differ_by_minutes_are_reported_once(
    caplog: pytest.LogCaptureFixture, url: str, ahead: int, expected_text: str
) -> None:
    """A simulator on this machine may be in the past without a warning."""
    reader = HeaderReader(url, lambda: NOW)
    for _ in range(2):
        reader.read({"Date": dated(NOW + ahead)["date"]})
    assert reader.server_time == NOW + ahead
    assert len(caplog.messages) == bool(expected_text)
    assert expected_text in caplog.text


@pytest.mark.parametrize("date", ["", "soon", "Thu, 32 Foo 2026 00:00:00 GMT"])
def test_without_a_date_this_machines_clock_counts(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, date: str
) -> None:
    """A server that sends no date can be read."""
    monkeypatch.setattr(Client, "wall_clock", staticmethod(lambda: NOW - DAY))
    stripe.faults.add(Fault(headers={"date": date}))
    output = run(config_for(stripe), catalog=selecting("coupons"))
    assert output.exit_code == 0
    assert "2025-12-30T23:55:00" in str(output.state["bookmarks"])


def test_a_notice_from_stripe_is_logged_once(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """However many responses have it."""
    notice = "You are using an outdated API version."
    stripe.faults.add(Fault(headers={"stripe-notice": notice}))
    assert run(config_for(stripe), catalog=selecting("coupons", "plans")).exit_code == 0
    notices = [one for one in caplog.records if "outdated" in one.message]
    assert [(one.levelname, one.message) for one in notices] == [
        ("WARNING", f"Notice from Stripe: {notice}")
    ]


def test_notices_that_all_differ_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Five are enough; they have neither control characters nor keys."""
    reader = HeaderReader("https://api.stripe.com", lambda: NOW)
    for place in range(100):
        reader.read({"Stripe-Notice": f"Object {place}\x1b[1m of sk_test_51Planted is old"})
    assert len(caplog.messages) == 5
    assert caplog.messages[0] == "Notice from Stripe: Object 0 [1m of sk_… is old"
