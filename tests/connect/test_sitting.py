"""One run of `connect`: links, answers, outcomes, and exactly one exchange for each."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tap_stripe_connect.catalog import STREAMS
from tap_stripe_connect.connect import oauth
from tap_stripe_connect.connect.account import Glance
from tap_stripe_connect.connect.address import landed
from tap_stripe_connect.connect.attempt import Attempt
from tap_stripe_connect.connect.oauth import Application, deauthorize
from tap_stripe_connect.connect.outcome import Access, ConnectedAccount, Exit, Kind, Outcome
from tap_stripe_connect.connect.refusals import Refusal
from tap_stripe_connect.connect.sitting import Sitting
from tap_stripe_connect.connect.store import StoreFault
from tap_stripe_connect.simulator.faults import Fault
from tests.simulator.oauth import ACCOUNT, CALLBACK, Platform

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_stripe_connect.simulator.server import Simulator

OTHER = "acct_1Other"
OWN = "acct_1Simulator"
TOKEN = "/oauth/token"


class Stage:
    """A platform, an account to connect, and what a sitting has saved."""

    def __init__(self, stripe: Simulator) -> None:
        """Let two accounts sign up, one of them with a charge."""
        self.stripe = stripe
        self.platform = Platform(stripe)
        stripe.world.add_signup(ACCOUNT, name="Example").create("charge", {})
        stripe.world.add_signup(OTHER, name="Other").create("charge", {})
        self.application = Application("ca_1Test", CALLBACK, livemode=False, url=stripe.url)
        self.saved: list[str] = []

    def sitting(self, **given: Any) -> Sitting:
        """Sit down, with the platform's secret key unless another is given."""
        url = self.stripe.url
        usual: dict[str, Any] = {
            "application": self.application,
            "secret_key": self.stripe.api_key,
            "api_url": url,
            "read_key": "",
            "saved": lambda found: self.saved.append(found.id),
        }
        return Sitting(**usual | given)

    def answer(self, link: str, account: str = ACCOUNT, decision: str = "allow") -> str:
        """Let an account decide at Stripe, and return the address that it lands on."""
        form = {"account": account, "decision": decision}
        answer = requests.post(link, data=form, allow_redirects=False, timeout=120)
        return str(answer.headers["Location"])

    def finish(self, sitting: Sitting, account: str = ACCOUNT, decision: str = "allow") -> Outcome:
        """Go through an attempt from link to outcome."""
        return sitting.finish(landed(self.answer(sitting.link(), account, decision)))

    @property
    def exchanges(self) -> int:
        """How often a code was presented."""
        return self.stripe.journal.count(path=TOKEN)


