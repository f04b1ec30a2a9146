"""Describes responses that are not Stripe's: from a proxy, a captive portal or another server."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_stripe_connect.api.errors import redact

if TYPE_CHECKING:
    import requests

TRANSIENT = frozenset({408, 425, 429, *range(500, 511), *range(512, 600)})
"""Statuses of a gateway with a temporary problem; 511 asks for a login."""

PERMANENT = frozenset({407, 511, *range(300, 400)})
"""Statuses that every request gets until somebody logs in or corrects the URL."""

TITLE_SEARCH_BYTES = 65_536
"""How far into a page its title is searched for."""

MAX_LENGTH = 80
"""Characters that are shown of text from outside."""


def is_cut_off(response: requests.Response) -> bool:
    """Return whether a response is JSON that ends too early."""
    body = response.content.lstrip()
    if not body:
        return "json" in _media_type(response)
    try:
        json.loads(body)
    except ValueError:
        return body[:1] in {b"{", b"["}
    return False


def is_plain_404(response: requests.Response) -> bool:
    """Return whether a server says in plain text that the path does not exist."""
    return response.status_code == 404 and _media_type(response) == "text/plain"  # noqa: PLR2004


def description(response: requests.Response) -> str:
    """Describe a response for an error message: status, type, and title or redirect target."""
    parts = [f"HTTP status {response.status_code}"]
    if target := response.headers.get("Location"):
        parts.append(f"a redirect to {_site(target)}")
    if response.content:
        parts.append(_media_type(response) or "no content type")
    else:
        parts.append("without content")
    if title := _title(response.content):
        parts.append(f"titled “{title}”")
    return ", ".join(parts)


def sanitized(text: str, max_length: int = MAX_LENGTH) -> str:
    """Return outside text on one line, shortened, without secrets and control characters."""
    visible = "".join(
        " " if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char
        for char in text[: 20 * max_length]
        if unicodedata.category(char) not in {"Cf", "Cs", "Co", "Cn"}
    )
    line = redact(visible)
    return line if len(line) <= max_length else f"{line[: max_length - 1].rstrip()}…"


def _media_type(response: requests.Response) -> str:
    return sanitized(response.headers.get("Content-Type", "").partition(";")[0].strip().lower(), 40)


def _title(content: bytes) -> str:
    page = content[:TITLE_SEARCH_BYTES].decode("utf-8", "replace")
    found = re.search(r"<title[^>]*>(.*?)</title", page, re.IGNORECASE | re.DOTALL)
    return sanitized(html.unescape(found[1])) if found else ""


def _site(target: str) -> str:
    """Return the site that a redirect points to; the rest of the URL may contain secrets."""
    try:
        parts = urlsplit(target)
        site = f"{parts.scheme}://{parts.hostname}" if parts.hostname else parts.path
    except ValueError:
        site = "an invalid URL"
    return sanitized(site)
