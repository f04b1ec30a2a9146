"""Which browser is opened, and what it may know."""

from __future__ import annotations

import os
import select
import webbrowser
from typing import TYPE_CHECKING

import pytest

from tap_stripe_connect.connect import browser
from tap_stripe_connect.connect.environment import without_secrets

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "http://localhost:1/"
KEY = "sk_test_1Planted"


@pytest.mark.parametrize(
    ("environ", "platform", "release", "why"),
    [
        ({"DISPLAY": ":0"}, "linux", "6.1", ""),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", "6.1", ""),
        ({}, "linux", "6.1", "there is no display"),
        ({"BROWSER": "mine"}, "linux", "6.1", ""),
        ({}, "linux", "5.15.0-microsoft-standard-WSL2", ""),
        ({}, "darwin", "23.1", ""),
        ({}, "win32", "10", ""),
        ({"SSH_CONNECTION": "x", "DISPLAY": ":0"}, "linux", "6.1", "this is an SSH session"),
        ({"SSH_TTY": "/dev/pts/1"}, "darwin", "23.1", "this is an SSH session"),
    ],
)
def test_where_a_browser_can_be_opened(
    environ: dict[str, str], platform: str, release: str, why: str
) -> None:
    """Not over SSH, and on Linux only with a display or a browser that the user named."""
    assert browser.missing(environ, platform, release) == why


@pytest.mark.parametrize(
    ("name", "opens"),
    [
        ("/usr/bin/firefox", True),
        ("xdg-open", True),
        ("w3m", False),
        ("/usr/bin/www-browser", False),
    ],
)
def test_text_browsers_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, name: str, *, opens: bool
) -> None:
    """A browser that would take over the terminal is not started."""
    started: list[str] = []
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser(name))
    monkeypatch.setattr(browser, "_start", lambda *command: started.append(command[-1]))
    assert browser.open_page(PAGE, "6.1") is opens
    assert started == [PAGE] * opens


def test_a_browser_knows_no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the page and the rest of the environment; modules that lie about are not run."""
    told = tmp_path / "told"
    os.mkfifo(told)
    opener = tmp_path / "opener"
    opener.write_text(f'#!/bin/sh\n(echo "$1"; env) > {told}\n')
    opener.chmod(0o755)
    (tmp_path / "webbrowser.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BROWSER", str(opener))
    monkeypatch.setenv("STRIPE_SECRET_KEY", KEY)
    monkeypatch.setenv("TAP_STRIPE_CONNECT_API_KEY", KEY)
    monkeypatch.setenv("SOMETHING", "else")
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser(str(opener)))
    reader = os.open(told, os.O_RDONLY | os.O_NONBLOCK)
    assert browser.open_page(PAGE, "6.1")
    assert select.select([reader], [], [], 30)[0]
    os.set_blocking(reader, True)
    with os.fdopen(reader) as pipe:
        page, *environ = pipe.read().splitlines()
    assert page == PAGE
    assert "SOMETHING=else" in environ
    assert KEY not in "".join(environ)


def test_keys_are_known_by_name_and_by_look() -> None:
    """Whatever a plugin is called, a variable with a key stays here; other services' keys go on."""
    environ = {
        "STRIPE_SECRET_KEY": "x",
        "TAP_X__LIVE_API_KEY": "y",
        "MY_PLUGIN_API_KEY": f"rk{KEY[2:]}",
        "GOOGLE_API_KEY": "z",
        "PATH": "/bin",
        "TEXT": "two  spaces",
    }
    assert set(without_secrets(environ)) == {"GOOGLE_API_KEY", "PATH", "TEXT"}


def test_a_browser_that_is_none_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no browser is found, that is told by the result."""

    def none() -> None:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", none)
    assert not browser.open_page("http://localhost:1/", "6.1")
