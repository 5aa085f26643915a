"""Nodes that stay formulas until something reads them as features; constants that a layer takes in at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from specnet.importing.draft import INPUT, Scaling
from specnet.importing.onnx_call import Call, Result, described
from specnet.importing.onnx_running import ACROSS, CONDITIONS
from specnet.importing.onnx_terms import Shape, Term, Value, per_feature, shown_shape
from specnet.parts.arrays import Array

if TYPE_CHECKING:
    from collections.abc import Callable

    from onnx import NodeProto


def formula(call: Call) -> Result:
    """Return what a node computes of terms and constants."""
    operator = call.node.op_type
    values = [
        None if each is None or isinstance(each, np.ndarray) else call.term(n) for n, each in enumerate(call.inputs)
    ]
    terms = [value for value in values if isinstance(value, Term)]
    if operator in ACROSS:
        return _across(call, terms[0])
    shape = _shape(call, terms)
    constants = [per_feature(_bound(call, each), shape) if _is_bound(each) else None for each in call.inputs]
    taken = _taken_in(call, terms, constants)
    if taken is not None:
        return taken
    kind = "b" if operator in CONDITIONS else "f" if any(term.kind == "f" for term in terms) else terms[-1].kind
    if operator == "Where" and isinstance(call.inputs[1], np.ndarray) and call.inputs[1].dtype.kind == "f":
        kind = "f"
    operands = [constant if value is None else value for value, constant in zip(values, constants, strict=True)]
    return call.graph.formula(call.node, shape, operands, kind)


def _is_bound(value: Value | Array | None) -> bool:
    """Whether an operand is a constant, and not one that bounds nothing."""
    return isinstance(value, np.ndarray) and not (value.size == 1 and np.isinf(value.astype(np.float64)).all())


def _bound(call: Call, value: Value | Array | None) -> Array:
    assert isinstance(value, np.ndarray), "asked before"
    if call.node.op_type == "Clip" and value.size != 1:
        call.refuse(f"a bound has the shape {value.shape}, expected one number")
    return value


def _shape(call: Call, terms: list[Term]) -> Shape:
    """Return the shape of what an operator makes of terms and constants, each place by itself."""
    shapes = [term.shape for term in terms]
    texts = " and ".join(sorted({shown_shape(shape) for shape in shapes}))
    if len({len(shape) for shape in shapes}) > 1:
        call.refuse(f"it combines features of shapes {texts}")
    found = list(shapes[0])
    constants = [value.shape for value in call.inputs if isinstance(value, np.ndarray) and value.ndim <= len(found)]
    for shape in [*shapes, *((1,) * (len(found) - len(each)) + each for each in constants)]:
        for axis, size in enumerate(shape):
            if size != 1 and found[axis] == 1:
                found[axis] = size
            elif size not in (1, found[axis]) and found[axis] is not None:
                call.refuse(f"it combines features of shapes {texts} with others of shape {shown_shape(shape)}")
    return tuple(found)


def _across(call: Call, term: Term) -> Term:
    """Return what an operator makes of the features of each row."""
    node = type(call.node).FromString(call.node.SerializeToString())
    reduces = node.op_type.startswith("Reduce")
    if reduces:
        axes = call.integers(1, "axes") or []
    else:
        axes = [call.integer("axis", -1 if call.graph.version() >= 13 else 1)]
    if len(axes) != 1 or not call.along_features(term.shape, axes[0]) or not call.integer("keepdims", 1):
        call.refuse(f"it works along the axes {axes} of {described(term)}, expected the features of each row")
    for attribute in node.attribute:  # in the run, features are (rows, features)
        if attribute.name == "axis":
            attribute.i = 1
        elif attribute.name == "axes":
            attribute.ints[:] = [1]
    shape = (*term.shape[:-1], 1) if reduces else term.shape
    axis = [np.array([1])] if len(call.inputs) > 1 else []
    return call.graph.formula(node, shape, [term, *axis], "f")


def _taken_in(call: Call, terms: list[Term], constants: list[Array | None]) -> Term | None:
    """Return the layer's output that a constant becomes a part of: a standardization of the columns, or a bias."""
    if len(constants) != 2 or len(terms) != 1 or call.node.op_type not in ("Add", "Sub", "Mul", "Div"):
        return None
    (x,), origin = terms, terms[0].origin
    numbers = [array for array in constants if array is not None and array.dtype.kind == "f"]
    if len(numbers) != 1 or origin.operands or not x.alone or not origin.alone:
        return None
    (number,) = numbers
    is_first = isinstance(call.inputs[1], np.ndarray)
    if origin.layer == INPUT:
        return _standardized(call, x, np.broadcast_to(number.astype(np.float64), x.size), is_first=is_first)
    assert origin.layer is not None, "a term that reads nothing is a layer's output"
    is_row = number.ndim > 0 and call.node.op_type == "Add"
    return x if is_row and call.graph.draft.take_bias(origin.layer, np.broadcast_to(number, x.size)) else None


