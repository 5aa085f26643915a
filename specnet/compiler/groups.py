"""Operations on rows in groups and copies, with which a layer treats each column of a table in a way of its own.

Rows take turns: with 3 groups, rows 0, 3, 6 … are the first group's. So what each column has many of stands as many
copies of all columns, one below the other, and pieces of it are views.
"""

from __future__ import annotations

from typing import Any

from specnet.compiler.operations import size_of
from specnet.compiler.value import Operation, Shape, ShapeError, Value, apply, cast


def grouped_matmul(a: Value, b: Value, groups: int, flip_a: bool = False, flip_b: bool = False) -> Value:
    """The product of a block-diagonal matrix with another, block by block: `matmul` in each of some groups.

    Rows take turns: the rows k, k + groups, k + 2·groups … of a, b and the result are those of group k.
    """
    return apply(GROUPED_MATMUL, cast(a), cast(b), attributes=(groups, flip_a, flip_b))


def repeat(x: Value, count: int, each: bool = False) -> Value:
    """The rows of x count times, one copy of all below the other; or each row count times in a row."""
    return x if count == 1 else apply(REPEAT, cast(x), attributes=(count, each))


def fold(x: Value, count: int, each: bool = False) -> Value:
    """The sum of the rows that `repeat` makes of one: its adjoint."""
    return x if count == 1 else apply(FOLD, cast(x), attributes=(count, each))


def _grouped_matmul_shape(attributes: Any, a: Value, b: Value) -> Shape:
    groups, flip_a, flip_b = attributes
    shapes: list[Shape] = []
    for x in (a, b):
        if size_of(x.shape) % groups:
            raise ShapeError(f"{x!r} cannot be split into {groups} groups")
        shapes.append((size_of(x.shape) // groups, x.shape[1]))
    (of_a, of_b) = shapes
    if of_a[1 - flip_a] != of_b[flip_b]:
        raise ShapeError(f"matrices {of_a} and {of_b} cannot be multiplied, flipped {flip_a} and {flip_b}")
    return (size_of((of_a[flip_a], 1)) * groups, of_b[1 - flip_b])


def _grouped_matmul_adjoint(d: Value, y: Value, a: Value, b: Value) -> tuple[Value, Value]:
    groups, flip_a, flip_b = y.attributes
    da = grouped_matmul(b, d, groups, flip_b, True) if flip_a else grouped_matmul(d, b, groups, False, not flip_b)
    db = grouped_matmul(d, a, groups, True, flip_a) if flip_b else grouped_matmul(a, d, groups, not flip_a, False)
    return da, db


def _repeat_shape(attributes: Any, x: Value) -> Shape:
    return (size_of(x.shape) * attributes[0], x.shape[1])


def _fold_shape(attributes: Any, x: Value) -> Shape:
    if size_of(x.shape) % attributes[0]:
        raise ShapeError(f"{x!r} is no {attributes[0]} copies of anything")
    return (size_of(x.shape) // attributes[0], x.shape[1])


GROUPED_MATMUL = Operation(
    "grouped_matmul", _grouped_matmul_shape, adjoint=_grouped_matmul_adjoint, operand_kinds=("float",)
)
REPEAT = Operation("repeat", _repeat_shape, adjoint=lambda d, y, x: (fold(d, *y.attributes),), operand_kinds=("float",))
FOLD = Operation("fold", _fold_shape, adjoint=lambda d, y, x: (repeat(d, *y.attributes),), operand_kinds=("float",))
