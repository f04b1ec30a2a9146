"""Stripe's endpoints and their responses."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from tap_stripe_connect.catalog import API_VERSION, LISTED, NESTED
from tap_stripe_connect.simulator import (
    access,
    errors,
    filters,
    older_version,
    parameters,
    rendering,
)
from tap_stripe_connect.simulator.account import AgedOutError
from tap_stripe_connect.simulator.calls import Response
from tap_stripe_connect.simulator.collection import Selection, Span, UnknownCursorError
from tap_stripe_connect.simulator.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tap_stripe_connect.catalog import Embedded, List
    from tap_stripe_connect.simulator.access import Caller
    from tap_stripe_connect.simulator.calls import Call
    from tap_stripe_connect.simulator.parameters import Parameter
    from tap_stripe_connect.simulator.world import World

OWN_ACCOUNT_PERMISSION = "rak_accounts_kyc_basic_read"
CONNECTED_ACCOUNTS_PERMISSION = "rak_connected_account_read"


@dataclass(frozen=True)
class AuthorizedCall:
    """An API call with a known key and permission."""

    world: World
    caller: Caller
    id: str
    """The `{id}` in the path."""
    parameters: dict[str, Parameter]
    older: bool
    """Whether to use the account's default, older API version."""


@dataclass(frozen=True)
class Endpoint:
    """One method and path."""

    template: str
    permission: str
    answer: Callable[[AuthorizedCall], Response]


def find(path: str) -> tuple[Endpoint, str] | None:
    """Return the endpoint of a path and the id in it, or None."""
    steps = tuple(path.split("/"))
    endpoint = BY_STEPS.get(steps)
    if endpoint is not None:
        return endpoint, ""
    for place in range(FIRST_ID_STEP, len(steps)):
        endpoint = BY_STEPS.get((*steps[:place], "{id}", *steps[place + 1 :]))
        if endpoint is not None and steps[place]:
            return endpoint, unquote(steps[place])
    return None


def answer(world: World, call: Call) -> Response:
    """Return Stripe's response to an API call."""
    try:
        found = find(call.path)
        if found is None or call.method != "GET":
            raise errors.unrecognized(call.method, unquote(call.path))
        endpoint, id_ = found
        caller = access.authenticate(world, call.headers)
        version = call.headers.get("stripe-version", older_version.API_VERSION)
        if version not in {API_VERSION, older_version.API_VERSION}:
            raise errors.invalid_version(version)
        access.permit(caller, endpoint.permission)
        given = parameters.gather(call.pairs)
        return endpoint.answer(AuthorizedCall(world, caller, id_, given, version != API_VERSION))
    except ApiError as error:
        return Response.from_error(error)


def _list(listed: List) -> Callable[[AuthorizedCall], Response]:
    object_, path = listed.object, listed.path
    allowed = {*listed.facts.takes, *listed.facts.filters, *_creation(listed)}

    def answer(call: AuthorizedCall) -> Response:
        _allow(call.parameters, allowed)
        expansions = _expansions(call, object_, "data.")
        selection = _selection(object_, call.parameters, _span(listed, call.parameters))
        try:
            found, has_more = call.caller.account.page(object_, selection)
        except UnknownCursorError as error:
            raise _no_such_cursor(object_, error, selection) from error
        except AgedOutError as error:
            param = "starting_after" if selection.starting_after else "ending_before"
            raise errors.aged_out(str(error), param) from error
        return Response.from_page(
            [_rendered(call, one, expansions) for one in found], has_more=has_more, url=path
        )

    return answer


def _retrieve(object_: str) -> Callable[[AuthorizedCall], Response]:
    def answer(call: AuthorizedCall) -> Response:
        _allow(call.parameters, {"expand"})
        expansions = _expansions(call, object_, "")
        found = call.caller.account.read(object_, call.id)
        if found is None:
            raise errors.missing(object_, call.id)
        return Response(200, _rendered(call, found, expansions))

    return answer


def _nested(nested: Embedded) -> Callable[[AuthorizedCall], Response]:
    """Return a handler for an object's nested list, in the order of its items."""
    parent, field, object_ = nested.within.object, nested.list_field, nested.object
    query = dict(parse_qsl(urlsplit(nested.facts.url).query))
    id_parameter = next((name for name, value in query.items() if value == "{id}"), None)
    allowed = {"ending_before", "expand", "limit", "starting_after", *query}

    def answer(call: AuthorizedCall) -> Response:
        _allow(call.parameters, allowed)
        expansions = _expansions(call, object_, "data.")
        id_ = call.id
        if id_parameter is not None:
            if id_parameter not in call.parameters:
                raise errors.missing_parameter(id_parameter)
            id_ = parameters.text(id_parameter, call.parameters[id_parameter])
        found = call.caller.account.read(parent, id_, form="whole")
        if found is None:
            raise errors.missing(parent, id_, id_parameter or "id")
        listed = msgspec.json.decode(found)[field]
        page, has_more = _slice(listed["data"], object_, call.parameters)
        encoded = [_rendered(call, msgspec.json.encode(item), expansions) for item in page]
        return Response.from_page(encoded, has_more=has_more, url=listed["url"])

    return answer


def _own_account(call: AuthorizedCall) -> Response:
    _allow(call.parameters, {"expand"})
    _expansions(call, "account", "")
    return Response(200, msgspec.json.encode(call.caller.account.document()))


