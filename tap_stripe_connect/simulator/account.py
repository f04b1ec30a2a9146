"""One Stripe account: its objects and events."""

from __future__ import annotations

import threading
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tap_stripe_connect.catalog import LISTED
from tap_stripe_connect.simulator import events, filters, older_version, rendering, shapes
from tap_stripe_connect.simulator.collection import Collection, Entry
from tap_stripe_connect.simulator.identifiers import identifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_stripe_connect.simulator.clock import Clock
    from tap_stripe_connect.simulator.collection import Selection

OBJECTS = tuple(sorted(listed.object for listed in LISTED.values()))
"""The objects that have their own list."""


class AgedOutError(LookupError):
    """The cursor is an event that Stripe no longer keeps."""


class Account:
    """The store of one account; safe to use from any thread."""

    def __init__(
        self, id_: str, clock: Clock, *, created: int, livemode: bool, connected: bool
    ) -> None:
        # Events of connected accounts carry the account's id.
        self.id = id_
        self.name = f"Business {id_[-6:]}"
        self.email = f"{id_.lower()}@example.com"
        self.controlled_by: str | None = None
        """The platform with exclusive write access, if any."""
        self.created = created
        self.livemode = livemode
        self._clock = clock
        self._connected = connected
        self._lock = threading.RLock()
        self._collections = {object_: Collection() for object_ in OBJECTS}
        self._deleted_customers: set[str] = set()
        self._aged_out: set[str] = set()
        self._made = 0

    def disorder(self, seconds: int) -> None:
        """Put every object up to `seconds` out of order in its list, as Stripe may do."""
        with self._lock:
            for collection in self._collections.values():
                collection.disorder(seconds)

    def insert(self, document: dict[str, Any]) -> None:
        """Store a complete object without an event, replacing any of the same id."""
        with self._lock:
            self._store(document)

    def create(
        self,
        object_: str,
        fields: dict[str, Any],
        /,
        *,
        at: int | None = None,
        visible_at: int | None = None,
    ) -> dict[str, Any]:
        """Create an object with its event, fill in missing fields, and return it."""
        moment = self._clock.now if at is None else at
        with self._lock:
            usual: dict[str, Any] = {
                "id": self._new_id(object_),
                "created": moment,
                "livemode": self.livemode,
            }
            for name in shapes.lacks(object_):
                del usual[name]
            document = shapes.complete(object_, usual | fields)
            self._store(document, visible_at, moment)
            type_ = events.creation_type(document)
            if events.is_event_type(type_):
                self.add_event(type_, document, at=moment, visible_at=visible_at)
            return self._existing(object_, document["id"])

    def update(
        self,
        object_: str,
        id_: str,
        /,
        changes: dict[str, Any],
        *,
        at: int | None = None,
        event: str | None = events.UPDATED,
    ) -> dict[str, Any]:
        """Replace top-level fields, add an event, and return the whole object.

        `*` in `event` stands for the family of the object's events. None adds no event, nor does
        a change for which Stripe has none. Raises KeyError for an unknown id.
        """
        with self._lock:
            before = self._existing(object_, id_)
            whole = before | changes | {"id": id_, "object": object_}
            self._store(shapes.complete(object_, whole))
            after = self._existing(object_, id_)
            type_ = events.event_type(object_, event or "")
            if event is not None and (event != events.UPDATED or events.is_event_type(type_)):
                previous = events.previous_attributes(events.payload(before), events.payload(after))
                self.add_event(type_, after, at=at, previous=previous)
            return after

    def delete(
        self,
        object_: str,
        id_: str,
        /,
        *,
        at: int | None = None,
        event: str | None = events.DELETED,
    ) -> None:
        """Delete an object, or cancel a subscription, with an event unless that is None.

        Raises KeyError for an unknown id.
        """
        moment = self._clock.now if at is None else at
        with self._lock:
            if object_ == "subscription":
                self._store(_ended(self._existing(object_, id_), moment))
            last = self._existing(object_, id_)
            if object_ != "subscription":
                self._collections[object_].remove(id_)
            if object_ == "customer":
                self._deleted_customers.add(id_)
            if event == events.DELETED:
                type_ = events.end_type(object_)
            else:
                type_ = events.event_type(object_, event or "")
            if type_:
                self.add_event(type_, last, at=moment)

    def add_event(  # noqa: PLR0913 - fields of Stripe's events
        self,
        type_: str,
        payload: dict[str, Any],
        /,
        *,
        at: int | None = None,
        visible_at: int | None = None,
        previous: dict[str, Any] | None = None,
        account: str | None = None,
    ) -> dict[str, Any]:
        """Add an event with the object as it is now, and return the event.

        `account` is the account of the object, if it is another one.
        """
        with self._lock:
            data: dict[str, Any] = {"object": events.payload(payload)}
            if previous is not None:
                data["previous_attributes"] = previous
            created = self._clock.now if at is None else at
            # Not by order of arrival, so that a longer history has the same ids.
            what = (type_, payload.get("id") or payload.get("customer") or "", created)
            id_ = next(
                found
                for attempt in count()
                if (found := identifier("event", self.id, *what, attempt))
                not in self._collections["event"]
            )
            event: dict[str, Any] = {
                "id": id_,
                "object": "event",
                "api_version": older_version.API_VERSION,
                "context": None,
                "created": created,
                "data": data,
                "livemode": self.livemode,
                "pending_webhooks": 0,
                "request": {"id": None, "idempotency_key": None},
                "type": type_,
            }
            if self._connected or account:
                event["account"] = account or self.id
            self._store(event, visible_at)
            return self._existing("event", id_)

    def get(self, object_: str, id_: str, /) -> dict[str, Any] | None:
        """Return a copy of an object with all items of its nested lists, or None."""
        with self._lock:
            entry = self._current(object_).get(id_)
            return None if entry is None else msgspec.json.decode(entry.whole)

    def objects(self, object_: str, /) -> Iterator[dict[str, Any]]:
        """Iterate over copies of all objects, newest first, even if reads do not show them yet."""
        with self._lock:
            stored = [entry.whole for entry in self._current(object_)]
        return map(msgspec.json.decode, stored)

    def count(self, object_: str, /) -> int:
        """Return the number of objects."""
        with self._lock:
            return len(self._current(object_))

    def read(
        self, object_: str, id_: str, form: Literal["rendered", "whole"] = "rendered"
    ) -> bytes | None:
        """Return the JSON of an object as reads show it, or None."""
        with self._lock:
            entry = self._current(object_).visible(id_)
            if entry is not None:
                return entry.rendered if form == "rendered" else entry.whole
            if object_ == "customer" and id_ in self._deleted_customers:
                tombstone = {"id": id_, "object": "customer", "deleted": True}
                return msgspec.json.encode(tombstone)
            return None

    def page(self, object_: str, selection: Selection) -> tuple[list[bytes], bool]:
        """Return the JSON of a page's objects, and whether there are more."""
        with self._lock:
            collection = self._current(object_)
            cursor = selection.starting_after or selection.ending_before
            if object_ == "event" and cursor in self._aged_out:
                raise AgedOutError(cursor)
            entries, has_more = collection.select(selection)
            return [entry.rendered for entry in entries], has_more

    def document(self) -> dict[str, Any]:
        """Return the account itself as Stripe shows it."""
        return {
            "id": self.id,
            "object": "account",
            "business_profile": {"name": self.name, "url": None},
            "business_type": "company",
            "charges_enabled": True,
            "country": "US",
            "created": self.created,
            "default_currency": "usd",
            "details_submitted": True,
            "email": self.email,
            "metadata": {},
            "payouts_enabled": True,
            "settings": {"dashboard": {"display_name": self.name, "timezone": "Etc/UTC"}},
            "type": "standard",
        }

    def _current(self, object_: str) -> Collection:
        now = self._clock.now
        collection = self._collections[object_]
        collection.show_due(now)
        if object_ == "event":
            self._aged_out.update(collection.expire(now - events.RETENTION))
        return collection

    def _existing(self, object_: str, id_: str) -> dict[str, Any]:
        entry = self._collections[object_].get(id_)
        if entry is None:
            raise KeyError(f"{self.id} has no {object_} {id_!r}")
        document: dict[str, Any] = msgspec.json.decode(entry.whole)
        return document

    def _store(
        self, document: dict[str, Any], visible_at: int | None = None, moment: int | None = None
    ) -> None:
        """Store an object; `moment` is its creation if its kind has no `created`."""
        object_ = document["object"]
        if object_ not in OBJECTS:
            raise ValueError(f"{object_!r} has no list of its own; there are {', '.join(OBJECTS)}")
        if "created" in shapes.lacks(object_):
            former = self._collections[object_].get(document["id"])
            created = former.created if former else self._clock.now if moment is None else moment
        else:
            created = document["created"]
        if not isinstance(document["id"], str) or not isinstance(created, int):
            raise TypeError(f"A {object_} needs an id and a time of creation in unix seconds")
        whole, rendered = rendering.encode(document)
        entry = Entry(
            id=document["id"],
            created=created,
            visible_at=visible_at or 0,
            whole=whole,
            rendered=rendered,
            facts=filters.facts_of(object_, document),
        )
        self._collections[object_].put(entry)
        if object_ == "customer":
            self._deleted_customers.discard(entry.id)

    def _new_id(self, object_: str) -> str:
        self._made += 1
        return identifier(object_, self.id, self._made)


def _ended(subscription: dict[str, Any], moment: int) -> dict[str, Any]:
    details = subscription.get("cancellation_details") or {}
    return subscription | {
        "status": "canceled",
        "canceled_at": moment,
        "ended_at": moment,
        "cancellation_details": details | {"reason": "cancellation_requested"},
    }
