"""One run of `connect`: its links, and how each attempt ends."""

from __future__ import annotations

import queue
import re
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from tap_stripe_connect.api.api_keys import is_live
from tap_stripe_connect.catalog import API_VERSION, STREAMS
from tap_stripe_connect.connect import account, oauth
from tap_stripe_connect.connect.attempt import Attempt
from tap_stripe_connect.connect.outcome import Access, ConnectedAccount, Exit, Kind, Outcome
from tap_stripe_connect.connect.refusals import AGAIN, Refusal, Said, one_line, refused
from tap_stripe_connect.connect.store import StoreFault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_stripe_connect.connect.oauth import Application, Grant

COPY_WHOLE = "Start again and copy the address whole."
BROKEN = Outcome(Kind.FAILED, "The program failed; the account may be connected.", AGAIN)
AT_ONCE = 8
"""Accounts that are looked at side by side."""
LONGEST_CODE = 512
ONCE = ("state", "code", "error")
"""Parameters that may not come twice."""


class Sitting:
    """What the pages and the prompt for a pasted address share; safe to use from any thread."""

    def __init__(  # noqa: PLR0913 - all that the commands ask for stands here once
        self,
        application: Application,
        secret_key: str,
        api_url: str,
        read_key: str,
        saved: Callable[[ConnectedAccount], None],
        *,
        renewing: str = "",
        account_ids: Sequence[str] = (),
        streams: Sequence[str] = (),
        api_version: str = API_VERSION,
        attempt: Attempt | None = None,
    ) -> None:
        """Check that the keys fit together, or raise Refusal; one request for each key.

        `secret_key` exchanges codes, `read_key` is the one that the tap will read with, if there
        is one yet. `saved` is called with each account that is to be kept; its StoreFault, OSError
        or Refusal ends the attempt. `attempt` is one that an earlier process handed out.
        """
        self.application = application
        self.streams = tuple(streams) or tuple(stream.name for stream in STREAMS)
        self.renewing = renewing
        self.outcomes: queue.Queue[Outcome] = queue.Queue()
        """The end of each attempt, once."""
        self._key = oauth.secret_key(secret_key, livemode=application.livemode)
        self._saved = saved
        self._account_ids = list(dict.fromkeys(account_ids))
        self._seen: dict[str, ConnectedAccount] = {}
        self._attempts = {} if attempt is None else {attempt: Future[Outcome]()}
        self._current = attempt
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        reader = read_key or self._key
        if is_live(reader) is not application.livemode:
            raise Refusal(
                Kind.WRONG_MODE,
                f"The api_key of the settings is not of {self._mode}.",
                "Use --test or --live as it says, or settings of their own for each mode.",
            )
        self._look = account.Look(api_url, reader, api_version)
        self.platform = account.platform(api_url, self._key, api_version)
        if reader != self._key:
            self._check_reader(account.platform(api_url, reader, api_version))

    def _check_reader(self, reader: ConnectedAccount) -> None:
        """Refuse to save accounts for a key that cannot read them."""
        if reader.id and reader.id != self.platform.id:
            raise Refusal(
                Kind.FAILED,
                f"The api_key of the settings belongs to {reader.id}, the secret key to "
                f"{self.platform.id}.",
                "Only the platform's own keys read the accounts connected to it. Change api_key, "
                "or use the secret key of the same account.",
                exit=Exit.WRONG_ACCOUNT,
            )

    @property
    def _mode(self) -> str:
        return oauth.mode(livemode=self.application.livemode)

    def accounts(self) -> list[ConnectedAccount]:
        """Return the accounts of the settings; each is looked at once, or until Stripe answers."""
        with self._looking:
            with self._lock:
                ids = list(self._account_ids)
                missing = [id_ for id_ in ids if id_ not in self._seen]
            with ThreadPoolExecutor(AT_ONCE) as pool:
                looked = dict(zip(missing, pool.map(self._look.at, missing), strict=True))
            with self._lock:
                known = {
                    id_: one for id_, one in looked.items() if one.access is not Access.UNKNOWN
                }
                self._seen = known | self._seen
                return [self._seen.get(id_) or looked[id_] for id_ in ids]

    def link(self) -> str:
        """Return the link of the attempt that is open; a new one if there is none."""
        with self._lock:
            if self._current is None or not self._current.open:
                self._current = Attempt(self.application, again=bool(self.renewing))
                self._attempts[self._current] = Future()
            return self._current.link

    def keep(self, found: ConnectedAccount) -> None:
        """Save an account and show it among the others."""
        self._saved(found)
        with self._lock:
            self._seen[found.id] = found
            if found.id not in self._account_ids:
                self._account_ids.append(found.id)

    def finish(self, query: Sequence[tuple[str, str]]) -> Outcome:
        """End the attempt that an answer belongs to, and return how.

        Whoever comes again, or at the same time, waits for the same outcome; Stripe is asked
        once. An answer that belongs to no attempt gets an outcome that is not final, and changes
        nothing.
        """
        attempt = self._attempt_of(query)
        if attempt is None:
            return _foreign("That address belongs to another, perhaps older, attempt.")
        given = [name for name, value in query if value]
        if "code" not in given and "error" not in given:
            return _foreign("That address is cut off: it has no code.")
        ended = self._attempts[attempt]
        if attempt.claim():
            outcome = BROKEN
            try:
                outcome = self._end(attempt, query)
            finally:
                # Whatever happened, nobody waits for ever.
                ended.set_result(outcome)
                self.outcomes.put(outcome)
        return ended.result()

    def _attempt_of(self, query: Sequence[tuple[str, str]]) -> Attempt | None:
        states = [value for name, value in query if name == "state"]
        with self._lock:
            attempts = list(self._attempts)
        return next((one for one in attempts if any(map(one.matches, states))), None)

    def _end(self, attempt: Attempt, query: Sequence[tuple[str, str]]) -> Outcome:
        try:
            code = self._code(attempt, query)
            return self._connected(oauth.exchange(self.application, self._key, code))
        except Refusal as refusal:
            return refusal.outcome()

    def _code(self, attempt: Attempt, query: Sequence[tuple[str, str]]) -> str:
        """Return the code in an answer, or raise Refusal if it should not be exchanged."""
        names = [name for name, _ in query]
        given = dict(query)
        if any(names.count(name) > 1 for name in ONCE) or {"code", "error"} <= set(names):
            raise Refusal(Kind.FAILED, "The answer says something twice; it is not Stripe's.")
        if attempt.expired:
            raise Refusal(Kind.EXPIRED, "The link was too old.", "Start again.")
        if "error" in given:
            said = Said(given["error"], given.get("error_description", ""))
            raise refused(said, self.application.words, (self._key, attempt.state))
        code = given["code"]
        if len(code) > LONGEST_CODE or not re.fullmatch("[!-~]+", code):
            raise Refusal(Kind.FAILED, "The code in the address is damaged.", COPY_WHOLE)
        return code

    def _connected(self, grant: Grant) -> Outcome:
        """Say what came of a grant, and keep the account if it is the one that was wanted."""
        if grant.livemode is not self.application.livemode:
            return _of_other_mode(grant)
        found = self._look.at(grant.account_id, contents=True)
        told = described(found)
        with self._lock:
            before = found.id in self._account_ids
        if self.renewing not in {"", found.id}:
            line = f"You approved {told}, but {self.renewing} is being renewed. Nothing was saved."
            advice = "" if before else "It is connected to your platform."
            return Outcome(Kind.OTHER_ACCOUNT, line, advice, found)
        if found.access is Access.DENIED:
            line = f"Stripe connected {told}, but the key cannot read it: {found.reason}"
            return Outcome(Kind.FAILED, line, "Nothing was saved. Check api_key.", found)
        if self.renewing or (not before and not found.empty):
            return self._kept(found)
        if not before:
            return Outcome(Kind.EMPTY, f"{told} has nothing in it.", EMPTY_ADVICE, found)
        with self._lock:
            self._seen[found.id] = found
        return Outcome(Kind.ALREADY, f"Already connected: {told}", account=found)

    def _kept(self, found: ConnectedAccount) -> Outcome:
        try:
            self.keep(found)
        except (OSError, Refusal, StoreFault) as error:
            reason = one_line(str(error))
            line = f"Stripe connected {described(found)}, but it could not be saved: {reason}"
            return Outcome(Kind.FAILED, line, AGAIN, found)
        unchecked = found.access is Access.UNKNOWN
        advice = f"It could not be looked at yet: {found.reason}" if unchecked else ""
        return Outcome(Kind.CONNECTED, f"Connection successful! {described(found)}", advice, found)


EMPTY_ADVICE = (
    "It has no charges, customers or balance transactions. Did Stripe offer to create an account? "
    "It does so when the existing one is controlled by another platform. Then OAuth cannot reach "
    "the old data: use a restricted key of that account (connect --own)."
)


def _foreign(line: str) -> Outcome:
    return Outcome(Kind.WRONG_SESSION, line, "Use the newest link and copy the address whole.")


def _of_other_mode(grant: Grant) -> Outcome:
    found = ConnectedAccount(grant.account_id, livemode=grant.livemode)
    return Outcome(
        Kind.WRONG_MODE,
        f"Stripe connected {described(found)}, which is not what was meant. Nothing was saved.",
        "The secret key, the client id and --live or --test have to agree.",
        found,
    )


def described(found: ConnectedAccount) -> str:
    """Return how the terminal speaks of an account."""
    name = f"{found.name} ({found.id})" if found.name else found.id
    return ", ".join(filter(None, (name, found.country, oauth.mode(livemode=found.livemode))))
