"""What was measured, as tables: on the screen, in the documentation and in the README."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contestants import CONTESTANTS
from benchmarks.work import allowed, cpu, memory, rate, refused, requests, wall

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from benchmarks.work import Demand, Figure, Results

REGION = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- /benchmarks -->)", re.DOTALL)
COLUMNS: Sequence[tuple[Figure, str]] = (
    (rate, ",.0f"),
    (cpu, ".3f"),
    (memory, ",.0f"),
    (wall, ",.1f"),
    (requests, ",.0f"),
    (refused, ",.0f"),
)
METHOD = """\
`python3 dev.py bench` measured this on {machine}: medians of {turns} turns of whole processes, from
their start to their end, into a pipe. The floor asks, decodes and encodes in one thread, without
any SDK. Rows are the objects of the lists: line items come inside them, or are asked for where an
invoice has more than ten, and a row that somebody writes twice counts once. A ratio is the median
of the ratios of each turn."""
SHOWN = ("charges", "customers", "invoices")
"""The works in the README; below them stands what is reached of Stripe's limits."""


def machine() -> str:
    """Describe the machine: cores, processor, Python."""
    return (
        f"{os.cpu_count()} cores of {processor()}, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def processor(file: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name, as far as the system tells."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", file.read_text("utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def figures(results: Results) -> str:
    """Return the medians of a work, a line for each size and contestant."""
    heads = ("Size", "", "Rows/s", "CPU s/1,000", "MB", "Seconds", "Requests", "Refused")
    lines = [
        (f"{size:,}", CONTESTANTS[name].about, *medians(results, name, size))
        for name, size in sorted(results.turns, key=lambda key: key[1])
    ]
    return table(heads, lines)


def medians(results: Results, name: str, size: int) -> Iterator[str]:
    """Yield the cells of a contestant at a size; what means nothing without rows stays empty."""
    for figure, form in COLUMNS:
        told = results.work.rows(size) or figure not in {rate, cpu}
        yield f"{results.median(figure, name, size):{form}}" if told else ""


def verdicts(results: Results) -> list[tuple[Demand, tuple[int, float] | None]]:
    """Return what each demand came to."""
    return [(demand, results.judged(demand)) for demand in results.work.demands]


def missed(results: Results) -> bool:
    """Tell whether a demand was measured and not met."""
    return any(value and not demand.met(value[1]) for demand, value in verdicts(results))


def demands(results: Results) -> str:
    """Return what must hold, and whether it does."""
    lines = []
    for demand, value in verdicts(results):
        bound = f"≥ {demand.least:g}" if demand.least is not None else f"≤ {demand.most:g}"
        if value is None:
            lines.append((demand.what, bound, "", "", "not measured"))
        else:
            said = "yes" if demand.met(value[1]) else "**no**"
            lines.append((demand.what, bound, f"{value[0]:,}", f"{value[1]:,.2f}", said))
    return table(("Must hold", "", "Size", "Measured", ""), lines)


def document(found: Mapping[str, Results], remarks: Iterable[str], turns: int) -> str:
    """Return everything that was measured."""
    parts = ["# Speed", METHOD.format(machine=machine(), turns=turns), *remarks]
    for results in found.values():
        about = results.work.about
        parts += [f"## {about[0].upper()}{about[1:]}", figures(results)]
        if results.work.demands:
            parts.append(demands(results))
    return "\n\n".join(parts) + "\n"


def summary(found: Mapping[str, Results]) -> str:
    """Return the README's table."""
    heads = ("From start to end of the process", "Rows/s", "Of the floor", "Of tap-stripe", "MB")
    lines = [compared(found[name]) for name in SHOWN if name in found]
    parts = [table(heads, lines)]
    if at_stripe := found.get("stripe"):
        size = at_stripe.sizes("ours")[-1]
        speed, reached = (at_stripe.median(one, "ours", size) for one in (rate, allowed))
        parts.append(
            f"At the limits that Stripe sets: {speed:,.0f} rows/s from three lists, "
            f"{reached:.0%} of what they allow."
        )
    parts.append(
        f"`python3 dev.py bench` measured it on {machine()}; "
        "all of it is in [docs/speed.md](docs/speed.md)."
    )
    said = "\n".join(parts[1:])
    return f"{parts[0]}\n\n{said}\n"


def compared(results: Results) -> tuple[str, ...]:
    """Return a line of the README: the largest size that most have been measured at."""
    for names in (("ours", "floor", "peer"), ("ours", "floor"), ("ours",)):
        sizes = results.sizes(*names)
        if sizes:
            break
    size = sizes[-1]
    ratios = {other: results.ratio(rate, "ours", other, size) for other in names[1:]}
    return (
        f"{size:,} {results.work.about}",
        f"{results.median(rate, 'ours', size):,.0f}",
        f"{ratios['floor']:.0%}" if "floor" in ratios else "",
        f"{ratios['peer']:.1f}-fold" if "peer" in ratios else "",
        f"{results.median(memory, 'ours', size):,.0f}",
    )


def filled(readme: str, text: str) -> str:
    """Put the table in its place; ValueError where there is none."""
    if not REGION.search(readme):
        raise ValueError("no place is marked with <!-- benchmarks --> and <!-- /benchmarks -->")
    return REGION.sub(lambda found: f"{found[1]}{text}{found[2]}", readme)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
