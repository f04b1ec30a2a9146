"""What somebody pastes, and which addresses are taken from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_stripe_connect.connect.address import LONGEST, landed, pairs
from tap_stripe_connect.connect.outcome import Kind
from tap_stripe_connect.connect.refusals import Refusal

QUERY = "scope=read_write&code=ac_1Example&state=s-_1"
PAIRS = [("scope", "read_write"), ("code", "ac_1Example"), ("state", "s-_1")]
WHERE = "https://localhost:8765/callback"


@pytest.mark.parametrize(
    "pasted",
    [
        f"{WHERE}?{QUERY}",
        f"http://localhost:8765/callback?{QUERY}",
        f"localhost:8765/callback?{QUERY}",
        f"https://example.com/done/?{QUERY}#top",
        f"https://connect.stripe.com/connect/default/oauth/test?{QUERY}",
        f"https://example.com/oauth/authorize?{QUERY}",
        f"?{QUERY}",
        QUERY,
        f"  {WHERE}?{QUERY}\n",
        f"'{WHERE}?{QUERY}'",
        f'"{WHERE}?{QUERY}"',
        f"<{WHERE}?{QUERY}>",
        f"\u201c{WHERE}?{QUERY}\u201d",
        f"\ufeff{WHERE}?{QUERY}",
        f"\x1b[200~{WHERE}?{QUERY}\x1b[201~",
        f"{WHERE}?{QUERY}".replace("&", "&amp;"),
        f"{WHERE}?scope=read_write&code=ac_1Ex\r\nample&st\n  ate=s-_1",
        f"{WHERE}?scope=read%5Fwrite&code=ac_1Example&state=s-_1",
    ],
)
def test_the_address_is_found(pasted: str) -> None:
    """Quotes, brackets, breaks and escapes around and within an address do not matter."""
    assert landed(pasted) == PAIRS


def test_a_denial_is_found() -> None:
    """A denial is an answer like any other."""
    denial = f"{WHERE}?error=access_denied&error_description=The%20user%20denied&state=s"
    assert dict(landed(denial))["error"] == "access_denied"


@pytest.mark.parametrize(
    ("pasted", "line"),
    [
        ("", "not the whole address"),
        ("yes", "not the whole address"),
        (WHERE, "not the whole address"),
        (f"{WHERE}?code=ac_1Example", "not the whole address"),
        (f"{WHERE}?state=s", "not the whole address"),
        ("ac_1Example", "the code alone"),
        (" 'ac_1Example' ", "the code alone"),
        ("https://connect.stripe.com/oauth/authorize?client_id=ca_1&state=s", "the link to open"),
        ("https://connect.stripe.com/oauth/v2/authorize?state=s", "the link to open"),
        ("https://example.com/?response_type=code&client_id=ca_1&state=s", "the link to open"),
        (f"{WHERE}?state=s&code=" + "a" * LONGEST, "too long"),
        (f"{WHERE}?{QUERY}" + "&a=b" * 100, "not the whole address"),
        ("http://[", "not the whole address"),
    ],
)
def test_other_things_are_named(pasted: str, line: str) -> None:
    """What is no answer of Stripe's is told apart, and waiting goes on."""
    with pytest.raises(Refusal) as caught:
        landed(pasted)
    assert line in caught.value.line
    assert "browser's address bar" in caught.value.advice
    assert caught.value.kind is Kind.WRONG_SESSION
    assert "ac_1Example" not in repr(caught.value)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(pasted: str) -> None:
    """Nothing pasted ends in another error, and what is read has a state and an answer."""
    try:
        names = {name for name, _ in landed(pasted)}
    except Refusal:
        return
    assert "state" in names
    assert names & {"code", "error"}


@given(
    st.lists(st.sampled_from(["", " ", "\n", "\r\n", "\t"]), min_size=90, max_size=90),
    st.sampled_from(["", "'", '"', "<", "`"]),
)
def test_breaks_never_matter(breaks: list[str], around: str) -> None:
    """An address reads the same wherever a terminal broke it."""
    address = f"{WHERE}?{QUERY}"
    broken = "".join(letter + gap for letter, gap in zip(address, breaks, strict=False))
    assert landed(around + broken + around) == PAIRS


def test_every_cut_is_noticed() -> None:
    """An address that lost its end is refused, or at least differs in its state."""
    address = f"{WHERE}?{QUERY}"
    for length in range(len(address)):
        try:
            given_state = dict(landed(address[:length]))["state"]
        except Refusal:
            continue
        assert given_state != "s-_1"


def test_repeated_and_empty_parameters_stay() -> None:
    """Nothing is dropped silently before somebody decides on it."""
    expected = [("code", "1"), ("code", "2"), ("state", ""), ("a", "")]
    assert pairs("code=1&code=2&state=&a=") == expected
    assert pairs("a=%ff%fe") == [("a", "\ufffd\ufffd")]
    assert pairs("&a" * 1000) == []
