"""From a plan to NumPy calls bound to the arrays of their operands and results, which can be repeated.

`allocate` assigns the values to storages in one scan over the calls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from specnet.compiler.lowering import Array, BoundPlan, Plan
from specnet.compiler.numpy.calls import COMPLEX_RENDERINGS, RENDERINGS, BoundCall, Site, concatenation_slots, copy
from specnet.compiler.operations import CONCATENATE, row_bounds
from specnet.compiler.value import CONSTANT, INPUT, STATE, Kind, MissingRuleError, Operation, Shape, ShapeError


class Slot(NamedTuple):
    """The position of a value: a storage (or, while planning, another value), and its first row there."""

    storage: int
    first_row: int


class Storage(NamedTuple):
    """An array that is created, or given by the caller, when a plan is bound.

    Attributes
    ----------
    shape, kind
        Shape and kind of its values.
    leaf
        Number of the leaf that it belongs to; None for scratch, which several values use one after the other.
    ones_row
        Whether it has an additional last row of ones, for a dense layer's bias. This row is never overwritten.
    """

    shape: Shape
    kind: Kind
    leaf: int | None
    ones_row: bool = False


class Lifetimes:
    """The values of a plan that are parts of other values, and the last call that reads each storage."""

    def __init__(self, plan: Plan) -> None:
        self.calls, self.commits = plan.calls, plan.commits
        operands = [(call.arguments, call.operation.ones_operand) for call in self.calls]
        self.fed = {arguments[k] for arguments, k in operands if k is not None}
        self.inside = _views_and_pieces(plan, plan.retained | self.fed)
        self.slots = [self._slot(n) for n in range(len(self.calls))]
        self.root = [slot.storage for slot in self.slots]
        groups = [() if call.operation.role == "view" else (n,) for n, call in enumerate(self.calls)]
        self.last = plan.last_reads(groups, self.root)

    def _slot(self, n: int) -> Slot:
        """Return the value whose storage a value uses (itself if it has its own), and its first row there."""
        first_row = 0
        while n in self.inside:
            n, offset = self.inside[n]
            first_row += offset
        return Slot(n, first_row)


def _views_and_pieces(plan: Plan, fixed: set[int]) -> dict[int, Slot]:
    """Return the slots of views in their operands, and of pieces in their concatenations.

    A piece that is retained, or feeds a dense layer (with a row of ones below it), has its own storage.
    """
    calls, inside = plan.calls, dict[int, Slot]()
    for n, call in enumerate(calls):
        if call.operation.role == "view":
            inside[n] = Slot(call.arguments[0], call.attributes[0])
        if call.operation is CONCATENATE:
            bounds = row_bounds([calls[a].shape for a in call.arguments])
            for a, (first_row, _) in zip(call.arguments, bounds, strict=True):
                free = a not in fixed and a not in inside and call.arguments.count(a) == 1
                if free and calls[a].operation.role == "call":
                    inside[a] = Slot(n, first_row)
    return inside


def may_take(lifetimes: Lifetimes, n: int, owner: int) -> bool:
    """Return whether call n may overwrite `owner`: the result has its form, and it is read element by element."""
    call = lifetimes.calls[n]
    reads = [k for k, argument in enumerate(call.arguments) if lifetimes.root[argument] == owner]
    whole = all(call.arguments[k] == owner and k in call.operation.overwrites for k in reads)
    return whole and call.form == lifetimes.calls[owner].form


def may_commit_in_place(lifetimes: Lifetimes, state: int, value: int) -> bool:
    """Return whether a new value may be computed into its state: no later call reads the old value."""
    read = lifetimes.last.get(state, -1)
    return read < value or (read == value and may_take(lifetimes, value, state))


def direct_commits(lifetimes: Lifetimes) -> dict[int, int]:
    """Map each new value that is computed in place to its state."""
    direct: dict[int, int] = {}
    for state, value in lifetimes.commits:
        call = lifetimes.calls[value]
        fresh = call.operation.role == "call" and call.operation is not CONCATENATE and value not in direct
        if fresh and call.form == lifetimes.calls[state].form and may_commit_in_place(lifetimes, state, value):
            direct[value] = state
    return direct


def can_have_ones_row(lifetimes: Lifetimes, n: int) -> bool:
    """Return whether the storage of a value can have a row of ones below it: False for a part of another value."""
    return n not in lifetimes.inside


def dying_roots(lifetimes: Lifetimes, n: int) -> list[int]:
    """Return the roots that call n is the last to read, except the root of its result."""
    roots = dict.fromkeys(lifetimes.root[argument] for argument in lifetimes.calls[n].arguments)
    return [root for root in roots if lifetimes.last[root] == n and root != lifetimes.root[n]]


def allocate(plan: Plan, *, reuse: bool = True) -> tuple[list[Slot], list[Storage]]:
    """Return the slot of each value of a plan, and the storages.

    Without `reuse` every value has its own storage, and commits are written at the end, as a reference for tests.
    """
    lifetimes, calls = Lifetimes(plan), plan.calls
    direct = direct_commits(lifetimes) if reuse else {}
    storages: list[Storage] = []
    home: dict[int, int] = {}
    free: defaultdict[tuple[Shape, Kind], list[int]] = defaultdict(list)

    def new(n: int, leaf: int | None) -> int:
        storages.append(Storage(*calls[n].form, leaf))
        return len(storages) - 1

    for n, call in enumerate(calls):
        if call.operation.role == "leaf":
            home[n] = new(n, n)
    for n, call in enumerate(calls):
        if call.operation.role != "call":
            continue
        owner = lifetimes.root[n]
        dying = [root for root in dying_roots(lifetimes, n) if reuse and storages[home[root]].leaf is None]
        if owner not in home:
            taken = next((root for root in dying if owner == n and may_take(lifetimes, n, root)), None)
            if n in direct:
                home[n] = home[direct[n]]
            elif taken is not None:
                home[n] = home[taken]
                dying.remove(taken)
            else:
                pool = free[calls[owner].form]
                home[owner] = pool.pop() if pool else new(owner, None)
        for root in dying:
            free[calls[root].form].append(home[root])
    with_ones = {home[n] for n in lifetimes.fed if can_have_ones_row(lifetimes, n)}
    with_ones -= {home[n] for n, call in enumerate(calls) if call.operation is STATE}
    slots = [Slot(home[root], first_row) for root, first_row in lifetimes.slots]
    return slots, [storage._replace(ones_row=k in with_ones) for k, storage in enumerate(storages)]


@dataclass(frozen=True, slots=True)
class BoundCalls(BoundPlan):
    """A program as calls of NumPy.

    Attributes
    ----------
    calls
        The calls that `run` makes, in order.
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
    """Bind a plan to arrays, as described at `Backend.bind`; also in complex128, for the complex step.

    With `check`, assert for each call that no storage is written while it is read, except element by element, and fill
    scratch with NaN, to detect reads before the first write. `reuse` is as for `allocate`.
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
        """Return the array of a storage: the number of a constant, the given array, or a new one."""
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
        """Return the arrays of all inputs, or of all states, by name."""
        return {call.attributes: self.view(n) for n, call in enumerate(self.plan.calls) if call.operation is operation}

    def late_commits(self) -> list[BoundCall]:
        """Return the copies at the end of a run, for commits that are not written in place."""
        late = [pair for pair in self.plan.commits if self.slots[pair[0]] != self.slots[pair[1]]]
        return [copy(self.view(state), self.view(value)) for state, value in late]

    def view(self, n: int, with_ones: bool = False) -> Array:
        """Return the array of a value; with `with_ones`, including the row of ones below it, if there is one."""
        (storage, first_row), shape = self.slots[n], self.plan.calls[n].shape
        buffer = self.buffers[storage]
        if len(shape) < 2 or (with_ones and shape == self.storages[storage].shape):
            return buffer
        return buffer[first_row : first_row + self.sized(shape)[0]]

    def temporary(self, shape: tuple[int, ...], dtype: np.dtype[Any], k: int) -> Array:
        """Return a temporary array for use within one call; calls share it."""
        return self.shared((shape, dtype, k), lambda: np.empty(shape, dtype))

    def filled(self, shape: tuple[int, ...], number: Array) -> Array:
        """Return an array filled with a constant; calls share it."""
        return self.shared((shape, float(number).hex()), lambda: np.full(shape, number))

    def shared(self, key: Hashable, make: Callable[[], Array]) -> Array:
        if key not in self.extra:
            self.extra[key] = make()
        return self.extra[key]

    def steps(self, n: int) -> list[BoundCall]:
        """Return the NumPy calls for one call of the plan."""
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
        """Assert that a call does not overwrite its operands, except each element after its last use."""
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
