"""Checks that a response belongs to the request that it was read for.

A connection, or a proxy on the way, can deliver the response to another request: late, twice, or
shifted by one. Such responses are discarded.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_stripe_connect.api.responses import ApiRequest

REMEMBERED_RESPONSES = 2_000
"""How many recent responses are remembered, to notice one that arrives twice."""

PAGES_TO_CONFIRM = 10
"""How many pages have to arrive twice with the same content after a mismatch."""

FOREVER = 1 << 62
"""A time in unix seconds that is later than any object's."""

_object_type = itemgetter("object")


class MismatchError(ValueError):
    """The response belongs to another request; the message says why."""


class AnomalyError(MismatchError):
    """The response seems to belong to another request, unless the retry looks the same."""


@dataclass(frozen=True)
class Anomaly:
    """A sign that a response belongs to another request, unless this server always responds so."""

    kind: str
    detail: str
    text: str = field(compare=False)


@dataclass
class Attempts:
    """The attempts at one request so far."""

    started: float
    """When the first one was sent, in seconds of the client's clock."""
    failures: int = 0
    rate_limited: int = 0
    """How many attempts got a 429; these are not counted as failures."""
    anomalies: frozenset[Anomaly] = frozenset()
    exclusive: bool = False
    """Whether other threads wait for this request, because responses were mixed up."""
    unconfirmed: object = None
    """Content of the last page, if it has to arrive twice."""


