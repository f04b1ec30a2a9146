"""Plays a schedule: a Stripe in which things happen, a tap that copies it, and a warehouse."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tap_stripe_connect.catalog import LISTED, NESTED, STREAMS
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.simulator.world import World
from tests.harness import DAY, NOW, Warehouse, expected
from tests.truth.steps import USUAL, Connect, Place, Run, Schedule, Wait
from tests.truth.wire import Wire, interleaved, run_tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tests.harness import Json, Key, Output
    from tests.truth.steps import Change, Hitch, Past, Step

ALL = tuple(stream.name for stream in STREAMS)
ACCOUNTS = ("acct_1Simulator", "acct_1One", "acct_1Two")
LAG = 300
FEED_REACH = 28 * DAY
RETENTION = 30 * DAY
FOLLOWED = frozenset(ALL) - {"events"}
PERMISSIONS = frozenset(listed.permission for listed in LISTED.values())

_DEAD_CURSOR = {
    "error": {
        "type": "invalid_request_error",
        "code": "resource_missing",
        "param": "starting_after",
        "message": "No such object",
    }
}
EFFECTS: Mapping[str, Json] = {
    "500": {"status": 500, "times": 1},
    "429": {"status": 429, "times": 1},
    "truncated": {"truncate": 0.5, "times": 1},
    "reset": {"reset": True, "times": 1},
    "dead cursor": {"status": 400, "body": _DEAD_CURSOR, "times": 1},
    "broken": {"status": 500},
}


class Lie(AssertionError):  # noqa: N818 - named for what it is
    """The warehouse does not say what Stripe says."""


class Story:
    """A schedule being played."""

    def __init__(self, schedule: Schedule) -> None:
        """Open the accounts with what is in them."""
        self.schedule = schedule
        self.world = World(now=NOW, platform=ACCOUNTS[0])
        for name in ACCOUNTS[1:]:
            self.world.add_account(name)
        self.places = [Place(self.world, self.world.accounts[name]) for name in ACCOUNTS]
        for number, name in enumerate(ACCOUNTS[1:], start=1):
            if number not in schedule.connected:
                self.world.disconnect(name)
        self._begin(schedule.past)
        self.wire = Wire(self.world)
        self.warehouse = Warehouse()
        self.state: Json | None = None
        self.runs = 0
        self._claimed: dict[tuple[str, str], int] = {}
        self._holes: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)

    def _begin(self, past: Iterable[Past]) -> None:
        """Make what was there before the story, oldest first."""
        makes = [
            (one.age + number * one.apart, replace(one.make, slot=one.make.slot + number))
            for one in past
            for number in range(one.copies)
        ]
        for age, make in sorted(makes, key=lambda pair: -pair[0]):
            make.happen(self.places[make.account], NOW - age)

    def play(self) -> None:
        """Play all steps, then rest and look; raises Lie."""
        for step in self.schedule.steps:
            self.happen(step)
        self.world.clock.advance(self.schedule.rest)
        quiet = Run()
        self.happen(quiet)
        self.happen(quiet)
        self.compare()
        again = self._run(quiet)
        if again.counts:
            raise Lie(f"nothing has changed, but another run writes {again.counts}")

    def happen(self, step: Step) -> None:
        """Play one step."""
        if isinstance(step, Wait):
            self.world.clock.advance(step.seconds)
        elif isinstance(step, Connect):
            if step.here:
                self.world.add_account(ACCOUNTS[step.account])
            elif self.world.connected(ACCOUNTS[step.account]):
                self.world.disconnect(ACCOUNTS[step.account])
        elif isinstance(step, Run):
            self._run(step)
        else:
            step.happen(self.places[step.account])

    # Runs

    def _run(self, run: Run) -> Output:
        self.runs += 1
        # No two runs read within one second.
        self.world.clock.advance(1)
        streams = tuple(name for name in ALL if name not in run.unselected)
        for hitch in run.hitches:
            self.wire.faults.add(fault(hitch))
        self.wire.meanwhile = self._meanwhile(run.meanwhile)
        began = self.world.clock.now
        here = [name for name in ACCOUNTS if name == ACCOUNTS[0] or self.world.connected(name)]
        output = run_tap(
            self.wire,
            self._config(run),
            streams,
            self.state,
            interleaved(run.readers, random.Random(run.order)),  # noqa: S311 - repeatable
        )
        self.wire.faults.clear()
        self.wire.meanwhile = lambda _number: None
        messages = output.messages
        if run.cut is not None:
            messages = messages[: int(len(messages) * run.cut)]
        self.warehouse.load(messages)
        for message in messages:
            if message["type"] == "STATE":
                self.state = message["value"]
        broken = bool(run.denied) or any(hitch.what == "broken" for hitch in run.hitches)
        if output.exit_code and not broken and not run.meanwhile:
            raise Lie(f"{run} ends with {output.exit_code} {output.log}")
        self._note(here, streams, began, claims=run.cut is None and not output.exit_code)
        return output

    def _config(self, run: Run) -> Json:
        key = self.world.api_key
        if run.denied:
            permissions = {
                *PERMISSIONS,
                "rak_connected_account_read",
                "rak_accounts_kyc_basic_read",
            }
            key = self.world.add_key("rk_test_few", permissions=permissions - {run.denied})
        config: Json = {
            "api_key": key,
            "max_requests_per_second": 100_000_000,
            "all_connected_accounts": True,
        }
        if start := self._start(run.start):
            config["start_date"] = str(start)
        return config

    def _start(self, days: int | None) -> int:
        """Return a run's start in unix seconds; one that has not come yet is none."""
        days = self.schedule.start if days == USUAL else days
        moment = 0 if days is None else NOW - days * DAY
        return moment if moment <= self.world.clock.now - LAG else 0

    def _meanwhile(self, happenings: Iterable[tuple[int, Change | Wait]]) -> Callable[[int], None]:
        def before(number: int) -> None:
            for place, happening in happenings:
                if place == number:
                    self.happen(happening)

        return before

    def _note(
        self, here: Iterable[str], streams: Iterable[str], began: int, *, claims: bool
    ) -> None:
        """Note of which time no feed can tell any more, by the schedule and not by STATE."""
        for account in here:
            for stream in streams:
                since = self._claimed.setdefault((account, stream), began)
                if claims:
                    if began - (since - LAG) > FEED_REACH:
                        self._holes[account, stream].append((since - LAG, began))
                    self._claimed[account, stream] = began

    # The comparison

    def compare(self) -> None:
        """Hold the warehouse against Stripe, row by row and field by field."""
        for place in self.places:
            name = place.account.id
            if name != ACCOUNTS[0] and not self.world.connected(name):
                continue
            tables = expected(place.account)
            for stream in ALL:
                rows = {
                    key: row for key, row in self.warehouse.tables[stream].items() if key[0] == name
                }
                self._missing(stream, tables[stream], rows, tables)
                for key, row in rows.items():
                    self._check(place, stream, key, row, tables[stream].get(key))

    def _missing(
        self,
        stream: str,
        wanted: Mapping[Key, Json],
        rows: Mapping[Key, Json],
        tables: Mapping[str, Mapping[Key, Json]],
    ) -> None:
        nested = NESTED.get(stream)
        listed = LISTED[nested.parent if nested else stream]
        start = 0 if listed.reference else self._start(USUAL)
        for key, row in wanted.items():
            owner = row
            if nested:
                owner = tables[nested.parent][key[0], row[nested.parent_field]]
            if key not in rows and seconds(owner["created"]) >= start:
                raise Lie(f"{stream} {key} is missing, created {owner['created']}")

    def _check(self, place: Place, stream: str, key: Key, row: Json, wanted: Json | None) -> None:
        updated = seconds(row["updated_at"])
        if updated > self.world.clock.now:
            raise Lie(f"{stream} {key} was updated at {row['updated_at']}, in the future")
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

    def _excused(self, place: Place, stream: str, row: Json) -> bool:
        """Tell whether nothing could have told that a row is gone."""
        if stream == "events":
            return seconds(row["created"]) <= self.world.clock.now - RETENTION
        nested = NESTED.get(stream)
        if nested:
            name: tuple[str, ...] = (stream, row[nested.parent_field], row["id"])
            if name in place.unseen:
                return True
        else:
            name = (LISTED[stream].object, row["id"])
        moment = place.gone[name]
        return any(first <= moment <= last for first, last in self._holes[place.account.id, stream])


def seconds(text: str) -> int:
    """Read a date-time."""
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp())


def fault(hitch: Hitch) -> Fault:
    """Return the simulator's fault for a hitch."""
    cursor = r"\?.*starting_after" if hitch.what == "dead cursor" else ""
    return Fault(match=f"^{hitch.path}{cursor}", skip=hitch.skip, **EFFECTS[hitch.what])
