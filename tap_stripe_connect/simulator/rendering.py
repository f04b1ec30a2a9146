"""How stored documents look over HTTP: nested lists cut, fields expanded."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from tap_stripe_connect.catalog import LISTED, nested_in
from tap_stripe_connect.simulator.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EMBEDDED = 10
"""How many items of a nested list Stripe sends inside its parent."""
EXPANSION_DEPTH = 4

NESTED_URL: Mapping[str, str] = MappingProxyType(
    {
        "invoice_line_items": "/v1/invoices/{id}/lines",
        "subscription_items": "/v1/subscription_items?subscription={id}",
    }
)
NESTED_LISTS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        listed.object: tuple(
            (nested.list_field, NESTED_URL[nested.name]) for nested in nested_in(listed.name)
        )
        for listed in LISTED.values()
    }
)
"""Of each object, the fields that hold nested lists, and where the rest of their items is."""

EXPANDABLE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "charge": {"customer": "customer"},
        "invoice": {
            "customer": "customer",
            "parent.subscription_details.subscription": "subscription",
        },
        "line_item": {"subscription": "subscription"},
        "subscription": {"customer": "customer", "latest_invoice": "invoice"},
    }
)
"""Of each object, the fields that hold ids of objects the simulator has."""


INCLUDABLE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "coupon": frozenset({"applies_to", "currency_options"}),
        "customer": frozenset({"cash_balance", "invoice_credit_balance", "tax"}),
        "invoice": frozenset({"confirmation_secret"}),
        "plan": frozenset({"tiers"}),
        "price": frozenset({"currency_options", "tiers"}),
    }
)
"""Of each object, the fields that are only shown to those who expand them."""


def encode(document: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return the JSON of a document, whole and as Stripe shows it to those who expand nothing."""
    whole = dict(document)
    cut = _unexpanded(document)
    for field, template in NESTED_LISTS.get(document["object"], ()):
        held = document.get(field)
        if not isinstance(held, dict):
            continue
        items = held.get("data") or []
        shown = [_unexpanded(item) for item in items[:EMBEDDED]]
        url = template.format(id=document.get("id", "upcoming"))
        whole[field] = {"object": "list", "data": items, "has_more": False, "url": url}
        cut[field] = whole[field] | {"data": shown, "has_more": len(items) > EMBEDDED}
    encoded = msgspec.json.encode(whole)
    return encoded, encoded if cut == whole else msgspec.json.encode(cut)


def _unexpanded(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object less what is only shown to those who expand it, in its parts, too."""
    hidden = INCLUDABLE.get(document.get("object", ""), frozenset())
    shown = {name: value for name, value in document.items() if name not in hidden}
    for name in ("plan", "price"):
        if isinstance(part := shown.get(name), dict):
            shown[name] = _unexpanded(part)
    return shown


def check_expansion(object_: str, path: str, prefix: str) -> None:
    """Refuse what cannot be expanded; in lists, paths start with the prefix `data.`."""
    if path.count(".") >= EXPANSION_DEPTH:
        raise Refusal(
            400,
            f"You cannot expand more than {EXPANSION_DEPTH} levels of a property. Property: {path}",
            param="expand",
        )
    if not path.startswith(prefix):
        raise _not_expandable(path)
    rest: str | None = path.removeprefix(prefix)
    while rest is not None and rest not in INCLUDABLE.get(object_, ()):
        step = _step(object_, rest)
        if step is None:
            raise _not_expandable(path)
        _, object_, rest = step


def expand(
    document: dict[str, Any], path: str, find: Callable[[str, str], dict[str, Any] | None]
) -> None:
    """Put what `find` returns, whole, for an object's name and an id in the place of its id."""
    object_ = document["object"]
    if path in INCLUDABLE.get(object_, ()):
        whole = find(object_, document["id"]) or {}
        document.update({path: whole[path]} if path in whole else {})
        return
    found = _step(object_, path)
    if found is None:
        return
    field, target, rest = found
    *way, last = field.split(".")
    holder: Any = document
    for step in way:
        holder = holder.get(step) if isinstance(holder, dict) else None
    held = holder.get(last) if isinstance(holder, dict) else None
    if isinstance(held, str):
        held = holder[last] = find(target, held) or held
    if rest is not None and isinstance(held, dict) and "deleted" not in held:
        expand(held, rest, find)


def _step(object_: str, path: str) -> tuple[str, str, str | None] | None:
    """Return the field that a path starts with, what object it leads to, and the rest."""
    for field, target in EXPANDABLE.get(object_, {}).items():
        if path == field:
            return field, target, None
        if path.startswith(f"{field}."):
            return field, target, path[len(field) + 1 :]
    return None


def _not_expandable(path: str) -> Refusal:
    return Refusal(400, f"This property cannot be expanded ({path}).", param="expand")
