"""Digests of what was written lately, so that it is not written twice."""

from __future__ import annotations

from collections import defaultdict
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from tap_stripe_connect.sync.state.bookmark import recent_by_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_stripe_connect.sync.state.bookmark import Bookmark

_encode = msgspec.json.Encoder(order="deterministic").encode

Written = tuple[str, str]
"""A stream and an account."""


def _digest(content: bytes, size: int) -> str:
    return blake2b(content, digest_size=size).hexdigest()


class Digests:
    """What the last run wrote of objects that are read again, and what this one writes."""

    def __init__(self, horizon: int) -> None:
        """Remember what changed at or after `horizon`, in unix seconds: it will be read again."""
        self.horizon = horizon
        self._previous: dict[Written, dict[str, str]] = {}
        self._recent: defaultdict[Written, dict[str, str]] = defaultdict(dict)
        self._interim: defaultdict[Written, dict[str, str]] = defaultdict(dict)

    def begin(self, stream: str, account: str, bookmark: Bookmark) -> None:
        """Learn what the last run wrote."""
        if bookmark.recent:
            self._previous[stream, account] = recent_by_object(bookmark)

    def recent(self, stream: str, account: str, *, finished: bool) -> dict[str, str]:
        """Return the digests to keep; until all is read again those of the last run count too."""
        key = stream, account
        fresh = self._recent.get(key, {})
        if finished:
            return fresh
        return {**self._previous.get(key, {}), **self._interim.get(key, {}), **fresh}

    def unwritten(
        self, streams: Iterable[str], account: str, name: str, newest: int, content: object
    ) -> frozenset[str]:
        """Return those of `streams` for which an object has not been written in this state.

        `newest` is the time of its newest known change, in unix seconds.
        """
        ahead = newest >= self.horizon
        keys = {stream: (stream, account) for stream in streams}
        before = [known for key in keys.values() if (known := self._previous.get(key))]
        # What is neither new nor remembered needs no digest, or memory would grow with the rows.
        if not ahead and not before:
            return frozenset(keys)
        short = _digest(name.encode(), 4)
        if not ahead and not any(short in known for known in before):
            return frozenset(keys)
        digest = _digest(_encode(content), 8)
        unwritten = set()
        for stream, key in keys.items():
            if self._previous.get(key, {}).get(short) != digest:
                unwritten.add(stream)
            (self._recent if ahead else self._interim)[key][short] = digest
        return frozenset(unwritten)
