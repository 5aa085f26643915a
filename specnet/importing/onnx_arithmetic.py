"""What ONNX's operators of several arrays make: sums, products and the like, of formulas or of whole layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from specnet.importing import functions as fn
from specnet.importing.algebra import CONSTANT, Formula
from specnet.importing.draft import INPUT, DraftLayer, Scaling
from specnet.importing.onnx_call import Call, row
from specnet.importing.onnx_values import Departure, Features, Normal, Part, Value
from specnet.parts.arrays import Array

Result = Value | Array | list[Value | Array]
Operator = Callable[[Call], Result]


def like(x: Features, formula: Formula) -> Features:
    return Features(x.source, formula, x.size, whole=x.whole)


def arithmetic(
    function: Callable[[Formula, Formula], Formula],
    fold: Callable[[Array, Array], Array],
    between: Callable[[Call, Features, Features], Value] | None = None,
) -> Operator:
    """Return an operator of two arrays; `between` makes a layer of the outputs of two different layers."""

    def operator(call: Call) -> Result:
        a, b = call.value(0), call.value(1)
        if len(call.inputs) != 2:
            call.refuse("it has more than two inputs")
        return _combined(call, a, b, function, fold, between)

    return operator


def _combined(
    call: Call,
    a: Value | Array,
    b: Value | Array,
    function: Callable[[Formula, Formula], Formula],
    fold: Callable[[Array, Array], Array],
    between: Callable[[Call, Features, Features], Value] | None,
) -> Value | Array:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        check_numeric(call, a)
        check_numeric(call, b)
        try:
            larger = math.prod(np.broadcast_shapes(a.shape, b.shape)) > max(a.size, b.size)
        except ValueError:
            larger = True
        if larger:
            call.refuse(f"constants of shapes {a.shape} and {b.shape} do not go together")
        with np.errstate(all="ignore"):
            return call.graph.fold(fold(a, b))
    if isinstance(a, Part) and isinstance(b, Part) and between is _product:
        return _gated(call, a, b)
    x, y = (lifted(call, value, other) for value, other in ((a, b), (b, a)))
    x, y = _as_before(call, x, y), _as_before(call, y, x)
    if x.source == y.source:
        formula = function(x.formula, y.formula)
        return Features(x.source, formula, max(x.size, y.size), whole=x.whole and y.whole)
    if between is None or fn.is_of_rows(x.formula) or fn.is_of_rows(y.formula):
        call.refuse("it combines the outputs of two layers in a way that no layer here does")
    if x.size != y.size:
        call.refuse(f"it combines {x.size} and {y.size} features")
    return between(call, x, y)


def _as_before(call: Call, value: Features, other: Features) -> Features:
    """Return a value in terms of what a condition is about, which no layer gives, if only so the two go together."""
    origin = call.graph.settled.get(value.source)
    if origin is None or origin.source != other.source or not other.is_condition:
        return value
    return Features(origin.source, value.formula.substituted(origin.formula), value.size, alone=False)


def check_numeric(call: Call, array: Array) -> None:
    if array.dtype.kind not in "fib":
        call.refuse(f"a constant holds {array.dtype}, and not numbers")


def lifted(call: Call, value: Value | Array, other: Value | Array) -> Features:
    """Return features, or a constant as features of what it is combined with."""
    if isinstance(value, Features):
        return value
    if not isinstance(value, np.ndarray) or not isinstance(other, Features):
        call.refuse(f"it reads {call.graph.described(value)}, and features of rows are needed")
    return like(other, call.graph.layers.algebra.constant(row(value, other.size)))


def _sum(call: Call, x: Features, y: Features) -> Value:
    graph = call.graph
    return graph.features(graph.draft.add({"type": "add"}, [graph.source(x), graph.source(y)]))


def _difference(call: Call, x: Features, y: Features) -> Value:
    return _sum(call, x, like(y, -y.formula))


def _product(call: Call, x: Features, y: Features) -> Value:
    graph = call.graph
    return graph.features(graph.draft.add({"type": "multiply"}, [graph.source(x), graph.source(y)]))


def _gated(call: Call, a: Part, b: Part) -> Value:
    """Return the first half of a layer's features times the sigmoid of the second."""
    passed, gate = sorted((a, b), key=lambda part: part.gated)
    size = call.graph.draft.size(a.source)
    halves = (passed.begin, passed.end, gate.begin, gate.end) == (0, size // 2, size // 2, size)
    halves &= passed.factor is passed.shift is gate.factor is gate.shift is None
    if a.source != b.source or passed.gated or not gate.gated or not halves:
        call.refuse("it multiplies parts of the features in another way than glu does")
    fields = {"type": "activation", "activation": "glu"}
    return call.graph.features(call.graph.draft.add(fields, [a.source], size=size // 2))


def _add(call: Call) -> Result:
    known = _scaled(call, "shift") or _on_input(call, "add") or _mixture(call) or _absorbed(call, "add")
    result = known or arithmetic(lambda p, q: p + q, np.add, _sum)(call)
    return _normalized(call, result, "add")


def _subtract(call: Call) -> Result:
    x, constant = call.value(0), call.value(1)
    if isinstance(x, Features) and isinstance(constant, np.ndarray) and constant.size == x.size:
        # A mean for each feature begins a normalization, of whatever was before it.
        if x.normal is None:
            call.graph.settle(x, scaled=True)
        else:
            call.graph.source(x)
    result = _on_input(call, "subtract") or arithmetic(lambda p, q: p - q, np.subtract, _difference)(call)
    y = call.value(1)
    if isinstance(x, Features) and isinstance(y, Features) and x.source == y.source and y.formula.is_variable:
        assert isinstance(result, Features)
        result.departure = Departure(x.formula)
    return _normalized(call, result, "subtract")


def _multiply(call: Call) -> Result:
    for x, constant in _orders(call):
        if isinstance(x, Features) and isinstance(constant, np.ndarray):
            _end_before_factor(call, x, constant)
    known = _scaled(call, "factor") or _on_input(call, "multiply") or _absorbed(call, "multiply")
    result = known or arithmetic(lambda p, q: p * q, np.multiply, _product)(call)
    for x, constant in _orders(call):
        if isinstance(x, Features) and x.departure and isinstance(constant, np.ndarray) and _is_row(constant, x):
            assert isinstance(result, Features)
            again = x.departure.share is not None  # a product of shares is none that stands in the file
            result.departure = None if again else replace(x.departure, share=row(constant, x.size))
    return _normalized(call, result, "multiply")


def _scaled(call: Call, what: str) -> Value | None:
    """Return a part of the features with a factor, or with a shift after it, as a target's units have it."""
    for part, constant in _orders(call):
        if isinstance(part, Part) and isinstance(constant, np.ndarray) and not part.gated and part.shift is None:
            size = part.end - part.begin
            number = np.broadcast_to(row(constant, size), size)
            if what == "shift" or part.factor is None:
                return replace(part, factor=number) if what == "factor" else replace(part, shift=number)
    return None


def _orders(call: Call) -> tuple[tuple[Value | Array, Value | Array], ...]:
    """Return both inputs, and both the other way round."""
    a, b = call.value(0), call.value(1)
    return (a, b), (b, a)


def _end_before_factor(call: Call, x: Features, constant: Array) -> None:
    """Make a layer of what a factor is no part of: another factor, or a shift, for each feature."""
    affine = x.formula.affine
    if affine is not None and np.ndim(affine[0]):
        call.graph.source(x)
    elif _is_row(constant, x) and (np.ndim(x.formula.terms.get(CONSTANT, 0.0)) or fn.reduces(x.formula)):
        call.graph.settle(x)


def _is_row(constant: Array, x: Features) -> bool:
    """Whether a constant has one number for each feature."""
    return constant.ndim > 0 and constant.size == x.size


def _divide(call: Call) -> Result:
    if any(_is_whole(value) for value in call.inputs):
        call.refuse("it divides integers, whose quotients ONNX cuts towards 0")
    return _on_input(call, "divide") or arithmetic(lambda p, q: p / q, np.divide)(call)


def _is_whole(value: Value | Array | None) -> bool:
    return value.whole if isinstance(value, Features) else isinstance(value, np.ndarray) and value.dtype.kind != "f"


def _normalized(call: Call, result: Result, operation: str) -> Result:
    """Keep the numbers of a normalization as they stand, since those of its formula are products of them."""
    x, constant = call.value(0), call.value(1)
    if not isinstance(x, Features):
        x, constant = constant, x
    if not isinstance(result, Features) or not isinstance(x, Features) or not isinstance(constant, np.ndarray):
        return result
    number, before = row(constant, x.size), x.normal
    if operation == "subtract" and x is call.value(0) and x.formula.is_variable and not result.formula.is_variable:
        result.normal = Normal(number)
    elif operation == "multiply" and before is not None and before.factor is None and before.shift is None:
        result.normal = replace(before, factor=number)
    elif operation == "add" and before is not None and before.shift is None:
        result.normal = replace(before, shift=number)
    return result


def _operand(call: Call) -> tuple[Features, Array, bool] | None:
    """Return a layer's output that nothing else reads and a constant, and whether the output comes first."""
    for x, constant in _orders(call):
        if isinstance(x, Features) and isinstance(constant, np.ndarray) and call.graph.may_change(x):
            return x, constant, x is call.value(0)
    return None


def _on_input(call: Call, operation: str) -> Value | None:
    """Standardize the network's columns, where a constant moves or scales what goes in."""
    found, draft = _operand(call), call.graph.draft
    if call.graph.is_marked and call.graph.section != "preprocessing":
        return None
    if found is None or found[0].source != INPUT or (operation in ("subtract", "divide") and not found[2]):
        return None
    x, constant, _ = found
    number = np.broadcast_to(row(constant, x.size), x.size)
    before = draft.preparation or Scaling(np.zeros(x.size), np.ones(x.size))
    if not number.all() and operation in ("multiply", "divide"):
        return None
    if operation == "multiply":
        if draft.preparation is None:
            return None  # factors alone are a layer
        if draft.dtype == "float64" and (before.scale == 1).all():
            # Division by the reciprocal would differ in the last digit.
            draft.preparation = None
            x.formula, x.normal = x.formula - x.formula.algebra.constant(before.mean), Normal(before.mean)
            return None
    with np.errstate(all="ignore"):
        match operation:
            case "subtract":
                prepared = Scaling(before.mean + number * before.scale, before.scale)
            case "add":
                prepared = Scaling(before.mean - number * before.scale, before.scale)
            case "divide":
                prepared = Scaling(before.mean, before.scale * number)
            case _:
                prepared = Scaling(before.mean, before.scale / number)
    draft.preparation = prepared
    return call.graph.features(INPUT)


def _mixture(call: Call) -> Value | None:
    """Make a layer of x + share·(f(x) − x), by the numbers as they stand: a share that is still 1 would vanish."""
    for x, y in _orders(call):
        if not isinstance(x, Features) or not isinstance(y, Features) or x.source != y.source:
            continue
        if x.departure and x.departure.share is not None and y.formula.is_variable:
            layer = call.graph.layers.mixture(x.source, x.departure.activation, x.departure.share)
            return None if layer is None else call.graph.features(layer)
    return None


def _absorbed(call: Call, operation: str) -> Value | None:
    """Put a constant with a number for each feature into the layer that it is added to, or that it multiplies."""
    found = _operand(call)
    if found is None or found[0].source == INPUT or not found[1].ndim:
        return None
    x, constant, _ = found
    draft = call.graph.draft
    step = draft.steps[x.source]
    name = _free_place(step, operation)
    if name is None:
        return None
    step.tensors[name] = draft.numbers(np.broadcast_to(row(constant, x.size), x.size), name)
    step.fields.pop("use_bias", None)
    return call.graph.features(x.source)


def _free_place(step: DraftLayer, operation: str) -> str | None:
    """Return what a layer learns that a constant can become without a rounding, None where there is nothing."""
    if step.fields["type"] == "dense":
        is_linear = step.fields.get("use_bias") is False and "activation" not in step.fields
        return "bias" if operation == "add" and is_linear else None
    if step.fields["type"] != "layer_normalization" or step.tensors["shift"].any():
        return None
    if operation == "add":
        return "shift"
    return "scale" if (step.tensors["scale"] == 1).all() else None


def _extreme(function: Callable[[Formula, Formula], Formula], fold: Callable[[Array, Array], Array]) -> Operator:
    """Return Max, Min or Sum: an operator of any number of arrays."""
    between = _sum if fold is np.add else None

    def operator(call: Call) -> Result:
        result = call.value(0)
        for index in range(1, len(call.inputs)):
            result = _combined(call, result, call.value(index), function, fold, between)
        return result

    return operator


ARITHMETIC: dict[str, Operator] = {
    "Add": _add,
    "Div": _divide,
    "Max": _extreme(fn.maximum, np.maximum),
    "Min": _extreme(fn.minimum, np.minimum),
    "Mul": _multiply,
    "Sub": _subtract,
    "Sum": _extreme(lambda p, q: p + q, np.add),
}
