"""Matrix products in C: tiles of the result fit into the registers, and each size of a tile has a function.

A tile is some rows by some vectors of columns. For each step along the depth, its function loads the vectors of b once
and multiplies them by one number of a for each row. Columns are a named axis, padded to whole vectors, or a fixed
number that is a multiple of a vector.
"""

from __future__ import annotations

from collections.abc import Mapping

from specnet.compiler.native import THREADS_PAY
from specnet.compiler.native.allocate import Matrix, padded
from specnet.compiler.native.c_text.c_forms import SharedFunctions, block, summing
from specnet.compiler.native.c_text.c_head import packed
from specnet.compiler.native.toolchain.processors import Processor
from specnet.compiler.value import Axis

PANEL_BYTES = 24 * 1024
"""Size of the panel of b that is read repeatedly for all rows: smaller than the first-level cache."""
SHALLOWEST_PANEL = 32
LATENCY = 4
"""Cycles of a vector addition until its result can be used."""
ADDED_PER_CYCLE = 2
CALL_SHARE = 0.02
"""Approximate cost of a tile's call, in cycles for each step along the depth."""
LOAD_SHARE = 0.05
"""Cycles that a load costs although additions hide it, since some data are not in the first-level cache."""
TRANSPOSE_SHARED_ABOVE = 2**15
"""Minimum size of a matrix for which threads share its transposition."""
LONG_ABOVE, PARTS_OF_LONG = 2**27, 4
"""Minimum number of multiplications for which a product has several parts for each thread, and their number."""
LARGEST_TILE = (12, 8)
SUMS_AT_ONCE = 10
"""Maximum number of dot products in one loop."""

ADDED_APART = 4096
"""Number of steps along a named axis that are summed separately: the axis may be long, and a number that is added to a
large sum loses digits."""

_PRODUCT = (
    "long vectors, long depth, const real *a, long a_row, long a_column, const real *b, long b_row,"
    " real *c, long c_row, const real *bias, real *apart"
)
PRODUCT_STRUCT, _UNPACKED = packed("Product", _PRODUCT)
_DOTS = "long depth, const real *a, long a_row, const real *b, long b_row, real *c, long c_row, real *sums_of_b"


