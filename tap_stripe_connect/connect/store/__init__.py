"""Where settings are kept: a Meltano project's `.env`, or a `config.json`."""

from __future__ import annotations

from tap_stripe_connect.connect.store.destination import found
from tap_stripe_connect.connect.store.kept import Store, StoreFault

__all__ = ["Store", "StoreFault", "found"]
