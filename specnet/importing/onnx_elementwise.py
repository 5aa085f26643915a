"""What ONNX's elementwise operators make: formulas, which become layers when something else reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from specnet.importing import functions as fn
from specnet.importing.algebra import Formula, TooInvolvedError, reciprocal, relu, sigmoid
from specnet.importing.expressions import formula_of
from specnet.importing.onnx_arithmetic import Operator, Result, arithmetic, check_numeric, lifted, like
from specnet.importing.onnx_call import Call
from specnet.importing.onnx_values import Dimensions, Features, Part
from specnet.parts.activations import Activation, Celu, Elu, HardSwish, Mish, Softsign
from specnet.parts.arrays import Array

_LARGEST = 3e38
"""A bound of a clip from here on is none."""


def _elementwise(function: Callable[[Formula], Formula], fold: Callable[[Array], Array] | None = None) -> Operator:
    """Return the operator that applies a function to each number."""

    def operator(call: Call) -> Result:
        value = call.value()
        if isinstance(value, np.ndarray) and fold is not None:
            check_numeric(call, value)
            with np.errstate(all="ignore"):
                return call.graph.fold(fold(value))
        return like(call.features(), function(call.features().formula))

    return operator


def _activation(function: Callable[[Formula], Formula], inside: Callable[[Formula], Formula] | None = None) -> Operator:
    """Return the operator of an activation, of another one's values or of what `inside` makes of them."""

    def operator(call: Call) -> Result:
        x = call.features()
        if inside is None or not x.formula.equals(inside(x.formula.algebra.x)):
            call.graph.begin_activation(x)
        return like(x, function(x.formula))

    return operator


def _with_number(function: Callable[..., Formula], **defaults: float) -> Operator:
    """Return the operator that applies a function with attributes that are numbers."""

    def operator(call: Call) -> Result:
        numbers = {name: call.number(name, default) for name, default in defaults.items()}
        x = call.features()
        call.graph.begin_activation(x)
        return like(x, function(x.formula, **numbers))

    return operator


def _part(part: type[Activation], **defaults: float) -> Operator:
    """Return the operator of an activation whose fields are its attributes, whether a spec could say them or not."""
    return _with_number(lambda x, **fields: formula_of(part.model_construct(**fields), x), **defaults)


def _clip(call: Call) -> Result:
    x = call.features()
    call.graph.begin_activation(x)
    formula = x.formula
    for index, name, function in ((1, "min", fn.maximum), (2, "max", fn.minimum)):
        bound: Any = None
        if call.given(index) is not None:
            constant = call.constant(index)
            bound = float(constant.reshape(())) if constant.size == 1 else call.refuse(f"its {name} is no number")
        elif name in call.attributes():
            bound = call.number(name, 0.0)
        if bound is not None and np.isfinite(bound) and abs(bound) < _LARGEST:
            formula = function(formula, x.formula.algebra.constant(call.graph.layers.rounded(bound)))
    return like(x, formula)


def _power(call: Call) -> Result:
    x, exponent = call.features(), call.constant(1)
    number = float(exponent.reshape(())) if exponent.size == 1 else call.refuse("its exponent is no number")
    if number in (0.5, -0.5):
        root = fn.sqrt(x.formula)
        return like(x, root if number > 0 else reciprocal(root))
    if not number.is_integer() or abs(number) > 8:
        call.refuse(f"a power of {number:g} is not understood")
    power = x.formula ** int(abs(number))
    return like(x, power if number >= 0 else reciprocal(power))


def _hard_sigmoid(x: Formula, alpha: float, beta: float) -> Formula:
    one, zero = x.algebra.constant(1.0), x.algebra.constant(0.0)
    return fn.minimum(fn.maximum(x * alpha + beta, zero), one)


def _leaky_relu(x: Formula, alpha: float) -> Formula:
    """Return the operator's, whose slope may be above 1, where no leaky_relu has one and max(x, alpha·x) is another."""
    return relu(x) + fn.minimum(x.algebra.constant(0.0), x) * alpha


def _shrink(x: Formula, lambd: float, bias: float) -> Formula:
    if lambd < 0:
        raise TooInvolvedError  # both sides of it would hold at once
    return fn.positive(x - lambd) * (x - bias) + fn.positive(-x - lambd) * (x + bias)


