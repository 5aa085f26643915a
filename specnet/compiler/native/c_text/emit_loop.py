"""One loop in C for a group of elements and reductions over the same rows and columns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from specnet.compiler import operations
from specnet.compiler.native.allocate import Allocation, Matrix, padded
from specnet.compiler.native.c_plan import CallGroup, CPlan
from specnet.compiler.native.c_text.c_forms import TYPES, block, element, literal, summing
from specnet.compiler.value import Kind


class Pointer(NamedTuple):
    """A C variable that points to row i of an array; if `distance` is empty, to the same row for all i."""

    name: str
    base: str
    distance: str

    def line(self) -> str:
        row = f" + i * {self.distance}" if self.distance else ""
        return f"{self.name} = {self.base}{row};"


class LoopEmitter:
    """A writer of the loop of a group.

    The index of rows is i, the index of columns j. A loop over a column, (rows, 1), is written like a loop over a row.

    Parameters
    ----------
    plan, allocation
    group
        A group that is a loop.
    dtype
        The dtype of real numbers.
    """

    def __init__(self, plan: CPlan, allocation: Allocation, group: CallGroup, dtype: np.dtype[Any]) -> None:
        self._plan, self._allocation, self._group, self._dtype = plan, allocation, group, dtype
        rows, columns = group.space
        self._is_column = columns == 1
        self._rows, self._columns = (1, rows) if self._is_column else (rows, columns)
        self._names: dict[int, str] = {}
        self._arrays: list[Matrix] = []
        self._starts: list[tuple[str, str]] = []
        self._before: list[str] = []
        self._pointers: list[Pointer] = []
        self._per_row: list[str] = []
        self._body: list[str] = []
        self._after_row: list[str] = []
        self._after: list[str] = []
        self._sums: list[str] = []
        self._keeps_order = self._counts_exactly = self._needs_row_number = False

    def emit_loop(self) -> list[str]:
        """Return the C statements of the loop."""
        plan = self._plan
        elements = [n for n in self._group.calls if plan.role(n) == "element"]
        for n in elements:
            self._element(n)
        for n in self._group.calls:
            if plan.role(n) == "reduction":
                self._reduction(n)
        for n in elements:
            if self._allocation.is_in_memory(n):
                self._store(n)
        return block("", self._loops())

    def _element(self, n: int) -> None:
        plan, call = self._plan, self._plan.calls[n]
        self._needs_row_number |= call.operation is operations.ONE_HOT
        if plan.weighs_rows(n):
            code = self._weighed_rows(n, *call.arguments)
        else:
            constant = [plan.is_constant(a) for a in call.arguments]
            code = element(call.operation, [self._operand(a) for a in call.arguments], constant)
        declared = "" if n in self._allocation.variables else f"const {TYPES[call.kind]} "
        self._names[n] = f"v{n}"
        self._body.append(f"{declared}v{n} = {code};")

    def _weighed_rows(self, n: int, weights: int, x: int) -> str:
        """Return the C code of a dense layer's element: the bias plus the inputs times their weights, in order."""
        block_, inputs, (depth, _) = (
            self._allocation.matrix(weights),
            self._allocation.matrix(x),
            self._plan.space(x),
        )
        assert isinstance(depth, int), "a dense layer has a fixed number of inputs"
        self._needs_row_number = True
        self._arrays.append(inputs)
        self._per_row.append(f"const real b{n} = {block_.base}[{depth} * {block_.row} + i];")
        for k in range(depth):
            self._per_row.append(f"const real a{n}_{k} = {block_.base}[{k} * {block_.row} + i];")
            self._pointers.append(Pointer(f"const real *r{n}_{k}", f"{inputs.base} + {k} * {inputs.row}", ""))
        return " + ".join([f"b{n}", *(f"a{n}_{k} * r{n}_{k}[j]" for k in range(depth))])

    def _operand(self, a: int) -> str:
        """Return the C name of an operand's element; its load is written if it is in memory."""
        plan, call = self._plan, self._plan.calls[a]
        if a not in self._names:
            self._names[a] = literal(call.attributes, self._dtype) if plan.is_constant(a) else f"v{a}"
            if not plan.is_constant(a) and a not in self._allocation.variables:
                self._load(a, call.kind)
        return self._names[a]

    def _load(self, a: int, kind: Kind) -> None:
        matrix, (rows, columns) = self._allocation.matrix(a), self._plan.space(a)
        truth = " != 0" if kind == "mask" else ""
        declared, source = f"const {TYPES[kind]} v{a}", _typed(matrix.base, kind, "const ")
        if self._plan.is_number(a):
            self._before.append(f"{declared} = *{source}{truth};")
        elif columns == 1 and not self._is_column:  # the same number in all columns
            self._per_row.append(f"{declared} = {source}[i * {matrix.row}]{truth};")
        else:
            distance = "" if rows == 1 or self._is_column else matrix.row
            self._arrays.append(matrix)
            self._pointers.append(Pointer(f"const {_type(kind)} *r{a}", source, distance))
            self._body.append(f"{declared} = r{a}[j]{truth};")

    def _store(self, n: int) -> None:
        matrix, kind = self._allocation.matrix(n), self._plan.calls[n].kind
        target = _typed(matrix.base, kind)
        if self._plan.is_number(n):
            self._after.append(f"*{target} = v{n};")
            return
        distance = "" if self._rows == 1 else matrix.row
        self._counts_exactly |= not matrix.writable
        self._arrays.append(matrix)
        self._pointers.append(Pointer(f"{_type(kind)} *w{n}", target, distance))
        self._body.append(f"w{n}[j] = v{n};")

    def _reduction(self, n: int) -> None:
        call = self._plan.calls[n]
        (a,) = call.arguments
        value, is_sum = self._operand(a), call.operation is not operations.MAX
        start = "0" if is_sum else "-(real)INFINITY"

        def added(total: str, more: str) -> str:
            return f"{total} += {more};" if is_sum else f"{total} = r_max({total}, {more});"

        if call.attributes == "features" and not self._is_column:
            matrix = self._allocation.matrix(n)
            self._starts.append((matrix.base, start))
            self._arrays.append(matrix)
            self._pointers.append(Pointer(f"real *w{n}", matrix.base, ""))
            self._body.append(added(f"w{n}[j]", value))
            return
        self._counts_exactly = True
        self._keeps_order |= not is_sum
        self._per_row.append(f"{'double' if is_sum else 'real'} s{n} = {start};")
        self._body.append(added(f"part_s{n}" if is_sum else f"s{n}", value))
        if is_sum:
            self._sums.append(f"s{n}")
        if not self._plan.is_number(n):
            matrix = self._allocation.matrix(n)
            self._after_row.append(f"{matrix.base}[i * {matrix.row}] = s{n};")
            return
        declared = "" if n in self._allocation.variables else "real "
        if self._rows == 1:
            self._after_row.append(f"{declared}v{n} = s{n};")
        else:
            self._before.append(f"{declared}v{n} = {start};")
            self._after_row.append(added(f"v{n}", f"s{n}"))
        if self._allocation.is_in_memory(n):
            self._after.append(f"*{self._allocation.matrix(n).base} = v{n};")

    def _loops(self) -> list[str]:
        width = self._width()
        starts = [f"for (long j = 0; j < {width}; j++) {base}[j] = {start};" for base, start in self._starts]
        if self._columns == 1:
            parts = [f"real part_{name} = 0;" for name in self._sums]
            added = [f"{name} += part_{name};" for name in self._sums]
            pointers = [pointer.line() for pointer in self._pointers]
            rows = [*pointers, *self._per_row, *parts, *self._body, *added, *self._after_row]
            return [*self._before, *rows, *self._after]
        if self._is_one_line(width):
            pointers = [pointer._replace(distance="").line() for pointer in self._pointers]
            return [*self._before, *pointers, *self._over_columns(f"{self._rows} * {width}"), *self._after]
        pointers = [pointer.line() for pointer in self._pointers]
        rows = [*pointers, *self._per_row, *self._over_columns(width), *self._after_row]
        if self._rows != 1:
            rows = block(f"for (long i = 0; i < {self._rows}; i++)", rows)
        elif self._needs_row_number:
            rows = ["const long i = 0;", *rows]
        return [*self._before, *starts, *rows, *self._after]

    def _over_columns(self, width: str) -> list[str]:
        # A maximum is computed in order, without SIMD, so that NaN stays NaN.
        if self._sums:
            return summing(width, self._body, self._sums, in_order=self._keeps_order)
        pragma = [] if self._keeps_order else ["SIMD()"]
        return [*pragma, *block(f"for (long j = 0; j < {width}; j++)", self._body)]

    def _width(self) -> str:
        """Return the end of the loop over columns, including padding if nothing is summed and all arrays have it."""
        columns = self._columns
        if isinstance(columns, int) or self._is_column or self._counts_exactly:
            return str(columns)
        return padded(columns) if all(matrix.readable for matrix in self._arrays) else columns

    def _is_one_line(self, width: str) -> bool:
        """Return whether all rows are contiguous, so that a single loop goes through them."""
        sums = self._starts or self._sums or self._keeps_order
        narrow = self._per_row or any(not pointer.distance for pointer in self._pointers)
        follow = all(matrix.row == width for matrix in self._arrays)
        return self._rows != 1 and follow and not (sums or narrow or self._needs_row_number)


def _type(kind: Kind) -> str:
    """Return the C type of one element in memory."""
    return "integer" if kind == "index" else "real"


def _typed(base: str, kind: Kind, constant: str = "") -> str:
    return f"(({constant}integer *){base})" if kind == "index" else base
