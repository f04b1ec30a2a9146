"""Whether an answer belongs to the request that it was read for.

A connection, or a proxy on the way, can deliver the answer to another request: late, twice, or
shifted by one. Nothing of such an answer counts.
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

REMEMBERED = 2_000
"""Request ids that are kept to notice an answer that comes twice."""

IN_DOUBT = 10
"""Pages that have to come twice alike after an answer to another request."""

FOREVER = 1 << 62
"""Unix seconds that no object's creation reaches."""

_object = itemgetter("object")


class MismatchError(ValueError):
    """The answer belongs to another request; the message says what tells so."""


class OddityError(MismatchError):
    """The answer seems to belong to another request, unless the next one is odd like it."""


@dataclass(frozen=True)
class Oddity:
    """What tells of an answer to another request, unless the server always answers so."""

    kind: str
    detail: str
    text: str = field(compare=False)


@dataclass
class Attempts:
    """What the tries of one request have brought so far."""

    began: float
    """When the first one was sent, in seconds of the client's clock."""
    failures: int = 0
    refusals: int = 0
    """Refusals for speed, which are no failures."""
    odd: frozenset[Oddity] = frozenset()
    alone: bool = False
    """Whether no other request is sent meanwhile, as answers were mixed up."""
    came: object = None
    """What the page was that came last, where it has to come twice."""


class Matcher:
    """Compares every answer of a run with its request; safe to use from any thread."""

    def __init__(self) -> None:
        """Start without having seen an answer."""
        self._lock = threading.Lock()
        self._came: OrderedDict[str, object] = OrderedDict()
        """What answers were recognised by, and what they answered; the newest ones."""
        self._asked: set[str] = set()
        """Routes that were asked for."""
        self._naming: set[str] = set()
        """Routes whose answers have named the account."""
        self._usual: frozenset[Oddity] = frozenset()
        """What this server does to every answer."""
        self._doubt = 0

    @property
    def doubts(self) -> bool:
        """Whether answers were mixed up a short while ago."""
        return self._doubt > 0

    def check(
        self,
        headers: Mapping[str, str],
        document: Mapping[str, Any],
        question: ApiRequest,
        attempts: Attempts,
    ) -> list[Oddity]:
        """Raise MismatchError unless the answer's head fits, and what is odd is this server's way.

        An oddity is believed once it comes again on a fresh connection; returns those that were
        believed just now. The address of another list that this run reads is never believed.
        """
        self._asked.add(question.route)
        found = frozenset(self._oddities(headers, document, question))
        for odd in found:
            if odd.kind == "url" and odd.detail in self._asked:
                raise MismatchError(odd.text)
        if not attempts.odd <= found | self._usual:
            # It was not the server's way, so that answers have been mixed up.
            self.mismatched()
        new = found - self._usual
        if not new <= attempts.odd:
            attempts.odd |= new
            raise OddityError(min(one.text for one in new))
        with self._lock:
            new -= self._usual
            self._usual |= new
        return sorted(new, key=lambda one: one.kind)

    def mismatched(self) -> None:
        """Believe the next pages only once they have come twice."""
        with self._lock:
            self._doubt = IN_DOUBT

    def believes(self, document: Mapping[str, Any], attempts: Attempts) -> bool:
        """Return whether a page may be believed, or has to come once more.

        An empty page fits every question about its list. So, where answers were mixed up a short
        while ago, a page counts only if two requests in a row bring the same; raises
        MismatchError if they do not.
        """
        if not self._doubt or document.get("object") != "list":
            return True
        came = [row.get("id") for row in document["data"]], document["has_more"]
        before, attempts.came = attempts.came, came
        if before is None:
            return False
        if before != came:
            raise MismatchError("the same request brought another page before")
        with self._lock:
            self._doubt = max(0, self._doubt - 1)
        return True

    def _oddities(
        self, headers: Mapping[str, str], document: Mapping[str, Any], question: ApiRequest
    ) -> Iterator[Oddity]:
        """Yield what is odd about an answer; raises MismatchError if it names another account."""
        named, asked = headers.get("Stripe-Account", ""), question.account or ""
        if named and asked and named not in asked.split("/"):
            raise MismatchError(f"it is about the account {named}")
        if named and not asked:
            yield Oddity("account", named, f"it is about the account {named}")
        elif named:
            self._naming.add(question.route)
        elif asked and question.route in self._naming:
            yield Oddity("no account", question.route, f"it is not about {asked}")
        if self._is_repeated(headers.get("Request-Id", ""), document, question):
            yield Oddity("repeated", "", "it came before, to another request")
        if document.get("object") == "list":
            yield from _url_oddities(document.get("url"), question)

    def _is_repeated(
        self, request_id: str, document: Mapping[str, Any], question: ApiRequest
    ) -> bool:
        """Return whether an answer came before to another question.

        One without a request id is known by its rows, which no two accounts share.
        """
        rows = document.get("data")
        if request_id:
            mark, asked = (
                request_id,
                (question.path, question.account, *question.parameters.items()),
            )
        elif isinstance(rows, list) and rows:
            mark, asked = f"{rows[0].get('id')} {rows[-1].get('id')}", (question.account,)
        else:
            return False
        with self._lock:
            before = self._came.setdefault(mark, asked)
            if len(self._came) > REMEMBERED:
                self._came.popitem(last=False)
        return before != asked


