"""The GET requests of the services of the `stripe` package, and their parameters."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache, cached_property, reduce
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import stripe

from scripts.stripe_package import Class, PackageError, members, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Kind: TypeAlias = "str | list[str] | dict[str, Kind]"
"""The kind of a parameter: a name, the choices of an enum, or the kinds of a hash's keys."""

PACKAGE = Path(stripe.__file__).parent
BOUNDS = ("gt", "gte", "lt", "lte")
WORDS = {"bool": "boolean", "float": "number", "int": "integer", "str": "string"}
GENERIC = {"Dict": "hash", "List": "array", "UntypedStripeObject": "hash"}
TELLING = frozenset({"array", "hash", "range"})
"""Kinds of parameters that also accept a simpler form."""


@dataclass(frozen=True)
class Get:
    """A GET request."""

    path: str
    """With ids in braces: `/v1/charges/{charge}`."""
    service: Class
    returns: ast.expr
    takes: ast.expr
    """The type of its parameters."""

    @property
    def items(self) -> ast.expr | None:
        """The type of the listed objects; None if it is not a list."""
        match self.returns:
            case ast.Subscript(value=ast.Name(id="ListObject"), slice=inner):
                return inner
        return None

    @cached_property
    def objects(self) -> list[str]:
        """The names of the objects that it lists."""
        return objects(self.items, self.service)

    @cached_property
    def types(self) -> Mapping[str, ast.expr]:
        """The types of its parameters, by name."""
        return {item.name: item.type for item in self._parameters().fields()}

    @cached_property
    def parameters(self) -> Mapping[str, Kind]:
        """The kinds of its parameters, by name."""
        owner = self._parameters()
        return {name: kind(type_, owner) for name, type_ in self.types.items()}

    @property
    def required(self) -> list[str]:
        """The required parameters."""
        return [name for name, type_ in self.types.items() if not left_out(type_)]

    def _parameters(self) -> Class:
        for node in ast.walk(self.takes):
            match node:
                case ast.Name(id=name) | ast.Constant(value=str(name)) if name != "Optional":
                    return self.service.named(name)
        raise PackageError(f"{self.path}: no rule for parameters of {ast.unparse(self.takes)}")


@cache
def requests() -> tuple[Get, ...]:
    """Return all GET requests, by path."""
    found = []
    for file in PACKAGE.rglob("_*_service.py"):
        module = ".".join(["stripe", *file.relative_to(PACKAGE).with_suffix("").parts])
        for definition in parsed(module).classes.values():
            service = Class(module, definition)
            methods = (one for one in definition.body if isinstance(one, ast.FunctionDef))
            found += [get for method in methods for get in gets(method, service)]
    return tuple(sorted(found, key=lambda get: get.path))


@cache
def lists() -> Mapping[str, Get]:
    """Return the list requests, without searches, by path."""
    return {get.path: get for get in requests() if get.items}


def gets(method: ast.FunctionDef, service: Class) -> Iterator[Get]:
    """Yield the GET request of a service's method, if any."""
    for call in ast.walk(method):
        match call:
            case ast.Call(
                func=ast.Attribute(attr="_request"), args=[ast.Constant(value="get"), path, *_]
            ):
                (takes,) = (one.annotation for one in method.args.args if one.arg == "params")
                yield Get(template(path), service, typed(method.returns), typed(takes))


def template(node: ast.expr) -> str:
    """Return the template of a path."""
    match node:
        case ast.Constant(value=str(path)):
            return path
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(path)), attr="format")):
            return path
    raise PackageError(f"no rule for the path {ast.unparse(node)}")


def typed(node: ast.expr | None) -> ast.expr:
    """Return an annotation, parsed if it is a string."""
    match node:
        case None:
            raise PackageError("a service's method has no annotation")
        case ast.Constant(value=str(text)):
            return ast.parse(text, mode="eval").body
    return node


def left_out(node: ast.expr) -> bool:
    """Return whether a parameter of this type is optional."""
    match node:
        case ast.Subscript(value=ast.Name(id="NotRequired")):
            return True
    return False


def kind(node: ast.expr, owner: Class) -> Kind:
    """Return the kind of a parameter, from its type."""
    match typed(node):
        case ast.Name(id=name):
            return WORDS.get(name) or hash_kind(owner.named(name))
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            return [str(ast.literal_eval(one)) for one in members(inner)]
        case ast.Subscript(value=ast.Name(id="NotRequired" | "Union"), slice=inner):
            return reduce(union, (kind(one, owner) for one in members(inner)))
        case ast.Subscript(value=ast.Name(id=generic)) if generic in GENERIC:
            return GENERIC[generic]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return union(kind(left, owner), kind(right, owner))
    raise PackageError(f"no rule for a parameter of the type {ast.unparse(node)}")


def hash_kind(keys: Class) -> Kind:
    """Return the kinds of a hash's keys, or `range` if they are bounds."""
    kinds = {item.name: kind(item.type, keys) for item in keys.fields()}
    return "range" if kinds.keys() <= set(BOUNDS) else kinds


def union(one: Kind, other: Kind) -> Kind:
    """Return the more specific kind: choices also accept any text, and ranges a single time."""
    for first, second in ((one, other), (other, one)):
        if first == [""]:  # unsets the parameter
            return second
        if not isinstance(first, str) or first in TELLING:
            return first
    raise PackageError(f"no rule for a parameter that is either {one} or {other}")


def object_name(owner: Class) -> str:
    """Return the `object` field of a class's objects, or None for parts."""
    for statement in owner.definition.body:
        match statement:
            case ast.AnnAssign(
                target=ast.Name(id="OBJECT_NAME"), value=ast.Constant(value=str(name))
            ):
                return name
    return ""


def objects(node: ast.expr | None, owner: Class) -> list[str]:
    """Return the names of the objects of a type."""
    node = typed(node)
    if isinstance(node, ast.Subscript):  # a union
        return sorted({name for one in members(node.slice) for name in objects(one, owner)})
    if not isinstance(node, ast.Name):
        raise PackageError(f"no rule for objects of the type {ast.unparse(node)}")
    name = object_name(owner.named(node.id))
    return [name] if name else []
