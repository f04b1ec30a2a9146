"""Reproducible randomness: every part of the business draws from a stream of its own."""

from __future__ import annotations

from base64 import b64encode
from random import Random

_MOST = 50
"""So many at most happen at once, however many are expected."""


def stream(*name: str | int) -> Random:
    """Return the random numbers that belong to `name`, the same ones every time."""
    return Random(":".join(map(str, name)))  # noqa: S311 - repeatable on purpose, guards nothing


def stripe_id(rng: Random, prefix: str, length: int = 24) -> str:
    """Return an id as Stripe makes them: `prefix`, underscore, `length` letters and digits."""
    return f"{prefix}_{token(rng, length)}"


def token(rng: Random, length: int) -> str:
    """Return `length` random letters and digits."""
    return b64encode(rng.randbytes(length), b"Zz")[:length].decode()


def poisson(rng: Random, mean: float) -> int:
    """Return how many of many unlikely things happened, `mean` being expected."""
    count, waited = 0, rng.expovariate(1.0)
    while waited < mean and count < _MOST:
        count += 1
        waited += rng.expovariate(1.0)
    return count
