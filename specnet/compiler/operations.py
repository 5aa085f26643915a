"""The operations beside arithmetic: their records, and the functions that an author of expressions calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

from specnet.compiler.value import (
    Number,
    Operation,
    Reduced,
    Shape,
    ShapeError,
    Value,
    apply,
    as_value,
    axis_shape,
    broadcast,
    cast,
    elementwise,
    number_of,
    reduce,
    sum_over,
)

Backward = Callable[[Value], Sequence[Value | None]]
Operand = Value | Number

# --------------------------------------------------------------------------------------------------------- elementwise


def exp(x: Operand) -> Value:
    """The exponential."""
    return elementwise(EXP, x)


def expm1(x: Operand) -> Value:
    """exp(x) - 1, exact near 0."""
    return elementwise(EXPM1, x)


def log(x: Operand) -> Value:
    """The natural logarithm."""
    return elementwise(LOG, x)


def log1p(x: Operand) -> Value:
    """log(1 + x), exact near 0."""
    return elementwise(LOG1P, x)


def sqrt(x: Operand) -> Value:
    """The square root."""
    return elementwise(SQRT, x)


def sin(x: Operand) -> Value:
    """The sine of radians."""
    return elementwise(SIN, x)


def cos(x: Operand) -> Value:
    """The cosine of radians."""
    return elementwise(COS, x)


def tanh(x: Operand) -> Value:
    """The hyperbolic tangent."""
    return elementwise(TANH, x)


def erf(x: Operand) -> Value:
    """The error function."""
    return elementwise(ERF, x)


def sigmoid(x: Operand) -> Value:
    """1 / (1 + exp(-x))."""
    return elementwise(SIGMOID, x)


def softplus(x: Operand) -> Value:
    """log(1 + exp(x)), without overflow."""
    return elementwise(SOFTPLUS, x)


def absolute(x: Operand) -> Value:
    """|x|, with the derivative 0 at 0."""
    return elementwise(ABSOLUTE, x)


def sign(x: Operand) -> Value:
    """-1, 0 or 1."""
    return elementwise(SIGN, x)


def maximum(a: Operand, b: Operand) -> Value:
    """The larger one. A tie is b's: `maximum(x, 0)` has the derivative 0 at 0, `maximum(0, x)` has 1."""
    return elementwise(MAXIMUM, a, b)


def minimum(a: Operand, b: Operand) -> Value:
    """The smaller one. A tie is b's: `minimum(x, 0)` has the derivative 0 at 0, `minimum(0, x)` has 1."""
    return elementwise(MINIMUM, a, b)


def greater(a: Operand, b: Operand) -> Value:
    """The mask of a > b."""
    return elementwise(GREATER, a, b)


def equal(a: Operand, b: Operand) -> Value:
    """The mask of a == b."""
    return elementwise(EQUAL, a, b)


def where(mask: Value, a: Operand, b: Operand) -> Value:
    """A where the mask is true, else b. The branch that is not taken may be infinite or NaN, its derivative too."""
    if mask.kind != "mask":
        raise ShapeError(f"where chooses by a mask, such as greater(a, b), not by {mask!r}")
    if number_of(as_value(a)) == 1 and number_of(as_value(b)) == 0:
        return cast(mask)
    return elementwise(WHERE, mask, a, b)


# -------------------------------------------------------------------------------------------- along axes, and products


def max_over(x: Value, axis: Reduced) -> Value:
    """The maximum along an axis, which becomes 1; of everything, with shape (). Equal maxima share the derivative."""
    return reduce(MAX, x, axis)


def matmul(a: Value, b: Value, flip_a: bool = False, flip_b: bool = False) -> Value:
    """The matrix product of a and b, each transposed first if flipped."""
    return apply(MATMUL, cast(a), cast(b), attributes=(flip_a, flip_b))


def affine(block: Value, x: Value) -> Value:
    """Weight @ x + bias, where block (inputs + 1, outputs) is the transposed weight and below it the bias."""
    return apply(AFFINE, block, cast(x))


def linear_map(weight: Value, x: Value) -> Value:
    """The transposed weight (inputs, outputs) times x (inputs, batch): `affine` without a bias."""
    return matmul(weight, x, flip_a=True)


def to_index(x: Value) -> Value:
    """Whole numbers as indices. That they are whole, and not below 0, is not checked."""
    return apply(TO_INDEX, x)


def gather(table: Value, index: Value) -> Value:
    """The columns of table (width, count) that index (1, batch) picks: (width, batch). Indices are not checked."""
    return apply(GATHER, table, index)


def scatter_add(x: Value, index: Value, count: int) -> Value:
    """Columns of x (width, batch) added up where index (1, batch) says: (width, count). Undoes `gather`."""
    return apply(SCATTER_ADD, cast(x), index, attributes=count)


def one_hot(index: Value, count: int) -> Value:
    """The mask (count, batch) that is true where the row's number is the index (1, batch)."""
    return apply(ONE_HOT, index, attributes=count)


