"""Reading the values of settings, in every form that files and environments give them."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pendulum

from tap_stripe_connect.api.network import is_loopback
from tap_stripe_connect.catalog import API_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

Shard = tuple[int, int]
"""Which part, counted from 1, and of how many."""

ALL: Shard = (1, 1)


def api_key(given: object) -> str:
    """Read a secret, a restricted or an organisation's key; the faults never show it."""
    key = str(given).strip()
    if key.startswith("pk_"):
        raise ValueError(
            "this is a publishable key, which cannot read data; "
            "use a restricted (rk_…) or secret (sk_…) key"
        )
    if not re.fullmatch(r"(sk|rk)_\w+", key, re.ASCII):
        raise ValueError(
            "not a Stripe key; a restricted key starts with rk_, a secret one with sk_"
        )
    return key


def url(given: object) -> str:
    """Read an address, less the slash at its end; the faults never show it."""
    address = str(given).strip().rstrip("/")
    try:
        host = urlsplit(address).hostname
    except ValueError:
        host = None
    if not host or not re.fullmatch(r"https?://[^/\s?#@]+(/[^\s?#]*)?", address):
        raise ValueError("not an http or https address")
    if address.startswith("http:") and not is_loopback(address):
        raise ValueError(
            "the key would travel unencrypted; use https "
            "(plain http is for this machine only: 127.0.0.1, ::1 or localhost)"
        )
    return address


def api_version(given: object) -> str:
    """Read an API version."""
    version = str(given).strip()
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(\.\w+)?", version, re.ASCII):
        raise ValueError(f"{version!r} is not an API version such as {API_VERSION}")
    return version


def account_ids(given: object) -> list[str]:
    """Read account ids: a list, a JSON list or names with commas between them."""
    return _names(given, r"acct_\w+", "an account id (acct_…)")


def account_paths(given: object) -> list[str]:
    """Read account ids, each perhaps behind that of its platform and a slash."""
    return _names(given, r"acct_\w+(/acct_\w+)?", "an account id (acct_…)")


def _names(given: object, pattern: str, wanted: str) -> list[str]:
    if isinstance(given, str):
        text = given.strip()
        try:
            given = json.loads(text) if text.startswith("[") else text.split(",")
        except ValueError:
            raise ValueError(f"{text!r} is not a JSON list") from None
    if not isinstance(given, list):
        raise ValueError(f"{given!r} is not a list of account ids")  # noqa: TRY004 - a fault of input
    names = [str(item).strip() for item in given if str(item).strip()]
    for name in names:
        if not re.fullmatch(pattern, name, re.ASCII):
            raise ValueError(f"{name!r} is not {wanted}")
    return names


def shard(given: object) -> Shard:
    """Read which part of the accounts is meant, such as `3/16`."""
    found = re.fullmatch(r"(\d{1,6}) ?/ ?(\d{1,6})", str(given).strip(), re.ASCII)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise ValueError(f"{given!r} is not a part of the accounts such as 3/16")
    return int(found[1]), int(found[2])


def boolean(given: object) -> bool:
    """Read yes or no, as words or numbers."""
    word = str(given).strip().lower()
    if word in {"true", "1", "yes", "on"}:
        return True
    if word in {"false", "0", "no", "off"}:
        return False
    raise ValueError(f"{given!r} is neither true nor false")


def integer(lowest: int) -> Callable[[object], int]:
    """Return a reader of whole numbers from `lowest` on."""

    def read(given: object) -> int:
        if isinstance(given, bool) or not re.fullmatch(r"\d{1,9}", str(given).strip(), re.ASCII):
            raise ValueError(f"{given!r} is not a whole number")
        number = int(str(given))
        if number < lowest:
            raise ValueError(f"{number} is too small; the least is {lowest}")
        return number

    return read


def option(*options: str) -> Callable[[object], str]:
    """Return a reader of words from a list, whatever their case."""

    def read(given: object) -> str:
        word = str(given).strip().lower()
        if word not in options:
            raise ValueError(f"{given!r} is not one of {', '.join(options)}")
        return word

    return read


def moment(given: object) -> int:
    """Read a point in time as unix seconds; a date or date-time without zone is UTC.

    Raises ValueError, saying which forms are understood.
    """
    text = str(given).strip().lower()
    if re.fullmatch(r"\d{9,10}", text, re.ASCII):
        return int(text)
    if ago := re.fullmatch(r"(\d{1,5}) (second|minute|hour|day|week|month|year)s? ago", text):
        span = {f"{ago[2]}s": int(ago[1])}
        return pendulum.now("UTC").subtract(**span).int_timestamp
    if re.match(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        try:
            parsed = pendulum.parse(str(given).strip(), strict=True)
        except (ValueError, OverflowError, TypeError):
            parsed = None
        if isinstance(parsed, datetime):
            return int(parsed.timestamp())
        if isinstance(parsed, date):
            return int(datetime(parsed.year, parsed.month, parsed.day, tzinfo=UTC).timestamp())
    raise ValueError(
        f"{given!r} is not a date; use 2024-01-31, 2024-01-31T12:00:00Z, "
        "unix seconds or '30 days ago'"
    )
