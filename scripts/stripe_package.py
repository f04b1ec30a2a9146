"""The typed classes of the `stripe` package, parsed without importing it.

Their annotations name types that exist only while type checking.
"""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


PLAIN = frozenset({"Any", "Decimal", "bool", "float", "int", "str"})
"""Names of types that are not classes of the package."""


class PackageError(Exception):
    """The `stripe` package has something that no rule covers."""


@dataclass(frozen=True)
class Class:
    """A class of the `stripe` package: a resource, or a class nested in one."""

    module: str
    definition: ast.ClassDef

    @property
    def is_resource(self) -> bool:
        """Whether its objects are not only parts of others."""
        return self.definition in parsed(self.module).classes.values()

    def named(self, name: str) -> Class:
        """Return the class that `name` refers to in this one's annotations."""
        module = parsed(self.module)
        for classes in (classes_in(self.definition), module.classes):
            if name in classes:
                return Class(self.module, classes[name])
        if name not in module.imports:
            raise PackageError(f"{self.module} uses a type that it does not name: {name}")
        return resource(*module.imports[name])

    def fields(self) -> list[Field]:
        """Return `id` and `object`, then the other fields in Stripe's order.

        Constants of the class are annotated too, but named in capitals.
        """
        body = self.definition.body
        found = []
        for statement, following in zip(body, [*body[1:], ast.Pass()], strict=True):
            match statement:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=type_) if name.islower():
                    found.append(Field(self, name, type_, docstring(following)))
        return sorted(found, key=lambda one: {"id": 0, "object": 1}.get(one.name, 2))


@dataclass(frozen=True)
class Field:
    """A field and its declaration."""

    owner: Class
    name: str
    type: ast.expr
    doc: str


@dataclass(frozen=True)
class Module:
    """A module's classes, and the sources of its imports, by name."""

    classes: Mapping[str, ast.ClassDef]
    imports: Mapping[str, tuple[str, str]]


def source(name: str) -> Path:
    """Return the file of a module."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise PackageError(f"there is no module {name}")
    return Path(spec.origin)


@cache
def parsed(name: str) -> Module:
    """Return a parsed module of the `stripe` package."""
    tree = ast.parse(source(name).read_text("utf-8"))
    # Those inside functions only avoid circles.
    conditional = [inner for one in tree.body if isinstance(one, ast.If) for inner in one.body]
    imports = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in [*tree.body, *conditional]
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    return Module(classes_in(tree), imports)


def classes_in(node: ast.Module | ast.ClassDef) -> dict[str, ast.ClassDef]:
    """Return the classes defined directly in a module or class, by name."""
    return {inner.name: inner for inner in node.body if isinstance(inner, ast.ClassDef)}


def resource(module: str, name: str) -> Class:
    """Return a resource by its module and name."""
    try:
        return Class(module, parsed(module).classes[name])
    except KeyError:
        raise PackageError(f"{module} defines no class {name}") from None


def docstring(statement: ast.stmt) -> str:
    """Return the text of a statement that is nothing else."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text
    return ""


def members(node: ast.expr) -> Sequence[ast.expr]:
    """Return the type arguments of a generic type."""
    return node.elts if isinstance(node, ast.Tuple) else [node]


def embedded(node: ast.expr, owner: Class) -> Iterator[Class]:
    """Yield the classes of objects, not only ids or lists, that a value of the type contains."""
    match node:
        case ast.Name(id=name) | ast.Constant(value=str(name)) if name not in PLAIN:
            yield owner.named(name)
        case ast.Subscript(value=ast.Name(id="List" | "Optional" | "Union"), slice=inner):
            for member in members(inner):
                yield from embedded(member, owner)


@cache
def reachable(start: Class) -> frozenset[Class]:
    """Return the classes of objects that can be nested in those of `start`, at any depth."""
    found: set[Class] = set()
    waiting = [start]
    while waiting:
        owner = waiting.pop()
        inside = {one for item in owner.fields() for one in embedded(item.type, owner)}
        waiting.extend(inside - found)
        found |= inside
    return frozenset(found)
