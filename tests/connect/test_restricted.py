"""Restricted keys: the pre-filled form, the list beside it, and the check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest

from tap_stripe_connect.catalog import LISTED, STREAMS
from tap_stripe_connect.connect.account import Glance
from tap_stripe_connect.connect.outcome import Exit
from tap_stripe_connect.connect.refusals import Refusal
from tap_stripe_connect.connect.restricted import check, link, permissions
from tap_stripe_connect.simulator.faults import Fault
from tests.support.harness import config_for, run, selecting

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.server import Simulator

ALL = [stream.name for stream in STREAMS]


def names(*streams: str) -> list[str]:
    """Return the permissions that some streams need."""
    return [permission for permission, _ in permissions(streams)]


def test_permissions_are_those_of_the_table() -> None:
    """Each stream needs its own list's permission, a nested one its parent's, once each."""
    assert set(names(*ALL)) == {stream.permission for stream in LISTED.values()}
    assert len(names(*ALL)) == len(set(names(*ALL)))
    both = ("invoice_line_items", "invoices")
    assert dict(permissions(both))["rak_invoice_read"] == both
    assert "rak_invoice_read" in names("invoice_line_items")


def test_changes_need_the_events() -> None:
    """A stream that follows the event feed needs it as well; the permission says for which."""
    assert permissions(["plans", "charges"]) == [
        ("rak_charge_read", ("charges",)),
        ("rak_event_read", ("charges", "plans")),
        ("rak_plan_read", ("plans",)),
    ]
    assert permissions(["events"]) == [("rak_event_read", ("events",))]


def test_all_accounts_need_one_more() -> None:
    """Listing the connected accounts is a permission of its own."""
    assert permissions(["events"], all_accounts=True)[-1] == ("rak_connected_account_read", ())


def test_the_link_ticks_the_list() -> None:
    """Stripe's form is told exactly the permissions that are listed, in the mode's Dashboard."""
    for livemode, path in ((True, "/apikeys/create"), (False, "/test/apikeys/create")):
        parts = urlsplit(link(ALL, livemode=livemode, all_accounts=True))
        assert (parts.netloc, parts.path) == ("dashboard.stripe.com", path)
        given = parse_qsl(parts.query)
        assert given[0] == ("name", "tap-stripe-connect")
        assert [value for _, value in given[1:]] == [
            permission for permission, _ in permissions(ALL, all_accounts=True)
        ]
        assert {name for name, _ in given[1:]} == {"permissions[]"}
        # A terminal would end the address at a bracket.
        assert "permissions%5B%5D=" in parts.query
        ticked = {value for _, value in given}
        assert not {"rak_price_read", "rak_balance_transaction_read"} & ticked


def test_the_readme_has_the_same_link() -> None:
    """Whoever reads about the key and whoever is led to it come to the same form."""
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    assert f"[restricted key]({link(ALL, livemode=True)})" in readme


def test_unknown_streams_are_refused() -> None:
    """A name that is no stream's is told, with those that are."""
    with pytest.raises(Refusal) as caught:
        permissions(["charges", "chargez\x1b"])
    assert caught.value.line == "There is no stream chargez."
    assert ", ".join(ALL) in caught.value.advice
    assert caught.value.exit is Exit.USAGE


def test_a_whole_key_lacks_nothing(stripe: Simulator) -> None:
    """With the listed permissions each stream can be read, and each list is asked once."""
    key = stripe.world.add_key("rk_test_1Example", permissions=names(*ALL))
    assert check(stripe.url, key, ALL) == dict.fromkeys(ALL, "")
    paths = [request.path for request in stripe.journal.requests]
    assert sorted(paths) == sorted(stream.path for stream in LISTED.values())
    assert all(request.parameter("limit") == "1" for request in stripe.journal.requests)


@pytest.mark.parametrize("missing", sorted({stream.permission for stream in LISTED.values()}))
def test_each_missing_permission_is_found(stripe: Simulator, missing: str) -> None:
    """The streams that a permission is listed for are the ones that lack it."""
    key = stripe.world.add_key("rk_test_1Example", permissions=set(names(*ALL)) - {missing})
    needing = dict(permissions(ALL))[missing]
    expected = {stream: missing if stream in needing else "" for stream in ALL}
    assert check(stripe.url, key, ALL) == expected


def test_a_listed_key_serves_the_tap(stripe: Simulator) -> None:
    """A key with just what is listed for some streams is enough for a sync of them."""
    stripe.world.platform.create("subscription", {})
    wanted = ("subscription_items", "subscriptions")
    key = stripe.world.add_key("rk_test_1Example", permissions=names(*wanted))
    assert run(config_for(stripe, api_key=key), catalog=selecting(*wanted)).exit_code == 0


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault(match="^/v1/charges", status=500), "Stripe has a problem"),
        (Fault(match="^/v1/charges", body={}), "is not Stripe"),
        (None, "Invalid API Key"),
    ],
    ids=["error", "no list", "key"],
)
def test_a_check_that_fails_says_so(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, fault: Fault | None, text: str
) -> None:
    """Trouble and a wrong key are not taken for missing permissions, and the key stays hidden."""
    monkeypatch.setattr(Glance, "backoff", 0.0)
    key = stripe.api_key if fault else "sk_test_1Planted"
    if fault:
        stripe.faults.add(fault)
    with pytest.raises(Refusal) as caught:
        check(stripe.url, key, ["charges"])
    assert text in caught.value.line + caught.value.advice
    assert key not in repr(caught.value)
