"""How a fault is planted in the tap for a while."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

from tests.property.features import HELD, PROMISES, Feature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Patch:
    """One thing to put in the place of another."""

    owner: Any
    name: str
    make: Callable[[Any], Any]
    """Makes the replacement of the original."""


@dataclass(frozen=True)
class Defect:
    """A fault as a tap could have it."""

    name: str
    story: str
    patches: tuple[Patch, ...]
    home: tuple[Feature, ...] = ()
    """What the worlds have in which it shows soonest; nothing where it shows in all."""

    @property
    def features(self) -> frozenset[Feature]:
        """What the worlds have in which it is looked for."""
        return (PROMISES & HELD) | {*self.home}

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Run with the fault."""
        with ExitStack() as stack:
            for patch in self.patches:
                made = patch.make(getattr(patch.owner, patch.name))
                stack.enter_context(mock.patch.object(patch.owner, patch.name, made))
            yield


def one(name: str, story: str, *patch: Any, home: tuple[Feature, ...] = ()) -> Defect:
    """Return a defect of one patch: its owner, its name there, and what makes the replacement."""
    return Defect(name, story, (Patch(*patch),), home)
