"""An account of a story, and what has to be remembered of it to judge a warehouse fairly."""

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

PREFIX = {"charge": "ch", "customer": "cus", "invoice": "in", "subscription": "sub"}
"""Of ids that Stripe gives, each once; coupons and plans have ids that users choose again."""
CHILDREN = {"invoice": ("lines", "il"), "subscription": ("items", "si")}
NESTED_STREAM = {"invoice": "invoice_line_items", "subscription": "subscription_items"}
DAY = 86_400
LAG = 300
"""Seconds that a tap allows what happens to become visible."""
NEVER = -1
"""In the place of seconds: an event that Stripe does not make."""
FEED = 29 * DAY
"""Seconds for which an event is certainly in the feed, also while a long run reads it."""


@dataclass
class Doubt:
    """Something that only a check of the feed can find."""

    created: int
    visible_at: int
    told: bool
    """Whether there is an event at all."""
    found_by: set[str] = field(default_factory=set)
    """Streams that have been checked since it can be seen."""
    missed: bool = False
    """Whether a run that was killed went on behind it, so that no check looks there again."""
    left_out: set[str] = field(default_factory=set)
    """Streams that a run left out which may have heard of it, so that no check tells them again."""


@dataclass
class Place:
    """An account of the story, with what has to be remembered of it."""

    world: World
    account: Account
    made: dict[Name | tuple[str, int], int] = field(default_factory=dict)
    """How many objects a kind and slot have had."""
    unseen: set[tuple[str, str, str]] = field(default_factory=set)
    """Stream, parent and id of nested objects that vanished where no event shows them."""
    gone: dict[tuple[str, ...], int] = field(default_factory=dict)
    """When an object, or a nested one, was deleted last: by kind, parent and id."""
    settled: dict[Name, int] = field(default_factory=dict)
    """When everybody can see what happened to an object last."""
    doubts: defaultdict[Name, list[Doubt]] = field(default_factory=lambda: defaultdict(list))
    """What happened to an object and is told late, or an object that nobody tells of."""
    silent: set[Name] = field(default_factory=set)
    """Objects that have changed since the last event about them."""
    shown: dict[Name, int] = field(default_factory=dict)
    """When an event showed an object last."""
    _coming: list[tuple[int, Name, Json]] = field(default_factory=list)
    """What reads will show, and from when on."""

    def id_of(self, kind: str, slot: int) -> str:
        """Return the id of the newest object of a slot."""
        if kind not in PREFIX:
            return f"{kind.upper()}-{slot}"
        return f"{PREFIX[kind]}_{slot}x{self.made.get((kind, slot), 0)}"

    def present(self, kind: str, name: str) -> Json | None:
        """Return an object as it is by now, though reads may still show what it was."""
        for moment, (coming, id_), document in self._coming:
            if (coming, id_) == (kind, name):
                self.account.insert(document)
                self._coming.remove((moment, (coming, id_), document))
        return self.account.get(kind, name)

    def show_later(self, former: Json, seconds: int) -> None:
        """Let reads show what an object was, until so many seconds from now."""
        name = former["object"], former["id"]
        after = self.account.get(*name)
        assert after is not None
        self.account.insert(former)
        self._coming.append((self.world.clock.now + seconds, name, after))

    def catch_up(self) -> None:
        """Let reads show what is due."""
        due = [one for one in self._coming if one[0] <= self.world.clock.now]
        for one in due:
            self._coming.remove(one)
            self.account.insert(one[2])

    def telling(self, seconds: int) -> AbstractContextManager[object]:
        """Let events of now be seen so many seconds later, or never be made."""
        if not seconds:
            return nullcontext()
        add_event, visible_at = self.account.add_event, self.world.clock.now + seconds

        def late(*arguments: Any, **options: Any) -> Json:
            event = add_event(*arguments, **{**options, "visible_at": visible_at})
            if seconds > LAG:
                doubt = Doubt(event["created"], visible_at, told=True)
                self.doubts["event", event["id"]].append(doubt)
            return event

        def never(*_: Any, **__: Any) -> Json:
            return {}

        return mock.patch.object(self.account, "add_event", never if seconds == NEVER else late)

    def note(self, kind: str, name: str, *, told: int, seen: int = 0) -> None:
        """Remember that something happened to an object now, seen and told after these seconds."""
        now = self.world.clock.now
        key = kind, name
        settled = now + max(seen, told if told <= LAG else 0)
        self.settled[key] = max(settled, self.settled.get(key, 0))
        if told == NEVER:
            self.silent.add(key)
            return
        self.shown[key] = now
        self.silent.discard(key)
        if told > LAG:
            self.doubts[key].append(Doubt(now, now + told, told=True))
        else:
            # Whatever tells of an object leads to it, also if nothing told of its creation.
            self.doubts[key] = [doubt for doubt in self.doubts[key] if doubt.told]

    def note_untold(self, kind: str, name: str, *, seen: int) -> None:
        """Remember a new object that no event tells of."""
        now = self.world.clock.now
        self.settled[kind, name] = now + seen
        self.doubts[kind, name].append(Doubt(now, now + seen, told=False))

    def note_gone(self, kind: str, parent: str, name: str, *, seen: bool) -> None:
        """Remember that a nested object is gone, and whether an event shows it."""
        stream = NESTED_STREAM[kind]
        self.gone[stream, parent, name] = self.world.clock.now
        if not seen:
            self.unseen.add((stream, parent, name))

    def is_shown(self, kind: str, name: str) -> bool:
        """Tell whether the feed still shows an object as it is now."""
        key = kind, name
        return key not in self.silent and self.shown.get(key, 0) > self.world.clock.now - FEED


def held(kind: str, document: Json) -> list[Json]:
    """Return the nested objects of an object."""
    field_ = CHILDREN.get(kind, ("",))[0]
    found: list[Json] = document.get(field_, {}).get("data", [])
    return found


def embedded(position: int) -> bool:
    """Tell whether an event shows the nested object at this position of its list."""
    return position < EMBEDDED
