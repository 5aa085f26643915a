"""Symbolic arrays with their operators, and the records of operations.

A `Value` is one array of a program: the operation that makes it, its operands, and its shape. Values are immutable and
compared by identity. Their operators simplify an expression only if every bit of the result stays the same. A shape has
at most two axes, each a length or a name that gets its length when a program is bound.

This module has the operations that all other operations need: arithmetic, repetition, and sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = [
    "BATCH",
    "FLAT",
    "Axis",
    "Kind",
    "MissingRuleError",
    "Operation",
    "Shape",
    "ShapeError",
    "Value",
    "constant",
    "expand",
    "input_value",
    "state_value",
    "sum_over",
]


Axis = int | str
Shape = tuple[Axis, ...]
"""The axes of an array: none, one or two."""

BATCH = "batch"
"""The axis of rows; its size is given when the program is bound."""
FLAT = "flat"
"""The only axis of a parameter vector, or of a part of it."""


class ShapeError(ValueError):
    """Raised if an operation does not support the shapes or kinds of its operands."""


def size_of(shape: Shape, axis: int = 0) -> int:
    """Return the length of an axis of a shape; the axis must not be a named one."""
    size = shape[axis] if len(shape) == 2 else None
    if not isinstance(size, int):
        raise ShapeError(f"a number of rows or columns is needed at axis {axis} of {shape}")
    return size


def broadcast_shapes(*shapes: Shape) -> Shape:
    """Return the shape to which all given shapes broadcast, as in NumPy.

    Raises
    ------
    ShapeError
        If two axes that should match differ and neither is 1.
    """
    if all(shape == shapes[0] for shape in shapes):
        return shapes[0]
    rank = max(map(len, shapes))
    result: list[Axis] = []
    for axis in zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True):
        sizes: set[Axis] = set(axis) - {1}
        if len(sizes) > 1:
            raise ShapeError(f"shapes {', '.join(map(str, shapes))} do not broadcast")
        result.append(sizes.pop() if sizes else 1)
    return tuple(result)


Kind = Literal["float", "mask", "index"]
Number = int | float
Reduced = Literal["features", "batch", "all"]
SWITCH = "it is constant between its switches"
"""The reason why a comparison has no derivative."""


class MissingRuleError(NotImplementedError):
    """Raised if an operation has no derivative, or no form in a backend."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """The properties of an operation; only its computation is defined by each backend.

    Attributes
    ----------
    name
        Its name in listings and messages.
    shape
        Takes (attributes, *operands); returns the shape of the result. None for leaves, which are declared with a
        shape.
    slopes
        For elementwise operations: takes the result y and the operands, (y, *operands); returns the local derivatives
        with respect to each operand. If a rule uses only y, the operands can be overwritten.
    adjoint
        For other operations: takes (d, y, *operands), where d is the derivative with respect to the result y; returns
        the derivative with respect to each operand, or None for an operand without a derivative.
    selects
        Whether the first operand selects, element by element, between the two others.
    constant_because
        The reason why it has no derivative; empty if it has one.
    kind
        The kind of the result; None if it is the kind of the first operand.
    operand_kinds
        The kinds that its operands may have.
    overwrites
        Positions of the operands whose storage an elementwise result may overwrite.
    ones_operand
        Position of the operand that is read together with an additional last row of ones, if its storage has one.
    role
        A "leaf" is filled from outside. A "view" is a part of its operand's storage. A "name" stands for its first
        operand, computes nothing and never reaches a backend.
    commutative
        Whether exchanging the two operands gives the same bits.
    fold
        Takes constant operands; returns the result. Defined only if it has the same bits as at run time.
    """

    name: str
    shape: Callable[..., Shape] | None = None
    slopes: Callable[..., Sequence[Value | Number]] | None = None
    adjoint: Callable[..., Sequence[Value | None]] | None = None
    selects: bool = False
    constant_because: str = ""
    kind: Kind | None = "float"
    operand_kinds: tuple[Kind, ...] = ("float", "mask")
    overwrites: tuple[int, ...] = ()
    ones_operand: int | None = None
    role: Literal["call", "leaf", "view", "name"] = "call"
    commutative: bool = False
    fold: Callable[..., float] | None = None

    @property
    def elementwise(self) -> bool:
        """Whether each element of the result depends only on the operands' elements at the same (broadcast) index."""
        return self.shape is broadcast

    def __repr__(self) -> str:
        return f"<operation {self.name}>"


