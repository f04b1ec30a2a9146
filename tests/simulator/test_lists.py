"""Stripe's list endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from tap_stripe_connect.simulator.server import Simulator
    from tap_stripe_connect.simulator.world import World


def customers(world: World, *created: int) -> None:
    """Add a customer for each moment, in this order: cus_0, cus_1 and so on."""
    for number, moment in enumerate(created):
        world.platform.insert({"id": f"cus_{number}", "object": "customer", "created": moment})


def ids(answer: Response) -> list[str]:
    """Return the ids on a page."""
    return [item["id"] for item in answer.json()["data"]]


def error_of(answer: Response) -> tuple[int, str | None, str | None]:
    """Return status, code and parameter of an error."""
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    return answer.status_code, error.get("code"), error.get("param")


def test_a_list_is_newest_first_and_ten_long(world: World, get: Callable[..., Response]) -> None:
    """Objects come by `created`, of one second the last stored first, ten unless asked."""
    customers(world, 10, 30, 20, 20, *range(31, 39))
    answer = get("/v1/customers")
    assert ids(answer) == [f"cus_{n}" for n in (11, 10, 9, 8, 7, 6, 5, 4, 1, 3)]
    assert answer.json()["object"] == "list"
    assert answer.json()["url"] == "/v1/customers"
    assert answer.json()["has_more"] is True
    assert ids(get("/v1/customers?limit=100"))[-2:] == ["cus_2", "cus_0"]


def test_a_walk_sees_every_object_once(world: World, get: Callable[..., Response]) -> None:
    """Following `starting_after` ends with all, also when many share a second."""
    customers(world, *(moment // 7 for moment in range(95)))
    seen: list[str] = []
    cursor = ""
    for has_more in (*[True] * 9, False):
        answer = get(f"/v1/customers?limit=10{cursor}")
        assert answer.json()["has_more"] is has_more
        seen += ids(answer)
        cursor = f"&starting_after={seen[-1]}"
    assert len(seen) == len(set(seen)) == 95


def test_a_list_can_be_out_of_order_by_seconds(world: World, get: Callable[..., Response]) -> None:
    """Ranges still mean `created`, and a walk sees every object once; only the order is off."""
    customers(world, *range(100, 160))
    world.platform.disorder(3)
    seen: list[str] = []
    cursor = ""
    for _ in range(7):
        seen += ids(get(f"/v1/customers?created[gte]=110&created[lt]=150&limit=6{cursor}"))
        cursor = f"&starting_after={seen[-1]}"
    numbers = [int(name.removeprefix("cus_")) for name in seen]
    assert sorted(numbers) == list(range(10, 50))
    assert numbers != sorted(numbers, reverse=True)
    for place, number in enumerate(sorted(numbers, reverse=True)):
        assert abs(numbers.index(number) - place) <= 6


def test_ending_before_walks_towards_the_newer(world: World, get: Callable[..., Response]) -> None:
    """The page holds the neighbours of the cursor, and `has_more` speaks of the newer."""
    customers(world, *range(1, 7))
    answer = get("/v1/customers?limit=2&ending_before=cus_1")
    assert ids(answer) == ["cus_3", "cus_2"]
    assert answer.json()["has_more"] is True
    assert get("/v1/customers?ending_before=cus_1").json()["has_more"] is False


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("created=20", ["cus_2", "cus_1"]),
        ("created[gte]=20&created[lt]=30", ["cus_2", "cus_1"]),
        ("created[gt]=20", ["cus_3"]),
        ("created[lte]=20", ["cus_2", "cus_1", "cus_0"]),
        ("created%5Bgt%5D=10&created%5Blte%5D=20&limit=1", ["cus_2"]),
        ("created[gte]=31", []),
    ],
)
def test_created_narrows_a_list(
    world: World, get: Callable[..., Response], query: str, expected: list[str]
) -> None:
    """`gt` and `lt` leave the second out, `gte` and `lte` take it in, a bare number is it."""
    customers(world, 10, 20, 20, 30)
    assert ids(get(f"/v1/customers?{query}")) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=0", (400, "parameter_invalid_integer", "limit")),
        ("limit=101", (400, "parameter_invalid_integer", "limit")),
        ("limit=ten", (400, "parameter_invalid_integer", "limit")),
        ("limit=", (400, "parameter_invalid_empty", "limit")),
        ("limit=٣", (400, "parameter_invalid_integer", "limit")),
        ("created[gte]=NaN", (400, "parameter_invalid_integer", "created[gte]")),
        ("created[after]=1", (400, "parameter_unknown", "created[after]")),
        ("created[]=1", (400, None, "created")),
        ("created=1&created[lt]=2", (400, None, "created")),
        ("updated[gte]=1", (400, "parameter_unknown", "updated[gte]")),
        ("starting_after=cus_9", (400, "resource_missing", "starting_after")),
        ("ending_before=cus_9", (400, "resource_missing", "ending_before")),
        ("starting_after=cus_0&created[gt]=10", (400, "resource_missing", "starting_after")),
        ("starting_after=cus_0&ending_before=cus_1", (400, "parameters_exclusive", None)),
        ("starting_after[]=cus_0", (400, None, "starting_after")),
        ("expand=data.sources", (400, None, "expand")),
        ("expand[]=data.nothing", (400, None, "expand")),
        ("a[b][c]=1", (400, "parameter_unknown", "a[b][c]")),
        ("[]=1", (400, "parameter_unknown", "[]")),
    ],
)
def test_parameters_are_checked(
    world: World,
    get: Callable[..., Response],
    query: str,
    expected: tuple[int, str | None, str | None],
) -> None:
    """Unknown, malformed and contradictory parameters get Stripe's errors."""
    customers(world, 10, 20)
    assert error_of(get(f"/v1/customers?{query}")) == expected