# --------------------------------------------------------------------------------------------- pieces, and exceptions


def rows(x: Value, low: int, high: int) -> Value:
    """The rows from low up to, not including, high: a view."""
    if x.operation is ROWS:
        start, _ = x.attributes
        x, low, high = x.arguments[0], start + low, start + high
    return x if (low, high) == (0, x.shape[0]) else apply(ROWS, x, attributes=(low, high))


def concatenate(*pieces: Value) -> Value:
    """The pieces' rows, one piece below the other."""
    return pieces[0] if len(pieces) == 1 else apply(CONCATENATE, *map(cast, pieces))


def stop_gradient(x: Value) -> Value:
    """X, through which no derivative flows back."""
    return apply(STOP_GRADIENT, x)


def custom(result: Value, inputs: Sequence[Value], backward: Backward) -> Value:
    """`result`, with a derivative by each of `inputs` that is said, not found.

    Parameters
    ----------
    result
        The value, made from `inputs` in any way.
    inputs
        What it is differentiated by. What else `result` is made from gets no derivative through it.
    backward
        From d, the derivative by `result` and of its shape, one derivative per input (None: nothing flows back).
    """
    return apply(CUSTOM, result, *inputs, attributes=backward)


# -------------------------------------------------------------------------------------------------------------- rules


def size_of(shape: Shape, axis: int = 0) -> int:
    """The number of rows or columns, which must be known and no name."""
    size = shape[axis] if len(shape) == 2 else None
    if not isinstance(size, int):
        raise ShapeError(f"a number of rows or columns is needed at axis {axis} of {shape}")
    return size


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


def _affine_shape(attributes: Any, block: Value, x: Value) -> Shape:
    if len(x.shape) != 2 or size_of(block.shape) != size_of(x.shape) + 1:
        raise ShapeError(f"a block {block.shape} takes {size_of(block.shape) - 1} features, not {x.shape}")
    return (block.shape[1], x.shape[1])


def _affine_adjoint(d: Value, y: Value, block: Value, x: Value) -> tuple[Value, Value]:
    return apply(AFFINE_GRADIENT, x, d), matmul(rows(block, 0, size_of(x.shape)), d)


def _affine_gradient_shape(attributes: Any, x: Value, d: Value) -> Shape:
    return (size_of(x.shape) + 1, size_of(d.shape))


def _affine_gradient_adjoint(d: Value, y: Value, x: Value, upstream: Value) -> tuple[Value, Value]:
    return matmul(rows(d, 0, size_of(x.shape)), upstream), affine(d, x)


def _max_adjoint(d: Value, y: Value, x: Value) -> tuple[Value]:
    hit = equal(x, y)
    return (d / sum_over(hit, y.attributes) * hit,)


def _gather_shape(attributes: Any, table: Value, index: Value) -> Shape:
    size_of(table.shape, 1)
    return (table.shape[0], _picked(index))


def _scatter_add_shape(attributes: Any, x: Value, index: Value) -> Shape:
    if x.shape[1] != _picked(index):
        raise ShapeError(f"an index {index.shape} does not fit {x.shape}")
    return (x.shape[0], attributes)


def _picked(index: Value) -> int | str:
    if index.kind != "index" or len(index.shape) != 2 or index.shape[0] != 1:
        raise ShapeError(f"columns are picked by an index of shape (1, batch), not by {index!r}")
    return index.shape[1]


def _one_hot_shape(attributes: Any, index: Value) -> Shape:
    return (attributes, _picked(index))


def _rows_shape(attributes: Any, x: Value) -> Shape:
    low, high = attributes
    if not 0 <= low < high <= size_of(x.shape):
        raise ShapeError(f"{x!r} has no rows {low}:{high}")
    return (high - low, x.shape[1])


def _pad_shape(attributes: Any, d: Value) -> Shape:
    return (attributes[2], d.shape[1])


def _rows_adjoint(d: Value, y: Value, x: Value) -> tuple[Value]:
    return (apply(PAD, d, attributes=(*y.attributes, size_of(x.shape))),)


def _pad_adjoint(d: Value, y: Value, x: Value) -> tuple[Value]:
    low, high, _ = y.attributes
    return (rows(d, low, high),)


def _concatenate_shape(attributes: Any, *pieces: Value) -> Shape:
    if len({piece.shape[1:] for piece in pieces}) != 1:
        raise ShapeError(f"pieces {', '.join(str(piece.shape) for piece in pieces)} cannot be concatenated")
    return (sum(size_of(piece.shape) for piece in pieces), pieces[0].shape[1])


def row_bounds(shapes: Sequence[Shape]) -> list[tuple[int, int]]:
    """Where each piece of a concatenation begins and ends."""
    return list(pairwise(accumulate((size_of(shape) for shape in shapes), initial=0)))


def _concatenate_adjoint(d: Value, y: Value, *pieces: Value) -> list[Value]:
    return [rows(d, low, high) for low, high in row_bounds([piece.shape for piece in pieces])]


def _first_shape(attributes: Any, x: Value, *others: Value) -> Shape:
    return x.shape


