"""Why a server cannot be reached, and what its users can do about that."""

from __future__ import annotations

import re
import socket
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies, select_proxy

from tap_stripe_connect.api.errors import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts that are this machine."""

PASSING = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
"""What can be different in the next second, unless its cause says otherwise."""

WRONG_PORT = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH")
"""Words of TLS where the other side does not speak it."""

CHECK = "check api_url and the network"


def is_loopback(url: str) -> bool:
    """Return whether an address is on this machine."""
    return urlsplit(url).hostname in LOOPBACK


def proxy_of(url: str) -> str:
    """Return the proxy that the environment names for `url`, without credentials, or nothing."""
    try:
        given = select_proxy(url, get_environ_proxies(url, no_proxy=None))
        if not given:
            return ""
        proxy = urlsplit(given if "://" in given else f"http://{given}")
        port = f":{proxy.port}" if proxy.port else ""
    except ValueError:
        return ""
    return f"{proxy.scheme}://{proxy.hostname}{port}"


def is_final(error: Exception) -> bool:
    """Return whether trying again is of no use: the address, the port or the trust is wrong."""
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return cause.errno != socket.EAI_AGAIN
        if isinstance(cause, (ConnectionRefusedError, ssl.SSLCertVerificationError)):
            return True
        if isinstance(cause, ssl.SSLError) and cause.reason in WRONG_PORT:
            return True
        if is_refused_by_proxy(cause):
            return True
    return not isinstance(error, PASSING)


def is_refused_by_proxy(error: BaseException) -> bool:
    """Return whether a proxy refused to connect, for want of a password or for good."""
    return any(
        re.search(r"Tunnel connection failed: 4\d\d", str(cause)) for cause in _causes(error)
    )


def advice(error: Exception, url: str) -> str:
    """Return what users can do about an error of the network."""
    proxy = proxy_of(url)
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _advice_on_certificates(cause)
        if isinstance(cause, ssl.SSLError) and cause.reason in WRONG_PORT:
            return "check api_url: the port does not speak https"
        if isinstance(cause, OSError) and "CA certificate bundle" in str(cause):
            return "check REQUESTS_CA_BUNDLE: it has to name a file of certificates"
    if proxy:
        return f"check the proxy {proxy}, which HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names"
    return CHECK


def _advice_on_certificates(error: ssl.SSLCertVerificationError) -> str:
    told = error.verify_message.lower()
    if "expired" in told or "not yet valid" in told:
        return "check this machine's clock and api_url"
    if "mismatch" in told or "not valid for" in told:
        return "check api_url: the certificate is for another name"
    return (
        "if a proxy signs certificates here, set REQUESTS_CA_BUNDLE to a file "
        "with those of its authority"
    )


def reason(error: BaseException) -> str:
    """Return the innermost reason of a network error, which libraries wrap several times."""
    found: Any = error
    for _ in range(10):
        inner = getattr(found, "reason", None) or next(
            (part for part in getattr(found, "args", ()) if isinstance(part, BaseException)), None
        )
        if inner is None or isinstance(inner, str):
            break
        found = inner
    text = getattr(found, "strerror", None) or str(found) or type(found).__name__
    # The address of a proxy can hold its password.
    text = redact(re.sub(r"[^\s/@'\"]+:[^\s/@]*@", "…@", text))
    return re.sub(r"^(<.*?>|\w+\(.*?\)):? ?", "", text)[:200]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that caused it, each once."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop(0)
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        nested = (*found.args, getattr(found, "reason", None), found.__cause__, found.__context__)
        waiting += [one for one in nested if isinstance(one, BaseException)]
