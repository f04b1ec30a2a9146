"""The objects of Stripe's events, from the `stripe` package."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from stripe._object_classes import OBJECT_CLASSES

from scripts.stripe_package import Class, PackageError, members, parsed, resource
from scripts.stripe_services import PACKAGE, objects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOT_NAMED: Mapping[str, list[str]] = {
    "account.application": ["application"],
    "account.external_account": ["bank_account", "card"],
    "billing.alert.triggered": ["billing.alert_triggered"],
    "customer.source": ["account", "bank_account", "card", "source"],
    "source.mandate_notification": ["source_mandate_notification"],
    "source.transaction": ["source_transaction"],
}
"""Event types or families whose objects are missing or wrong in the package."""


def event_types() -> dict[str, list[str]]:
    """Return the kinds of objects of each type of event."""
    (declared,) = (one for one in resource("stripe._event", "Event").fields() if one.name == "type")
    if not isinstance(declared.type, ast.Subscript):
        raise PackageError("the types of events are not listed any more")
    told = dict(thin_events())
    return {
        name: subject(name, told) for name in map(ast.literal_eval, members(declared.type.slice))
    }


def subject(name: str, told: Mapping[str, list[str]]) -> list[str]:
    """Return the kinds of objects of an event.

    Thin events of the same name have a class that says so; else the type begins with the name of
    the object.
    """
    families = [name]
    while "." in families[-1]:
        families.append(families[-1].rpartition(".")[0])
    for family in families:
        if family in NOT_NAMED:
            return NOT_NAMED[family]
    if name in told:
        return told[name]
    for family in families:
        if family in OBJECT_CLASSES:
            return [family]
    raise PackageError(f"{name}: no rule for what this event is about")


def thin_events() -> Iterator[tuple[str, list[str]]]:
    """Yield the types of thin events, named like other events, and their objects."""
    for file in PACKAGE.glob("events/_v1_*_event.py"):
        module = f"stripe.events.{file.stem}"
        for definition in parsed(module).classes.values():
            name = ""
            for statement in definition.body:
                match statement:
                    case ast.Assign(
                        targets=[ast.Name(id="LOOKUP_TYPE")], value=ast.Constant(value=str(text))
                    ):
                        name = text.removeprefix("v1.")
                    case ast.FunctionDef(name="fetch_related_object", returns=returns) if name:
                        yield name, objects(returns, Class(module, definition))
