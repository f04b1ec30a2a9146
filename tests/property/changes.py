"""Changes in a simulated Stripe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.simulator import shapes
from tap_stripe_connect.simulator.events import creation_type
from tests.property.account_model import CHILDREN, NEVER, PREFIX, is_embedded, nested_objects

if TYPE_CHECKING:
    from tests.property.account_model import AccountModel

Json = dict[str, Any]

DELETABLE = ("coupon", "customer", "invoice", "plan", "price", "product")
FINAL = 100
"""Number of the first line that a finalized invoice has; those of drafts are lower."""
OTHER = "acct_1One"
"""An account whose events may appear in the platform's feed by mistake."""


def children(kind: str, model: AccountModel, slot: int, first: int, count: int) -> Json:
    """Return `count` nested objects from number `first`; invoices share the ids of lines."""
    if kind not in CHILDREN:
        return {}
    name, prefix = CHILDREN[kind]
    owner = "" if kind == "invoice" else f"{slot}x{model.made.get((kind, slot), 0)}x"
    ids = (f"{prefix}_{owner}{n}" for n in range(first, first + count))
    if kind in {"credit_note", "invoice"}:
        return {name: [{"id": id_} for id_ in ids]}
    return {name: [{"id": id_, "created": model.world.clock.now} for id_ in ids]}


@dataclass(frozen=True)
class Create:
    """A new object, unless the slot has a live coupon or plan."""

    account: int
    kind: str
    slot: int
    value: int = 0
    count: int = 0
    read_delay: int = 0
    """Seconds until reads show it."""
    event_delay: int = 0
    """Seconds until its event is visible."""

    def apply(self, model: AccountModel, at: int | None = None) -> None:
        """Create it, at an earlier time if it is an initial object."""
        kind, now = self.kind, model.world.clock.now
        if kind not in PREFIX and model.current(kind, model.id_of(kind, self.slot)):
            return
        model.made[kind, self.slot] = model.made.get((kind, self.slot), 0) + 1
        created = now if at is None else at
        fields = {
            "id": model.id_of(kind, self.slot),
            "created": created,
            "livemode": model.account.livemode,
            "metadata": {"v": str(self.value)},
            **children(kind, model, self.slot, 0, self.count),
        }
        document = shapes.complete(kind, fields)
        model.account._store(document, now + self.read_delay if self.read_delay else None)
        with model.delayed_events(self.event_delay):
            model.account.add_event(creation_type(document), document, at=created)
        name = fields["id"]
        if self.event_delay == NEVER:
            model.add_without_event(kind, name, read_delay=self.read_delay)
            return
        model.record_change(kind, name, event_delay=self.event_delay, read_delay=self.read_delay)
        if at is not None:
            model.last_event[kind, name] = at


@dataclass(frozen=True)
class Update:
    """An update to one of a few values, so that an object often returns to a former one."""

    account: int
    kind: str
    slot: int
    value: int
    times: int = 1
    event_delay: int = 0
    read_delay: int = 0
    """Seconds for which reads still show the former value."""

    def apply(self, model: AccountModel) -> None:
        """Apply the change."""
        name = model.id_of(self.kind, self.slot)
        before = model.current(self.kind, name)
        if not before:
            return
        with model.delayed_events(self.event_delay):
            for turn in range(self.times):
                value = {"metadata": {"v": str(self.value + turn)}}
                model.account.update(self.kind, name, value)
        if self.read_delay:
            model.show_later(before, self.read_delay)
        model.record_change(
            self.kind, name, event_delay=self.event_delay, read_delay=self.read_delay
        )


@dataclass(frozen=True)
class BulkUpdate:
    """An update of every `every`-th object of a kind, by id."""

    account: int
    kind: str
    value: int
    every: int = 1
    first: int = 0
    """Number of objects before the first one that changes."""

    def apply(self, model: AccountModel) -> None:
        """Apply the change."""
        found = sorted(one["id"] for one in model.account.objects(self.kind))
        for name in found[self.first :: self.every]:
            if model.current(self.kind, name):
                model.account.update(self.kind, name, {"metadata": {"v": str(self.value)}})
                model.record_change(self.kind, name, event_delay=0)


@dataclass(frozen=True)
class SetChildren:
    """A new nested list of an object, such as the items of a subscription."""

    account: int
    kind: str
    slot: int
    first: int
    count: int
    event_delay: int = 0

    def apply(self, model: AccountModel) -> None:
        """Update the object, and record removals."""
        name = model.id_of(self.kind, self.slot)
        before = model.current(self.kind, name)
        if before:
            filled = with_children(model, self.slot, before, self.first, self.count)
            record_removals(model, before, filled, seen=self.event_delay != NEVER)
            with model.delayed_events(self.event_delay):
                model.account.update(self.kind, name, filled)
            model.record_change(self.kind, name, event_delay=self.event_delay)


@dataclass(frozen=True)
class Finalize:
    """An invoice is finalized: its temporary lines leave, and the event has no former values."""

    account: int
    slot: int
    count: int

    def apply(self, model: AccountModel) -> None:
        """Finalize it; only earlier events show the lines that left."""
        name = model.id_of("invoice", self.slot)
        before = model.current("invoice", name)
        if before and before["status"] == "draft":
            filled = with_children(model, self.slot, before, FINAL, self.count)
            record_removals(model, before, filled, seen=model.in_feed("invoice", name))
            after = model.account.update("invoice", name, filled | {"status": "open"}, event=None)
            model.account.add_event("invoice.finalized", after)
            model.record_change("invoice", name, event_delay=0)