def test_a_cursor_must_still_be_listed(world: World, get: Callable[..., Response]) -> None:
    """A cursor that was deleted, or that no longer passes the filter, is an error."""
    customers(world, 10, 20)
    world.platform.delete("customer", "cus_1")
    assert error_of(get("/v1/customers?starting_after=cus_1"))[1] == "resource_missing"
    world.platform.create("subscription", {"id": "sub_1", "status": "active"})
    assert get("/v1/subscriptions?starting_after=sub_1").status_code == 200
    world.platform.delete("subscription", "sub_1")
    assert error_of(get("/v1/subscriptions?starting_after=sub_1"))[1] == "resource_missing"
    assert get("/v1/subscriptions?starting_after=sub_1&status=all").status_code == 200


def test_ended_subscriptions_are_hidden(world: World, get: Callable[..., Response]) -> None:
    """Without `status` a list omits ended subscriptions; `all` and `ended` include them."""
    statuses = ("active", "canceled", "incomplete_expired", "past_due", "trialing")
    for moment, status in enumerate(statuses):
        world.platform.create("subscription", {"id": status, "status": status}, at=moment)
    assert ids(get("/v1/subscriptions")) == ["trialing", "past_due", "active"]
    assert len(ids(get("/v1/subscriptions?status=all"))) == 5
    assert ids(get("/v1/subscriptions?status=ended")) == ["incomplete_expired", "canceled"]
    assert ids(get("/v1/subscriptions?status=past_due")) == ["past_due"]
    assert error_of(get("/v1/subscriptions?status=over")) == (400, None, "status")


def test_objects_on_a_test_clock_are_hidden(world: World, get: Callable[..., Response]) -> None:
    """Such customers and subscriptions are listed for their clock only, or by customer."""
    for clock in ("clock_1", "clock_2", None):
        world.platform.create("customer", {"id": f"cus_{clock}", "test_clock": clock})
        fields = {"id": f"sub_{clock}", "test_clock": clock, "customer": f"cus_{clock}"}
        world.platform.create("subscription", fields)
    assert ids(get("/v1/customers")) == ["cus_None"]
    assert ids(get("/v1/customers?test_clock=clock_1")) == ["cus_clock_1"]
    assert ids(get("/v1/subscriptions")) == ["sub_None"]
    assert ids(get("/v1/subscriptions?customer=cus_clock_2")) == ["sub_clock_2"]


FILTERED: list[tuple[str, dict[str, Any], str]] = [
    ("charge", {"customer": "cus_1"}, "customer=cus_1"),
    ("charge", {"payment_intent": "pi_1"}, "payment_intent=pi_1"),
    ("customer", {"email": "a@example.com"}, "email=a%40example.com"),
    ("invoice", {"status": "open"}, "status=open"),
    ("invoice", {"due_date": 50}, "due_date[lte]=50"),
    ("invoice", {"collection_method": "send_invoice"}, "collection_method=send_invoice"),
    (
        "invoice",
        {"parent": {"subscription_details": {"subscription": "sub_1"}}},
        "subscription=sub_1",
    ),
    ("plan", {"active": False}, "active=false"),
    ("plan", {"product": "prod_1"}, "product=prod_1"),
    ("subscription", {"items": [{"id": "si_1", "price": {"id": "p_1"}}]}, "price=p_1"),
    ("subscription", {"items": [{"id": "si_1", "plan": {"id": "p_1"}}]}, "plan=p_1"),
    (
        "subscription",
        {"items": [{"id": n, "current_period_end": n} for n in (7, 9)]},
        "current_period_end=9",
    ),
    ("subscription", {"automatic_tax": {"enabled": True}}, "automatic_tax[enabled]=true"),
]


