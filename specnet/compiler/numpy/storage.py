"""Which storage of NumPy holds which value, found by one scan over the calls of a plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from specnet.compiler.lowering import Plan
from specnet.compiler.operations.pieces import CONCATENATE, row_bounds
from specnet.compiler.shapes import Shape
from specnet.compiler.value import STATE, Kind


class Slot(NamedTuple):
    """Where a value lies: a storage (or, while planning, another value), and its first row there."""

    storage: int
    first_row: int


class Storage(NamedTuple):
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
    ones_row: bool = False


class Allocation(NamedTuple):
    """The slot of each call's result, and what the slots lie in."""

    slots: list[Slot]
    storages: list[Storage]


class Lifetimes:
    """What lies inside what, and which call reads a storage last."""

    def __init__(self, plan: Plan) -> None:
        self.calls, self.commits = plan.calls, plan.commits
        operands = [(call.arguments, call.operation.ones_operand) for call in self.calls]
        self.fed = {arguments[k] for arguments, k in operands if k is not None}
        self.inside = _views_and_pieces(plan, plan.kept | self.fed)
        self.places = [self._locate(n) for n in range(len(self.calls))]
        self.root = [place.storage for place in self.places]
        groups = [() if call.operation.role == "view" else (n,) for n, call in enumerate(self.calls)]
        self.last = plan.last_reads(groups, self.root)

    def _locate(self, n: int) -> Slot:
        """The value in whose storage this one lies (itself, if it has its own), and its first row there."""
        first_row = 0
        while n in self.inside:
            n, offset = self.inside[n]
            first_row += offset
        return Slot(n, first_row)


def _views_and_pieces(plan: Plan, fixed: set[int]) -> dict[int, Slot]:
    """Views lie inside their operand; a piece is written where its concatenation will be.

    A piece is not if it is kept, or feeds a dense layer: then it has a row of ones below it.
    """
    calls, inside = plan.calls, dict[int, Slot]()
    for n, call in enumerate(calls):
        if call.operation.role == "view":
            inside[n] = Slot(call.arguments[0], call.attributes[0])
        if call.operation is CONCATENATE:
            for a, first_row in zip(call.arguments, piece_rows([calls[a].shape for a in call.arguments]), strict=True):
                free = a not in fixed and a not in inside and call.arguments.count(a) == 1
                if free and calls[a].operation.role == "call":
                    inside[a] = Slot(n, first_row)
    return inside


def piece_rows(shapes: Sequence[Shape]) -> list[int]:
    """The first row of each piece of a concatenation."""
    return [low for low, _ in row_bounds(shapes)]


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


def wants_ones_row(lifetimes: Lifetimes, n: int) -> bool:
    """Can the storage of a value that feeds a dense layer carry a row of ones? A part of another storage cannot."""
    return n not in lifetimes.inside


def dying_roots(lifetimes: Lifetimes, n: int) -> list[int]:
    """Roots, other than the result's own, that call n is the last one to read."""
    roots = dict.fromkeys(lifetimes.root[argument] for argument in lifetimes.calls[n].arguments)
    return [root for root in roots if lifetimes.last[root] == n and root != lifetimes.root[n]]


def allocate(plan: Plan, *, reuse: bool = True) -> Allocation:
    """Give each value of a plan a slot.

    Without `reuse` every value has a storage of its own, and commits are written at the end: the reference to compare
    with.
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
    with_ones = {home[n] for n in lifetimes.fed if wants_ones_row(lifetimes, n)}
    with_ones -= {home[n] for n, call in enumerate(calls) if call.operation is STATE}
    slots = [Slot(home[root], first_row) for root, first_row in lifetimes.places]
    return Allocation(slots, [storage._replace(ones_row=k in with_ones) for k, storage in enumerate(storages)])
