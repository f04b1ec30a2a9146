"""What a work is, and what is said of how it was done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.contestants import NO_PACE
from benchmarks.load import DAY, Conditions, Load, Span, even
from benchmarks.objects import EMBEDDED, LINES
from benchmarks.processes import Figures
from tap_stripe_connect.catalog import LISTED, NESTED
from tap_stripe_connect.catalog.endpoints import PAGE_SIZE

SIZES = (10_000, 100_000, 1_000_000)
BETWEEN = 10 * DAY
"""Seconds between a run that is not measured and the one that goes on from there."""
FILLED = frozenset({"charges", "customers", "invoices"})
"""Streams whose lists have objects; the others are empty."""
SPARE = 50
"""Requests that are allowed beyond a share of the full pages."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """Something that taps have to do."""

    about: str
    streams: tuple[str, ...]
    largest: Mapping[str, int]
    """Who is measured, and the largest size that is bearable for them."""
    sizes: tuple[int, ...] = SIZES
    """Objects of each list; events where there are any."""
    spread: Callable[[int, int], tuple[Span, ...]] = even
    conditions: Conditions = field(default_factory=Conditions)
    resumes: bool = False
    """Whether a run before it, which is not measured, has read all objects."""
    changes: int = 0
    """Events for each object since that run."""
    lines: int = LINES
    """Line items of each invoice."""
    demands: tuple[Demand, ...] = ()

    @property
    def pace(self) -> int:
        """Requests per second that the tap is told to send at most."""
        return self.conditions.per_second or NO_PACE

    @property
    def lists(self) -> list[str]:
        """Stripe's names of what the lists have objects of."""
        return [LISTED[name].object for name in self.streams if name in FILLED]

    def objects(self, size: int) -> int:
        """Return how many objects each list has."""
        return max(1, size // self.changes) if self.changes else size

    def load(self, size: int, now: int) -> Load:
        """Return what the page server serves while it is measured."""
        spans = dict(self.before(size, now).spans)
        if self.changes:
            count = self.objects(size) * self.changes
            # After the run before, and before the horizon of this one.
            spans["event"] = (Span(count, now - BETWEEN + DAY // 2, now - DAY // 2),)
        return Load(now, spans, self.conditions, self.lines)

    def before(self, size: int, now: int) -> Load:
        """Return what the page server serves to the run that is not measured."""
        moment = now - BETWEEN if self.resumes else now
        spread = self.spread(self.objects(size), moment)
        return Load(moment, dict.fromkeys(self.lists, spread), lines=self.lines)

    def records(self, size: int) -> int:
        """Return how many records have to be written."""
        if self.resumes:
            return self.objects(size) if self.changes else 0
        return size * (len(self.lists) + self.lines * self._nested)

    @property
    def _nested(self) -> int:
        """How many of the streams come inside others that have objects."""
        return sum(name in NESTED and NESTED[name].parent in FILLED for name in self.streams)

    def rows(self, size: int) -> int:
        """Return how many objects the lists give; line items come inside them."""
        if self.resumes:
            return size if self.changes else 0
        return size * len(self.lists)

    def pages(self, size: int) -> int:
        """Return how many full pages hold all there is; what changed is read one by one at most."""
        objects = self.objects(size)
        if not self.resumes:
            return len(self.lists) * -(-objects // PAGE_SIZE) + self.nested_pages(size)
        return -(-objects * self.changes // PAGE_SIZE) + objects if self.changes else 0

    def nested_pages(self, size: int) -> int:
        """Return how many pages hold the line items of invoices that have more than come inside."""
        asked = -(-self.lines // PAGE_SIZE) if self.lines > EMBEDDED else 0
        return self.objects(size) * asked * self._nested

    def seconds(self, size: int) -> float:
        """Return how long the limits make a load take at the least."""
        conditions = self.conditions
        pages = max(-(-self.objects(size) // PAGE_SIZE), self.nested_pages(size))
        return max(pages / conditions.per_endpoint, self.pages(size) / conditions.per_second)


Figure = Callable[[Work, int, Figures], float]
"""What is told of one turn of a work of some size."""


def rate(work: Work, size: int, turn: Figures) -> float:
    """Return objects per second, from the start of the process to its end."""
    return work.rows(size) / turn.wall


def cpu(work: Work, size: int, turn: Figures) -> float:
    """Return seconds of CPU for 1,000 objects."""
    return turn.cpu * 1_000 / work.rows(size)


def allowed(work: Work, size: int, turn: Figures) -> float:
    """Return the part that was reached of the objects per second that the limits allow."""
    return work.seconds(size) / turn.wall


def share(work: Work, size: int, turn: Figures) -> float:
    """Return the requests beyond the spare ones, for each full page."""
    return (turn.requests - SPARE) / max(1, work.pages(size))


def wall(_work: Work, _size: int, turn: Figures) -> float:
    """Return seconds."""
    return turn.wall


def memory(_work: Work, _size: int, turn: Figures) -> float:
    """Return MB at the peak."""
    return turn.memory


def requests(_work: Work, _size: int, turn: Figures) -> float:
    """Return how many requests were sent."""
    return turn.requests


def refused(_work: Work, _size: int, turn: Figures) -> float:
    """Return how many requests were refused for speed."""
    return turn.refused


@dataclass(frozen=True)
class Demand:
    """What must hold of the figures of one work."""

    what: str
    figure: Figure
    of: str = "ours"
    """Whose figure."""
    over: str | None = None
    """Whose figure of the same turn it is divided by."""
    over_size: int | None = None
    """The size of which the same one's figure divides it."""
    least: float | None = None
    most: float | None = None

    def met(self, value: float) -> bool:
        """Tell whether a value is good enough."""
        return (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )


@dataclass(frozen=True)
class Results:
    """All turns of one work."""

    work: Work
    turns: Mapping[tuple[str, int], Sequence[Figures]]
    """By contestant and size; the turns of the same place were made one after the other."""

    def median(self, figure: Figure, of: str, size: int) -> float:
        """Return the median over the turns."""
        return median(figure(self.work, size, turn) for turn in self.turns[of, size])

    def ratio(self, figure: Figure, of: str, over: str, size: int) -> float:
        """Return the median of the ratios of each turn."""
        pairs = zip(self.turns[of, size], self.turns[over, size], strict=True)
        return median(
            figure(self.work, size, one) / figure(self.work, size, other) for one, other in pairs
        )

    def sizes(self, *contestants: str) -> list[int]:
        """Return the sizes that all of these were measured at, in order."""
        found = [{size for name, size in self.turns if name == one} for one in contestants]
        return sorted(set.intersection(*found))

    def judged(self, demand: Demand) -> tuple[int, float] | None:
        """Return a demand's value, and the size it holds of; None if it was not measured."""
        sizes = self.sizes(demand.of, demand.over or demand.of)
        if not sizes or (demand.over_size and demand.over_size not in sizes[:-1]):
            return None
        size = sizes[-1]
        if demand.over:
            return size, self.ratio(demand.figure, demand.of, demand.over, size)
        value = self.median(demand.figure, demand.of, size)
        if demand.over_size:
            value /= self.median(demand.figure, demand.of, demand.over_size)
        return size, value
