"""What a tensor of an ONNX graph is: a constant, numbers that depend on how many rows there are, or features of a term.

A term is what a layer or a node computes, (rows, features); its nodes are run to see what they compute. Features know
which number of their term stands at each of their places. Since files take any number of rows, a graph is read for two
numbers of rows at once, and what a network needs has to be the same for both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from specnet.errors import FileError
from specnet.importing.onnx_running import ACROSS, FOLDED_LIMIT, Runner
from specnet.parts.arrays import Array

if TYPE_CHECKING:
    from onnx import NodeProto

LONGEST = 32
"""Nodes of an activation or a normalization that is written out; none takes as many."""
_MOST_STARTS = 8
"""Terms at which such a one may begin: so many steps one behind another end in one term."""


@dataclass(eq=False)
class Term:
    """The output of a layer, or what a node computes of other terms and constants.

    Attributes
    ----------
    number : int
        Larger than those of its operands.
    size : int
        How many features it has.
    layer : int or None
        The layer whose output it is, once there is one.
    node : NodeProto or None
        What computes it; None for a layer's output, and for some columns of its only operand.
    operands : tuple of Term, ndarray or None
        What the node reads: terms, constants of one number or of one for each feature, None where left out.
    kind : str
        ``f`` for floats, ``i`` for integers, ``b`` for booleans, ``U`` for texts.
    index : int
        Of the node in the graph, for messages.
    columns : ndarray or None
        Which features of its operand it has.
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
        """The operands that are no constants."""
        return [operand for operand in self.operands if isinstance(operand, Term)]


Shapes = tuple[tuple[int, ...], ...]
"""The shape of a tensor for each number of rows that a graph is read for."""


@dataclass(frozen=True, eq=False)
class Varying:
    """A constant that depends on the number of rows: what it is for each that the graph is read for."""

    cases: tuple[Array, ...]

    def __str__(self) -> str:
        return "numbers that depend on how many rows there are"


@dataclass(frozen=True, eq=False)
class Features:
    """A tensor of a term's numbers.

    Attributes
    ----------
    term : Term
    rows : tuple of int
        The numbers of rows that the graph is read for.
    shapes : tuple of tuple
        For each of them.
    moved : tuple of ndarray or None
        Where in the term, (rows, features), each number stands; None for all in their order.
    alone : bool
        Whether nothing else in the graph reads them.
    """

    term: Term
    rows: tuple[int, ...]
    shapes: Shapes
    moved: tuple[Array, ...] | None = None
    alone: bool = True

    def __str__(self) -> str:
        sizes = [str(size[0]) if len(set(size)) == 1 else "N" for size in zip(*self.shapes, strict=False)]
        return f"features of shape ({', '.join(sizes)}{',' * (len(sizes) == 1)})"

    @property
    def places(self) -> tuple[Array, ...]:
        """Where in the term each number stands."""
        if self.moved is not None:
            return self.moved
        _check_size(self.shapes)
        return tuple(np.arange(math.prod(shape)).reshape(shape) for shape in self.shapes)

    @property
    def columns(self) -> Array:
        """Which features of the term each row has, in the tensor's order.

        Raises
        ------
        FileError
            If they are not the same for all rows.
        """
        if self.moved is None:
            return np.arange(self.term.size)
        first = self.moved[0].reshape(self.rows[0], -1)[0] if self.moved[0].size % self.rows[0] == 0 else np.array([])
        for count, places in zip(self.rows, self.moved, strict=True):
            wanted = first + np.arange(count)[:, None] * self.term.size
            if not first.size or not np.array_equal(places.reshape(-1), wanted.reshape(-1)):
                raise FileError(f"{self} do not have some features of one layer in each row")
        return first

    def is_axis(self, axis: int) -> bool:
        """Whether an axis has all features of a row, and nothing but them."""
        return all(
            -len(shape) <= axis < len(shape)
            and math.prod(shape) == count * shape[axis]
            and math.prod(shape[axis % len(shape) :]) == shape[axis]
            for count, shape in zip(self.rows, self.shapes, strict=True)
        )

    def resized(self, axis: int, *sizes: int) -> Shapes:
        """Return the shapes with other sizes in place of an axis."""
        axis %= len(self.shapes[0])
        return tuple((*shape[:axis], *sizes, *shape[axis + 1 :]) for shape in self.shapes)

    def broadcast(self, shapes: Shapes) -> Features:
        """Return the features in a larger shape."""
        if shapes == self.shapes:
            return self
        _check_size(shapes)
        return Features(self.term, self.rows, shapes, tuple(map(np.broadcast_to, self.places, shapes)), self.alone)


