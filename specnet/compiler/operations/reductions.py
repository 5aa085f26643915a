"""What makes one number of many along an axis, beside the sum."""

from specnet.compiler.operations.selection import equal
from specnet.compiler.value import Operation, Reduced, Value, axis_shape, reduce, sum_over

__all__ = ["max_over"]


def _max_adjoint(d: Value, y: Value, x: Value) -> tuple[Value]:
    hit = equal(x, y)
    return (d / sum_over(hit, y.attributes) * hit,)


MAX = Operation("max", axis_shape, adjoint=_max_adjoint, operand_kinds=("float",))


def max_over(x: Value, axis: Reduced) -> Value:
    """The maximum along an axis, which becomes 1; of everything, with shape (). Equal maxima share the derivative."""
    return reduce(MAX, x, axis)