@dataclass(slots=True, eq=False, repr=False)
class Value:
    """One array of a program, of at most two axes.

    Attributes
    ----------
    operation, arguments
        The operation that makes the value, and its operands.
    attributes
        Other arguments of the operation, such as a leaf's name, a constant's number, an axis or the bounds of rows.
    shape
        (features, "batch"), (features, 1), (1, "batch"), a parameter's (rows, columns), ("flat",) or ().
    kind
        "float", "mask" (true or false) or "index" (integers that select rows or columns).
    """

    operation: Operation
    arguments: tuple[Value, ...]
    attributes: Any
    shape: Shape
    kind: Kind

    def __post_init__(self) -> None:
        if len(self.shape) > 2:
            raise ShapeError(f"a value has at most two axes, not the {len(self.shape)} of {self.shape}")

    def __repr__(self) -> str:
        attributes = "" if self.attributes == () else f" {self.attributes!r}"
        return f"<{self.operation.name}{attributes} {self.shape} {self.kind}>"

    def __add__(self, other: Value | Number) -> Value:
        return _add(self, as_value(other))

    def __radd__(self, other: Number) -> Value:
        return _add(as_value(other), self)

    def __sub__(self, other: Value | Number) -> Value:
        return _subtract(self, as_value(other))

    def __rsub__(self, other: Number) -> Value:
        return _subtract(as_value(other), self)

    def __mul__(self, other: Value | Number) -> Value:
        return _multiply(self, as_value(other))

    def __rmul__(self, other: Number) -> Value:
        return _multiply(as_value(other), self)

    def __truediv__(self, other: Value | Number) -> Value:
        return _divide(self, as_value(other))

    def __rtruediv__(self, other: Number) -> Value:
        return _divide(as_value(other), self)

    def __neg__(self) -> Value:
        return _negative(self)

    def __pow__(self, power: int) -> Value:
        if not isinstance(power, int):
            raise TypeError(f"a power is a whole number, not {power!r}: write exp(power * log(x))")
        return _power(self, power)


# ------------------------------------------------------------------------------------------------------ making values


def apply(operation: Operation, *arguments: Value, attributes: Any = ()) -> Value:
    """Return the value of an operation on these operands.

    Raises
    ------
    ShapeError
        If an operand has a wrong kind or shape.
    """
    for argument in arguments:
        if argument.kind not in operation.operand_kinds:
            raise ShapeError(f"{operation.name} takes no operand of kind {argument.kind!r}: {argument!r}")
    if operation.shape is None:
        raise MissingRuleError(f"{operation.name} has no shape rule")
    kind = operation.kind or arguments[0].kind
    return Value(operation, arguments, attributes, operation.shape(attributes, *arguments), kind)


def leaf(operation: Operation, attributes: Any, shape: Shape, kind: Kind) -> Value:
    """Return a value that comes from outside the program."""
    return Value(operation, (), attributes, shape, kind)


CONSTANT = Operation("constant", role="leaf", constant_because="it never changes")


def constant(number: Number) -> Value:
    """Return a number that never changes, of shape ()."""
    return leaf(CONSTANT, float(number), (), "float")


INPUT = Operation("input", role="leaf", constant_because="it has no operands")


def input_value(name: str, shape: Shape, kind: Kind = "float") -> Value:
    """Return an array that the caller fills before a run."""
    return leaf(INPUT, name, shape, kind)


STATE = Operation("state", role="leaf", constant_because="it has no operands")


def state_value(name: str, shape: Shape) -> Value:
    """Return an array of floats that persists between runs, such as parameters, gradients or an optimizer's state."""
    return leaf(STATE, name, shape, "float")


def as_value(number: Value | Number) -> Value:
    """Return a value unchanged, or a number as a constant."""
    return number if isinstance(number, Value) else constant(number)


def number_of(x: Value) -> float | None:
    """Return the number of a constant, also of a repeated one; None for other values."""
    x = x.arguments[0] if x.operation is EXPAND else x
    number: float | None = x.attributes if x.operation is CONSTANT else None
    return number


# ------------------------------------------------------------------------------------------- conversion and repetition


def broadcast(attributes: Any, *arguments: Value) -> Shape:
    """Return the shape of the result of an elementwise operation."""
    return broadcast_shapes(*(argument.shape for argument in arguments))


def elementwise(operation: Operation, *operands: Value | Number) -> Value:
    """Return the value of an elementwise operation, computed in the smallest shape and repeated afterwards.

    Masks become floats, except the mask of `where`: in NumPy the sum of two masks is "or", and an operation of a mask
    and floats would convert the mask in additional memory.
    """
    arguments = [as_value(operand) for operand in operands]
    full = broadcast_shapes(*(argument.shape for argument in arguments))
    arguments = [argument.arguments[0] if argument.operation is EXPAND else argument for argument in arguments]
    if operation is not CAST:
        arguments[operation.selects :] = map(cast, arguments[operation.selects :])
    return expand(apply(operation, *arguments), full)


CAST = Operation("cast", broadcast, operand_kinds=("mask",), constant_because=SWITCH)


def cast(x: Value) -> Value:
    """Return a mask as the floats 0 and 1, or another value unchanged."""
    return apply(CAST, x) if x.kind == "mask" else x


EXPAND = Operation("expand", lambda attributes, x: tuple(attributes), adjoint=lambda d, y, x: (sum_to(d, x.shape),))


