"""Registries of the parts that a spec can name. A registry is immutable: adding parts returns another registry.

A `PartKind` reads a part from a document: a field for a part contains its name, or a table with its fields.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module
from inspect import get_annotations
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self, TypeGuard, cast
from warnings import catch_warnings, simplefilter, warn

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from specnet.errors import DataError
from specnet.parts.part import Part, class_name

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


PLUGINS = "specnet.parts"
"""The group of entry points for parts of other distributions; an entry point has the name of its part."""

BUILT_IN = {
    "activation": "activations",
    "averaging": "averaging",
    "data": "data",
    "initializer": "initializers",
    "layer": "layers",
    "loss": "losses",
    "metric": "metrics",
    "optimizer": "optimizers",
    "preprocessing": "preprocessing",
    "pruner": "searches",
    "sampler": "searches",
    "schedule": "schedules",
}
"""The module or package with the built-in parts of each kind, in the order of the catalogue."""


class Registry:
    """Parts by kind and by name or alias.

    Parameters
    ----------
    parts : iterable of part classes
        Parts in the order of a catalogue.
    broken : mapping
        Names that no spec may use, with the reason: plugins that cannot be loaded, or whose name is taken.
    built_in : bool
        Whether the built-in parts come before them; each is imported when it is first found.

    Attributes
    ----------
    added : tuple of part classes
        Parts that are not built-in.

    Raises
    ------
    DataError
        If two parts of one kind share a name or an alias.
    """

    def __init__(
        self, parts: Iterable[type[Part]], broken: Mapping[str, str] | None = None, *, built_in: bool = False
    ) -> None:
        self.broken = dict(broken or {})
        self.added, self._built_in = tuple(parts), built_in
        self._named: dict[str, dict[str, type[Part]]] = {}
        for kind in dict.fromkeys(part.kind for part in self.added):
            named = self._named[kind] = {}
            for part in self.of_kind(kind):
                for name in _names(part):
                    other = named.setdefault(name, part)
                    if other is not part:
                        raise DataError(f'duplicate {kind} "{name}": {part.__qualname__} and {other.__qualname__}')

    def __iter__(self) -> Iterator[type[Part]]:
        if self._built_in:
            yield from (part for kind in BUILT_IN for part in _built_in(kind))
        yield from self.added

    def find(self, kind: str, name: Any) -> type[Part] | None:
        """Return the part of a kind with this name or alias, or None."""
        if not isinstance(name, str):
            return None
        if self._built_in and kind in BUILT_IN:
            # Nearly all parts are found by the name of their class, without importing the others of their kind.
            module = _module(kind)
            found: Any = getattr(module, class_name(name), None)
            part: type[Part] | None = found if _is_part_of(module, found) else None
            if part is not None and (part.kind, part.part_name()) == (kind, name):
                return part
            if kind not in self._named:
                return next((part for part in parts_of(module) if part.kind == kind and name in _names(part)), None)
        return self._named[kind].get(name) if kind in self._named else None

    def of_kind(self, kind: str) -> tuple[type[Part], ...]:
        """Return the parts of a kind."""
        own = _built_in(kind) if self._built_in and kind in BUILT_IN else ()
        return (*own, *(part for part in self.added if part.kind == kind))

    def names(self, kind: str) -> tuple[str, ...]:
        """Return the names and aliases of a kind's parts, names first."""
        parts = self.of_kind(kind)
        return (*(part.part_name() for part in parts), *(alias for part in parts for alias in part.aliases))

    def with_parts(self, parts: Iterable[type[Part]]) -> Registry:
        """Return a registry with further parts; parts that it already has are not repeated."""
        if parts is self:
            return self
        more = [part for part in dict.fromkeys(parts) if self.find(part.kind, part.part_name()) is not part]
        return Registry((*self.added, *more), self.broken, built_in=self._built_in) if more else self

    def with_broken(self, broken: Mapping[str, str]) -> Registry:
        """Return a registry of the same parts, with the names that no spec may use, and the reasons."""
        return Registry(self.added, broken, built_in=self._built_in)


@cache
def _module(kind: str) -> ModuleType:
    return import_module(f"specnet.parts.{BUILT_IN[kind]}")


def _is_part_of(module: ModuleType, item: Any) -> TypeGuard[type[Part]]:
    return (
        isinstance(item, type)
        and issubclass(item, Part)
        and item.__module__.startswith(module.__name__)
        and _has_a_type(item)
    )


@cache
def _has_a_type(part: type[Part]) -> bool:
    """Return whether a class itself declares `type`; cached, as `get_annotations` takes long."""
    return "type" in get_annotations(part)


