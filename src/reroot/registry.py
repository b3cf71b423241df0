"""
Find the one constant that every file of a package defines.

No list to keep and no order to mind: a file is in the package, or it is not.
A file that does not import, or defines something else, is an error, never a variant quietly missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import TypeVar

Thing = TypeVar("Thing")


def names(path: Iterable[str]) -> tuple[str, ...]:
    """The modules of a package that define a variant, without importing them."""
    return tuple(sorted(m.name for m in iter_modules(path) if not m.name.startswith("_")))


def find(package: str, path: Iterable[str], constant: str, kind: type[Thing]) -> Mapping[str, Thing]:
    """Map the name of each module of *package* to the *constant* it defines."""
    return MappingProxyType({name: load(package, name, constant, kind) for name in names(path)})


def load(package: str, name: str, constant: str, kind: type[Thing]) -> Thing:
    """The *constant* that the module *name* of *package* defines."""
    thing = getattr(import_module(f"{package}.{name}"), constant, None)
    if not isinstance(thing, kind):
        raise TypeError(f"{package}.{name}.{constant} is not a {kind.__name__}")
    return thing
