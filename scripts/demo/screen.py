"""The output of the demo: a table of loaded rows, and a revenue chart."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.demo.warehouse import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scripts.demo.warehouse import Month

EIGHTHS = " ▁▂▃▄▅▆▇█"
HEIGHT = 8
CELL = 2
"""Width of a bar in columns."""
CENTS = 100
STYLES = {"good": "32", "bad": "1;31", "bar": "36", "faint": "2"}


@dataclass(frozen=True)
class Comparison:
    """A stream's row of the table."""

    stream: str
    held: int
    """Objects in Stripe."""
    loaded: Table
    before: int
    """Rows before the run."""

    @property
    def new(self) -> int:
        """Rows that the run added."""
        return self.loaded.rows - self.before

    @property
    def fine(self) -> bool:
        """Whether every object was loaded exactly once."""
        return self.loaded.rows - self.loaded.dropped == self.held and not self.loaded.repeated

    @property
    def verdict(self) -> str:
        """The verdict."""
        if self.loaded.repeated:
            return f"{self.loaded.repeated:,} TWICE"
        return "ok" if self.fine else "DIFFERENT"


def compared(
    held: Mapping[str, int],
    loaded: Mapping[str, Table],
    before: Mapping[str, int],
) -> list[Comparison]:
    """Return the comparison of Stripe with loaded and earlier rows."""
    return [
        Comparison(stream, held[stream], loaded.get(stream, Table(0)), before.get(stream, 0))
        for stream in sorted(held)
        if held[stream] or (stream in loaded and loaded[stream].rows)
    ]


def colourful() -> bool:
    """Return whether stdout shows colours (https://no-color.org)."""
    return (
        sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def styled(text: str, style: str, *, colour: bool) -> str:
    """Return `text` in a style of the table above, or unchanged."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if colour else text


def table(rows: Sequence[Comparison], *, again: bool, colour: bool) -> str:
    """Return the comparison as lines; `again` also shows earlier rows."""
    heads = ["", "in Stripe", "in DuckDB", *(["already there", "new"] if again else [])]
    lines = [heads]
    for row in rows:
        numbers = [row.held, row.loaded.rows, *([row.before, row.new] if again else [])]
        lines.append([row.stream, *(f"{number:,}" for number in numbers)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    ]
    verdicts = [styled(row.verdict, "good" if row.fine else "bad", colour=colour) for row in rows]
    marked = (f"{line}   {verdict}" for line, verdict in zip(shown[1:], verdicts, strict=True))
    return "\n".join([styled(shown[0], "faint", colour=colour), *marked])


def chart(months: Iterable[Month], currency: str, *, width: int, colour: bool) -> str:
    """Return the months of a currency as bars, the newest that fit into `width`."""
    bars = [month for month in months if month.currency == currency]
    top = max((month.net for month in bars), default=0)
    if top <= 0:
        return f"no revenue in {currency}"
    label = f"{top / CENTS:,.0f}"
    bars = bars[-max(1, (width - len(label) - 2) // CELL) :]
    lines = []
    for row in reversed(range(HEIGHT)):
        cells = (EIGHTHS[level(month.net, top, row)] * CELL for month in bars)
        text = styled("".join(cells).rstrip(), "bar", colour=colour)
        lines.append(f"{label if row == HEIGHT - 1 else '':>{len(label)}} │{text}")
    return "\n".join([*lines, f"{'':>{len(label)}} └{axis(bars)}"])


def level(value: int, top: int, row: int) -> int:
    """Return how many eighths of a row, counted from the bottom, a bar fills."""
    eighths = round(max(0, value) / top * HEIGHT * 8)
    return max(0, min(8, eighths - 8 * row))


def axis(bars: Sequence[Month]) -> str:
    """Return a line with each year below its first month, if it fits."""
    line = ["─"] * (CELL * len(bars))
    for place, month in enumerate(bars):
        year, start = month.start[:4], CELL * place
        first = place == 0 or bars[place - 1].start[:4] != year
        if first and start + len(year) <= len(line):
            line[start : start + len(year)] = year
    return "".join(line)
