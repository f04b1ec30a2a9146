"""An object's life, and how an account comes to hold it."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

from tap_stripe_connect.simulator import events, shapes

if TYPE_CHECKING:
    from collections.abc import Iterator


class Account(Protocol):
    """What the business needs of a simulated account."""

    @property
    def id(self) -> str:
        """Stripe's id of the account."""

    @property
    def livemode(self) -> bool:
        """Whether its objects are real ones."""

    def insert(self, document: dict[str, Any], /) -> None:
        """Store a complete object, without an event."""

    def add_event(
        self,
        type_: str,
        payload: dict[str, Any],
        /,
        *,
        at: int | None = None,
        previous: dict[str, Any] | None = None,
    ) -> object:
        """Store an event about `payload`."""


@dataclass(frozen=True, slots=True)
class Change:
    """New values of some fields, and the event that tells of them, if any does."""

    at: int
    fields: dict[str, Any]
    event: str | None = None


@dataclass(slots=True)
class Story:
    """One object: what it was when it began, and what changed when."""

    object: str
    fields: dict[str, Any]
    event: str | None = None
    """Event that tells of the beginning."""
    changes: list[Change] = field(default_factory=list)

    @property
    def created(self) -> int:
        """Unix time of the beginning."""
        created: int = self.fields["created"]
        return created

    def change(self, at: int, event: str | None = None, **fields: Any) -> None:  # noqa: ANN401 - any JSON
        """Note that `fields` took new values."""
        self.changes.append(Change(at, fields, event))

    def until(self, moment: int) -> Iterator[Change]:
        """Yield, in order, the changes that happened before `moment`."""
        for change in sorted(self.changes, key=attrgetter("at")):
            if change.at < moment:
                yield change


def tell(account: Account, story: Story, until: int) -> None:
    """Give `account` the object as it is at `until`, with the events Stripe would still have.

    An object that begins at `until` or later does not exist yet.
    """
    if story.created >= until:
        return
    recent = until - events.RETENTION
    fields = story.fields
    if story.event and story.created >= recent:
        document = shapes.complete(story.object, fields)
        account.add_event(story.event, document, at=story.created)
    for change in story.until(until):
        before, fields = fields, fields | change.fields
        if change.event and change.at >= recent:
            document = shapes.complete(story.object, fields)
            previous = None
            if change.event.endswith(".updated"):
                old = shapes.complete(story.object, before)
                previous = events.previous_attributes(events.payload(old), events.payload(document))
            account.add_event(change.event, document, at=change.at, previous=previous)
    account.insert(shapes.complete(story.object, fields))
