"""`connect`, `status` and `disconnect` without a terminal, as scripts and schedulers run them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
import requests

from tap_stripe_connect.simulator.connect.registry import Client
from tap_stripe_connect.simulator.faults import Fault
from tests.connect.console import LINK

if TYPE_CHECKING:
    from tests.connect.console import Place

ALPHA, BETA, EMPTY = "acct_1Alpha", "acct_1Beta", "acct_1Empty"
READ_KEY = "rk_test_1PlantedReader"
LIVE_KEY = "rk_live_1PlantedLive"


@pytest.fixture
def reader(place: Place) -> str:
    """Give the settings a key to read with."""
    place.stripe.world.add_key(READ_KEY)
    place.configure(api_key=READ_KEY)
    return READ_KEY


def lone_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return the line that tells a failure; there is one, and no traceback."""
    assert "Traceback" not in done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("✗"))
    return line


# Nobody to ask


@pytest.mark.parametrize(
    ("missing", "arguments", "named"),
    [
        ("STRIPE_SECRET_KEY", ["connect"], "--secret-file"),
        ("STRIPE_CLIENT_ID", ["connect"], "--client-id"),
        ("STRIPE_CLIENT_ID", ["connect", "--start", "--test"], "--client-id"),
        ("STRIPE_SECRET_KEY", ["connect", "--start"], "--test or --live"),
        ("", ["connect", "--own"], "--secret-file"),
        ("", ["connect", "--live"], "--live or --test"),
        ("STRIPE_SECRET_KEY", ["disconnect", ALPHA], "--secret-file"),
        ("", ["disconnect", ALPHA], "--yes"),
    ],
)
def test_what_is_missing_is_named(
    place: Place, missing: str, arguments: list[str], named: str
) -> None:
    """Without a terminal nothing is asked and nothing hangs: what to give is said."""
    place.environ.pop(missing, None)
    done = place.run(*arguments)
    assert done.returncode == (4 if "--live" in arguments else 2)
    assert lone_line(done)
    assert named in done.stderr
    assert not done.stdout


def test_live_mode_without_a_terminal_needs_two_steps(place: Place) -> None:
    """Where the answer can only be pasted, and nobody can paste it, the other form is named."""
    elsewhere = "http://example.com/callback"
    client = Client(id="ca_1Elsewhere", redirect_uris=(elsewhere,))
    place.stripe.world.connect.add_client(client)
    done = place.run("connect", "--redirect-uri", elsewhere, "--client-id", client.id)
    assert done.returncode == 2
    assert "--start" in done.stderr


