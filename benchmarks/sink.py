"""A target: `sink.py [BYTES_PER_SECOND]` counts records, and prints a JSON line.

With a rate it reads no faster than that, like a slow target.
"""

from __future__ import annotations

import json
import os
import sys
import time

BLOCK = 1 << 20
MARK = b'"RECORD"'
"""Occurs once in each RECORD message and in no row, whatever the srates in the JSON."""


def main(rate: float = 0.0) -> None:
    """Read standard input to its end."""
    begin = time.monotonic()
    records = size = 0
    tail = b""
    while block := os.read(0, BLOCK):
        size += len(block)
        # A mark may span two blocks; the tail is too short for a whole one.
        seen = tail + block
        records += seen.count(MARK)
        tail = seen[-(len(MARK) - 1) :]
        if rate and (early := begin + size / rate - time.monotonic()) > 0:
            time.sleep(early)
    sys.stdout.write(json.dumps({"records": records, "bytes": size}) + "\n")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
