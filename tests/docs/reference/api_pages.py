"""A page for each group of public names, from their docstrings."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import specnet
from specnet import parts, testing


class Group(NamedTuple):
    """Names that belong together, and from where they are imported."""

    title: str
    about: str
    module: str
    names: tuple[str, ...]


def _written_by_authors(kind: str) -> tuple[str, ...]:
    """Return the names of `specnet.parts` that are of a kind: functions, classes, or types of fields."""
    public = {name: value for name, value in vars(parts).items() if name[0] != "_" and not inspect.ismodule(value)}
    return tuple(name for name, value in public.items() if _kind(value) == kind)


def _kind(value: Any) -> str:
    return "function" if inspect.isfunction(value) else "class" if inspect.isclass(value) else "type"


_WRITTEN = tomllib.loads(Path(__file__).with_name("written.toml").read_text("utf-8"))["groups"]
GROUPS = {
    page: Group(group["title"], group["about"], "specnet", tuple(group["names"].split()))
    for page, group in _WRITTEN.items()
}
_ERRORS = tuple(name for name in specnet.__all__ if name.endswith(("Error", "Warning")))
GROUPS |= {
    "errors": Group("Errors", "All errors are subclasses of `SpecnetError`.", "specnet", _ERRORS),
    "parts": Group(
        *("Base classes of parts", "A part is a subclass of one of these."),
        *("specnet.parts", _written_by_authors("class")),
    ),
    "operations": Group(
        *("Operations on symbolic arrays", "What expressions of parts are written in, beside operators."),
        *("specnet.parts", _written_by_authors("function")),
    ),
    "testing": Group("Checks of parts", "Test a part.", "specnet.testing", tuple(testing.__all__)),
}
"""The pages of the Python API, by their names."""


def api_pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each page, the index first."""
    lines = ["# Python API", "", "All public names, by purpose.", ""]
    for page, group in GROUPS.items():
        names = ", ".join(f"`{name}`" for name in group.names)
        lines += [f"[{group.title}]({page}.md)", f": {group.about} {names}", ""]
    fields = ", ".join(f"`{name}`" for name in _written_by_authors("type"))
    lines += [f"`specnet.parts` also has the types of fields and the names of axes: {fields}.", ""]
    yield "api/index", "\n".join([*lines, "```{toctree}", ":hidden:", *GROUPS, "```", ""])
    for page, group in GROUPS.items():
        yield f"api/{page}", "\n".join(_page(group))


def members(value: Any) -> list[str]:
    """Return the public methods and properties that a class defines itself."""
    if not inspect.isclass(value):
        return []
    own = {name: each for name, each in vars(value).items() if name[0] != "_" and not name.startswith("model_")}
    kinds = (property, classmethod, staticmethod)
    # `available_if` of scikit-learn, for methods that depend on parameters, has the function as `fn`.
    functions = [name for name, each in own.items() if inspect.isfunction(getattr(each, "fn", each))]
    return [name for name in own if name in functions or isinstance(own[name], kinds)]


def _page(group: Group) -> Iterator[str]:
    yield from [f"# {group.title}", "", f"{group.about} Import from `{group.module}`.", ""]
    for name in group.names:
        value = getattr(import_module(group.module), name)
        directive = "autoclass" if inspect.isclass(value) else "autofunction"
        yield from [f"## `{name}`", "", "```{eval-rst}", f".. {directive}:: {group.module}.{name}"]
        own = [each for each in members(value) if inspect.getdoc(getattr(value, each))]
        yield from [f"   :members: {', '.join(own)}"] if own else []
        yield from ["```", ""]
