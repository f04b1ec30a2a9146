"""The lowest `updated_at` that a record may have, so that it never goes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_stripe_connect.sync.plan.events import Change


@dataclass(frozen=True)
class MinUpdatedAt:
    """The lowest `updated_at` of records that may have been written before."""

    updated_at: int = 0
    """Unix seconds; 0 if every record has the time of its newest known change."""
    created_from: int = 0
    """Unchanged objects created before this moment have not been written before."""
    changed: int = 0
    """The lowest `updated_at` of changed objects, which this run may have written."""

    def of(self, created: int, change: Change | None) -> int:
        """Return the lowest `updated_at` of one object, in unix seconds."""
        known = self.updated_at if created >= self.created_from else 0
        return max(known, self.changed) if change else known


NO_MINIMUM = MinUpdatedAt()
