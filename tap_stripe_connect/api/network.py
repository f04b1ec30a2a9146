"""Explains why a server cannot be reached, and what users can do about it."""

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
"""Host names of this machine."""

TRANSIENT = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
"""Errors that are worth a retry, unless their cause says otherwise."""

NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH")
"""Reasons that OpenSSL gives if the server does not use TLS."""

CHECK = "check api_url and the network"


def is_loopback(url: str) -> bool:
    """Return whether a URL points to this machine."""
    return urlsplit(url).hostname in LOOPBACK


def proxy_of(url: str) -> str:
    """Return the proxy that the environment sets for `url`, without credentials, or nothing."""
    try:
        value = select_proxy(url, get_environ_proxies(url, no_proxy=None))
        if not value:
            return ""
        proxy = urlsplit(value if "://" in value else f"http://{value}")
        port = f":{proxy.port}" if proxy.port else ""
    except ValueError:
        return ""
    return f"{proxy.scheme}://{proxy.hostname}{port}"


def is_permanent(error: Exception) -> bool:
    """Return whether a retry is pointless: the host, the port or the certificate is wrong."""
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return cause.errno != socket.EAI_AGAIN
        if isinstance(cause, (ConnectionRefusedError, ssl.SSLCertVerificationError)):
            return True
        if isinstance(cause, ssl.SSLError) and cause.reason in NOT_TLS:
            return True
        if is_rejected_by_proxy(cause):
            return True
    return not isinstance(error, TRANSIENT)


def is_rejected_by_proxy(error: BaseException) -> bool:
    """Return whether a proxy refused to open a tunnel, for lack of a password or by policy."""
    return any(
        re.search(r"Tunnel connection failed: 4\d\d", str(cause)) for cause in _causes(error)
    )


def advice(error: Exception, url: str) -> str:
    """Return what users can do about a network error."""
    proxy = proxy_of(url)
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate_advice(cause)
        if isinstance(cause, ssl.SSLError) and cause.reason in NOT_TLS:
            return "check api_url: the server does not use https on this port"
        if isinstance(cause, OSError) and "CA certificate bundle" in str(cause):
            return "check REQUESTS_CA_BUNDLE: it must be the path of a certificate file"
    if proxy:
        return f"check the proxy {proxy}, which is set by HTTPS_PROXY, HTTP_PROXY or ALL_PROXY"
    return CHECK


def _certificate_advice(error: ssl.SSLCertVerificationError) -> str:
    message = error.verify_message.lower()
    if "expired" in message or "not yet valid" in message:
        return "check this machine's clock and api_url"
    if "mismatch" in message or "not valid for" in message:
        return "check api_url: the certificate is for another host name"
    return (
        "if a proxy intercepts TLS here, set REQUESTS_CA_BUNDLE to a file "
        "with the certificate of its authority"
    )


def root_cause(error: BaseException) -> str:
    """Return the message of the innermost error, because libraries wrap network errors."""
    found: Any = error
    for _ in range(10):
        inner = getattr(found, "reason", None) or next(
            (part for part in getattr(found, "args", ()) if isinstance(part, BaseException)), None
        )
        if inner is None or isinstance(inner, str):
            break
        found = inner
    text = getattr(found, "strerror", None) or str(found) or type(found).__name__
    # The URL of a proxy can contain its password.
    text = redact(re.sub(r"[^\s'\"]*@", "…@", text))
    return re.sub(r"^(<.*?>|\w+\(.*?\)):? ?", "", text)[:200]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and everything that caused it, each once."""
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
