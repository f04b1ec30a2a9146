"""`connect`, `status` and `disconnect` in a terminal, from start to saved settings."""

from __future__ import annotations

import signal
import socket
import stat
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from tap_stripe_connect.connect.commands import _interrupt
from tap_stripe_connect.simulator.connect.registry import Client
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.simulator.server import Simulator
from tap_stripe_connect.simulator.world import World
from tests.connect.console import Place
from tests.connect.opener import Opener
from tests.support.harness import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.connect.console import Console

ALPHA, BETA, EMPTY = "acct_1Alpha", "acct_1Beta", "acct_1Empty"
CTRL_C, CTRL_D = "\x03", "\x04"
READ_KEY = "rk_test_1PlantedReader"


@pytest.fixture
def reader(place: Place) -> str:
    """Give the settings a key to read with."""
    place.stripe.world.add_key(READ_KEY)
    place.configure(api_key=READ_KEY)
    return READ_KEY


def is_free(port: int) -> bool:
    """Tell whether the port can be listened on."""
    with closing(socket.socket()) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return one.connect_ex(("127.0.0.1", port)) != 0


def cancelled(place: Place, console: Console) -> None:
    """Press Ctrl-C and see the end: one clean line, exit code 130, and the port is free."""
    before = len(console.seen)
    console.type(CTRL_C)
    assert console.ended() == 130
    assert console.seen[before:].replace("^C", "").strip().splitlines() == ["✗ Cancelled."]
    assert console.seen.endswith("\n✗ Cancelled.\n")
    assert is_free(place.port)


# Pasting


def test_pasting_the_address_connects(place: Place) -> None:
    """From empty settings to accounts and key in a file of one's own, with a pasted address."""
    with place.connect() as console:
        console.expect("Requires administrator permissions")
        address = place.approve(console.link(), ALPHA)
        console.expect("> ")
        console.type(f"{address}\n")
        console.expect("✓ Connection successful! Alpha GmbH (acct_1Alpha)")
        console.expect("Saved to config.json (0600): account_ids")
        console.expect("[y/N] ")
        console.type("y\n")
        console.expect("Saved to config.json (0600): api_key")
        console.expect("Next: tap-stripe-connect --test --config config.json")
        assert console.ended() == 0
        assert console.result() == ""
    assert place.settings == {"account_ids": [ALPHA], "api_key": place.stripe.api_key}
    assert stat.S_IMODE(place.config.stat().st_mode) == 0o600
    assert place.exchanges == 1


def test_a_broken_paste_connects(place: Place, reader: str) -> None:
    """Quotes, spaces and the line breaks of terminals do not get in the way."""
    with place.connect() as console:
        address = place.approve(console.link(), ALPHA)
        console.expect("> ")
        console.type(f' "{address[:60]}\n  {address[60:110]}\n{address[110:]}"\n')
        console.expect("Connection successful!")
        assert console.ended() == 0
    assert place.settings == {"api_key": reader, "account_ids": [ALPHA]}


@pytest.mark.usefixtures("reader")
def test_other_addresses_are_told_apart(place: Place) -> None:
    """A code alone, the link itself, and an address of another attempt are each explained."""
    with place.connect() as console:
        link = console.link()
        console.expect("> ")
        for pasted, said in (
            ("ac_123456", "That is the code alone"),
            (link, "That is the link to open"),
            (f"{place.redirect}?code=ac_1&state=other", "belongs to another"),
            ("hello", "not the whole address"),
        ):
            console.type(f"{pasted}\n")
            console.expect(said)
            console.expect("> ")
        assert place.exchanges == 0
        console.type(f"{place.approve(link, ALPHA)}\n")
        console.expect("Connection successful!")
        assert console.ended() == 0


@pytest.mark.usefixtures("reader")
def test_the_end_of_input_leaves_the_browser(place: Place) -> None:
    """After Ctrl-D nothing can be pasted any more, but the browser's answer still counts."""
    with place.connect() as console:
        link = console.link()
        console.expect("> ")
        console.type(CTRL_D)
        answer = requests.get(place.approve(link, ALPHA), timeout=120)
        assert "Connection successful!" in answer.text
        console.expect("Connection successful!")
        console.type(CTRL_C)
        assert console.ended() == 0