@pytest.mark.parametrize(("object_", "fields", "query"), FILTERED)
def test_filters_find_what_matches(
    world: World,
    get: Callable[..., Response],
    object_: str,
    fields: dict[str, Any],
    query: str,
) -> None:
    """A filter lists the object that has the value and not the one without."""
    world.platform.create(object_, {"id": "without"})
    world.platform.create(object_, {"id": "with"} | fields)
    assert ids(get(f"/v1/{object_}s?{query}")) == ["with"]


@pytest.mark.parametrize("count_", [0, 3, 10, 11, 25])
def test_nested_lists_are_cut_at_ten(
    world: World, get: Callable[..., Response], count_: int
) -> None:
    """A parent holds ten items and says whether there are more; its `url` pages through all."""
    every = [f"i{number}" for number in range(count_)]
    world.platform.create("invoice", {"id": "in_1", "lines": [{"id": one} for one in every]})
    world.platform.create("subscription", {"id": "sub_1", "items": [{"id": o} for o in every]})
    for listed, field in (("/v1/invoices", "lines"), ("/v1/subscriptions", "items")):
        nested = get(listed).json()["data"][0][field]
        assert [item["id"] for item in nested["data"]] == every[:10]
        assert nested["has_more"] is (count_ > 10)
        url = nested["url"] + ("&" if "?" in nested["url"] else "?")
        assert ids(get(f"{url}limit=100")) == every
        if count_ > 10:
            rest = get(f"{url}limit=10&starting_after={every[9]}")
            assert ids(rest) == every[10:20]
            assert rest.json()["has_more"] is (count_ > 20)
            assert ids(get(f"{url}limit=4&ending_before={every[9]}")) == every[5:9]
    assert world.platform.get("invoice", "in_1") is not None


def test_nested_lists_are_as_strict_as_others(world: World, get: Callable[..., Response]) -> None:
    """Their parent must be named and exist, their cursor be one of the items."""
    world.platform.create("invoice", {"id": "in_1", "lines": [{"id": "il_1"}]})
    lines, items = "/v1/invoices/in_1/lines", "/v1/subscription_items"
    assert error_of(get(f"{lines}?starting_after=il_2")) == (
        400,
        "resource_missing",
        "starting_after",
    )
    assert error_of(get(f"{lines}?created=1")) == (400, "parameter_unknown", "created")
    assert error_of(get("/v1/invoices/in_2/lines")) == (404, "resource_missing", "id")
    assert error_of(get(items)) == (400, "parameter_missing", "subscription")
    assert error_of(get(f"{items}?subscription=x")) == (400, "resource_missing", "subscription")


def test_expand_puts_the_object_in_the_place_of_its_id(
    world: World, get: Callable[..., Response]
) -> None:
    """Ids of objects the simulator has can be expanded, up to four levels deep."""
    world.platform.create("customer", {"id": "cus_1", "email": "a@example.com"})
    world.platform.create("invoice", {"id": "in_1", "customer": "cus_1"})
    world.platform.create("subscription", {"id": "sub_1", "latest_invoice": "in_1"})
    path = "latest_invoice.customer"
    one = get(f"/v1/subscriptions/sub_1?expand[]={path}").json()
    assert one["latest_invoice"]["customer"]["email"] == "a@example.com"
    listed = get(f"/v1/subscriptions?expand[]=data.{path}").json()["data"][0]
    assert listed == one
    assert get("/v1/subscriptions/sub_1").json()["latest_invoice"] == "in_1"
    assert error_of(get("/v1/subscriptions?expand[]=customer")) == (400, None, "expand")
    deep = get("/v1/invoices?expand[]=data.a.b.c.d")
    assert "more than 4 levels" in deep.json()["error"]["message"]


def test_one_object_is_found_by_its_id(world: World, get: Callable[..., Response]) -> None:
    """Ids chosen by users are found however the URL writes them; others are 404."""
    world.platform.create("coupon", {"id": "50% off/now"})
    assert get("/v1/coupons/50%25%20off%2Fnow").json()["id"] == "50% off/now"
    missing = get("/v1/coupons/none")
    assert error_of(missing) == (404, "resource_missing", "id")
    assert missing.json()["error"]["message"] == "No such coupon: 'none'"


def test_what_is_not_there_is_unrecognized(
    simulator: Simulator, get: Callable[..., Response]
) -> None:
    """Unknown paths, and anything but reading, are 404 with Stripe's messages."""
    for path in ("/", "/v1", "/v1/", "/v1/customers/", "/v1/nothing", "/v2/core/events", "//v1"):
        answer = get(path)
        assert answer.status_code == 404, path
        assert "Unrecognized request URL (GET: " in answer.json()["error"]["message"]
    posted = requests.post(f"{simulator.url}/v1/customers", timeout=120)
    assert posted.status_code == 404
