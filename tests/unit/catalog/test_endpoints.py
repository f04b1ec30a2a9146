"""The generated facts about lists and events: up to date, complete and consistent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts import generate_endpoints, stripe_events, stripe_package, stripe_services

if TYPE_CHECKING:
    from collections.abc import Iterator

CATALOG = Path(__file__).parents[3] / "tap_stripe_connect" / "catalog"
ENDPOINTS: dict[str, Any] = json.loads((CATALOG / "endpoints.json").read_bytes())
LISTS: dict[str, Any] = ENDPOINTS["lists"]
OBJECTS: dict[str, Any] = ENDPOINTS["objects"]
EVENTS: dict[str, list[str]] = json.loads((CATALOG / "event_types.json").read_bytes())

WORDS = {"array", "boolean", "hash", "integer", "number", "range", "string"}

SERVICES = """
class Thing:
    OBJECT_NAME: ClassVar[Literal["thing"]] = "thing"

class ThingListParams:
    created: NotRequired["ThingListParamsCreated|int"]
    kind: NotRequired["Literal['']|Literal['a', 'b']"]
    names: NotRequired[List[str]]
    owner: str
    part: NotRequired["ThingListParamsPart"]
    MORE: 1

class ThingListParamsCreated:
    gte: NotRequired[int]
    lt: NotRequired[int]

class ThingListParamsPart:
    small: NotRequired[bool]

class ThingService:
    def list(self, params: "ThingListParams") -> "ListObject[Thing]":
        return cast("ListObject[Thing]", self._request("get", "/v1/things", params=params))

    def search(self, params: "ThingListParams") -> "SearchResultObject[Thing]":
        return self._request("get", "/v1/things/search", params=params)

    def create(self, params: "ThingListParams") -> "Thing":
        return self._request("post", "/v1/things", params=params)

    def retrieve(self, id: str, params: Optional["ThingListParams"] = None) -> "Thing":
        return self._request("get", "/v1/things/{id}".format(id=id), params=params)
"""
"""A module like those of the `stripe` package."""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty package in place of Stripe's."""
    folder = tmp_path / "stripe"
    folder.mkdir()
    monkeypatch.setattr(stripe_services, "PACKAGE", folder)
    caches = (
        stripe_package.parsed,
        stripe_services.requests,
        stripe_services.lists,
        generate_endpoints.classes,
        generate_endpoints.paths_of,
    )
    for one in caches:
        one.cache_clear()
    # Modules are named as in an import.
    monkeypatch.setattr(
        stripe_package, "source", lambda name: folder / f"{name.removeprefix('stripe.')}.py"
    )
    yield folder
    for one in caches:
        one.cache_clear()


def test_the_files_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    """The lists and events match the installed Stripe package."""
    assert generate_endpoints.main(["--check"]) == 0, capsys.readouterr().out


def test_every_list_is_included() -> None:
    """There are 120 v1 lists, 23 of them nested, and 18 v2 lists; searches are not lists."""
    first = [path for path in LISTS if path.startswith("/v1/")]
    assert len(first) == 120
    assert sum("{" in path for path in first) == 23
    assert sum(path.startswith("/v2/") for path in LISTS) == 18
    assert not any(path.endswith("/search") for path in LISTS)


def test_every_listed_object_is_described() -> None:
    """All object types in lists and in nested lists are described."""
    listed = {name for facts in LISTS.values() for name in facts["objects"]}
    assert OBJECTS.keys() == listed
    for name in ("invoice", "subscription", "transfer", "credit_note"):
        for nested in OBJECTS[name]["nested"].values():
            assert listed.issuperset(nested["objects"])


def test_pagination_of_a_list() -> None:
    """Most lists accept both cursors and a limit; Stripe rejects what a few lack."""
    usual = ["starting_after", "ending_before", "limit", "expand"]
    assert LISTS["/v1/charges"]["takes"] == usual
    unusual = {
        path: facts.get("takes", [])
        for path, facts in LISTS.items()
        if path.startswith("/v1/") and facts.get("takes") != usual
    }
    assert unusual == {
        "/v1/accounts/{account}/capabilities": ["expand"],
        "/v1/payment_attempt_records": ["starting_after", "limit", "expand"],
        "/v1/reporting/report_types": ["expand"],
    }
    assert {tuple(facts["takes"]) for path, facts in LISTS.items() if path.startswith("/v2/")} == {
        ("limit",)
    }


def test_creation_time_filter_of_a_list() -> None:
    """A range in one parameter, bounds in several, or none."""
    assert LISTS["/v1/charges"]["created"] == "created"
    assert LISTS["/v1/payment_records"]["created"] == {
        "gt": "created_after",
        "lt": "created_before",
    }
    assert LISTS["/v2/commerce/product_catalog/imports"]["created"]["gte"] == "created_gte"
    assert "created" not in LISTS["/v1/payment_links"]
    assert sum("created" in facts for facts in LISTS.values()) == 61


