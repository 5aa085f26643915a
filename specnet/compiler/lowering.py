"""From symbolic values to a plan: a flat list of calls, operands first, with one call for each distinct needed value.

A backend binds plans to arrays and runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy.typing as npt

from specnet.compiler.reverse import LocalDerivative, postorder
from specnet.compiler.value import CONSTANT, EXPAND, STATE, Kind, Operation, Shape, ShapeError, Value, cast, expand

__all__ = ["Backend", "BoundPlan", "Call", "Expansions", "Plan", "UnavailableError", "plan"]

Array = npt.NDArray[Any]

Expansions = Mapping[Operation, Callable[..., Value]]
"""For each operation that a backend does not support, a function that expresses it in supported operations."""


class Call(NamedTuple):
    """One call of an operation. Its index in the plan is its result's number; arguments are the operands' numbers."""

    operation: Operation
    arguments: tuple[int, ...]
    attributes: Any
    shape: Shape
    kind: Kind

    @property
    def form(self) -> tuple[Shape, Kind]:
        """The shape and kind of the result, which its storage must have."""
        return self.shape, self.kind


@dataclass(frozen=True, eq=False)
class Plan:
    """A program as a list of calls in order; each backend assigns storage to their results.

    Attributes
    ----------
    calls
        Calls in order; the index of a call is the number of its result.
    outputs
        Numbers of the outputs.
    commits
        (state, value) pairs: each state is set to the value after all calls.
    """

    calls: tuple[Call, ...]
    outputs: tuple[int, ...]
    commits: tuple[tuple[int, int], ...]

    @property
    def axes(self) -> list[str]:
        """The named axes, sorted."""
        return sorted({axis for call in self.calls for axis in call.shape if isinstance(axis, str)})

    @cached_property
    def retained(self) -> set[int]:
        """Numbers of the values that are needed after a run: outputs, and new values of states."""
        return {*self.outputs, *(value for _, value in self.commits)}

    @cached_property
    def roots(self) -> list[int]:
        """For each value, the number of the value whose storage it uses: itself unless it is a view."""
        roots: list[int] = []
        for n, call in enumerate(self.calls):
            roots.append(roots[call.arguments[0]] if call.operation.role == "view" else n)
        return roots

    @cached_property
    def for_outputs_only(self) -> set[int]:
        """Numbers of the calls that no commit needs; empty if there are no commits."""
        needed = {value for _, value in self.commits} or set(range(len(self.calls)))
        for n in reversed(range(len(self.calls))):
            if n in needed:
                needed.update(self.calls[n].arguments)
        return {n for n, call in enumerate(self.calls) if n not in needed and call.operation.role != "leaf"}

    def last_reads(self, groups: Sequence[Sequence[int]], roots: Sequence[int]) -> dict[int, int]:
        """Map each root to the index of the last group of calls that reads it; `len(groups)` if it is retained."""
        last = {roots[a]: k for k, group in enumerate(groups) for n in group for a in self.calls[n].arguments}
        return last | {roots[n]: len(groups) for n in self.retained}

    def listing(self) -> list[str]:
        """Return the calls in order as readable text, with their shapes, then the commits."""
        lines = []
        for n, call in enumerate(self.calls):
            if call.operation.role != "leaf":
                only = "  (outputs only)" if n in self.for_outputs_only else ""
                lines.append(f"{self.formula(n)}   ({', '.join(map(str, call.shape))}){only}")
        return lines + [f"{self.name(state)} <- {self.name(value)}" for state, value in self.commits]

    def name(self, n: int) -> str:
        """Return a leaf's name, a constant's number, or ``v`` with its number for a result."""
        call = self.calls[n]
        return str(call.attributes) if call.operation.role == "leaf" else f"v{n}"

    def formula(self, n: int) -> str:
        """Return a call as readable text: result, operation, operands."""
        call = self.calls[n]
        operands = [self.name(argument) for argument in call.arguments]
        if call.attributes not in ((), call.shape, (False, False)):
            operands.append(str(call.attributes))
        return f"{self.name(n)} = {call.operation.name}({', '.join(operands)})"


def plan(
    outputs: Sequence[Value], commits: Sequence[tuple[Value, Value]] = (), *, expansions: Expansions | None = None
) -> Plan:
    """Return the plan of a program: a call for every distinct value that outputs and commits need.

    Equal calls on equal operands are one call.

    Parameters
    ----------
    outputs
        Values to read after a run.
    commits
        (state, new value) pairs. All new values are computed from the states before the run.
    expansions
        Expansions of the backend.

    Raises
    ------
    ShapeError
        If two leaves with the same name differ, a state is committed twice, or a commit does not fit its state.
    """
    pairs = [(state, _fitting(state, value)) for state, value in commits]
    values = [*outputs, *(value for pair in pairs for value in pair)]
    calls, number = _numbering(values, expansions or {})
    committed = [number[state] for state, _ in pairs]
    overwritten = set(committed)
    if len(overwritten) < len(committed):
        raise ShapeError("a state is committed twice")

    def snapshot(value: Value) -> int:
        """Return the number of a value, or of a copy of it if it is an old state that a commit overwrites."""
        n = number[value]
        if not needs_snapshot(calls, n, overwritten):
            return n
        calls.append(Call(EXPAND, (n,), calls[n].shape, *calls[n].form))
        return len(calls) - 1

    new_values = [snapshot(value) if value is not state else number[value] for state, value in pairs]
    results = tuple(snapshot(output) for output in outputs)
    changes = [(old, new) for old, new in zip(committed, new_values, strict=True) if old != new]
    return Plan(tuple(calls), results, tuple(changes))


def _fitting(state: Value, value: Value) -> Value:
    value = expand(cast(value), state.shape)
    if state.operation is not STATE:
        raise ShapeError(f"{value!r} cannot be committed to {state!r}")
    return value


def needs_snapshot(calls: Sequence[Call], n: int, overwritten: Collection[int]) -> bool:
    """Return whether a value is a state that is overwritten at the end, or a view of one."""
    while calls[n].operation.role == "view":
        n = calls[n].arguments[0]
    return n in overwritten


def _numbering(values: Sequence[Value], expansions: Expansions) -> tuple[list[Call], dict[Value, int]]:
    """Return the calls that values need, and the number of each value."""
    calls: list[Call] = []
    known: dict[Hashable, int] = {}
    leaves: dict[Hashable, Call] = {}
    number: dict[Value, int] = {}
    stands_for: dict[Value, tuple[Value]] = {}

    def operands(value: Value) -> tuple[Value, ...]:
        if value in stands_for:
            return stands_for[value]
        if value.operation in expansions:
            stands_for[value] = (expansions[value.operation](*value.arguments),)
        elif value.operation.role == "name":
            stands_for[value] = (value.arguments[0],)
        return stands_for.get(value, value.arguments)

    reached = set(postorder(values, operands))

    def operands_and_slope(value: Value) -> tuple[Value, ...]:
        """Return the operands of a value, and its local derivative if the program needs it."""
        rule = value.attributes
        beside = isinstance(rule, LocalDerivative) and rule.slope in reached
        return (*operands(value), rule.slope) if beside else operands(value)

    for value in postorder(values, operands_and_slope):
        arguments = tuple(number[operand] for operand in operands(value))
        if value in stands_for:
            number[value] = arguments[0]
            continue
        call = Call(value.operation, arguments, value.attributes, value.shape, value.kind)
        named = call.operation.role == "leaf" and call.operation is not CONSTANT
        if named and leaves.setdefault(call.attributes, call) != call:
            raise ShapeError(f"two leaves are named {call.attributes!r}: {leaves[call.attributes]} and {call}")
        number[value] = known.setdefault(_key(call), len(calls))
        if number[value] == len(calls):
            calls.append(call)
    return calls, number


def _key(call: Call) -> Hashable:
    """Return a key that is equal for calls that give the same bits."""
    if call.operation is CONSTANT:
        return float.hex(call.attributes)  # distinguishes 0.0 and -0.0
    return call._replace(arguments=tuple(sorted(call.arguments))) if call.operation.commutative else call


class UnavailableError(Exception):
    """Raised if a backend cannot run a program on this machine."""


@dataclass(frozen=True, slots=True)
class BoundPlan:
    """A program bound to arrays, which can be run repeatedly, by one thread at a time.

    Attributes
    ----------
    run
        Computes outputs and commits from the current inputs and states.
    run_commits
        Computes only the commits, with the same bits; outputs are not updated. Without commits, the same as `run`.
    inputs
        The array of each input by name, in the leaf's shape, to be filled before a run.
    states
        The array of each state by name.
    outputs
        The arrays of the outputs, valid after a run until the next one.
    """

    run: Callable[[], None]
    run_commits: Callable[[], None]
    inputs: dict[str, Array]
    states: dict[str, Array]
    outputs: list[Array]


class Backend(NamedTuple):
    """A way to run plans, such as by calls of NumPy.

    Attributes
    ----------
    expansions
        Operations that it does not support, expressed in supported ones; an argument of `plan`.
    bind
        Takes a plan made with these expansions, a dtype, sizes and arrays; returns a `BoundPlan`. The dtype is float32
        or float64. Sizes are the length of each named axis, such as ``{"batch": 32}``. Arrays are those of states, and
        of inputs that several programs share, by the names of leaves; missing ones are made, with zeros. An input's
        array may have one row more than the leaf; it is filled with ones and saves a call to add a dense layer's bias.

        It raises ValueError if an array does not fit its leaf, or an axis has no size; MissingRuleError if the backend
        does not support an operation; and UnavailableError if it cannot run on this machine, or does not support a
        shape.
    """

    expansions: Expansions
    bind: Callable[..., BoundPlan]
