"""Order-independent fingerprints: a few bytes that change when a set changes."""

from __future__ import annotations

import base64
from hashlib import blake2b

SIZE = 3
"""Bytes of a fingerprint. Two different sets have the same one once in 16 million."""

_MODULUS = 1 << (8 * SIZE)


class Fingerprints:
    """A fingerprint for each of consecutive equal periods, such as hours or days."""

    def __init__(self, period: int, sums: dict[int, int] | None = None) -> None:
        self.period = period
        """Seconds."""
        self._sums = {} if sums is None else sums

    def add(self, moment: int, content: bytes) -> None:
        """Add an element to the period of `moment`, in unix seconds."""
        place = moment // self.period
        digest = int.from_bytes(blake2b(content, digest_size=SIZE).digest())
        self._sums[place] = (self._sums.get(place, 0) + digest) % _MODULUS

    def plus(self, other: Fingerprints) -> Fingerprints:
        """Return the fingerprints of the union of two disjoint sets."""
        places = self._sums.keys() | other._sums.keys()
        sums = {place: (self.of(place) + other.of(place)) % _MODULUS for place in places}
        return Fingerprints(self.period, sums)

    def of(self, place: int) -> int:
        """Return the fingerprint of a period, by its number since 1970; 0 if it is empty."""
        return self._sums.get(place, 0)

    def encoded(self, start: int, end: int) -> str:
        """Return the fingerprints of the periods from `start` up to `end` as text.

        Empty periods at the end are left out, so that an idle account needs no text.
        """
        places = range(start // self.period, -(-end // self.period))
        content = b"".join(self.of(place).to_bytes(SIZE) for place in places)
        content = content.rstrip(b"\0")
        content += b"\0" * (-len(content) % SIZE)
        return base64.b64encode(content).decode()

    @classmethod
    def decoded(cls, text: str, start: int, period: int) -> Fingerprints:
        """Return what `encoded` wrote with the same `start`; raises ValueError for other text."""
        content = base64.b64decode(text, validate=True)
        if len(content) % SIZE:
            raise ValueError("cut off")
        first = start // period
        return cls(
            period,
            {
                first + place // SIZE: int.from_bytes(content[place : place + SIZE])
                for place in range(0, len(content), SIZE)
            },
        )
