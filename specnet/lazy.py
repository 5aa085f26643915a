"""Lazy imports for packages: a module is imported when one of its names is first used (PEP 562)."""

from __future__ import annotations

import sys
from importlib import import_module

# Defined here, because importing `typing` would take as long as importing all of `specnet`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def lazily(package: str, names: Mapping[str, str]) -> tuple[list[str], Callable[[str], Any]]:
    """Return the ``__all__`` and the ``__getattr__`` of a package with lazy imports.

    Parameters
    ----------
    package : str
        Name of the package.
    names : mapping
        Public names, separated by spaces, by the submodule that defines them. None of them may be the name of a
        submodule, because importing the submodule would overwrite it.
    """
    modules = {name: module for module, each in names.items() for name in each.split()}
    assert modules.keys().isdisjoint(module.partition(".")[0] for module in names), "a name is a module's"

    def find(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{modules[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return list(modules), find
