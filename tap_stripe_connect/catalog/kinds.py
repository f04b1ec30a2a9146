"""What streams are made of: a shape, a way to notice changes, and what tells of deletions.

A shape says how Stripe gives the objects: `List`, at a path of their own; `Embedded`, inside
another stream's objects. Three more will stand beside them: `PerParent`, a list for each object of
another stream; `Singleton`, one object of an account; `V2List`, a list of Stripe's v2 API.
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
"""What tells rows apart, unless a row of the table says otherwise."""


# Change tracking


@dataclass(frozen=True)
class Events:
    """Events tell of each creation and each change."""


@dataclass(frozen=True)
class EventsAndRecheck:
    """Events tell of some changes; listing what was created in the last `days` shows the rest."""

    days: int


@dataclass(frozen=True)
class Immutable:
    """Objects stay as they were created."""


@dataclass(frozen=True)
class Relist:
    """No event tells of any change; the whole list does. What it lacks is not marked yet."""


@dataclass(frozen=True)
class WithParent:
    """Objects change when the one that holds them does."""


ChangeTracking: TypeAlias = Events | EventsAndRecheck | Immutable | Relist | WithParent


# Shapes


@dataclass(frozen=True)
class List:
    """A stream whose objects Stripe lists at a path of their own."""

    name: str
    path: str
    permission: str
    """What a restricted key needs to be allowed to read it."""
    tracking: ChangeTracking = Events()
    _: KW_ONLY
    deleted_by: tuple[str, ...] = ()
    """Event types that say that an object no longer exists."""
    touched_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Other objects whose events mean a change of this one's: which field holds its id (A22)."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Sent with every list request, to undo filters that Stripe applies by default."""
    expand: tuple[str, ...] = ()
    """Fields that Stripe sends only if they are asked for, in lists and retrieves alike (A3)."""
    verbatim: frozenset[str] = frozenset()
    """Fields kept as Stripe sent them, one JSON object without a schema of its own."""
    unasked: frozenset[str] = frozenset()
    """Paths without a column, because Stripe sends them only if they are asked for."""
    key: tuple[str, ...] = KEY
    reference: bool = False
    """Whether other objects refer to these, so that `start_date` does not cut them off (A23)."""

    @cached_property
    def facts(self) -> ListFacts:
        """What the list takes and gives."""
        return FACTS.lists[self.path]

    @cached_property
    def object(self) -> str:
        """Value of Stripe's `object` field on every record."""
        (name,) = self.facts.objects
        return name

    @property
    def changes(self) -> Literal["feed", "none", "unseen"]:
        """How changes are found: by the event feed, never, or by listing everything again."""
        if isinstance(self.tracking, Immutable):
            return "none"
        return "unseen" if isinstance(self.tracking, Relist) else "feed"

    @property
    def windowed(self) -> bool:
        """Whether it can be narrowed to a range of creation times."""
        return self.facts.created == "created"

    @cached_property
    def dated(self) -> bool:
        """Whether its objects say when they were created."""
        return "created" not in FACTS.objects[self.object].lacks

    @cached_property
    def told_by(self) -> Mapping[str, str]:
        """What narrows the event feed to these objects; nothing where no one filter does."""
        families = {
            name.rpartition(".")[0] for name, about in EVENT_TYPES.items() if self.object in about
        }
        return {"type": f"{min(families)}.*"} if len(families) == 1 else {}

    @property
    def recheck_days(self) -> int:
        """Days of creation time that are listed again when a check is due; 0 for none."""
        return self.tracking.days if isinstance(self.tracking, EventsAndRecheck) else 0

    def expanded(self, prefix: str = "") -> dict[str, str]:
        """Return the parameters that ask for `expand`; in lists the prefix is `data.`."""
        return {f"expand[{place}]": f"{prefix}{name}" for place, name in enumerate(self.expand)}


@dataclass(frozen=True)
class Embedded:
    """A stream whose objects come in a list inside those of another one."""

    name: str
    within: List
    list_field: str
    """Field of the parent that holds the list."""
    _: KW_ONLY
    replaced_by: frozenset[str] = frozenset()
    """Types of the parent's events that give these objects other ids, without naming the old."""
    temporary_in: str = ""
    """The parent's `status` in which these objects have ids that will be replaced."""
    unasked: frozenset[str] = frozenset()
    """Paths without a column, because Stripe sends them only if they are asked for."""
    key: tuple[str, ...] = KEY

    @cached_property
    def facts(self) -> NestedFacts:
        """What the nested list holds, and where it goes on."""
        return FACTS.objects[self.within.object].nested[self.list_field]

    @cached_property
    def object(self) -> str:
        """Value of Stripe's `object` field on every record."""
        (name,) = self.facts.objects
        return name

    @property
    def tracking(self) -> ChangeTracking:
        """How changes are found."""
        return WithParent()

    @property
    def parent(self) -> str:
        """Name of the stream whose objects hold these."""
        return self.within.name

    @cached_property
    def parent_field(self) -> str:
        """Field of these objects that holds the parent's id; the tap adds it if they lack one."""
        return self.facts.parent_field or self.within.object.rpartition(".")[2]

    @cached_property
    def route(self) -> str:
        """Path of the rest of the list, with `{id}` for the parent's id."""
        return self.facts.url.partition("?")[0]


Stream: TypeAlias = List | Embedded
