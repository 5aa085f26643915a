"""A plan on real arrays: every call bound to its operands and its result, ready to be made again and again."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from specnet.compiler.backend import Array, BoundPlan
from specnet.compiler.lowering import Plan
from specnet.compiler.numpy.calls import COMPLEX_RENDERINGS, RENDERINGS, BoundCall, Site, concatenation_slots, copy
from specnet.compiler.numpy.storage import Storage, allocate
from specnet.compiler.operations.pieces import CONCATENATE
from specnet.compiler.shapes import ShapeError
from specnet.compiler.value import CONSTANT, INPUT, STATE, MissingRuleError, Operation


@dataclass(frozen=True, slots=True)
class BoundCalls(BoundPlan):
    """A program as calls of NumPy.

    Attributes
    ----------
    calls
        What `run` calls, in order.
    """

    calls: tuple[BoundCall, ...]


def bind(
    plan: Plan,
    dtype: npt.DTypeLike,
    sizes: Mapping[str, int],
    arrays: Mapping[str, Array] | None = None,
    *,
    check: bool = False,
    reuse: bool = True,
) -> BoundCalls:
    """Bind a plan to arrays as every backend does; the complex step in complex128 too.

    With `check` it asserts of each call that no storage is written while it is read, except element by element, and
    fills scratch with NaN, which shows a read before the first write. `reuse` is that of `allocate`.
    """
    binder = _Binder(plan, np.dtype(dtype), sizes, arrays or {}, check, reuse)
    steps = {n: binder.steps(n) for n, call in enumerate(plan.calls) if call.operation.role == "call"}
    late = binder.late_commits()
    calls = (*(step for n in steps for step in steps[n]), *late)
    needed = (*(step for n in steps if n not in plan.for_outputs_only for step in steps[n]), *late)
    return BoundCalls(
        run=partial(_run, calls),
        run_commits=partial(_run, needed),
        inputs=binder.leaves(INPUT),
        states=binder.leaves(STATE),
        outputs=[binder.view(n) for n in plan.outputs],
        calls=calls,
    )


def _run(calls: tuple[BoundCall, ...]) -> None:
    for call in calls:
        call()


class _Binder:
    def __init__(
        self,
        plan: Plan,
        dtype: np.dtype[Any],
        sizes: Mapping[str, int],
        arrays: Mapping[str, Array],
        check: bool,
        reuse: bool,
    ) -> None:
        self.plan, self.sizes, self.arrays, self.check = plan, sizes, arrays, check
        self.types = {"float": dtype, "mask": np.dtype(bool), "index": np.dtype(np.intp)}
        self.renderings = COMPLEX_RENDERINGS if dtype.kind == "c" else RENDERINGS
        self.slots, self.storages = allocate(plan, reuse=reuse)
        self.buffers = [self.buffer(storage) for storage in self.storages]
        self.extra: dict[Hashable, Array] = {}

    def buffer(self, storage: Storage) -> Array:
        """The array of a storage: a constant's, the given one, or a new one."""
        dtype, shape = self.types[storage.kind], self.sized(storage.shape)
        call = None if storage.leaf is None else self.plan.calls[storage.leaf]
        if call is not None and call.operation is CONSTANT:
            return np.array(call.attributes, dtype)
        with_ones = (shape[0] + 1, *shape[1:]) if len(shape) == 2 else shape
        if call is not None and call.attributes in self.arrays:
            made = self.arrays[str(call.attributes)]
            if made.dtype != dtype or made.shape not in (shape, with_ones if call.operation is INPUT else shape):
                raise ValueError(f"{call.attributes} is {dtype} of shape {shape}, not {made.dtype} of {made.shape}")
        else:
            made = np.zeros(with_ones if storage.ones_row else shape, dtype)
            if self.check and call is None and storage.kind == "float":
                made.fill(np.nan)
        if made.shape != shape:
            made[-1] = 1
        return made

    def sized(self, shape: tuple[int | str, ...]) -> tuple[int, ...]:
        unknown = [axis for axis in shape if isinstance(axis, str) and axis not in self.sizes]
        if unknown:
            raise ShapeError(f"no size is given for the axis {unknown[0]!r}")
        return tuple(self.sizes[axis] if isinstance(axis, str) else axis for axis in shape)

    def leaves(self, operation: Operation) -> dict[str, Array]:
        """The arrays of all inputs, or of all states, by name."""
        return {call.attributes: self.view(n) for n, call in enumerate(self.plan.calls) if call.operation is operation}

    def late_commits(self) -> list[BoundCall]:
        """The copies that end a run: other commits are written in place."""
        late = [pair for pair in self.plan.commits if self.slots[pair[0]] != self.slots[pair[1]]]
        return [copy(self.view(state), self.view(value)) for state, value in late]

    def view(self, n: int, with_ones: bool = False) -> Array:
        """The array of a value; with its row of ones below it, if that is asked for and there."""
        (storage, first_row), shape = self.slots[n], self.plan.calls[n].shape
        buffer = self.buffers[storage]
        if len(shape) < 2 or (with_ones and shape == self.storages[storage].shape):
            return buffer
        return buffer[first_row : first_row + self.sized(shape)[0]]

    def temporary(self, shape: tuple[int, ...], dtype: np.dtype[Any], k: int) -> Array:
        """An array for use within one instruction, shared by all of them."""
        return self.shared((shape, dtype, k), lambda: np.empty(shape, dtype))

    def filled(self, shape: tuple[int, ...], number: Array) -> Array:
        """An array full of a constant, shared by all instructions."""
        return self.shared((shape, float(number).hex()), lambda: np.full(shape, number))

    def shared(self, key: Hashable, make: Callable[[], Array]) -> Array:
        if key not in self.extra:
            self.extra[key] = make()
        return self.extra[key]

    def steps(self, n: int) -> list[BoundCall]:
        """The bound calls that do one instruction."""
        call = self.plan.calls[n]
        if call.operation not in self.renderings:
            raise MissingRuleError(f"{call.operation.name} has no form in NumPy")
        out = self.view(n)
        operands = [self.view(a, k == call.operation.ones_operand) for k, a in enumerate(call.arguments)]
        if self.check:
            self.check_overlaps(n, out, operands)
        constant = tuple(self.plan.calls[argument].operation is CONSTANT for argument in call.arguments)
        return self.renderings[call.operation](Site(call, constant, self.temporary, self.filled), out, *operands)

    def check_overlaps(self, n: int, out: Array, operands: list[Array]) -> None:
        """Assert that the call writes nothing that it reads, except each element after its last use."""
        operation = self.plan.calls[n].operation
        if operation is CONCATENATE:
            slots = concatenation_slots(out, operands)
            written = [slot for slot, piece in zip(slots, operands, strict=True) if _position(slot) != _position(piece)]
            overlap = any(np.shares_memory(slot, piece) for slot in written for piece in operands)
        else:
            exact = [k in operation.overwrites and _position(a) == _position(out) for k, a in enumerate(operands)]
            overlap = any(np.shares_memory(a, out) for a, fits in zip(operands, exact, strict=True) if not fits)
        assert not overlap, self.plan.formula(n)


def _position(array: Array) -> tuple[object, ...]:
    return array.ctypes.data, array.shape, array.strides, array.dtype
