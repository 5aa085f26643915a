"""Where the values of a program lie: in a variable, in an array from outside, or in the workspace.

Rows of the workspace are padded to whole vectors: a loop over elements goes through the padding too, and needs no
remainder; only what adds along a named axis counts exactly. Rows of arrays from outside follow each other directly.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from specnet.compiler.native.c_plan import CallGroup, CPlan, no_form
from specnet.compiler.value import INPUT, Axis

ALIGNMENT = 16
"""Numbers to which rooms of a fixed size are rounded up."""


class Extent(Counter[str]):
    """A number of cells: so many times the padded length of each named axis, and so many more (under "")."""

    def text(self) -> str:
        """The extent in C."""
        terms = [f"{count} * {padded(axis)}" if axis else str(count) for axis, count in sorted(self.items()) if count]
        return " + ".join(terms) or "0"

    def at(self, lengths: Mapping[str, int]) -> int:
        """The extent for padded lengths of the axes."""
        return sum(count * (lengths[axis] if axis else 1) for axis, count in self.items())


class Matrix(NamedTuple):
    """Where rows of numbers lie.

    Attributes
    ----------
    base
        A pointer to numbers, in C.
    rows, columns
        How many there are.
    row, column
        The distance between the beginnings of two of them, in C.
    readable
        May the padding behind each row be read?
    writable
        May it be written?
    """

    base: str
    rows: Axis
    columns: Axis
    row: str
    column: str = "1"
    readable: bool = True
    writable: bool = True

    def transposed(self) -> Matrix:
        """The same numbers with rows as columns."""
        return self._replace(rows=self.columns, columns=self.rows, row=self.column, column=self.row)

    def below(self, rows: Axis) -> str:
        """The pointer behind some rows."""
        return f"({self.base} + {rows} * {self.row})"


def padded(axis: str) -> str:
    """The name of a named axis's length, rounded up to whole vectors."""
    return f"{axis}_row"