def test_closed_input_is_no_input(place: Place) -> None:
    """With standard input closed altogether it ends the same way."""
    del place.environ["STRIPE_CLIENT_ID"]
    command = f"exec {sys.executable} -m tap_stripe_connect connect <&-"
    done = subprocess.run(  # noqa: S602 - only a shell can close the descriptor
        command,
        shell=True,
        cwd=place.folder,
        env=place.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2
    assert "--client-id" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["connect", "--config", "a.json", "--dotenv", ".env"],
        ["connect", "--own", "--start"],
        ["connect", "--complete", "address"],
        ["connect", "--reauth", "Alpha"],
        ["connect", "--own", "--streams", "charges,nonsense"],
        ["connect", "--lang", "xx"],
        ["disconnect", "Alpha"],
        ["disconnect"],
    ],
)
def test_wrong_usage_is_refused(place: Place, arguments: list[str]) -> None:
    """What makes no sense is told before anything is done."""
    done = place.run(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not place.stripe.journal.requests


# With the browser alone


@pytest.mark.parametrize(
    ("account", "decision", "arguments", "code"),
    [
        (ALPHA, "allow", [], 0),
        (ALPHA, "deny", [], 3),
        (EMPTY, "allow", [], 1),
        (EMPTY, "allow", ["--yes"], 0),
    ],
)
@pytest.mark.usefixtures("reader")
def test_it_ends_with_the_browsers_answer(
    place: Place, account: str, decision: str, arguments: list[str], code: int
) -> None:
    """Without a terminal it waits for the browser, and ends once its page is delivered."""
    command = [sys.executable, "-m", "tap_stripe_connect", "connect"]
    with subprocess.Popen(  # noqa: S603 - our own program
        [*command, "--redirect-uri", place.redirect, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=place.folder,
        env=place.environ,
    ) as process:
        assert process.stderr
        assert process.stdout
        link = next(found[0] for line in process.stderr if (found := LINK.search(line)))
        next(line for line in process.stderr if line.startswith("Waiting for Stripe"))
        page = requests.get(place.approve(link, account, decision), timeout=120)
        assert page.status_code == 200
        rest = process.stderr.read()
        assert process.wait(120) == code
        assert not process.stdout.read()
    assert place.settings.get("account_ids", []) == ([] if code else [account])
    assert place.exchanges == (decision == "allow")
    assert READ_KEY not in rest


# Two steps


def start(place: Place, *arguments: str) -> str:
    """Take the first of the two steps, and return the link."""
    done = place.run("connect", "--start", "--redirect-uri", place.redirect, "--test", *arguments)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["next_step"] == "tap-stripe-connect connect --config config.json --complete -"
    return str(answer["browser_url"])


@pytest.mark.usefixtures("reader")
def test_two_steps_connect(place: Place) -> None:
    """The link comes as JSON, the address goes in on standard input, and that works once."""
    address = place.approve(start(place), ALPHA)
    done = place.run("connect", "--complete", "-", stdin=f"{address}\n")
    assert done.returncode == 0, done.stderr
    assert not done.stdout
    assert place.settings["account_ids"] == [ALPHA]
    again = place.run("connect", "--complete", "-", stdin=address)
    assert again.returncode == 2
    assert "complete already" in lone_line(again)
    assert place.exchanges == 1
    assert sorted(path.name for path in place.folder.iterdir()) == ["config.json"]


@pytest.mark.usefixtures("reader")
def test_two_steps_renew(place: Place) -> None:
    """What is being renewed is remembered between the steps."""
    place.configure(api_key=READ_KEY, account_ids=[ALPHA])
    link = start(place, "--reauth", ALPHA)
    done = place.run("connect", "--complete", "-", stdin=place.approve(link, BETA))
    assert done.returncode == 4
    assert place.settings["account_ids"] == [ALPHA]


@pytest.mark.usefixtures("reader")
def test_an_address_of_another_attempt_spends_nothing(place: Place) -> None:
    """A wrong address leaves the attempt open for the right one."""
    older = place.approve(start(place), ALPHA)
    newer = place.approve(start(place), ALPHA)
    for wrong in (older, "ac_123456", "", newer + "&state=other"):
        done = place.run("connect", "--complete", "-", stdin=wrong)
        if wrong.startswith(newer):
            assert "twice" in lone_line(done)
        else:
            assert done.returncode == 1, done.stderr
            assert place.exchanges == 0
    assert place.exchanges == 0


@pytest.mark.usefixtures("reader")
def test_steps_that_come_at_once_exchange_once(place: Place) -> None:
    """The same address given to two processes at once is presented to Stripe once."""
    address = place.approve(start(place), ALPHA)
    codes: list[int] = []

    def complete() -> None:
        codes.append(place.run("connect", "--complete", "-", stdin=address).returncode)

    threads = [threading.Thread(target=complete) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [0, 2, 2]
    assert place.exchanges == 1


# Settings


def test_meltano_tells_where_to_write(place: Place) -> None:
    """Called by Meltano it writes the project's .env, for that plugin, and names its commands."""
    root = place.folder / "project"
    root.mkdir()
    env = root / ".env"
    env.write_text("# mine\r\nOTHER='x'\r\n")
    place.environ |= {
        "MELTANO_PROJECT_ROOT": str(root),
        "MELTANO_EXTRACTOR_NAME": "tap-stripe-connect--two",
        "TAP_STRIPE_CONNECT__TWO_API_URL": place.stripe.url,
        "TAP_STRIPE_CONNECT__TWO_ACCOUNT_IDS": f'["{BETA}"]',
    }
    link = place.run("connect", "--start", "--redirect-uri", place.redirect, "--test")
    answer = json.loads(link.stdout)
    assert answer["next_step"] == "meltano invoke tap-stripe-connect--two:connect --complete -"
    address = place.approve(answer["browser_url"], ALPHA)
    done = place.run("connect", "--complete", "-", "--yes", stdin=address)
    assert done.returncode == 0, done.stderr
    assert "Next: meltano config test tap-stripe-connect--two" in done.stderr
    assert env.read_bytes().decode() == (
        "# mine\r\nOTHER='x'\r\n"
        f"""TAP_STRIPE_CONNECT__TWO_ACCOUNT_IDS='["{BETA}","{ALPHA}"]'\r\n"""
        f"TAP_STRIPE_CONNECT__TWO_API_KEY='{place.stripe.api_key}'\r\n"
    )


@pytest.mark.parametrize("command", [["connect"], ["status"], ["disconnect", ALPHA, "--yes"]])
def test_settings_that_cannot_be_read_are_left_alone(place: Place, command: list[str]) -> None:
    """Invalid JSON is told in a line, and neither read past nor written over."""
    place.config.write_text("{// mine\n}")
    done = place.run(*command)
    assert done.returncode == 1
    assert "not valid JSON" in lone_line(done)
    assert place.config.read_text() == "{// mine\n}"


@pytest.mark.parametrize(
    "settings", [{"api_key": "pk_test_1Planted"}, {"api_url": "nowhere"}, {"account_ids": ["x"]}]
)
def test_settings_without_sense_are_told(place: Place, settings: dict[str, object]) -> None:
    """A setting the tap would refuse is refused here, without repeating a key."""
    place.configure(**settings)
    done = place.run("status")
    assert done.returncode in {1, 2}
    assert next(iter(settings)) in lone_line(done)
    assert "Planted" not in done.stderr


def test_modes_are_not_mixed(place: Place) -> None:
    """Accounts of test mode are not saved beside a live key."""
    place.configure(api_key=LIVE_KEY)
    done = place.run("connect", "--redirect-uri", place.redirect)
    assert done.returncode == 4
    assert "not of test mode" in lone_line(done)
    assert place.settings == {"api_key": LIVE_KEY}


def test_stripe_is_asked_before_a_browser_is(place: Place) -> None:
    """An address that is not registered is told at once, with the line to paste."""
    done = place.run("connect", "--redirect-uri", "http://localhost:1/other")
    assert done.returncode == 1
    assert "does not accept this redirect address" in lone_line(done)
    assert "  http://localhost:1/other\n" in done.stderr


# One's own key


def test_ones_own_key_from_a_pipe(place: Place) -> None:
    """A key on standard input is checked, stream by stream, and saved; it is told nowhere."""
    place.stripe.world.add_key(READ_KEY)
    done = place.run("connect", "--own", "--secret-file", "-", stdin=f'\ufeff "{READ_KEY}"\r\n')
    assert done.returncode == 0, done.stderr
    assert "✓ charges" in done.stderr
    assert READ_KEY not in done.stderr + done.stdout
    assert place.settings == {"api_key": READ_KEY}


@pytest.mark.parametrize(
    ("key", "arguments", "code", "said"),
    [
        ("pk_test_1Planted", [], 2, "publishable"),
        ("acct_1Planted", [], 2, "not a Stripe key"),
        ("sk_test_1Unknown", [], 1, "does not accept the key"),
        (READ_KEY, ["--live"], 4, "not of live mode"),
    ],
)
def test_keys_that_read_nothing_are_refused(
    place: Place, key: str, arguments: list[str], code: int, said: str
) -> None:
    """A key that is none, that Stripe does not know, or of the other mode is not saved."""
    place.stripe.world.add_key(READ_KEY)
    done = place.run("connect", "--own", "--secret-file", "-", *arguments, stdin=key)
    assert done.returncode == code
    assert said in lone_line(done)
    assert key not in done.stderr
    assert place.settings == {}


@pytest.mark.parametrize("agreed", [True, False])
def test_missing_permissions_are_named(place: Place, *, agreed: bool) -> None:
    """Each stream says which permission it lacks, and the key is saved only if that is meant."""
    place.stripe.world.add_key(READ_KEY, permissions=["rak_charge_read", "rak_event_read"])
    options = ["--yes"] * agreed
    done = place.run("connect", "--own", "--secret-file", "-", *options, stdin=READ_KEY)
    assert done.returncode == (0 if agreed else 1)
    assert "✓ charges" in done.stderr
    assert re.search(r"✗ invoices +lacks rak_invoice_read", done.stderr)
    assert place.settings == ({"api_key": READ_KEY} if agreed else {})


def test_only_the_streams_that_are_wanted_are_checked(place: Place) -> None:
    """A key for some streams is enough for them."""
    place.stripe.world.add_key(READ_KEY, permissions=["rak_charge_read", "rak_event_read"])
    wanted = ["--streams", "charges, events"]
    done = place.run("connect", "--own", "--secret-file", "-", *wanted, stdin=READ_KEY)
    assert done.returncode == 0
    assert "invoices" not in done.stderr


@pytest.mark.parametrize(
    ("before", "arguments", "code"),
    [
        ("rk_test_1Older", [], 2),
        ("rk_test_1Older", ["--yes"], 0),
        (LIVE_KEY, ["--yes"], 2),
        (LIVE_KEY, ["--yes", "--test"], 0),
    ],
)
def test_another_key_is_not_replaced_silently(
    place: Place, before: str, arguments: list[str], code: int
) -> None:
    """Replacing a key takes a yes, and one of the other mode takes the mode as well."""
    place.stripe.world.add_key(READ_KEY)
    place.configure(api_key=before)
    done = place.run("connect", "--own", "--secret-file", "-", *arguments, stdin=READ_KEY)
    assert done.returncode == code, done.stderr
    assert place.settings == {"api_key": before if code else READ_KEY}


def test_a_secret_file_is_read(place: Place) -> None:
    """A file can hold the key; one that cannot be read is named."""
    place.stripe.world.add_key(READ_KEY)
    secret = place.folder / "secret"
    secret.write_text(f"{READ_KEY}\n")
    assert place.run("connect", "--own", "--secret-file", "secret").returncode == 0
    assert place.settings == {"api_key": READ_KEY}
    secret.write_bytes(b"\xff\xfe")
    for name in ("secret", "missing"):
        done = place.run("connect", "--own", "--secret-file", name)
        assert done.returncode == 2
        assert name in lone_line(done)


# Where keys go


@pytest.mark.parametrize(
    "command", [["connect"], ["connect", "--own"], ["status"], ["disconnect", ALPHA]]
)
def test_it_is_said_where_keys_go(place: Place, command: list[str]) -> None:
    """The settings file, and an address that is not Stripe's, are told before a key is asked."""
    del place.environ["STRIPE_SECRET_KEY"]
    done = place.run(*command)
    file, address, *rest = done.stderr.splitlines()
    assert file == "Settings file: config.json"
    assert address == f"! Keys are sent to {place.stripe.url}, not to Stripe: api_url says so."
    assert rest
    place.configure(api_url="https://api.stripe.com/")
    assert "Keys are sent" not in place.run("connect", "--own").stderr


@pytest.mark.parametrize(
    "command", [["connect"], ["connect", "--own"], ["status"], ["disconnect", ALPHA]]
)
@pytest.mark.parametrize("host", ["127.0.0.2", "stripe.example", "localhost.example"])
def test_keys_do_not_travel_unencrypted(place: Place, command: list[str], host: str) -> None:
    """Plain http is for this very machine; elsewhere nothing is asked for or sent."""
    place.configure(api_url=f"http://{host}:1", api_key=READ_KEY)
    done = place.run(*command)
    assert done.returncode == 2
    assert "unencrypted" in lone_line(done)


@pytest.mark.parametrize(
    ("settings", "command", "code"),
    [
        ({"all_connected_accounts": "maybe"}, ["status"], 2),
        ({"account_ids": {"a": 1}}, ["status"], 1),
        ({}, ["connect", "--redirect-uri", "http://localhost:99999/callback"], 2),
        ({}, ["connect", "--redirect-uri", "http://[::1/callback"], 2),
    ],
)
def test_nonsense_is_told_in_a_line(
    place: Place, settings: dict[str, object], command: list[str], code: int
) -> None:
    """Values that cannot be are named, without a traceback."""
    place.configure(**settings)
    done = place.run(*command)
    assert done.returncode == code
    assert lone_line(done)


def test_an_organisations_key_is_told_apart(place: Place) -> None:
    """It has no account of its own, which is said before it is sent anywhere."""
    key = place.stripe.world.add_organization_key("sk_org_test_1Planted", accounts=[])
    done = place.run("connect", "--own", "--secret-file", "-", stdin=key)
    assert done.returncode == 2
    assert "organisation's key" in lone_line(done)
    assert not place.stripe.journal.requests


@pytest.mark.parametrize("parents", [READ_KEY, "rk_test_1Older", LIVE_KEY])
def test_a_key_of_the_parent_plugin_is_saved_for_the_child(place: Place, parents: str) -> None:
    """What Meltano hands on is not the plugin's own, so that saving it is no matter of course."""
    place.stripe.world.add_key(READ_KEY)
    env = place.folder / ".env"
    env.write_text(f"TAP_STRIPE_CONNECT_API_KEY={parents}\n")
    place.environ |= {
        "MELTANO_PROJECT_ROOT": str(place.folder),
        "MELTANO_EXTRACTOR_NAME": "tap-stripe-connect--two",
        "TAP_STRIPE_CONNECT__TWO_API_URL": place.stripe.url,
        "TAP_STRIPE_CONNECT__TWO_API_KEY": parents,
    }
    done = place.run("connect", "--own", "--secret-file", "-", stdin=READ_KEY)
    assert done.returncode == 0, done.stderr
    assert "(0600): TAP_STRIPE_CONNECT__TWO_API_KEY\n" in done.stderr
    assert f"TAP_STRIPE_CONNECT__TWO_API_KEY='{READ_KEY}'\n" in env.read_text()


# Status


def test_status_says_that_the_key_is_wrong(place: Place) -> None:
    """Where Stripe does not accept the key, that is told; renewing accounts would not help."""
    place.configure(api_key="rk_test_1Unknown", account_ids=[ALPHA])
    for ids in ([ALPHA], []):
        place.configure(api_key="rk_test_1Unknown", account_ids=ids)
        done = place.run("status")
        assert done.returncode == 1
        assert "check api_key" in done.stdout
        assert "--reauth" not in done.stdout


def test_status_of_an_organisation(place: Place) -> None:
    """Its accounts, and those connected to its platforms, are looked at where they are."""
    world = place.stripe.world
    world.add_account(ALPHA)
    key = world.add_organization_key("sk_org_test_1Planted", accounts=[world.platform.id])
    place.configure(api_key=key, account_ids=[world.platform.id, f"{world.platform.id}/{ALPHA}"])
    done = place.run("status", "--json")
    assert done.returncode == 0, done.stdout
    own, connected = json.loads(done.stdout)["accounts"]
    assert own["id"] == world.platform.id
    assert connected["id"] == f"{world.platform.id}/{ALPHA}"
    assert connected["name"] == "Alpha GmbH"
    assert "/v1/account" in {request.path for request in place.stripe.journal.requests}
    place.configure(api_key=key)
    done = place.run("status")
    assert done.returncode == 1
    assert "account_ids names, and it names none" in done.stderr


def test_status_tells_access_and_repair(place: Place, reader: str) -> None:
    """Each account with name, mode and access, and for those that are denied what repairs them."""
    place.stripe.world.add_account(ALPHA)
    place.configure(api_key=reader, account_ids=[ALPHA, BETA])
    done = place.run("status")
    assert done.returncode == 1
    head, alpha, beta = (line.split() for line in done.stdout.splitlines())
    assert head == ["ACCOUNT", "NAME", "MODE", "ACCESS", "NOTE"]
    assert alpha == [ALPHA, "Alpha", "GmbH", "test", "ok"]
    assert beta[:4] == [BETA, "-", "test", "denied"]
    repair = f"tap-stripe-connect connect --config config.json --reauth {BETA}"
    assert " ".join(beta[4:]) == f"run: {repair}"
    assert "restricted test key ending in ader" in done.stderr
    document = json.loads(place.run("status", "--json").stdout)
    assert [each["access"] for each in document["accounts"]] == ["ok", "denied"]
    assert [each["repair"] for each in document["accounts"]] == ["", repair]
    assert reader not in json.dumps(document) + done.stderr + done.stdout


def test_status_of_nothing_says_what_to_do(place: Place) -> None:
    """Without a key nothing can be read, and the command that changes it is named."""
    done = place.run("status")
    assert done.returncode == 1
    assert "Run tap-stripe-connect connect" in done.stderr


def test_status_of_ones_own_key(place: Place, reader: str) -> None:
    """Without accounts in the settings the key's own is shown."""
    del reader
    done = place.run("status", "--json")
    assert done.returncode == 0
    (own,) = json.loads(done.stdout)["accounts"]
    assert own["id"] == place.stripe.world.platform.id


def test_names_do_not_control_the_terminal(place: Place, reader: str) -> None:
    """Escapes and reordered letters in a name an owner chose are harmless."""
    loud = "A\x1b]0;title\x07\u202egnp\n<b>" + "x" * 500
    place.stripe.world.add_signup(ALPHA, name=loud)
    place.stripe.world.add_account(ALPHA)
    place.configure(api_key=reader, account_ids=[ALPHA])
    done = place.run("status")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
    assert not {"\x1b", "\x07", "\u202e"} & set(done.stdout)
    assert max(map(len, done.stdout.splitlines())) < 150


# Disconnecting


def test_disconnecting_leaves_both_sides(place: Place) -> None:
    """Access ends at Stripe and the settings forget the account; again, it was not connected."""
    place.stripe.world.add_account(ALPHA)
    place.configure(account_ids=[ALPHA, BETA])
    done = place.run("disconnect", ALPHA, "--yes")
    assert done.returncode == 0, done.stderr
    assert not place.stripe.world.connected(ALPHA)
    assert place.settings == {"account_ids": [BETA]}
    done = place.run("disconnect", BETA, "--yes")
    assert done.returncode == 0
    assert "was not connected any more" in done.stderr
    assert "No connected account is left" in done.stderr
    assert place.settings == {"account_ids": []}


def test_what_is_read_after_the_last_account_is_told(place: Place) -> None:
    """With all_connected_accounts the others are still read; remarks are shown here as well."""
    place.stripe.world.add_account(ALPHA)
    place.configure(account_ids=[ALPHA], all_connected_accounts=True)
    place.config.chmod(0o644)
    done = place.run("disconnect", ALPHA, "--yes")
    assert done.returncode == 0, done.stderr
    assert "every one still connected" in done.stderr
    assert "No connected account is left" not in done.stderr
    assert "can be read by others" in done.stderr


def test_settings_outlast_a_stripe_that_is_down(place: Place) -> None:
    """If Stripe does not say that access ended, the settings keep the account."""
    place.stripe.world.add_account(ALPHA)
    place.configure(account_ids=[ALPHA])
    place.stripe.faults.add(Fault(match="/oauth/deauthorize", status=500))
    done = place.run("disconnect", ALPHA, "--yes")
    assert done.returncode == 1
    assert lone_line(done)
    assert place.settings == {"account_ids": [ALPHA]}


def test_an_account_the_platform_controls_stays(place: Place) -> None:
    """What Stripe does not disconnect is told, and stays in the settings."""
    platform = place.stripe.world.platform.id
    place.stripe.world.add_signup(ALPHA, controlled_by=platform)
    place.stripe.world.add_account(ALPHA)
    place.configure(account_ids=[ALPHA])
    done = place.run("disconnect", ALPHA, "--yes")
    assert done.returncode == 1
    assert "controls this account" in lone_line(done)
    assert place.settings == {"account_ids": [ALPHA]}