# The browser


@pytest.mark.usefixtures("reader")
def test_the_browser_connects_one_account_after_the_other(place: Place) -> None:
    """Enter opens the pages, each answer of the browser is saved, and Enter ends it."""
    with Opener(place) as opener, place.connect() as console:
        console.expect(f"Press Enter to open http://localhost:{place.port}/?key=")
        link = console.link()
        console.expect("> ")
        console.type("\n")
        opened = opener.opened()
        console.expect("> ")
        assert opened != console.entrance() != f"http://localhost:{place.port}/"
        browser = requests.Session()
        assert browser.get(opened, timeout=120).status_code == 200
        requests.get(place.approve(link, ALPHA), timeout=120)
        console.expect("Connection successful! Alpha")
        console.expect("Press Enter to end")
        page = browser.get(f"http://localhost:{place.port}/authorize", timeout=120).text
        state = page.partition("state=")[2].partition("&")[0]
        again = link.replace(link.partition("state=")[2].partition("&")[0], state)
        address = place.approve(again, BETA)
        requests.get(address, timeout=120)
        console.expect("Connection successful! Beta")
        console.expect("> ")
        console.type(f"{address}\n")
        console.expect("That address was used already: Connection successful! Beta")
        console.expect("> ")
        console.type("\n")
        assert console.ended() == 0
    assert place.settings["account_ids"] == [ALPHA, BETA]
    assert place.exchanges == 2


@pytest.mark.usefixtures("reader")
def test_the_last_step_of_live_mode_is_told(place: Place) -> None:
    """When a browser comes with https, the terminal says what to do at that moment."""
    secure = place.redirect.replace("http:", "https:")
    client = Client(id="ca_1Secure", redirect_uris=(secure,))
    place.stripe.world.connect.add_client(client)
    arguments = ("--redirect-uri", secure, "--client-id", client.id)
    with place.console("connect", *arguments) as console:
        console.expect("> ")
        with closing(socket.create_connection(("127.0.0.1", place.port))) as browser:
            browser.sendall(b"\x16\x03\x01\x00\x05hello")
            console.expect("Your browser is at the last step: copy its whole address")
        console.type(CTRL_C)
        assert console.ended() == 130


@pytest.mark.usefixtures("reader")
def test_a_browser_that_stays_holds_up_nothing(place: Place) -> None:
    """A browser that ends only when it is closed does not keep the terminal from what comes."""
    with Opener(place) as opener, place.connect() as console:
        link = console.link()
        console.expect("> ")
        console.type("\n")
        assert opener.opened()
        requests.get(place.approve(link, ALPHA), timeout=120)
        console.expect("Connection successful!")
        console.expect("> ")
        console.type("\n")
        assert console.ended() == 0


@pytest.mark.usefixtures("reader")
def test_foreign_answers_do_not_bury_the_rest(place: Place) -> None:
    """Any page can send the browser here with a wrong state: it is told once, and counted."""
    with place.connect() as console:
        link = console.link()
        console.expect("> ")
        for _ in range(30):
            answer = requests.get(f"{place.redirect}?code=ac_1&state=x", timeout=120)
            assert answer.status_code == 400
        console.expect("! That address belongs to another, perhaps older, attempt. Still waiting.")
        requests.get(place.approve(link, ALPHA), timeout=120)
        console.expect("Connection successful!")
        console.expect("> ")
        console.type("\n")
        assert console.ended() == 0
    assert console.seen.count("Still waiting") == 1
    assert console.seen.endswith("! Answers that belonged to no attempt: 29 more.\n")


@pytest.mark.usefixtures("reader")
def test_the_end_of_input_ends_what_is_done(place: Place) -> None:
    """Once an account is connected, Ctrl-D is as good as Enter."""
    with place.connect() as console:
        link = console.link()
        console.expect("> ")
        requests.get(place.approve(link, ALPHA), timeout=120)
        console.expect("Press Enter to end")
        console.expect("> ")
        console.type(CTRL_D)
        assert console.ended() == 0


# Other ends


