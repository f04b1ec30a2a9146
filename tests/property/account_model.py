"""The model of an account: what the warehouse is expected to know of it."""

from __future__ import annotations

from collections import defaultdict
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

from tap_stripe_connect.simulator.rendering import EMBEDDED

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.world import World

Json = dict[str, Any]
Name = tuple[str, str]
"""An object's kind and id."""

PREFIX = {
    "charge": "ch",
    "credit_note": "cn",
    "customer": "cus",
    "dispute": "dp",
    "invoice": "in",
    "payout": "po",
    "price": "price",
    "product": "prod",
    "promotion_code": "promo",
    "refund": "re",
    "subscription": "sub",
    "subscription_schedule": "sub_sched",
    "tax_rate": "txr",
    "transfer": "tr",
}
"""Of ids that Stripe gives, each once; coupons and plans have ids that users choose again."""
CHILDREN = {
    "credit_note": ("lines", "cnli"),
    "invoice": ("lines", "il"),
    "subscription": ("items", "si"),
    "transfer": ("reversals", "trr"),
}
NESTED_STREAM = {
    "credit_note": "credit_note_line_items",
    "invoice": "invoice_line_items",
    "subscription": "subscription_items",
    "transfer": "transfer_reversals",
}
DAY = 86_400
LAG = 300
"""Seconds within which the tap expects a change to become visible."""
NEVER = -1
"""An event delay: Stripe never creates the event."""
FEED = 29 * DAY
"""Seconds for which an event is certainly in the feed, also while a long run reads it."""


@dataclass
class PendingCheck:
    """A change that only a feed check can find."""

    created: int
    visible_at: int
    has_event: bool
    """Whether Stripe creates an event."""
    found_by: set[str] = field(default_factory=set)
    """Streams whose feed check has covered it."""
    missed: bool = False
    """Whether a killed run moved the bookmark past it, so that no check looks there again."""
    excluded: set[str] = field(default_factory=set)
    """Unselected streams of a run that may have seen it; no later check refetches it for them."""


@dataclass
class AccountModel:
    """An account of the schedule, and the history that the comparison needs."""

    world: World
    account: Account
    made: dict[Name | tuple[str, int], int] = field(default_factory=dict)
    """Number of objects created so far, by kind and slot."""
    removed_unseen: set[tuple[str, str, str]] = field(default_factory=set)
    """Stream, parent and id of nested objects whose removal no event shows."""
    gone: dict[tuple[str, ...], int] = field(default_factory=dict)
    """Time of the last deletion, by kind and id, or by stream, parent and id."""
    visible_from: dict[Name, int] = field(default_factory=dict)
    """Time from which the last change of an object is visible."""
    pending: defaultdict[Name, list[PendingCheck]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """Changes whose event is late or missing, by object."""
    without_event: set[Name] = field(default_factory=set)
    """Objects that have changed since the last event about them."""
    last_event: dict[Name, int] = field(default_factory=dict)
    """Time of the last event that shows an object."""
    _upcoming: list[tuple[int, Name, Json]] = field(default_factory=list)
    """Objects that reads will show, with the time from which they do."""

    def id_of(self, kind: str, slot: int) -> str:
        """Return the id of the newest object of a slot."""
        if kind not in PREFIX:
            return f"{kind.upper()}-{slot}"
        return f"{PREFIX[kind]}_{slot}x{self.made.get((kind, slot), 0)}"

    def current(self, kind: str, name: str) -> Json | None:
        """Return the current object, even if reads still show an older version."""
        for moment, (coming, id_), document in self._upcoming:
            if (coming, id_) == (kind, name):
                self.account.insert(document)
                self._upcoming.remove((moment, (coming, id_), document))
        return self.account.get(kind, name)

    def show_later(self, former: Json, seconds: int) -> None:
        """Let reads show the former object for some seconds."""
        name = former["object"], former["id"]
        after = self.account.get(*name)
        assert after is not None
        self.account.insert(former)
        self._upcoming.append((self.world.clock.now + seconds, name, after))

    def apply_due_reads(self) -> None:
        """Let reads show every object that is due."""
        due = [one for one in self._upcoming if one[0] <= self.world.clock.now]
        for one in due:
            self._upcoming.remove(one)
            self.account.insert(one[2])

    def delayed_events(self, seconds: int) -> AbstractContextManager[object]:
        """Delay the events added in the context, or drop them if `seconds` is NEVER."""
        if not seconds:
            return nullcontext()
        add_event, visible_at = self.account.add_event, self.world.clock.now + seconds

        def delayed(*arguments: Any, **options: Any) -> Json:
            event = add_event(*arguments, **{**options, "visible_at": visible_at})
            if seconds > LAG:
                check = PendingCheck(event["created"], visible_at, has_event=True)
                self.pending["event", event["id"]].append(check)
            return event

        def never(*_: Any, **__: Any) -> Json:
            return {}

        return mock.patch.object(self.account, "add_event", never if seconds == NEVER else delayed)

    def record_change(self, kind: str, name: str, *, event_delay: int, read_delay: int = 0) -> None:
        """Record that an object changes now, with the delays of reads and of the event."""
        now = self.world.clock.now
        key = kind, name
        visible_from = now + max(read_delay, event_delay if event_delay <= LAG else 0)
        self.visible_from[key] = max(visible_from, self.visible_from.get(key, 0))
        if event_delay == NEVER:
            self.without_event.add(key)
            return
        self.last_event[key] = now
        self.without_event.discard(key)
        if event_delay > LAG:
            self.pending[key].append(PendingCheck(now, now + event_delay, has_event=True))
        else:
            # Any event leads to the object, even if its creation had none.
            self.pending[key] = [check for check in self.pending[key] if check.has_event]

    def add_without_event(self, kind: str, name: str, *, read_delay: int) -> None:
        """Record a new object that has no event."""
        now = self.world.clock.now
        self.visible_from[kind, name] = now + read_delay
        self.pending[kind, name].append(PendingCheck(now, now + read_delay, has_event=False))

    def record_removal(self, kind: str, parent: str, name: str, *, seen: bool) -> None:
        """Record that a nested object is gone; `seen` if an event shows it."""
        stream = NESTED_STREAM[kind]
        self.gone[stream, parent, name] = self.world.clock.now
        if not seen:
            self.removed_unseen.add((stream, parent, name))

    def in_feed(self, kind: str, name: str) -> bool:
        """Return whether the feed still shows the current object."""
        key = kind, name
        return (
            key not in self.without_event
            and self.last_event.get(key, 0) > self.world.clock.now - FEED
        )


def nested_objects(kind: str, document: Json) -> list[Json]:
    """Return the nested objects of an object."""
    field_ = CHILDREN.get(kind, ("",))[0]
    found: list[Json] = document.get(field_, {}).get("data", [])
    return found


def is_embedded(position: int) -> bool:
    """Return whether an event shows the nested object at this position of its list."""
    return position < EMBEDDED
