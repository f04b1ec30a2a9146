"""A file with settings: reading it, and changing what authorization changes."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tap_stripe_connect.api.api_keys import is_live
from tap_stripe_connect.connect.store import atomic
from tap_stripe_connect.connect.store.git import would_be_committed
from tap_stripe_connect.connect.store.owners import stranger
from tap_stripe_connect.settings import PARSERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PROGRAM = "tap-stripe-connect"
"""The program, and what its extractor is called by default."""
Value = Any
"""What a setting can be: a string, a list of strings, whatever else users have written."""


class StoreFault(Exception):  # noqa: N818 - a fault of the user's files, told in one line
    """The settings can't be read or written; the files are as they were."""


class Syntax(Protocol):
    """How a file writes settings down."""

    def name(self, setting: str) -> str:
        """Return what a setting is called in the file."""

    def values(self, text: str) -> dict[str, Value]:
        """Return the settings in the text; raises StoreFault."""

    def of_others(self, text: str, setting: str) -> Sequence[str]:
        """Return the values that a setting has in the text for other plugins."""

    def edited(self, text: str, values: Mapping[str, Value]) -> str:
        """Return the text with other values; raises StoreFault."""


@dataclass(frozen=True)
class Store:
    """A file with settings; its content stays as it is but for the values that change."""

    path: Path
    """As users know it; where it is a symbolic link, its target is written."""
    syntax: Syntax
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Settings that the environment has for the same plugin, by their names in the file."""
    plugin: str = ""
    """The extractor of the Meltano project that the file belongs to."""
    options: str = ""
    """What makes our commands find this file again."""
    tap_options: str = ""
    """What makes the tap read it."""

    def command(self, name: str) -> str:
        """Return how users call one of our commands for these settings."""
        if self.plugin:
            return f"meltano invoke {self.plugin}:{name}"
        return " ".join(filter(None, (PROGRAM, name, self.options)))

    @property
    def next_step(self) -> str:
        """The command that uses what was saved."""
        if self.plugin:
            return f"meltano config test {self.plugin}"
        return f"{PROGRAM} --test {self.tap_options}" if self.tap_options else ""

    @property
    def target(self) -> Path:
        """The file that is written."""
        return Path(os.path.realpath(self.path))

    def read(self) -> dict[str, Value]:
        """Return the settings: those of the file, and where it has none, the environment's."""
        return self._inherited() | self._values(self._content())

    def account_ids(self) -> tuple[str, ...]:
        """Return the connected accounts that the settings name, without a parent's."""
        content = self._content()
        return self._accounts(self._own(_text(content)) | self._values(content))

    def own_key(self) -> str:
        """Return the key that the file has, empty if it has none."""
        return str(self._values(self._content()).get("api_key") or "")

    def effective_ids(self) -> tuple[str, ...]:
        """Return the connected accounts that a run reads, also those of a parent."""
        return self._accounts(self.read())

    def save(
        self,
        account_ids: Sequence[str] = (),
        api_key: str | None = None,
        *,
        other_mode: bool = False,
    ) -> tuple[str, ...]:
        """Add accounts, and set the key; return the names, in the file, of what has changed.

        A live key gives way to a test key, or the other way round, only with `other_mode`. A key
        that only the environment has is written: it may be a parent's, or gone tomorrow.
        """

        def wanted(settings: dict[str, Value], kept: dict[str, Value]) -> dict[str, Value]:
            values: dict[str, Value] = {}
            known = self._accounts(settings)
            merged = list(dict.fromkeys([*known, *account_ids]))
            if merged != list(known):
                values["account_ids"] = merged
            before = str(kept.get("api_key") or "")
            if api_key and api_key != before:
                if before and mode(before) != mode(api_key) and not other_mode:
                    raise StoreFault(
                        f"holds a {mode(before)} key, which a {mode(api_key)} key may not replace"
                    )
                values["api_key"] = api_key
            return values

        return self._change(wanted)

    def remove(self, account_id: str) -> tuple[str, ...]:
        """Take an account out; return the names, in the file, of what has changed."""

        def wanted(settings: dict[str, Value], _: object) -> dict[str, Value]:
            known = self._accounts(settings)
            if account_id not in known:
                return {}
            return {"account_ids": [name for name in known if name != account_id]}

        return self._change(wanted)

    def remarks(self) -> list[str]:
        """Return what users should know before the file is written, a line each."""
        found = []
        if self.path.is_symlink():
            found.append(f"{self.path} is a symbolic link; {self.target} will be written")
        if self.target.exists() and (bits := stat.S_IMODE(self.target.stat().st_mode)) & 0o077:
            found.append(f"{self.target} can be read by others ({bits:04o}); saving makes it 0600")
        if (user := stranger(self.target)) is not None:
            found.append(f"{self.target} belongs to another user (uid {user}){_after_saving()}")
        if would_be_committed(self.target):
            found.append(
                f"git does not ignore {self.target}, so a commit could publish the key; "
                f"put {self.target.name} into .gitignore"
            )
        return found + self._overruled()

    def _overruled(self) -> list[str]:
        """Tell of variables of the environment that win over what the file says."""
        kept, given = self._values(self._content()), self._inherited()
        differing = []
        if kept.get("account_ids") and given.get("account_ids"):
            differing += ["account_ids"] * (self._accounts(kept) != self._accounts(given))
        if kept.get("api_key") and given.get("api_key"):
            differing += ["api_key"] * (kept["api_key"] != given["api_key"])
        return [
            f"{self.syntax.name(setting)} in the environment wins over {self.path}"
            for setting in differing
        ]

    def _inherited(self) -> dict[str, Value]:
        return {
            setting: self.environ[name]
            for setting in PARSERS
            if (name := self.syntax.name(setting)) in self.environ
        }

    def _own(self, text: str) -> dict[str, Value]:
        """Return what the environment has, without what Meltano handed on from a parent plugin.

        Meltano passes a parent's settings by the names of the child. They are known by their
        values, which the file has for the parent.
        """
        return {
            setting: value
            for setting, value in self._inherited().items()
            if not any(
                _same(setting, value, other) for other in self.syntax.of_others(text, setting)
            )
        }

    def _accounts(self, settings: Mapping[str, Value]) -> tuple[str, ...]:
        try:
            return tuple(PARSERS["account_ids"](settings.get("account_ids") or []))
        except (ValueError, RecursionError) as fault:
            raise StoreFault(f"{self.path}: account_ids: {fault}") from None

    def _content(self) -> bytes:
        target = self.target
        try:
            if target.is_symlink():
                raise StoreFault(f"{self.path} is a symbolic link to itself")
            if not target.exists():
                return b""
            if not target.is_file():
                raise StoreFault(f"{self.path} is not a file")
            return target.read_bytes()
        except OSError as error:
            raise StoreFault(f"{self.path}: {error.strerror}") from None

    def _values(self, content: bytes) -> dict[str, Value]:
        try:
            return self.syntax.values(_text(content))
        except StoreFault as fault:
            raise StoreFault(f"{self.path} {fault}") from None

    def _change(
        self, wanted: Callable[[dict[str, Value], dict[str, Value]], dict[str, Value]]
    ) -> tuple[str, ...]:
        """Write what is `wanted`, given all settings and those of the file alone."""
        changed: list[str] = []

        def change(content: bytes) -> bytes:
            text = _text(content)
            kept = self.syntax.values(text)
            values = wanted(self._own(text) | kept, kept)
            changed[:] = [self.syntax.name(setting) for setting in values]
            return _bytes(self.syntax.edited(text, values)) if values else content

        self._content()  # refuses what is not a file
        try:
            atomic.rewrite(self.path, change)
        except StoreFault as fault:
            raise StoreFault(f"{self.path} {fault}; nothing was saved") from None
        except OSError as error:
            raise StoreFault(
                f"{self.target} cannot be written: {error.strerror}; nothing was saved"
            ) from None
        return tuple(changed)


def mode(api_key: str) -> str:
    """Return whether a key is a `live` or a `test` one."""
    return "live" if is_live(api_key) else "test"


def _same(setting: str, one: str, other: str) -> bool:
    """Tell whether two texts mean the same; Meltano writes lists in its own way."""
    try:
        return bool(PARSERS[setting](one) == PARSERS[setting](other))
    except (ValueError, RecursionError):
        return one == other


def _after_saving() -> str:
    """Say whose a file of another user is once it has been replaced."""
    if sys.platform == "win32" or os.geteuid() == 0:
        return ", who can read what is saved; it stays theirs, as the tap may run as that user"
    return "; saving makes it yours"


# Bytes that are not UTF-8 come through unchanged.
def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
