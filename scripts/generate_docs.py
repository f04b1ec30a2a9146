"""Write the generated parts of the documentation."""

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

ROOT = Path(__file__).parents[1]


class MarkerError(Exception):
    """A file lacks the markers of a generated part."""


def parts() -> Mapping[str, Mapping[str, str]]:
    """Return the generated parts of each file, by the name in their markers."""
    return {
        "README.md": {"key link": key_link(), "stream count": str(len(STREAMS))},
        "docs/settings.md": {"settings": settings_table()},
        "docs/streams.md": {"columns": columns_table(), "streams": streams_table()},
    }


def columns_table() -> str:
    """Return a table of the columns that every stream has."""
    rows = ((f"`{column.name}`", column.about) for column in (*columns.SHARED, *columns.OWN))
    return table(("Column", "Meaning"), rows)


def key_link() -> str:
    """Return a link to Stripe's form for a new key, with all permissions selected."""
    address = restricted.link([stream.name for stream in STREAMS], livemode=True)
    return f"[restricted key]({address})"


def settings_table() -> str:
    """Return a table of the settings."""
    rows = ((f"`{setting.name}`", default(setting), setting.description) for setting in SETTINGS)
    return table(("Setting", "Default", "Meaning"), rows)


def default(setting: Setting) -> str:
    """Return the default of a setting, as Markdown."""
    if setting.required:
        return "**required**"
    if setting.default is None:
        return setting.shown_default
    return f"`{str(setting.default).lower() if setting.kind == 'boolean' else setting.default}`"


def streams_table() -> str:
    """Return a table of the streams, and the API version of their schemas."""
    rows = (
        (f"`{stream.name}`", source(stream), keys(stream), f"`{listed(stream).permission}`")
        for stream in STREAMS
    )
    shown = table(("Stream", "Read from", "Key", "Permission"), rows)
    return f"{shown}The schemas match Stripe's API version `{API_VERSION}`.\n\n"


def source(stream: Listed | Nested) -> str:
    """Return Stripe's list endpoint of a stream."""
    if isinstance(stream, Listed):
        return f"`{stream.path}`"
    return f"`{stream.list_field}` of `{stream.parent}`"


def keys(stream: Listed | Nested) -> str:
    """Return the columns of a stream's key."""
    return ", ".join(f"`{name}`" for name in stream.key)


def listed(stream: Listed | Nested) -> Listed:
    """Return the stream itself, or the parent whose list contains its objects."""
    return stream if isinstance(stream, Listed) else LISTED[stream.parent]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    text = "\n".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines
    )
    return f"\n\n{text}\n\n"


def filled(file: str, text: str) -> str:
    """Return the text of a file with its generated parts up to date; raises MarkerError."""
    for name, part in parts()[file].items():
        opening, closing = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        before, found, rest = text.partition(opening)
        _, ended, after = rest.partition(closing)
        if not found or not ended:
            raise MarkerError(f"{file} lacks {opening} … {closing}")
        text = f"{before}{opening}{part}{closing}{after}"
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Update stale files, or with `--check` only name them; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on stale files")
    check = parser.parse_args(arguments).check
    stale = False
    for file in parts():
        text = (ROOT / file).read_text("utf-8")
        try:
            wanted = filled(file, text)
        except MarkerError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        if wanted == text:
            continue
        stale = True
        print(f"stale: {file}")
        if not check:
            (ROOT / file).write_text(wanted, "utf-8", newline="\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