@pytest.mark.usefixtures("reader")
def test_a_denial_ends_with_its_own_code(place: Place) -> None:
    """Denied in Stripe: said in a line, nothing saved, exit code 3."""
    with place.connect() as console:
        address = place.approve(console.link(), ALPHA, "deny")
        console.expect("> ")
        console.type(f"{address}\n")
        console.expect("✗ Access was not granted in Stripe")
        assert console.ended() == 3
    assert "account_ids" not in place.settings


@pytest.mark.usefixtures("reader")
def test_an_expired_approval_gets_a_new_link(place: Place) -> None:
    """An approval older than five minutes is not the end: there is a new link."""
    with place.connect() as console:
        first = console.link()
        address = place.approve(first, ALPHA)
        place.stripe.world.clock.advance(301)
        console.expect("> ")
        console.type(f"{address}\n")
        console.expect("✗ The approval is older than 5 minutes.")
        second = console.link()
        assert second != first
        console.type(f"{place.approve(second, ALPHA)}\n")
        console.expect("Connection successful!")
        assert console.ended() == 0


@pytest.mark.usefixtures("reader")
def test_a_lost_answer_is_not_asked_for_again(place: Place) -> None:
    """After an answer was lost, Stripe is not asked again, and the user is told what is safe."""
    place.stripe.faults.add(Fault(match="/oauth/token", reset=True))
    with place.connect() as console:
        address = place.approve(console.link(), ALPHA)
        console.expect("> ")
        console.type(f"{address}\n")
        console.expect("✗ Stripe may have connected the account, but its answer was lost")
        assert console.ended() == 1
    assert place.exchanges == 1


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("keep", [True, False])
def test_an_empty_account_is_asked_about(place: Place, *, keep: bool) -> None:
    """An account without data is kept only if that is meant, and can be given up at once."""
    with place.connect() as console:
        address = place.approve(console.link(), EMPTY)
        console.expect("> ")
        console.type(f"{address}\n")
        console.expect("Did Stripe offer to create an account?")
        console.expect(f"Keep {EMPTY}? [y/N] ")
        console.type("y\n" if keep else "\n")
        if not keep:
            console.expect("Disconnect it, if it is not wanted? [y/N] ")
            console.type("y\n")
            console.expect(f"✓ {EMPTY} was disconnected.")
        assert console.ended() == (0 if keep else 1)
    assert place.settings.get("account_ids", []) == ([EMPTY] if keep else [])
    assert place.stripe.world.connected(EMPTY) is keep


def test_a_renewal_takes_the_same_account(place: Place, reader: str) -> None:
    """The wrong account changes nothing and can be undone; the right one renews."""
    place.configure(api_key=reader, account_ids=[ALPHA])
    before = place.config.read_bytes()
    with place.connect("--reauth", ALPHA) as console:
        console.expect(f"Access to {ALPHA} is being renewed.")
        address = place.approve(console.link(), BETA)
        console.expect("> ")
        console.type(f"{address}\n")
        console.expect(f"You approved Beta GmbH ({BETA}), US, test mode, but {ALPHA}")
        console.expect(f"{BETA} is connected to the platform, perhaps since long ago.")
        console.expect("Disconnect it, if it is not wanted? [y/N] ")
        console.type("y\n")
        console.expect(f"✓ {BETA} was disconnected.")
        assert console.ended() == 4
    assert place.config.read_bytes() == before
    with place.connect("--reauth", ALPHA) as console:
        link = console.link()
        assert "always_prompt=true" in link
        console.expect("> ")
        console.type(f"{place.approve(link, ALPHA)}\n")
        console.expect("Connection successful!")
        assert console.ended() == 0
    assert place.settings["account_ids"] == [ALPHA]


def test_an_account_in_use_is_not_undone(place: Place, reader: str) -> None:
    """Where the wrong account is one that the settings read, undoing it is not offered."""
    place.configure(api_key=reader, account_ids=[ALPHA, BETA])
    with place.connect("--reauth", ALPHA) as console:
        address = place.approve(console.link(), BETA)
        console.expect("> ")
        console.type(f"{address}\n")
        console.expect("You approved")
        assert console.ended() == 4
    assert "isconnect" not in console.seen