def _names(part: type[Part]) -> tuple[str, ...]:
    return part.part_name(), *part.aliases


def parts_of(module: ModuleType) -> Iterator[type[Part]]:
    """Yield the parts that a module defines, in order: the subclasses of a kind that declare `type`."""
    items = (getattr(module, name) for name in [*getattr(module, "__all__", vars(module))])
    yield from (item for item in items if _is_part_of(module, item))


@cache
def _built_in(kind: str) -> tuple[type[Part], ...]:
    return tuple(part for part in parts_of(_module(kind)) if part.kind == kind)


@cache
def built_in_registry() -> Registry:
    """Return a registry of the built-in parts, which are imported on first use."""
    return Registry((), built_in=True)


@cache
def installed_registry() -> Registry:
    """Return a registry of the built-in parts and the parts of plugins, which are loaded on the first call.

    A plugin is left out, with a warning that names it, if it fails to load, no schema can describe it, or its name is
    taken. Ctrl-C during loading is not caught.
    """
    from importlib.metadata import entry_points

    registry, broken = built_in_registry(), {}
    for point in entry_points(group=PLUGINS):
        try:
            registry = registry.with_parts([_plugin(point)])
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # includes SystemExit, which would end the caller
            problem = error.diagnostics[0].message if isinstance(error, DataError) else None
            broken[point.name] = problem or f"{type(error).__name__}: {error}"
            package = f" of {_package(point)}" if point.dist else ""
            warn(f'ignoring the plugin "{point.name}" ({point.value}){package}: {broken[point.name]}', stacklevel=2)
    return registry.with_broken(broken) if broken else registry


def origin(part: type[Part]) -> str:
    """Return the origin of a part: ``built-in``, a distribution and its version, or the module of its class."""
    from importlib.metadata import entry_points

    module = part.__module__
    if module.partition(".")[0] == "specnet":
        return "built-in"
    for point in entry_points(group=PLUGINS):
        if point.name == part.part_name() and point.attr == part.__qualname__ and point.dist:
            return _package(point)
    return module


def _package(point: EntryPoint) -> str:
    assert point.dist is not None, "called where it is known"
    return f"{point.dist.name} {point.dist.version}"


def _plugin(point: EntryPoint) -> type[Part]:
    # Standard output is for the result of a command.
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
    """Raise an error if JSON Schema cannot describe the fields of a part."""
    try:
        with catch_warnings():
            simplefilter("error")  # pydantic only warns of a default that is not JSON
            json.dumps(part.model_json_schema(), allow_nan=False)
    except Exception as error:
        raise DataError(f"its fields cannot be described in JSON: {error}") from error


KIND_KEY = "x-kind"
"""The key that pydantic's schema has for a part; the spec's schema replaces it by a reference."""


def registry_of(info: ValidationInfo) -> Registry:
    """Return the registry in a validation's context; without one, the registry of built-in and installed parts."""
    registry: Registry = (info.context or {}).get("registry") or installed_registry()
    return registry


class PartKind(Part):
    """The base class of the kinds of parts.

    A direct subclass is a *kind* (activation, layer, loss, …) and sets `kind`.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if "kind" not in cls.__dict__:
            return handler(source)
        # One plain validator and no union: a union would report an error for each of its members.
        return core_schema.with_info_plain_validator_function(
            cls.read, serialization=core_schema.plain_serializer_function_ser_schema(cls.dump, info_arg=True)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        if "kind" not in cls.__dict__:
            return handler(schema)
        return {KIND_KEY: cls.kind}

    @classmethod
    def read(cls, value: Any, info: ValidationInfo) -> Self:
        """Return a part of this kind, given its name or a table with ``type`` and fields.

        Without a registry in the validation's context, the built-in and installed parts are available.
        """
        if isinstance(value, cls):
            return value
        registry = registry_of(info)
        fields = {"type": value} if isinstance(value, str) else value
        if not isinstance(fields, Mapping):
            raise PydanticCustomError("wrong-type", "expected a name or a table with type", {"kind": cls.kind})
        if "type" not in fields:
            raise PydanticCustomError("missing-key", "missing key type", {"kind": cls.kind})
        part = registry.find(cls.kind, fields["type"])
        if part is None or fields["type"] in registry.broken:
            raise PydanticCustomError("unknown-part", "unknown part", {"kind": cls.kind, "name": fields["type"]})
        # A registry's parts of a kind are of the kind's base class.
        return cast(Self, part.model_validate({**fields, "type": part.part_name()}, context={"registry": registry}))
