"""What reaches the terminal, and what is asked in it."""

from __future__ import annotations

import io
import sys

import pytest

from tap_stripe_connect.connect.inputs import hint
from tap_stripe_connect.connect.outcome import Exit
from tap_stripe_connect.connect.refusals import Refusal
from tap_stripe_connect.connect.terminal import Terminal, harmless, piped, span

OTHERWISE = "Give it by --option."


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return a terminal without anybody at it."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    return Terminal()


def test_nothing_controls_the_terminal(
    capsys: pytest.CaptureFixture[str], nobody: Terminal
) -> None:
    """Escapes, carriage returns and reordering of letters are taken out; nothing goes to stdout."""
    nobody.say("a\x1b]0;title\x07b\rc\u202ed\x9b31m\n  e   f")
    out, err = capsys.readouterr()
    assert err == "a ]0;title b c d 31m\n  e   f\n"
    assert not out


def test_secrets_are_taken_out() -> None:
    """Keys and codes do not get into the terminal, whoever put them into a line."""
    assert harmless("sk_live_1Planted") == "sk_…"
    assert harmless("a  rk_test_1Planted, ac_1Planted") == "a  rk_…, ac_…"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("sk_test_1PlantedWXYZ", "secret test key ending in WXYZ"),
        ("rk_live_1PlantedWXYZ", "restricted live key ending in WXYZ"),
    ],
)
def test_keys_are_recognised_by_their_end(key: str, said: str) -> None:
    """Of a key, kind and mode and the last four characters are told, and no more."""
    assert harmless(hint(key)) == said


def test_nobody_is_never_asked(nobody: Terminal) -> None:
    """Without a terminal a question is a refusal that names the option, or a no."""
    for ask in (nobody.ask, nobody.ask_hidden):
        with pytest.raises(Refusal) as refusal:
            ask("Client id", OTHERWISE)
        assert refusal.value.exit is Exit.USAGE
        assert refusal.value.advice == OTHERWISE
    assert not nobody.confirm("Sure?", default=True)


def test_closed_streams_are_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that was started with closed input runs on, and has nobody to ask."""
    monkeypatch.setattr(sys, "stdin", None)
    assert not Terminal().interactive
    with pytest.raises(Refusal):
        piped()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(600, "10 minutes"), (60, "1 minute"), (90, "90 seconds"), (1, "1 second")],
)
def test_spans_are_in_words(seconds: float, said: str) -> None:
    """Whole minutes are told as minutes."""
    assert span(seconds) == said
