"""Runs a schedule: a Stripe that changes, a tap that copies it, and a warehouse."""

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
from tests.property.account_model import LAG, AccountModel
from tests.property.comparison import Comparison, Expectation, Mismatch, Target
from tests.property.exemptions import CHECK, Exemptions, RunFacts, listed
from tests.property.features import ENABLED, Feature
from tests.property.injected_faults import SWAPPED, SwappedResponse, simulator_fault
from tests.property.steps import ACCURATE, USUAL, Connect, RepeatedRun, Run, Schedule, Wait
from tests.property.transport import KILLED, STOPPED, RunOptions, Transport, run_tap
from tests.support.harness import DAY, NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from tests.property.steps import Change, Initial, Step
    from tests.support.harness import Json, Output

ACCOUNTS = ("acct_1Simulator", "acct_1One", "acct_1Two")
PERMISSIONS = frozenset(listed.permission for listed in LISTED.values())
EVENTS = LISTED["events"].permission


def streams_of(kinds: Collection[str]) -> tuple[str, ...]:
    """Return the streams of these kinds of objects, with those nested in them."""
    return tuple(stream.name for stream in STREAMS if listed(stream.name).object in kinds)


class ScheduleRun:
    """One run of a schedule."""

    def __init__(self, schedule: Schedule, features: frozenset[Feature] = ENABLED) -> None:
        self.schedule = schedule
        self.features = features
        self.streams = streams_of(schedule.kinds)
        self.world = World(now=NOW, platform=ACCOUNTS[0])
        for name in ACCOUNTS[1:]:
            self.world.add_account(name)
        self.models = [AccountModel(self.world, self.world.accounts[name]) for name in ACCOUNTS]
        for model in self.models:
            model.account.disorder(schedule.disorder)
        for number, name in enumerate(ACCOUNTS[1:], start=1):
            if number not in schedule.connected:
                self.world.disconnect(name)
        self._create_initial(schedule.initial)
        self.transport = Transport(self.world)
        self.target = Target(checks_order=Feature.ORDER in features)
        self.exemptions = Exemptions(features)
        self.comparison = Comparison(self.target, self.exemptions)
        self.state: Json | None = None
        self.runs = 0

    def _create_initial(self, initial: Iterable[Initial]) -> None:
        """Create the initial objects, oldest first."""
        creations = [
            (one.age + number * one.apart, replace(one.create, slot=one.create.slot + number))
            for one in initial
            for number in range(one.copies)
        ]
        for age, create in sorted(creations, key=lambda pair: -pair[0]):
            create.apply(self.models[create.account], NOW - age)

    def play(self) -> None:
        """Apply all steps, run the tap once more and compare; raise Mismatch if rows differ."""
        with self._small():
            for step in self.schedule.steps:
                self.apply(step)
            self._final_wait()
            quiet = Run()
            self.apply(quiet)
            self.apply(quiet)
            self._compare(self._reachable(), Expectation(self.streams, self._start(USUAL)))
            again = [
                (one["stream"], one["record"]["id"])
                for one in self._run(quiet).messages
                if one["type"] == "RECORD" and not self._unproven(one["record"])
            ]
            if again:
                raise Mismatch(f"nothing has changed, but another run writes {again}")

    def _unproven(self, record: Json) -> bool:
        """Return whether a record is of an object without events; every check writes it again."""
        names = {record["id"], record.get("invoice"), record.get("subscription")}
        return self._recheck == 0 and any(
            name in names and any(not check.has_event for check in pending)
            for model in self.models
            for (_, name), pending in model.pending.items()
        )

    @contextmanager
    def _small(self) -> Iterator[None]:
        """Shrink the tap's limits to the size of the schedule."""
        disorder = min(windows.DISORDER, 2 * self.schedule.disorder)
        count = self.schedule.digests_kept
        kept = bookmark.RECENT_KEPT if count is None else count
        with (
            mock.patch.object(windows, "DISORDER", disorder),
            mock.patch.object(bookmark, "RECENT_KEPT", kept),
        ):
            yield

    def _final_wait(self) -> None:
        """Advance the clock until every event is visible and the next feed check is due."""
        seconds = self.schedule.final_wait
        pending = [
            check.visible_at
            for model in self.models
            for pending in model.pending.values()
            for check in pending
        ]
        if pending:
            seconds += max(0, max(pending) - self.world.clock.now) + self._recheck
        self._pass(seconds)

    @property
    def _recheck(self) -> int:
        return CHECK if self.schedule.recheck is None else self.schedule.recheck

    def _pass(self, seconds: int) -> None:
        self.world.clock.advance(seconds)
        for model in self.models:
            model.apply_due_reads()

    def apply(self, step: Step) -> None:
        """Apply one step."""
        if isinstance(step, Wait):
            self._pass(step.seconds)
        elif isinstance(step, Connect):
            if step.here:
                self.world.add_account(ACCOUNTS[step.account])
            elif self.world.connected(ACCOUNTS[step.account]):
                self.world.disconnect(ACCOUNTS[step.account])
        elif isinstance(step, Run):
            self._run(step)
        elif isinstance(step, RepeatedRun):
            self._run_repeatedly(step)
        else:
            step.apply(self.models[step.account])

    # Runs

    def _run_repeatedly(self, step: RepeatedRun) -> None:
        for _ in range(step.times):
            if self._run(step.run).exit_code != KILLED:
                return
        raise Mismatch(f"{step.times} runs that were killed have not come to an end together")

    def _run(self, run: Run) -> Output:
        self.runs += 1
        # No two runs read within one second.
        self._pass(1)
        if run.without_state:
            self.state = None
            self.exemptions.record_lost_state(self.streams)
        if self.state is None:
            self.target.reset_order()
        streams = tuple(name for name in self.streams if name not in run.unselected)
        if run.full_table in streams:
            self.exemptions.record_lost_state([run.full_table])
        # Once and for all: time can pass while it runs.
        began, start = self.world.clock.now, self._start(run.start)
        here = [one for one in self._reachable() if one is not self._left_out(run)]
        with self._faults_injected(run):
            output = run_tap(
                self.transport,
                self._config(run),
                streams,
                self.state,
                RunOptions(run.workers, random.Random(run.order), run.hedging, run.full_table),  # noqa: S311 - repeatable
            )
        messages = output.messages
        if run.cut is not None:
            messages = messages[: int(len(messages) * run.cut)]
        self.target.load(messages, kept=not run.state_lost)
        if not run.state_lost:
            for message in messages:
                if message["type"] == "STATE":
                    self.state = message["value"]
        ended = output.exit_code in {0, KILLED, STOPPED}
        if not ended and not self._may_fail(run):
            raise Mismatch(f"{run} ends with {output.exit_code} {output.log}")
        claims = run.cut is None and not output.exit_code
        facts = RunFacts(
            accounts={model.account.id for model in here},
            streams=streams,
            began=began,
            ended=self.world.clock.now,
            start=start,
            wrote=bool(messages),
            claims=claims and not run.state_lost,
            kept=not run.state_lost,
            clocks_right=run.clocks == ACCURATE,
            recheck=self._recheck,
        )
        self.exemptions.record_run(facts, self.models)
        expectation = Expectation(streams, start, visible_from=began - LAG)
        self._compare_after(run, here, expectation, good=claims)
        return output

    @contextmanager
    def _faults_injected(self, run: Run) -> Iterator[None]:
        """Inject the faults of a run for the duration of the context."""
        transport = self.transport
        for fault in run.faults:
            if fault.effect in SWAPPED:
                transport.swaps.append(SwappedResponse(fault.effect, fault.path, fault.skip))
            else:
                transport.faults.add(simulator_fault(fault))
        transport.clocks, transport.kill_at, transport.stop_at = (
            run.clocks,
            run.kill_at,
            run.stop_at,
        )
        transport.meanwhile = self._meanwhile(run.meanwhile)
        try:
            yield
        finally:
            transport.faults.clear()
            transport.swaps.clear()
            transport.clocks, transport.kill_at, transport.stop_at = ACCURATE, None, None
            transport.meanwhile = lambda _number: None

    def _compare_after(
        self, run: Run, here: list[AccountModel], expectation: Expectation, *, good: bool
    ) -> None:
        """Compare what this run alone guarantees."""
        if good and Feature.EACH_RUN in self.features:
            self._compare(here, expectation)
        elif run.denied == EVENTS and self._is_blind_only(run):
            expectation.streams = [name for name in expectation.streams if name != "events"]
            for model in here:
                self.comparison.compare_new(model, expectation)

    def _is_blind_only(self, run: Run) -> bool:
        """Return whether the run lacks only the permission for events."""
        no_faults = {run.cut, run.kill_at, run.stop_at} == {None} and not run.faults
        return Feature.BLIND_KEY in self.features and no_faults and not run.meanwhile

    def _may_fail(self, run: Run) -> bool:
        broken = any(fault.effect == "broken" for fault in run.faults)
        return bool(run.denied) or broken or bool(run.meanwhile)

    def _reachable(self) -> list[AccountModel]:
        platform, *others = self.models
        return [platform, *(one for one in others if self.world.connected(one.account.id))]

    def _left_out(self, run: Run) -> AccountModel | None:
        return None if run.excluded is None else self.models[run.excluded]

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
        if model := self._left_out(run):
            config["exclude_account_ids"] = [model.account.id]
        return config

    def _start(self, days: int | None) -> int:
        """Return a run's start in unix seconds; one that has not come yet is none."""
        days = self.schedule.start if days == USUAL else days
        moment = 0 if days is None else NOW - days * DAY
        return moment if moment <= self.world.clock.now - LAG else 0

    def _meanwhile(
        self, steps: Iterable[tuple[int, Change | Wait | Connect]]
    ) -> Callable[[int], None]:
        def before(number: int) -> None:
            for at, step in steps:
                if at == number:
                    self.apply(step)

        return before

    def _compare(self, models: Iterable[AccountModel], expectation: Expectation) -> None:
        for model in models:
            # An account that left while a run was under way could not be read.
            if model is self.models[0] or self.world.connected(model.account.id):
                self.comparison.compare(model, expectation)
