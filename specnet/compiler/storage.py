"""Which storage holds which value, found by one scan over the calls of a program."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from specnet.compiler.lowering import Call, Expansions, Lowered, lower
from specnet.compiler.operations.pieces import CONCATENATE, row_bounds
from specnet.compiler.shapes import Shape
from specnet.compiler.value import STATE, Kind, Value

__all__ = ["Plan", "Storage", "plan"]


class Slot(NamedTuple):
    """Where a value lies: a storage (or, while planning, another value), and its first row there."""

    storage: int
    first_row: int


@dataclass(frozen=True, slots=True)
class Storage:
    """One array to be made, or given, when a plan is bound.

    Attributes
    ----------
    shape, kind
        Of the values that it holds.
    leaf
        Number of the call whose leaf it is; None for scratch, which many values use one after the other.
    ones_row
        Is a last row of ones beyond the shape wanted, for a dense layer's bias? It is never written again.
    """

    shape: Shape
    kind: Kind
    leaf: int | None
    ones_row: bool


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Plan:
    """A program with a slot for every value. Backends consume it; nothing in it belongs to one of them.

    One that finds storage in its own way needs the calls, outputs and commits alone.

    Attributes
    ----------
    calls
        In order; a call's number is its result's.
    outputs
        Numbers of the values asked for.
    commits
        (state, value) pairs: what a run writes.
    slots
        Of each call's result.
    storages
        What the slots lie in.
    for_outputs_only
        Numbers of the calls that no commit needs, if there are commits.
    """

    calls: tuple[Call, ...]
    outputs: tuple[int, ...]
    commits: tuple[tuple[int, int], ...]
    slots: tuple[Slot, ...]
    storages: tuple[Storage, ...]
    for_outputs_only: frozenset[int]

    @property
    def copies(self) -> list[tuple[int, int]]:
        """The commits still to be written when every call has been made. The others are written in place."""
        return [(state, value) for state, value in self.commits if self.slots[state] != self.slots[value]]

    def listing(self) -> list[str]:
        """The calls in order as a person reads them, then the copies that end a run."""
        lines = [self.describe(n) for n, call in enumerate(self.calls) if call.operation.role != "leaf"]
        return lines + [f"{self.name(state)} <- {self.name(value)}" for state, value in self.copies]

    def name(self, n: int) -> str:
        """A leaf's own name, a constant's number, v and its number for a result."""
        call = self.calls[n]
        return str(call.attributes) if call.operation.role == "leaf" else f"v{n}"

    def describe(self, n: int) -> str:
        """One line on one call: result, operation, operands, shape, where it lies."""
        call, (storage, first_row) = self.calls[n], self.slots[n]
        operands = [self.name(argument) for argument in call.arguments]
        if call.attributes not in ((), call.shape, (False, False)):
            operands.append(str(call.attributes))
        leaf = self.storages[storage].leaf
        where = f"buffer {storage}" if leaf is None else self.name(leaf)
        where += f", from row {first_row}" if first_row else ""
        where += "  (outputs only)" if n in self.for_outputs_only else ""
        shape = f"({', '.join(map(str, call.shape))})"
        return f"{self.name(n)} = {call.operation.name}({', '.join(operands)})   {shape}  {where}"


def plan(
    outputs: Sequence[Value],
    commits: Sequence[tuple[Value, Value]] = (),
    *,
    expansions: Expansions | None = None,
    reuse: bool = True,
) -> Plan:
    """Lower a program and give each of its values a slot.

    Parameters
    ----------
    outputs
        Values to be read after a run.
    commits
        (state, new value) pairs. Every new value is made from the states as they were before the run.
    expansions
        What the backend lacks, in terms of what it has.
    reuse
        False gives every value a storage of its own and commits at the end: the reference to compare with.
    """
    program = lower(outputs, commits, expansions)
    lifetimes = Lifetimes(program)
    direct = direct_commits(lifetimes) if reuse else {}
    home, storages = _assign(lifetimes, direct, reuse)
    slots = tuple(Slot(home[lifetimes.root[n]], lifetimes.locate(n).first_row) for n in range(len(program.calls)))
    return Plan(program.calls, program.outputs, program.commits, slots, storages, _for_outputs_only(program))


class Lifetimes:
    """What lies inside what, and which call reads a storage last."""

    def __init__(self, program: Lowered) -> None:
        self.calls, self.commits = program.calls, program.commits
        self.kept = kept_values(program)
        self.inside = _views_and_pieces(self.calls, self.kept)
        self.root = [self.locate(n).storage for n in range(len(self.calls))]
        self.last = last_reads(self.calls, self.root, self.kept)

    def locate(self, n: int) -> Slot:
        """The value in whose storage this one lies (itself, if it has its own), and its first row there."""
        first_row = 0
        while n in self.inside:
            n, offset = self.inside[n]
            first_row += offset
        return Slot(n, first_row)


def kept_values(program: Lowered) -> set[int]:
    """What must outlive the run: outputs and committed values."""
    return {*program.outputs, *(value for _, value in program.commits)}


def last_reads(calls: Sequence[Call], root: Sequence[int], kept: set[int]) -> dict[int, int]:
    """By root the last call that reads it, itself or through a view; what is kept is read at the end."""
    last = {root[a]: n for n, call in enumerate(calls) if call.operation.role != "view" for a in call.arguments}
    return last | {root[n]: len(calls) for n in kept}


def may_take(lifetimes: Lifetimes, n: int, owner: int) -> bool:
    """May call n's result overwrite `owner`: elementwise, of the same form, and every read of it whole?"""
    call = lifetimes.calls[n]
    reads = [k for k, argument in enumerate(call.arguments) if lifetimes.root[argument] == owner]
    whole = all(call.arguments[k] == owner and k in call.operation.overwrites for k in reads)
    return whole and call.form == lifetimes.calls[owner].form


