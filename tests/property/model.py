"""Plays a schedule: a Stripe in which things happen, a tap that copies it, and a warehouse."""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from unittest import mock

from tap_stripe_connect.catalog import LISTED, STREAMS
from tap_stripe_connect.simulator.world import World
from tap_stripe_connect.sync.plan import windows
from tap_stripe_connect.sync.state import bookmark
from tests.property.comparison import Demand, Judge, Lie, Target
from tests.property.excuses import CHECK, Excuses, Ran, listed
from tests.property.features import HELD, Feature
from tests.property.places import LAG, Place
from tests.property.steps import RIGHT, USUAL, Connect, Run, Schedule, Struggle, Wait
from tests.property.transport import KILLED, STOPPED, Manner, Wire, run_tap
from tests.property.trouble import MIXED_UP, MixUp, fault
from tests.support.harness import DAY, NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.property.steps import Change, Past, Step
    from tests.support.harness import Json, Output

PLAYED = frozenset({"charge", "coupon", "customer", "event", "invoice", "plan", "subscription"})
"""Kinds of objects that there are."""
ALL = tuple(stream.name for stream in STREAMS if listed(stream.name).object in PLAYED)
ACCOUNTS = ("acct_1Simulator", "acct_1One", "acct_1Two")
PERMISSIONS = frozenset(listed.permission for listed in LISTED.values())
EVENTS = LISTED["events"].permission


