"""Compares the warehouse with Stripe."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tap_stripe_connect.catalog import NESTED
from tests.property.exemptions import RETENTION, listed
from tests.support.harness import KEYS, Warehouse, expected

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tests.property.account_model import AccountModel, Name
    from tests.property.exemptions import Exemptions
    from tests.support.harness import Json, Key

Tables = dict[str, dict[tuple[str, ...], "Json"]]


class Mismatch(AssertionError):  # noqa: N818 - a failed assertion, not an error
    """The warehouse differs from Stripe."""


class Target(Warehouse):
    """A target that upserts by key and checks the order of records."""

    def __init__(self, *, checks_order: bool) -> None:
        super().__init__()
        self._checks_order = checks_order
        self._newest: defaultdict[str, dict[Key, str]] = defaultdict(dict)

    def reset_order(self) -> None:
        """Accept any order again, as in a first load."""
        self._newest.clear()

    def load(self, messages: Iterable[Json], *, kept: bool = True) -> Warehouse:
        """Upsert the records of a run; raise Mismatch if one is older than the row it replaces.

        If the STATE is not `kept`, later runs cannot know the times of these records.
        """
        if not self._checks_order:
            return super().load(messages)
        for message in messages:
            if message["type"] != "RECORD":
                continue
            stream, record = message["stream"], message["record"]
            key = tuple(record[name] for name in KEYS[stream])
            before, now = self._newest[stream].get(key, ""), record["updated_at"]
            if now < before:
                raise Mismatch(f"{stream} {key}: updated_at goes back from {before} to {now}")
            if kept:
                self._newest[stream][key] = now
            self.tables[stream][key] = record
        return self


@dataclass
class Expectation:
    """Which rows must equal Stripe's objects."""

    streams: Collection[str]
    start: int
    """Creation time from which every row must exist, in unix seconds."""
    visible_from: int | None = None
    """Unix seconds; objects that changed later are skipped. None compares all."""


class Comparison:
    """Compares row by row and field by field; raises Mismatch."""

    def __init__(self, target: Target, exemptions: Exemptions) -> None:
        self._target = target
        self._excuses = exemptions

    def compare(self, model: AccountModel, expectation: Expectation) -> None:
        """Compare all rows of an account with Stripe."""
        tables = expected(model.account)
        for stream in expectation.streams:
            self._missing(model, stream, tables, expectation)
            for key, row in self._rows(model, stream).items():
                self._check(model, stream, row, tables[stream].get(key), expectation)

    def compare_new(self, model: AccountModel, expectation: Expectation) -> None:
        """Check only that new objects exist, with their nested objects."""
        tables = expected(model.account)
        for stream in expectation.streams:
            self._missing(model, stream, tables, expectation, new=True)

    def _rows(self, model: AccountModel, stream: str) -> Mapping[Key, Json]:
        name = model.account.id
        return {key: row for key, row in self._target.tables[stream].items() if key[0] == name}

    def _ignored(
        self, model: AccountModel, stream: str, row: Json, expectation: Expectation
    ) -> bool:
        name = _owner(stream, row)
        visible_from = model.visible_from.get(name, 0)
        if name[0] == "event":
            visible_from = max(visible_from, seconds(row["created"]))
        if expectation.visible_from is not None and visible_from > expectation.visible_from:
            return True
        return self._excuses.awaits_check(model, stream, name)

    def _missing(
        self,
        model: AccountModel,
        stream: str,
        tables: Tables,
        expectation: Expectation,
        *,
        new: bool = False,
    ) -> None:
        nested = NESTED.get(stream)
        start = 0 if listed(stream).reference else expectation.start
        rows = self._rows(model, stream)
        for key, row in tables[stream].items():
            if key in rows or self._ignored(model, stream, row, expectation):
                continue
            owner = tables[nested.parent][key[0], row[nested.parent_field]] if nested else row
            created = seconds(owner["created"])
            if new and nested and model.visible_from.get(_owner(stream, row), 0) > created:
                continue
            if created >= start:
                raise Mismatch(f"{stream} {key} is missing, created {owner['created']}")

    def _check(
        self,
        model: AccountModel,
        stream: str,
        row: Json,
        wanted: Json | None,
        expectation: Expectation,
    ) -> None:
        key = tuple(row[name] for name in KEYS[stream])
        updated = seconds(row["updated_at"])
        if updated > model.world.clock.now:
            raise Mismatch(f"{stream} {key} was updated at {row['updated_at']}, in the future")
        if self._ignored(model, stream, row, expectation):
            return
        created = self._created(model, stream, row)
        if created and not self._excuses.was_requested(stream, created):
            raise Mismatch(f"{stream} {key} is there, though no run requested objects that old")
        if self._excuses.is_untracked(model.account.id, stream, created, expectation.start):
            return
        if wanted is None:
            if not row["_sdc_deleted_at"] and not self._is_exempt(model, stream, row):
                raise Mismatch(f"{stream} {key} is not marked, though it no longer exists")
            return
        if row["_sdc_deleted_at"]:
            raise Mismatch(f"{stream} {key} is marked as deleted, though it exists")
        if updated < seconds(wanted["updated_at"]):
            raise Mismatch(f"{stream} {key} was updated {row['updated_at']}, before its creation")
        if {**row, "updated_at": ""} != {**wanted, "updated_at": ""}:
            fields = {
                name: (row.get(name), wanted.get(name))
                for name in {**row, **wanted}
                if name != "updated_at" and row.get(name) != wanted.get(name)
            }
            raise Mismatch(f"{stream} {key} differs (warehouse, Stripe): {fields}")

    def _created(self, model: AccountModel, stream: str, row: Json) -> int:
        """Return when a row's object, or its parent, was created."""
        nested = NESTED.get(stream)
        if nested:
            owner = self._target.tables[nested.parent].get(
                (model.account.id, row[nested.parent_field])
            )
            row = owner or {}
        return seconds(row["created"]) if row.get("created") else 0

    def _is_exempt(self, model: AccountModel, stream: str, row: Json) -> bool:
        """Return whether no event could have shown that a row is gone."""
        if stream == "events":
            return seconds(row["created"]) <= model.world.clock.now - RETENTION
        nested = NESTED.get(stream)
        name: tuple[str, ...] = _owner(stream, row)
        if nested:
            name = stream, row[nested.parent_field], row["id"]
            if name in model.removed_unseen:
                return True
        return self._excuses.in_feed_gap(model.account.id, stream, model.gone[name])


def _owner(stream: str, row: Json) -> Name:
    """Return the kind and id of a row's object, or of its parent."""
    nested = NESTED.get(stream)
    return listed(stream).object, row[nested.parent_field] if nested else row["id"]


def seconds(text: str) -> int:
    """Return a date-time in unix seconds."""
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp())
