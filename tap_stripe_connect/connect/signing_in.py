"""Connecting accounts in one sitting: pages in the browser, and the terminal beside them."""

from __future__ import annotations

import os
import platform
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_stripe_connect.connect import browser, oauth
from tap_stripe_connect.connect.address import landed
from tap_stripe_connect.connect.conclusion import Conclusion
from tap_stripe_connect.connect.loopback import Pages, PortTaken
from tap_stripe_connect.connect.outcome import Exit, Kind, Outcome
from tap_stripe_connect.connect.refusals import Refusal
from tap_stripe_connect.connect.sitting import Sitting
from tap_stripe_connect.connect.terminal import span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_stripe_connect.connect.inputs import Means
    from tap_stripe_connect.connect.store import Store
    from tap_stripe_connect.connect.terminal import Terminal

DELIVERY = 10.0
"""Seconds that a browser has to fetch the page of an outcome."""
TWO_STEPS = (
    "Run it in a terminal, or in two steps: connect --start, then connect --complete - with the "
    "address on standard input."
)


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How the user wants to be led."""

    renewing: str = ""
    streams: Sequence[str] = ()
    browser: bool = True
    timeout: float = 600.0
    """Seconds."""
    language: str = ""
    yes: bool = False


class SigningIn:
    """Leads through Stripe, and ends with accounts in the settings or with the reason why not."""

    def __init__(self, terminal: Terminal, store: Store, means: Means, wishes: Wishes) -> None:
        """Ask Stripe whether it would let anybody through, or raise Refusal."""
        oauth.preflight(means.application)
        self._terminal, self._store, self._wishes = terminal, store, wishes
        self._application = means.application
        self._conclusion = Conclusion(terminal, store, means, agreed=wishes.yes)
        self._sitting = Sitting(
            means.application,
            means.secret_key,
            means.reading.api_url,
            means.reading.api_key,
            self._conclusion.save,
            renewing=wishes.renewing,
            account_ids=store.account_ids(),
            streams=wishes.streams,
            api_version=means.reading.api_version,
        )
        self._pasted: Outcome | None = None
        self._told: list[Outcome] = []
        self._no_browser = "" if wishes.browser else "--no-browser"
        if wishes.browser:
            self._no_browser = browser.missing(os.environ, sys.platform, platform.release())

    def run(self) -> Exit:
        """Serve the pages until an attempt has ended; return the exit code."""
        pages = Pages(
            self._sitting,
            self._application.redirect_uri,
            language=self._wishes.language,
            fallback=_locale(),
            command=self._store.command("connect"),
        )
        if not pages.returns and not self._terminal.interactive:
            line = "Stripe's answer has to be pasted, and there is no terminal to paste it in."
            raise Refusal(Kind.FAILED, line, TWO_STEPS, exit=Exit.USAGE)
        try:
            with pages:
                self._introduce()
                self._invite(pages)
                try:
                    return self._lead(pages)
                finally:
                    self._count_strays(pages)
        except PortTaken as taken:
            raise Refusal(
                Kind.FAILED,
                str(taken),
                "Another connect may be running. End what uses the port, or register another "
                "redirect address and name it by --redirect-uri.",
            ) from None

    # Saying

    def _introduce(self) -> None:
        application, owner = self._application, self._sitting.platform
        known = len(self._store.account_ids())
        rows = {
            "Platform": f"{owner.name} ({owner.id})" if owner.name else owner.id or "unknown",
            "Mode": oauth.mode(livemode=application.livemode),
            "Client id": f"{application.client_id}  ✓ known to Stripe, OAuth is on",
            "Redirect": f"{application.redirect_uri}  ✓ registered",
            "Access": "read and write (Stripe offers platforms nothing less; this tap only reads)",
            "Settings": f"{self._store.path}, {known} connected so far",
        }
        self._terminal.say("Stripe authorization")
        for name, value in rows.items():
            self._terminal.say(f"  {name:10} {value}")
        if self._wishes.renewing:
            self._terminal.say(f"Access to {self._wishes.renewing} is being renewed.")
        self._terminal.say("Requires administrator permissions in the account to connect.")

    def _invite(self, pages: Pages) -> None:
        """Say where to go, and what to bring back."""
        say = self._terminal.say
        say()
        if self._no_browser:
            reason = "" if self._no_browser.startswith("-") else f" ({self._no_browser})"
            say(f"Open this address in a browser, on any machine{reason}:")
        elif self._terminal.interactive:
            say(f"Press Enter to open {pages.entrance} in your browser, or open Stripe yourself:")
        else:
            say(f"Opening {pages.entrance}; or open Stripe yourself:")
            self._open(pages)
        self._terminal.show(self._sitting.link())
        if self._no_browser:
            say(f"The pages of this sitting are at {pages.entrance} on this machine.")
        if pages.returns and "SSH" in self._no_browser:
            say(f"They work from afar with ssh -L {pages.port}:localhost:{pages.port}.")
        while_waiting = f"{span(self._wishes.timeout)}, Ctrl-C to cancel"
        if not pages.returns:
            say(
                f"After approving, the browser will fail to open {self._application.redirect_uri}"
                "; that is expected."
            )
            say("Copy the whole address from its address bar, and paste it here within 5 minutes.")
        elif self._terminal.interactive:
            say("If the browser ends up on a page that fails, paste its whole address here.")
        say(f"Waiting for Stripe ({while_waiting}).")

    # Waiting

    def _lead(self, pages: Pages) -> Exit:
        """Take what comes from the browser or the prompt until there is nothing to wait for."""
        connected = False
        deadline = time.monotonic() + self._wishes.timeout
        hint = _Hints(pages)
        while True:
            left = None if connected else deadline - time.monotonic()
            try:
                came = self._terminal.wait(self._sitting.outcomes, left, hint)
            except KeyboardInterrupt:
                if not connected:
                    raise
                self._terminal.end_line()
                return Exit.OK
            if isinstance(came, Outcome):
                self._told.append(came)
                code = self._conclusion.of(came, self._sitting)
                connected = connected or code is Exit.OK
                if not self._goes_on(came, pages, connected=connected):
                    return code
                deadline = time.monotonic() + self._wishes.timeout
            elif came is None:
                line = f"Nobody approved within {span(self._wishes.timeout)}."
                raise Refusal(Kind.FAILED, line, "Nothing was saved.", exit=Exit.TIMED_OUT)
            elif came or not connected:
                self._typed(came, pages)
            else:
                return Exit.OK

    def _goes_on(self, ended: Outcome, pages: Pages, *, connected: bool) -> bool:
        """Tell whether there is something to wait for after the end of an attempt."""
        if ended is self._pasted and ended.kind is not Kind.EXPIRED:
            return False
        if self._terminal.interactive and connected:
            self._terminal.say(
                f"Press Enter to end, or add another account at {pages.entrance} first."
            )
            return True
        if self._terminal.interactive and ended.kind is Kind.EXPIRED:
            self._terminal.say("Here is a new link:")
            self._terminal.show(self._sitting.link())
            return True
        pages.delivered.wait(DELIVERY)
        return False

    def _typed(self, text: str, pages: Pages) -> None:
        """Take a pasted address; an empty line opens the browser."""
        if not text:
            if self._no_browser or not self._open(pages):
                self._terminal.care("No browser can be opened here; open the address yourself.")
            return
        try:
            query = landed(text)
        except Refusal as refusal:
            self._terminal.bad(refusal.line, refusal.advice)
            return
        self._terminal.say("Asking Stripe …")
        try:
            ended = self._sitting.finish(query)
        except KeyboardInterrupt:
            self._terminal.care(
                "Stripe may have connected the account, which was not saved. Approving once more "
                "is safe."
            )
            raise
        if ended in self._told:
            self._terminal.care(f"That address was used already: {ended.line}")
        if not ended.kind.final:
            self._terminal.care(_still(ended.line))
        self._pasted = ended if ended.kind.final else None

    def _open(self, pages: Pages) -> bool:
        return not self._no_browser and browser.open_page(pages.entrance_once(), platform.release())

    def _count_strays(self, pages: Pages) -> None:
        """Say how many answers there were that were not told of one by one."""
        more = pages.strays.total() - len(pages.strays)
        if more:
            self._terminal.end_line()
            self._terminal.care(f"Answers that belonged to no attempt: {more} more.")


class _Hints:
    """Says once each what the browser alone is not told enough of."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._said: set[str] = set()

    def __call__(self) -> str:
        news = [_still(line) for line in list(self._pages.strays)]
        if self._pages.told_tls.is_set():
            news.append(
                "Your browser is at the last step: copy its whole address and paste it here."
            )
        fresh = next((line for line in news if line not in self._said), "")
        self._said.add(fresh)
        return fresh


def _still(line: str) -> str:
    return f"{line} Still waiting."


def _locale() -> str:
    """Return the terminal's language, for browsers that ask for none of ours."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    return next(filter(None, (os.environ.get(name) for name in names)), "en")
