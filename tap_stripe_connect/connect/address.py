"""The address that somebody landed on and pasted."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from tap_stripe_connect.connect.outcome import Kind
from tap_stripe_connect.connect.refusals import Refusal

LONGEST = 8192
"""Characters; Stripe's own are below 300."""
PARAMETERS = 32
PASTE_MARKS = re.compile(r"\x1b\[20[01]~")
"""What some terminals put around pasted text."""
AROUND = "\ufeff\u200b\"'`<>()[]\u201c\u201d\u2018\u2019"
"""What chats and documents put around an address."""


def landed(pasted: str) -> list[tuple[str, str]]:
    """Return the query of a pasted address, or raise Refusal saying what was pasted instead.

    Whether its state is the right one is not decided here; one without any is refused.
    """
    if len(pasted) > LONGEST:
        raise _other("That is too long to be the address.")
    # Terminals break long lines; no address has white space in it.
    address = re.sub(r"\s+", "", PASTE_MARKS.sub("", pasted)).strip(AROUND)
    address = address.replace("&amp;", "&").partition("#")[0]
    before, mark, query = address.partition("?")
    if not mark and "=" in before:
        before, query = "", before
    given = pairs(query)
    names = {name for name, _ in given}
    if "state" in names and names & {"code", "error"}:
        return given
    if before.endswith("/authorize") or "response_type" in names:
        raise _other("That is the link to open, not the address you land on.")
    if not given and re.match(r"ac_\w", address):
        raise _other("That is the code alone; the whole address is needed.")
    raise _other("That is not the whole address that Stripe leads to.")


def pairs(query: str) -> list[tuple[str, str]]:
    """Return the parameters of a query, repeated and empty ones too; none if there are too many."""
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=PARAMETERS)
    except ValueError:
        return []


def _other(line: str) -> Refusal:
    advice = "After approving, copy everything from the browser's address bar and paste it here."
    return Refusal(Kind.WRONG_SESSION, line, advice)
