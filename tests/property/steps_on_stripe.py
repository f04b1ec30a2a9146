"""What happens in a simulated Stripe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.simulator import shapes
from tap_stripe_connect.simulator.events import creation_type
from tests.property.places import CHILDREN, NEVER, PREFIX, embedded, held

if TYPE_CHECKING:
    from tests.property.places import Place

Json = dict[str, Any]

DELETABLE = ("coupon", "customer", "invoice", "plan")
FINAL = 100
"""Number of the first line that a finalised invoice has; those of drafts are lower."""
OTHER = "acct_1One"
"""An account that the platform's feed may tell of by mistake."""


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
        if kind not in PREFIX and place.present(kind, place.id_of(kind, self.slot)):
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
        with place.telling(self.told_late):
            place.account.add_event(creation_type(document), document, at=created)
        name = fields["id"]
        if self.told_late == NEVER:
            place.note_untold(kind, name, seen=self.late)
            return
        place.note(kind, name, told=self.told_late, seen=self.late)
        if at is not None:
            place.shown[kind, name] = at


@dataclass(frozen=True)
class Alter:
    """An object takes one of few values, so that it often goes back to a former one."""

    account: int
    kind: str
    slot: int
    value: int
    times: int = 1
    told_late: int = 0
    late: int = 0
    """Seconds for which reads still show what it was."""

    def happen(self, place: Place) -> None:
        """Change the world."""
        name = place.id_of(self.kind, self.slot)
        before = place.present(self.kind, name)
        if not before:
            return
        with place.telling(self.told_late):
            for turn in range(self.times):
                value = {"metadata": {"v": str(self.value + turn)}}
                place.account.update(self.kind, name, value)
        if self.late:
            place.show_later(before, self.late)
        place.note(self.kind, name, told=self.told_late, seen=self.late)


@dataclass(frozen=True)
class Bulk:
    """Many objects of a kind change at once, each `every`-th by id."""

    account: int
    kind: str
    value: int
    every: int = 1
    first: int = 0
    """How many there are before the first one that changes."""

    def happen(self, place: Place) -> None:
        """Change the world."""
        found = sorted(one["id"] for one in place.account.objects(self.kind))
        for name in found[self.first :: self.every]:
            if place.present(self.kind, name):
                place.account.update(self.kind, name, {"metadata": {"v": str(self.value)}})
                place.note(self.kind, name, told=0)


@dataclass(frozen=True)
class Fill:
    """The nested list of an object becomes another: items of a plan change."""

    account: int
    kind: str
    slot: int
    first: int
    count: int
    told_late: int = 0

    def happen(self, place: Place) -> None:
        """Change the world, and note what no event can tell of."""
        name = place.id_of(self.kind, self.slot)
        before = place.present(self.kind, name)
        if before:
            filled = refilled(place, self.slot, before, self.first, self.count)
            leave(place, before, filled, seen=self.told_late != NEVER)
            with place.telling(self.told_late):
                place.account.update(self.kind, name, filled)
            place.note(self.kind, name, told=self.told_late)


@dataclass(frozen=True)
class Finalise:
    """A draft's temporary lines leave, and an event without former values tells of others."""

    account: int
    slot: int
    count: int

    def happen(self, place: Place) -> None:
        """Change the world; earlier events show what left."""
        name = place.id_of("invoice", self.slot)
        before = place.present("invoice", name)
        if before and before["status"] == "draft":
            filled = refilled(place, self.slot, before, FINAL, self.count)
            leave(place, before, filled, seen=place.is_shown("invoice", name))
            after = place.account.update("invoice", name, filled | {"status": "open"}, event=None)
            place.account.add_event("invoice.finalized", after)
            place.note("invoice", name, told=0)


def is_finalised(value: Json) -> bool:
    """Return whether an object is an invoice that Stripe voids and never deletes."""
    return bool(value["object"] == "invoice" and value.get("status") == "open")


def refilled(place: Place, slot: int, before: Json, first: int, count: int) -> Json:
    """Return another nested list for an object; what was in it already stays as it is."""
    kind = before["object"]
    field_ = CHILDREN[kind][0]
    former = {child["id"]: child for child in held(kind, before)}
    rows = children(kind, place, slot, first, count)[field_]
    return {field_: [former.get(child["id"], child) for child in rows]}


def leave(place: Place, before: Json, after: Json, *, seen: bool) -> None:
    """Note which nested objects are gone; `seen` if the feed shows the former list's first."""
    kind = before["object"]
    left = {child["id"] for child in after.get(CHILDREN.get(kind, ("",))[0], ())}
    for position, child in enumerate(held(kind, before)):
        if child["id"] not in left:
            place.note_gone(kind, before["id"], child["id"], seen=seen and embedded(position))


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
        before = place.present(self.kind, name)
        if not before or is_finalised(before):
            return
        with place.telling(self.told_late):
            place.account.delete(self.kind, name)
        place.note(self.kind, name, told=self.told_late)
        if self.kind in DELETABLE:
            place.gone[self.kind, name] = place.world.clock.now
            leave(place, before, {}, seen=True)


@dataclass(frozen=True)
class Reuse:
    """An object is deleted, and another one gets its id within the same second."""

    account: int
    kind: str
    slot: int
    value: int
    twice: bool = False
    """Whether that one is deleted as well."""

    def happen(self, place: Place) -> None:
        """Change the world."""
        removal = Remove(self.account, self.kind, self.slot)
        removal.happen(place)
        Make(self.account, self.kind, self.slot, self.value).happen(place)
        if self.twice:
            removal.happen(place)


@dataclass(frozen=True)
class Vanish:
    """An object changes and is gone; the event of its end is never made."""

    account: int
    kind: str
    slot: int
    value: int

    def happen(self, place: Place) -> None:
        """Change the world; of what was in the object no event says that it is gone."""
        name = place.id_of(self.kind, self.slot)
        before = place.present(self.kind, name)
        if not before or is_finalised(before):
            return
        place.account.update(self.kind, name, {"metadata": {"v": str(self.value)}})
        with place.telling(NEVER):
            place.account.delete(self.kind, name)
        place.note(self.kind, name, told=0)
        place.gone[self.kind, name] = place.world.clock.now
        leave(place, before, {}, seen=False)


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
        if place.present(kind, name):
            place.account.update(kind, name, change, event=None)
            with place.telling(self.told_late):
                place.account.add_event(type_, told)
            place.note(kind, name, told=self.told_late)


@dataclass(frozen=True)
class Mistell:
    """The platform's feed has an event about another account's object of the same id."""

    account: int
    kind: str
    slot: int
    deleted: bool

    def happen(self, place: Place) -> None:
        """Change the world; nothing happens to an object of this account."""
        name = place.id_of(self.kind, self.slot)
        document = shapes.complete(self.kind, {"id": name, "created": place.world.clock.now})
        what = "deleted" if self.deleted else "updated"
        place.account.add_event(f"{self.kind}.{what}", document, account=OTHER)


Change = Make | Alter | Bulk | Fill | Finalise | Remove | Reuse | Vanish | Touch | Mistell