@pytest.mark.parametrize("question", ["Keep", "Renew"])
def test_enter_cuts_no_connection(place: Place, reader: str, question: str) -> None:
    """Stripe does not tell a new connection from an old one, so that Enter keeps it."""
    approved = EMPTY if question == "Keep" else BETA
    place.configure(api_key=reader, account_ids=[ALPHA])
    place.stripe.world.add_account(approved)
    with place.connect(*(() if question == "Keep" else ("--reauth", ALPHA))) as console:
        address = place.approve(console.link(), approved)
        console.expect("> ")
        console.type(f"{address}\n")
        if question == "Keep":
            console.expect("[y/N] ")
            console.type("\n")
        console.expect("Disconnect it, if it is not wanted? [y/N] ")
        console.type("\n")
        assert console.ended() == (1 if question == "Keep" else 4)
    assert place.stripe.world.connected(approved)


@pytest.mark.parametrize("setting", [True, "who knows"])
def test_what_is_read_with_all_is_not_undone(place: Place, reader: str, setting: object) -> None:
    """Where every connected account is read, giving one up takes a command of its own."""
    place.configure(api_key=reader, all_connected_accounts=setting)
    place.stripe.world.add_account(EMPTY)
    with place.connect() as console:
        address = place.approve(console.link(), EMPTY)
        console.expect("> ")
        console.type(f"{address}\n")
        console.expect("[y/N] ")
        console.type("\n")
        console.expect(f"disconnect {EMPTY} would give it up.")
        assert console.ended() == 1
    assert place.stripe.world.connected(EMPTY)


@pytest.mark.usefixtures("reader")
def test_what_cannot_be_saved_is_told(place: Place) -> None:
    """If the settings can no longer be written when Stripe has agreed, that is the outcome."""
    with place.connect() as console:
        address = place.approve(console.link(), ALPHA)
        console.expect("> ")
        place.config.write_text("{")
        console.type(f"{address}\n")
        console.expect("could not be saved")
        assert console.ended() == 1
    assert place.config.read_text() == "{"


@pytest.mark.usefixtures("reader")
def test_nobody_approves(place: Place) -> None:
    """After the time that was given it ends with a code of its own."""
    with place.connect("--timeout", "1") as console:
        console.expect("✗ Nobody approved within 1 second.")
        assert console.ended() == 5


@pytest.mark.usefixtures("reader")
def test_a_second_connect_is_refused(place: Place) -> None:
    """While one waits on the port, another ends at once and names it; the first goes on."""
    with place.connect() as first:
        link = first.link()
        first.expect("> ")
        second = place.run("connect", "--redirect-uri", place.redirect)
        assert second.returncode == 1
        assert f"Port {place.port}" in second.stderr
        first.type(f"{place.approve(link, ALPHA)}\n")
        first.expect("Connection successful!")
        assert first.ended() == 0


# Ctrl-C


def test_ctrl_c_at_the_secret_key(place: Place) -> None:
    """Asked for the secret key."""
    del place.environ["STRIPE_SECRET_KEY"]
    with place.connect() as console:
        console.expect("Secret key of the platform (sk_…) (not shown): ")
        cancelled(place, console)


def test_ctrl_c_at_the_client_id(place: Place) -> None:
    """Asked for the client id."""
    del place.environ["STRIPE_CLIENT_ID"]
    with place.connect() as console:
        console.expect("Client id of the platform (ca_…): ")
        cancelled(place, console)


def test_ctrl_c_while_waiting(place: Place) -> None:
    """Waiting for Stripe."""
    with place.connect() as console:
        console.expect("> ")
        assert not is_free(place.port)
        cancelled(place, console)


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("question", ["Keep", "Disconnect"])
def test_ctrl_c_at_an_empty_account(place: Place, question: str) -> None:
    """Asked what to do with an empty account."""
    with place.connect() as console:
        address = place.approve(console.link(), EMPTY)
        console.expect("> ")
        console.type(f"{address}\n")
        console.expect("[y/N] ")
        if question == "Disconnect":
            console.type("n\n")
            console.expect("Disconnect it, if it is not wanted? [y/N] ")
        cancelled(place, console)
    assert "account_ids" not in place.settings


def test_ctrl_c_at_saving_the_key(place: Place) -> None:
    """Asked whether to save the key; the account is saved by then."""
    with place.connect() as console:
        address = place.approve(console.link(), ALPHA)
        console.expect("> ")
        console.type(f"{address}\n")
        console.expect("[y/N] ")
        cancelled(place, console)
    assert place.settings == {"account_ids": [ALPHA]}


