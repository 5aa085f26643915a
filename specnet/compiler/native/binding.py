"""From a plan to a function of a compiled library, bound to its arrays."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from specnet.compiler.lowering import Array, Backend, BoundPlan, Call, Plan
from specnet.compiler.native.c_text.emit_function import PARAMETERS, CFunction, CText
from specnet.compiler.native.c_text.thread_pool import before_calls
from specnet.compiler.native.toolchain.libraries import LoadedLibrary, library
from specnet.compiler.native.toolchain.processors import Processor, native_processor
from specnet.compiler.value import CONSTANT, INPUT, STATE, Shape, ShapeError

LIKELY = 256
"""The usual length of a named axis, for which matrix products are optimized."""
ALIGNMENT = 64
"""Alignment of arrays in bytes: the size of a cache line, and of the longest vector."""


_compiled_plans: WeakKeyDictionary[Plan, dict[tuple[str, str], tuple[CText, LoadedLibrary]]] = WeakKeyDictionary()
"""The C code and the library of each plan by dtype and processor, as long as the plan exists."""


def _compiled(plan: Plan, dtype: np.dtype[Any], target: Processor) -> tuple[CText, LoadedLibrary]:
    """Return the C code and the library of a plan, for any lengths of its named axes."""
    mine, key = _compiled_plans.setdefault(plan, {}), (dtype.name, target.name)
    if key not in mine:  # several threads may compile at the same time: none waits for another
        source = CText(dtype, target, dict.fromkeys(plan.axes, LIKELY))
        source.add(plan, "program")
        run = f"void run({PARAMETERS})\n{{\n  program(p, sizes, with_outputs);\n}}\n"
        mine.setdefault(key, (source, library(source.text(run), ("run",), target)))
    return mine[key]


def bind(
    plan: Plan, dtype: npt.DTypeLike, sizes: Mapping[str, int], arrays: Mapping[str, Array] | None = None
) -> BoundPlan:
    """Bind a plan to arrays, as described at `Backend.bind`; it is compiled on first use.

    Raises
    ------
    UnavailableError
        If the library cannot be compiled or loaded.
    """
    source, made = _compiled(plan, np.dtype(dtype), native_processor())
    bound_arrays = BoundArrays(source, sizes, arrays or {})
    run = function_of(source, made, "run", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
    inputs, states = (
        {call.attributes: bound_arrays.leaves[call.attributes] for call in plan.calls if call.operation is operation}
        for operation in (INPUT, STATE)
    )
    outputs = [bound_arrays.output(source.functions[0], n) for n in plan.outputs]
    of_all, of_commits = (partial(run, *bound_arrays.pointers, flag) for flag in (1, int(not plan.commits)))
    return BoundPlan(of_all, of_commits, inputs, states, outputs)


def function_of(
    source: CText, made: LoadedLibrary, name: str, *takes: type[Any], gives: type[Any] | None = None
) -> Callable[..., Any]:
    """Return a function of a library; if it shares work, the number of threads is updated before each call."""
    found: Callable[..., Any] = made.function(name, *takes, gives=gives)
    return partial(_call_sharing, before_calls(made), found) if source.shares else found


def _call_sharing(before: Callable[[], None], run: Callable[..., Any], *arguments: object) -> Any:
    before()
    return run(*arguments)


class BoundArrays:
    """The arrays of C functions that share their leaves and their workspace, for given lengths of the named axes.

    Parameters
    ----------
    source
        The C code of the functions.
    sizes
        The length of each named axis.
    given
        Arrays by the names of leaves; missing ones are created, with zeros.
    rows
        Arrays that are not leaves, by their names in the table.

    Attributes
    ----------
    leaves
        The array of each leaf by its name.
    pointers
        The first two arguments of each function: the table of the arrays' addresses, and the lengths of the axes.

    Raises
    ------
    ValueError
        If a given array does not fit its leaf.
    """

    def __init__(
        self, source: CText, sizes: Mapping[str, int], given: Mapping[str, Array], rows: Mapping[str, Array] = {}
    ) -> None:
        for axis in source.axes:
            if axis not in sizes:
                raise ShapeError(f"no size is given for the axis {axis!r}")
        self._dtype, self._sizes, self._numbers = source.dtype, sizes, source.vector_numbers
        self._padded = {axis: -(-sizes[axis] // self._numbers) * self._numbers for axis in source.axes}
        self.leaves: dict[str, Array] = {}
        for call in (call for function in source.functions for call in function.plan.calls):
            if call.operation in (INPUT, STATE) and call.attributes not in self.leaves:
                self.leaves[call.attributes] = self._leaf(call, given.get(call.attributes))
        needed = max(function.extent.at(self._padded) for function in source.functions)
        self._workspace = _aligned(needed + self._numbers, self._dtype)
        arrays: Mapping[str, Array] = {"": self._workspace, **self.leaves, **rows}
        table: Any = (ctypes.c_void_p * len(source.table))(*(arrays[name].ctypes.data for name in source.table))
        table.arrays = arrays  # so that they exist as long as the table
        lengths = (ctypes.c_int64 * len(source.axes))(*(sizes[axis] for axis in source.axes))
        self.pointers = table, lengths

    def shape(self, shape: Shape) -> tuple[int, ...]:
        """Return a shape with the lengths of named axes."""
        return tuple(self._sizes[axis] if isinstance(axis, str) else axis for axis in shape)

    def _leaf(self, call: Call, given: Array | None) -> Array:
        """Return the given array of a leaf after checking it, or zeros with memory for one more vector behind them."""
        kinds = {"float": self._dtype, "mask": np.dtype(bool), "index": np.dtype(np.int64)}
        shape, dtype = self.shape(call.shape), kinds[call.kind]
        if given is None:
            count = math.prod(shape)
            return _aligned(count + self._numbers, dtype)[:count].reshape(shape)
        has_axis = call.operation is INPUT and any(isinstance(axis, str) for axis in call.shape)
        if given.dtype != dtype or given.shape != shape or not given.flags.c_contiguous or has_axis:
            expected = "an array of its own" if has_axis else f"{dtype} of shape {shape}, C-contiguous"
            raise ValueError(f"{call.attributes} is {expected}, not {given.dtype} of {given.shape}")
        return given

    def output(self, function: CFunction, n: int) -> Array:
        """Return the array of an output."""
        plan, allocation = function.plan, function.allocation
        call, shape = plan.calls[n], self.shape(plan.calls[n].shape)
        if call.operation is CONSTANT:
            return np.array(call.attributes, self._dtype)
        offset, first = allocation.offset(n), allocation.first_row(n)
        if offset is None:
            whole = self.leaves[allocation.leaf(n)]
            return whole[first : first + shape[0]] if len(shape) == 2 else whole
        rows, columns = self.shape(plan.space(n))
        length = self._padded.get(str(plan.space(n)[1]), columns)
        start = offset.at(self._padded) + first * length
        cells = self._workspace[start : start + rows * length].reshape(rows, length)
        cells = cells.view(f"i{self._dtype.itemsize}") if call.kind == "index" else cells
        return cells[:, :columns].reshape(shape)


def _aligned(count: int, dtype: np.dtype[Any]) -> Array:
    raw = np.zeros(count * dtype.itemsize + ALIGNMENT, np.uint8)
    shift = -raw.ctypes.data % ALIGNMENT
    return raw[shift : shift + count * dtype.itemsize].view(dtype)


NATIVE = Backend({}, bind)
"""The backend that compiles plans; it supports every built-in operation."""