def _standardized(call: Call, x: Term, number: Array, *, is_first: bool) -> Term | None:
    """Standardize the network's columns by one more constant."""
    draft, operator = call.graph.draft, call.node.op_type
    before = draft.preparation or Scaling(np.zeros(x.size), np.ones(x.size))
    if (operator in ("Sub", "Div") and not is_first) or (operator in ("Mul", "Div") and not number.all()):
        return None
    if operator == "Mul" and draft.preparation is None:
        return None  # factors alone are a layer
    if operator == "Mul" and draft.dtype == "float64" and (before.scale == 1).all():
        # Division by the reciprocal would differ in the last digit.
        draft.preparation = None
        layer = draft.affine_steps(INPUT, [(np.ones(()), -before.mean), (number, np.zeros(()))])
        return call.graph.leaf(layer, x.shape)
    with np.errstate(all="ignore"):
        made = {
            "Sub": lambda: Scaling(before.mean + number * before.scale, before.scale),
            "Add": lambda: Scaling(before.mean - number * before.scale, before.scale),
            "Div": lambda: Scaling(before.mean, before.scale * number),
            "Mul": lambda: Scaling(before.mean, before.scale / number),
        }
        draft.preparation = made[operator]()
    return call.graph.leaf(INPUT, x.shape)


def plain_nodes(node: NodeProto, number: Callable[[], int]) -> Iterator[NodeProto]:
    """Yield a node, or in place of one whose numbers no activation here has plainer ones that compute the same."""
    from onnx import helper

    if node.domain or node.op_type not in _PLAINER or len(node.input) != 1 or not node.output:
        yield node
        return
    defaults, steps = _PLAINER[node.op_type]
    numbers = {attribute.name: attribute.f for attribute in node.attribute}
    names = {"x": node.input[0], "y": node.output[0]}
    for operator, *operands, result in (step.split() for step in steps):
        read = []
        for operand in operands:
            if operand not in names:
                value = numbers.get(operand, defaults.get(operand, None))
                names[operand] = f"{node.output[0]}.{operand}.{number()}"
                constant = float(operand) if value is None else value
                yield helper.make_node("Constant", [], [names[operand]], value_float=constant, name=node.name)
            read.append(names[operand])
        names.setdefault(result, f"{node.output[0]}.{result}.{number()}")
        fields = {"alpha": numbers.get("alpha", defaults["alpha"])} if operator == "Elu" else {}
        yield helper.make_node(operator, read, [names[result]], name=node.name, **fields)


_PLAINER: dict[str, tuple[dict[str, float], list[str]]] = {
    "HardSigmoid": ({"alpha": 0.2, "beta": 0.5}, ["Mul x alpha m", "Add m beta a", "Max a 0 l", "Min l 1 y"]),
    "Selu": ({"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875}, ["Elu x e", "Mul e gamma y"]),
    "Swish": ({"alpha": 1.0}, ["Mul x alpha m", "Sigmoid m s", "Mul x s y"]),
    # Not in ONNX's list, and all the same what tf2onnx writes for TensorFlow's operators of these names.
    "Erfc": ({}, ["Erf x e", "Sub 1 e y"]),
    "Expm1": ({}, ["Exp x e", "Sub e 1 y"]),
}
"""Operators in terms of others: their numbers by default, and what computes the same."""
