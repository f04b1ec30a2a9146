"""Holds a warehouse against Stripe."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tap_stripe_connect.catalog import NESTED
from tests.property.excuses import RETENTION, listed
from tests.support.harness import KEYS, Warehouse, expected

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tests.property.excuses import Excuses
    from tests.property.places import Name, Place
    from tests.support.harness import Json, Key

Tables = dict[str, dict[tuple[str, ...], "Json"]]


class Lie(AssertionError):  # noqa: N818 - named for what it is
    """The warehouse does not say what Stripe says."""


class Target(Warehouse):
    """A target that upserts by key, and watches the order in which rows come."""

    def __init__(self, *, watching: bool) -> None:
        """Begin empty; `watching` if `updated_at` must not go back."""
        super().__init__()
        self._watching = watching
        self._newest: defaultdict[str, dict[Key, str]] = defaultdict(dict)

    def forget(self) -> None:
        """Let rows come anew as in a first load."""
        self._newest.clear()

    def load(self, messages: Iterable[Json], *, kept: bool = True) -> Warehouse:
        """Upsert the records of a run; raises Lie for a row that is older than the one there.

        Of a run whose STATE is not `kept` nobody can know which times its rows have.
        """
        if not self._watching:
            return super().load(messages)
        for message in messages:
            if message["type"] != "RECORD":
                continue
            stream, record = message["stream"], message["record"]
            key = tuple(record[name] for name in KEYS[stream])
            before, now = self._newest[stream].get(key, ""), record["updated_at"]
            if now < before:
                raise Lie(f"{stream} {key}: updated_at goes back from {before} to {now}")
            if kept:
                self._newest[stream][key] = now
            self.tables[stream][key] = record
        return self


@dataclass
class Demand:
    """What has to be right, and of which objects."""

    streams: Collection[str]
    start: int
    """Creation time from which on everything has to be there, in unix seconds."""
    settled: int | None = None
    """Of objects to which nothing has happened since, or of all; in unix seconds."""


class Judge:
    """Compares row by row and field by field; raises Lie."""

    def __init__(self, target: Target, excuses: Excuses) -> None:
        """Compare `target`."""
        self._target = target
        self._excuses = excuses

    def compare(self, place: Place, demand: Demand) -> None:
        """Hold all rows of an account against Stripe."""
        tables = expected(place.account)
        for stream in demand.streams:
            self._missing(place, stream, tables, demand)
            for key, row in self._rows(place, stream).items():
                self._check(place, stream, row, tables[stream].get(key), demand)

    def compare_new(self, place: Place, demand: Demand) -> None:
        """Look only whether new objects are there, and what came with them."""
        tables = expected(place.account)
        for stream in demand.streams:
            self._missing(place, stream, tables, demand, new=True)

    def _rows(self, place: Place, stream: str) -> Mapping[Key, Json]:
        name = place.account.id
        return {key: row for key, row in self._target.tables[stream].items() if key[0] == name}

    def _ignored(self, place: Place, stream: str, row: Json, demand: Demand) -> bool:
        name = _owner(stream, row)
        settled = place.settled.get(name, 0)
        if name[0] == "event":
            settled = max(settled, seconds(row["created"]))
        if demand.settled is not None and settled > demand.settled:
            return True
        return self._excuses.doubtful(place, stream, name)

    def _missing(
        self, place: Place, stream: str, tables: Tables, demand: Demand, *, new: bool = False
    ) -> None:
        nested = NESTED.get(stream)
        start = 0 if listed(stream).reference else demand.start
        rows = self._rows(place, stream)
        for key, row in tables[stream].items():
            if key in rows or self._ignored(place, stream, row, demand):
                continue
            owner = tables[nested.parent][key[0], row[nested.parent_field]] if nested else row
            created = seconds(owner["created"])
            if new and nested and place.settled.get(_owner(stream, row), 0) > created:
                continue
            if created >= start:
                raise Lie(f"{stream} {key} is missing, created {owner['created']}")

    def _check(
        self, place: Place, stream: str, row: Json, wanted: Json | None, demand: Demand
    ) -> None:
        key = tuple(row[name] for name in KEYS[stream])
        updated = seconds(row["updated_at"])
        if updated > place.world.clock.now:
            raise Lie(f"{stream} {key} was updated at {row['updated_at']}, in the future")
        if self._ignored(place, stream, row, demand):
            return
        created = self._created(place, stream, row)
        if created and not self._excuses.asked(stream, created):
            raise Lie(f"{stream} {key} is there, though no run has asked for what is so old")
        if self._excuses.unknown(place.account.id, stream, created, demand.start):
            return
        if wanted is None:
            if not row["_sdc_deleted_at"] and not self._excused(place, stream, row):
                raise Lie(f"{stream} {key} is not marked, though it no longer exists")
            return
        if row["_sdc_deleted_at"]:
            raise Lie(f"{stream} {key} is marked as deleted, though it exists")
        if updated < seconds(wanted["updated_at"]):
            raise Lie(f"{stream} {key} was updated {row['updated_at']}, before its creation")
        if {**row, "updated_at": ""} != {**wanted, "updated_at": ""}:
            fields = {
                name: (row.get(name), wanted.get(name))
                for name in {**row, **wanted}
                if name != "updated_at" and row.get(name) != wanted.get(name)
            }
            raise Lie(f"{stream} {key} differs (warehouse, Stripe): {fields}")

    def _created(self, place: Place, stream: str, row: Json) -> int:
        """Return when the object was created that a row comes with."""
        nested = NESTED.get(stream)
        if nested:
            owner = self._target.tables[nested.parent].get(
                (place.account.id, row[nested.parent_field])
            )
            row = owner or {}
        return seconds(row["created"]) if row.get("created") else 0

    def _excused(self, place: Place, stream: str, row: Json) -> bool:
        """Tell whether nothing could have told that a row is gone."""
        if stream == "events":
            return seconds(row["created"]) <= place.world.clock.now - RETENTION
        nested = NESTED.get(stream)
        name: tuple[str, ...] = _owner(stream, row)
        if nested:
            name = stream, row[nested.parent_field], row["id"]
            if name in place.unseen:
                return True
        return self._excuses.in_a_hole(place.account.id, stream, place.gone[name])


def _owner(stream: str, row: Json) -> Name:
    """Return the kind and id of the object that a row comes with."""
    nested = NESTED.get(stream)
    return listed(stream).object, row[nested.parent_field] if nested else row["id"]


def seconds(text: str) -> int:
    """Read a date-time."""
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp())