def test_ctrl_c_at_ones_own_key(place: Place) -> None:
    """Asked for a restricted key, and whether to save one that lacks a permission."""
    with place.console("connect", "--own", "--test") as console:
        console.expect("Paste the restricted key (rk_…) (not shown): ")
        cancelled(place, console)
    place.stripe.world.add_key(READ_KEY, permissions=["rak_charge_read"])
    with place.console("connect", "--own", "--test") as console:
        console.expect("(not shown): ")
        console.type(f"{READ_KEY}\n")
        console.expect("Save the key all the same? [y/N] ")
        cancelled(place, console)


def test_ctrl_c_at_disconnecting(place: Place) -> None:
    """Asked whether to disconnect."""
    place.configure(account_ids=[ALPHA])
    with place.console("disconnect", ALPHA) as console:
        console.expect("Disconnect? [y/N] ")
        cancelled(place, console)
    assert place.settings == {"account_ids": [ALPHA]}


def test_the_end_of_input_at_a_question_cancels(place: Place) -> None:
    """Ctrl-D at a question is an end like Ctrl-C."""
    del place.environ["STRIPE_CLIENT_ID"]
    with place.connect() as console:
        console.expect("(ca_…): ")
        console.type(CTRL_D)
        assert console.ended() == 130
        assert console.seen.endswith("✗ Cancelled.\n")


def test_an_interrupt_that_comes_twice_is_one() -> None:
    """Meltano passes Ctrl-C on although it has come already; the second is not heard."""
    heard = 0
    before = signal.signal(signal.SIGINT, _interrupt)
    try:
        for _ in range(2):
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                heard += 1
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == 1


def test_meltano_does_not_come_between(place: Place) -> None:
    """Where standard error is a log, questions and answers still go through the terminal."""
    del place.environ["STRIPE_SECRET_KEY"]
    with place.beneath_meltano("connect", "--redirect-uri", place.redirect) as console:
        console.expect("(not shown): ")
        console.type(f"{place.stripe.api_key}\n")
        address = place.approve(console.link(), ALPHA)
        console.expect("> ")
        console.type(f"{address}\n")
        console.expect("Connection successful!")
        console.expect("[y/N] ")
        console.type("y\n")
        assert console.ended() == 0
        assert place.stripe.api_key not in console.seen
        assert not console.log()
        assert not console.result()
    assert place.settings["account_ids"] == [ALPHA]


# Secrets


def test_secrets_stay_where_they_belong(place: Place) -> None:
    """A key that is typed is shown nowhere, is no argument of a process, and is in no file."""
    secret = place.environ.pop("STRIPE_SECRET_KEY")
    with place.connect() as console:
        console.expect("(not shown): ")
        console.type(f"{secret}\n")
        link = console.link()
        console.expect("> ")
        for name in ("cmdline", "environ"):
            assert secret.encode() not in Path(f"/proc/{console.pid}/{name}").read_bytes()
        address = place.approve(link, ALPHA)
        requests.get(address, timeout=120)
        console.expect("[y/N] ")
        console.type("n\n")
        console.expect("> ")
        console.type("\n")
        assert console.ended() == 0
        shown = console.seen + console.result()
    code = address.partition("code=")[2].partition("&")[0]
    assert secret not in shown
    assert code not in shown
    kept = b"".join(path.read_bytes() for path in place.folder.rglob("*") if path.is_file())
    assert secret.encode() not in kept
    assert code.encode() not in kept
    assert place.settings == {"account_ids": [ALPHA]}


def test_ones_own_key_is_checked_and_saved(place: Place) -> None:
    """The form and the list of permissions come first; the pasted key is not shown, but saved."""
    place.stripe.world.add_key(READ_KEY)
    with place.console("connect", "--own", "--test") as console:
        console.expect("https://dashboard.stripe.com/test/apikeys/create?name=tap-stripe-connect")
        console.expect("rak_charge_read")
        console.expect("(not shown): ")
        console.type(f"{READ_KEY}\n")
        console.expect("The key opens")
        console.expect("✓ charges")
        console.expect("Saved to config.json (0600): api_key")
        assert console.ended() == 0
        assert READ_KEY not in console.seen + console.result()
    assert place.settings == {"api_key": READ_KEY}


