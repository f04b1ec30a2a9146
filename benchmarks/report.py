"""Results as tables: on the screen, in the documentation and in the README."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.scenario import cpu, memory, rate, rate_limited, requests, share_of_limit, wall
from benchmarks.subjects import SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from benchmarks.scenario import Metric, Results, Threshold

REGION = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- /benchmarks -->)", re.DOTALL)
COLUMNS: Sequence[tuple[Metric, str]] = (
    (rate, ",.0f"),
    (cpu, ".3f"),
    (memory, ",.0f"),
    (wall, ",.1f"),
    (requests, ",.0f"),
    (rate_limited, ",.0f"),
)
METHOD = """\
`python3 dev.py bench` measured this on {machine}: medians of {turns} turns of whole processes, from
start to end, writing into a pipe. The baseline requests, decodes and encodes in one thread, without
any SDK. Rows are the objects of the lists. Line items are embedded in them, or requested separately
if an invoice has more than ten. A row that is written twice counts once. A ratio is the median of
the ratios of each turn."""
SHOWN = ("charges", "customers", "invoices")
"""The scenarios in the README, above the throughput at Stripe's rate limits."""


def machine() -> str:
    """Describe the machine: cores, processor, Python."""
    return (
        f"{os.cpu_count()} cores of {processor()}, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def processor(file: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name, if the system reports it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", file.read_text("utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def measurements(results: Results) -> str:
    """Return the medians of a scenario, with a line for each size and subject."""
    heads = ("Size", "", "Rows/s", "CPU s/1,000", "MB", "Seconds", "Requests", "429s")
    lines = [
        (f"{size:,}", SUBJECTS[name].about, *medians(results, name, size))
        for name, size in sorted(results.turns, key=lambda key: key[1])
    ]
    return table(heads, lines)


def medians(results: Results, name: str, size: int) -> Iterator[str]:
    """Yield the cells of a subject at a size; metrics per row stay empty without rows."""
    for metric, form in COLUMNS:
        applies = results.scenario.rows(size) or metric not in {rate, cpu}
        yield f"{results.median(metric, name, size):{form}}" if applies else ""


def evaluations(results: Results) -> list[tuple[Threshold, tuple[int, float] | None]]:
    """Return each threshold with its size and value."""
    return [(threshold, results.evaluate(threshold)) for threshold in results.scenario.thresholds]


def missed(results: Results) -> bool:
    """Return whether a threshold was measured and not met."""
    return any(
        value and not threshold.is_met(value[1]) for threshold, value in evaluations(results)
    )


def thresholds(results: Results) -> str:
    """Return the table of thresholds and whether they are met."""
    lines = []
    for threshold, value in evaluations(results):
        bound = (
            f"≥ {threshold.minimum:g}"
            if threshold.minimum is not None
            else f"≤ {threshold.maximum:g}"
        )
        if value is None:
            lines.append((threshold.what, bound, "", "", "not measured"))
        else:
            said = "yes" if threshold.is_met(value[1]) else "**no**"
            lines.append((threshold.what, bound, f"{value[0]:,}", f"{value[1]:,.2f}", said))
    return table(("Threshold", "", "Size", "Measured", "Met"), lines)


def document(found: Mapping[str, Results], remarks: Iterable[str], turns: int) -> str:
    """Return docs/speed.md."""
    parts = ["# Speed", METHOD.format(machine=machine(), turns=turns), *remarks]
    for results in found.values():
        about = results.scenario.about
        parts += [f"## {about[0].upper()}{about[1:]}", measurements(results)]
        if results.scenario.thresholds:
            parts.append(thresholds(results))
    return "\n\n".join(parts) + "\n"


def summary(found: Mapping[str, Results]) -> str:
    """Return the README's table."""
    heads = ("From start to end of the process", "Rows/s", "Of the baseline", "Of tap-stripe", "MB")
    lines = [compared(found[name]) for name in SHOWN if name in found]
    parts = [table(heads, lines)]
    if at_stripe := found.get("stripe"):
        size = at_stripe.sizes("ours")[-1]
        speed, reached = (at_stripe.median(one, "ours", size) for one in (rate, share_of_limit))
        parts.append(
            f"At Stripe's rate limits: {speed:,.0f} rows/s from three lists, "
            f"{reached:.0%} of what they allow."
        )
    parts.append(
        f"`python3 dev.py bench` measured this on {machine()}; see [docs/speed.md](docs/speed.md)."
    )
    said = "\n".join(parts[1:])
    return f"{parts[0]}\n\n{said}\n"


def compared(results: Results) -> tuple[str, ...]:
    """Return a line of the README, for the largest size that most subjects share."""
    for names in (("ours", "baseline", "peer"), ("ours", "baseline"), ("ours",)):
        sizes = results.sizes(*names)
        if sizes:
            break
    size = sizes[-1]
    ratios = {other: results.ratio(rate, "ours", other, size) for other in names[1:]}
    return (
        f"{size:,} {results.scenario.about}",
        f"{results.median(rate, 'ours', size):,.0f}",
        f"{ratios['baseline']:.0%}" if "baseline" in ratios else "",
        f"{ratios['peer']:.1f}-fold" if "peer" in ratios else "",
        f"{results.median(memory, 'ours', size):,.0f}",
    )


def filled(readme: str, text: str) -> str:
    """Return the README with the table between its markers; raise ValueError without them."""
    if not REGION.search(readme):
        raise ValueError("there are no markers <!-- benchmarks --> and <!-- /benchmarks -->")
    return REGION.sub(lambda found: f"{found[1]}{text}{found[2]}", readme)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
