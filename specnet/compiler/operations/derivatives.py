"""Names for values whose derivative is said, not found."""

from collections.abc import Callable, Sequence
from typing import Any

from specnet.compiler.shapes import Shape, ShapeError
from specnet.compiler.value import Operation, Value, apply

__all__ = ["custom", "stop_gradient"]

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
    """X, through which no derivative flows back."""
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
