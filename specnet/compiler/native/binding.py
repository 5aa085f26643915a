"""A plan as one function of a compiled library, bound to its arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from specnet.compiler.backend import Array, Bound
from specnet.compiler.lowering import Plan
from specnet.compiler.native.allocate import Extent
from specnet.compiler.native.c_text.emit_function import PARAMETERS, Function, Source
from specnet.compiler.native.c_text.thread_team import before_calls
from specnet.compiler.native.toolchain.libraries import library
from specnet.compiler.native.toolchain.processors import Target, native_target
from specnet.compiler.shapes import ShapeError
from specnet.compiler.value import CONSTANT, INPUT, STATE

LIKELY = 256
"""The length of a named axis for which products are made."""
ALIGNMENT = 64
"""Bytes: a line of a processor's cache, and the longest vector."""


class CompiledPlan:
    """A plan's text and library, for any lengths of its named axes."""

    def __init__(self, plan: Plan, dtype: np.dtype[Any], target: Target) -> None:
        self.source = Source(dtype, target, dict.fromkeys(plan.axes, LIKELY))
        self.function = self.source.add(plan, "program")
        run = f"void run({PARAMETERS})\n{{\n  program(p, sizes, with_outputs);\n}}\n"
        self.text = self.source.text(run)
        self.library = library(self.text, ("run",), target)


_kept: WeakKeyDictionary[Plan, dict[tuple[str, str], CompiledPlan]] = WeakKeyDictionary()
"""What was compiled, as long as there is the plan."""


def _compiled(plan: Plan, dtype: np.dtype[Any], target: Target) -> CompiledPlan:
    mine, key = _kept.setdefault(plan, {}), (dtype.name, target.name)
    if key not in mine:  # made by several threads at once if need be: none waits for the plans of others
        mine.setdefault(key, CompiledPlan(plan, dtype, target))
    return mine[key]


def bind(
    plan: Plan, dtype: npt.DTypeLike, sizes: Mapping[str, int], arrays: Mapping[str, Array] | None = None
) -> Bound:
    """Bind a plan to arrays as every backend does; compiled on first use.

    Raises
    ------
    UnavailableError
        If no library can be made.
    """
    compiled = _compiled(plan, np.dtype(dtype), native_target())
    room = Room(compiled.source, sizes)
    leaves = leaf_arrays(compiled.function, room, arrays or {})
    workspace = room.aligned(compiled.function.extent)
    run = compiled.library["run"]
    run.argtypes, run.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int], None
    before = before_calls(compiled.library) if compiled.source.shares else None
    table = pointer_table(compiled.source, {"": workspace, **leaves})
    of_axes = (ctypes.c_int64 * len(compiled.source.axes))(*(sizes[axis] for axis in compiled.source.axes))
    by_operation = {
        operation: {str(call.attributes): leaves[call.attributes] for call in plan.calls if call.operation is operation}
        for operation in (INPUT, STATE)
    }
    kept = (table, of_axes, workspace, leaves)
    return Bound(
        run=_calling(run, table, of_axes, 1, before, kept),
        run_commits=_calling(run, table, of_axes, int(not plan.commits), before, kept),
        inputs=by_operation[INPUT],
        states=by_operation[STATE],
        outputs=[output_array(compiled.function, n, room, workspace, leaves) for n in plan.outputs],
    )


def _calling(
    run: Any, table: Any, sizes: Any, with_outputs: int, before: Callable[[], None] | None, kept: object
) -> Callable[[], None]:
    first, second = ctypes.addressof(table), ctypes.addressof(sizes)

    def call(run: Any = run, kept: object = kept) -> None:
        run(first, second, with_outputs)

    if before is None:
        return call

    def call_sharing(before: Callable[[], None] = before) -> None:
        before()
        call()

    return call_sharing


class Room:
    """Makes arrays for the lengths of named axes."""

    def __init__(self, source: Source, sizes: Mapping[str, int]) -> None:
        for axis in source.axes:
            if axis not in sizes:
                raise ShapeError(f"no size is given for the axis {axis!r}")
        self.dtype, self.sizes, self._numbers = source.dtype, sizes, source.vector_numbers
        self.padded = {axis: -(-sizes[axis] // self._numbers) * self._numbers for axis in source.axes}

    def shape(self, shape: tuple[int | str, ...]) -> tuple[int, ...]:
        return tuple(self.sizes[axis] if isinstance(axis, str) else axis for axis in shape)

    def leaf(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return zeros, behind which there is room for a vector."""
        count = int(np.prod(shape, dtype=np.int64))
        return _aligned(count + self._numbers, dtype)[:count].reshape(shape)

    def aligned(self, extent: Extent) -> Array:
        return _aligned(extent.at(self.padded) + self._numbers, self.dtype)


def _aligned(count: int, dtype: np.dtype[Any]) -> Array:
    raw = np.zeros(count * dtype.itemsize + ALIGNMENT, np.uint8)
    shift = -raw.ctypes.data % ALIGNMENT
    return raw[shift : shift + count * dtype.itemsize].view(dtype)


def leaf_arrays(function: Function, room: Room, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the array of each leaf: the given one, or a new one.

    Raises
    ------
    ValueError
        If a given one does not fit its leaf.
    """
    found: dict[str, Array] = {}
    for call in function.program.calls:
        if call.operation not in (INPUT, STATE) or call.attributes in found:
            continue
        kinds = {"float": room.dtype, "mask": np.dtype(bool), "index": np.dtype(np.int64)}
        shape, dtype = room.shape(call.shape), kinds[call.kind]
        given = arrays.get(call.attributes)
        if given is None:
            found[call.attributes] = room.leaf(shape, dtype)
            continue
        has_axis = call.operation is INPUT and any(isinstance(axis, str) for axis in call.shape)
        if given.dtype != dtype or given.shape != shape or not given.flags.c_contiguous or has_axis:
            wanted = "an array of its own" if has_axis else f"{dtype} of shape {shape}, C-contiguous"
            raise ValueError(f"{call.attributes} is {wanted}, not {given.dtype} of {given.shape}")
        found[call.attributes] = given
    return found


def pointer_table(source: Source, arrays: Mapping[str, Array]) -> Any:
    """Return the addresses of arrays, in the order of a text's table."""
    return (ctypes.c_void_p * len(source.table))(*(arrays[name].ctypes.data for name in source.table))


def output_array(function: Function, n: int, room: Room, workspace: Array, leaves: Mapping[str, Array]) -> Array:
    """Return the array in which an output is found."""
    program, places = function.program, function.places
    call, shape = program.calls[n], room.shape(program.calls[n].shape)
    if call.operation is CONSTANT:
        return np.array(call.attributes, room.dtype)
    offset, first = places.offset(n), places.first_row(n)
    if offset is None:
        whole = leaves[places.leaf(n)]
        return whole[first : first + shape[0]] if len(shape) == 2 else whole
    rows, columns = program.space(program.roots[n])
    length = room.padded[columns] if isinstance(columns, str) else columns
    start, count = offset.at(room.padded), room.shape((rows,))[0]
    cells = workspace[start : start + count * length]
    cells = cells.view(f"i{room.dtype.itemsize}") if call.kind == "index" else cells
    if len(shape) < 2:
        return cells[: shape[0]] if shape else cells[:1].reshape(())
    return cells.reshape(count, length)[first : first + shape[0], : shape[1]]
