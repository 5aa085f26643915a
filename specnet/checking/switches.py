"""Where a program chooses: the masks of all its comparisons, by which two evaluations can be told apart.

Between two points at which every mask is the same, a program is one smooth formula, and a difference quotient means
its derivative. What hides behind `stop_gradient` is a constant to the derivative, and does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from specnet.compiler import Value, equal, greater, operations
from specnet.compiler.reverse import postorder


def switches(outputs: Iterable[Value]) -> list[Value]:
    """Return what tells the sides that each maximum, minimum, comparison, sign and absolute value takes.

    They are masks, and the indices and whole numbers that numbers are turned into.

    Parameters
    ----------
    outputs : iterable of Value
        What is computed; everything on the way to it is looked at.
    """
    return [mask for value in postorder(outputs, _operands) for mask in _sides(value)]


def _operands(value: Value) -> Sequence[Value]:
    if value.operation is operations.STOP_GRADIENT:
        return ()
    return value.arguments[:1] if value.operation is operations.CUSTOM else value.arguments


def _sides(value: Value) -> Iterator[Value]:
    if value.operation in (operations.TO_INDEX, operations.FLOOR):
        yield value
    elif value.operation is operations.MAX:
        (x,) = value.arguments
        yield equal(x, value)
    elif value.operation in (operations.ABSOLUTE, operations.SIGN):
        (x,) = value.arguments
        yield from (greater(x, 0), greater(0, x))
    elif value.operation in (operations.MAXIMUM, operations.MINIMUM, operations.GREATER, operations.EQUAL):
        a, b = value.arguments
        if a.kind == b.kind == "float":
            yield from (greater(a, b), greater(b, a))
