"""The C function of a plan, which calls further functions if the plan is long.

It also writes the calls with separate loops: matrix products, concatenation, repetition, and selection by an index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from specnet.compiler import operations
from specnet.compiler.lowering import Call, Plan
from specnet.compiler.native.allocate import Allocation, Extent, Matrix, padded
from specnet.compiler.native.c_plan import LONGEST, CallGroup, CPlan, NoFormError, fuse
from specnet.compiler.native.c_text.c_forms import TYPES, SharedFunctions, block, literal
from specnet.compiler.native.c_text.c_functions import functions_text
from specnet.compiler.native.c_text.c_head import SHARED_TRANSPOSE_TEXT, head_text, transposing_text
from specnet.compiler.native.c_text.emit_loop import LoopEmitter
from specnet.compiler.native.c_text.matrix_products import PRODUCT_STRUCT, Products
from specnet.compiler.native.c_text.thread_pool import SHARING_TEXT
from specnet.compiler.native.toolchain.processors import Processor
from specnet.compiler.operations import row_bounds
from specnet.compiler.value import Axis, Kind, Operation

FEW_PRODUCTS = 64
"""Size of a weight's gradient below which dot products are faster than tiles."""
TEMPORARY = "temporary"
"""The name of the pointer to temporary memory within one call."""


