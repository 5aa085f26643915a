"""Linear algebra: products of matrices, and the dense layer's product with its bias inside."""

from typing import Any

from specnet.compiler.operations.pieces import rows
from specnet.compiler.shapes import Shape, ShapeError, size_of
from specnet.compiler.value import Operation, Value, apply, cast

__all__ = ["affine", "grouped_matmul", "linear_map", "matmul"]


def _matmul_shape(attributes: Any, a: Value, b: Value) -> Shape:
    flip_a, flip_b = attributes
    if len(a.shape) != 2 or len(b.shape) != 2 or a.shape[1 - flip_a] != b.shape[flip_b]:
        flips = " transposed" * flip_a, " transposed" * flip_b
        raise ShapeError(f"matrices {a.shape}{flips[0]} and {b.shape}{flips[1]} cannot be multiplied")
    return (a.shape[flip_a], b.shape[1 - flip_b])


def _matmul_adjoint(d: Value, y: Value, a: Value, b: Value) -> tuple[Value, Value]:
    flip_a, flip_b = y.attributes
    da = matmul(b, d, flip_b, True) if flip_a else matmul(d, b, False, not flip_b)
    db = matmul(d, a, True, flip_a) if flip_b else matmul(a, d, not flip_a, False)
    return da, db


MATMUL = Operation("matmul", _matmul_shape, adjoint=_matmul_adjoint, operand_kinds=("float",))


def matmul(a: Value, b: Value, flip_a: bool = False, flip_b: bool = False) -> Value:
    """The matrix product of a and b, each transposed first if flipped."""
    return apply(MATMUL, cast(a), cast(b), attributes=(flip_a, flip_b))


def linear_map(weight: Value, x: Value) -> Value:
    """The transposed weight (inputs, outputs) times x (inputs, batch): `affine` without a bias."""
    return matmul(weight, x, flip_a=True)


def _affine_shape(attributes: Any, block: Value, x: Value) -> Shape:
    if len(x.shape) != 2 or size_of(block.shape) != size_of(x.shape) + 1:
        raise ShapeError(f"a block {block.shape} takes {size_of(block.shape) - 1} features, not {x.shape}")
    return (block.shape[1], x.shape[1])


def _affine_adjoint(d: Value, y: Value, block: Value, x: Value) -> tuple[Value, Value]:
    return apply(AFFINE_GRADIENT, x, d), matmul(rows(block, 0, size_of(x.shape)), d)


AFFINE = Operation("affine", _affine_shape, adjoint=_affine_adjoint, operand_kinds=("float",), ones_operand=1)


def affine(block: Value, x: Value) -> Value:
    """Weight @ x + bias, where block (inputs + 1, outputs) is the transposed weight and below it the bias."""
    return apply(AFFINE, block, cast(x))


def _affine_gradient_shape(attributes: Any, x: Value, d: Value) -> Shape:
    return (size_of(x.shape) + 1, size_of(d.shape))


def _affine_gradient_adjoint(d: Value, y: Value, x: Value, upstream: Value) -> tuple[Value, Value]:
    return matmul(rows(d, 0, size_of(x.shape)), upstream), affine(d, x)


AFFINE_GRADIENT = Operation(
    "affine_gradient",
    _affine_gradient_shape,
    adjoint=_affine_gradient_adjoint,
    operand_kinds=("float",),
    ones_operand=0,
)


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


GROUPED_MATMUL = Operation(
    "grouped_matmul", _grouped_matmul_shape, adjoint=_grouped_matmul_adjoint, operand_kinds=("float",)
)


def grouped_matmul(a: Value, b: Value, groups: int, flip_a: bool = False, flip_b: bool = False) -> Value:
    """The product of a block-diagonal matrix with another, block by block: `matmul` in each of some groups.

    Rows take turns: the rows k, k + groups, k + 2·groups … of a, b and the result are those of group k. So what each
    column of a table has many of stands as many copies of all columns, one below the other, and pieces of it are views.
    """
    return apply(GROUPED_MATMUL, cast(a), cast(b), attributes=(groups, flip_a, flip_b))
