"""ONNX's operators: most remain formulas until a layer reads them, some become layers, others move numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from specnet.errors import FileError
from specnet.exporting.model_facts import as_texts
from specnet.files.tensors import shown
from specnet.importing.draft import FEATURES_LIMIT, INPUT, Draft, Scaling
from specnet.importing.onnx.onnx_graph import NodeCall, Operator, Result
from specnet.importing.onnx.onnx_running import ACROSS, CONDITIONS, ELEMENTWISE, MOVEMENTS
from specnet.importing.onnx.onnx_terms import Shapes, TensorConstant, TensorFeatures, Term, Value, per_feature, row_of
from specnet.parts.arrays import Array


def _formula(call: NodeCall) -> Result:
    """Return the result of an elementwise operator on terms and constants."""
    if not any(isinstance(value, TensorFeatures) for value in call.given):
        if any(value.varies for value in call.given):
            raise FileError("it computes with the number of rows")
        return call.moved()
    shapes = _shapes(call)
    operands = [None if value is None else _operand(call, value, shapes) for value in call.inputs]
    taken = _taken_in(call, operands, shapes)
    if taken is not None:
        return taken
    kinds = [each.kind if isinstance(each, Term) else each.dtype.kind for each in operands if each is not None]
    if call.node.op_type == "Where":
        del kinds[0]
    kind = "b" if call.node.op_type in {"Binarizer"} | CONDITIONS else "f" if "f" in kinds else kinds[-1]
    return call.graph.computed(call.node, shapes, operands, kind)


def _shapes(call: NodeCall) -> Shapes:
    """Return the shapes of the result of an elementwise operator on tensors."""
    shapes = []
    for case, rows in enumerate(call.graph.rows):
        sizes = [
            value.shapes[case] if isinstance(value, TensorFeatures) else value.at(case).shape for value in call.given
        ]
        try:
            shapes.append(np.broadcast_shapes(*sizes))
        except ValueError:
            raise FileError(f"{' and '.join(dict.fromkeys(map(str, call.given)))} do not fit together") from None
        if math.prod(shapes[-1]) > FEATURES_LIMIT * rows:
            raise FileError(f"it makes more than {FEATURES_LIMIT} features")
    return tuple(shapes)


def _operand(call: NodeCall, value: Value, shapes: Shapes) -> Term | Array | None:
    """Return an operand: a term, or a constant () or (features,); None for an infinite bound."""
    if isinstance(value, TensorFeatures):
        value = value.broadcast(shapes)
        return value.term if value.term.size == 1 and not value.columns.any() else call.graph.term(value)
    arrays = [value.at(case) for case in range(len(shapes))]
    if arrays[0].size == 1 and arrays[0].dtype.kind in "fi" and np.isinf(arrays[0]).all():
        return None
    if call.node.op_type == "Clip" and arrays[0].size != 1:
        raise FileError(f"a bound is {value}, expected one number")
    found = [per_feature(*each) for each in zip(arrays, call.graph.rows, shapes, strict=True)]
    if not all(np.array_equal(found[0], each) for each in found):
        raise FileError(f"it reads {value}")
    return found[0]


def _taken_in(call: NodeCall, operands: list[Term | Array | None], shapes: Shapes) -> TensorFeatures | None:
    """Merge a constant into a standardization of the columns or a bias; return the output of the resulting layer."""
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
        taken = _standardized(graph.draft, operator, np.broadcast_to(number, x.size), is_first=is_first)
        return None if taken is None else graph.leaf(taken, shapes)
    is_bias = number.ndim > 0 and operator == "Add" and graph.draft.take_bias(x.layer, np.broadcast_to(number, x.size))
    return TensorFeatures(x, graph.rows, shapes) if is_bias else None


def _standardized(draft: Draft, operator: str, number: Array, *, is_first: bool) -> int | None:
    """Merge a constant into the standardization of the columns and return them; None if that is not possible."""
    number = number.astype(np.float64)
    before = draft.preparation or Scaling(np.zeros(number.shape), np.ones(number.shape))
    mean, scale = before.mean, before.scale
    with np.errstate(all="ignore"):
        match operator:
            case "Sub" if is_first:
                mean = mean + number * scale
            case "Add":
                mean = mean - number * scale
            case "Div" if is_first and number.all():
                scale = scale * number
            case "Mul" if draft.preparation is not None and draft.dtype == "float64" and (scale == 1).all():
                # Division by the reciprocal would differ in the last digit.
                draft.preparation = None
                return draft.affine_steps(INPUT, [(np.ones(()), -mean), (number, np.zeros(()))])
            case "Mul" if draft.preparation is not None and number.all():
                scale = scale / number
            case _:
                return None
    draft.preparation = Scaling(mean, scale)
    return INPUT


def _plainer(call: NodeCall) -> Result:
    """Rewrite an operator as simpler operators if no activation has its attributes."""
    from onnx import helper

    x, graph = call.features(), call.graph
    defaults, steps = _PLAINER[call.node.op_type]
    numbers = {name: call.attribute(name, "FLOAT", default) for name, default in defaults.items()}
    own = graph.term(x)
    for operator, *operands in map(str.split, steps):
        fields: dict[str, Any] = {"alpha": numbers["alpha"]} if operator == "Elu" else {}
        node = helper.make_node(operator, ["a", "b"][: 1 + len(operands)], ["y"], **fields)
        others = [own if name == "x" else np.array(numbers.get(name, name), np.float32) for name in operands]
        x = graph.computed(node, x.shapes, [graph.term(x), *others])
    return x


def _across(call: NodeCall) -> Result:
    """Return the result of an operator across the features of each row."""
    from onnx import helper

    x, operator, is_input = call.features(), call.node.op_type, len(call.inputs) > 1
    reduces = operator.startswith(("Reduce", "Arg"))
    axes = [call.attribute("axis", "INT", 0 if reduces else -1 if call.graph.version >= 13 else 1)]
    if operator.startswith("Reduce"):
        axes = call.constant(1).reshape(-1).tolist() if is_input else call.attribute("axes", "INTS", [])
    if len(axes) != 1 or type(axes[0]) is not int or not x.is_axis(axes[0]):
        raise FileError(f"it works along the axes {axes[:8]} of {x}, expected the features of each row")
    if call.attribute("select_last_index", "INT", 0):
        raise FileError("it finds the last of the largest features, expected the first")
    # In the run, features are (rows, features).
    along = {"axes": None if is_input else [1]} if operator.startswith("Reduce") else {"axis": 1}
    node = helper.make_node(operator, call.node.input, call.node.output, **along)
    axis = [np.array([1])] if is_input else []
    shapes = x.resized(axes[0], *([1] if call.attribute("keepdims", "INT", 1) else [])) if reduces else x.shapes
    return call.graph.computed(node, shapes, [call.graph.term(x), *axis], "i" if operator == "ArgMax" else "f")


def _constant(call: NodeCall) -> Result:
    kinds = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    name = " and ".join(each.name for each in call.node.attribute)
    if name == "value":
        return TensorConstant((call.graph.tensors.read(call.attribute(name, "TENSOR")),))
    if name not in kinds:
        raise FileError(f"a constant of {shown(name) if name else 'nothing'} is not supported")
    return TensorConstant((np.array(call.attribute(name, name.removeprefix("value_").upper()), kinds[name]),))


def _cast(call: NodeCall) -> Result:
    from onnx import TensorProto

    value = call.value()
    if not isinstance(value, TensorFeatures):
        return call.moved()
    kinds: dict[int, str] = {TensorProto.FLOAT: "f", TensorProto.DOUBLE: "f", TensorProto.BOOL: "b"}
    kinds |= {TensorProto.INT64: "i", TensorProto.INT32: "i", TensorProto.STRING: "U"}
    kind, own = kinds.get(call.attribute("to", "INT", 0)), value.term.kind
    if kind == own:
        return value
    if kind is None or "U" in (kind, own) or own == "f":
        raise FileError(f"it makes another type of {value}")
    return call.graph.computed(call.node, value.shapes, [call.graph.term(value)], kind)


def _dropout(call: NodeCall) -> Result:
    always = call.graph.version < 7 and not call.attribute("is_test", "INT", 0)
    if always or (call.has(2) and call.constant(2).any()):
        raise FileError("it drops features, as only training does")
    return call.value()


def _gemm(call: NodeCall) -> Result:
    weight = call.constant(1)
    if call.attribute("transA", "INT", 0):
        raise FileError("it transposes the rows")
    weight = weight if call.attribute("transB", "INT", 0) else weight.T
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    bias = row_of(call.constant(2), len(weight)) * beta if call.has(2) else None
    return _dense(call, call.features(), weight if alpha == 1 else weight * alpha, bias)


def _matmul(call: NodeCall) -> Result:
    if isinstance(call.value(0), TensorConstant) and call.features(1).shapes == (call.constant(0).shape[1:],):
        return _dense(call, call.features(1), call.constant(0), None)
    return _dense(call, call.features(), call.constant(1).T, None)


def _dense(call: NodeCall, x: TensorFeatures, weight: Array, bias: Array | None) -> TensorFeatures:
    """Return the output of a dense layer with weight (outputs, inputs); features that are not read get weights of 0."""
    if weight.ndim != 2:
        raise FileError(f"its weight has shape {weight.shape[::-1]}, expected a matrix")
    graph, term = call.graph, call.graph.term(x)
    if not x.is_axis(-1) or term.size != weight.shape[1]:
        raise FileError(f"a weight of shape {weight.T.shape} does not fit {x}")
    layer = graph.source(term if term.columns is None else term.terms[0])
    if term.columns is not None:
        weight = graph.spread(layer, term, weight)
    return graph.leaf(graph.draft.dense(layer, weight, bias), x.resized(-1, len(weight)))


def _batch_normalization(call: NodeCall) -> Result:
    x, graph = call.features(), call.graph
    by_batch = call.attribute("training_mode", "INT", 0)
    by_batch = by_batch or (graph.version < 7 and not call.attribute("is_test", "INT", 0))
    if by_batch or sum(map(bool, call.node.output)) > 1:  # further outputs imply training mode before opset 14
        raise FileError("it normalizes by the batch, as only training does")
    if len(x.shapes[0]) != 2 or not x.is_axis(1):  # the channels of an image are normalized together
        raise FileError(f"it reads {x}, expected rows of features")
    scale, shift, mean, variance = (row_of(call.constant(index), x.shapes[0][1]) for index in range(1, 5))
    if (variance < 0).any():
        raise FileError("its variance is below 0")
    epsilon, momentum = call.number("epsilon", 1e-5), call.number("momentum", -1.0)
    known = {"momentum": momentum} if 0 <= momentum < 1 else {}
    fields = {"type": "batch_normalization", "epsilon": epsilon, **known}
    tensors = {"scale": scale, "shift": shift, "running_mean": mean, "running_variance": variance}
    return graph.leaf(graph.draft.add(fields, [call.source()], tensors), x.shapes)


def _layer_normalization(call: NodeCall) -> Result:
    x, graph = call.features(), call.graph
    if not x.is_axis(call.attribute("axis", "INT", -1)):
        raise FileError(f"it does not normalize the features of each row of {x}")
    size = x.shapes[0][-1]
    shift = row_of(call.constant(2), size) if call.has(2) else np.zeros(size)
    fields = {"type": "layer_normalization", "epsilon": call.number("epsilon", 1e-5)}
    layer = graph.draft.add(fields, [call.source()], {"scale": row_of(call.constant(1), size), "shift": shift})
    return graph.leaf(layer, x.shapes)


def _concatenate(call: NodeCall) -> Result:
    """Concatenate tensors: columns of one layer are moved; columns of several layers become a layer."""
    axis, graph = call.attribute("axis", "INT", 1), call.graph
    read = [value for value in call.inputs if isinstance(value, TensorFeatures)]
    if len({value.term for value in read}) < 2 and (len(read) < 2 or any(value.moved is not None for value in read)):
        return call.moved()
    parts = [call.features(index) for index in range(len(call.inputs))]
    if not all(part.is_axis(axis) for part in parts):
        raise FileError("it does not put features beside each other")
    layer = graph.draft.add({"type": "concatenate"}, [graph.source(graph.term(part)) for part in parts])
    return graph.leaf(layer, parts[0].resized(axis, graph.draft.size(layer)))


def _feature_vectorizer(call: NodeCall) -> Result:
    """Concatenate tables with FeatureVectorizer, which only supports single precision."""
    parts = [call.features(index) for index in range(len(call.inputs))]
    if call.graph.draft.dtype == "float64":
        raise FileError("it rounds to single precision")
    sizes = [part.columns.size for part in parts]
    if not all(part.is_axis(1) for part in parts) or call.attribute("inputdimensions", "INTS", sizes) != sizes:
        raise FileError("it reads other features than its inputs have")
    return _concatenate(call)


def _scaler(call: NodeCall) -> Result:
    graph, x, term = call.graph, call.features(), call.graph.term(call.features())
    numbers = (np.array(call.attribute(name, "FLOATS", []), np.float64) for name in ("offset", "scale"))
    offset, scale = (row_of(array, term.size) for array in numbers)
    if term.layer == INPUT and not term.operands and x.alone and graph.draft.preparation is None:
        with np.errstate(divide="ignore"):
            prepared = Scaling(offset, 1 / scale)
        if np.isfinite(prepared.scale).all():
            graph.draft.preparation = prepared
            return graph.leaf(INPUT, x.shapes)
    steps = [(np.ones(()), -offset), (scale, np.zeros(()))]
    return graph.leaf(graph.draft.affine_steps(graph.source(term), steps), x.shapes)


def _label(call: NodeCall) -> Result:
    """Gather: return the labels of class indices, or the features at constant positions."""
    if isinstance(call.value(0), TensorFeatures) or not isinstance(call.value(1), TensorFeatures):
        return call.moved()
    table, index = call.constant(0), call.features(1)
    if table.ndim != 1 or call.attribute("axis", "INT", 0):
        raise FileError("it selects rows of a table, as an embedding does")
    if index.term.kind != "i" or table.dtype.kind not in "iU":
        raise FileError(f"it takes from a list of {table.size} by {index}")
    labels = table.astype(object) if table.dtype.kind == "U" else table
    shapes = index.shapes if call.node.op_type == "Gather" else tuple((1, math.prod(each)) for each in index.shapes)
    return call.graph.computed(call.node, shapes, [labels, call.graph.term(index)], table.dtype.kind)


def _zip_map(call: NodeCall) -> Result:
    integers = call.attribute("classlabels_int64s", "INTS")
    texts = call.attribute("classlabels_strings", "STRINGS")
    if (integers is None) == (texts is None):
        raise FileError("it has no labels, or two kinds of them")
    if call.graph.uses[call.node.output[0]]:
        call.graph.classes = np.array(integers, np.int64) if texts is None else as_texts(texts, "classlabels_strings")
    return call.features()


_PLAINER: dict[str, tuple[dict[str, float], list[str]]] = {
    "HardSigmoid": ({"alpha": 0.2, "beta": 0.5}, ["Mul alpha", "Add beta", "Max 0", "Min 1"]),
    "Selu": ({"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875}, ["Elu", "Mul gamma"]),
    "Swish": ({"alpha": 1.0}, ["Mul alpha", "Sigmoid", "Mul x"]),
    # These operators are not in ONNX, but tf2onnx writes them for TensorFlow's operators of the same names.
    "Erfc": ({}, ["Erf", "Neg", "Add 1"]),
    "Expm1": ({}, ["Exp", "Sub 1"]),
}
"""Operators as simpler operators: the defaults of their attributes, and the steps applied to x in order."""

OPERATORS: dict[tuple[str, str], Operator] = {
    **{("", name): NodeCall.moved for name in MOVEMENTS},
    **{("", name): _formula for name in ELEMENTWISE},
    **{("", name): _plainer for name in _PLAINER},
    **{("", name): _across for name in {"ArgMax"} | ACROSS},
    ("", "BatchNormalization"): _batch_normalization,
    ("", "Cast"): _cast,
    ("", "Concat"): _concatenate,
    ("", "Constant"): _constant,
    ("", "Dropout"): _dropout,
    ("", "Gather"): _label,
    ("", "Gemm"): _gemm,
    ("", "Identity"): NodeCall.value,
    ("", "LayerNormalization"): _layer_normalization,
    ("", "MatMul"): _matmul,
    ("ai.onnx.ml", "ArrayFeatureExtractor"): _label,
    ("ai.onnx.ml", "Binarizer"): _formula,
    ("ai.onnx.ml", "FeatureVectorizer"): _feature_vectorizer,
    ("ai.onnx.ml", "Scaler"): _scaler,
    ("ai.onnx.ml", "ZipMap"): _zip_map,
}
"""The function that reads each operator, by domain and name."""
