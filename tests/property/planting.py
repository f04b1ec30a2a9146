"""Planting defects in the tap, to test the property tests."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

from tests.property.features import ENABLED, GUARANTEES, Feature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Patch:
    """A replacement of one attribute."""

    owner: Any
    name: str
    make: Callable[[Any], Any]
    """Returns the replacement of the original."""


@dataclass(frozen=True)
class Defect:
    """A defect that a tap could have."""

    name: str
    description: str
    patches: tuple[Patch, ...]
    circumstances: tuple[Feature, ...] = ()
    """The features of schedules that reveal it soonest; none if all do."""

    @property
    def features(self) -> frozenset[Feature]:
        """The features of the schedules that are to reveal it."""
        return (GUARANTEES & ENABLED) | {*self.circumstances}

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Plant the defect for the duration of the context."""
        with ExitStack() as stack:
            for patch in self.patches:
                made = patch.make(getattr(patch.owner, patch.name))
                stack.enter_context(mock.patch.object(patch.owner, patch.name, made))
            yield


def one(
    name: str, description: str, *patch: Any, circumstances: tuple[Feature, ...] = ()
) -> Defect:
    """Return a defect of one patch: its owner, its name there, and what makes the replacement."""
    return Defect(name, description, (Patch(*patch),), circumstances)