class Allocation:
    """The places of a program's values.

    Parameters
    ----------
    program, groups
    table
        Names of leaves, in the order of the pointers to their arrays.

    Attributes
    ----------
    extent
        Of the workspace, without temporaries.
    variables
        Numbers that are variables, whether they lie in memory too or not: those from outside, and those computed in a
        loop. A long program has none.
    copies
        The commits to be written at the end; others are computed in place.
    """

    def __init__(self, program: CPlan, groups: Sequence[CallGroup], table: Sequence[str]) -> None:
        self._program, self._groups, self._table = program, groups, table
        self._home = {n: k for k, group in enumerate(groups) for n in group.calls}
        self.extent: Extent = Extent()
        self._memory: dict[int, Matrix] = {}
        self._offsets: dict[str, Extent] = {}
        self._leaves: dict[str, str] = {}
        self.variables = {n for n in range(len(program.calls)) if self._is_variable(n)}
        self._last = program.last_reads([group.calls for group in groups], program.roots)
        self._allocate_leaves()
        self.copies = self._allocate_commits()
        self._allocate_results()

    def is_in_memory(self, n: int) -> bool:
        """Does a value, or what it is a part of, lie in memory?"""
        return self._program.roots[n] in self._memory

    def matrix(self, n: int) -> Matrix:
        """Return where the rows of a value in memory lie."""
        call = self._program.calls[n]
        if call.operation.role != "view":
            return self._memory[n]
        whole, (low, high) = self.matrix(call.arguments[0]), call.attributes
        return whole._replace(base=whole.below(low) if low else whole.base, rows=high - low)

    def is_converted(self, n: int) -> bool:
        """Is a leaf no float? It is copied into the workspace, in cells of a float's size."""
        return self._program.calls[n].operation is INPUT and self._program.calls[n].kind != "float"

    def first_row(self, n: int) -> int:
        """The row of its root's array in which a value begins."""
        first, calls = 0, self._program.calls
        while calls[n].operation.role == "view":
            first, n = first + calls[n].attributes[0], calls[n].arguments[0]
        return first

    def offset(self, n: int) -> Extent | None:
        """Where a value's root begins in the workspace; None if it lies in an array from outside."""
        return self._offsets.get(self._memory[self._program.roots[n]].base)

    def leaf(self, n: int) -> str:
        """The name of the leaf in whose array a value lies, if it lies in none of the workspace."""
        return self._leaves[self._memory[self._program.roots[n]].base]

    def pointer(self, n: int) -> str:
        """The pointer to a leaf's array: a variable, but in a long program."""
        index = self._table.index(self._program.calls[n].attributes)
        return f"((real *)p[{index}])" if self._program.is_long else f"p{index}"

    def _is_variable(self, n: int) -> bool:
        program = self._program
        if program.is_long or not program.is_number(n):
            return False
        is_from_outside = program.is_leaf_array(n) and not self.is_converted(n)
        return is_from_outside or program.role(n) in ("element", "reduction")

    def _allocate_leaves(self) -> None:
        program = self._program
        for n, call in enumerate(program.calls):
            if self.is_converted(n):
                self._memory[n] = self._new(n)
            elif program.is_leaf_array(n):
                rows, columns = program.space(n)
                is_input, base = call.operation is INPUT, self.pointer(n)
                self._memory[n] = Matrix(base, rows, columns, str(columns), readable=is_input, writable=False)
                self._leaves[base] = call.attributes

    def _allocate_commits(self) -> list[tuple[int, int]]:
        program, copies = self._program, []
        for state, value in program.commits:
            if self._can_be_in_place(state, value):
                self._memory[value] = self._memory[state]
            else:
                copies.append((state, value))
        return copies

    def _can_be_in_place(self, state: int, value: int) -> bool:
        """Has the old content of a state no reader behind the new one, but at the same place in the same loop?"""
        program, home = self._program, self._home
        if value not in home or value in self._memory or value in self.variables:
            return False
        if program.space(value) != program.space(state):
            return False
        readers, is_element = program.readers[state], program.role(value) == "element"
        together = [reader for reader in readers if home[reader] == home[value]]
        at_same_place = all(is_element and program.reads_whole(n, state, program.space(state)) for n in together)
        return at_same_place and all(home[reader] <= home[value] for reader in readers)

    def _allocate_results(self) -> None:
        """One scan over the groups: room from what nobody reads any more, new room else."""
        program = self._program
        free: defaultdict[str, list[Matrix]] = defaultdict(list)
        for k, group in enumerate(self._groups):
            reads = dict.fromkeys(program.roots[a] for n in group.calls for a in program.calls[n].arguments)
            dying = [root for root in reads if self._is_scratch(root) and self._last[root] == k]
            whole = [root for root in dying if group.is_loop and self._is_read_whole(root, group)]
            for n in group.calls:
                if not self._needs_memory(n, k):
                    continue
                pool = free[self._size(n).text()]
                if program.role(n) == "element" and whole:  # written where it is read last, element by element
                    taken = whole.pop()
                    dying.remove(taken)
                    self._memory[n] = self._memory[taken]
                else:
                    self._memory[n] = self._lying(n, pool.pop().base) if pool else self._new(n)
                if self._last.get(n, k) <= k:
                    dying.append(n)
            for root in dying:
                free[self._size(root).text()].append(self._memory[root])

    def _is_scratch(self, root: int) -> bool:
        """Is a value's room in the workspace, and its own?"""
        return root in self._home and root in self._memory and self._memory[root].writable

    def _is_read_whole(self, root: int, group: CallGroup) -> bool:
        program = self._program
        readers = [n for n in group.calls if any(program.roots[a] == root for a in program.calls[n].arguments)]
        return all(program.reads_whole(n, root, group.space) for n in readers)

    def _needs_memory(self, n: int, group: int) -> bool:
        """Is a value, not placed yet, read outside its loop?"""
        program = self._program
        if n in self._memory:
            return False
        readers = [(user, program.role(user)) for user in program.users[n]]
        if n in self.variables:
            return n in program.retained or any(role == "call" for _, role in readers)
        if program.role(n) != "element" or n in program.retained:
            return True
        return any(role == "view" or self._home[user] != group for user, role in readers)

    def _size(self, n: int) -> Extent:
        rows, columns = self._program.space(n)
        match rows, columns:
            case int(), str():
                return Extent({columns: rows})
            case str(), int():  # no more than the axis's padded length
                return Extent({rows: columns})
            case int(), int():
                return Extent({"": -(-rows * columns // ALIGNMENT) * ALIGNMENT})
        raise no_form(self._program.calls[n].shape)

    def _new(self, n: int) -> Matrix:
        base = f"(workspace + {self.extent.text()})"
        self._offsets[base] = Extent(self.extent)
        self.extent.update(self._size(n))
        return self._lying(n, base)

    def _lying(self, n: int, base: str) -> Matrix:
        """A value in the workspace, its rows padded if they are as long as a named axis."""
        rows, columns = self._program.space(n)
        return Matrix(base, rows, columns, padded(columns) if isinstance(columns, str) else str(columns))
