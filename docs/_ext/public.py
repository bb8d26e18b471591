"""What of the package is public, and where each name is at home.

A module is public if no part of its name begins with an underscore. A package that lists its names
in ``__all__`` has said what is public in it; of one that lists nothing, such as ``nn``, the modules
are public.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import sfmforensics

ROOT = "sfmforensics"
NOT_CALLED_FROM_PYTHON = {"cli"}


@dataclass(frozen=True)
class Name:
    """A public name: the module whose page lists it, and the one that its own page is of."""

    module: str
    name: str
    home: str
    thing: Any

    @property
    def full(self) -> str:
        """The name under which it is documented."""
        return f"{self.home}.{self.name}"

    @property
    def kind(self) -> str:
        """The directive of Sphinx that documents it."""
        if inspect.isclass(self.thing):
            return "exception" if issubclass(self.thing, Exception) else "class"
        return "function" if inspect.isroutine(self.thing) else "data"

    @property
    def doc(self) -> str:
        """What its docstring says, or the text below it where it is a value."""
        if self.kind == "data":
            return doc_of_value(self.home, self.name)
        return inspect.getdoc(self.thing) or ""


def public_modules() -> list[str]:
    """All modules that a user may import from, packages before what is in them."""
    found = [ROOT]
    for child in sorted(pkgutil.iter_modules(sfmforensics.__path__), key=lambda one: one.name):
        if child.name.startswith("_") or child.name in NOT_CALLED_FROM_PYTHON:
            continue
        module = importlib.import_module(f"{ROOT}.{child.name}")
        found.append(module.__name__)
        if child.ispkg and not hasattr(module, "__all__"):
            found += [
                f"{module.__name__}.{inner.name}"
                for inner in sorted(pkgutil.iter_modules(module.__path__), key=lambda one: one.name)
                if not inner.name.startswith("_")
            ]
    return found


def names_of(module: ModuleType) -> list[str]:
    """Names that a public module gives, ``__version__`` and its like aside."""
    names = getattr(module, "__all__", None)
    if names is None:
        names = [
            name
            for name, thing in vars(module).items()
            if not name.startswith("_")
            and (
                getattr(thing, "__module__", None) == module.__name__
                or _is_assigned(module.__name__, name)
            )
        ]
    return sorted((name for name in names if not name.startswith("_")), key=str.lower)


@cache
def public_names() -> list[Name]:
    """Every public name of every public module; one that is exported twice has one home."""
    homes: dict[tuple[str, int], str] = {}
    found = []
    for module in public_modules():
        here = importlib.import_module(module)
        for name in names_of(here):
            thing = getattr(here, name)
            if isinstance(thing, ModuleType):
                continue
            home = homes.setdefault((name, id(thing)), module)
            found.append(Name(module, name, home, thing))
    return found


@cache
def _tree(module: str) -> ast.Module:
    source = inspect.getsourcefile(importlib.import_module(module))
    assert source is not None
    return ast.parse(Path(source).read_text(encoding="utf-8"))


def _assigned(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _is_assigned(module: str, name: str) -> bool:
    return any(name in _assigned(node) for node in _tree(module).body)


def doc_of_value(module: str, name: str) -> str:
    """The string below an assignment, in the module where it stands."""
    body = _tree(module).body
    for place, node in enumerate(body):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return doc_of_value(node.module, alias.name)
        if name in _assigned(node) and place + 1 < len(body):
            after = body[place + 1]
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                return inspect.cleandoc(str(after.value.value))
    return ""


def members_of(kind: type) -> tuple[list[str], list[str]]:
    """Public methods and properties of a class: those of this package, and those from elsewhere."""
    ours, others = set(), set()
    for base in kind.__mro__[:-1]:
        for name, thing in vars(base).items():
            if name.startswith("_") or name in ours | others:
                continue
            # What properties and available_if wrap.
            thing = getattr(thing, "fget", None) or getattr(thing, "fn", thing)
            if not hasattr(thing, "__get__"):
                continue
            maker = getattr(thing, "__module__", None)
            maker = maker or getattr(getattr(kind, name), "__module__", None) or ""
            (ours if maker.partition(".")[0] == ROOT else others).add(name)
    return sorted(ours), sorted(others)
