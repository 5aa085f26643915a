"""The operations other than arithmetic: for each an `Operation` with shape rule and derivative, and a function.

Parts write expressions with the functions, which are in `__all__`. Backends use the operations, whose names are in
capitals.
"""

import math
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

from specnet.compiler.value import (
    SWITCH,
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
    size_of,
    sum_over,
)

__all__ = [
    "absolute",
    "affine",
    "concatenate",
    "cos",
    "custom",
    "equal",
    "erf",
    "exp",
    "expm1",
    "floor",
    "fold",
    "gather",
    "greater",
    "grouped_matmul",
    "linear_map",
    "log",
    "log1p",
    "matmul",
    "max_over",
    "maximum",
    "minimum",
    "one_hot",
    "repeat",
    "rows",
    "scatter_add",
    "sigmoid",
    "sign",
    "sin",
    "softplus",
    "sqrt",
    "stop_gradient",
    "tanh",
    "to_index",
    "where",
]


Backward = Callable[[Value], Sequence[Value | None]]


def _first_shape(attributes: Any, x: Value, *others: Value) -> Shape:
    return x.shape


STOP_GRADIENT = Operation(
    "stop_gradient",
    _first_shape,
    kind=None,
    operand_kinds=("float", "mask", "index"),
    role="name",
    constant_because="its author says so",
)


def stop_gradient(x: Value) -> Value:
    """Return x without a derivative."""
    return apply(STOP_GRADIENT, x)


def _custom_adjoint(d: Value, y: Value, result: Value, *inputs: Value) -> list[Value | None]:
    derivatives = tuple(y.attributes(d))
    if len(derivatives) != len(inputs):
        raise ShapeError(f"a custom backward gave {len(derivatives)} derivatives for {len(inputs)} inputs")
    return [None, *derivatives]


CUSTOM = Operation(
    "custom", _first_shape, adjoint=_custom_adjoint, kind=None, operand_kinds=("float", "mask", "index"), role="name"
)


def custom(result: Value, inputs: Sequence[Value], backward: Backward) -> Value:
    """Return `result` with a custom backward rule for its derivatives with respect to `inputs`.

    Parameters
    ----------
    result
        The value, computed from `inputs`.
    inputs
        The values with respect to which it has derivatives. Other operands of `result` get no derivative through it.
    backward
        Takes d, the derivative with respect to `result`; returns a derivative for each input, or None for none.
    """
    return apply(CUSTOM, result, *inputs, attributes=backward)


def _function(name: str, slope: Callable[[Value, Value], Value]) -> Operation:
    """Return the operation of a function of one operand, given its derivative in terms of result and operand."""
    return Operation(name, broadcast, slopes=lambda y, x: (slope(y, x),), overwrites=(0,))


EXP = _function("exp", lambda y, x: y)


def exp(x: Value | Number) -> Value:
    """The exponential."""
    return elementwise(EXP, x)


EXPM1 = _function("expm1", lambda y, x: y + 1)


def expm1(x: Value | Number) -> Value:
    """exp(x) - 1, exact near 0."""
    return elementwise(EXPM1, x)


LOG = _function("log", lambda y, x: 1 / x)


def log(x: Value | Number) -> Value:
    """The natural logarithm."""
    return elementwise(LOG, x)


LOG1P = _function("log1p", lambda y, x: 1 / (x + 1))


def log1p(x: Value | Number) -> Value:
    """log(1 + x), exact near 0."""
    return elementwise(LOG1P, x)


SQRT = _function("sqrt", lambda y, x: 0.5 / y)


def sqrt(x: Value | Number) -> Value:
    """The square root."""
    return elementwise(SQRT, x)


SIN = _function("sin", lambda y, x: cos(x))


def sin(x: Value | Number) -> Value:
    """The sine of radians."""
    return elementwise(SIN, x)


COS = _function("cos", lambda y, x: -sin(x))


def cos(x: Value | Number) -> Value:
    """The cosine of radians."""
    return elementwise(COS, x)


