"""What can happen in a simulated Stripe and to the tap that copies it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

from tap_stripe_connect.simulator import shapes
from tap_stripe_connect.simulator.events import creation_type
from tap_stripe_connect.simulator.rendering import EMBEDDED

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.world import World

Json = dict[str, Any]

PREFIX = {"charge": "ch", "customer": "cus", "invoice": "in", "subscription": "sub"}
"""Of ids that Stripe gives, each once; coupons and plans have ids that users choose again."""
CHILDREN = {"invoice": ("lines", "il"), "subscription": ("items", "si")}
USUAL = 9999
"""In the place of days: the start of the schedule."""
DELETABLE = ("coupon", "customer", "invoice", "plan")


@dataclass
class Place:
    """An account of the story, with what has to be remembered of it."""

    world: World
    account: Account
    made: dict[tuple[str, int], int] = field(default_factory=dict)
    """How many objects a kind and slot have had."""
    unseen: set[tuple[str, str, str]] = field(default_factory=set)
    """Stream, parent and id of nested objects that vanished where no event shows them."""
    gone: dict[tuple[str, ...], int] = field(default_factory=dict)
    """When an object, or a nested one, was deleted last: by kind, parent and id."""

    def id_of(self, kind: str, slot: int) -> str:
        """Return the id of the newest object of a slot."""
        if kind not in PREFIX:
            return f"{kind.upper()}-{slot}"
        return f"{PREFIX[kind]}_{slot}x{self.made.get((kind, slot), 0)}"

    def told_late(self, seconds: int) -> AbstractContextManager[object]:
        """Let events of now be seen so many seconds later."""
        if not seconds:
            return nullcontext()
        add_event, visible_at = self.account.add_event, self.world.clock.now + seconds

        def late(*arguments: Any, **options: Any) -> Json:
            return add_event(*arguments, **{**options, "visible_at": visible_at})

        return mock.patch.object(self.account, "add_event", late)


def children(kind: str, place: Place, slot: int, first: int, count: int) -> Json:
    """Return nested objects `first` and following; ids of lines come on several invoices."""
    if kind not in CHILDREN:
        return {}
    name, prefix = CHILDREN[kind]
    owner = "" if kind == "invoice" else f"{slot}x{place.made.get((kind, slot), 0)}x"
    ids = (f"{prefix}_{owner}{n}" for n in range(first, first + count))
    if kind == "invoice":
        return {name: [{"id": id_} for id_ in ids]}
    return {name: [{"id": id_, "created": place.world.clock.now} for id_ in ids]}


@dataclass(frozen=True)
class Make:
    """A new object; where the slot has one that is not finished with, it is left alone."""

    account: int
    kind: str
    slot: int
    value: int = 0
    count: int = 0
    late: int = 0
    """Seconds until reads show it."""
    told_late: int = 0
    """Seconds until its event is shown."""

    def happen(self, place: Place, at: int | None = None) -> None:
        """Change the world; `at` is in the past only for what was there before the story."""
        kind, now = self.kind, place.world.clock.now
        if kind not in PREFIX and place.account.get(kind, place.id_of(kind, self.slot)):
            return
        place.made[kind, self.slot] = place.made.get((kind, self.slot), 0) + 1
        created = now if at is None else at
        fields = {
            "id": place.id_of(kind, self.slot),
            "created": created,
            "livemode": place.account.livemode,
            "metadata": {"v": str(self.value)},
            **children(kind, place, self.slot, 0, self.count),
        }
        document = shapes.complete(kind, fields)
        place.account._store(document, now + self.late if self.late else None)
        with place.told_late(self.told_late):
            place.account.add_event(creation_type(document), document, at=created)


@dataclass(frozen=True)
class Alter:
    """An object takes one of few values, so that it often goes back to a former one."""

    account: int
    kind: str
    slot: int
    value: int
    times: int = 1
    told_late: int = 0

    def happen(self, place: Place) -> None:
        """Change the world."""
        name = place.id_of(self.kind, self.slot)
        if place.account.get(self.kind, name):
            with place.told_late(self.told_late):
                for turn in range(self.times):
                    value = {"metadata": {"v": str(self.value + turn)}}
                    place.account.update(self.kind, name, value)


@dataclass(frozen=True)
class Fill:
    """The nested list of an object becomes another: items of a plan change, finalised lines."""

    account: int
    kind: str
    slot: int
    first: int
    count: int
    told_late: int = 0

    def happen(self, place: Place) -> None:
        """Change the world, and note what no event can tell of."""
        name = place.id_of(self.kind, self.slot)
        before = place.account.get(self.kind, name)
        if not before:
            return
        filled = children(self.kind, place, self.slot, self.first, self.count)
        field_ = CHILDREN[self.kind][0]
        former = {child["id"]: child for child in before[field_]["data"]}
        filled = {field_: [former.get(child["id"], child) for child in filled[field_]]}
        left = {child["id"] for child in filled[field_]}
        for position, child in enumerate(before[field_]["data"]):
            if child["id"] not in left:
                note_gone(place, self.kind, name, child["id"], position)
        with place.told_late(self.told_late):
            place.account.update(self.kind, name, filled)


@dataclass(frozen=True)
class Remove:
    """A deletion; of a subscription, its end."""

    account: int
    kind: str
    slot: int
    told_late: int = 0

    def happen(self, place: Place) -> None:
        """Change the world."""
        name = place.id_of(self.kind, self.slot)
        before = place.account.get(self.kind, name)
        if not before:
            return
        with place.told_late(self.told_late):
            place.account.delete(self.kind, name)
        if self.kind in DELETABLE:
            place.gone[self.kind, name] = place.world.clock.now
            field_ = CHILDREN.get(self.kind, ("",))[0]
            for position, child in enumerate(before.get(field_, {}).get("data", [])):
                note_gone(place, self.kind, name, child["id"], position)


@dataclass(frozen=True)
class Touch:
    """An object changes silently; only an event about another one tells."""

    account: int
    what: str
    slot: int
    value: int
    told_late: int = 0

    def happen(self, place: Place) -> None:
        """Change the world."""
        told: Json
        if self.what == "discount":
            kind, told = "coupon", {"object": "discount", "id": f"di_{self.slot}"}
            name = place.id_of(kind, self.slot)
            told |= {"customer": place.id_of("customer", self.slot), "source": {"coupon": name}}
            change: Json = {"times_redeemed": self.value}
            type_ = "customer.discount.created"
        else:
            kind, name = "charge", place.id_of("charge", self.slot)
            told = {"object": self.what, "id": f"x_{self.slot}", "charge": name}
            change = {"amount_refunded": self.value}
            type_ = "refund.created" if self.what == "refund" else "charge.dispute.created"
        if place.account.get(kind, name):
            place.account.update(kind, name, change, event=None)
            with place.told_late(self.told_late):
                place.account.add_event(type_, told)


Change = Make | Alter | Fill | Remove | Touch


def note_gone(place: Place, kind: str, parent: str, name: str, position: int) -> None:
    """Remember that a nested object is gone; events show the first of a list only."""
    stream = "invoice_line_items" if kind == "invoice" else "subscription_items"
    place.gone[stream, parent, name] = place.world.clock.now
    if position >= EMBEDDED:
        place.unseen.add((stream, parent, name))


@dataclass(frozen=True)
class Past:
    """An object that was there before the story begins."""

    make: Make
    age: int
    """Seconds."""
    copies: int = 1
    """How many there are; slots count on."""
    apart: int = 0
    """Seconds between their creations."""


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    seconds: int


@dataclass(frozen=True)
class Connect:
    """An account is connected to the platform, perhaps again, or leaves it."""

    account: int
    here: bool


@dataclass(frozen=True)
class Hitch:
    """Something that goes wrong during a run."""

    what: str
    """One of `worlds.EFFECTS`."""
    path: str
    skip: int


@dataclass(frozen=True)
class Run:
    """A run of the tap."""

    unselected: tuple[str, ...] = ()
    """Streams."""
    start: int | None = USUAL
    """Days before the story's beginning that `start_date` lies; None for all history."""
    denied: str = ""
    """A permission that the key lacks."""
    hitches: tuple[Hitch, ...] = ()
    cut: float | None = None
    """Part of the output after which the tap is killed."""
    readers: int = 1
    order: int = 0
    """Seed of the order in which readers take turns."""
    meanwhile: tuple[tuple[int, Change | Wait], ...] = ()
    """What happens before which request."""


Step = Change | Wait | Connect | Run


@dataclass(frozen=True)
class Schedule:
    """A whole story."""

    past: tuple[Past, ...]
    connected: tuple[int, ...]
    """Accounts connected at its beginning; 0 is the platform."""
    steps: tuple[Step, ...]
    rest: int
    """Seconds before the quiet runs at its end."""
    start: int | None
    """As for Run, of most runs and of the quiet ones at the end."""
