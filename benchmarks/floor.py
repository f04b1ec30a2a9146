"""The least that a tap has to do, without any SDK: `floor.py URL STREAM…` in one thread.

Asks page after page with requests, decodes, and encodes each row, and each line item if asked
for, as a RECORD message.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import requests

CHILDREN = {"invoices": ("lines", "invoice_line_items")}
"""Which field of a stream's rows holds the rows of another stream."""
TIMEOUT = 60.0

_decode = msgspec.json.Decoder().decode
_encode_lines = msgspec.json.Encoder().encode_lines


def read(session: requests.Session, url: str, stream: str, selected: set[str]) -> None:
    """Copy a stream, and its children if they are selected."""
    parameters = {"limit": "100"}
    field, children = CHILDREN.get(stream, ("", ""))
    more = True
    while more:
        answer = session.get(f"{url}/v1/{stream}", params=parameters, timeout=TIMEOUT)
        answer.raise_for_status()
        page = _decode(answer.content)
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
