"""Responses that are nested too deeply for the parser."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tap_stripe_connect.api.client import Client
from tap_stripe_connect.api.nesting import MAX_DEPTH, decode
from tap_stripe_connect.simulator.faults import Fault
from tests.support.harness import NOW, config_for, run, selecting

if TYPE_CHECKING:
    from tap_stripe_connect.simulator.server import Simulator

FAR_TOO_DEEP = 100_000


def nested(levels: int) -> str:
    """Return JSON with so many levels."""
    return "[" * levels + "]" * levels


def page(levels: int, path: str = "/v1/customers") -> str:
    """Return a page of three customers; the second one has so many levels."""
    rows = [
        {"id": f"cus_{place}", "object": "customer", "created": NOW - place, "livemode": False}
        for place in (1000, 1001, 1002)
    ]
    rows[1]["metadata"] = "deep"
    document = {"object": "list", "url": path, "has_more": False, "data": rows}
    return json.dumps(document).replace('"deep"', f'{{"a": {nested(levels)}, "b": "]}}\\""}}')


def depth(value: Any) -> int:
    """Return how many levels a value has."""
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        one, level = waiting.pop()
        if isinstance(one, dict | list):
            deepest = max(deepest, level)
            inner = one.values() if isinstance(one, dict) else one
            waiting.extend((item, level + 1) for item in inner)
    return deepest


def test_a_row_that_is_nested_too_deeply_does_not_affect_others(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """All rows are read with the first request, and the log names the row that was changed."""
    stripe.faults.add(Fault(match="/v1/customers", body=page(FAR_TOO_DEEP)))
    output = run(config_for(stripe), catalog=selecting("customers"))
    assert output.exit_code == 0
    first, second, third = output.records("customers")
    assert [one["id"] for one in (first, second, third)] == ["cus_1000", "cus_1001", "cus_1002"]
    assert second["metadata"]["b"] == ']}"'
    assert depth(second["metadata"]) <= MAX_DEPTH
    (line,) = (one.message for one in caplog.records if "levels deep" in one.message)
    assert line.startswith("customer cus_1001 has values")


@pytest.mark.parametrize("levels", [100, 800, 850, 900, 950, 975, 990, 1000, 1100, 3000, 20_000])
@pytest.mark.parametrize("settings", [{}, {"flattening_enabled": True, "flattening_max_depth": 3}])
def test_no_depth_ends_a_run(stripe: Simulator, levels: int, settings: dict[str, Any]) -> None:
    """Whatever can be decoded can be encoded, below, at and above the parser's limit."""
    stripe.faults.add(Fault(match="/v1/customers", body=page(levels)))
    output = run(config_for(stripe, **settings), catalog=selecting("customers"))
    assert output.counts == {"customers": 3}


def test_a_retrieved_object_can_be_nested_too_deeply(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """It is read like a row of a list, and named in the log."""
    account = stripe.world.platform
    account.create("customer", {"id": "cus_1"}, at=NOW - 10_000)
    state = run(config_for(stripe), catalog=selecting("customers")).state
    stripe.world.clock.advance(1000)
    account.update("customer", "cus_1", {"name": "N"})
    deep = {"id": "cus_1", "object": "customer", "created": NOW - 10_000, "metadata": "deep"}
    body = json.dumps(deep).replace('"deep"', f'{{"a": {nested(FAR_TOO_DEEP)}}}')
    stripe.faults.add(Fault(match="/v1/customers/cus_1", body=body))
    (record,) = run(config_for(stripe), state=state, catalog=selecting("customers")).records(
        "customers"
    )
    assert record["id"] == "cus_1"
    assert any(one.message.startswith("customer cus_1 has values") for one in caplog.records)


def test_a_document_within_the_limit_is_unchanged() -> None:
    """Up to the parser's limit, nothing is replaced."""
    text = nested(MAX_DEPTH * 3).encode()
    assert msgspec.json.encode(decode(text)) == text


@pytest.mark.parametrize("length", [10, 5000, -1])
def test_a_deep_document_that_is_cut_off_is_rejected(length: int) -> None:
    """It is requested again, not accepted."""
    with pytest.raises((ValueError, msgspec.DecodeError)):
        decode(page(FAR_TOO_DEEP).encode()[:length])


def test_a_deep_document_that_is_not_json_is_rejected(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only its own list fails."""
    monkeypatch.setattr(Client, "attempts", 1)
    stripe.world.platform.create("coupon", {"id": "C"})
    stripe.faults.add(Fault(match="/v1/customers", body=page(FAR_TOO_DEEP).replace(":", ";")))
    output = run(config_for(stripe), catalog=selecting("customers", "coupons"))
    assert output.exit_code == 1
    assert output.counts == {"coupons": 1}


def test_each_changed_row_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    """A page can have several such rows, and a row several such values."""
    deep = nested(FAR_TOO_DEEP)
    rows = ",".join(f'{{"object": "x", "id": "{name}", "a": {deep}, "b": {deep}}}' for name in "pq")
    with caplog.at_level(logging.WARNING):
        found = decode(f'{{"data": [{rows}, {{"id": "r"}}], "has_more": false}}'.encode())
    assert [row["id"] for row in found["data"]] == ["p", "q", "r"]
    assert [one.message.partition(" has values")[0] for one in caplog.records] == ["x p", "x q"]
