"""Stripe's endpoints: which exist, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from tap_stripe_connect.catalog import API_VERSION, LISTED, NESTED
from tap_stripe_connect.simulator import (
    access,
    filters,
    older_version,
    parameters,
    refusal,
    rendering,
)
from tap_stripe_connect.simulator.account import AgedOutError
from tap_stripe_connect.simulator.answers import Reply
from tap_stripe_connect.simulator.collection import Selection, Span, UnknownCursorError
from tap_stripe_connect.simulator.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tap_stripe_connect.catalog import Embedded, List
    from tap_stripe_connect.simulator.access import Caller
    from tap_stripe_connect.simulator.answers import Call
    from tap_stripe_connect.simulator.parameters import Parameter
    from tap_stripe_connect.simulator.world import World

OWN_ACCOUNT_PERMISSION = "rak_accounts_kyc_basic_read"
CONNECTED_ACCOUNTS_PERMISSION = "rak_connected_account_read"


@dataclass(frozen=True)
class Asked:
    """A request that may be answered."""

    world: World
    caller: Caller
    id: str
    """What stands in the place of `{id}`."""
    parameters: dict[str, Parameter]
    older: bool
    """Whether to answer in the account's own, older API version."""


@dataclass(frozen=True)
class Endpoint:
    """One method and path."""

    template: str
    permission: str
    answer: Callable[[Asked], Reply]


def find(path: str) -> tuple[Endpoint, str] | None:
    """Return the endpoint of a path, and the id in it."""
    steps = tuple(path.split("/"))
    endpoint = BY_STEPS.get(steps)
    if endpoint is not None:
        return endpoint, ""
    for place in range(FIRST_ID_STEP, len(steps)):
        endpoint = BY_STEPS.get((*steps[:place], "{id}", *steps[place + 1 :]))
        if endpoint is not None and steps[place]:
            return endpoint, unquote(steps[place])
    return None


def answer(world: World, call: Call) -> Reply:
    """Answer a request as Stripe does."""
    try:
        found = find(call.path)
        if found is None or call.method != "GET":
            raise refusal.unrecognized(call.method, unquote(call.path))
        endpoint, id_ = found
        caller = access.authenticate(world, call.headers)
        version = call.headers.get("stripe-version", older_version.API_VERSION)
        if version not in {API_VERSION, older_version.API_VERSION}:
            raise refusal.invalid_version(version)
        access.permit(caller, endpoint.permission)
        given = parameters.gather(call.pairs)
        return endpoint.answer(Asked(world, caller, id_, given, version != API_VERSION))
    except Refusal as refused:
        return Reply.refused(refused)


def _list(listed: List) -> Callable[[Asked], Reply]:
    object_, path = listed.object, listed.path
    allowed = {*listed.facts.takes, *listed.facts.filters, *_creation(listed)}

    def answer(asked: Asked) -> Reply:
        _allow(asked.parameters, allowed)
        expansions = _expansions(asked, object_, "data.")
        selection = _selection(object_, asked.parameters, _span(listed, asked.parameters))
        try:
            found, has_more = asked.caller.account.page(object_, selection)
        except UnknownCursorError as error:
            raise _no_such_cursor(object_, error, selection) from error
        except AgedOutError as error:
            param = "starting_after" if selection.starting_after else "ending_before"
            raise refusal.aged_out(str(error), param) from error
        return _page([_shown(asked, one, expansions) for one in found], has_more=has_more, url=path)

    return answer


def _retrieve(object_: str) -> Callable[[Asked], Reply]:
    def answer(asked: Asked) -> Reply:
        _allow(asked.parameters, {"expand"})
        expansions = _expansions(asked, object_, "")
        found = asked.caller.account.read(object_, asked.id)
        if found is None:
            raise refusal.missing(object_, asked.id)
        return Reply(200, _shown(asked, found, expansions))

    return answer


