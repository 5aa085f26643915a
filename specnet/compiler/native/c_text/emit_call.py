"""Calls with loops of their own: products, pieces of arrays, and what is picked by an index."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from specnet.compiler.native.allocate import Extent, Place, Places, padded
from specnet.compiler.native.c_text.emit_loop import block
from specnet.compiler.native.c_text.matrix_products import Matrix, Products
from specnet.compiler.native.rows_of_values import CPlan, NoFormError
from specnet.compiler.operations import picking, pieces, products
from specnet.compiler.operations.pieces import row_bounds
from specnet.compiler.shapes import Axis
from specnet.compiler.value import Operation

FEW_PRODUCTS = 64
"""Numbers of a weight's gradient below which dot products make it faster than tiles do."""
TEMPORARY = "temporary"
"""The pointer to room that a call has to itself."""


class Calls:
    """Writes the calls of a program that are no loops over elements.

    Parameters
    ----------
    program, places
    products
        Keeps the functions that products call.
    vector_numbers
        How many numbers a vector holds.
    likely
        The lengths of named axes, as a rule: products are made for them.

    Attributes
    ----------
    temporaries
        The largest room that one of the calls needs to itself.
    """

    def __init__(
        self, program: CPlan, places: Places, products: Products, vector_numbers: int, likely: Mapping[str, int]
    ) -> None:
        self._program, self._places, self._products = program, places, products
        self._vector_numbers, self._likely = vector_numbers, likely
        self.temporaries: list[Extent] = []

    def lines(self, n: int) -> list[str]:
        """Return the statements of a call.

        Raises
        ------
        NoFormError
            If C has no form of it.
        """
        operation = self._program.calls[n].operation
        if operation not in WRITERS:
            raise NoFormError(f"{operation.name} has no form in C")
        return WRITERS[operation](self, n, *self._program.calls[n].arguments)

    def _matrix(self, n: int) -> Matrix:
        place = self._places.place(n)
        return Matrix(place.base, place.row)

    # ---------------------------------------------------------------------------------------------------- products

    def _affine(self, n: int, weights: int, x: int) -> list[str]:
        (rows, columns), (depth, _) = self._program.space(n), self._program.space(x)
        block_, bias = self._matrix(weights), self._places.place(weights)
        return self._multiplied(
            (rows, depth, columns),
            Matrix(block_.base, "1", block_.row),
            self._matrix(x),
            self._matrix(n),
            f"({bias.base} + {depth} * {bias.row})",
        )

    def _affine_gradient(self, n: int, x: int, d: int) -> list[str]:
        (inputs, depth), (outputs, _), c = self._program.space(x), self._program.space(d), self._matrix(n)
        bias = f"({c.base} + {inputs} * {c.row})"
        return self._summed((inputs, depth, outputs), self._matrix(x), self._matrix(d), c, bias)

    def _matmul(self, n: int, a: int, b: int) -> list[str]:
        flip_a, flip_b = self._program.calls[n].attributes
        return self._product_of(n, a, b, 1, flip_a, flip_b)

    def _grouped_matmul(self, n: int, a: int, b: int) -> list[str]:
        count, flip_a, flip_b = self._program.calls[n].attributes
        return block(f"for (long g = 0; g < {count}; g++)", self._product_of(n, a, b, count, flip_a, flip_b))

    def _product_of(self, n: int, a: int, b: int, count: int, flip_a: bool, flip_b: bool) -> list[str]:
        """Return a product of one group g of some, whose rows take turns; of matrices, if there is one."""

        def of_group(x: int) -> tuple[Matrix, list[Axis]]:
            place, (rows, columns) = self._places.place(x), self._program.space(x)
            if count == 1:
                return Matrix(place.base, place.row), [rows, columns]
            assert isinstance(rows, int), "rows take turns"
            return Matrix(f"({place.base} + g * {place.row})", f"{count} * {place.row}"), [rows // count, columns]

        (of_a, shape_a), (of_b, _), (of_n, (rows, columns)) = of_group(a), of_group(b), of_group(n)
        depth = shape_a[0 if flip_a else 1]
        if not flip_a and flip_b and isinstance(depth, str) and isinstance(rows, int) and isinstance(columns, int):
            return self._summed((rows, depth, columns), of_a, of_b, of_n)
        of_a = Matrix(of_a.base, of_a.column, of_a.row) if flip_a else of_a
        of_b = Matrix(of_b.base, of_b.column, of_b.row) if flip_b else of_b
        return self._multiplied((rows, depth, columns), of_a, of_b, of_n)

    def _multiplied(self, sizes: tuple[Axis, Axis, Axis], a: Matrix, b: Matrix, c: Matrix, bias: str = "") -> list[str]:
        """Return c = a·b (+ bias), tiled if the columns are a named axis, and in plain loops else."""
        rows, depth, columns = sizes
        if isinstance(columns, str) and b.column == "1" and isinstance(rows, int) and isinstance(depth, int):
            vectors = f"{padded(columns)} / VECTOR"
            return self._products.product(rows, vectors, self._vectors(columns), depth, a, b, c, bias)
        of_a, of_b = f"{a.base}[i * {a.row} + k * {a.column}]", f"{b.base}[k * {b.row} + j * {b.column}]"
        added = [
            f"real s = {f'{bias}[i]' if bias else '0'};",
            f"for (long k = 0; k < {depth}; k++) s += {of_a} * {of_b};",
            f"{c.base}[i * {c.row} + j] = s;",
        ]
        return block(f"for (long i = 0; i < {rows}; i++)", block(f"for (long j = 0; j < {columns}; j++)", added))

    def _summed(self, sizes: tuple[Axis, Axis, Axis], a: Matrix, b: Matrix, c: Matrix, sums: str = "") -> list[str]:
        """Return c = a·bᵀ, summed over a named axis, and the sums of the rows of b where a pointer says."""
        rows, depth, columns = sizes
        assert isinstance(rows, int), "a weight has a fixed number of rows"
        assert isinstance(columns, int), "and of columns"
        if columns < self._vector_numbers // 2 or rows * columns < FEW_PRODUCTS or not isinstance(depth, str):
            return self._products.dots(rows, columns, str(depth), a, b, c, sums)
        wide = -(-columns // self._vector_numbers) * self._vector_numbers
        turned, fits = Matrix(TEMPORARY, str(wide)), c.row == str(wide)
        rest = f"({TEMPORARY} + {wide} * {padded(depth)})"
        target = c if fits else Matrix(rest, str(wide))
        self.temporaries.append(Extent({depth: wide, "": (rows + 1) * wide}))
        vectors = wide // self._vector_numbers
        lines = [self._products.turn(b, "0", str(columns), depth, turned, columns * self._likely[depth])]
        lines += self._products.product(rows, str(vectors), vectors, depth, a, turned, target)
        if not fits:
            lines += self._copied(target, c, rows, columns)
        if sums:
            one = Matrix("(&one)", "0", "0")
            lines += self._products.product(1, str(vectors), vectors, depth, one, turned, Matrix(rest, str(wide)))
            lines.append(f"memcpy({sums}, {rest}, {columns} * sizeof(real));")
        return lines

    def _vectors(self, axis: str) -> int:
        """How many vectors a named axis has, as a rule."""
        return -(-self._likely[axis] // self._vector_numbers)

    # ------------------------------------------------------------------------------------------------------ pieces

    def _copied(self, source: Matrix | Place, target: Matrix | Place, rows: Axis, columns: Axis) -> list[str]:
        """Return a copy of rows."""
        copy = f"memcpy({target.base} + i * {target.row}, {source.base} + i * {source.row}, {columns} * sizeof(real));"
        return [f"for (long i = 0; i < {rows}; i++) {copy}"]

    def _concatenate(self, n: int, *parts: int) -> list[str]:
        whole, lines = self._places.place(n), []
        bounds = row_bounds([self._program.calls[part].shape for part in parts])
        for part, (low, _) in zip(parts, bounds, strict=True):
            target = whole._replace(base=f"({whole.base} + {low} * {whole.row})")
            lines += self._copied(self._places.place(part), target, *self._program.space(part))
        return lines

    def _pad(self, n: int, d: int) -> list[str]:
        low, _, total = self._program.calls[n].attributes
        whole, (rows, columns) = self._places.place(n), self._program.space(d)
        target = whole._replace(base=f"({whole.base} + {low} * {whole.row})")
        zeros = (
            f"for (long i = 0; i < {total}; i++) memset({whole.base} + i * {whole.row}, 0, {columns} * sizeof(real));"
        )
        return [zeros, *self._copied(self._places.place(d), target, rows, columns)]

    def _repeat(self, n: int, x: int) -> list[str]:
        count, each = self._program.calls[n].attributes
        (rows, columns), made, source = self._program.space(x), self._places.place(n), self._places.place(x)
        row = f"(i * {count} + k)" if each else f"(k * {rows} + i)"
        copy = f"memcpy({made.base} + {row} * {made.row}, {source.base} + i * {source.row}, {columns} * sizeof(real));"
        return [f"for (long i = 0; i < {rows}; i++) for (long k = 0; k < {count}; k++) {copy}"]

    def _fold(self, n: int, x: int) -> list[str]:
        count, each = self._program.calls[n].attributes
        (rows, columns), made, source = self._program.space(n), self._places.place(n), self._places.place(x)
        row = f"(i * {count} + k)" if each else f"(k * {rows} + i)"
        sums = [
            f"real *w = {made.base} + i * {made.row};",
            f"memcpy(w, {source.base} + {row.replace('k', '0')} * {source.row}, {columns} * sizeof(real));",
            *block(
                f"for (long k = 1; k < {count}; k++)",
                [
                    f"const real *r = {source.base} + {row} * {source.row};",
                    "SIMD()",
                    f"for (long j = 0; j < {columns}; j++) w[j] += r[j];",
                ],
            ),
        ]
        return block(f"for (long i = 0; i < {rows}; i++)", sums)

    # ----------------------------------------------------------------------------------------------------- indices

    def _gather(self, n: int, table: int, index: int) -> list[str]:
        (rows, columns), made, source = self._program.space(n), self._places.place(n), self._places.place(table)
        at = _within(self._places.place(index), self._program.space(table)[1])
        picked = f"{made.base}[i * {made.row} + j] = {source.base}[i * {source.row} + {at}];"
        return [f"for (long i = 0; i < {rows}; i++) for (long j = 0; j < {columns}; j++) {picked}"]

    def _scatter_add(self, n: int, x: int, index: int) -> list[str]:
        (rows, count), made, source = self._program.space(n), self._places.place(n), self._places.place(x)
        at = _within(self._places.place(index), count)
        added = f"{made.base}[i * {made.row} + {at}] += {source.base}[i * {source.row} + j];"
        zeros = f"memset({made.base} + i * {made.row}, 0, {count} * sizeof(real));"
        columns = f"for (long j = 0; j < {self._program.space(x)[1]}; j++) {added}"
        return block(f"for (long i = 0; i < {rows}; i++)", [zeros, columns])


def _within(index: Place, count: Axis) -> str:
    """Return the j-th index, moved to the nearest one that there is: no index reads or writes elsewhere."""
    return f"WITHIN(((const integer *){index.base})[j], {count})"


WRITERS: Mapping[Operation, Callable[..., list[str]]] = {
    products.AFFINE: Calls._affine,
    products.AFFINE_GRADIENT: Calls._affine_gradient,
    products.MATMUL: Calls._matmul,
    products.GROUPED_MATMUL: Calls._grouped_matmul,
    pieces.CONCATENATE: Calls._concatenate,
    pieces.PAD: Calls._pad,
    pieces.REPEAT: Calls._repeat,
    pieces.FOLD: Calls._fold,
    picking.GATHER: Calls._gather,
    picking.SCATTER_ADD: Calls._scatter_add,
}
"""Every operation that is neither an element nor a reduction, but leaves and views."""
