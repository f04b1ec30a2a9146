"""Answers that are not Stripe's: a proxy's page, a captive portal, another server."""

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

PASSING = frozenset({408, 425, 429, *range(500, 511), *range(512, 600)})
"""Statuses that a gateway gives while it has trouble; 511 asks for a login."""

LOGIN = frozenset({407, 511, *range(300, 400)})
"""Statuses that every request gets until somebody has logged in, or mended the address."""

SEARCHED = 65_536
"""Bytes of a page in which its title is looked for."""

LONGEST = 80
"""Letters that are shown of a text by others."""


def is_cut_off(response: requests.Response) -> bool:
    """Return whether an answer is the beginning of some JSON, and no more of it."""
    body = response.content.lstrip()
    if not body:
        return "json" in _media_type(response)
    try:
        json.loads(body)
    except ValueError:
        return body[:1] in {b"{", b"["}
    return False


def is_plain_404(response: requests.Response) -> bool:
    """Return whether a server says in plain text that it does not know the path."""
    return response.status_code == 404 and _media_type(response) == "text/plain"  # noqa: PLR2004


def description(response: requests.Response) -> str:
    """Return what an answer is, for a sentence: status, type, and title or target."""
    parts = [f"HTTP status {response.status_code}"]
    if target := response.headers.get("Location"):
        parts.append(f"a redirect to {_site(target)}")
    if response.content:
        parts.append(_media_type(response) or "an unnamed type")
    else:
        parts.append("without content")
    if title := _title(response.content):
        parts.append(f"titled “{title}”")
    return ", ".join(parts)


def cleaned(text: str, most: int = LONGEST) -> str:
    """Return text of others on one line, without secrets and control characters, shortened."""
    visible = "".join(
        " " if unicodedata.category(letter) in {"Cc", "Zl", "Zp"} else letter
        for letter in text[: 20 * most]
        if unicodedata.category(letter) not in {"Cf", "Cs", "Co", "Cn"}
    )
    line = redact(visible)
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def _media_type(response: requests.Response) -> str:
    return cleaned(response.headers.get("Content-Type", "").partition(";")[0].strip().lower(), 40)


def _title(content: bytes) -> str:
    page = content[:SEARCHED].decode("utf-8", "replace")
    found = re.search(r"<title[^>]*>(.*?)</title", page, re.IGNORECASE | re.DOTALL)
    return cleaned(html.unescape(found[1])) if found else ""


def _site(target: str) -> str:
    """Return the site that a redirect leads to; the rest of the address may hold secrets."""
    try:
        parts = urlsplit(target)
        site = f"{parts.scheme}://{parts.hostname}" if parts.hostname else parts.path
    except ValueError:
        site = "an odd address"
    return cleaned(site)
