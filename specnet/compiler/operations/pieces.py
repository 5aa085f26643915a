"""Rows taken apart, put together and copied."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

from specnet.compiler.shapes import Shape, ShapeError, size_of
from specnet.compiler.value import Operation, Value, apply, cast

__all__ = ["concatenate", "fold", "repeat", "rows"]


def _rows_shape(attributes: Any, x: Value) -> Shape:
    low, high = attributes
    if not 0 <= low < high <= size_of(x.shape):
        raise ShapeError(f"{x!r} has no rows {low}:{high}")
    return (high - low, x.shape[1])


def _rows_adjoint(d: Value, y: Value, x: Value) -> tuple[Value]:
    return (apply(PAD, d, attributes=(*y.attributes, size_of(x.shape))),)


ROWS = Operation(
    "rows", _rows_shape, adjoint=_rows_adjoint, kind=None, operand_kinds=("float", "mask", "index"), role="view"
)


def rows(x: Value, low: int, high: int) -> Value:
    """The rows from low up to, not including, high: a view."""
    if x.operation is ROWS:
        start, _ = x.attributes
        x, low, high = x.arguments[0], start + low, start + high
    return x if (low, high) == (0, x.shape[0]) else apply(ROWS, x, attributes=(low, high))


def _pad_shape(attributes: Any, d: Value) -> Shape:
    return (attributes[2], d.shape[1])


def _pad_adjoint(d: Value, y: Value, x: Value) -> tuple[Value]:
    low, high, _ = y.attributes
    return (rows(d, low, high),)


PAD = Operation("pad", _pad_shape, adjoint=_pad_adjoint, operand_kinds=("float",))


def row_bounds(shapes: Sequence[Shape]) -> list[tuple[int, int]]:
    """Where each piece of a concatenation begins and ends."""
    return list(pairwise(accumulate((size_of(shape) for shape in shapes), initial=0)))


def _concatenate_shape(attributes: Any, *pieces: Value) -> Shape:
    if len({piece.shape[1:] for piece in pieces}) != 1:
        raise ShapeError(f"pieces {', '.join(str(piece.shape) for piece in pieces)} cannot be concatenated")
    return (sum(size_of(piece.shape) for piece in pieces), pieces[0].shape[1])


def _concatenate_adjoint(d: Value, y: Value, *pieces: Value) -> list[Value]:
    return [rows(d, low, high) for low, high in row_bounds([piece.shape for piece in pieces])]


CONCATENATE = Operation("concatenate", _concatenate_shape, adjoint=_concatenate_adjoint, operand_kinds=("float",))


def concatenate(*pieces: Value) -> Value:
    """The pieces' rows, one piece below the other."""
    return pieces[0] if len(pieces) == 1 else apply(CONCATENATE, *map(cast, pieces))


REPEAT = Operation(
    "repeat",
    lambda attributes, x: (size_of(x.shape) * attributes[0], x.shape[1]),
    adjoint=lambda d, y, x: (fold(d, *y.attributes),),
    operand_kinds=("float",),
)


def repeat(x: Value, count: int, each: bool = False) -> Value:
    """The rows of x count times, one copy of all below the other; or each row count times in a row."""
    return x if count == 1 else apply(REPEAT, cast(x), attributes=(count, each))


def _fold_shape(attributes: Any, x: Value) -> Shape:
    if size_of(x.shape) % attributes[0]:
        raise ShapeError(f"{x!r} is no {attributes[0]} copies of anything")
    return (size_of(x.shape) // attributes[0], x.shape[1])


FOLD = Operation("fold", _fold_shape, adjoint=lambda d, y, x: (repeat(d, *y.attributes),), operand_kinds=("float",))


def fold(x: Value, count: int, each: bool = False) -> Value:
    """The sum of the rows that `repeat` makes of one: its adjoint."""
    return x if count == 1 else apply(FOLD, cast(x), attributes=(count, each))