class Story:
    """A schedule being played."""

    def __init__(self, schedule: Schedule, features: frozenset[Feature] = HELD) -> None:
        """Open the accounts with what is in them; the tap is held to the promises in `features`."""
        self.schedule = schedule
        self.features = features
        self.world = World(now=NOW, platform=ACCOUNTS[0])
        for name in ACCOUNTS[1:]:
            self.world.add_account(name)
        self.places = [Place(self.world, self.world.accounts[name]) for name in ACCOUNTS]
        for place in self.places:
            place.account.disorder(schedule.disorder)
        for number, name in enumerate(ACCOUNTS[1:], start=1):
            if number not in schedule.connected:
                self.world.disconnect(name)
        self._begin(schedule.past)
        self.wire = Wire(self.world)
        self.target = Target(watching=Feature.ORDER in features)
        self.excuses = Excuses(features)
        self.judge = Judge(self.target, self.excuses)
        self.state: Json | None = None
        self.runs = 0

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
        with self._small():
            for step in self.schedule.steps:
                self.happen(step)
            self._rest()
            quiet = Run()
            self.happen(quiet)
            self.happen(quiet)
            self._compare(self._reachable(), Demand(ALL, self._start(USUAL)))
            again = [
                (one["stream"], one["record"]["id"])
                for one in self._run(quiet).messages
                if one["type"] == "RECORD" and not self._unproven(one["record"])
            ]
            if again:
                raise Lie(f"nothing has changed, but another run writes {again}")

    def _unproven(self, record: Json) -> bool:
        """Return whether a record is of an object without events; every check writes it again."""
        names = {record["id"], record.get("invoice"), record.get("subscription")}
        return self._recheck == 0 and any(
            name in names and any(not doubt.told for doubt in doubts)
            for place in self.places
            for (_, name), doubts in place.doubts.items()
        )

    @contextmanager
    def _small(self) -> Iterator[None]:
        """Shrink the tap's bounds to the size of the story."""
        disorder = min(windows.DISORDER, 2 * self.schedule.disorder)
        count = self.schedule.remembered
        kept = bookmark.RECENT_KEPT if count is None else count
        with (
            mock.patch.object(windows, "DISORDER", disorder),
            mock.patch.object(bookmark, "RECENT_KEPT", kept),
        ):
            yield

    def _rest(self) -> None:
        """Let time pass until nothing is left that is still to come or to be checked."""
        seconds = self.schedule.rest
        doubts = [
            doubt.visible_at
            for place in self.places
            for doubts in place.doubts.values()
            for doubt in doubts
        ]
        if doubts:
            seconds += max(0, max(doubts) - self.world.clock.now) + self._recheck
        self._pass(seconds)

    @property
    def _recheck(self) -> int:
        return CHECK if self.schedule.recheck is None else self.schedule.recheck

    def _pass(self, seconds: int) -> None:
        self.world.clock.advance(seconds)
        for place in self.places:
            place.catch_up()

    def happen(self, step: Step) -> None:
        """Play one step."""
        if isinstance(step, Wait):
            self._pass(step.seconds)
        elif isinstance(step, Connect):
            if step.here:
                self.world.add_account(ACCOUNTS[step.account])
            elif self.world.connected(ACCOUNTS[step.account]):
                self.world.disconnect(ACCOUNTS[step.account])
        elif isinstance(step, Run):
            self._run(step)
        elif isinstance(step, Struggle):
            self._struggle(step)
        else:
            step.happen(self.places[step.account])

    # Runs

    def _struggle(self, step: Struggle) -> None:
        for _ in range(step.times):
            if self._run(step.run).exit_code != KILLED:
                return
        raise Lie(f"{step.times} runs that were killed have not come to an end together")

    def _run(self, run: Run) -> Output:
        self.runs += 1
        # No two runs read within one second.
        self._pass(1)
        if run.stateless:
            self.state = None
            self.excuses.lost(ALL)
        if self.state is None:
            self.target.forget()
        streams = tuple(name for name in ALL if name not in run.unselected)
        if run.anew in streams:
            self.excuses.lost([run.anew])
        # Once and for all: time can pass while it runs.
        began, start = self.world.clock.now, self._start(run.start)
        here = [one for one in self._reachable() if one is not self._left_out(run)]
        with self._disturbed(run):
            output = run_tap(
                self.wire,
                self._config(run),
                streams,
                self.state,
                Manner(run.readers, random.Random(run.order), run.hasty, run.anew),  # noqa: S311 - repeatable
            )
        messages = output.messages
        if run.cut is not None:
            messages = messages[: int(len(messages) * run.cut)]
        self.target.load(messages, kept=not run.unsaved)
        if not run.unsaved:
            for message in messages:
                if message["type"] == "STATE":
                    self.state = message["value"]
        ended = output.exit_code in {0, KILLED, STOPPED}
        if not ended and not self._may_fail(run):
            raise Lie(f"{run} ends with {output.exit_code} {output.log}")
        claims = run.cut is None and not output.exit_code
        ran = Ran(
            accounts={place.account.id for place in here},
            streams=streams,
            began=began,
            ended=self.world.clock.now,
            start=start,
            wrote=bool(messages),
            claims=claims and not run.unsaved,
            kept=not run.unsaved,
            clocks_right=run.clocks == RIGHT,
            recheck=self._recheck,
        )
        self.excuses.ran(ran, self.places)
        demand = Demand(streams, start, settled=began - LAG)
        self._look(run, here, demand, good=claims)
        return output

    @contextmanager
    def _disturbed(self, run: Run) -> Iterator[None]:
        """Disturb the line as a run says, until the context ends."""
        wire = self.wire
        for hitch in run.hitches:
            if hitch.what in MIXED_UP:
                wire.mix_ups.append(MixUp(hitch.what, hitch.path, hitch.skip))
            else:
                wire.faults.add(fault(hitch))
        wire.clocks, wire.kill_at, wire.stop_at = run.clocks, run.killed, run.stopped
        wire.meanwhile = self._meanwhile(run.meanwhile)
        try:
            yield
        finally:
            wire.faults.clear()
            wire.mix_ups.clear()
            wire.clocks, wire.kill_at, wire.stop_at = RIGHT, None, None
            wire.meanwhile = lambda _number: None

    def _look(self, run: Run, here: list[Place], demand: Demand, *, good: bool) -> None:
        """Compare what a run makes certain by itself."""
        if good and Feature.EACH_RUN in self.features:
            self._compare(here, demand)
        elif run.denied == EVENTS and self._is_blind_only(run):
            demand.streams = [name for name in demand.streams if name != "events"]
            for place in here:
                self.judge.compare_new(place, demand)

    def _is_blind_only(self, run: Run) -> bool:
        """Tell whether nothing but the permission for events is missing."""
        undisturbed = {run.cut, run.killed, run.stopped} == {None} and not run.hitches
        return Feature.BLIND_KEY in self.features and undisturbed and not run.meanwhile

    def _may_fail(self, run: Run) -> bool:
        broken = any(hitch.what == "broken" for hitch in run.hitches)
        return bool(run.denied) or broken or bool(run.meanwhile)

    def _reachable(self) -> list[Place]:
        platform, *others = self.places
        return [platform, *(one for one in others if self.world.connected(one.account.id))]

    def _left_out(self, run: Run) -> Place | None:
        return None if run.left_out is None else self.places[run.left_out]

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
        if self.schedule.recheck is not None:
            config["recheck_interval"] = self.schedule.recheck
        if place := self._left_out(run):
            config["exclude_account_ids"] = [place.account.id]
        return config

    def _start(self, days: int | None) -> int:
        """Return a run's start in unix seconds; one that has not come yet is none."""
        days = self.schedule.start if days == USUAL else days
        moment = 0 if days is None else NOW - days * DAY
        return moment if moment <= self.world.clock.now - LAG else 0

    def _meanwhile(
        self, happenings: Iterable[tuple[int, Change | Wait | Connect]]
    ) -> Callable[[int], None]:
        def before(number: int) -> None:
            for place, happening in happenings:
                if place == number:
                    self.happen(happening)

        return before

    def _compare(self, places: Iterable[Place], demand: Demand) -> None:
        for place in places:
            # An account that left while a run was under way could not be read.
            if place is self.places[0] or self.world.connected(place.account.id):
                self.judge.compare(place, demand)
