"""`connect` from end to end: a terminal, a real browser, and a simulated Stripe between them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.scene import (
    CHARGES,
    FIRST,
    FIRST_NAME,
    SECOND,
    SECOND_NAME,
    charges,
    connected,
    rows,
    saved,
    token_posts,
)
from tests.browser.visit import DE, EN, FR, IT, PT, SV, looks
from tests.connect.opener import Opener

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.browser.visit import Visit
    from tests.connect.console import Place

pytestmark = pytest.mark.browser
WHOLE_COMMAND = """
    [document.querySelector(".repair code")].every(code => code.scrollWidth <= code.clientWidth)
"""
"""Whether all of the command that renews access can be read without scrolling."""


@looks(EN, DE)
def test_the_first_connection(visit: Visit, place: Place) -> None:
    """From empty settings to `Connection successful!`, and the tap reads what was written."""
    with Opener(place) as opener, place.connect() as console:
        console.expect("Press Enter to open ")
        console.expect("> ")
        console.type("\n")
        visit.open(opener.opened())
        assert visit.page.url == visit.address
        visit.heading("connections")
        visit.says("none_yet")
        visit.shoot("1-connections", "connections-empty")
        visit.click(visit.said["add_source"])
        visit.heading("add_source")
        visit.shoot("2-add-a-data-source", "add-a-data-source")
        visit.page.locator("a.tile").click()
        visit.heading("authorization")
        visit.says("admin", "read_write", "comes_back", "stream_charges", "stream_customers")
        visit.shoot("3-authorization", "authorization")
        visit.click("Connect with Stripe")
        visit.decide(FIRST)
        visit.heading("success")
        visit.says("success_body", account=f"{FIRST_NAME} ({FIRST})")
        visit.shoot("4-success", "success")
        assert list(visit.accounts()) == [FIRST]
        console.expect(f"Connection successful! {FIRST_NAME}")
        console.expect("Save the secret test key")
        console.type("y\n")
        console.expect("Press Enter to end")
        console.expect("> ")
        console.type("\n")
        assert console.ended() == 0
    assert token_posts(place) == 1
    expected = {"account_ids": [FIRST], "api_key": place.stripe.api_key}
    assert saved(place) == {"api_url": place.stripe.url} | expected
    done = place.run("--config", "config.json")
    assert done.returncode == 0, done.stderr
    found = rows(done.stdout)
    assert charges(found) == CHARGES
    assert {row["account_id"] for row in found} == {FIRST}


@looks(SV, FR)
def test_a_second_account(visit: Visit, place: Place) -> None:
    """What is connected is listed, and another account comes beside it, in one sitting."""
    connected(place, FIRST)
    with place.connect() as console:
        console.expect("> ")
        visit.open(console.entrance())
        assert list(visit.accounts()) == [FIRST]
        visit.shoot("1-connections")
        visit.to_stripe()
        visit.decide(SECOND)
        visit.heading("success")
        assert list(visit.accounts()) == [FIRST, SECOND]
        visit.shoot("2-success")
        console.expect(f"Connection successful! {SECOND_NAME}")
        console.expect("(2 accounts)")
        console.expect("> ")
        visit.to_stripe()
        visit.decide(SECOND)
        visit.heading("already")
        visit.says("already_body", account=f"{SECOND_NAME} ({SECOND})")
        visit.shoot("3-already")
        console.expect(f"Already connected: {SECOND_NAME}")
        console.expect("> ")
        console.type("\n")
        assert console.ended() == 0
    assert saved(place)["account_ids"] == [FIRST, SECOND]


@looks(PT, IT)
def test_a_denial(visit: Visit, place: Place) -> None:
    """Whoever denies in Stripe is told that nothing was saved, and so is the terminal."""
    before = saved(place)
    with place.connect() as console:
        console.expect("> ")
        visit.open(console.entrance())
        visit.to_stripe()
        visit.decide(FIRST, "Deny")
        visit.heading("denied")
        visit.says("denied_body", "nothing_saved", "start_again")
        visit.shoot("denied")
        console.expect("Access was not granted")
        assert console.ended() == 3
    assert saved(place) == before
    assert token_posts(place) == 0


@looks(DE, SV)
def test_a_wrong_state(visit: Visit, place: Place) -> None:
    """An answer that is not this session's is refused, and the right one still counts."""
    with place.connect() as console:
        console.expect("> ")
        visit.open()
        visit.heading("closed")
        visit.shoot("closed")
        visit.open(console.entrance())
        landed = place.approve(visit.link(), SECOND)
        state = parse_qs(urlsplit(landed).query)["state"][0]
        visit.open(landed.replace(state, "x" * len(state)))
        visit.heading("wrong_session")
        visit.says("newest_link", "nothing_saved")
        visit.shoot("wrong-session")
        assert visit.statuses == [403, 303, 200, 200, 400]
        assert token_posts(place) == 0
        console.expect("Still waiting.")
        visit.click(visit.said["back"])
        visit.to_stripe()
        visit.decide(FIRST)
        visit.heading("success")
        console.expect(f"Connection successful! {FIRST_NAME}")
    assert saved(place)["account_ids"] == [FIRST]