@pytest.fixture
def stage(stripe: Simulator, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A platform at the simulated Stripe, which nobody waits for in vain."""
    monkeypatch.setattr(Glance, "backoff", 0.0)
    return Stage(stripe)


def told(sitting: Sitting) -> list[Outcome]:
    """Return what the terminal hears."""
    return [sitting.outcomes.get_nowait() for _ in range(sitting.outcomes.qsize())]


def test_an_account_is_connected_looked_at_and_saved(stage: Stage) -> None:
    """One exchange, then the account by its name, and it is saved before anybody is told."""
    sitting = stage.sitting(saved=lambda found: stage.saved.append(found.name))
    assert sitting.platform.id == OWN
    assert sitting.accounts() == []
    outcome = stage.finish(sitting)
    assert outcome.kind is Kind.CONNECTED
    assert outcome.line == "Connection successful! Example (acct_1Example), US, test mode"
    assert outcome.account == ConnectedAccount(ACCOUNT, name="Example", country="US")
    assert stage.saved == ["Example"]
    assert told(sitting) == [outcome]
    assert sitting.accounts() == [outcome.account]
    assert stage.exchanges == 1


def test_links_are_the_same_until_used(stage: Stage) -> None:
    """Terminal and page hand out one link; a second account gets a new one in the same sitting."""
    sitting = stage.sitting()
    first = sitting.link()
    assert sitting.link() == first
    stage.finish(sitting)
    second = sitting.link()
    assert second != first
    assert stage.finish(sitting, OTHER).kind is Kind.CONNECTED
    assert [account.id for account in sitting.accounts()] == [ACCOUNT, OTHER]
    assert stage.saved == [ACCOUNT, OTHER]


def test_expired_links_are_replaced(stage: Stage) -> None:
    """A link whose time is over is not handed out; whoever comes by it is told, nothing is sent."""
    now = 0.0
    old = Attempt(stage.application, clock=lambda: now)
    sitting = stage.sitting(attempt=old)
    assert sitting.link() == old.link
    now = 600.0
    assert sitting.link() != old.link
    outcome = sitting.finish(landed(stage.answer(old.link)))
    assert outcome.kind is Kind.EXPIRED
    assert stage.exchanges == 0
    assert stage.finish(sitting).kind is Kind.CONNECTED


def test_an_earlier_process_can_be_continued(stage: Stage) -> None:
    """The state that another process handed out is good for this one."""
    landed_on = landed(stage.answer(stage.sitting(attempt=Attempt(stage.application)).link()))
    state = dict(landed_on)["state"]
    sitting = stage.sitting(attempt=Attempt(stage.application, state=state, lifetime=60))
    assert sitting.finish(landed_on).kind is Kind.CONNECTED


@pytest.mark.parametrize("rest", ["code=ac_1Planted", "error=access_denied", "code=a&code=b", ""])
@pytest.mark.parametrize("state", ["", "state=", "state=wrong", "state=a&state=b"])
def test_foreign_answers_change_nothing(stage: Stage, state: str, rest: str) -> None:
    """Without the right state nothing is sent, denied or ended, and waiting goes on (item 1)."""
    sitting = stage.sitting()
    link = sitting.link()
    query = [tuple(pair.split("=")) for pair in f"{state}&{rest}".split("&") if pair]
    outcome = sitting.finish([(name, value) for name, value in query])
    assert outcome.kind is Kind.WRONG_SESSION
    assert not outcome.kind.final
    assert told(sitting) == []
    assert stage.exchanges == 0
    assert sitting.link() == link
    assert stage.finish(sitting).kind is Kind.CONNECTED


def test_an_earlier_sittings_answer_is_foreign(stage: Stage) -> None:
    """An old state, denied or not, is told apart, and the code in it stays unspent (item 1)."""
    for decision in ("allow", "deny"):
        earlier = landed(stage.answer(stage.sitting().link(), decision=decision))
        assert stage.sitting().finish(earlier).kind is Kind.WRONG_SESSION
    assert stage.exchanges == 0


ODD: dict[str, Callable[[Any, str], Any]] = {
    "another code": lambda query, _: [*query, ("code", "ac_1Planted")],
    "the same code": lambda query, code: [*query, ("code", code)],
    "another state": lambda query, _: [*query, ("state", "wrong")],
    "another state before": lambda query, _: [("state", "wrong"), *query],
    "an error": lambda query, _: [*query, ("error", "access_denied")],
    "a long code": lambda query, code: replaced(query, code * 1000),
    "a broken code": lambda query, code: replaced(query, f"{code}\n"),
    "no code of Stripe's": lambda query, _: replaced(query, "\xe4"),
}


def replaced(query: list[tuple[str, str]], code: str) -> list[tuple[str, str]]:
    """Return the query with another code."""
    return [(name, code if name == "code" else value) for name, value in query]


@pytest.mark.parametrize("odd", ODD)
def test_odd_answers_end_an_attempt(stage: Stage, odd: str) -> None:
    """With the right state, but doubled or damaged, an answer is refused unsent (item 2)."""
    sitting = stage.sitting()
    query = landed(stage.answer(sitting.link()))
    outcome = sitting.finish(ODD[odd](query, dict(query)["code"]))
    assert outcome.kind is Kind.FAILED
    assert told(sitting) == [outcome]
    assert stage.exchanges == 0
    assert stage.saved == []


@pytest.mark.parametrize("names", [{"state"}, {"scope", "state"}])
def test_a_cut_address_can_be_pasted_again(stage: Stage, names: set[str]) -> None:
    """Without a code the attempt stays open, because the whole address may still come."""
    sitting = stage.sitting()
    query = landed(stage.answer(sitting.link()))
    for value in (None, ""):
        cut = [pair for pair in query if pair[0] in names] + ([("code", "")] if value == "" else [])
        assert sitting.finish(cut).kind is Kind.WRONG_SESSION
    assert sitting.finish(query).kind is Kind.CONNECTED


def test_repeats_get_the_same_outcome(stage: Stage) -> None:
    """Reload and Back ask Stripe nothing, and the terminal hears the outcome once (item 7, D13)."""
    sitting = stage.sitting()
    query = landed(stage.answer(sitting.link()))
    first = sitting.finish(query)
    for _ in range(3):
        assert sitting.finish(query) is first
    assert sitting.finish([*query, ("code", "ac_1Planted")]) is first
    assert stage.exchanges == 1
    assert told(sitting) == [first]
    assert stage.saved == [ACCOUNT]
    assert stage.stripe.world.connected(ACCOUNT)


def test_parallel_answers_are_one_exchange(stage: Stage) -> None:
    """Eight at once wait for the one that asks Stripe, and learn the same (item 7, D13)."""
    sitting = stage.sitting()
    query = landed(stage.answer(sitting.link()))
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(sitting.finish, query) for _ in range(8)]
        outcomes = {id(future.result()) for future in futures}
    assert len(outcomes) == 1
    assert stage.exchanges == 1
    assert [outcome.kind for outcome in told(sitting)] == [Kind.CONNECTED]


def test_a_denial_saves_nothing(stage: Stage) -> None:
    """It ends the attempt with a sentence and its own exit code, and sends nothing."""
    sitting = stage.sitting()
    outcome = stage.finish(sitting, decision="deny")
    assert (outcome.kind, outcome.kind.exit) == (Kind.DENIED, Exit.DENIED)
    assert "Nothing was saved" in outcome.line
    assert (stage.exchanges, stage.saved) == (0, [])


def test_other_errors_are_quoted_tamely(stage: Stage) -> None:
    """A description full of markup and secrets comes out as one harmless line (item 11)."""
    sitting = stage.sitting()
    state = parse_qs(urlsplit(sitting.link()).query)["state"][0]
    text = f"<b>\x1b[2J\u202e\n{stage.stripe.api_key} {state} ac_1Planted"
    outcome = sitting.finish(
        [("error", "odd"), ("error_description", text + "x" * 9000), ("state", state)]
    )
    assert outcome.kind is Kind.FAILED
    assert outcome.line.isprintable()
    assert len(outcome.line) < 250
    for secret in (stage.stripe.api_key, state, "1Planted"):
        assert secret not in repr(outcome)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(status=500), Kind.FAILED),
        (Fault(reset=True), Kind.FAILED),
        (Fault(body={}), Kind.FAILED),
        (
            Fault(status=400, body={"error": "invalid_grant", "error_description": "code expired"}),
            Kind.EXPIRED,
        ),
    ],
    ids=repr,
)
def test_a_failed_exchange_is_not_repeated(stage: Stage, fault: Fault, kind: Kind) -> None:
    """Neither the sitting nor who comes again asks twice; the next link works."""
    sitting = stage.sitting()
    fault.match, fault.times = f"^{TOKEN}", 1
    stage.stripe.faults.add(fault)
    query = landed(stage.answer(sitting.link()))
    outcome = sitting.finish(query)
    assert outcome.kind is kind
    assert sitting.finish(query) is outcome
    assert (stage.exchanges, stage.saved) == (1, [])
    assert stage.finish(sitting).kind is Kind.CONNECTED


def test_an_account_of_the_settings_is_already_connected(stage: Stage) -> None:
    """Approving it again saves nothing and says so (item 20)."""
    stage.finish(stage.sitting())
    sitting = stage.sitting(account_ids=[ACCOUNT])
    outcome = stage.finish(sitting)
    assert (outcome.kind, outcome.kind.exit) == (Kind.ALREADY, Exit.OK)
    assert outcome.line == "Already connected: Example (acct_1Example), US, test mode"
    assert stage.saved == [ACCOUNT]


def test_an_empty_account_is_not_saved_unasked(stage: Stage) -> None:
    """Stripe may have made it instead of the one that another platform controls."""
    stage.stripe.world.add_signup("acct_1Held", controlled_by="acct_1Platform").create("charge", {})
    sitting = stage.sitting()
    outcome = stage.finish(sitting, "acct_1Held")
    assert outcome.kind is Kind.EMPTY
    assert outcome.account is not None
    assert outcome.account.empty
    assert outcome.account.id != "acct_1Held"
    assert "controlled by another platform" in outcome.advice
    assert (stage.saved, sitting.accounts()) == ([], [])
    sitting.keep(outcome.account)
    assert stage.saved == [outcome.account.id]
    assert sitting.accounts() == [outcome.account]


def test_renewing_takes_the_same_account_only(stage: Stage) -> None:
    """Another one ends with its own exit code, settings untouched, and can be undone (item 20)."""
    stage.finish(stage.sitting())
    stage.stripe.world.disconnect(ACCOUNT)
    sitting = stage.sitting(renewing=ACCOUNT, account_ids=[ACCOUNT])
    assert "always_prompt=true" in sitting.link()
    (before,) = sitting.accounts()
    assert before.access is Access.DENIED
    outcome = stage.finish(sitting, OTHER)
    assert (outcome.kind, outcome.kind.exit) == (Kind.OTHER_ACCOUNT, Exit.WRONG_ACCOUNT)
    assert "Other (acct_1Other)" in outcome.line
    assert "acct_1Example is being renewed" in outcome.line
    assert outcome.advice == "It is connected to your platform."
    assert stage.saved == [ACCOUNT]
    assert deauthorize(stage.application, stage.stripe.api_key, OTHER)
    assert stage.finish(sitting).kind is Kind.CONNECTED
    assert [account.access for account in sitting.accounts()] == [Access.OK]


def test_renewing_an_empty_account_asks_nothing(stage: Stage) -> None:
    """It was kept before."""
    stage.stripe.world.add_signup("acct_1Empty")
    sitting = stage.sitting(renewing="acct_1Empty", account_ids=["acct_1Empty"])
    assert stage.finish(sitting, "acct_1Empty").kind is Kind.CONNECTED


def test_another_mode_is_not_saved(stage: Stage) -> None:
    """What Stripe says of the mode counts, whatever the key looks like."""
    body = {"stripe_user_id": ACCOUNT, "livemode": True, "scope": "read_write"}
    stage.stripe.faults.add(Fault(match=f"^{TOKEN}", body=body))
    sitting = stage.sitting()
    stage.stripe.journal.clear()
    outcome = stage.finish(sitting)
    assert (outcome.kind, outcome.kind.exit) == (Kind.WRONG_MODE, Exit.WRONG_ACCOUNT)
    assert "acct_1Example, live mode" in outcome.line
    assert stage.saved == []
    assert stage.stripe.journal.count(method="GET") == 0


def test_an_account_that_cannot_be_read_is_not_saved(stage: Stage) -> None:
    """Stripe said yes, but the key gets no further: that is no success."""
    sitting = stage.sitting()
    refused = {"error": {"message": "does not have access to account", "code": "account_invalid"}}
    stage.stripe.faults.add(Fault(match="^/v1/account", status=403, body=refused))
    outcome = stage.finish(sitting)
    assert outcome.kind is Kind.FAILED
    assert "the key cannot read it" in outcome.line
    assert stage.saved == []


def test_an_account_that_could_not_be_looked_at_is_saved(stage: Stage) -> None:
    """It is connected; only its name is not known, and Stripe's page will be asked again."""
    sitting = stage.sitting()
    stage.stripe.faults.add(Fault(match="^/v1/account", status=500))
    outcome = stage.finish(sitting)
    assert outcome.kind is Kind.CONNECTED
    assert "could not be looked at" in outcome.advice
    assert stage.saved == [ACCOUNT]
    stage.stripe.faults.clear()


@pytest.mark.parametrize(
    "fault",
    [OSError(28, "No space left on device"), StoreFault("no space"), Refusal(Kind.FAILED, "space")],
    ids=repr,
)
def test_settings_that_cannot_be_written_are_told(stage: Stage, fault: Exception) -> None:
    """The connection stands but is not claimed to be saved, and can be approved once more."""

    def fail(_: ConnectedAccount) -> None:
        raise fault

    sitting = stage.sitting(saved=fail)
    outcome = stage.finish(sitting)
    assert outcome.kind is Kind.FAILED
    assert "could not be saved" in outcome.line
    assert "space" in outcome.line
    assert sitting.accounts() == []
    assert stage.finish(stage.sitting()).kind is Kind.CONNECTED


def test_a_broken_program_lets_nobody_wait(stage: Stage) -> None:
    """If saving fails in a way nobody foresaw, terminal and later visitors still learn of it."""

    def fail(_: ConnectedAccount) -> None:
        raise KeyError

    sitting = stage.sitting(saved=fail)
    query = landed(stage.answer(sitting.link()))
    with pytest.raises(KeyError):
        sitting.finish(query)
    assert [outcome.kind for outcome in told(sitting)] == [Kind.FAILED]
    assert sitting.finish(query).kind is Kind.FAILED


@pytest.mark.parametrize(
    ("given", "line", "requests_sent"),
    [
        ({"secret_key": "rk_test_1Planted"}, "restricted key", 0),
        ({"secret_key": "pk_test_1Planted"}, "publishable key", 0),
        ({"secret_key": "sk_live_1Planted"}, "not of test mode", 0),
        ({"secret_key": "sk_test_1Planted"}, "does not accept the key", 1),
        ({"read_key": "rk_live_1Planted"}, "not of test mode", 0),
        ({"read_key": "rk_test_1Planted"}, "does not accept the key", 2),
        ({"read_key": "sk_test_1Theirs"}, "belongs to acct_1Theirs", 2),
    ],
)
def test_keys_that_do_not_fit_are_refused_first(
    stage: Stage, given: dict[str, str], line: str, requests_sent: int
) -> None:
    """Before any link is shown, in at most two requests, without showing a key."""
    stage.stripe.world.add_account("acct_1Theirs")
    stage.stripe.world.add_key("sk_test_1Theirs", account="acct_1Theirs")
    with pytest.raises(Refusal) as caught:
        stage.sitting(**given)
    assert line in caught.value.line
    assert "Planted" not in repr(caught.value)
    assert stage.stripe.journal.count() == requests_sent


def test_a_foreign_client_id_is_explained(stage: Stage) -> None:
    """A code of another platform's client id ends with the three causes."""
    theirs = Application("ca_1Theirs", CALLBACK, livemode=False, url=stage.stripe.url)
    outcome = stage.finish(stage.sitting(application=theirs))
    assert (outcome.kind, outcome.kind.exit) == (Kind.FAILED, Exit.FAILED)
    assert "client id ca_1Theirs belongs to another Stripe account" in outcome.advice
    assert stage.saved == []


def test_a_restricted_key_reads(stage: Stage) -> None:
    """Codes are exchanged with the secret key, and accounts looked at with the reader's."""
    stage.stripe.world.add_key("rk_test_1Reads", permissions=["rak_connected_account_read"])
    sitting = stage.sitting(read_key="rk_test_1Reads")
    outcome = stage.finish(sitting)
    assert outcome.kind is Kind.CONNECTED
    assert outcome.account is not None
    assert outcome.account.name == "Example"


def test_accounts_are_looked_at_once(stage: Stage) -> None:
    """Each account of the settings costs one request, all side by side, until Stripe answers."""
    ids = [f"acct_1Many{number}" for number in range(20)]
    for id_ in ids[1:]:
        stage.stripe.world.add_account(id_)
    sitting = stage.sitting(account_ids=[*ids, ids[0]])
    stage.stripe.journal.clear()
    stage.stripe.faults.add(Fault(match="^/v1/account$", status=500, skip=19, times=2))
    first = sitting.accounts()
    assert [account.id for account in first] == ids
    assert [account.access for account in first].count(Access.UNKNOWN) == 1
    second = sitting.accounts()
    assert [account.id for account in second if account.access is not Access.OK] == [ids[0]]
    assert sitting.accounts() == second
    assert stage.stripe.journal.count() == 20 + 1 + 1


def test_streams_are_all_unless_chosen(stage: Stage) -> None:
    """The pages say what will be read."""
    assert stage.sitting().streams == tuple(stream.name for stream in STREAMS)
    assert stage.sitting(streams=["charges"]).streams == ("charges",)


def test_secrets_stay_inside(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys, codes, states and tokens reach no outcome, log or repr, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    faults = [
        Fault(),
        Fault(status=502),
        Fault(hang=True),
        Fault(reset=True),
        Fault(body={"error": "invalid_grant", "error_description": ""}, status=400),
    ]
    shown, planted = "", {stage.stripe.api_key}
    for fault in faults:
        sitting = stage.sitting()
        query = landed(stage.answer(sitting.link()))
        given = dict(query)
        # The browser's request is this test's own.
        caplog.clear()
        planted |= {given["code"], given["state"]}
        if fault.status == 400:
            echoed = f"Bad code {given['code']} of {stage.stripe.api_key}"
            fault.body["error_description"] = echoed
        fault.match, fault.times = f"^{TOKEN}", 1
        monkeypatch.setattr(oauth, "TIMEOUT", (120.0, 0.1 if fault.hang else 120.0))
        stage.stripe.faults.add(fault)
        shown += repr(sitting.finish(query)) + repr(sitting) + repr(sitting.platform) + caplog.text
    assert '"POST /oauth/token' in shown
    assert "Bad code … of" in shown
    assert len(planted) == 11
    for secret in planted:
        assert secret not in shown


def test_only_the_two_oauth_posts_change_anything(stage: Stage) -> None:
    """All else that a sitting sends is a GET."""
    sitting = stage.sitting(account_ids=[OTHER])
    sitting.accounts()
    query = landed(stage.answer(sitting.link()))
    stage.stripe.journal.clear()
    sitting.finish(query)
    sent = [(request.method, request.path) for request in stage.stripe.journal.requests]
    assert [path for method, path in sent if method != "GET"] == [TOKEN]
    assert sent[0] == ("POST", TOKEN)