def _sigmoid(call: Call) -> Result:
    value = call.value()
    if isinstance(value, Part) and value.is_plain:
        return Part(value.source, value.begin, value.end, gated=True)
    return _activation(sigmoid)(call)


def _not(call: Call) -> Result:
    x = call.features()
    return like(x, 1.0 - x.formula)


def _where(call: Call) -> Result:
    condition, yes, no = (call.value(index) for index in range(3))
    known = [value for value in (condition, yes, no) if isinstance(value, Features)]
    if not known or any(value.source != known[0].source for value in known):
        call.refuse("it chooses between the outputs of different layers")
    formulas = [lifted(call, value, known[0]).formula for value in (condition, yes, no)]
    whole = all(value.whole for value in known if value is not condition)
    return Features(known[0].source, fn.where(*formulas), max(value.size for value in known), whole=whole)


def _over_features(function: Callable[[Formula, int], Formula]) -> Operator:
    """Return an operator that makes one number of each row's features."""

    def operator(call: Call) -> Result:
        x = call.features()
        if call.integers(1, "axes") not in ([1], [-1]) or not call.integer("keepdims", 1):
            call.refuse("it makes something else than one number of the features of each row, (rows, 1)")
        if x.formula.value is not None:
            call.refuse("it reduces numbers that are the same for all rows")
        return x if fn.is_of_rows(x.formula) else like(x, function(x.formula, x.size))

    return operator


def _shape(call: Call) -> Result:
    if call.attributes():
        call.refuse("a part of a shape is not understood")
    value = call.value()
    if isinstance(value, np.ndarray):
        return np.array(value.shape, np.int64)
    return Dimensions(call.features().size)


def _greater(function: Callable[[Formula], Formula], *, swapped: bool) -> Operator:
    return arithmetic(lambda p, q: function(q - p if swapped else p - q), np.less if swapped else np.greater)


ELEMENTWISE: dict[str, Operator] = {
    "Abs": _elementwise(fn.absolute, np.abs),
    "And": arithmetic(lambda p, q: p * q, np.logical_and),
    "Celu": _part(Celu, alpha=1.0),
    "Clip": _clip,
    "Elu": _part(Elu, alpha=1.0),
    "Erf": _elementwise(fn.erf),
    # Not in ONNX's list, and all the same what tf2onnx writes for TensorFlow's operators of these names.
    "Erfc": _elementwise(lambda p: 1.0 - fn.erf(p)),
    "Exp": _elementwise(fn.exp, np.exp),
    "Expm1": _elementwise(lambda p: fn.exp(p) - 1.0, np.expm1),
    "Greater": _greater(fn.positive, swapped=False),
    "GreaterOrEqual": _greater(fn.not_negative, swapped=False),
    "HardSigmoid": _with_number(_hard_sigmoid, alpha=0.2, beta=0.5),
    "HardSwish": _part(HardSwish),
    "LeakyRelu": _with_number(_leaky_relu, alpha=0.01),
    "Less": _greater(fn.positive, swapped=True),
    "LessOrEqual": _greater(fn.not_negative, swapped=True),
    "Log": _elementwise(fn.log, np.log),
    "Mish": _part(Mish),
    "Neg": _elementwise(lambda p: -p, np.negative),
    "Not": _not,
    "Or": arithmetic(lambda p, q: p + q - p * q, np.logical_or),
    "Pow": _power,
    "Reciprocal": _elementwise(reciprocal, np.reciprocal),
    "ReduceMax": _over_features(lambda p, size: fn.largest(p)),
    "ReduceMean": _over_features(lambda p, size: fn.mean(p)),
    "ReduceSum": _over_features(lambda p, size: fn.mean(p) * size),
    "Relu": _activation(relu),
    "Shape": _shape,
    "Shrink": _with_number(_shrink, lambd=0.5, bias=0.0),
    "Sigmoid": _sigmoid,
    "Sign": _elementwise(fn.sign, np.sign),
    "Softplus": _activation(fn.softplus),
    "Softsign": _part(Softsign),
    "Sqrt": _elementwise(fn.sqrt, np.sqrt),
    "Swish": _with_number(lambda x, alpha: x * sigmoid(x * alpha), alpha=1.0),
    "Tanh": _activation(fn.tanh, fn.softplus),
    "ThresholdedRelu": _with_number(lambda x, alpha: fn.positive(x - alpha) * x, alpha=1.0),
    "Where": _where,
}
