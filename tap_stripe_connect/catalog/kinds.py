"""Definitions of streams: a shape, a way to track changes, and events that report deletions.

The shape says where Stripe returns the objects: in a `List` with its own path, or `Embedded` in
another stream's objects. Three more are planned: `PerParent`, a list for each object of another
stream; `Singleton`, one object per account; `V2List`, a list of Stripe's v2 API.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

from tap_stripe_connect.catalog.columns import ACCOUNT
from tap_stripe_connect.catalog.endpoints import EVENT_TYPES, FACTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_stripe_connect.catalog.endpoints import ListFacts, NestedFacts


KEY = (ACCOUNT.name, "id")
"""The default primary key."""


# Change tracking


@dataclass(frozen=True)
class Events:
    """Events report each creation and each change."""


@dataclass(frozen=True)
class EventsAndRecheck:
    """Events report some changes; listing objects created in the last `days` finds the rest."""

    days: int


@dataclass(frozen=True)
class Immutable:
    """Objects never change."""


@dataclass(frozen=True)
class Relist:
    """No events report changes, so the whole list is read again. Deletions are not detected yet."""


@dataclass(frozen=True)
class WithParent:
    """Objects change when their parent does."""


ChangeTracking: TypeAlias = Events | EventsAndRecheck | Immutable | Relist | WithParent


# Shapes


@dataclass(frozen=True)
class List:
    """A stream whose objects Stripe lists at their own path."""

    name: str
    path: str
    permission: str
    """The permission that a restricted key needs."""
    tracking: ChangeTracking = Events()
    _: KW_ONLY
    deleted_by: tuple[str, ...] = ()
    """Event types that report a deletion."""
    touched_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Other object types whose events imply a change here, and the fields with the object's id."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Parameters of every list request, to undo Stripe's default filters."""
    expand: tuple[str, ...] = ()
    """Fields to expand in lists and retrieves, because Stripe does not return them by default."""
    verbatim: frozenset[str] = frozenset()
    """Fields that are kept as Stripe sent them, as JSON objects without a schema."""
    unasked: frozenset[str] = frozenset()
    """Paths without a column, because they would have to be expanded."""
    key: tuple[str, ...] = KEY
    reference: bool = False
    """Whether `start_date` does not apply, because other objects refer to these."""

    @cached_property
    def facts(self) -> ListFacts:
        """Facts about the list endpoint."""
        return FACTS.lists[self.path]

    @cached_property
    def object(self) -> str:
        """Value of `object` in every record."""
        (name,) = self.facts.objects
        return name

    @property
    def changes(self) -> Literal["feed", "none", "unseen"]:
        """How changes are found: in the event feed, not at all, or by listing everything again."""
        if isinstance(self.tracking, Immutable):
            return "none"
        return "unseen" if isinstance(self.tracking, Relist) else "feed"

    @property
    def windowed(self) -> bool:
        """Whether the list can be filtered by creation time."""
        return self.facts.created == "created"

    @cached_property
    def dated(self) -> bool:
        """Whether its objects have a creation time."""
        return "created" not in FACTS.objects[self.object].lacks

    @cached_property
    def told_by(self) -> Mapping[str, str]:
        """Parameters that filter the event feed by these objects; empty if no single filter can."""
        families = {
            name.rpartition(".")[0] for name, about in EVENT_TYPES.items() if self.object in about
        }
        return {"type": f"{min(families)}.*"} if len(families) == 1 else {}

    @property
    def recheck_days(self) -> int:
        """How many days of creation times are listed again in a recheck; 0 for none."""
        return self.tracking.days if isinstance(self.tracking, EventsAndRecheck) else 0

    def expanded(self, prefix: str = "") -> dict[str, str]:
        """Return the request parameters for `expand`; in lists the prefix is `data.`."""
        return {f"expand[{place}]": f"{prefix}{name}" for place, name in enumerate(self.expand)}


@dataclass(frozen=True)
class Embedded:
    """A stream whose objects are in a list inside the objects of another stream."""

    name: str
    within: List
    list_field: str
    """Field of the parent that contains the list."""
    _: KW_ONLY
    replaced_by: frozenset[str] = frozenset()
    """Types of the parent's events that replace the ids of these objects, and omit the old ids."""
    temporary_in: str = ""
    """The parent's `status` in which these objects have temporary ids."""
    unasked: frozenset[str] = frozenset()
    """Paths without a column, because they would have to be expanded."""
    key: tuple[str, ...] = KEY

    @cached_property
    def facts(self) -> NestedFacts:
        """Facts about the nested list."""
        return FACTS.objects[self.within.object].nested[self.list_field]

    @cached_property
    def object(self) -> str:
        """Value of `object` in every record."""
        (name,) = self.facts.objects
        return name

    @property
    def tracking(self) -> ChangeTracking:
        """How changes are tracked."""
        return WithParent()

    @property
    def parent(self) -> str:
        """Name of the parent's stream."""
        return self.within.name

    @cached_property
    def parent_field(self) -> str:
        """Field of these objects that has the parent's id; the tap adds it if Stripe does not."""
        return self.facts.parent_field or self.within.object.rpartition(".")[2]

    @cached_property
    def route(self) -> str:
        """Path of the complete list, with `{id}` for the parent's id."""
        return self.facts.url.partition("?")[0]


Stream: TypeAlias = List | Embedded
