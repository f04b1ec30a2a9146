"""Runs a command and writes its peak memory in kilobytes to a file.

A separate process, because the kernel's figure for a child includes the size of its parent.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    child = subprocess.Popen(sys.argv[2:])  # noqa: S603 - the command of the test
    _, status, used = os.wait4(child.pid, 0)
    Path(sys.argv[1]).write_text(str(used.ru_maxrss), "utf-8")
    sys.exit(os.waitstatus_to_exitcode(status))
