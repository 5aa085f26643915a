"""Errors in parts from other packages: the error names the part that failed and its package."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from specnet.compiler import Shape, ShapeError, Value
from specnet.errors import PartError, SpecnetError
from specnet.parts.part import Part, parts_within
from specnet.parts.registry import installed_registry, origin

Answer = TypeVar("Answer")


def ask(part: Part, method: Callable[..., Answer], *arguments: Any) -> Answer:
    """Call a method of a part and return its result.

    Raises
    ------
    PartError
        If the method of a part from another package raises any error.
    """
    try:
        return method(*arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # includes SystemExit, which would end a command without a message
        if isinstance(error, SpecnetError) or not _is_foreign(type(part)):
            raise
        raise part_error(type(part), error) from error


def ask_value(part: Part, shape: Shape, method: Callable[..., Value], *arguments: Any) -> Value:
    """Call a method of a part, as `ask` does, and return its symbolic value, which must have this shape."""

    def shaped() -> Value:
        value = method(*arguments)
        if not isinstance(value, Value) or value.shape != shape:
            raise ShapeError(f"expected a value of shape {shape}, got {value!r}")
        return value

    return ask(part, shaped)


def part_error(part: type[Part], error: BaseException) -> PartError:
    """Return a PartError that names a part and the error that it raised."""
    whose = f"{part.kind} {part.part_name()} ({part.__module__}.{part.__qualname__}, of {origin(part)})"
    return PartError(
        f"{whose} failed: {type(error).__name__}: {error}",
        hint=f"check the part with `specnet.testing`, or report this to the authors of {origin(part)}",
    )


def part_behind(error: BaseException) -> type[Part] | None:
    """Return the installed part from another package in whose module an error was raised, or None."""
    modules = {part.__module__: part for part in installed_registry() if _is_foreign(part)}
    frames = [frame.f_globals.get("__name__") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return next((modules[name] for name in reversed(frames) if name in modules), None)


def foreign_parts(section: Any) -> Iterator[Part]:
    """Yield the parts from other packages in a section of a spec, at any depth."""
    yield from (part for part in parts_within(section) if _is_foreign(type(part)))


def _is_foreign(part: type[Part]) -> bool:
    return origin(part) != "built-in"
