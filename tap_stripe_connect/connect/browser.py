"""Opening a page in the user's browser, where that helps."""

from __future__ import annotations

import shutil
import subprocess
import webbrowser
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT_BROWSERS = frozenset({"elinks", "links", "lynx", "w3m", "www-browser"})
"""They would take over the terminal, and cannot show Stripe's pages."""
SSH = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
WINDOWS_OPENERS = ("wslview", "explorer.exe")


def missing(environ: Mapping[str, str], platform: str, release: str) -> str:
    """Return why no browser can be opened on this machine; empty if one can.

    `platform` and `release` are those of `sys` and of the operating system.
    """
    if any(environ.get(name) for name in SSH):
        return "this is an SSH session"
    windows = platform == "win32" or on_windows_kernel(release)
    if platform == "darwin" or windows or environ.get("BROWSER"):
        return ""
    if environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        return ""
    return "there is no display"


def on_windows_kernel(release: str) -> bool:
    """Tell whether this is Linux within Windows, whose browser is the one to open."""
    return "microsoft" in release.lower()


def open_page(url: str, release: str) -> bool:
    """Open an address; False if no fit browser could be started."""
    if on_windows_kernel(release) and (opener := _windows_opener()):
        subprocess.Popen(  # noqa: S603 - Windows' own opener, with our own address
            [opener, url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return True
    try:
        controller = webbrowser.get()
        name = PurePath(getattr(controller, "name", "")).name
        return name not in TEXT_BROWSERS and controller.open(url)
    except (webbrowser.Error, OSError):
        return False


def _windows_opener() -> str | None:
    return next(filter(None, map(shutil.which, WINDOWS_OPENERS)), None)