def test_filters_of_a_list() -> None:
    """A filter has a type, the values of an enum, or the keys of a hash."""
    kinds = [kind for facts in LISTS.values() for kind in facts.get("filters", {}).values()]
    assert {kind for kind in kinds if isinstance(kind, str)} == WORDS - {"number"}
    assert LISTS["/v1/invoices"]["filters"]["due_date"] == "range"
    assert LISTS["/v1/subscriptions"]["filters"]["automatic_tax"] == {"enabled": "boolean"}
    assert "trialing" in LISTS["/v1/subscriptions"]["filters"]["status"]
    assert LISTS["/v1/issuing/tokens"]["required"] == ["card"]
    assert LISTS["/v2/core/event_destinations"]["include"] == ["webhook_endpoint.url"]
    assert LISTS["/v1/customers/{customer}/sources"]["objects"] == [
        *("account", "bank_account", "card", "source")
    ]


def test_retrieve_path_of_a_list() -> None:
    """Nearly all objects can be retrieved by id; three types cannot."""
    assert LISTS["/v1/charges"]["retrieve"] == "/v1/charges/{charge}"
    assert [path for path in LISTS if "{" not in path and "retrieve" not in LISTS[path]] == [
        "/v1/apps/secrets",
        "/v1/credit_notes/preview/lines",
        "/v1/setup_attempts",
    ]


def test_urls_of_nested_lists() -> None:
    """Nested in the path or filtered by the parent; and whether they have to be expanded."""
    found = {
        (name, path): nested
        for name, facts in OBJECTS.items()
        for path, nested in facts.get("nested", {}).items()
    }
    assert found["invoice", "lines"] == {
        "objects": ["line_item"],
        "expand": False,
        "parent_field": "invoice",
        "url": "/v1/invoices/{id}/lines",
    }
    assert found["charge", "refunds"] == {
        "objects": ["refund"],
        "expand": True,
        "parent_field": "charge",
        "url": "/v1/refunds?charge={id}",
    }
    assert found["application_fee", "refunds"]["parent_field"] == "fee"
    assert "parent_field" not in found["credit_note", "lines"]
    urls = {key: nested.get("url") for key, nested in found.items()}
    assert urls["subscription", "items"] == "/v1/subscription_items?subscription={id}"
    assert urls["credit_note", "lines"] == "/v1/credit_notes/{id}/lines"
    assert urls["transfer", "reversals"] == "/v1/transfers/{id}/reversals"
    assert (
        urls["treasury.transaction", "entries"]
        == "/v1/treasury/transaction_entries?financial_account={financial_account}&transaction={id}"
    )
    assert [key for key, url in urls.items() if not url] == [
        ("reporting.report_run", "result.links"),
        ("scheduled_query_run", "file.links"),
    ]


def test_missing_fields_of_an_object() -> None:
    """Most objects have an id, a creation time and a mode; some lack one."""
    assert "lacks" not in OBJECTS["charge"]
    assert OBJECTS["subscription_item"]["lacks"] == ["livemode"]
    assert OBJECTS["payment_link"]["lacks"] == ["created"]
    assert OBJECTS["line_item"]["lacks"] == ["created"]
    assert [name for name, facts in OBJECTS.items() if "id" in facts.get("lacks", ())] == []


def test_expandable_fields_of_an_object() -> None:
    """Paths lead to object types, no deeper than Stripe expands."""
    charge = OBJECTS["charge"]["expandable"]
    assert charge["customer"] == ["customer"]
    assert charge["payment_method_details.card.mandate"] == ["mandate"]
    assert OBJECTS["invoice"]["expandable"]["discounts[]"] == ["discount"]
    paths = [path for facts in OBJECTS.values() for path in facts.get("expandable", {})]
    assert max(path.count(".") for path in paths) < 4


def test_every_event_type_has_objects() -> None:
    """All 275 types name their objects, even if the name of the type does not."""
    assert len(EVENTS) == 275
    assert all(EVENTS.values())
    assert EVENTS["charge.dispute.created"] == ["dispute"]
    assert EVENTS["customer.subscription.deleted"] == ["subscription"]
    assert EVENTS["issuing_authorization.request"] == ["issuing.authorization"]
    assert EVENTS["account.external_account.deleted"] == ["bank_account", "card"]
    assert EVENTS["source.transaction.created"] == ["source_transaction"]


def test_reads_services_without_running_them(package: Path) -> None:
    """Paths, objects and parameter types come from the source text of a service."""
    (package / "_thing_service.py").write_text(SERVICES)
    (get,) = stripe_services.lists().values()
    assert generate_endpoints.list_facts(get) == {
        "objects": ["thing"],
        "retrieve": "/v1/things/{id}",
        "created": "created",
        "required": ["owner"],
        "filters": {
            "kind": ["a", "b"],
            "names": "array",
            "owner": "string",
            "part": {"small": "boolean"},
        },
    }


@pytest.mark.parametrize(
    "more", ["odd: NotRequired[Callable[[], str]]", "odd: NotRequired['int|bool']"]
)
def test_an_unknown_parameter_type_is_an_error(package: Path, more: str) -> None:
    """A new parameter type is an error, not a guess."""
    (package / "_thing_service.py").write_text(SERVICES.replace("MORE: 1", more))
    (get,) = stripe_services.lists().values()
    with pytest.raises(stripe_package.PackageError, match="no rule for a parameter"):
        generate_endpoints.list_facts(get)


def test_an_unknown_event_type_is_an_error() -> None:
    """An event type whose objects cannot be determined is an error."""
    with pytest.raises(stripe_package.PackageError, match=r"brand_new\.thing\.done"):
        stripe_events.subject("brand_new.thing.done", {})