class Matcher:
    """Compares every response of a run with its request; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recent: OrderedDict[str, object] = OrderedDict()
        """Fingerprints of recent responses, and the request each one belonged to."""
        self._requested_routes: set[str] = set()
        self._routes_with_account: set[str] = set()
        """Routes whose responses have named the account."""
        self._known_anomalies: frozenset[Anomaly] = frozenset()
        """Anomalies that this server shows in every response."""
        self._to_confirm = 0

    @property
    def needs_confirmation(self) -> bool:
        """Whether pages have to arrive twice, because responses were mixed up recently."""
        return self._to_confirm > 0

    def check(
        self,
        headers: Mapping[str, str],
        document: Mapping[str, Any],
        request: ApiRequest,
        attempts: Attempts,
    ) -> list[Anomaly]:
        """Raise MismatchError if a response does not match; return anomalies accepted just now.

        An anomaly is accepted as this server's habit once it occurs again on a new connection. The
        URL of another list that this run reads is never accepted.
        """
        self._requested_routes.add(request.route)
        found = frozenset(self._anomalies(headers, document, request))
        for anomaly in found:
            if anomaly.kind == "url" and anomaly.detail in self._requested_routes:
                raise MismatchError(anomaly.text)
        if not attempts.anomalies <= found | self._known_anomalies:
            # It is not the server's habit, so responses were mixed up.
            self.require_confirmation()
        new = found - self._known_anomalies
        if not new <= attempts.anomalies:
            attempts.anomalies |= new
            raise AnomalyError(min(anomaly.text for anomaly in new))
        with self._lock:
            new -= self._known_anomalies
            self._known_anomalies |= new
        return sorted(new, key=lambda anomaly: anomaly.kind)

    def require_confirmation(self) -> None:
        """Accept the next pages only after they have arrived twice."""
        with self._lock:
            self._to_confirm = PAGES_TO_CONFIRM

    def is_confirmed(self, document: Mapping[str, Any], attempts: Attempts) -> bool:
        """Return whether to accept a page, or to request it once more for comparison.

        An empty page matches any request for its list. Shortly after a mismatch, a page is
        therefore accepted only if two requests in a row return the same; raises MismatchError if
        they differ.
        """
        if not self._to_confirm or document.get("object") != "list":
            return True
        content = [row.get("id") for row in document["data"]], document["has_more"]
        before, attempts.unconfirmed = attempts.unconfirmed, content
        if before is None:
            return False
        if before != content:
            raise MismatchError("the previous attempt returned a different page")
        with self._lock:
            self._to_confirm = max(0, self._to_confirm - 1)
        return True

    def _anomalies(
        self, headers: Mapping[str, str], document: Mapping[str, Any], request: ApiRequest
    ) -> Iterator[Anomaly]:
        """Yield the anomalies of a response; raises MismatchError if it names another account."""
        named, requested = headers.get("Stripe-Account", ""), request.account or ""
        if named and requested and named not in requested.split("/"):
            raise MismatchError(f"it is for account {named}")
        if named and not requested:
            yield Anomaly("account", named, f"it is for account {named}")
        elif named:
            self._routes_with_account.add(request.route)
        elif requested and request.route in self._routes_with_account:
            yield Anomaly("no account", request.route, f"it is not for account {requested}")
        if self._is_repeated(headers.get("Request-Id", ""), document, request):
            yield Anomaly("repeated", "", "it has already arrived for another request")
        if document.get("object") == "list":
            yield from _url_anomalies(document.get("url"), request)

    def _is_repeated(
        self, request_id: str, document: Mapping[str, Any], request: ApiRequest
    ) -> bool:
        """Return whether a response already arrived for another request.

        Without a request id, it is identified by its rows, which no two accounts share.
        """
        rows = document.get("data")
        owner: tuple[object, ...]
        if request_id:
            fingerprint = request_id
            owner = (request.path, request.account, *request.parameters.items())
        elif isinstance(rows, list) and rows:
            fingerprint = f"{rows[0].get('id')} {rows[-1].get('id')}"
            owner = (request.account,)
        else:
            return False
        with self._lock:
            before = self._recent.setdefault(fingerprint, owner)
            if len(self._recent) > REMEMBERED_RESPONSES:
                self._recent.popitem(last=False)
        return before != owner


def check_object(document: object, request: ApiRequest) -> None:
    """Raise MismatchError if a document is another object, ValueError if it is not an object."""
    if not isinstance(document, dict) or not isinstance(document.get("object"), str):
        raise ValueError("not a Stripe object")  # noqa: TRY004 - damage of any kind
    kind, id_ = document["object"], document.get("id")
    if request.objects and kind not in request.objects:
        raise MismatchError(f"it is {_with_article(kind)}, not {_with_article(*request.objects)}")
    if not isinstance(id_, str):
        raise ValueError("an object without an id")  # noqa: TRY004
    if request.id and id_ != request.id:
        raise MismatchError(f"it is not {kind} {request.id}")


def check_page(document: object, request: ApiRequest) -> None:
    """Raise MismatchError if a document is not a page of this list, ValueError if it is damaged."""
    if not isinstance(document, dict):
        raise ValueError("not a list")  # noqa: TRY004 - damage of any kind
    kind, rows = document.get("object"), document.get("data")
    if isinstance(kind, str) and kind != "list":
        raise MismatchError(f"it is {_with_article(kind)}, not a list")
    if kind != "list" or type(rows) is not list or type(document.get("has_more")) is not bool:
        raise ValueError("not a list")
    _check_rows(rows, request)


def _check_rows(rows: list[Any], request: ApiRequest) -> None:
    """Check each row; this has to be fast, because every row of a run passes through it."""
    try:
        kinds = set(map(_object_type, rows))
    except (KeyError, TypeError):
        raise ValueError("not a list of objects") from None
    if request.objects and not kinds <= request.objects:
        others = kinds - request.objects
        raise MismatchError(
            f"it has {_with_article(*others)} instead of {_with_article(*request.objects)}"
        )
    start, end = request.created
    for row in rows:
        created = row.get("created")
        # Rows without a creation time cannot be checked, and are accepted.
        if type(created) is int and not start <= created < end:
            raise MismatchError("it has rows with other creation times")
    for name, value in request.fields.items():
        if any(_id_of(row.get(name)) not in {None, value} for row in rows):
            raise MismatchError(f"it has rows of another {name} than {value}")


def _url_anomalies(url: object, request: ApiRequest) -> Iterator[Anomaly]:
    """Compare a list's own `url` with the requested path.

    Stripe documents no exception, but there is no guarantee that there is none.
    """
    path = unquote(urlsplit(url).path) if isinstance(url, str) else ""
    if path == unquote(request.path):
        return
    parent = request.parent
    if parent and path and parent not in path.split("/"):
        raise MismatchError(f"it is a list of another parent than {parent}")
    detail = path.replace(parent, "{id}") if parent else path
    yield Anomaly("url", detail, f"its url is {path or 'missing'}")


def check_error(error: Mapping[str, Any], request: ApiRequest) -> None:
    """Raise MismatchError if Stripe reports something missing that was not requested.

    Otherwise, the error about another object would count as the deletion of this one.
    """
    match = re.search(r": '(.+)'", str(error.get("message") or ""), re.DOTALL)
    if error.get("code") != "resource_missing" or not match:
        return
    requested = {*map(unquote, request.path.split("/")), *request.parameters.values()}
    if not any(f"'{value}'" in match[0] for value in requested if value):
        raise MismatchError("it says that something else is missing")


def created_range(parameters: Mapping[str, str]) -> tuple[int, int]:
    """Return the range of `created` in a request's parameters, half-open, in unix seconds."""
    start, end = parameters.get("created[gte]"), parameters.get("created[lt]")
    return int(start) if start else -FOREVER, int(end) if end else FOREVER


def _id_of(value: object) -> object:
    return value.get("id") if isinstance(value, dict) else value


def _with_article(*kinds: object) -> str:
    names = sorted(str(kind)[:40] for kind in kinds)
    return " or ".join(f"{'an' if name[:1] in 'aeiou' else 'a'} {name}" for name in names)
