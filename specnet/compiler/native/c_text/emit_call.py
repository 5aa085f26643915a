"""Calls with loops of their own: products, pieces of arrays, and what is picked by an index."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from specnet.compiler.lowering import Call
from specnet.compiler.native.allocate import Extent, Matrix, Places, padded
from specnet.compiler.native.c_plan import CPlan, NoFormError
from specnet.compiler.native.c_text.emit_loop import block
from specnet.compiler.native.c_text.matrix_products import Products
from specnet.compiler.operations import picking, pieces, products
from specnet.compiler.operations.pieces import row_bounds
from specnet.compiler.shapes import Axis
from specnet.compiler.value import Operation

FEW_PRODUCTS = 64
"""Numbers of a weight's gradient below which dot products make it faster than tiles do."""
TEMPORARY = "temporary"
"""The pointer to room that a call has to itself."""


class CallEmitter:
    """Writes the calls of a plan that are no loops over elements.

    Parameters
    ----------
    plan, places
    products
        Keeps the functions that products call.

    Attributes
    ----------
    temporary
        Room enough for what each of the calls needs to itself.
    """

    def __init__(self, plan: CPlan, places: Places, products: Products) -> None:
        self._plan, self._places, self._products = plan, places, products
        self.temporary = Extent()

    def emit_call(self, n: int) -> list[str]:
        """Return the statements of a call.

        Raises
        ------
        NoFormError
            If C has no form of it.
        """
        call = self._plan.calls[n]
        if call.operation not in WRITERS:
            raise NoFormError(f"{call.operation.name} has no form in C")
        return WRITERS[call.operation](self, call, *map(self._places.place, (n, *call.arguments)))

    # ---------------------------------------------------------------------------------------------------- products

    def _affine(self, call: Call, out: Matrix, weights: Matrix, x: Matrix) -> list[str]:
        return self._multiplied(weights.turned(), x, out, weights.below(x.rows))

    def _affine_gradient(self, call: Call, out: Matrix, x: Matrix, d: Matrix) -> list[str]:
        return self._summed(x, d, out, out.below(x.rows))

    def _matmul(self, call: Call, out: Matrix, a: Matrix, b: Matrix) -> list[str]:
        flip_a, flip_b = call.attributes
        if not flip_a and flip_b and isinstance(a.columns, str) and isinstance(b.rows, int):
            return self._summed(a, b, out)
        return self._multiplied(a.turned() if flip_a else a, b.turned() if flip_b else b, out)

    def _grouped_matmul(self, call: Call, *matrices: Matrix) -> list[str]:
        """Return a product for each of some groups g, whose rows take turns."""
        count, *flips = call.attributes

        def of_group(x: Matrix) -> Matrix:
            if count == 1:
                return x
            assert isinstance(x.rows, int), "rows take turns"
            return x._replace(base=f"({x.base} + g * {x.row})", row=f"{count} * {x.row}", rows=x.rows // count)

        product = self._matmul(call._replace(attributes=flips), *map(of_group, matrices))
        return block(f"for (long g = 0; g < {count}; g++)", product)

    def _multiplied(self, a: Matrix, b: Matrix, c: Matrix, bias: str = "") -> list[str]:
        """Return c = a·b (+ bias), tiled if the columns are a named axis, and in plain loops else."""
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
        """Return c = a·bᵀ, summed over a named axis, and the sums of the rows of b where a pointer says."""
        rows, columns, depth, numbers = a.rows, b.rows, a.columns, self._products.vector_numbers
        assert isinstance(rows, int), "a weight has a fixed number of rows"
        assert isinstance(columns, int), "and of columns"
        if columns < numbers // 2 or rows * columns < FEW_PRODUCTS or not isinstance(depth, str):
            return self._products.dots(a, b, c, sums)
        wide = -(-columns // numbers) * numbers
        turned, fits = Matrix(TEMPORARY, depth, wide, str(wide)), c.row == str(wide)
        rest = Matrix(f"({TEMPORARY} + {wide} * {padded(depth)})", rows, wide, str(wide))
        apart = f"({rest.base} + {rest.rows} * {wide})"
        self.temporary |= Extent({depth: wide, "": 2 * rows * wide})
        lines = [self._products.turn(b, turned)]
        lines += self._products.product(a, turned, c._replace(columns=wide) if fits else rest, apart=apart)
        if not fits:
            lines.append(copy_rows(c, rest._replace(columns=columns)))
        if sums:
            lines += self._products.product(Matrix("(&one)", 1, depth, "0", "0"), turned, rest, apart=apart)
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
    """Return a copy of the source's row i to some row of the target."""
    places = f"{target.base} + {to} * {target.row}, {source.base} + i * {source.row}"
    return f"memcpy({places}, {source.columns} * sizeof(real));"


def copy_rows(target: Matrix, source: Matrix) -> str:
    """Return a copy of all rows of the source to the first ones of the target."""
    return f"for (long i = 0; i < {source.rows}; i++) {copy_row(target, source)}"


def _within(index: Matrix, count: Axis) -> str:
    """Return the j-th index, moved to the nearest one that there is: no index reads or writes elsewhere."""
    return f"WITHIN(((const integer *){index.base})[j], {count})"


WRITERS: Mapping[Operation, Callable[..., list[str]]] = {
    products.AFFINE: CallEmitter._affine,
    products.AFFINE_GRADIENT: CallEmitter._affine_gradient,
    products.MATMUL: CallEmitter._matmul,
    products.GROUPED_MATMUL: CallEmitter._grouped_matmul,
    pieces.CONCATENATE: CallEmitter._concatenate,
    pieces.PAD: CallEmitter._pad,
    pieces.REPEAT: CallEmitter._repeat,
    pieces.FOLD: CallEmitter._fold,
    picking.GATHER: CallEmitter._gather,
    picking.SCATTER_ADD: CallEmitter._scatter_add,
}
"""Every operation that is neither an element nor a reduction, but leaves and views."""
