"""What Stripe's errors are told as, and how texts of others are shown."""

from __future__ import annotations

from typing import Any

import pytest

from tap_stripe_connect.connect.oauth import CONNECT, Application
from tap_stripe_connect.connect.outcome import Access, ConnectedAccount, Exit, Kind, Outcome
from tap_stripe_connect.connect.refusals import RULES, Refusal, Said, one_line, refused, said_in

CODE = "ac_1PlantedCode"
KEY = "sk_test_1PlantedKey"

WORDS = Application("ca_1Test", "http://localhost:8765/callback", livemode=False, url=CONNECT).words


def test_unknown_errors_are_quoted_safely() -> None:
    """Stripe's text comes through on one short line, without markup of ours or secrets (11)."""
    text = f"<b>{CODE}</b> \x1b]0;x\x07\u202e {KEY} planted {{said}} \n" + "x" * 1000
    refusal = refused(Said("odd_error", text), WORDS, ["planted", CODE])
    assert refusal.line.startswith("Stripe refused: <b>…</b> ]0;x sk_… … {said} xxx")
    assert refusal.line.isprintable()
    assert len(refusal.line) < 230


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error":"invalid_grant","error_description":"Text"}', Said("invalid_grant", "Text")),
        (b'{"error":"invalid_grant"}', Said("invalid_grant")),
        (b'{"error":{"message":"Text","type":"kind"}}', Said("kind", "Text")),
        (b'{"error":{"message":"Text","type":"kind","code":"code"}}', Said("code", "Text")),
        (b'{"error":{"message":"Text"}}', Said("", "Text")),
        (b'{"error":{"message":null}}', None),
        (b'{"error":[]}', None),
        (b'"error"', None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_errors_have_two_shapes(body: bytes, said: Said | None) -> None:
    """OAuth's and the API's are both read, and anything else is no error (item 12)."""
    assert said_in(body) == said


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.word} {rule.text}")
def test_every_rule_can_be_reached_and_told(rule: Any) -> None:
    """No row hides behind another one, and all placeholders are known."""
    told = refused(Said(rule.word, rule.text), WORDS)
    assert told.kind is rule.kind
    assert told.line[:20] == rule.line[:20]
    assert "{" not in told.line + told.advice


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\nb\tc  d", "a b c d"),
        ("\x1b[31mred\x9b1m", "[31mred 1m"),
        ("safe\u202eevil\u2066\u200f", "safeevil"),
        ("a\u2028b", "a b"),
        ("\ud800\ufdd0\ue000", ""),
        ("sk_live_1234567890", "sk_…"),
        ("Müller & Söhne 株式会社", "Müller & Söhne 株式会社"),
    ],
)
def test_lines_of_others_are_tame(text: str, line: str) -> None:
    """What others wrote cannot move the cursor, turn letters around or break lines (item 10)."""
    assert one_line(text) == line


def test_a_refusal_is_an_outcome() -> None:
    """Kind, line and advice go on as they are, and the exit code is the kind's unless given."""
    refusal = Refusal(Kind.DENIED, "Line", "Advice")
    found = ConnectedAccount("acct_1Example", access=Access.DENIED)
    assert refusal.exit is Exit.DENIED
    assert refusal.outcome(found) == Outcome(Kind.DENIED, "Line", "Advice", found)
    assert Refusal(Kind.FAILED, "Line").exit is Exit.FAILED
    assert Refusal(Kind.FAILED, "Line", exit=Exit.USAGE).exit is Exit.USAGE
