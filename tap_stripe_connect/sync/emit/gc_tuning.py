"""How often Python looks for objects that hold each other."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

RARELY = (100_000, 50, 100)
"""After so many new objects; for the older ones after so many such looks."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look less often: decoded rows come by the thousand, and none of them holds another.

    They go when they are written, without any search; that took a sixth of the time of invoices.
    """
    before = gc.get_threshold()
    gc.set_threshold(*RARELY)
    try:
        yield
    finally:
        gc.set_threshold(*before)
