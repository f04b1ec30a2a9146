"""Scenarios, their metrics and thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.load import DAY, Conditions, Load, Span, even
from benchmarks.objects import EMBEDDED, LINES
from benchmarks.processes import Measurement
from benchmarks.subjects import UNLIMITED
from tap_stripe_connect.catalog import LISTED, NESTED
from tap_stripe_connect.catalog.endpoints import PAGE_SIZE

SIZES = (10_000, 100_000, 1_000_000)
FILLED = frozenset({"charges", "customers", "invoices"})
"""Streams whose lists have objects; all others are empty."""
SPARE = 50
"""Requests that do not count for `requests_per_page`."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A load, and the subjects and thresholds to measure it with."""

    about: str
    streams: tuple[str, ...]
    largest: Mapping[str, int]
    """The largest size for each subject."""
    sizes: tuple[int, ...] = SIZES
    """Number of objects in each list, or of events if there are any."""
    spread: Callable[[int, int], tuple[Span, ...]] = even
    conditions: Conditions = field(default_factory=Conditions)
    resumes_after: int = 0
    """Seconds since an earlier run, which is not measured, read all objects; 0 for a first run."""
    changes: int = 0
    """Events per object since that run."""
    lines: int = LINES
    """Line items of each invoice."""
    thresholds: tuple[Threshold, ...] = ()

    @property
    def max_rate(self) -> int:
        """Requests per second to configure in the tap."""
        return self.conditions.per_second or UNLIMITED

    @property
    def lists(self) -> list[str]:
        """Stripe's object names of the lists that are not empty."""
        return [LISTED[name].object for name in self.streams if name in FILLED]

    def objects(self, size: int) -> int:
        """Return how many objects each list has."""
        return max(1, size // self.changes) if self.changes else size

    def load(self, size: int, now: int) -> Load:
        """Return what the page server serves to the measured run."""
        spans = dict(self.earlier_load(size, now).spans)
        if self.changes:
            count = self.objects(size) * self.changes
            # After the earlier run, and before the horizon of this one.
            spans["event"] = (Span(count, now - self.resumes_after + DAY // 2, now - DAY // 2),)
        return Load(now, spans, self.conditions, self.lines)

    def earlier_load(self, size: int, now: int) -> Load:
        """Return what the page server serves to the earlier run."""
        moment = now - self.resumes_after
        spread = self.spread(self.objects(size), moment)
        return Load(moment, dict.fromkeys(self.lists, spread), lines=self.lines)

    def records(self, size: int) -> int:
        """Return how many records a tap must write."""
        if self.resumes_after:
            return self.objects(size) if self.changes else 0
        return size * (len(self.lists) + self.lines * self._nested)

    @property
    def _nested(self) -> int:
        """Number of nested streams whose parents are not empty."""
        return sum(name in NESTED and NESTED[name].parent in FILLED for name in self.streams)

    def rows(self, size: int) -> int:
        """Return how many objects the lists have, without embedded line items."""
        if self.resumes_after:
            return size if self.changes else 0
        return size * len(self.lists)

    def pages(self, size: int) -> int:
        """Return how many full pages a tap needs, plus one request per changed object."""
        objects = self.objects(size)
        if not self.resumes_after:
            return len(self.lists) * -(-objects // PAGE_SIZE) + self.nested_pages(size)
        return -(-objects * self.changes // PAGE_SIZE) + objects if self.changes else 0

    def nested_pages(self, size: int) -> int:
        """Return how many pages hold line items that are not embedded in their invoices."""
        pages = -(-self.lines // PAGE_SIZE) if self.lines > EMBEDDED else 0
        return self.objects(size) * pages * self._nested

    def seconds(self, size: int) -> float:
        """Return the shortest time that the rate limits allow for a load."""
        conditions = self.conditions
        pages = max(-(-self.objects(size) // PAGE_SIZE), self.nested_pages(size))
        return max(pages / conditions.per_endpoint, self.pages(size) / conditions.per_second)


Metric = Callable[[Scenario, int, Measurement], float]
"""A metric of one turn of a scenario at a size."""


def rate(scenario: Scenario, size: int, turn: Measurement) -> float:
    """Return objects per second, from the start of the process to its end."""
    return scenario.rows(size) / turn.wall


def cpu(scenario: Scenario, size: int, turn: Measurement) -> float:
    """Return seconds of CPU per 1,000 objects."""
    return turn.cpu * 1_000 / scenario.rows(size)


def share_of_limit(scenario: Scenario, size: int, turn: Measurement) -> float:
    """Return the throughput as a share of what the rate limits allow."""
    return scenario.seconds(size) / turn.wall


def requests_per_page(scenario: Scenario, size: int, turn: Measurement) -> float:
    """Return the requests beyond `SPARE` per full page."""
    return (turn.requests - SPARE) / max(1, scenario.pages(size))


def wall(_scenario: Scenario, _size: int, turn: Measurement) -> float:
    """Return wall-clock seconds."""
    return turn.wall


def memory(_scenario: Scenario, _size: int, turn: Measurement) -> float:
    """Return the peak memory in MB."""
    return turn.memory


def requests(_scenario: Scenario, _size: int, turn: Measurement) -> float:
    """Return the number of requests."""
    return turn.requests


def rate_limited(_scenario: Scenario, _size: int, turn: Measurement) -> float:
    """Return the number of responses with status 429."""
    return turn.rate_limited


@dataclass(frozen=True)
class Threshold:
    """A bound on a metric of a scenario."""

    what: str
    metric: Metric
    of: str = "ours"
    """The subject."""
    over: str | None = None
    """The subject whose value of the same turn is the divisor."""
    over_size: int | None = None
    """The size at which the same subject's value is the divisor."""
    minimum: float | None = None
    maximum: float | None = None

    def is_met(self, value: float) -> bool:
        """Return whether a value is within the bounds."""
        return (self.minimum is None or value >= self.minimum) and (
            self.maximum is None or value <= self.maximum
        )


@dataclass(frozen=True)
class Results:
    """All turns of one scenario."""

    scenario: Scenario
    turns: Mapping[tuple[str, int], Sequence[Measurement]]
    """By subject and size; turns of the same index were measured one after the other."""

    def median(self, metric: Metric, of: str, size: int) -> float:
        """Return the median over the turns."""
        return median(metric(self.scenario, size, turn) for turn in self.turns[of, size])

    def ratio(self, metric: Metric, of: str, over: str, size: int) -> float:
        """Return the median of the ratios of each turn."""
        pairs = zip(self.turns[of, size], self.turns[over, size], strict=True)
        return median(
            metric(self.scenario, size, one) / metric(self.scenario, size, other)
            for one, other in pairs
        )

    def sizes(self, *subjects: str) -> list[int]:
        """Return the sizes at which all of these subjects were measured, in order."""
        found = [{size for name, size in self.turns if name == one} for one in subjects]
        return sorted(set.intersection(*found))

    def evaluate(self, threshold: Threshold) -> tuple[int, float] | None:
        """Return the size and value for a threshold, or None if it was not measured."""
        sizes = self.sizes(threshold.of, threshold.over or threshold.of)
        if not sizes or (threshold.over_size and threshold.over_size not in sizes[:-1]):
            return None
        size = sizes[-1]
        if threshold.over:
            return size, self.ratio(threshold.metric, threshold.of, threshold.over, size)
        value = self.median(threshold.metric, threshold.of, size)
        if threshold.over_size:
            value /= self.median(threshold.metric, threshold.of, threshold.over_size)
        return size, value
