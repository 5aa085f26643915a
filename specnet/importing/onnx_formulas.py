"""Nodes that stay formulas until something reads them as features; constants that a layer takes in at once."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from specnet.importing.draft import FEATURES_LIMIT, INPUT, Scaling
from specnet.importing.onnx_call import Call, Result
from specnet.importing.onnx_running import CONDITIONS
from specnet.importing.onnx_terms import (
    Features,
    Shapes,
    Term,
    Value,
    Varying,
    case_of,
    case_shape,
    described,
    per_feature,
)
from specnet.parts.arrays import Array


def formula(call: Call) -> Result:
    """Return what a node computes of terms and constants, each place by itself."""
    values = [value for value in call.inputs if value is not None]
    if not any(isinstance(value, Features) for value in values):
        if any(isinstance(value, Varying) for value in values):
            call.refuse("it computes with the number of rows")
        return call.moved()
    shapes = _shapes(call, values)
    operands = [None if value is None else _operand(call, value, shapes) for value in call.inputs]
    taken = _taken_in(call, operands, shapes)
    if taken is not None:
        return taken
    kinds = [each.kind if isinstance(each, Term) else each.dtype.kind for each in operands if each is not None]
    if call.node.op_type == "Where":
        del kinds[0]
    kind = "b" if call.node.op_type in CONDITIONS else "f" if "f" in kinds else kinds[-1]
    return call.graph.computed(call.node, shapes, operands, kind)


def _shapes(call: Call, values: list[Value]) -> Shapes:
    """Return the shapes of what is made of tensors, each place by itself."""
    shapes = []
    for number, rows in enumerate(call.graph.rows):
        try:
            shapes.append(np.broadcast_shapes(*(case_shape(value, number) for value in values)))
        except ValueError:
            call.refuse(f"{described(*values)} do not fit together")
        if math.prod(shapes[-1]) > FEATURES_LIMIT * rows:
            call.refuse(f"it makes more than {FEATURES_LIMIT} features")
    return tuple(shapes)


def _operand(call: Call, value: Value, shapes: Shapes) -> Term | Array | None:
    """Return a term, or a constant of one number or of one for each feature; None for one that bounds nothing."""
    if isinstance(value, Features):
        if value.term.size == 1 and not value.broadcast(shapes).columns.any():
            return value.term
        return call.graph.term(value.broadcast(shapes))
    arrays = [case_of(value, number) for number in range(len(shapes))]
    if arrays[0].size == 1 and arrays[0].dtype.kind in "fi" and np.isinf(arrays[0]).all():
        return None
    if call.node.op_type == "Clip" and arrays[0].size != 1:
        call.refuse(f"a bound is {described(value)}, expected one number")
    found = [per_feature(*each) for each in zip(arrays, call.graph.rows, shapes, strict=True)]
    if not all(np.array_equal(found[0], each) for each in found):
        call.refuse(f"it reads {value}")
    return found[0]


def across(call: Call) -> Result:
    """Return what an operator makes of the features of each row."""
    x, node = call.features(), type(call.node).FromString(call.node.SerializeToString())
    operator, reduces = node.op_type, node.op_type.startswith(("Reduce", "Arg"))
    if operator.startswith("Reduce"):
        axes = call.ints("axes", 1) or []
    else:
        axes = [call.integer("axis", 0 if reduces else -1 if call.graph.version >= 13 else 1)]
    if len(axes) != 1 or not x.is_axis(axes[0]):
        call.refuse(f"it works along the axes {axes} of {x}, expected the features of each row")
    kept = [1] if call.integer("keepdims", 1) else []
    for attribute in node.attribute:  # in the run, features are (rows, features)
        if attribute.name in ("axis", "keepdims"):
            attribute.i = 1
        elif attribute.name == "axes":
            attribute.ints[:] = [1]
    axis = [np.array([1])] if len(call.inputs) > 1 else []
    shapes = x.resized(axes[0], *kept) if reduces else x.shapes
    return call.graph.computed(node, shapes, [call.graph.term(x), *axis], "i" if operator == "ArgMax" else "f")


def _taken_in(call: Call, operands: list[Term | Array | None], shapes: Shapes) -> Features | None:
    """Return the layer's output that a constant becomes a part of: a standardization of the columns, or a bias."""
    graph, operator = call.graph, call.node.op_type
    if len(operands) != 2 or operator not in ("Add", "Sub", "Mul", "Div"):
        return None
    is_first = isinstance(operands[0], Term)
    x, number = operands if is_first else operands[::-1]
    if not isinstance(x, Term) or not isinstance(number, np.ndarray) or number.dtype.kind != "f":
        return None
    is_whole = math.prod(shapes[0]) == graph.rows[0] * x.size
    if x.layer is None or x.operands or not is_whole or not call.features(not is_first).alone:
        return None
    if x.layer == INPUT:
        taken = _standardized(call, np.broadcast_to(number.astype(np.float64), x.size), is_first=is_first)
        return None if taken is None else graph.leaf(taken, shapes)
    is_bias = number.ndim > 0 and operator == "Add" and graph.draft.take_bias(x.layer, np.broadcast_to(number, x.size))
    return Features(x, graph.rows, shapes) if is_bias else None


