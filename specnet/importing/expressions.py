"""From an activation's expression to a formula: each of the compiler's operations by what it does to formulas."""

from __future__ import annotations

from collections.abc import Callable

from specnet.compiler import BATCH, Operation, Value, input_value
from specnet.compiler.operations import derivatives, functions, reductions, selection
from specnet.compiler.reverse import postorder
from specnet.compiler.value import ADD, CAST, CONSTANT, DIVIDE, EXPAND, MULTIPLY, NEGATIVE, SUBTRACT, SUM
from specnet.importing import functions as fn
from specnet.importing.algebra import Formula, TooInvolvedError, sigmoid
from specnet.parts.activations import Activation

_FUNCTIONS: dict[Operation, Callable[..., Formula]] = {
    NEGATIVE: lambda p: -p,
    ADD: lambda p, q: p + q,
    SUBTRACT: lambda p, q: p - q,
    MULTIPLY: lambda p, q: p * q,
    DIVIDE: lambda p, q: p / q,
    functions.EXP: fn.exp,
    functions.EXPM1: lambda p: fn.exp(p) - 1.0,
    functions.LOG: fn.log,
    functions.LOG1P: lambda p: fn.log(p + 1.0),
    functions.SQRT: fn.sqrt,
    functions.TANH: fn.tanh,
    functions.ERF: fn.erf,
    functions.SIGMOID: sigmoid,
    functions.SOFTPLUS: fn.softplus,
    functions.ABSOLUTE: fn.absolute,
    functions.SIGN: fn.sign,
    selection.MAXIMUM: fn.maximum,
    selection.MINIMUM: fn.minimum,
    selection.GREATER: lambda p, q: fn.positive(p - q),
    selection.WHERE: fn.where,
    CAST: lambda p: p,
    EXPAND: lambda p: p,
    derivatives.STOP_GRADIENT: lambda p: p,
    derivatives.CUSTOM: lambda p, *inputs: p,
}
_OVER_FEATURES: dict[Operation, Callable[[Formula, int], Formula]] = {
    SUM: lambda p, size: fn.mean(p) * size,
    reductions.MAX: lambda p, size: fn.largest(p),
}
_X = input_value("x", ("features", BATCH))
"""What expressions are written over; no number of features, since sums of a single one are left out."""


def formula_of(part: Activation, x: Formula, size: int = 1) -> Formula:
    """Return what an activation makes of a formula, by its expression.

    Parameters
    ----------
    part : Activation
        Its fields may have values that a spec could not say.
    x : Formula
    size : int
        The number of features, on which no elementwise activation depends.

    Raises
    ------
    TooInvolvedError
        If formulas cannot say it.
    """
    try:
        result = None if part.own_parameters(size) else part.expression(_X)
    except Exception as error:  # of any kind: it may be someone else's, and its numbers those of a file
        raise TooInvolvedError from error
    if not isinstance(result, Value) or result.shape != _X.shape:
        raise TooInvolvedError
    found = {_X: x}
    for value in postorder([result], lambda value: value.arguments):
        if value not in found:
            found[value] = _applied(value, [found[argument] for argument in value.arguments], x, part, size)
    return found[result]


def _applied(value: Value, operands: list[Formula], x: Formula, part: Activation, size: int) -> Formula:
    operation = value.operation
    if operation is CONSTANT:
        return x.algebra.constant(value.attributes)
    if operation in _FUNCTIONS:
        return _FUNCTIONS[operation](*operands)
    if operation in _OVER_FEATURES and value.attributes == "features" and not part.elementwise:
        return _OVER_FEATURES[operation](operands[0], size)
    raise TooInvolvedError