class CallEmitter:
    """A writer of the calls of a plan that are not loops over elements.

    Parameters
    ----------
    plan, allocation
    products
        Writer of matrix products.

    Attributes
    ----------
    temporary
        The largest size of the temporary memory of a call so far.
    """

    def __init__(self, plan: CPlan, allocation: Allocation, products: Products) -> None:
        self._plan, self._allocation, self._products = plan, allocation, products
        self.temporary = Extent()

    def emit_call(self, n: int) -> list[str]:
        """Return the C statements of a call.

        Raises
        ------
        NoFormError
            If the operation has no form in C.
        """
        call = self._plan.calls[n]
        if call.operation not in WRITERS:
            raise NoFormError(f"{call.operation.name} has no form in C")
        return WRITERS[call.operation](self, call, *map(self._allocation.matrix, (n, *call.arguments)))

    # ---------------------------------------------------------------------------------------------------- products

    def _affine(self, call: Call, out: Matrix, weights: Matrix, x: Matrix) -> list[str]:
        return self._multiplied(weights.transposed(), x, out, weights.below(x.rows))

    def _affine_gradient(self, call: Call, out: Matrix, x: Matrix, d: Matrix) -> list[str]:
        return self._summed(x, d, out, out.below(x.rows))

    def _matmul(self, call: Call, out: Matrix, a: Matrix, b: Matrix) -> list[str]:
        flip_a, flip_b = call.attributes
        if not flip_a and flip_b and isinstance(a.columns, str) and isinstance(b.rows, int):
            return self._summed(a, b, out)
        return self._multiplied(a.transposed() if flip_a else a, b.transposed() if flip_b else b, out)

    def _grouped_matmul(self, call: Call, *matrices: Matrix) -> list[str]:
        """Return the statements of a matrix product for each group g of rows."""
        count, *flips = call.attributes

        def of_group(x: Matrix) -> Matrix:
            if count == 1:
                return x
            assert isinstance(x.rows, int), "groups have a fixed number of rows"
            return x._replace(base=f"({x.base} + g * {x.row})", row=f"{count} * {x.row}", rows=x.rows // count)

        product = self._matmul(call._replace(attributes=flips), *map(of_group, matrices))
        return block(f"for (long g = 0; g < {count}; g++)", product)

    def _multiplied(self, a: Matrix, b: Matrix, c: Matrix, bias: str = "") -> list[str]:
        """Return statements for c = a·b (+ bias): in tiles if the columns are a named axis, else in plain loops."""
        if isinstance(c.columns, str) and b.column == "1" and isinstance(c.rows, int) and isinstance(b.rows, int):
            return self._products.product(a, b, c, bias)
        of_a, of_b = f"{a.base}[i * {a.row} + k * {a.column}]", f"{b.base}[k * {b.row} + j * {b.column}]"
        added = [
            f"real s = {f'{bias}[i]' if bias else '0'};",
            f"for (long k = 0; k < {b.rows}; k++) s += {of_a} * {of_b};",
            f"{c.base}[i * {c.row} + j] = s;",
        ]
        return block(f"for (long i = 0; i < {c.rows}; i++)", block(f"for (long j = 0; j < {c.columns}; j++)", added))

    def _summed(self, a: Matrix, b: Matrix, c: Matrix, sums: str = "") -> list[str]:
        """Return statements for c = a·bᵀ, summed over a named axis; also write the sums of b's rows to `sums`."""
        rows, columns, depth, numbers = a.rows, b.rows, a.columns, self._products.vector_numbers
        assert isinstance(rows, int), "a weight has a fixed number of rows"
        assert isinstance(columns, int), "and of columns"
        if columns < numbers // 2 or rows * columns < FEW_PRODUCTS or not isinstance(depth, str):
            return self._products.dots(a, b, c, sums)
        wide = -(-columns // numbers) * numbers
        transposed, fits = Matrix(TEMPORARY, depth, wide, str(wide)), c.row == str(wide)
        rest = Matrix(f"({TEMPORARY} + {wide} * {padded(depth)})", rows, wide, str(wide))
        apart = f"({rest.base} + {rest.rows} * {wide})"
        self.temporary |= Extent({depth: wide, "": 2 * rows * wide})
        lines = [self._products.transpose(b, transposed)]
        lines += self._products.product(a, transposed, c._replace(columns=wide) if fits else rest, apart=apart)
        if not fits:
            lines.append(copy_rows(c, rest._replace(columns=columns)))
        if sums:
            lines += self._products.product(Matrix("(&one)", 1, depth, "0", "0"), transposed, rest, apart=apart)
            lines.append(f"memcpy({sums}, {rest.base}, {columns} * sizeof(real));")
        return lines

    # ------------------------------------------------------------------------------------------------------ pieces

    def _concatenate(self, call: Call, whole: Matrix, *parts: Matrix) -> list[str]:
        bounds = row_bounds([(part.rows, part.columns) for part in parts])
        pairs = zip(parts, bounds, strict=True)
        return [copy_rows(whole._replace(base=whole.below(low)), part) for part, (low, _) in pairs]

    def _pad(self, call: Call, whole: Matrix, d: Matrix) -> list[str]:
        low, _, total = call.attributes
        zeros = f"memset({whole.base} + i * {whole.row}, 0, {d.columns} * sizeof(real));"
        return [f"for (long i = 0; i < {total}; i++) {zeros}", copy_rows(whole._replace(base=whole.below(low)), d)]

    def _repeat(self, call: Call, made: Matrix, x: Matrix) -> list[str]:
        count, each = call.attributes
        copy = copy_row(made, x, f"(i * {count} + k)" if each else f"(k * {x.rows} + i)")
        return [f"for (long i = 0; i < {x.rows}; i++) for (long k = 0; k < {count}; k++) {copy}"]

    def _fold(self, call: Call, made: Matrix, x: Matrix) -> list[str]:
        count, each = call.attributes
        first, row = (f"(i * {count} + {k})" if each else f"({k} * {made.rows} + i)" for k in ("0", "k"))
        sums = [
            f"real *w = {made.base} + i * {made.row};",
            f"memcpy(w, {x.base} + {first} * {x.row}, {made.columns} * sizeof(real));",
            f"for (long k = 1; k < {count}; k++) {{",
            f"  const real *r = {x.base} + {row} * {x.row};",
            "  SIMD()",
            f"  for (long j = 0; j < {made.columns}; j++) w[j] += r[j];",
            "}",
        ]
        return block(f"for (long i = 0; i < {made.rows}; i++)", sums)

    # ----------------------------------------------------------------------------------------------------- indices

    def _gather(self, call: Call, made: Matrix, table: Matrix, index: Matrix) -> list[str]:
        picked = f"{made.base}[i * {made.row} + j] = {table.base}[i * {table.row} + {_within(index, table.columns)}];"
        return [f"for (long i = 0; i < {made.rows}; i++) for (long j = 0; j < {made.columns}; j++) {picked}"]

    def _scatter_add(self, call: Call, made: Matrix, x: Matrix, index: Matrix) -> list[str]:
        at = _within(index, made.columns)
        added = f"{made.base}[i * {made.row} + {at}] += {x.base}[i * {x.row} + j];"
        zeros = f"memset({made.base} + i * {made.row}, 0, {made.columns} * sizeof(real));"
        columns = f"for (long j = 0; j < {x.columns}; j++) {added}"
        return block(f"for (long i = 0; i < {made.rows}; i++)", [zeros, columns])


def copy_row(target: Matrix, source: Matrix, to: str = "i") -> str:
    """Return the statement that copies the source's row i to row `to` of the target."""
    addresses = f"{target.base} + {to} * {target.row}, {source.base} + i * {source.row}"
    return f"memcpy({addresses}, {source.columns} * sizeof(real));"


def copy_rows(target: Matrix, source: Matrix) -> str:
    """Return the statement that copies all rows of the source to the first rows of the target."""
    return f"for (long i = 0; i < {source.rows}; i++) {copy_row(target, source)}"


def _within(index: Matrix, count: Axis) -> str:
    """Return the j-th index in C, limited to valid indices, so that no other memory is read or written."""
    return f"WITHIN(((const integer *){index.base})[j], {count})"


WRITERS: Mapping[Operation, Callable[..., list[str]]] = {
    operations.AFFINE: CallEmitter._affine,
    operations.AFFINE_GRADIENT: CallEmitter._affine_gradient,
    operations.MATMUL: CallEmitter._matmul,
    operations.GROUPED_MATMUL: CallEmitter._grouped_matmul,
    operations.CONCATENATE: CallEmitter._concatenate,
    operations.PAD: CallEmitter._pad,
    operations.REPEAT: CallEmitter._repeat,
    operations.FOLD: CallEmitter._fold,
    operations.GATHER: CallEmitter._gather,
    operations.SCATTER_ADD: CallEmitter._scatter_add,
}
"""The writers of all operations that are neither elements nor reductions, except leaves and views."""


PARAMETERS = "void *const *p, const index64 *sizes, int with_outputs"
"""Parameters of a program's function: workspace and leaves, lengths of named axes, and whether to compute outputs."""


class Statements(NamedTuple):
    """The C statements of some calls of a plan."""

    calls: list[int]
    lines: list[str]
    for_outputs_only: bool

    def text(self, plan: CPlan) -> list[str]:
        """Return the lines after a comment for each call."""
        lines = block("if (with_outputs)", self.lines) if self.for_outputs_only else self.lines
        return ["", *(f"/* {plan.comment(n)} */" for n in self.calls), *lines]

    @property
    def is_call(self) -> bool:
        """Whether the statements are a single line, which calls a function or copies numbers."""
        return len(self.lines) == 1


class CText:
    """The C code of several programs that share their leaves and their workspace.

    Parameters
    ----------
    dtype
        The dtype of real numbers: float32 or float64.
    target
        The processor.
    likely
        The usual lengths of named axes, for which matrix products are optimized.

    Attributes
    ----------
    table
        The names of leaves, in the order of the pointers to their arrays; the first name, "", is the workspace.
    axes
        The named axes, in the order of their lengths in the C argument `sizes`.
    functions
        The functions of the programs, in the order in which they were added.
    shares
        Whether threads share work in the code. Callers that add shared functions set it.
    """

    def __init__(self, dtype: np.dtype[Any], target: Processor, likely: Mapping[str, int]) -> None:
        self.dtype, self.target, self.likely = dtype, target, likely
        self.table: list[str] = [""]
        self.axes = sorted(likely)
        self.vector_numbers = target.vector_bytes // dtype.itemsize
        self.shared = SharedFunctions()
        self.products = Products(target, self.vector_numbers, likely, self.shared)
        self.shares = False
        self.functions: list[CFunction] = []

    def add(self, plan: Plan, name: str) -> CFunction:
        """Add a program as a C function of this name, and return it.

        Raises
        ------
        NoFormError
            If an operation has no form in C.
        """
        plan = CPlan(plan.calls, plan.outputs, plan.commits)
        groups = fuse(plan)
        for n, call in enumerate(plan.calls):
            if plan.is_leaf_array(n):
                self.pointer(call.attributes)
        allocation = Allocation(plan, groups, self.table)
        emitter = CallEmitter(plan, allocation, self.products)
        written = [self._statements(plan, allocation, emitter, group) for group in groups]
        late = [_late_commit(plan, allocation, state, value, self.dtype) for state, value in allocation.copies]
        written += [Statements([], [line], for_outputs_only=False) for line in late]
        first = [*self.lengths(), "real *const workspace = p[0];"]
        last = [f"real *const {TEMPORARY} = workspace + {allocation.extent.text()}; (void){TEMPORARY};"]
        last.append("(void)with_outputs;")
        text, lines = list[str](), [line for statements in written for line in statements.text(plan)]
        if plan.is_long:
            parts = self._parts(plan, written)
            lines = [f"{name}_{k}(p, sizes, with_outputs);" for k in range(len(parts))]
            for k, part in enumerate(parts):
                text += block(f"OUTLINE void {name}_{k}({PARAMETERS})", [*first, *last, *part])
        declared = [*first, *_leaves(self, plan, allocation), *last]
        text += ["", f"/* {name} */", *block(f"static void {name}({PARAMETERS})", [*declared, *lines])]
        function = CFunction(plan, allocation, "\n".join(text), Extent(allocation.extent + emitter.temporary))
        self.functions.append(function)
        return function

    def _statements(self, plan: CPlan, allocation: Allocation, emitter: CallEmitter, group: CallGroup) -> Statements:
        if group.is_loop:
            lines = LoopEmitter(plan, allocation, group, self.dtype).emit_loop()
        else:
            lines = [line for n in group.calls for line in emitter.emit_call(n)]
        return Statements(group.calls, lines, group.for_outputs_only)

    def _parts(self, plan: CPlan, written: Iterable[Statements]) -> list[list[str]]:
        """Return the lines of a long program in parts of at most `LONGEST` groups of statements."""
        calls = []
        for statements in _joined(written):
            lines = statements.lines if statements.is_call else [self.shared.call(statements.lines, self.lengths())]
            calls.append(statements._replace(lines=lines).text(plan))
        return [[line for lines in calls[k : k + LONGEST] for line in lines] for k in range(0, len(calls), LONGEST)]

    def pointer(self, name: str) -> str:
        """Return the C expression of a leaf's entry in the table of pointers; the entry is added if it is missing."""
        if name not in self.table:
            self.table.append(name)
        return f"p[{self.table.index(name)}]"

    def lengths(self) -> list[str]:
        """Return the declarations of the lengths of named axes."""
        return [
            f"const long {axis} = sizes[{k}], {padded(axis)} = PADDED({axis}); (void){axis}; (void){padded(axis)};"
            for k, axis in enumerate(self.axes)
        ]

    def text(self, *others: str) -> str:
        """Return the whole C code, with the texts `others` at its end."""
        head = [head_text(self.dtype, self.target.vector_bytes), functions_text(self.dtype)]
        self.shares |= self.products.shares
        head += [SHARING_TEXT] if self.shares else []
        head += [transposing_text(self.vector_numbers), *([SHARED_TRANSPOSE_TEXT] if self.shares else [])]
        head += [PRODUCT_STRUCT] if self.products.shares else []
        head += self.shared.definitions.values()
        return "\n".join([*head, *(function.text for function in self.functions), *others])


class CFunction(NamedTuple):
    """The C function of one plan.

    Attributes
    ----------
    plan, allocation
    text
        The C code of the function.
    extent
        The size of the workspace that the function needs.
    """

    plan: CPlan
    allocation: Allocation
    text: str
    extent: Extent


def _joined(written: Iterable[Statements]) -> list[Statements]:
    """Join successive statements, except calls, so that each result becomes one function."""
    joined: list[Statements] = []
    for statements in written:
        last = joined[-1] if joined else statements
        is_apart = last.is_call or statements.is_call or last.for_outputs_only != statements.for_outputs_only
        if not joined or is_apart or len(last.calls) + len(statements.calls) > LONGEST:
            joined.append(statements)
        else:
            joined[-1] = last._replace(calls=last.calls + statements.calls, lines=last.lines + statements.lines)
    return joined


def _leaves(source: CText, plan: CPlan, allocation: Allocation) -> list[str]:
    """Return the declarations of pointers to leaves and of variables, and the conversions of leaves to `real`."""
    lines = []
    for n, call in enumerate(plan.calls):
        if not plan.is_leaf_array(n):
            continue
        pointer = source.pointer(call.attributes)
        if allocation.is_converted(n):
            lines.append(_conversion(call.kind, allocation.matrix(n), pointer))
            continue
        if plan.is_long:
            continue
        lines.append(f"real *const {allocation.pointer(n)} = {pointer};")
        if n in allocation.variables:
            lines[-1] += f" const real v{n} = *{allocation.pointer(n)};"
            lines.append(f"(void)v{n};")
    computed = [n for n in sorted(allocation.variables) if not plan.is_leaf_array(n)]
    return lines + [f"{TYPES[plan.calls[n].kind]} v{n} = 0;" for n in computed]


def _conversion(kind: Kind, matrix: Matrix, pointer: str) -> str:
    given, made = ("uint8_t", "real") if kind == "mask" else ("index64", "integer")
    source, target = f"((const {given} *){pointer})[i * {matrix.columns} + j]", f"(({made} *){matrix.base})"
    converted = f"{target}[i * {matrix.row} + j] = ({made}){source};"
    return f"for (long i = 0; i < {matrix.rows}; i++) for (long j = 0; j < {matrix.columns}; j++) {converted}"


def _late_commit(plan: CPlan, allocation: Allocation, state: int, value: int, dtype: np.dtype[Any]) -> str:
    """Return the statement that copies a new value to its state, for a commit that is not computed in place."""
    target = allocation.matrix(state)
    if plan.is_constant(value):
        return f"*{target.base} = {literal(plan.calls[value].attributes, dtype)};"
    if value in allocation.variables:
        return f"*{target.base} = v{value};"
    return copy_rows(target, allocation.matrix(value))
