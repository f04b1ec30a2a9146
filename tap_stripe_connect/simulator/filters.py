"""The filters of Stripe's lists."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from tap_stripe_connect.catalog import LISTED
from tap_stripe_connect.simulator import parameters, shapes
from tap_stripe_connect.simulator.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_stripe_connect.catalog import List
    from tap_stripe_connect.simulator.collection import Entry
    from tap_stripe_connect.simulator.parameters import Parameter

Facts: TypeAlias = "tuple[object, ...]"
Test: TypeAlias = "Callable[[Facts], bool]"
MOST_EVENT_TYPES = 20


@dataclass(frozen=True)
class Filter:
    """A parameter that filters a list."""

    path: str
    """Path of the compared value in the object; `[]` iterates over a list."""
    parse: Callable[[str, Parameter], Test]
    """Return a test of the values at the path; raises ApiError for a malformed parameter."""


def _is_text(name: str, given: Parameter) -> Test:
    wanted = parameters.text(name, given)
    return lambda facts: wanted in facts


def _is_flag(name: str, given: Parameter) -> Test:
    wanted = parameters.flag(name, given)
    return lambda facts: wanted in facts


def _is_integer(name: str, given: Parameter) -> Test:
    wanted = parameters.integer(name, given)
    return lambda facts: wanted in facts


def _unknown(name: str, given: Parameter) -> Test:
    del given
    raise ApiError(400, f"The simulator does not know how Stripe filters by {name}.", param=name)


def _is_one_of(*choices: str) -> Callable[[str, Parameter], Test]:
    def parse(name: str, given: Parameter) -> Test:
        wanted = parameters.choice(name, given, choices)
        return lambda facts: wanted in facts

    return parse


def _latest_in_range(name: str, given: Parameter) -> Test:
    span = parameters.span(name, given)

    def test(facts: Facts) -> bool:
        moments = [fact for fact in facts if isinstance(fact, int)]
        return bool(moments) and max(moments) in span

    return test


def _enabled(name: str, given: Parameter) -> Test:
    if not isinstance(given, dict) or set(given) != {"enabled"}:
        raise ApiError(400, "Invalid hash", param=name)
    return _is_flag(f"{name}[enabled]", given["enabled"])


def _is_event_type(name: str, given: Parameter) -> Test:
    pattern = parameters.text(name, given)
    compiled = re.compile(".*".join(map(re.escape, pattern.split("*"))))
    return lambda facts: any(compiled.fullmatch(str(fact)) for fact in facts)


def _is_one_of_event_types(name: str, given: Parameter) -> Test:
    wanted = set(parameters.texts(name, given, MOST_EVENT_TYPES))
    return lambda facts: not wanted.isdisjoint(facts)


def _is_delivered(name: str, given: Parameter) -> Test:
    wanted = parameters.flag(name, given)
    return lambda facts: (0 in facts) is wanted


STATUSES = (
    "active",
    "all",
    "canceled",
    "ended",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
)
ENDED = frozenset({"canceled", "incomplete_expired"})


def _is_subscription_status(name: str, given: Parameter) -> Test:
    wanted = parameters.choice(name, given, STATUSES)
    if wanted == "all":
        return lambda _: True
    if wanted == "ended":
        return lambda facts: not ENDED.isdisjoint(facts)
    return lambda facts: wanted in facts


KINDS: Mapping[str, Callable[[str, Parameter], Test]] = MappingProxyType(
    {
        "boolean": _is_flag,
        "integer": _is_integer,
        "range": _latest_in_range,
        "string": _is_text,
    }
)
"""Tests of filters on a field of the same name, by type."""

SPECIAL: Mapping[str, Mapping[str, Filter]] = MappingProxyType(
    {
        "event": {
            "delivery_success": Filter("pending_webhooks", _is_delivered),
            "type": Filter("type", _is_event_type),
            "types": Filter("type", _is_one_of_event_types),
        },
        "invoice": {"subscription": Filter("parent.subscription_details.subscription", _is_text)},
        "promotion_code": {"coupon": Filter("promotion.coupon", _is_text)},
        "subscription": {
            "automatic_tax": Filter("automatic_tax.enabled", _enabled),
            "current_period_end": Filter("items.data[].current_period_end", _latest_in_range),
            "current_period_start": Filter("items.data[].current_period_start", _latest_in_range),
            "plan": Filter("items.data[].plan.id", _is_text),
            "price": Filter("items.data[].price.id", _is_text),
            "status": Filter("status", _is_subscription_status),
        },
    }
)
"""Filters on other fields, or with special tests, by object."""


def _filter(object_: str, name: str, kind: object) -> Filter:
    """Return a filter on the field of the same name."""
    compare = _is_one_of(*kind) if isinstance(kind, list) else KINDS.get(str(kind), _unknown)

    def parse(name: str, given: Parameter) -> Test:
        return (compare if shapes.has(object_, name) else _unknown)(name, given)

    return Filter(name, parse)


def _filters(listed: List) -> Mapping[str, Filter]:
    """Return the filters of a list except `created`."""
    usual = {
        name: _filter(listed.object, name, kind) for name, kind in listed.facts.filters.items()
    }
    return {**usual, **SPECIAL.get(listed.object, {})}


FILTERS: Mapping[str, Mapping[str, Filter]] = MappingProxyType(
    {"account": {}, **{listed.object: _filters(listed) for listed in LISTED.values()}}
)
"""The filters of each object's list except `created`."""


@dataclass(frozen=True)
class Hidden:
    """Objects that a list omits by default."""

    filter: str
    """Name of the filter on the same value."""
    shown_by: frozenset[str]
    """Parameters with which the list includes them."""
    test: Test


ON_TEST_CLOCK: Test = bool
HIDDEN: Mapping[str, tuple[Hidden, ...]] = MappingProxyType(
    {
        "customer": (Hidden("test_clock", frozenset({"test_clock"}), ON_TEST_CLOCK),),
        "subscription": (
            Hidden("status", frozenset({"status"}), lambda facts: not ENDED.isdisjoint(facts)),
            Hidden("test_clock", frozenset({"customer", "test_clock"}), ON_TEST_CLOCK),
        ),
    }
)


def values_at(document: object, path: str) -> Facts:
    """Return the values at a dotted path without nulls; `[]` iterates over a list."""
    found = [document]
    for step in path.split("."):
        name = step.removesuffix("[]")
        found = [value.get(name) for value in found if isinstance(value, dict)]
        if name != step:
            found = [item for value in found if isinstance(value, list) for item in value]
    return tuple(value for value in found if value is not None)


def facts_of(object_: str, document: Mapping[str, Any]) -> tuple[Facts, ...]:
    """Return the values that the filters of an object's list compare, in their order."""
    return tuple(values_at(document, filter_.path) for filter_ in FILTERS.get(object_, {}).values())


def matcher(object_: str, given: Mapping[str, Parameter]) -> Callable[[Entry], bool] | None:
    """Return the test of a list request's filters, if any."""
    known = FILTERS.get(object_, {})
    order = {name: index for index, name in enumerate(known)}
    tests: list[tuple[int, Test, bool]] = [
        (order[name], filter_.parse(name, given[name]), True)
        for name, filter_ in known.items()
        if name in given
    ]
    tests += [
        (order[hidden.filter], hidden.test, False)
        for hidden in HIDDEN.get(object_, ())
        if hidden.shown_by.isdisjoint(given)
    ]
    if not tests:
        return None
    return lambda entry: all(test(entry.facts[index]) is wanted for index, test, wanted in tests)