TANH = _function("tanh", lambda y, x: 1 - y * y)


def tanh(x: Value | Number) -> Value:
    """The hyperbolic tangent."""
    return elementwise(TANH, x)


ERF = _function("erf", lambda y, x: 2 / math.sqrt(math.pi) * exp(-(x * x)))


def erf(x: Value | Number) -> Value:
    """The error function."""
    return elementwise(ERF, x)


SIGMOID = _function("sigmoid", lambda y, x: y * (1 - y))


def sigmoid(x: Value | Number) -> Value:
    """1 / (1 + exp(-x))."""
    return elementwise(SIGMOID, x)


SOFTPLUS = _function("softplus", lambda y, x: sigmoid(x))


def softplus(x: Value | Number) -> Value:
    """log(1 + exp(x)), without overflow."""
    return elementwise(SOFTPLUS, x)


ABSOLUTE = _function("absolute", lambda y, x: sign(x))


def absolute(x: Value | Number) -> Value:
    """The absolute value, with the derivative 0 at 0."""
    return elementwise(ABSOLUTE, x)


SIGN = Operation("sign", broadcast, constant_because=SWITCH, overwrites=(0,))


def sign(x: Value | Number) -> Value:
    """-1, 0 or 1."""
    return elementwise(SIGN, x)


FLOOR = Operation("floor", broadcast, constant_because=SWITCH, overwrites=(0,))


def floor(x: Value | Number) -> Value:
    """The largest integer that is not above x."""
    return elementwise(FLOOR, x)


SMOOTH = (EXP, EXPM1, LOG, LOG1P, SQRT, SIN, COS, TANH, ERF, SIGMOID, SOFTPLUS)
"""The functions without a switch."""


# The slopes compare with the result instead of the other operand, so that this operand can be overwritten.
MAXIMUM = Operation("maximum", broadcast, slopes=lambda y, a, b: (greater(y, b), equal(y, b)), overwrites=(0, 1))


def maximum(a: Value | Number, b: Value | Number) -> Value:
    """The larger of a and b; if equal, only b has a derivative: at 0 `maximum(x, 0)` has 0, `maximum(0, x)` has 1."""
    return elementwise(MAXIMUM, a, b)


MINIMUM = Operation("minimum", broadcast, slopes=lambda y, a, b: (greater(b, y), equal(y, b)), overwrites=(0, 1))


def minimum(a: Value | Number, b: Value | Number) -> Value:
    """The smaller of a and b; if equal, only b has a derivative: at 0 `minimum(x, 0)` has 0, `minimum(0, x)` has 1."""
    return elementwise(MINIMUM, a, b)


GREATER = Operation("greater", broadcast, constant_because=SWITCH, kind="mask", overwrites=(0, 1))


def greater(a: Value | Number, b: Value | Number) -> Value:
    """The mask of a > b."""
    return elementwise(GREATER, a, b)


EQUAL = Operation(
    "equal",
    broadcast,
    constant_because=SWITCH,
    kind="mask",
    operand_kinds=("float", "mask", "index"),
    overwrites=(0, 1),
    commutative=True,
)


def equal(a: Value | Number, b: Value | Number) -> Value:
    """The mask of a == b."""
    return elementwise(EQUAL, a, b)


# Backends first copy the last operand, unless the result is in its storage, then the other one where the mask is true.
WHERE = Operation("where", broadcast, selects=True, overwrites=(2,))


def where(mask: Value, a: Value | Number, b: Value | Number) -> Value:
    """The elements of a where the mask is true, else of b. Elements not taken may be infinite or NaN."""
    if mask.kind != "mask":
        raise ShapeError(f"where chooses by a mask, such as greater(a, b), not by {mask!r}")
    if number_of(as_value(a)) == 1 and number_of(as_value(b)) == 0:
        return cast(mask)
    return elementwise(WHERE, mask, a, b)


def _max_adjoint(d: Value, y: Value, x: Value) -> tuple[Value]:
    hit = equal(x, y)
    return (d / sum_over(hit, y.attributes) * hit,)


