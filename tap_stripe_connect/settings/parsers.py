"""Parsers of setting values, in every form that files and environment variables give them."""

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
"""The number of a shard, from 1, and the number of shards."""

ALL_ACCOUNTS: Shard = (1, 1)


def api_key(value: object) -> str:
    """Parse a secret, restricted or organization key; errors never show it."""
    key = str(value).strip()
    if key.startswith("pk_"):
        raise ValueError(
            "this is a publishable key, which cannot read data; "
            "use a restricted (rk_…) or secret (sk_…) key"
        )
    if not re.fullmatch(r"(sk|rk)_\w+", key, re.ASCII):
        raise ValueError("not a Stripe key; restricted keys start with rk_, secret keys with sk_")
    return key


def url(value: object) -> str:
    """Parse a URL and strip the trailing slash; errors never show it."""
    address = str(value).strip().rstrip("/")
    try:
        host = urlsplit(address).hostname
    except ValueError:
        host = None
    if not host or not re.fullmatch(r"https?://[^/\s?#@]+(/[^\s?#]*)?", address):
        raise ValueError("not an http or https URL")
    if address.startswith("http:") and not is_loopback(address):
        raise ValueError(
            "the key would be sent unencrypted; use https "
            "(plain http is allowed only for this machine: 127.0.0.1, ::1 or localhost)"
        )
    return address


def api_version(value: object) -> str:
    """Parse an API version."""
    version = str(value).strip()
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(\.\w+)?", version, re.ASCII):
        raise ValueError(f"{version!r} is not an API version such as {API_VERSION}")
    return version


def account_ids(value: object) -> list[str]:
    """Parse account ids: a list, a JSON list, or text separated by commas."""
    return _account_list(value, r"acct_\w+")


def account_paths(value: object) -> list[str]:
    """Parse account ids, each of which may be `platform/connected`."""
    return _account_list(value, r"acct_\w+(/acct_\w+)?")


def _account_list(value: object, pattern: str) -> list[str]:
    if isinstance(value, str):
        text = value.strip()
        try:
            value = json.loads(text) if text.startswith("[") else text.split(",")
        except ValueError:
            raise ValueError(f"{text!r} is not a JSON list") from None
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is not a list of account ids")  # noqa: TRY004 - invalid input
    ids = [str(item).strip() for item in value if str(item).strip()]
    for id_ in ids:
        if not re.fullmatch(pattern, id_, re.ASCII):
            raise ValueError(f"{id_!r} is not an account id (acct_…)")
    return ids


def shard(value: object) -> Shard:
    """Parse a shard of the accounts, such as `3/16`."""
    match = re.fullmatch(r"(\d{1,6}) ?/ ?(\d{1,6})", str(value).strip(), re.ASCII)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise ValueError(f"{value!r} is not a shard such as 3/16")
    return int(match[1]), int(match[2])


def boolean(value: object) -> bool:
    """Parse a boolean, written as a word or a number."""
    word = str(value).strip().lower()
    if word in {"true", "1", "yes", "on"}:
        return True
    if word in {"false", "0", "no", "off"}:
        return False
    raise ValueError(f"{value!r} is neither true nor false")


def integer(minimum: int) -> Callable[[object], int]:
    """Return a parser of integers that are at least `minimum`."""

    def parse(value: object) -> int:
        if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", str(value).strip(), re.ASCII):
            raise ValueError(f"{value!r} is not a whole number")
        number = int(str(value))
        if number < minimum:
            raise ValueError(f"{number} is too small; the minimum is {minimum}")
        return number

    return parse


def option(*options: str) -> Callable[[object], str]:
    """Return a parser that accepts any of the options, in upper or lower case."""

    def parse(value: object) -> str:
        word = str(value).strip().lower()
        if word not in options:
            raise ValueError(f"{value!r} is not one of {', '.join(options)}")
        return word

    return parse


def timestamp(value: object) -> int:
    """Parse a point in time and return unix seconds; without a time zone it is UTC.

    Raises ValueError, which lists the accepted formats.
    """
    text = str(value).strip().lower()
    if re.fullmatch(r"\d{9,10}", text, re.ASCII):
        return int(text)
    if ago := re.fullmatch(r"(\d{1,5}) (second|minute|hour|day|week|month|year)s? ago", text):
        duration = {f"{ago[2]}s": int(ago[1])}
        return pendulum.now("UTC").subtract(**duration).int_timestamp
    if re.match(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        try:
            parsed = pendulum.parse(str(value).strip(), strict=True)
        except (ValueError, OverflowError, TypeError):
            parsed = None
        if isinstance(parsed, datetime):
            return int(parsed.timestamp())
        if isinstance(parsed, date):
            return int(datetime(parsed.year, parsed.month, parsed.day, tzinfo=UTC).timestamp())
    raise ValueError(
        f"{value!r} is not a date; use 2024-01-31, 2024-01-31T12:00:00Z, "
        "unix seconds or '30 days ago'"
    )