def _check_size(shapes: Shapes) -> None:
    """Refuse to make arrays that are too large."""
    if (size := max(map(math.prod, shapes))) > FOLDED_LIMIT:
        raise FileError(f"a tensor of {size} numbers is too large; at most {FOLDED_LIMIT} are moved")


Value = Features | Varying | Array


def case_shape(value: Value, number: int) -> tuple[int, ...]:
    """Return the shape of a value for one of the numbers of rows."""
    if isinstance(value, Features):
        return value.shapes[number]
    return (value.cases[number] if isinstance(value, Varying) else value).shape


def case_of(value: Value, number: int) -> Array:
    """Return the array that a value is for one of the numbers of rows; of features, their places."""
    if isinstance(value, Features):
        return value.places[number]
    return value.cases[number] if isinstance(value, Varying) else value


def described(*values: Value | None) -> str:
    """Return in words what values are."""
    words = [f"a constant of shape {each.shape}" if isinstance(each, np.ndarray) else str(each) for each in values]
    return " and ".join(dict.fromkeys(words))


def per_feature(array: Array, rows: int, shape: tuple[int, ...]) -> Array:
    """Return a constant beside so many rows of a shape as one number, (), or as one for each feature, (features,).

    Raises
    ------
    FileError
        If it is not finite, or differs from row to row.
    """
    if array.dtype.kind not in "fib":
        raise FileError(f"a constant holds {array.dtype}, expected numbers")
    if not np.isfinite(array).all():
        raise FileError("a constant holds numbers that are not finite")
    size = math.prod(shape) // rows
    if array.size == 1:
        return array.reshape(1 if array.ndim and size == 1 else ())
    while len(array) == 1:
        array = array[0]
    period = shape[len(shape) - array.ndim :]
    if size % math.prod(period) == 0:
        row: Array = np.tile(np.broadcast_to(array, period).reshape(-1), size // math.prod(period))
        return row
    if (array == array.flat[0]).all():
        return array.reshape(-1)[:1].reshape(())
    raise FileError(f"a constant of shape {array.shape} differs from row to row")


@dataclass
class Segment:
    """The nodes between a term and another that all of them lead to, as a function of one array.

    Attributes
    ----------
    start, end : Term
    inner : list of Term
        From the first to be computed to the end.
    """

    start: Term
    end: Term
    inner: list[Term]

    @cached_property
    def operators(self) -> set[str]:
        """The operators of its nodes."""
        return {term.node.op_type for term in self.inner if term.node is not None}

    @property
    def is_elementwise(self) -> bool:
        """Whether each number of the result depends on the number at its own place alone."""
        return not self.operators & ACROSS

    def constants(self) -> Iterator[Array]:
        """Yield the numbers that its nodes read."""
        for term in self.inner:
            yield from (x for x in term.operands if isinstance(x, np.ndarray) and x.dtype.kind == "f")

    def run(self, runner: Runner, x: Array, found: dict[int, Array] | None = None) -> Array:
        """Return the result at x, (rows, features), or (rows, 1) for all features; in x's precision.

        `found` keeps what terms are at x, if they are to be asked again.
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

    Each begins at a term through which all paths to the end lead; none is longer than `LONGEST`.
    """
    inner: list[Term] = []
    open_terms = {end.number: end}
    found: list[Segment] = []
    while len(inner) < LONGEST and len(found) < _MOST_STARTS:
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
    """Return which term a node multiplies and shifts by constants, the factor and the shift; None where it does not."""
    if term.node is None or term.kind != "f" or len(term.terms) != 1 or term.terms[0].kind != "f":
        return None
    (x,), operator = term.terms, term.node.op_type
    if operator == "Neg":
        return x, -np.ones(()), np.zeros(())
    if len(term.operands) != 2 or x.size != term.size:
        return None
    first = term.operands[0] is x
    constant = term.operands[1 if first else 0]
    if not isinstance(constant, np.ndarray) or constant.dtype.kind != "f":
        return None
    number, one, zero = constant.astype(np.float64), np.ones(()), np.zeros(())
    if operator in ("Add", "Sum"):
        return x, one, number
    if operator == "Sub":
        return (x, one, -number) if first else (x, -one, number)
    if operator == "Mul":
        return x, number, zero
    return (x, 1 / number, zero) if operator == "Div" and first and number.all() else None