def expand(x: Value | Number, shape: Shape) -> Value:
    """Return x repeated to a shape to which it broadcasts."""
    x = as_value(x)
    if x.shape == shape:
        return x
    if broadcast_shapes(x.shape, shape) != shape:
        raise ShapeError(f"{x!r} cannot be repeated to {shape}")
    return apply(EXPAND, x.arguments[0] if x.operation is EXPAND else x, attributes=shape)


def sum_to(d: Value, shape: Shape) -> Value:
    """Return the sum of d along each axis on which `shape` was broadcast to d's shape: the adjoint of `expand`."""
    if shape == d.shape:
        return d
    if shape == ():
        return sum_over(d, "all")
    axes: tuple[tuple[int, Reduced], ...] = ((1, "batch"), (0, "features"))
    for axis, name in axes:
        if shape[axis] == 1:
            d = sum_over(d, name)
    return d


def axis_shape(attributes: Any, x: Value) -> Shape:
    """Return the shape of a sum or maximum along an axis."""
    if attributes == "all":
        return ()
    if len(x.shape) != 2 or attributes not in ("features", "batch"):
        raise ShapeError(f"{x!r} has no axis {attributes!r}")
    return (1, x.shape[1]) if attributes == "features" else (x.shape[0], 1)


def reduce(operation: Operation, x: Value, axis: Reduced) -> Value:
    """Return a sum or maximum along an axis; x itself if the axis has length 1."""
    y = apply(operation, cast(x), attributes=axis)
    return y.arguments[0] if y.shape == x.shape else y


SUM = Operation("sum", axis_shape, operand_kinds=("float",), adjoint=lambda d, y, x: (expand(d, x.shape),))


def sum_over(x: Value, axis: Reduced) -> Value:
    """Return the sum along an axis, whose length becomes 1; with "all", the sum of all elements, of shape ()."""
    return reduce(SUM, x, axis)


# --------------------------------------------------------------------------------------------------------- arithmetic


def _simplest(operation: Operation, a: Value, b: Value) -> Value:
    left, right = number_of(a), number_of(b)
    if left is None or right is None or operation.fold is None or (operation is DIVIDE and right == 0):
        return elementwise(operation, a, b)
    return expand(operation.fold(left, right), broadcast_shapes(a.shape, b.shape))


def _same(x: Value, other: Value) -> Value:
    """Return x, broadcast to the shape of an operation with the other operand."""
    return expand(cast(x), broadcast_shapes(x.shape, other.shape))


NEGATIVE = Operation("negative", broadcast, slopes=lambda y, a: (-1,), overwrites=(0,))


def _negative(x: Value) -> Value:
    return x.arguments[0] if x.operation is NEGATIVE else elementwise(NEGATIVE, x)


ADD = Operation(
    "add", broadcast, slopes=lambda y, a, b: (1, 1), overwrites=(0, 1), commutative=True, fold=lambda a, b: a + b
)


def _is_zero(x: Value, sign: float) -> bool:
    """Return whether a value is the constant zero of this sign."""
    number = number_of(x)
    return number == 0 and math.copysign(1, number) == sign


def _add(a: Value, b: Value) -> Value:
    for one, other in ((a, b), (b, a)):
        if _is_zero(other, -1):  # only -0 changes no x: -0 + 0 is 0
            return _same(one, other)
        if other.operation is NEGATIVE:
            return _subtract(one, other.arguments[0])
    return _simplest(ADD, a, b)


SUBTRACT = Operation("subtract", broadcast, slopes=lambda y, a, b: (1, -1), overwrites=(0, 1), fold=lambda a, b: a - b)


def _subtract(a: Value, b: Value) -> Value:
    if _is_zero(b, 1):
        return _same(a, b)
    if b.operation is NEGATIVE:
        return _add(a, b.arguments[0])
    return _simplest(SUBTRACT, a, b)


MULTIPLY = Operation(
    "multiply", broadcast, slopes=lambda y, a, b: (b, a), overwrites=(0, 1), commutative=True, fold=lambda a, b: a * b
)


def _multiply(a: Value, b: Value) -> Value:
    for one, other in ((a, b), (b, a)):
        if number_of(one) == 1:
            return _same(other, one)
        if number_of(one) == -1:
            return _negative(_same(other, one))
    return _simplest(MULTIPLY, a, b)


DIVIDE = Operation(
    "divide", broadcast, slopes=lambda y, a, b: (1 / b, -(y / b)), overwrites=(0, 1), fold=lambda a, b: a / b
)


def _divide(a: Value, b: Value) -> Value:
    divisor = number_of(b)
    if divisor == 1:
        return _same(a, b)
    if divisor and number_of(a) is None and abs(math.frexp(divisor)[0]) == 0.5 and 2**-100 < abs(divisor) < 2**100:
        return _multiply(a, expand(1 / divisor, b.shape))  # a power of two: the product has the same bits
    return _simplest(DIVIDE, a, b)


def _power(x: Value, power: int) -> Value:
    if power < 0:
        return 1 / _power(x, -power)
    result, square = expand(1, x.shape), x
    while power:
        if power % 2:
            result = result * square
        power //= 2
        square = square * square if power else square
    return result