def test_a_key_of_the_other_mode_is_replaced_on_purpose_only(place: Place) -> None:
    """Replacing a live key by a test key takes a yes that is not the default."""
    place.stripe.world.add_key(READ_KEY)
    place.configure(api_key="rk_live_1PlantedLive")
    for answer, code, key in (("", 1, "rk_live_1PlantedLive"), ("y", 0, READ_KEY)):
        with place.console("connect", "--own") as console:
            console.expect("(not shown): ")
            console.type(f"{READ_KEY}\n")
            console.expect("has the restricted live key ending in Live. Replace it by the")
            console.expect("[y/N] ")
            console.type(f"{answer}\n")
            assert console.ended() == code
        assert place.settings == {"api_key": key}


# Disconnecting


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_disconnecting_is_confirmed(place: Place, answer: str, code: int) -> None:
    """In test mode a yes is enough; Stripe is told first, then the settings."""
    place.stripe.world.add_account("acct_1Connected")
    place.configure(account_ids=["acct_1Connected", ALPHA])
    with place.console("disconnect", "acct_1Connected") as console:
        console.expect("This withdraws the access of")
        console.expect("Disconnect? [y/N] ")
        console.type(f"{answer}\n")
        assert console.ended() == code
    left = [ALPHA] if answer == "y" else ["acct_1Connected", ALPHA]
    assert place.settings == {"account_ids": left}
    assert place.stripe.journal.count(path="/oauth/deauthorize") == (answer == "y")


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Place]:
    """Return a place in live mode."""
    with Simulator(World(now=NOW, livemode=True)) as stripe:
        stripe.world.add_signup(ALPHA, name="Alpha GmbH").create("customer", {"id": "cus_1"})
        place = Place(tmp_path, stripe)
        place.environ["STRIPE_CLIENT_ID"] = "ca_1Live"
        yield place


def test_live_mode_goes_by_pasting(live: Place) -> None:
    """In live mode the browser cannot come back; it is said before, and pasting connects."""
    secure = f"https://localhost:{live.port}/callback"
    live.configure(api_key=live.stripe.api_key)
    with live.console("connect", "--redirect-uri", secure) as console:
        console.expect("Mode       live mode")
        link = console.link()
        console.expect(f"the browser will fail to open {secure}; that is expected")
        console.expect("> ")
        address = live.approve(link, ALPHA)
        assert address.startswith(secure)
        console.type(f"{address}\n")
        console.expect("Connection successful! Alpha GmbH (acct_1Alpha), US, live mode")
        assert console.ended() == 0
    assert live.settings["account_ids"] == [ALPHA]


@pytest.mark.parametrize("typed", ["", "y", ALPHA])
def test_giving_up_in_live_mode_is_typed(live: Place, typed: str) -> None:
    """In live mode an account that was not meant is given up by its id, and not by a yes."""
    secure = f"https://localhost:{live.port}/callback"
    live.configure(api_key=live.stripe.api_key, account_ids=[BETA])
    arguments = ("--redirect-uri", secure, "--reauth", BETA)
    with live.console("connect", *arguments) as console:
        address = live.approve(console.link(), ALPHA)
        console.expect("> ")
        console.type(f"{address}\n")
        console.expect(f"Type {ALPHA} to disconnect it if it is not wanted, or Enter to keep it: ")
        console.type(f"{typed}\n")
        assert console.ended() == 4
    assert live.stripe.world.connected(ALPHA) is (typed != ALPHA)


@pytest.mark.parametrize(("typed", "code"), [(BETA, 1), ("y", 1), (ALPHA, 0)])
def test_disconnecting_in_live_mode_is_typed(live: Place, typed: str, code: int) -> None:
    """In live mode the id has to be typed, even with --yes."""
    live.stripe.world.add_account(ALPHA)
    live.configure(account_ids=[ALPHA])
    with live.console("disconnect", ALPHA, "--yes") as console:
        console.expect(f"Type {ALPHA} to confirm: ")
        console.type(f"{typed}\n")
        assert console.ended() == code
    assert live.stripe.world.connected(ALPHA) is (code == 1)
    assert live.settings == {"account_ids": [ALPHA] if code else []}