def check_object(document: object, question: ApiRequest) -> None:
    """Accept the object that was asked for.

    Raises MismatchError for another one of Stripe's, ValueError for anything else.
    """
    if not isinstance(document, dict) or not isinstance(document.get("object"), str):
        raise ValueError("not an object of Stripe's")  # noqa: TRY004 - damage of any kind
    kind, name = document["object"], document.get("id")
    if question.objects and kind not in question.objects:
        raise MismatchError(f"it is {_a(kind)}, not {_a(*question.objects)}")
    if not isinstance(name, str):
        raise ValueError("an object without an id")  # noqa: TRY004
    if question.id and name != question.id:
        what = "another account" if kind == "account" else f"another {kind}"
        raise MismatchError(f"it is {what} than {question.id}")


def check_page(document: object, question: ApiRequest) -> None:
    """Accept a page of the list that was asked for.

    Raises MismatchError for another page of Stripe's, ValueError for anything else.
    """
    if not isinstance(document, dict):
        raise ValueError("not a list")  # noqa: TRY004 - damage of any kind
    kind, rows = document.get("object"), document.get("data")
    if isinstance(kind, str) and kind != "list":
        raise MismatchError(f"it is {_a(kind)}, not a list")
    if kind != "list" or type(rows) is not list or type(document.get("has_more")) is not bool:
        raise ValueError("not a list")
    _check_rows(rows, question)


def _check_rows(rows: list[Any], question: ApiRequest) -> None:
    """Check what each row says; every row of a run passes here, so this has to be fast."""
    try:
        kinds = set(map(_object, rows))
    except (KeyError, TypeError):
        raise ValueError("not a list of objects") from None
    if question.objects and not kinds <= question.objects:
        others = kinds - question.objects
        raise MismatchError(f"it has {_a(*others)} instead of {_a(*question.objects)}")
    start, end = question.created
    for row in rows:
        created = row.get("created")
        # The time of other rows is not known, which is no reason to doubt the page.
        if type(created) is int and not start <= created < end:
            raise MismatchError("it has rows of another time")
    for name, value in question.fields.items():
        if any(_id(row.get(name)) not in {None, value} for row in rows):
            raise MismatchError(f"it is about another {name} than {value}")


def _url_oddities(url: object, question: ApiRequest) -> Iterator[Oddity]:
    """Compare the list's own address with the path asked for.

    Stripe documents no exception, and nobody has proven that there is none.
    """
    path = unquote(urlsplit(url).path) if isinstance(url, str) else ""
    asked = unquote(question.path)
    if path == asked:
        return
    parent = question.parent
    if parent and path and parent not in path.split("/"):
        raise MismatchError(f"it is a list of another parent than {parent}")
    detail = path.replace(parent, "{id}") if parent else path
    text = f"it calls itself a page of {path or 'no list'}"
    yield Oddity("url", detail, text)


def check_refusal(error: Mapping[str, Any], question: ApiRequest) -> None:
    """Raise MismatchError if what is missing, by an error of Stripe's, is not what was asked for.

    Else the refusal of another object would count as the deletion of this one.
    """
    found = re.search(r": '(.+)'", str(error.get("message") or ""), re.DOTALL)
    if error.get("code") != "resource_missing" or not found:
        return
    asked = {*map(unquote, question.path.split("/")), *question.parameters.values()}
    if not any(f"'{value}'" in found[0] for value in asked if value):
        raise MismatchError("it says that something else is missing")


def window(parameters: Mapping[str, str]) -> tuple[int, int]:
    """Return the creation times that a request asks for, half-open, in unix seconds."""
    start, end = parameters.get("created[gte]"), parameters.get("created[lt]")
    return int(start) if start else -FOREVER, int(end) if end else FOREVER


def _id(value: object) -> object:
    return value.get("id") if isinstance(value, dict) else value


def _a(*kinds: object) -> str:
    names = sorted(str(kind)[:40] for kind in kinds)
    return " or ".join(f"{'an' if name[:1] in 'aeiou' else 'a'} {name}" for name in names)