def is_finalized(value: Json) -> bool:
    """Return whether an object is an invoice that Stripe voids and never deletes."""
    return bool(value["object"] == "invoice" and value.get("status") == "open")


def with_children(model: AccountModel, slot: int, before: Json, first: int, count: int) -> Json:
    """Return a new nested list for an object; children that stay keep their values."""
    kind = before["object"]
    field_ = CHILDREN[kind][0]
    former = {child["id"]: child for child in nested_objects(kind, before)}
    rows = children(kind, model, slot, first, count)[field_]
    return {field_: [former.get(child["id"], child) for child in rows]}


def record_removals(model: AccountModel, before: Json, after: Json, *, seen: bool) -> None:
    """Record which nested objects are gone; `seen` if the feed shows the start of the old list."""
    kind = before["object"]
    left = {child["id"] for child in after.get(CHILDREN.get(kind, ("",))[0], ())}
    for position, child in enumerate(nested_objects(kind, before)):
        if child["id"] not in left:
            model.record_removal(
                kind, before["id"], child["id"], seen=seen and is_embedded(position)
            )


@dataclass(frozen=True)
class Delete:
    """A deletion, or the end of a subscription."""

    account: int
    kind: str
    slot: int
    event_delay: int = 0

    def apply(self, model: AccountModel) -> None:
        """Apply the change."""
        name = model.id_of(self.kind, self.slot)
        before = model.current(self.kind, name)
        if not before or is_finalized(before):
            return
        with model.delayed_events(self.event_delay):
            model.account.delete(self.kind, name)
        model.record_change(self.kind, name, event_delay=self.event_delay)
        if self.kind in DELETABLE:
            model.gone[self.kind, name] = model.world.clock.now
            record_removals(model, before, {}, seen=True)


@dataclass(frozen=True)
class ReuseId:
    """An object is deleted, and its id is reused within the same second."""

    account: int
    kind: str
    slot: int
    value: int
    twice: bool = False
    """Whether the second object is deleted as well."""

    def apply(self, model: AccountModel) -> None:
        """Apply the change."""
        removal = Delete(self.account, self.kind, self.slot)
        removal.apply(model)
        Create(self.account, self.kind, self.slot, self.value).apply(model)
        if self.twice:
            removal.apply(model)


@dataclass(frozen=True)
class DeleteSilently:
    """An object is updated, then deleted without an event."""

    account: int
    kind: str
    slot: int
    value: int

    def apply(self, model: AccountModel) -> None:
        """Update and delete it; no event shows that its nested objects are gone."""
        name = model.id_of(self.kind, self.slot)
        before = model.current(self.kind, name)
        if not before or is_finalized(before):
            return
        model.account.update(self.kind, name, {"metadata": {"v": str(self.value)}})
        with model.delayed_events(NEVER):
            model.account.delete(self.kind, name)
        model.record_change(self.kind, name, event_delay=0)
        model.gone[self.kind, name] = model.world.clock.now
        record_removals(model, before, {}, seen=False)


@dataclass(frozen=True)
class Touch:
    """An object changes without an event of its own; one about another object refers to it."""

    account: int
    what: str
    slot: int
    value: int
    event_delay: int = 0

    def apply(self, model: AccountModel) -> None:
        """Apply the change."""
        subject: Json
        if self.what == "discount":
            kind, subject = "coupon", {"object": "discount", "id": f"di_{self.slot}"}
            name = model.id_of(kind, self.slot)
            subject |= {"customer": model.id_of("customer", self.slot), "source": {"coupon": name}}
            change: Json = {"times_redeemed": self.value}
            type_ = "customer.discount.created"
        else:
            kind, name = "charge", model.id_of("charge", self.slot)
            subject = {"object": self.what, "id": f"x_{self.slot}", "charge": name}
            change = {"amount_refunded": self.value}
            type_ = "refund.created" if self.what == "refund" else "charge.dispute.created"
        if model.current(kind, name):
            model.account.update(kind, name, change, event=None)
            with model.delayed_events(self.event_delay):
                model.account.add_event(type_, subject)
            model.record_change(kind, name, event_delay=self.event_delay)


@dataclass(frozen=True)
class ForeignEvent:
    """An event of another account, about an object of the same id, in the platform's feed."""

    account: int
    kind: str
    slot: int
    deleted: bool

    def apply(self, model: AccountModel) -> None:
        """Add the event; no object of this account changes."""
        name = model.id_of(self.kind, self.slot)
        document = shapes.complete(self.kind, {"id": name, "created": model.world.clock.now})
        what = "deleted" if self.deleted else "updated"
        model.account.add_event(f"{self.kind}.{what}", document, account=OTHER)


Change = (
    Create
    | Update
    | BulkUpdate
    | SetChildren
    | Finalize
    | Delete
    | ReuseId
    | DeleteSilently
    | Touch
    | ForeignEvent
)
