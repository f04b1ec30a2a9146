"""The other end of the pipe: `sink.py [BYTES_PER_SECOND]` counts records, and prints a JSON line.

With a pace it reads no faster than that, as a slow target does.
"""

from __future__ import annotations

import json
import os
import sys
import time

BLOCK = 1 << 20
MARK = b'"RECORD"'
"""Stands once in each RECORD message, however the JSON is written, and nowhere in the rows."""


def main(pace: float = 0.0) -> None:
    """Read standard input to its end."""
    begin = time.monotonic()
    records = size = 0
    tail = b""
    while block := os.read(0, BLOCK):
        size += len(block)
        # A mark may lie across two blocks; no whole one fits into what is kept.
        seen = tail + block
        records += seen.count(MARK)
        tail = seen[-(len(MARK) - 1) :]
        if pace and (early := begin + size / pace - time.monotonic()) > 0:
            time.sleep(early)
    sys.stdout.write(json.dumps({"records": records, "bytes": size}) + "\n")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
