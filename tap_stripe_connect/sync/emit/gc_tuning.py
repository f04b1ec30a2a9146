"""Tuning of the cyclic garbage collector for the duration of a sync."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

THRESHOLDS = (100_000, 50, 100)
"""Thresholds of the three generations."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Run the cyclic garbage collector rarely.

    Decoded rows contain no reference cycles and are freed once they are written. With the default
    thresholds, the collector took a sixth of the time of a sync of invoices.
    """
    before = gc.get_threshold()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
