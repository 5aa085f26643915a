"""Which parts a spec can name. A registry is a value: adding parts gives another one, and nothing is global."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module
from inspect import get_annotations
from types import ModuleType
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, simplefilter, warn

from specnet.errors import DataError
from specnet.parts.part import Part

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

PLUGINS = "specnet.parts"
"""The group of entry points under which other distributions offer parts; a point is named as its part."""

BUILT_IN = (
    *("activations", "averaging", "data", "initializers", "layers", "losses", "metrics", "optimizers"),
    *("preprocessing", "searches", "schedules"),
)


class Registry:
    """Parts by kind and by name or alias.

    Parameters
    ----------
    parts : iterable of part classes
        In the order in which a catalogue shows them.
    broken : mapping
        Names that no spec may use, and why: plugins that could not be loaded, or whose name is taken.

    Raises
    ------
    DataError
        If two parts of one kind share a name or an alias.
    """

    def __init__(self, parts: Iterable[type[Part]], broken: Mapping[str, str] | None = None) -> None:
        self.broken = dict(broken or {})
        self._parts = tuple(parts)
        self._by_name: dict[tuple[str, str], type[Part]] = {}
        for part in self._parts:
            for name in (part.part_name(), *part.aliases):
                other = self._by_name.setdefault((part.kind, name), part)
                if other is not part:
                    raise DataError(f'duplicate {part.kind} "{name}": {part.__qualname__} and {other.__qualname__}')

    def __iter__(self) -> Iterator[type[Part]]:
        return iter(self._parts)

    def find(self, kind: str, name: Any) -> type[Part] | None:
        """Return the part of that kind which has this name or alias, or None."""
        return self._by_name.get((kind, name)) if isinstance(name, str) else None

    def of_kind(self, kind: str) -> tuple[type[Part], ...]:
        """Return the parts of a kind."""
        return tuple(part for part in self._parts if part.kind == kind)

    def names(self, kind: str) -> tuple[str, ...]:
        """Return the names and aliases of a kind's parts, names first."""
        parts = self.of_kind(kind)
        return (*(part.part_name() for part in parts), *(alias for part in parts for alias in part.aliases))

    def with_parts(self, parts: Iterable[type[Part]]) -> Registry:
        """Return a registry that also has these parts; those that it has already stay single."""
        every = dict.fromkeys((*self._parts, *parts))
        return self if len(every) == len(self._parts) else Registry(every, self.broken)


def parts_of(module: ModuleType) -> tuple[type[Part], ...]:
    """Return the parts that a module defines, in its order: the classes below a kind that have a name of their own."""
    return tuple(
        item
        for item in vars(module).values()
        if isinstance(item, type)
        and issubclass(item, Part)
        and item.__module__.startswith(module.__name__)
        and "type" in get_annotations(item)
    )


@cache
def built_in_registry() -> Registry:
    """Return the parts that specnet brings, loaded on the first call."""
    return Registry(part for name in BUILT_IN for part in parts_of(import_module(f"specnet.parts.{name}")))


@cache
def installed_registry() -> Registry:
    """Return the parts that specnet and its plugins bring, loaded and found on the first call.

    A plugin that fails to load, that no schema can describe, or whose name is taken, is left out with a warning that
    names it. Ctrl-C while one loads is Ctrl-C.
    """
    from importlib.metadata import entry_points

    registry, broken = built_in_registry(), {}
    for point in entry_points(group=PLUGINS):
        try:
            registry = registry.with_parts([_plugin(point)])
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a SystemExit at import would end whatever asked for a part
            problem = error.diagnostics[0].message if isinstance(error, DataError) else None
            broken[point.name] = problem or f"{type(error).__name__}: {error}"
            package = f" of {_package(point)}" if point.dist else ""
            warn(f'ignoring the plugin "{point.name}" ({point.value}){package}: {broken[point.name]}', stacklevel=2)
    return Registry(registry, broken)


def origin(part: type[Part]) -> str:
    """Return where a part comes from: ``built-in``, a distribution and its version, or the module of its class."""
    from importlib.metadata import entry_points

    module = part.__module__
    if module.partition(".")[0] == "specnet":
        return "built-in"
    for point in entry_points(group=PLUGINS):
        if point.name == part.part_name() and point.attr == part.__qualname__ and point.dist:
            return _package(point)
    return module


def _package(point: EntryPoint) -> str:
    assert point.dist is not None, "asked where it is known"
    return f"{point.dist.name} {point.dist.version}"


def _plugin(point: EntryPoint) -> type[Part]:
    # Standard output is for what a command was asked for.
    with redirect_stdout(sys.stderr):
        part = point.load()
        if not (isinstance(part, type) and issubclass(part, Part)):
            raise DataError("it is not a part")
        if part.part_name() != point.name:
            raise DataError(f'its part has another name, "{part.part_name()}"')
        kinds = {known.kind for known in built_in_registry()}
        if getattr(part, "kind", None) not in kinds:
            raise DataError(f"unknown kind; expected {', '.join(sorted(kinds))}")
        if not isinstance(part.aliases, tuple) or not all(isinstance(alias, str) for alias in part.aliases):
            raise DataError("its aliases must be a tuple of strings")
        _check_description(part)
    return part


def _check_description(part: type[Part]) -> None:
    """Refuse a part that the catalogue and the JSON Schema could not show, and a resolved spec not say."""
    try:
        with catch_warnings():
            simplefilter("error")  # pydantic leaves out a default that is no JSON
            json.dumps(part.model_json_schema(), allow_nan=False)
    except Exception as error:
        raise DataError(f"its fields cannot be described in JSON: {error}") from error