def _standardized(call: Call, number: Array, *, is_first: bool) -> int | None:
    """Standardize the network's columns by one more constant, and return the layer that they are now."""
    draft, operator = call.graph.draft, call.node.op_type
    mean, scale = np.zeros(number.shape), np.ones(number.shape)
    if draft.preparation is not None:
        mean, scale = draft.preparation.mean, draft.preparation.scale
    if (operator in ("Sub", "Div") and not is_first) or (operator in ("Mul", "Div") and not number.all()):
        return None
    if operator == "Mul" and draft.preparation is None:
        return None  # factors alone are a layer
    if operator == "Mul" and draft.dtype == "float64" and (scale == 1).all():
        # Division by the reciprocal would differ in the last digit.
        draft.preparation = None
        return draft.affine_steps(INPUT, [(np.ones(()), -mean), (number, np.zeros(()))])
    with np.errstate(all="ignore"):
        if operator in ("Sub", "Add"):
            mean = mean + (number if operator == "Sub" else -number) * scale
        else:
            scale = scale * number if operator == "Div" else scale / number
        draft.preparation = Scaling(mean, scale)
    return INPUT


def plainer(call: Call) -> Result:
    """Return what an operator with numbers that no activation has computes, as plainer operators do."""
    from onnx import helper

    x, graph = call.features(), call.graph
    defaults, steps = PLAINER[call.node.op_type]
    numbers = {name: float(call.attribute(name, "FLOAT", default)) for name, default in defaults.items()}
    term = own = graph.term(x)
    for operator, *operands in map(str.split, steps):
        node = helper.make_node(operator, ["a", "b"][: 1 + len(operands)], ["y"])
        if operator == "Elu":
            node.attribute.append(helper.make_attribute("alpha", numbers["alpha"]))
        others = [own if name == "x" else np.array(numbers.get(name, name), np.float32) for name in operands]
        term = graph.computed(node, x.shapes, [term, *others]).term
    return replace(x, term=term, moved=None)


PLAINER: dict[str, tuple[dict[str, float], list[str]]] = {
    "HardSigmoid": ({"alpha": 0.2, "beta": 0.5}, ["Mul alpha", "Add beta", "Max 0", "Min 1"]),
    "Selu": ({"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875}, ["Elu", "Mul gamma"]),
    "Swish": ({"alpha": 1.0}, ["Mul alpha", "Sigmoid", "Mul x"]),
    # Not in ONNX's list, and all the same what tf2onnx writes for TensorFlow's operators of these names.
    "Erfc": ({}, ["Erf", "Neg", "Add 1"]),
    "Expm1": ({}, ["Exp", "Sub 1"]),
}
"""Operators in terms of others: their numbers by default, and what is computed of x step by step."""
