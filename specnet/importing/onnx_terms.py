"""Values of an ONNX graph: terms, whose nodes are run to see what they compute, and parts of a classifier's answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from specnet.errors import FileError
from specnet.importing.onnx_running import ACROSS, Runner
from specnet.parts.arrays import Array

if TYPE_CHECKING:
    from onnx import NodeProto

Shape = tuple[int | None, ...]
LONGEST = 32
"""Nodes of an activation or a normalization that is written out; none takes as many."""
_MOST_STARTS = 8
"""Terms at which such a one may begin: so many steps one behind another end in one term."""


@dataclass(eq=False)
class Term:
    """Features of rows: the output of a layer, or what a node computes of other terms and constants.

    Attributes
    ----------
    number : int
        Larger than those of its operands.
    shape : tuple of int or None
        None for the rows.
    layer : int or None
        The layer whose output it is, once there is one.
    node : NodeProto or None
        What computes it; None for a layer's output, and for another name or shape of its only operand.
    operands : tuple of Term, ndarray or None
        What the node reads: terms, constants of one number or of one for each feature, None where left out.
    kind : str
        ``f`` for floats, ``i`` for integers, ``b`` for booleans.
    index : int
        Of the node in the graph, for messages.
    alone : bool
        Whether nothing else in the graph reads it.
    """

    number: int
    shape: Shape
    layer: int | None = None
    node: NodeProto | None = None
    operands: tuple[Term | Array | None, ...] = ()
    kind: str = "f"
    index: int = 0
    alone: bool = True

    @property
    def size(self) -> int:
        """The number of features."""
        return math.prod(size for size in self.shape if size is not None)

    @property
    def terms(self) -> list[Term]:
        """The operands that are no constants."""
        return [operand for operand in self.operands if isinstance(operand, Term)]

    @property
    def origin(self) -> Term:
        """The term that it is in another shape or under another name; itself if it is none."""
        (operand,) = self.terms if self.node is None and self.operands else (self,)
        return operand

    def renamed(self, number: int, shape: Shape | None = None) -> Term:
        """Return the same features in another shape or under another name."""
        origin = self.origin
        return Term(number, shape or self.shape, operands=(origin,), kind=self.kind, alone=self.alone)


@dataclass(frozen=True)
class Part:
    """Some features of a layer's output by their places, behind a sigmoid if `gated`."""

    layer: int
    places: Array
    gated: bool = False
    alone: bool = True


@dataclass(frozen=True)
class Dimensions:
    """The shape of a term as a tensor; the number of rows is not known."""

    shape: Shape


@dataclass(frozen=True)
class TwoClasses:
    """The probabilities of both classes, (rows, 2), from that of the second."""

    second: int


@dataclass(frozen=True)
class Winner:
    """The index of the largest of a layer's outputs, or whether its single output is above a boundary."""

    layer: int
    boundary: float = 0.5


@dataclass(frozen=True)
class Label:
    """The label that a winner's index stands for."""

    winner: Winner
    labels: Array


@dataclass(frozen=True)
class Flags:
    """0 or 1 for each of a layer's outputs, by whether it is above a boundary: ½, or 0 for margins."""

    layer: int
    boundary: float


@dataclass(frozen=True)
class Table:
    """Probabilities by label, as ai.onnx.ml's ZipMap gives them."""

    probabilities: Term | TwoClasses
    labels: Array


Value = Term | Part | Dimensions | TwoClasses | Winner | Label | Flags | Table


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
    _operators: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self._operators = {term.node.op_type for term in self.inner if term.node is not None}

    @property
    def operators(self) -> set[str]:
        """The operators of its nodes."""
        return self._operators

    @property
    def is_elementwise(self) -> bool:
        """Whether each number of the result depends on the number at its own place alone."""
        return not self._operators & ACROSS

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
        expandable = [number for number, term in open_terms.items() if term.operands]
        if not expandable:
            break
        term = open_terms.pop(max(expandable))
        inner.append(term)
        open_terms |= {operand.number: operand for operand in term.terms}
        if len(open_terms) == 1:
            (start,) = open_terms.values()
            found.append(Segment(start, end, sorted(inner, key=lambda each: each.number)))
    return found[::-1]


def per_feature(array: Array, shape: Shape) -> Array:
    """Return a constant beside a term of such a shape as one number, (), or as one for each feature, (features,).

    Raises
    ------
    FileError
        If it is not finite, differs from row to row, or has another shape.
    """
    if array.dtype.kind not in "fib":
        raise FileError(f"a constant holds {array.dtype}, expected numbers")
    if not np.isfinite(array).all():
        raise FileError("a constant holds numbers that are not finite")
    if array.size == 1 and array.ndim <= max(2, len(shape)):
        return array.reshape(1 if array.ndim and math.prod(size or 1 for size in shape) == 1 else ())
    row = tuple(1 if size is None else size for size in shape)
    while array.ndim > len(row) and len(array) == 1:
        array = array[0]
    try:
        return np.broadcast_to(array, row).reshape(-1)
    except ValueError:
        raise FileError(
            f"a constant of shape {array.shape} does not fit features of shape {shown_shape(shape)}"
        ) from None


def shown_shape(shape: Sequence[int | None]) -> str:
    """Return a shape as messages show it, with N for the rows."""
    return f"({', '.join('N' if size is None else str(size) for size in shape)}{',' * (len(shape) == 1)})"


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