def _custom_adjoint(d: Value, y: Value, result: Value, *inputs: Value) -> list[Value | None]:
    derivatives = tuple(y.attributes(d))
    if len(derivatives) != len(inputs):
        raise ShapeError(f"a custom backward gave {len(derivatives)} derivatives for {len(inputs)} inputs")
    return [None, *derivatives]


# ------------------------------------------------------------------------------------------------------------- records

_SWITCH = "it is constant between its switches"
_ANY: Any = ("float", "mask", "index")
_FLOAT: Any = ("float",)

EXP = Operation("exp", broadcast, slopes=lambda y, a: (y,), overwrites=(0,))
EXPM1 = Operation("expm1", broadcast, slopes=lambda y, a: (y + 1,), overwrites=(0,))
LOG = Operation("log", broadcast, slopes=lambda y, a: (1 / a,), overwrites=(0,))
LOG1P = Operation("log1p", broadcast, slopes=lambda y, a: (1 / (a + 1),), overwrites=(0,))
SQRT = Operation("sqrt", broadcast, slopes=lambda y, a: (0.5 / y,), overwrites=(0,))
SIN = Operation("sin", broadcast, slopes=lambda y, a: (cos(a),), overwrites=(0,))
COS = Operation("cos", broadcast, slopes=lambda y, a: (-sin(a),), overwrites=(0,))
TANH = Operation("tanh", broadcast, slopes=lambda y, a: (1 - y * y,), overwrites=(0,))
ERF = Operation("erf", broadcast, slopes=lambda y, a: (2 / math.sqrt(math.pi) * exp(-(a * a)),), overwrites=(0,))
SIGMOID = Operation("sigmoid", broadcast, slopes=lambda y, a: (y * (1 - y),), overwrites=(0,))
SOFTPLUS = Operation("softplus", broadcast, slopes=lambda y, a: (sigmoid(a),), overwrites=(0,))
ABSOLUTE = Operation("absolute", broadcast, slopes=lambda y, a: (sign(a),), overwrites=(0,))
SIGN = Operation("sign", broadcast, constant_because=_SWITCH, overwrites=(0,))
# The result tells as well as the operand which one it was, and leaves the operand free to be overwritten.
MAXIMUM = Operation("maximum", broadcast, slopes=lambda y, a, b: (greater(y, b), equal(y, b)), overwrites=(0, 1))
MINIMUM = Operation("minimum", broadcast, slopes=lambda y, a, b: (greater(b, y), equal(y, b)), overwrites=(0, 1))
GREATER = Operation("greater", broadcast, constant_because=_SWITCH, kind="mask", overwrites=(0, 1))
EQUAL = Operation(
    "equal", broadcast, constant_because=_SWITCH, kind="mask", operand_kinds=_ANY, overwrites=(0, 1), commutative=True
)
# The last operand is written first, where it is not there already; then the other one over it, where chosen.
WHERE = Operation("where", broadcast, selects=True, overwrites=(2,))

MAX = Operation("max", axis_shape, adjoint=_max_adjoint, operand_kinds=_FLOAT)
MATMUL = Operation("matmul", _matmul_shape, adjoint=_matmul_adjoint, operand_kinds=_FLOAT)
AFFINE = Operation("affine", _affine_shape, adjoint=_affine_adjoint, operand_kinds=_FLOAT, ones_operand=1)
AFFINE_GRADIENT = Operation(
    "affine_gradient",
    _affine_gradient_shape,
    adjoint=_affine_gradient_adjoint,
    operand_kinds=_FLOAT,
    ones_operand=0,
)
TO_INDEX = Operation("to_index", _first_shape, constant_because=_SWITCH, kind="index", operand_kinds=_FLOAT)
GATHER = Operation(
    "gather",
    _gather_shape,
    adjoint=lambda d, y, table, index: (scatter_add(d, index, size_of(table.shape, 1)), None),
    operand_kinds=("float", "index"),
)
SCATTER_ADD = Operation(
    "scatter_add",
    _scatter_add_shape,
    adjoint=lambda d, y, x, index: (gather(d, index), None),
    operand_kinds=("float", "index"),
)
ONE_HOT = Operation("one_hot", _one_hot_shape, constant_because=_SWITCH, kind="mask", operand_kinds=("index",))
ROWS = Operation("rows", _rows_shape, adjoint=_rows_adjoint, kind=None, operand_kinds=_ANY, role="view")
PAD = Operation("pad", _pad_shape, adjoint=_pad_adjoint, operand_kinds=_FLOAT)
CONCATENATE = Operation("concatenate", _concatenate_shape, adjoint=_concatenate_adjoint, operand_kinds=_FLOAT)
STOP_GRADIENT = Operation(
    "stop_gradient",
    _first_shape,
    kind=None,
    operand_kinds=_ANY,
    role="name",
    constant_because="its author says so",
)
CUSTOM = Operation("custom", _first_shape, adjoint=_custom_adjoint, kind=None, operand_kinds=_ANY, role="name")