def may_commit_in_place(lifetimes: Lifetimes, state: int, value: int) -> bool:
    """May the new value be computed straight into the state: has the old one no reader left, but in the same call?"""
    read = lifetimes.last.get(state, -1)
    return read < value or (read == value and may_take(lifetimes, value, state))


def direct_commits(lifetimes: Lifetimes) -> dict[int, int]:
    """For each new value that is computed in place, its state."""
    direct: dict[int, int] = {}
    for state, value in lifetimes.commits:
        call = lifetimes.calls[value]
        fresh = call.operation.role == "call" and call.operation is not CONCATENATE and value not in direct
        if fresh and call.form == lifetimes.calls[state].form and may_commit_in_place(lifetimes, state, value):
            direct[value] = state
    return direct


def piece_rows(shapes: Sequence[Shape]) -> list[int]:
    """The first row of each piece of a concatenation."""
    return [low for low, _ in row_bounds(shapes)]


def _views_and_pieces(calls: Sequence[Call], kept: set[int]) -> dict[int, Slot]:
    """Views lie inside their operand; a piece is written where its concatenation will be.

    A piece is not if it is kept, or feeds a dense layer: then it has a row of ones below it.
    """
    fixed = kept | {n for call in calls for n in _read_with_ones(call)}
    inside: dict[int, Slot] = {}
    for n, call in enumerate(calls):
        if call.operation.role == "view":
            low, _ = call.attributes
            inside[n] = Slot(call.arguments[0], low)
        if call.operation is CONCATENATE:
            for a, first_row in zip(call.arguments, piece_rows([calls[a].shape for a in call.arguments]), strict=True):
                free = a not in fixed and a not in inside and call.arguments.count(a) == 1
                if free and calls[a].operation.role == "call":
                    inside[a] = Slot(n, first_row)
    return inside


def _read_with_ones(call: Call) -> tuple[int, ...]:
    position = call.operation.ones_operand
    return () if position is None else (call.arguments[position],)


def wants_ones_row(lifetimes: Lifetimes, n: int) -> bool:
    """Can the storage of a value that feeds a dense layer carry a row of ones? A part of another storage cannot."""
    return n not in lifetimes.inside


def dying_roots(lifetimes: Lifetimes, n: int) -> list[int]:
    """Roots, other than the result's own, that call n is the last one to read."""
    roots = dict.fromkeys(lifetimes.root[argument] for argument in lifetimes.calls[n].arguments)
    return [root for root in roots if lifetimes.last[root] == n and root != lifetimes.root[n]]


def _assign(lifetimes: Lifetimes, direct: dict[int, int], reuse: bool) -> tuple[dict[int, int], tuple[Storage, ...]]:
    """One scan in order: each root's storage, and all storages."""
    calls = lifetimes.calls
    made: list[tuple[Shape, Kind, int | None]] = []
    home: dict[int, int] = {}
    free: defaultdict[tuple[Shape, Kind], list[int]] = defaultdict(list)

    def new(n: int, leaf: int | None) -> int:
        made.append((*calls[n].form, leaf))
        return len(made) - 1

    for n, call in enumerate(calls):
        if call.operation.role == "leaf":
            home[n] = new(n, n)
    for n, call in enumerate(calls):
        if call.operation.role != "call":
            continue
        owner = lifetimes.root[n]
        dying = [root for root in dying_roots(lifetimes, n) if reuse and made[home[root]][2] is None]
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
    with_ones = {home[n] for call in calls for n in _read_with_ones(call) if wants_ones_row(lifetimes, n)}
    with_ones -= {home[n] for n, call in enumerate(calls) if call.operation is STATE}
    return home, tuple(Storage(*form, k in with_ones) for k, form in enumerate(made))


def _for_outputs_only(program: Lowered) -> frozenset[int]:
    needed = {value for _, value in program.commits} or set(range(len(program.calls)))
    for n in reversed(range(len(program.calls))):
        if n in needed:
            needed.update(program.calls[n].arguments)
    return frozenset(n for n, call in enumerate(program.calls) if n not in needed and call.operation.role != "leaf")
