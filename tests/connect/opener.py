"""A program that stands for a browser: it tells what it was asked to open."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING, Self

from tests.connect.console import PATIENCE

if TYPE_CHECKING:
    from tests.connect.console import Place


class Opener:
    """The browser that a place's commands open; it ends with the block that it is used in."""

    def __init__(self, place: Place) -> None:
        """Make it; what it is started with comes through a pipe, as it has no terminal."""
        opened, open_ = place.folder / "opened", place.folder / "open"
        script = place.folder / "opener"
        # The second line waits until nobody holds the pipe open any more, as a window would stay.
        script.write_text(f"#!/bin/sh\necho \"$1\" > '{opened}'\nread -r _ < '{open_}'\n")
        script.chmod(0o755)
        for pipe in (opened, open_):
            os.mkfifo(pipe)
        self._opened, self._open = (
            os.open(pipe, os.O_RDWR | os.O_NONBLOCK) for pipe in (opened, open_)
        )
        place.environ["BROWSER"] = str(script)

    def __enter__(self) -> Self:
        """Go on."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its windows."""
        os.close(self._open)
        os.close(self._opened)

    def opened(self) -> str:
        """Return the address that it is asked to open next."""
        assert select.select([self._opened], [], [], PATIENCE)[0], "no browser was opened"
        return os.read(self._opened, 4096).decode().strip()
