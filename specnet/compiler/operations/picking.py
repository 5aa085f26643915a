"""Indices, and what is picked by them."""

from typing import Any

from specnet.compiler.shapes import Shape, ShapeError, size_of
from specnet.compiler.value import SWITCH, Operation, Value, apply, cast

__all__ = ["gather", "one_hot", "scatter_add", "to_index"]


def _picked(index: Value) -> int | str:
    if index.kind != "index" or len(index.shape) != 2 or index.shape[0] != 1:
        raise ShapeError(f"columns are picked by an index of shape (1, batch), not by {index!r}")
    return index.shape[1]


TO_INDEX = Operation(
    "to_index", lambda attributes, x: x.shape, constant_because=SWITCH, kind="index", operand_kinds=("float",)
)


def to_index(x: Value) -> Value:
    """Whole numbers as indices. That they are whole, and not below 0, is not checked."""
    return apply(TO_INDEX, x)


def _gather_shape(attributes: Any, table: Value, index: Value) -> Shape:
    size_of(table.shape, 1)
    return (table.shape[0], _picked(index))


GATHER = Operation(
    "gather",
    _gather_shape,
    adjoint=lambda d, y, table, index: (scatter_add(d, index, size_of(table.shape, 1)), None),
    operand_kinds=("float", "index"),
)


def gather(table: Value, index: Value) -> Value:
    """The columns of table (width, count) that index (1, batch) picks: (width, batch). Indices are not checked."""
    return apply(GATHER, table, index)


def _scatter_add_shape(attributes: Any, x: Value, index: Value) -> Shape:
    if x.shape[1] != _picked(index):
        raise ShapeError(f"an index {index.shape} does not fit {x.shape}")
    return (x.shape[0], attributes)


SCATTER_ADD = Operation(
    "scatter_add",
    _scatter_add_shape,
    adjoint=lambda d, y, x, index: (gather(d, index), None),
    operand_kinds=("float", "index"),
)


def scatter_add(x: Value, index: Value, count: int) -> Value:
    """Columns of x (width, batch) added up where index (1, batch) says: (width, count). Undoes `gather`."""
    return apply(SCATTER_ADD, cast(x), index, attributes=count)


ONE_HOT = Operation(
    "one_hot",
    lambda attributes, index: (attributes, _picked(index)),
    constant_because=SWITCH,
    kind="mask",
    operand_kinds=("index",),
)


def one_hot(index: Value, count: int) -> Value:
    """The mask (count, batch) that is true where the row's number is the index (1, batch)."""
    return apply(ONE_HOT, index, attributes=count)
