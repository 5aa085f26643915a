"""Comparisons, and the choice between two values element by element."""

from specnet.compiler.shapes import ShapeError
from specnet.compiler.value import SWITCH, Number, Operation, Value, as_value, broadcast, cast, elementwise, number_of

__all__ = ["equal", "greater", "maximum", "minimum", "where"]

# The result tells as well as the operand which one it was, and leaves the operand free to be overwritten.
MAXIMUM = Operation("maximum", broadcast, slopes=lambda y, a, b: (greater(y, b), equal(y, b)), overwrites=(0, 1))


def maximum(a: Value | Number, b: Value | Number) -> Value:
    """The larger one. A tie is b's: `maximum(x, 0)` has the derivative 0 at 0, `maximum(0, x)` has 1."""
    return elementwise(MAXIMUM, a, b)


MINIMUM = Operation("minimum", broadcast, slopes=lambda y, a, b: (greater(b, y), equal(y, b)), overwrites=(0, 1))


def minimum(a: Value | Number, b: Value | Number) -> Value:
    """The smaller one. A tie is b's: `minimum(x, 0)` has the derivative 0 at 0, `minimum(0, x)` has 1."""
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


# The last operand is written first, where it is not there already; then the other one over it, where chosen.
WHERE = Operation("where", broadcast, selects=True, overwrites=(2,))


def where(mask: Value, a: Value | Number, b: Value | Number) -> Value:
    """A where the mask is true, else b. The branch that is not taken may be infinite or NaN, its derivative too."""
    if mask.kind != "mask":
        raise ShapeError(f"where chooses by a mask, such as greater(a, b), not by {mask!r}")
    if number_of(as_value(a)) == 1 and number_of(as_value(b)) == 0:
        return cast(mask)
    return elementwise(WHERE, mask, a, b)