def _connected_accounts(call: AuthorizedCall) -> Response:
    if call.caller.on_behalf:
        raise errors.not_a_platform()
    _allow(call.parameters, {"created", "ending_before", "expand", "limit", "starting_after"})
    _expansions(call, "account", "data.")
    if call.caller.account is not call.world.platform:
        return Response.from_page([], has_more=False, url="/v1/accounts")
    given = call.parameters
    span = parameters.span("created", given["created"]) if "created" in given else Span()
    selection = _selection("account", given, span)
    try:
        found, has_more = call.world.connections(selection)
    except UnknownCursorError as error:
        raise _no_such_cursor("account", error, selection) from error
    return Response.from_page(found, has_more=has_more, url="/v1/accounts")


def _connected_account(call: AuthorizedCall) -> Response:
    _allow(call.parameters, {"expand"})
    _expansions(call, "account", "")
    caller = call.caller
    account = call.world.account(call.id)
    reachable = caller.account is call.world.platform and call.world.connected(call.id)
    if account is None or not (reachable or account is caller.account):
        raise errors.no_access(caller.key.secret, call.id)
    return Response(200, msgspec.json.encode(account.document()))


def _allow(given: Mapping[str, Parameter], names: set[str]) -> None:
    for name, value in given.items():
        if name not in names:
            key = next(iter(value), "") if isinstance(value, dict) else ""
            raise errors.unknown_parameter(f"{name}[{key}]" if key else name)


def _expansions(call: AuthorizedCall, object_: str, prefix: str) -> list[str]:
    """Return the fields to expand, without the prefix that lists require."""
    wanted = parameters.texts("expand", call.parameters.get("expand", []))
    for path in wanted:
        rendering.check_expansion(object_, path, prefix)
    return [path.removeprefix(prefix) for path in wanted]


def _creation(listed: List) -> Collection[str]:
    """Return the parameters that filter a list by creation time."""
    created = listed.facts.created
    return created.values() if isinstance(created, dict) else [created] if created else []


def _span(listed: List, given: Mapping[str, Parameter]) -> Span:
    """Return the range of creation times that a request selects."""
    created = listed.facts.created
    if isinstance(created, dict):
        bounds: Parameter = {
            bound: parameters.text(name, given[name])
            for bound, name in created.items()
            if name in given
        }
        return parameters.span("created", bounds)
    return parameters.span(created, given[created]) if created in given else Span()


def _selection(object_: str, given: dict[str, Parameter], span: Span | None = None) -> Selection:
    for one, other in (("starting_after", "ending_before"), ("type", "types")):
        if one in given and other in given:
            raise ApiError(
                400,
                f"Received both {one} and {other} parameters. Please pass in only one.",
                code="parameters_exclusive",
            )
    return Selection(
        limit=parameters.limit(given.get("limit")),
        span=Span() if span is None else span,
        matches=filters.matcher(object_, given),
        starting_after=_cursor("starting_after", given),
        ending_before=_cursor("ending_before", given),
    )


def _cursor(name: str, given: Mapping[str, Parameter]) -> str | None:
    return parameters.text(name, given[name]) if name in given else None


def _no_such_cursor(object_: str, error: UnknownCursorError, selection: Selection) -> ApiError:
    param = "starting_after" if selection.starting_after else "ending_before"
    return errors.missing(object_, str(error), param)


def _slice(
    items: Sequence[dict[str, Any]], object_: str, given: dict[str, Parameter]
) -> tuple[Sequence[dict[str, Any]], bool]:
    selection = _selection(object_, given)
    ids = [item["id"] for item in items]
    cursor = selection.starting_after or selection.ending_before
    if cursor is not None and cursor not in ids:
        raise _no_such_cursor(object_, UnknownCursorError(cursor), selection)
    if selection.ending_before is not None:
        before = items[: ids.index(selection.ending_before)]
        return before[-selection.limit :], len(before) > selection.limit
    start = 0 if selection.starting_after is None else ids.index(selection.starting_after) + 1
    after = items[start:]
    return after[: selection.limit], len(after) > selection.limit


def _rendered(call: AuthorizedCall, encoded: bytes, expansions: Sequence[str]) -> bytes:
    if not call.older and not expansions:
        return encoded
    account = call.caller.account

    def look_up(object_: str, id_: str) -> dict[str, Any] | None:
        includes = rendering.INCLUDABLE.get(object_)
        found = account.read(object_, id_, "whole" if includes else "rendered")
        return None if found is None else msgspec.json.decode(found)

    document = msgspec.json.decode(encoded)
    for path in expansions:
        rendering.expand(document, path, look_up)
    return msgspec.json.encode(older_version.rendered(document) if call.older else document)


def _endpoints() -> tuple[Endpoint, ...]:
    own = (
        Endpoint("/v1/account", OWN_ACCOUNT_PERMISSION, _own_account),
        Endpoint("/v1/accounts", CONNECTED_ACCOUNTS_PERMISSION, _connected_accounts),
        Endpoint("/v1/accounts/{id}", CONNECTED_ACCOUNTS_PERMISSION, _connected_account),
    )
    nested = (
        Endpoint(stream.route, stream.within.permission, _nested(stream))
        for stream in NESTED.values()
    )
    lists = (Endpoint(stream.path, stream.permission, _list(stream)) for stream in LISTED.values())
    single = (
        Endpoint(f"{stream.path}/{{id}}", stream.permission, _retrieve(stream.object))
        for stream in LISTED.values()
        if stream.facts.retrieve
    )
    return (*own, *nested, *lists, *single)


FIRST_ID_STEP = 3
"""Index of the first path segment that can be an id: /v1/charges/{id}."""
BY_STEPS: Mapping[tuple[str, ...], Endpoint] = MappingProxyType(
    {tuple(endpoint.template.split("/")): endpoint for endpoint in _endpoints()}
)
