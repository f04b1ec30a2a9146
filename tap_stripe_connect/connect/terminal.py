"""What is said and asked in the terminal, in English; none of it on standard output."""

from __future__ import annotations

import getpass
import os
import queue
import re
import select
import sys
import textwrap
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from tap_stripe_connect.api.errors import redact
from tap_stripe_connect.connect.outcome import Exit, Kind
from tap_stripe_connect.connect.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from tap_stripe_connect.connect.outcome import Outcome

POLL = 0.25
"""Seconds between looks at what the browser has brought about."""
WIDTH = 96
PASTE = 0.1
"""Seconds within which the next line belongs to the same paste."""
MOST = 65_536
"""Bytes that are read of an answer."""


class Terminal:
    """A terminal, or what stands in for it when there is none."""

    def __init__(self) -> None:
        """Find out whether there is somebody to ask."""
        screen = _screen()
        self.interactive = screen is not None
        self._screen = screen
        self._listening = self.interactive
        self._asking = False

    def close(self) -> None:
        """Let go of what was opened to talk."""
        if self._screen and self._screen is not sys.stderr:
            self._screen.close()

    @property
    def _out(self) -> TextIO:
        return self._screen or sys.stderr

    # Saying

    def say(self, text: str = "") -> None:
        """Write lines, without what would control the terminal, and without secrets."""
        for line in text.split("\n"):
            click.echo(harmless(line), file=self._out)

    def show(self, link: str) -> None:
        """Write an address as it is, to be opened or copied."""
        click.echo(f"  {link}", file=self._out)

    def good(self, text: str) -> None:
        """Say that something went well."""
        self.say(f"✓ {text}")

    def care(self, text: str) -> None:
        """Say that something should be looked at."""
        self.say(f"! {text}")

    def bad(self, text: str, advice: str = "") -> None:
        """Say that something failed, and what to do."""
        self.say(f"✗ {text}")
        self.explain(advice)

    def explain(self, text: str) -> None:
        """Say what stands beneath a line, within the width of a page."""
        for line in text.split("\n") if text else ():
            wrapped = textwrap.wrap(
                line.strip(), WIDTH, break_long_words=False, break_on_hyphens=False
            )
            self.say(textwrap.indent("\n".join(wrapped), "  "))

    def end_line(self) -> None:
        """Begin a new line if a question stands in this one."""
        if self._asking:
            click.echo(file=self._out)
        self._asking = False

    # Asking

    def ask(self, question: str, otherwise: str) -> str:
        """Ask for a line; where nobody can be asked, a Refusal names what to give instead."""
        self._need_somebody(question, otherwise)
        self._prompt(f"{question}: ")
        return self._answer()

    def ask_hidden(self, question: str, otherwise: str) -> str:
        """Ask for a secret, which is not shown."""
        self._need_somebody(question, otherwise)
        self._asking = True
        try:
            answer = getpass.getpass(f"{question} (not shown): ")
        except EOFError:
            raise click.Abort from None
        self._asking = False
        return answer.strip()

    def confirm(self, question: str, *, default: bool) -> bool:
        """Ask for yes or no; where nobody can be asked it is no."""
        if not self.interactive:
            return False
        while True:
            self._prompt(f"{question} [{'Y/n' if default else 'y/N'}] ")
            answer = self._answer().lower()
            if answer in {"", "y", "yes", "n", "no"}:
                return answer.startswith("y") if answer else default

    def _need_somebody(self, question: str, otherwise: str) -> None:
        if not self.interactive:
            line = f"{question}: missing, and there is no terminal to ask in."
            raise Refusal(Kind.FAILED, line, otherwise, exit=Exit.USAGE)

    def _prompt(self, text: str) -> None:
        self._asking = True  # before it is seen: Ctrl-C may come at once
        click.echo(text, file=self._out, nl=False)

    def _answer(self) -> str:
        line = self._line(None)
        if line is None:
            raise click.Abort
        return line.strip()

    # Waiting

    def wait(
        self,
        outcomes: queue.Queue[Outcome],
        seconds: float | None,
        notice: Callable[[], str],
    ) -> Outcome | str | None:
        """Return what comes first: an outcome, a line that was typed, or None after the time.

        All that is pasted at once is one line, as terminals break long addresses. Meanwhile it
        says what `notice` has to say. Where there is no time limit, the end of input is an empty
        line, as nothing else may ever come.
        """
        if seconds is None:
            self._listening = self.interactive
        deadline = None if seconds is None else time.monotonic() + seconds
        while deadline is None or time.monotonic() < deadline:
            with suppress(queue.Empty):
                found = outcomes.get(block=not self._listening, timeout=POLL)
                self.end_line()
                return found
            if news := notice():
                self.end_line()
                self.care(news)
            if self._listening and not self._asking:
                self._prompt("> ")
            if self._listening and (line := self._line(POLL)) is not None:
                return self._rest_of_paste(line)
            if deadline is None and self.interactive and not self._listening:
                self.end_line()
                return ""
        self.end_line()
        return None

    def _rest_of_paste(self, line: str) -> str:
        while line and (more := self._line(PASTE)):
            line += more
        return line.strip()

    def _line(self, seconds: float | None) -> str | None:
        """Return what is typed within the time, up to the end of the line; None if nothing is.

        Read from the descriptor, so that nothing is held back in a buffer that waiting on the
        descriptor does not see.
        """
        descriptor = sys.stdin.fileno()
        if not select.select([descriptor], [], [], seconds)[0]:
            return None
        typed = os.read(descriptor, MOST)
        if not typed:
            self._listening = False  # end of input: only the browser is left
            return None
        self._asking = False
        return typed.decode("utf-8", "replace").rstrip("\r\n")


def _screen() -> TextIO | None:
    """Return what is written to when somebody sits there; None if nobody does.

    Meltano keeps standard error for its log, line by line; then the terminal itself is used.
    """
    if not sys.stdin or not sys.stdin.isatty():  # closed before the start, it is None
        return None
    if sys.stderr and sys.stderr.isatty():
        return sys.stderr
    try:
        handle = os.open("/dev/tty", os.O_WRONLY)
    except OSError:
        return None
    return os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace")


def harmless(line: str) -> str:
    """Return text that neither controls the terminal nor tells a secret, as wide as it was."""
    visible = "".join(letter if letter.isprintable() else " " for letter in line)
    return re.sub(r"\S+", lambda word: redact(word[0]), visible)


def piped() -> str:
    """Return what came on standard input, up to a size that no key or address has."""
    if not sys.stdin or sys.stdin.isatty():
        line = "A - stands for standard input, and nothing is piped into it."
        raise Refusal(Kind.FAILED, line, exit=Exit.USAGE)
    return sys.stdin.buffer.read(MOST).decode("utf-8", "replace")


def span(seconds: float) -> str:
    """Return a length of time in words."""
    minutes, rest = divmod(round(seconds), 60)
    number, unit = (minutes, "minute") if minutes and not rest else (round(seconds), "second")
    return f"{number} {unit}{'s' * (number != 1)}"
