"""After an attempt: saving, saying what was saved, and the questions that are left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_stripe_connect.catalog import STREAMS
from tap_stripe_connect.connect import oauth, restricted
from tap_stripe_connect.connect.inputs import hint
from tap_stripe_connect.connect.outcome import Exit, Kind
from tap_stripe_connect.connect.refusals import Refusal
from tap_stripe_connect.settings import PARSERS

if TYPE_CHECKING:
    from tap_stripe_connect.connect.inputs import Means
    from tap_stripe_connect.connect.outcome import ConnectedAccount, Outcome
    from tap_stripe_connect.connect.sitting import Sitting
    from tap_stripe_connect.connect.store import Store
    from tap_stripe_connect.connect.terminal import Terminal


class Conclusion:
    """Tells in the terminal how attempts ended, and asks what only the user can decide."""

    def __init__(self, terminal: Terminal, store: Store, means: Means, *, agreed: bool) -> None:
        """Say and ask there; `agreed` answers what is asked with yes."""
        self._terminal, self._store, self._means = terminal, store, means
        self._agreed = agreed
        self._changed: tuple[str, ...] = ()

    def save(self, account: ConnectedAccount) -> None:
        """Put an account into the settings, from any thread; raises StoreFault."""
        self._changed = self._store.save([account.id])

    def of(self, ended: Outcome, sitting: Sitting) -> Exit:
        """Conclude an attempt, and return the exit code."""
        if ended.kind is Kind.EMPTY and ended.account:
            return self._empty(ended, ended.account, sitting)
        if ended.kind.exit is not Exit.OK:
            self._terminal.bad(ended.line, ended.advice)
            if ended.kind is Kind.OTHER_ACCOUNT and ended.account:
                self._offer_to_undo(ended.account)
            return ended.kind.exit
        self._terminal.good(ended.line)
        if ended.advice:
            self._terminal.care(ended.advice)
        self._tell_saved()
        return Exit.OK

    def _empty(self, ended: Outcome, account: ConnectedAccount, sitting: Sitting) -> Exit:
        self._terminal.care(ended.line)
        self._terminal.explain(ended.advice)
        if self._agreed or self._terminal.confirm(f"Keep {account.id}?", default=False):
            sitting.keep(account)
            self._tell_saved()
            return Exit.OK
        self._terminal.say("Nothing was saved.")
        if self._terminal.interactive:
            self._offer_to_undo(account)
        else:
            self._terminal.say(f"It is connected to the platform; --yes would keep {account.id}.")
        return Exit.FAILED

    def _offer_to_undo(self, account: ConnectedAccount) -> None:
        """Offer to withdraw what was not meant, unless the settings rely on it.

        Stripe does not tell whether the account was connected before, so that it stays unless
        somebody says otherwise.
        """
        if account.id in self._store.account_ids() or not self._terminal.interactive:
            return
        if self._reads_all():
            self._terminal.say(
                f"It stays connected, as all connected accounts are read; disconnect {account.id} "
                "would give it up."
            )
        elif self._is_not_wanted(account.id):
            try:
                oauth.deauthorize(self._means.application, self._means.secret_key, account.id)
            except Refusal as refusal:
                self._terminal.bad(refusal.line, refusal.advice)
            else:
                self._terminal.good(f"{account.id} was disconnected.")

    def _reads_all(self) -> bool:
        name = "all_connected_accounts"
        try:
            return bool(PARSERS[name](self._store.read().get(name) or False))
        except ValueError:  # who knows what is meant; rather keep what may be read
            return True

    def _is_not_wanted(self, account_id: str) -> bool:
        """Ask; in live mode the id has to be typed, as for `disconnect`."""
        self._terminal.say(f"{account_id} is connected to the platform, perhaps since long ago.")
        if self._means.application.livemode:
            question = (
                f"Type {account_id} to disconnect it if it is not wanted, or Enter to keep it"
            )
            return self._terminal.ask(question, "") == account_id
        return self._terminal.confirm("Disconnect it, if it is not wanted?", default=False)

    def _tell_saved(self) -> None:
        self._terminal.good(saved(self._store, self._changed))
        self._changed = ()
        self._offer_key()
        if self._store.next_step:
            self._terminal.say(f"Next: {self._store.next_step}")

    def _offer_key(self) -> None:
        """Ask whether the tap may read with the secret key, if it has no key yet."""
        if self._store.read().get("api_key"):
            return
        key, name = self._means.secret_key, self._store.syntax.name("api_key")
        self._terminal.care(
            f"{name} is not set, so the tap has no key to read with. A restricted key of the "
            "platform is the safest:"
        )
        names = [stream.name for stream in STREAMS]
        self._terminal.show(restricted.link(names, livemode=self._means.application.livemode))
        if self._agreed or self._terminal.confirm(f"Save the {hint(key)} for now?", default=False):
            self._terminal.good(saved(self._store, self._store.save([], key)))
        else:
            self._terminal.say(f"Set {name} in {self._store.path} before the first run.")


def saved(store: Store, changed: tuple[str, ...]) -> str:
    """Say what was written where; names, never values."""
    if not changed:
        return f"{store.path} has it already; nothing to change."
    number = len(store.account_ids())
    accounts = "1 account" if number == 1 else f"{number} accounts"
    return f"Saved to {store.path} (0600): {', '.join(changed)} ({accounts})"