def _nested(nested: Embedded) -> Callable[[Asked], Reply]:
    """Answer the items of an object's nested list, in the order it holds them."""
    parent, field, object_ = nested.within.object, nested.list_field, nested.object
    query = dict(parse_qsl(urlsplit(nested.facts.url).query))
    id_parameter = next((name for name, value in query.items() if value == "{id}"), None)
    allowed = {"ending_before", "expand", "limit", "starting_after", *query}

    def answer(asked: Asked) -> Reply:
        _allow(asked.parameters, allowed)
        expansions = _expansions(asked, object_, "data.")
        id_ = asked.id
        if id_parameter is not None:
            if id_parameter not in asked.parameters:
                raise refusal.missing_parameter(id_parameter)
            id_ = parameters.text(id_parameter, asked.parameters[id_parameter])
        found = asked.caller.account.read(parent, id_, form="whole")
        if found is None:
            raise refusal.missing(parent, id_, id_parameter or "id")
        listed = msgspec.json.decode(found)[field]
        page, has_more = _slice(listed["data"], object_, asked.parameters)
        encoded = [_shown(asked, msgspec.json.encode(item), expansions) for item in page]
        return _page(encoded, has_more=has_more, url=listed["url"])

    return answer


def _own_account(asked: Asked) -> Reply:
    _allow(asked.parameters, {"expand"})
    _expansions(asked, "account", "")
    return Reply(200, msgspec.json.encode(asked.caller.account.document()))


def _connected_accounts(asked: Asked) -> Reply:
    if asked.caller.on_behalf:
        raise refusal.not_a_platform()
    _allow(asked.parameters, {"created", "ending_before", "expand", "limit", "starting_after"})
    _expansions(asked, "account", "data.")
    if asked.caller.account is not asked.world.platform:
        return _page([], has_more=False, url="/v1/accounts")
    given = asked.parameters
    span = parameters.span("created", given["created"]) if "created" in given else Span()
    selection = _selection("account", given, span)
    try:
        found, has_more = asked.world.connections(selection)
    except UnknownCursorError as error:
        raise _no_such_cursor("account", error, selection) from error
    return _page(found, has_more=has_more, url="/v1/accounts")


def _connected_account(asked: Asked) -> Reply:
    _allow(asked.parameters, {"expand"})
    _expansions(asked, "account", "")
    caller = asked.caller
    account = asked.world.account(asked.id)
    reachable = caller.account is asked.world.platform and asked.world.connected(asked.id)
    if account is None or not (reachable or account is caller.account):
        raise refusal.no_access(caller.key.secret, asked.id)
    return Reply(200, msgspec.json.encode(account.document()))


def _allow(given: Mapping[str, Parameter], names: set[str]) -> None:
    for name, value in given.items():
        if name not in names:
            key = next(iter(value), "") if isinstance(value, dict) else ""
            raise refusal.unknown_parameter(f"{name}[{key}]" if key else name)


def _expansions(asked: Asked, object_: str, prefix: str) -> list[str]:
    """Return the fields to expand, without the prefix that lists demand."""
    wanted = parameters.texts("expand", asked.parameters.get("expand", []))
    for path in wanted:
        rendering.check_expansion(object_, path, prefix)
    return [path.removeprefix(prefix) for path in wanted]


def _creation(listed: List) -> Collection[str]:
    """Return the parameters that narrow a list to some creation times."""
    created = listed.facts.created
    return created.values() if isinstance(created, dict) else [created] if created else []


def _span(listed: List, given: Mapping[str, Parameter]) -> Span:
    """Return the creation times that a list is asked for."""
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
            raise Refusal(
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


def _no_such_cursor(object_: str, error: UnknownCursorError, selection: Selection) -> Refusal:
    param = "starting_after" if selection.starting_after else "ending_before"
    return refusal.missing(object_, str(error), param)


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


def _shown(asked: Asked, encoded: bytes, expansions: Sequence[str]) -> bytes:
    if not asked.older and not expansions:
        return encoded
    account = asked.caller.account

    def look_up(object_: str, id_: str) -> dict[str, Any] | None:
        includes = rendering.INCLUDABLE.get(object_)
        found = account.read(object_, id_, "whole" if includes else "rendered")
        return None if found is None else msgspec.json.decode(found)

    document = msgspec.json.decode(encoded)
    for path in expansions:
        rendering.expand(document, path, look_up)
    return msgspec.json.encode(older_version.rendered(document) if asked.older else document)


def _page(encoded: Sequence[bytes], *, has_more: bool, url: str) -> Reply:
    end = b'],"has_more":%s,"url":%s}' % (
        b"true" if has_more else b"false",
        msgspec.json.encode(url),
    )
    body = b"".join((b'{"object":"list","data":[', b",".join(encoded), end))
    return Reply(200, body, rows=len(encoded))


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
"""Where in a path the first id can stand: /v1/charges/{id}."""
BY_STEPS: Mapping[tuple[str, ...], Endpoint] = MappingProxyType(
    {tuple(endpoint.template.split("/")): endpoint for endpoint in _endpoints()}
)