@looks(EN, PT)
def test_an_expired_code(visit: Visit, place: Place) -> None:
    """A code older than five minutes is told so, and the next attempt works."""

    def late(route: Route) -> None:
        answer = route.fetch(max_redirects=0)
        if answer.status == 303:
            place.stripe.world.clock.advance(301)
        route.fulfill(response=answer)

    with place.connect() as console:
        console.expect("> ")
        visit.open(console.entrance())
        visit.page.route("**/oauth/authorize?*", late)
        visit.to_stripe()
        visit.decide(FIRST)
        visit.heading("expired")
        visit.says("expired_body", "nothing_saved")
        visit.shoot("expired", "expired")
        assert "account_ids" not in saved(place)
        console.expect("Here is a new link:")
        visit.page.unroute("**/oauth/authorize?*")
        visit.open()
        visit.to_stripe()
        visit.decide(FIRST)
        visit.heading("success")
        console.expect(f"Connection successful! {FIRST_NAME}")
    assert token_posts(place) == 2
    assert saved(place)["account_ids"] == [FIRST]


@looks(FR, IT)
def test_coming_back_twice(visit: Visit, place: Place) -> None:
    """Callback, favicon, callback, reload, back and forward: one exchange, and the same page."""
    with place.connect() as console:
        console.expect("> ")
        visit.open(console.entrance())
        visit.to_stripe()
        visit.decide(FIRST)
        visit.heading("success")
        end = visit.page.url
        assert urlsplit(end).path == "/"
        assert list(parse_qs(urlsplit(end).query)) == ["done"]
        (landed,) = visit.callbacks
        visit.page.goto(f"{visit.address}favicon.ico")
        assert visit.page.inner_text("body").strip() == "There is no such page."
        visit.open(landed)
        visit.heading("success")
        assert visit.page.url == end
        visit.page.reload()
        visit.heading("success")
        visit.page.go_back()
        assert "favicon" in visit.page.url
        visit.page.go_back()
        visit.heading("success")
        visit.page.go_back()
        assert "/oauth/authorize" in visit.page.url
        visit.page.go_forward()
        visit.heading("success")
        visit.shoot("success")
        assert list(visit.accounts()) == [FIRST]
        console.expect("Connection successful!")
        assert console.seen.count("Connection successful!") == 1
    assert token_posts(place) == 1
    assert visit.callbacks == [landed] * 2


