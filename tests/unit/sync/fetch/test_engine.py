"""The engine wakes workers only if there may be work for them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

from tap_stripe_connect.sync.fetch.engine import Engine

if TYPE_CHECKING:
    import pytest


def test_no_jobs_wake_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most pages lead to no job; waking all idle workers for each would cost a tenth of the CPU."""
    notify_all = Mock()
    monkeypatch.setattr(threading.Condition, "notify_all", notify_all)
    client: Any = None
    engine = Engine(client, threading.Event())
    engine.add([])
    notify_all.assert_not_called()
