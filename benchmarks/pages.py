"""Responses to Stripe's list requests, rendered row by row from templates."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from benchmarks.load import CreationTimes
from benchmarks.objects import event_renderer, renderer
from benchmarks.objects import templates as make_templates
from tap_stripe_connect.catalog import LISTED
from tap_stripe_connect.simulator import errors
from tap_stripe_connect.simulator.calls import Response
from tap_stripe_connect.simulator.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.load import Load

OWN = {"/v1/account", "/v1/accounts/acct_1Benchmark"}
ACCOUNT = (
    b'{"id":"acct_1Benchmark","object":"account","settings":{"dashboard":{"display_name":""}}}'
)
MAX_ROWS = 100
"""Largest page, as at Stripe."""
_OBJECTS = {listed.path: listed.object for listed in LISTED.values()}
_SHIFT = {"gte": 0, "gt": 1, "lt": 0, "lte": 1}
"""Seconds to add to each bound of `created` to get a half-open range."""


@dataclass(frozen=True)
class Query:
    """The parameters of a list request."""

    low: int | None
    """Unix seconds, included."""
    high: int | None
    """Unix seconds, not included."""
    cursor: str | None
    limit: int
    filtered: bool
    """Whether it has a filter that this server does not support."""

    @classmethod
    def parse(cls, text: str) -> Query:
        """Parse a query string; raise ApiError for parameters that this server does not support."""
        low = high = cursor = None
        limit = 10
        filtered = False
        for name, value in parse_qsl(text, keep_blank_values=True):
            if name in {"created[gte]", "created[gt]"}:
                low = int(value) + _SHIFT[name[8:-1]]
            elif name in {"created[lt]", "created[lte]"}:
                high = int(value) + _SHIFT[name[8:-1]]
            elif name == "starting_after":
                cursor = value
            elif name == "limit":
                limit = min(int(value), MAX_ROWS)
            elif name == "type" or name.startswith("types["):
                filtered = True
            elif name != "status" and not name.startswith("expand["):
                raise errors.unknown_parameter(name)
        return cls(low, high, cursor, limit, filtered)


class Series:
    """The objects of one kind."""

    def __init__(
        self, kind: str, created: CreationTimes, render: Callable[[int, int], bytes]
    ) -> None:
        self._kind = kind
        self._created = created
        self._render = render

    def row(self, id_: str) -> bytes:
        """Return the object of an id; raise ApiError if there is none."""
        number = self._number(id_)
        return self._render(number, self._created[number])

    def page(self, path: str, query: Query) -> Response:
        """Return a page of the list, newest first."""
        if query.filtered and self._created:
            raise errors.unknown_parameter("type")
        low = 0 if query.low is None else bisect_left(self._created, query.low)
        high = len(self._created)
        if query.high is not None:
            high = bisect_left(self._created, query.high)
        if query.cursor is not None:
            cursor = self._number(query.cursor, "starting_after")
            if not low <= cursor < high:
                raise errors.missing(self._kind, query.cursor, "starting_after")
            high = cursor
        last = max(low, high - query.limit)
        rows = [
            self._render(number, self._created[number]) for number in range(high - 1, last - 1, -1)
        ]
        return Response.from_page(rows, has_more=last > low, url=path)

    def _number(self, id_: str, parameter: str = "id") -> int:
        text = id_.rpartition("Bulk")[2]
        if not text.isdecimal() or int(text) >= len(self._created):
            raise errors.missing(self._kind, id_, parameter)
        return int(text)


class Stripe:
    """All objects of a load, by Stripe's paths; rows are rendered on request."""

    def __init__(self, load: Load) -> None:
        templates = make_templates(load.lines, load.bytes)
        made = templates.objects
        moments = {kind: CreationTimes(load.spans.get(kind, ())) for kind in _OBJECTS.values()}
        self._series = {
            kind: Series(kind, created, renderer(made.get(kind, b"")))
            for kind, created in moments.items()
        }
        self._lines = [
            Series("line_item", moments["invoice"], renderer(line)) for line in templates.lines
        ]
        charges = moments["charge"]
        self._series["event"] = Series(
            "event",
            moments["event"],
            event_renderer(made["event"], len(charges), charges.__getitem__),
        )

    def answer(self, path: str, query: str) -> Response:
        """Return the response to a GET request."""
        try:
            if path in OWN:
                return Response(200, ACCOUNT)
            if path in _OBJECTS:
                return self._series[_OBJECTS[path]].page(path, Query.parse(query))
            return self._single(path, Query.parse(query))
        except ApiError as error:
            return Response.from_error(error)

    def _single(self, path: str, query: Query) -> Response:
        whole, _, nested = path.partition("/lines")
        collection, _, id_ = whole.rpartition("/")
        if path not in {whole, f"{whole}/lines"} or collection not in _OBJECTS or nested:
            raise errors.unrecognized("GET", path)
        if path == whole:
            return Response(200, self._series[_OBJECTS[collection]].row(id_), 1)
        begin = 0
        if query.cursor:
            # The id of a line ends in its index within the invoice.
            begin = int(query.cursor[-len(str(len(self._lines) - 1)) :]) + 1
        shown = [line.row(id_) for line in self._lines[begin : begin + query.limit]]
        return Response.from_page(shown, has_more=len(self._lines) > begin + query.limit, url=path)
