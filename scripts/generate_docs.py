"""Write the parts of the README that follow from the tables of the code."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tap_stripe_connect.catalog import API_VERSION, LISTED, STREAMS, Listed, columns
from tap_stripe_connect.connect import restricted
from tap_stripe_connect.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_stripe_connect.catalog import Nested
    from tap_stripe_connect.settings import Setting

README = Path(__file__).parents[1] / "README.md"


class MarkerError(Exception):
    """The README lacks a place for a generated part."""


def parts() -> Mapping[str, str]:
    """Return the generated parts by the name in their markers."""
    return {
        "columns": columns_table(),
        "key link": key_link(),
        "settings": settings_table(),
        "streams": streams_table(),
    }


def columns_table() -> str:
    """Return the columns that every stream has as a table."""
    rows = ((f"`{column.name}`", column.about) for column in (*columns.SHARED, *columns.OWN))
    return table(("Column", "Meaning"), rows)


def key_link() -> str:
    """Return a link to the Dashboard's form for a key, with every permission ticked."""
    address = restricted.link([stream.name for stream in STREAMS], livemode=True)
    return f"[restricted key]({address})"


def settings_table() -> str:
    """Return the settings as a table."""
    rows = ((f"`{setting.name}`", default(setting), setting.description) for setting in SETTINGS)
    return table(("Setting", "Default", "Meaning"), rows)


def default(setting: Setting) -> str:
    """Return what a setting is when it is not given."""
    if setting.required:
        return "**required**"
    if setting.default is None:
        return setting.shown_default
    return f"`{str(setting.default).lower() if setting.kind == 'boolean' else setting.default}`"


def streams_table() -> str:
    """Return the streams as a table, and what they are made for."""
    rows = (
        (f"`{stream.name}`", source(stream), keys(stream), f"`{listed(stream).permission}`")
        for stream in STREAMS
    )
    shown = table(("Stream", "Read from", "Key", "Permission"), rows)
    return f"{shown}The schemas fit Stripe's API version `{API_VERSION}`.\n\n"


def source(stream: Listed | Nested) -> str:
    """Return where the objects of a stream come from."""
    if isinstance(stream, Listed):
        return f"`{stream.path}`"
    return f"`{stream.list_field}` of each of `{stream.parent}`"


def keys(stream: Listed | Nested) -> str:
    """Return the columns of a stream's key."""
    return ", ".join(f"`{name}`" for name in stream.key)


def listed(stream: Listed | Nested) -> Listed:
    """Return the stream whose list is read for a stream's sake."""
    return stream if isinstance(stream, Listed) else LISTED[stream.parent]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    text = "\n".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines
    )
    return f"\n\n{text}\n\n"


def filled(text: str) -> str:
    """Return `text` with every generated part up to date; raises MarkerError."""
    for name, part in parts().items():
        opening, closing = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        before, found, rest = text.partition(opening)
        _, ended, after = rest.partition(closing)
        if not found or not ended:
            raise MarkerError(f"{README.name} lacks {opening} … {closing}")
        text = f"{before}{opening}{part}{closing}{after}"
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the README if it is stale, or with `--check` only say so; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if it is stale")
    check = parser.parse_args(arguments).check
    text = README.read_text("utf-8")
    try:
        wanted = filled(text)
    except MarkerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if wanted == text:
        return 0
    print(f"stale: {README.name}")
    if not check:
        README.write_text(wanted, "utf-8", newline="\n")
    return 1 if check else 0


if __name__ == "__main__":
    sys.exit(main())
