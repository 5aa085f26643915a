"""The kinds of tensors of an ONNX graph: constants, arrays that depend on the number of rows, and features of a term.

A term is the output of a layer or a node, (rows, features); its nodes are run to find out what they compute. Features
store the index in their term of the number at each position. Since files accept any number of rows, a graph is read for
several numbers of rows at once, and the result must be the same for all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from specnet.errors import FileError
from specnet.importing.onnx.onnx_running import ACROSS, FOLDED_LIMIT, Runner
from specnet.parts.arrays import Array

if TYPE_CHECKING:
    from onnx import NodeProto

Shape = tuple[int | None, ...]
"""The shape of an input, with None for the rows."""
Shapes = tuple[tuple[int, ...], ...]
"""The shape of a tensor for each number of rows for which a graph is read."""
LONGEST = 32
"""Upper bound of the number of nodes of an activation or a normalization that is composed of operators."""
_MAX_STARTS = 8
"""Largest number of segments that are tried for one end, each with a different start."""


@dataclass(eq=False)
class Term:
    """The output of a layer, or the result of a node on its operands: terms and constants, () or (features,).

    A term without a node is a layer's output, or a selection of columns of its only operand. `kind` is the kind of a
    dtype: ``f``, ``i``, ``b`` or ``U``. `number` is larger than that of any operand; `index` is that of the node.
    """

    number: int
    size: int
    layer: int | None = None
    node: NodeProto | None = None
    operands: tuple[Term | Array | None, ...] = ()
    kind: str = "f"
    index: int = 0
    columns: Array | None = None

    @property
    def terms(self) -> list[Term]:
        """The operands that are not constants."""
        return [operand for operand in self.operands if isinstance(operand, Term)]


@dataclass(frozen=True, eq=False)
class TensorConstant:
    """A constant: one array, or one for each number of rows of the graph if it depends on that number."""

    cases: tuple[Array, ...]

    def __str__(self) -> str:
        fixed = f"a constant of shape {self.cases[0].shape}"
        return "numbers that depend on how many rows there are" if self.varies else fixed

    @property
    def varies(self) -> bool:
        """Whether it depends on the number of rows."""
        return len(self.cases) > 1

    def at(self, case: int) -> Array:
        """Return the array for one of the numbers of rows, given the index of that number."""
        return self.cases[case % len(self.cases)]


@dataclass(frozen=True, eq=False)
class TensorFeatures:
    """A tensor of numbers of a term: for each number of rows, its shape and the indices of its numbers in the term.

    If `moved` is None, it has all numbers of the term in order. `alone` is true if no other node reads the tensor.
    """

    term: Term
    rows: tuple[int, ...]
    shapes: Shapes
    moved: tuple[Array, ...] | None = None
    alone: bool = True
    varies: ClassVar[bool] = True

    def __str__(self) -> str:
        sizes = [str(size[0]) if len(set(size)) == 1 else "N" for size in zip(*self.shapes, strict=False)]
        return f"features of shape ({', '.join(sizes)}{',' * (len(sizes) == 1)})"

    def at(self, case: int) -> Array:
        """Return the index of each number in the term, for one of the numbers of rows."""
        shape = self.shapes[case]
        return self.moved[case] if self.moved else np.arange(_checked_size(shape), dtype=np.int32).reshape(shape)

    @property
    def columns(self) -> Array:
        """The indices of a row's features in the term, in the tensor's order; rows that differ are an error."""
        if self.moved is None:
            return np.arange(self.term.size)
        first = self.moved[0].reshape(self.rows[0], -1)[0] if self.moved[0].size % self.rows[0] == 0 else np.array([])
        for count, positions in zip(self.rows, self.moved, strict=True):
            expected = first + np.arange(count, dtype=np.int32)[:, None] * self.term.size
            if not first.size or not np.array_equal(positions.reshape(-1), expected.reshape(-1)):
                raise FileError(f"{self} do not have some features of one layer in each row")
        return first

    def moved_to(self, positions: tuple[Array, ...], *, alone: bool) -> TensorFeatures:
        """Return a tensor of the same term with other indices."""
        return TensorFeatures(self.term, self.rows, tuple(array.shape for array in positions), positions, alone)

    def is_axis(self, axis: int) -> bool:
        """Return whether an axis holds exactly the features of a row."""
        return all(
            -len(shape) <= axis < len(shape)
            and math.prod(shape) == count * shape[axis]
            and math.prod(shape[axis % len(shape) :]) == shape[axis]
            for count, shape in zip(self.rows, self.shapes, strict=True)
        )

    def resized(self, axis: int, *sizes: int) -> Shapes:
        """Return the shapes with an axis replaced by axes of other sizes."""
        axis %= len(self.shapes[0])
        return tuple((*shape[:axis], *sizes, *shape[axis + 1 :]) for shape in self.shapes)

    def broadcast(self, shapes: Shapes) -> TensorFeatures:
        """Return the features in a larger shape."""
        if shapes == self.shapes:
            return self
        _checked_size(shapes[-1])
        positions = tuple(np.broadcast_to(self.at(case), shape) for case, shape in enumerate(shapes))
        return self.moved_to(positions, alone=self.alone)


def _checked_size(shape: tuple[int, ...]) -> int:
    """Return the size of an array of this shape; raise an error if it is too large."""
    if (size := math.prod(shape)) > FOLDED_LIMIT:
        raise FileError(f"a tensor of {size} numbers is too large; at most {FOLDED_LIMIT} are moved")
    return size


Value = TensorFeatures | TensorConstant


def per_feature(array: Array, rows: int, shape: tuple[int, ...]) -> Array:
    """Reduce a constant that is broadcast with `rows` rows of a shape to () or (features,)."""
    if array.dtype.kind not in "fib":
        raise FileError(f"a constant holds {array.dtype}, expected numbers")
    if not np.isfinite(array).all():
        raise FileError("a constant holds numbers that are not finite")
    if array.size == 1:
        return array.reshape(1 if array.ndim and math.prod(shape) == rows else ())
    while len(array) == 1:
        array = array[0]
    row = shape[len(shape) - array.ndim :]
    try:
        if math.prod(row) * rows == math.prod(shape):
            return np.broadcast_to(array, row).reshape(-1)
        table: Array = np.broadcast_to(array, shape).reshape(rows, _checked_size(shape) // rows)
    except ValueError:
        raise FileError(f"a constant of shape {array.shape} does not fit {math.prod(shape) // rows} features") from None
    if (table != table[0]).any():
        raise FileError(f"a constant of shape {array.shape} differs from row to row")
    return np.array(table[0])


def row_of(array: Array, size: int) -> Array:
    """Return a constant, which is one number or one for each feature, as an array (size,)."""
    return np.broadcast_to(per_feature(array, 1, (*(1,) * (array.ndim - 1), size)), size)


@dataclass
class Segment:
    """The nodes between two terms, of which the end depends only on the start: a function of one array."""

    start: Term
    end: Term
    inner: list[Term]

    @cached_property
    def operators(self) -> set[str]:
        """The names of the operators of the nodes."""
        return {term.node.op_type for term in self.inner if term.node is not None}

    @property
    def is_elementwise(self) -> bool:
        """Whether each number of the result depends only on the number at the same position."""
        return not self.operators & ACROSS

    def constants(self) -> Iterator[Array]:
        """Yield the constants that the nodes read."""
        for term in self.inner:
            yield from (x for x in term.operands if isinstance(x, np.ndarray) and x.dtype.kind == "f")

    def run(self, runner: Runner, x: Array, found: dict[int, Array] | None = None) -> Array:
        """Return the value of the end at x, (rows, features) or (rows, 1) for all features, in x's precision.

        `found` caches the values of terms at x for further calls.
        """
        found = {} if found is None else found
        found[self.start.number] = x
        cast = {"f": x.dtype, "i": np.dtype(np.int64), "b": np.dtype(np.bool_)}
        for term in self.inner:
            if term.number not in found and term.node is not None:
                operands = [_at(each, found, x.dtype) for each in term.operands]
                first = operands[0]
                if term.node.op_type == "Cast" and first is not None:
                    found[term.number] = first.astype(cast[term.kind])
                else:
                    found[term.number] = runner.run(term.node, operands)
        return found[self.end.number]


def _at(operand: Term | Array | None, found: dict[int, Array], dtype: np.dtype[np.generic]) -> Array | None:
    if isinstance(operand, Term):
        return found[operand.number]
    return operand.astype(dtype) if operand is not None and operand.dtype.kind == "f" else operand


def segments(end: Term) -> list[Segment]:
    """Return the segments that end in a term, the longest first.

    All paths to the end lead through the start of a segment; no segment is longer than `LONGEST`.
    """
    inner: list[Term] = []
    open_terms = {end.number: end}
    found: list[Segment] = []
    while len(inner) < LONGEST and len(found) < _MAX_STARTS:
        expandable = [number for number, term in open_terms.items() if term.node is not None]
        if not expandable:
            break
        term = open_terms.pop(max(expandable))
        inner.append(term)
        open_terms |= {operand.number: operand for operand in term.terms}
        if len(open_terms) == 1:
            (start,) = open_terms.values()
            found.append(Segment(start, end, sorted(inner, key=lambda each: each.number)))
    return found[::-1]


def affine_of(term: Term) -> tuple[Term, Array, Array] | None:
    """Return x, a and b if a term is a·x + b with constants a and b, else None."""
    if term.node is None or term.kind != "f" or len(term.terms) != 1 or term.terms[0].kind != "f":
        return None
    (x,), one, zero = term.terms, np.ones(()), np.zeros(())
    constants = [each.astype(np.float64) for each in term.operands if isinstance(each, np.ndarray)]
    if term.node.op_type == "Neg":
        return x, -one, zero
    if len(term.operands) != 2 or len(constants) != 1 or x.size != term.size:
        return None
    (number,), is_first = constants, term.operands[0] is x
    match term.node.op_type:
        case "Add" | "Sum":
            return x, one, number
        case "Sub":
            return (x, one, -number) if is_first else (x, -one, number)
        case "Mul":
            return x, number, zero
        case "Div" if is_first and number.all():
            return x, 1 / number, zero
    return None
