"""The memory of a program's values in C: variables, arrays of leaves, and the workspace.

Rows of the workspace are padded to whole vectors, so that a loop over elements includes the padding and has no
remainder; only sums along a named axis exclude the padding. Rows of leaves' arrays are contiguous.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from specnet.compiler.native.c_plan import CallGroup, CPlan, no_form
from specnet.compiler.value import INPUT, Axis

ALIGNMENT = 16
"""Fixed sizes in the workspace are rounded up to a multiple of this count of numbers."""


class Extent(Counter[str]):
    """A size as a count of numbers: multiples of the padded length of each named axis, and a fixed count under ""."""

    def text(self) -> str:
        """Return the size as an expression in C."""
        terms = [f"{count} * {padded(axis)}" if axis else str(count) for axis, count in sorted(self.items()) if count]
        return " + ".join(terms) or "0"

    def at(self, lengths: Mapping[str, int]) -> int:
        """Return the size for given padded lengths of the axes."""
        return sum(count * (lengths[axis] if axis else 1) for axis, count in self.items())


class Matrix(NamedTuple):
    """A matrix in memory.

    Attributes
    ----------
    base
        C expression of the pointer to its first number.
    rows, columns
        Numbers of rows and columns.
    row, column
        C expressions of the strides between rows and between columns.
    readable
        Whether the padding after each row may be read.
    writable
        Whether the padding after each row may be written.
    """

    base: str
    rows: Axis
    columns: Axis
    row: str
    column: str = "1"
    readable: bool = True
    writable: bool = True

    def transposed(self) -> Matrix:
        """Return the transposed matrix in the same memory."""
        return self._replace(rows=self.columns, columns=self.rows, row=self.column, column=self.row)

    def below(self, rows: Axis) -> str:
        """Return the pointer to the first number of the row with this index, in C."""
        return f"({self.base} + {rows} * {self.row})"


def padded(axis: str) -> str:
    """Return the C name of the padded length of an axis: rounded up to whole vectors."""
    return f"{axis}_row"


class Allocation:
    """The memory of a program's values.

    Parameters
    ----------
    plan, groups
    table
        Names of leaves, in the order of the table of pointers to their arrays.

    Attributes
    ----------
    extent
        The size of the workspace, without temporaries.
    variables
        Single numbers that are C variables, some of them in memory too: numbers of leaves, and numbers computed in a
        loop. A long program has no variables.
    copies
        The commits that are copied at the end; all other commits are computed in place.
    """

    def __init__(self, plan: CPlan, groups: Sequence[CallGroup], table: Sequence[str]) -> None:
        self._plan, self._groups, self._table = plan, groups, table
        self._home = {n: k for k, group in enumerate(groups) for n in group.calls}
        self.extent: Extent = Extent()
        self._memory: dict[int, Matrix] = {}
        self._offsets: dict[str, Extent] = {}
        self._leaves: dict[str, str] = {}
        self.variables = {n for n in range(len(plan.calls)) if self._is_variable(n)}
        self._last = plan.last_reads([group.calls for group in groups], plan.roots)
        self._allocate_leaves()
        self.copies = self._allocate_commits()
        self._allocate_results()

    def is_in_memory(self, n: int) -> bool:
        """Return whether a value is in memory; for a view, whether its root is."""
        return self._plan.roots[n] in self._memory

    def matrix(self, n: int) -> Matrix:
        """Return the matrix of a value that is in memory."""
        call = self._plan.calls[n]
        if call.operation.role != "view":
            return self._memory[n]
        whole, (low, high) = self.matrix(call.arguments[0]), call.attributes
        return whole._replace(base=whole.below(low) if low else whole.base, rows=high - low)

    def is_converted(self, n: int) -> bool:
        """Return whether a value is an input of a kind other than float, which is converted into the workspace."""
        return self._plan.calls[n].operation is INPUT and self._plan.calls[n].kind != "float"

    def first_row(self, n: int) -> int:
        """Return the index of a value's first row in the array of its root."""
        first, calls = 0, self._plan.calls
        while calls[n].operation.role == "view":
            first, n = first + calls[n].attributes[0], calls[n].arguments[0]
        return first

    def offset(self, n: int) -> Extent | None:
        """Return the offset of a value's root in the workspace; None if it is in the array of a leaf."""
        return self._offsets.get(self._memory[self._plan.roots[n]].base)

    def leaf(self, n: int) -> str:
        """Return the name of the leaf whose array has a value that is not in the workspace."""
        return self._leaves[self._memory[self._plan.roots[n]].base]

    def pointer(self, n: int) -> str:
        """Return the pointer to a leaf's array in C: a variable, or in a long program an entry of the table."""
        index = self._table.index(self._plan.calls[n].attributes)
        return f"((real *)p[{index}])" if self._plan.is_long else f"p{index}"

    def _is_variable(self, n: int) -> bool:
        plan = self._plan
        if plan.is_long or not plan.is_number(n):
            return False
        is_from_outside = plan.is_leaf_array(n) and not self.is_converted(n)
        return is_from_outside or plan.role(n) in ("element", "reduction")

    def _allocate_leaves(self) -> None:
        plan = self._plan
        for n, call in enumerate(plan.calls):
            if self.is_converted(n):
                self._memory[n] = self._new(n)
            elif plan.is_leaf_array(n):
                rows, columns = plan.space(n)
                is_input, base = call.operation is INPUT, self.pointer(n)
                self._memory[n] = Matrix(base, rows, columns, str(columns), readable=is_input, writable=False)
                self._leaves[base] = call.attributes

    def _allocate_commits(self) -> list[tuple[int, int]]:
        plan, copies = self._plan, []
        for state, value in plan.commits:
            if self._can_be_in_place(state, value):
                self._memory[value] = self._memory[state]
            else:
                copies.append((state, value))
        return copies

    def _can_be_in_place(self, state: int, value: int) -> bool:
        """Return whether no call reads a state after its new value is written, except element by element in a loop."""
        plan, home = self._plan, self._home
        if value not in home or value in self._memory or value in self.variables:
            return False
        if plan.space(value) != plan.space(state):
            return False
        readers, is_element = plan.readers[state], plan.role(value) == "element"
        together = [reader for reader in readers if home[reader] == home[value]]
        reads_element = all(is_element and plan.reads_whole(n, state, plan.space(state)) for n in together)
        return reads_element and all(home[reader] <= home[value] for reader in readers)

    def _allocate_results(self) -> None:
        """Assign memory to results in one scan: the memory of values that no later group reads, or new memory."""
        plan = self._plan
        free: defaultdict[str, list[Matrix]] = defaultdict(list)
        for k, group in enumerate(self._groups):
            reads = dict.fromkeys(plan.roots[a] for n in group.calls for a in plan.calls[n].arguments)
            dying = [root for root in reads if self._is_scratch(root) and self._last[root] == k]
            whole = [root for root in dying if group.is_loop and self._is_read_whole(root, group)]
            for n in group.calls:
                if not self._needs_memory(n, k):
                    continue
                pool = free[self._size(n).text()]
                if plan.role(n) == "element" and whole:  # written where it is read last, element by element
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
        """Return whether a value has memory in the workspace that later values may reuse."""
        return root in self._home and root in self._memory and self._memory[root].writable

    def _is_read_whole(self, root: int, group: CallGroup) -> bool:
        plan = self._plan
        readers = [n for n in group.calls if any(plan.roots[a] == root for a in plan.calls[n].arguments)]
        return all(plan.reads_whole(n, root, group.space) for n in readers)

    def _needs_memory(self, n: int, group: int) -> bool:
        """Return whether a value has no memory yet and needs it, since it is read outside its loop or retained."""
        plan = self._plan
        if n in self._memory:
            return False
        readers = [(user, plan.role(user)) for user in plan.users[n]]
        if n in self.variables:
            return n in plan.retained or any(role == "call" for _, role in readers)
        if plan.role(n) != "element" or n in plan.retained:
            return True
        return any(role == "view" or self._home[user] != group for user, role in readers)

    def _size(self, n: int) -> Extent:
        rows, columns = self._plan.space(n)
        match rows, columns:
            case int(), str():
                return Extent({columns: rows})
            case str(), int():  # no more than the axis's padded length
                return Extent({rows: columns})
            case int(), int():
                return Extent({"": -(-rows * columns // ALIGNMENT) * ALIGNMENT})
        raise no_form(self._plan.calls[n].shape)

    def _new(self, n: int) -> Matrix:
        base = f"(workspace + {self.extent.text()})"
        self._offsets[base] = Extent(self.extent)
        self.extent.update(self._size(n))
        return self._lying(n, base)

    def _lying(self, n: int, base: str) -> Matrix:
        """Return the matrix of a value in the workspace; its rows are padded if their length is a named axis."""
        rows, columns = self._plan.space(n)
        return Matrix(base, rows, columns, padded(columns) if isinstance(columns, str) else str(columns))
