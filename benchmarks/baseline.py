"""A minimal tap without any SDK, in one thread: `baseline.py URL STREAM…`.

Requests page after page, decodes them, and encodes each row as a RECORD message, including line
items if they are selected.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import requests

CHILDREN = {"invoices": ("lines", "invoice_line_items")}
"""The field of a stream's rows that holds the rows of its child stream, and its name."""
TIMEOUT = 60.0

_decode = msgspec.json.Decoder().decode
_encode_lines = msgspec.json.Encoder().encode_lines


def read(session: requests.Session, url: str, stream: str, selected: set[str]) -> None:
    """Copy a stream, and its children if they are selected."""
    parameters = {"limit": "100"}
    field, children = CHILDREN.get(stream, ("", ""))
    more = True
    while more:
        response = session.get(f"{url}/v1/{stream}", params=parameters, timeout=TIMEOUT)
        response.raise_for_status()
        page = _decode(response.content)
        messages = [record(stream, row) for row in page["data"]]
        if children in selected:
            messages += [
                record(children, row) for parent in page["data"] for row in parent[field]["data"]
            ]
        sys.stdout.buffer.write(_encode_lines(messages))
        more = page["has_more"]
        if more:
            parameters["starting_after"] = page["data"][-1]["id"]


def record(stream: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return a RECORD message."""
    return {"type": "RECORD", "stream": stream, "record": row}


def main(url: str, *streams: str) -> None:
    """Copy streams one after the other."""
    children = {name for _, name in CHILDREN.values()}
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer sk_live_benchmark"
        for stream in streams:
            if stream not in children:
                read(session, url, stream, set(streams))


if __name__ == "__main__":
    main(*sys.argv[1:])