MAX = Operation("max", axis_shape, adjoint=_max_adjoint, operand_kinds=("float",))


def max_over(x: Value, axis: Reduced) -> Value:
    """The maximum along an axis, whose length becomes 1, or of all elements. Equal maxima share the derivative."""
    return reduce(MAX, x, axis)


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
    """The rows from `low` up to but not including `high`, as a view."""
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
    """Return the first row of each piece of a concatenation, and the row after its last one."""
    return list(pairwise(accumulate((size_of(shape) for shape in shapes), initial=0)))


def _concatenate_shape(attributes: Any, *pieces: Value) -> Shape:
    if len({piece.shape[1:] for piece in pieces}) != 1:
        raise ShapeError(f"pieces {', '.join(str(piece.shape) for piece in pieces)} cannot be concatenated")
    return (sum(size_of(piece.shape) for piece in pieces), pieces[0].shape[1])


def _concatenate_adjoint(d: Value, y: Value, *pieces: Value) -> list[Value]:
    return [rows(d, low, high) for low, high in row_bounds([piece.shape for piece in pieces])]


CONCATENATE = Operation("concatenate", _concatenate_shape, adjoint=_concatenate_adjoint, operand_kinds=("float",))


def concatenate(*pieces: Value) -> Value:
    """The pieces, stacked below each other."""
    return pieces[0] if len(pieces) == 1 else apply(CONCATENATE, *map(cast, pieces))


REPEAT = Operation(
    "repeat",
    lambda attributes, x: (size_of(x.shape) * attributes[0], x.shape[1]),
    adjoint=lambda d, y, x: (fold(d, *y.attributes),),
    operand_kinds=("float",),
)


def repeat(x: Value, count: int, each: bool = False) -> Value:
    """The rows of x, `count` times: copies of x below each other, or with `each`, copies of each row."""
    return x if count == 1 else apply(REPEAT, cast(x), attributes=(count, each))


def _fold_shape(attributes: Any, x: Value) -> Shape:
    if size_of(x.shape) % attributes[0]:
        raise ShapeError(f"{x!r} is no {attributes[0]} copies of anything")
    return (size_of(x.shape) // attributes[0], x.shape[1])


FOLD = Operation("fold", _fold_shape, adjoint=lambda d, y, x: (repeat(d, *y.attributes),), operand_kinds=("float",))


def fold(x: Value, count: int, each: bool = False) -> Value:
    """The sum over the copies that `repeat` makes of each row: the adjoint of `repeat`."""
    return x if count == 1 else apply(FOLD, cast(x), attributes=(count, each))


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
    """The matrix product of a and b; `flip_a` and `flip_b` transpose them first."""
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
    """Weight @ x + bias, where block (inputs + 1, outputs) is the transposed weight with the bias in its last row."""
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
    """The matrix product in each group of rows, as of a block-diagonal matrix: `matmul` of a and b by group.

    The rows k, k + groups, k + 2·groups … of a, b and the result belong to group k. So with a group for each column of
    a table, the first number of all columns is one view, the second number another.
    """
    return apply(GROUPED_MATMUL, cast(a), cast(b), attributes=(groups, flip_a, flip_b))


def _picked(index: Value) -> int | str:
    if index.kind != "index" or len(index.shape) != 2 or index.shape[0] != 1:
        raise ShapeError(f"columns are picked by an index of shape (1, batch), not by {index!r}")
    return index.shape[1]


TO_INDEX = Operation(
    "to_index", lambda attributes, x: x.shape, constant_because=SWITCH, kind="index", operand_kinds=("float",)
)


def to_index(x: Value) -> Value:
    """Floats as indices. It is not checked whether they are integers and at least 0."""
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
    """The columns of a table (width, count) at an index (1, batch): (width, batch). Indices are not checked."""
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
    """The sums of columns of x (width, batch) by index (1, batch): (width, count). The adjoint of `gather`."""
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
