"""The least `updated_at` that a row may carry, so that it never goes back in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_stripe_connect.sync.plan.events import Change


@dataclass(frozen=True)
class MinUpdatedAt:
    """The least `updated_at` of rows that earlier runs, or this one, may have written already."""

    updated_at: int = 0
    """Unix seconds; 0 where every row carries the time of its newest known change."""
    created_from: int = 0
    """Rows created before this moment have not been written yet, but for those that changed."""
    changed: int = 0
    """The same of objects that changed: this run may have written them already."""

    def of(self, created: int, change: Change | None) -> int:
        """Return the least `updated_at` of one object, in unix seconds."""
        known = self.updated_at if created >= self.created_from else 0
        return max(known, self.changed) if change else known


NO_MINIMUM = MinUpdatedAt()