@looks(EN, FR, DE)
def test_access_is_renewed(visit: Visit, place: Place) -> None:
    """A withdrawn account is shown with its command, and that command gets access back."""
    connected(place, FIRST, SECOND)
    place.stripe.world.disconnect(SECOND)
    with place.connect("--reauth", SECOND) as console:
        console.expect("> ")
        visit.open(console.entrance())
        assert visit.said["access_ok"] in visit.accounts()[FIRST]
        row = visit.accounts()[SECOND]
        assert visit.said["access_denied"] in row
        assert row.endswith(f"tap-stripe-connect connect --config config.json --reauth {SECOND}")
        assert visit.page.evaluate(WHOLE_COMMAND)
        visit.shoot("1-withdrawn", "connections")
        visit.click(visit.said["add_source"])
        visit.page.locator("a.tile").click()
        visit.says("renewal_intro", account=SECOND)
        visit.shoot("2-authorization")
        visit.click("Connect with Stripe")
        visit.decide(SECOND)
        visit.heading("success")
        assert visit.said["access_ok"] in visit.accounts()[SECOND]
        visit.shoot("3-success")
        console.expect(f"Connection successful! {SECOND_NAME}")
        console.expect("> ")
        console.type("\n")
        assert console.ended() == 0
    assert saved(place)["account_ids"] == [FIRST, SECOND]


@looks(DE, PT)
def test_another_account_renews_nothing(visit: Visit, place: Place) -> None:
    """Coming back with another account changes no setting, and can be undone."""
    connected(place, SECOND)
    place.stripe.world.disconnect(SECOND)
    before = (place.folder / "config.json").read_bytes()
    with place.connect("--reauth", SECOND) as console:
        console.expect("> ")
        visit.open(console.entrance())
        visit.to_stripe()
        visit.decide(FIRST)
        visit.heading("other_account")
        visit.says("other_account_body", account=f"{FIRST_NAME} ({FIRST})", expected=SECOND)
        visit.shoot("other-account")
        console.expect("Disconnect it, if it is not wanted? [y/N]")
        console.type("y\n")
        console.expect(f"{FIRST} was disconnected")
        assert console.ended() == 4
    assert (place.folder / "config.json").read_bytes() == before
    assert not place.stripe.world.connected(FIRST)


@looks(SV, IT)
def test_a_new_account_without_data(visit: Visit, place: Place) -> None:
    """Where Stripe made a new account instead, page and terminal say so and nothing is saved."""
    place.stripe.world.add_signup(
        "acct_1GammaExample", name="Gamma", controlled_by="acct_1OtherPlatform"
    )
    with place.connect() as console:
        console.expect("> ")
        visit.open(console.entrance())
        visit.to_stripe()
        visit.decide("acct_1GammaExample", "Create account and connect")
        visit.heading("empty")
        visit.says("empty_why", "decide")
        visit.shoot("empty")
        console.expect("[y/N]")
        console.type("n\n")
        console.expect("Nothing was saved.")
        console.expect("Disconnect it, if it is not wanted? [y/N]")
        console.type("\n")
        assert console.ended() == 1
    assert "account_ids" not in saved(place)


@looks(EN, DE)
def test_live_mode_by_pasting(visit: Visit, place: Place) -> None:
    """Nothing answers https here: the terminal notices, and takes the address from the bar."""
    key = place.stripe.world.add_key("sk_live_1Example")
    place.environ |= {"STRIPE_SECRET_KEY": key, "STRIPE_CLIENT_ID": "ca_1Live"}
    secure = place.redirect.replace("http:", "https:")
    with place.console("connect", "--live", "--redirect-uri", secure) as console:
        console.expect("> ")
        visit.open(console.entrance())
        visit.click(visit.said["add_source"])
        visit.page.locator("a.tile").click()
        visit.heading("authorization")
        visit.says("paste_address")
        assert visit.page.inner_text("header .badge") == visit.said["live_mode"]
        visit.shoot("authorization", "authorization-live")
        visit.click("Connect with Stripe")
        visit.decide(FIRST)
        console.expect("Your browser is at the last step")
        visit.page.wait_for_url("chrome-error://**")
        (landed,) = set(visit.callbacks)
        console.type(f"{landed}\n")
        console.expect(f"Connection successful! {FIRST_NAME}")
        console.expect("[y/N]")
        console.type("n\n")
        assert console.ended() == 0
    assert saved(place)["account_ids"] == [FIRST]
    assert token_posts(place) == 1
