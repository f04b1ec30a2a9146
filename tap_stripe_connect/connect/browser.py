"""Opening a page in the user's browser, where that helps."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import webbrowser
from pathlib import PurePath
from typing import TYPE_CHECKING

from tap_stripe_connect.connect.environment import without_secrets

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
        _start(opener, url)
        return True
    try:
        controller = webbrowser.get()
        name = PurePath(getattr(controller, "name", "")).name
        if name in TEXT_BROWSERS:
            return False
        # Isolated, so that no module in the working folder is taken for one of Python's.
        _start(sys.executable, "-I", "-m", "webbrowser", url)
    except (webbrowser.Error, OSError):
        return False
    return True


def _start(*command: str) -> None:
    """Start a program that neither sees our keys nor holds up the terminal."""
    process = subprocess.Popen(  # noqa: S603 - an opener of pages, with our own address
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=without_secrets(os.environ),
        start_new_session=True,
    )
    threading.Thread(target=process.wait, daemon=True).start()


def _windows_opener() -> str | None:
    return next(filter(None, map(shutil.which, WINDOWS_OPENERS)), None)