class Products:
    """A writer of matrix products.

    Parameters
    ----------
    target
    vector_numbers
        Count of numbers in a vector.
    likely
        The usual lengths of named axes, for which products are optimized.
    functions
        Shared functions that the products call; new ones are added.

    Attributes
    ----------
    shares
        Whether threads share any product.
    """

    def __init__(
        self, target: Processor, vector_numbers: int, likely: Mapping[str, int], functions: SharedFunctions
    ) -> None:
        self._target, self.vector_numbers, self._likely, self._functions = target, vector_numbers, likely, functions
        self.shares = False

    def product(self, a: Matrix, b: Matrix, c: Matrix, bias: str = "", apart: str = "") -> list[str]:
        """Return statements for c = a·b, with all columns in whole vectors.

        Parameters
        ----------
        a, b, c
            b and c are stored row by row. A fixed number of columns is a multiple of a vector.
        bias
            A pointer to the start of each row's sums.
        apart
            A pointer to memory for a matrix with c's strides, if the depth is a named axis.
        """
        rows, depth, columns = a.rows, b.rows, c.columns
        assert isinstance(rows, int), "tiles are made for it"
        is_fixed, likely = isinstance(columns, int), -(-self._known(columns) // self.vector_numbers)
        vectors = str(likely) if isinstance(columns, int) else f"{padded(columns)} / VECTOR"
        of_a = f"{a.base}, {a.row}, {a.column}"
        arguments = f"{vectors}, {depth}, {of_a}, {b.base}, {b.row}, {c.base}, {c.row}, {bias or 0}, {apart or 0}"
        sums = rows * self._known(depth) * likely * self.vector_numbers
        if sums < THREADS_PAY:
            lines = self._product_lines(rows, likely, is_fixed, depth, bool(bias))
            return [f"{self._functions.named('product', _PRODUCT, lines)}({arguments});"]
        self.shares = True
        lines = self._product_lines(rows, likely, is_fixed, depth, bool(bias), is_part=True)
        name = self._functions.named(
            "shared_product", "const void *arguments, long part, long parts", [_UNPACKED, *lines]
        )
        parts = PARTS_OF_LONG if sums >= LONG_ABOVE else 1
        return block("", [f"const Product q = {{{arguments}}};", f"in_parts({name}, &q, {parts});"])

    def transpose(self, source: Matrix, target: Matrix, indices: str = "0") -> str:
        """Return a statement that writes the rows of a matrix as columns of another matrix.

        Parameters
        ----------
        source, target
        indices
            A pointer to the indices of the source's rows to take; 0 for all rows in order.
        """
        is_shared = self._known(source.rows) * self._known(source.columns) >= TRANSPOSE_SHARED_ABOVE
        self.shares |= is_shared
        of_source = f"{source.base}, {source.row}, {indices}, {source.rows}, {source.columns}"
        return f"{'shared_' * is_shared}transpose({of_source}, {target.base}, {target.row});"

    def _known(self, axis: Axis) -> int:
        """Return the length of an axis, or the usual one of a named axis."""
        return axis if isinstance(axis, int) else self._likely[axis]

    def _product_lines(
        self, rows: int, likely: int, is_fixed: bool, depth: int | str, has_bias: bool, *, is_part: bool = False
    ) -> list[str]:
        """Return the body of a product's function; with `is_part`, it computes the rows of one of several parts."""
        tall, wide = self._best_tile(rows, likely)
        shallow = max(SHALLOWEST_PANEL, PANEL_BYTES // (wide * self._target.vector_bytes))
        panels = not isinstance(depth, int) or depth > shallow * 3 // 2
        if isinstance(depth, int) and panels:
            shallow = -(-depth // -(-depth // shallow))
        vectors = str(likely) if is_fixed else "vectors"
        tiles, widths = ["long v = 0;"], (wide, likely % wide) if is_fixed else (wide, likely % wide, 1)
        whole, rest = rows // tall, rows % tall
        first, last, ends = ("first", "last", "if (part + 1 == parts) ") if is_part else ("0", str(rows - rest), "")
        for width in dict.fromkeys(width for width in widths if width):
            step = f"for (long m = {first}; m < {last}; m += {tall})"
            lines = [f"{step} {self._tile_call(tall, width, panels, depth, has_bias)}"]
            if rest:
                step = f"{ends}for (long m = {rows - rest}; m < {rows}; m += {rest})"
                lines.append(f"{step} {self._tile_call(rest, width, panels, depth, has_bias)}")
            tiles += block(f"for (; v + {width} <= {vectors}; v += {width})", lines)
        limits = (f"{whole} * part / parts * {tall}", f"{whole} * (part + 1) / parts * {tall}")
        begin = [f"const long first = {limits[0]}, last = {limits[1]};"] if is_part else []
        if not panels:
            return [*begin, *tiles]
        if isinstance(depth, int):
            return [*begin, *_panels("0", str(depth), shallow, tiles)]
        end = f"(part + 1 == parts ? {rows} : last)" if is_part else rows
        added = "for (long j = 0; j < vectors * VECTOR; j++) c[m * c_row + j] += apart[m * c_row + j];"
        of_some = [
            f"const long end = depth - begin < {ADDED_APART} ? depth : begin + {ADDED_APART};",
            "real *const sum = begin ? apart : c;",
            *_panels("begin", "end", shallow, tiles),
            f"if (begin) for (long m = {first}; m < {end}; m++) {added}",
        ]
        return [*begin, *block(f"for (long begin = 0; begin < depth; begin += {ADDED_APART})", of_some)]

    def _tile_call(self, tall: int, wide: int, panels: bool, depth: int | str, has_bias: bool) -> str:
        deep, along, below = ("deep", " + k * a_column", " + k * b_row") if panels else (depth, "", "")
        sum_, adds = ("c", "k > 0" if panels else "0") if isinstance(depth, int) else ("sum", "k > begin")
        of_a, of_b = f"a + m * a_row{along}, a_row, a_column", f"b{below} + v * VECTOR, b_row"
        of_c, start = f"{sum_} + m * c_row + v * VECTOR, c_row", "bias + m" if has_bias else "0"
        return f"{self._tile(tall, wide)}({deep}, {of_a}, {of_b}, {of_c}, {start}, {adds});"

    def _best_tile(self, rows: int, vectors: int) -> tuple[int, int]:
        """Return the numbers of rows and vectors of the tile with which a product needs the fewest cycles."""

        def cycles(tall: int, wide: int) -> float:
            total = 0.0
            for m, times_m in ((tall, rows // tall), (rows % tall, 1)):
                for n, times_n in ((wide, vectors // wide), (vectors % wide, 1)):
                    if m and n:
                        waits = LATENCY if m * n < LATENCY * ADDED_PER_CYCLE else 0
                        step = max(m * n / ADDED_PER_CYCLE, (m + n) / ADDED_PER_CYCLE, waits, 1) + (m + n) * LOAD_SHARE
                        total += times_m * times_n * (step + CALL_SHARE)
            return total

        tallest, widest = LARGEST_TILE
        tiles = [
            (m, n)
            for m in range(1, min(tallest, rows) + 1)
            for n in range(1, min(widest, max(1, vectors)) + 1)
            if m * n + n + 1 <= self._target.registers
        ]
        return min(tiles, key=lambda tile: (cycles(*tile), -tile[0] * tile[1]))

    def _tile(self, tall: int, wide: int) -> str:
        """Return the name of the function that computes a tile of this size; it is defined on the first call."""
        name = f"tile_{tall}_{wide}"
        if name not in self._functions.definitions:
            self._functions.definitions[name] = _tile_text(name, tall, wide)
        return name

    def dots(self, a: Matrix, b: Matrix, c: Matrix, sums_of_b: str) -> list[str]:
        """Return statements for a small c = a·bᵀ by dot products of rows, several in a loop.

        The statements write the sums of b's rows to the pointer `sums_of_b` if it is given.
        """
        assert isinstance(a.rows, int), "small results have a fixed number of rows"
        assert isinstance(b.rows, int), "and of columns"
        name = self._functions.named("dots", _DOTS, _dots_lines(a.rows, b.rows, bool(sums_of_b)))
        of_c = f"{c.base}, {c.row}, {sums_of_b or 0}"
        return [f"{name}({a.columns}, {a.base}, {a.row}, {b.base}, {b.row}, {of_c});"]


def _dots_lines(rows: int, columns: int, has_sums: bool) -> list[str]:
    lines = []
    for of_b, first_b, times_b in _pieces(columns, min(columns, 4)):
        for of_a, first_a, times_a in _pieces(rows, max(1, min(rows, SUMS_AT_ONCE // of_b))):
            names = [(x, y) for x in range(of_a) for y in range(of_b)]
            of_rows = range(of_b) if has_sums and not first_a else ()
            added = {f"s{x}_{y}": f"a{x}[j] * b{y}[j]" for x, y in names} | {f"t{y}": f"b{y}[j]" for y in of_rows}
            body = [
                *(f"const real *a{x} = a + (m + {x}) * a_row;" for x in range(of_a)),
                *(f"const real *b{y} = b + (n + {y}) * b_row;" for y in range(of_b)),
                f"double {', '.join(f'{name} = 0' for name in added)};",
                *summing("depth", [f"part_{name} += {number};" for name, number in added.items()], list(added)),
                *(f"c[(m + {x}) * c_row + n + {y}] = s{x}_{y};" for x, y in names),
                *(f"sums_of_b[n + {y}] = t{y};" for y in of_rows),
            ]
            over_a = block(f"for (long m = {first_a}; m < {first_a + of_a * times_a}; m += {of_a})", body)
            lines += block(f"for (long n = {first_b}; n < {first_b + of_b * times_b}; n += {of_b})", over_a)
    return lines


def _pieces(count: int, size: int) -> list[tuple[int, int, int]]:
    """Return the division of a count into pieces of a size, and a rest: (size, first, number of pieces) of both."""
    whole = count // size * size
    return [piece for piece in ((size, 0, count // size), (count - whole, whole, 1)) if piece[0] and piece[2]]


def _panels(begin: str, end: str, shallow: int, tiles: list[str]) -> list[str]:
    """Return a loop along the depth in panels; all tiles are computed for one panel after the other."""
    deep = f"const long deep = {end} - k < {shallow} ? {end} - k : {shallow};"
    return block(f"for (long k = {begin}; k < {end}; k += {shallow})", [deep, *tiles])


def _tile_text(name: str, tall: int, wide: int) -> str:
    rows, vectors = range(tall), range(wide)
    sums = [(m, n) for m in rows for n in vectors]
    declared = "long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row"
    loads = ", ".join(f"b{n} = LOAD(b + {n} * VECTOR)" for n in vectors)
    steps = [f"const vector {loads};"]
    for m in rows:
        steps.append(f"const real a{m} = a[{m} * a_row];")
        steps.append(" ".join(f"c{m}_{n} += a{m} * b{n};" for n in vectors))
    body = [
        f"vector {', '.join(f'c{m}_{n} = {{0}}' for m, n in sums)};",
        *block("if (bias && !adds)", [f"c{m}_{n} += bias[{m}];" for m, n in sums]),
        *block("for (long k = 0; k < depth; k++, a += a_column, b += b_row)", steps),
        # Each panel is summed separately, since a long sum of single numbers loses digits.
        *block("if (adds)", [f"c{m}_{n} += LOAD(c + {m} * c_row + {n} * VECTOR);" for m, n in sums]),
        *(f"STORE(c + {m} * c_row + {n} * VECTOR, c{m}_{n});" for m, n in sums),
    ]
    return "\n".join(block(f"OUTLINE void {name}({declared}, const real *bias, int adds)", body))
