"""ONNX's operators: those that make layers, those that stay formulas, and those that put numbers at other places."""

from __future__ import annotations

import numpy as np

from specnet.importing.draft import INPUT, Scaling
from specnet.importing.onnx_answers import ANSWERS
from specnet.importing.onnx_call import Call, Operator, Result
from specnet.importing.onnx_formulas import PLAINER, across, formula, plainer
from specnet.importing.onnx_running import ACROSS, ELEMENTWISE, MOVEMENTS
from specnet.importing.onnx_terms import Features, Varying
from specnet.parts.arrays import Array


def _constant(call: Call) -> Result:
    (attribute,) = call.node.attribute or [None]
    kinds = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    name = "" if attribute is None else attribute.name
    if name == "value":
        return call.graph.tensors.read(call.attribute("value", "TENSOR"))
    if name not in kinds:
        call.refuse(f"a constant of {name or 'nothing'} is not supported")
    kind = name.removeprefix("value_").upper()
    return np.array(call.attribute(name, kind), kinds[name])


def _cast(call: Call) -> Result:
    from onnx import TensorProto

    value = call.value()
    if isinstance(value, np.ndarray | Varying):
        return call.moved()
    kinds: dict[int, str] = {TensorProto.FLOAT: "f", TensorProto.DOUBLE: "f", TensorProto.BOOL: "b"}
    kinds |= {TensorProto.INT64: "i", TensorProto.INT32: "i", TensorProto.STRING: "U"}
    kind, own = kinds.get(call.integer("to", 0)), value.term.kind
    if kind == own:
        return value
    if kind is None or "U" in (kind, own):
        call.refuse(f"it makes another type of {value}")
    if own == "f":
        call.refuse("it rounds features to integers or booleans")
    return call.graph.computed(call.node, value.shapes, [call.graph.term(value)], kind)


def _dropout(call: Call) -> Result:
    mode = call.given(2)
    always = call.graph.version < 7 and not call.integer("is_test", 0)
    if always or (mode is not None and (not isinstance(mode, np.ndarray) or mode.any())):
        call.refuse("it drops features, as only training does")
    return call.value()


def _gemm(call: Call) -> Result:
    weight = call.constant(1)
    if call.integer("transA", 0):
        call.refuse("it transposes the rows")
    weight = weight if call.integer("transB", 0) else weight.T
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    bias = None if call.given(2) is None else call.per_feature(call.constant(2), len(weight)) * beta
    return _dense(call, call.features(), weight if alpha == 1 else weight * alpha, bias)


def _matmul(call: Call) -> Result:
    first = call.value(0)
    if isinstance(first, np.ndarray) and call.features(1).shapes == (first.shape[1:],):
        return _dense(call, call.features(1), first, None)
    return _dense(call, call.features(), call.constant(1).T, None)


def _dense(call: Call, x: Features, weight: Array, bias: Array | None) -> Features:
    """Return a dense layer's output, weight being (outputs, inputs); on some features its other weights are 0."""
    if weight.ndim != 2:
        call.refuse(f"its weight has shape {weight.shape[::-1]}, expected a matrix")
    graph, term = call.graph, call.graph.term(x)
    if not x.is_axis(-1) or term.size != weight.shape[1]:
        call.refuse(f"a weight of shape {weight.T.shape} does not fit {x}")
    if term.layer is None and term.columns is not None:
        weight, (term,) = graph.whole_weight(weight, term), term.terms
    return graph.leaf(graph.draft.dense(graph.source(term), weight, bias), x.resized(-1, len(weight)))


def _batch_normalization(call: Call) -> Result:
    x, graph = call.features(), call.graph
    by_batch = call.integer("training_mode", 0) or (graph.version < 7 and not call.integer("is_test", 0))
    if by_batch or sum(map(bool, call.node.output)) > 1:  # before opset 14 further outputs alone say so
        call.refuse("it normalizes by the batch, as only training does")
    if len(x.shapes[0]) != 2 or not x.is_axis(-1):  # the channels of an image are normalized together
        call.refuse(f"it reads {x}, expected rows of features")
    scale, shift, mean, variance = (call.per_feature(call.constant(index), x.shapes[0][1]) for index in range(1, 5))
    if (variance < 0).any():
        call.refuse("its variance is below 0")
    epsilon, momentum = call.number("epsilon", 1e-5), call.number("momentum", -1.0)
    fields = {"momentum": momentum} if 0 <= momentum < 1 else {}
    layer = graph.draft.normalization(call.source(), epsilon, scale, shift, mean, variance, **fields)
    return graph.leaf(layer, x.shapes)


def _layer_normalization(call: Call) -> Result:
    x, graph = call.features(), call.graph
    if not x.is_axis(call.integer("axis", -1)):
        call.refuse(f"it does not normalize the features of each row of {x}")
    size = x.shapes[0][-1]
    shift = np.zeros(size) if call.given(2) is None else call.per_feature(call.constant(2), size)
    fields = {"type": "layer_normalization", "epsilon": call.number("epsilon", 1e-5)}
    tensors = {"scale": call.per_feature(call.constant(1), size), "shift": shift}
    return graph.leaf(graph.draft.add(fields, [call.source()], tensors), x.shapes)


def _concatenate(call: Call) -> Result:
    """Return tensors beside each other: those of one layer are moved, those of several become one layer."""
    axis, graph = call.integer("axis", 0), call.graph
    read = [value for value in call.inputs if isinstance(value, Features)]
    if len({value.term for value in read}) < 2 and sum(value.moved is None for value in read) < 2:
        return call.moved()
    parts = [call.features(index) for index in range(len(call.inputs))]
    if not all(part.is_axis(axis) for part in parts):
        call.refuse("it does not put features beside each other")
    sources = [graph.source(graph.term(part)) for part in parts]
    size = sum(graph.draft.size(source) for source in sources)
    layer = graph.draft.add({"type": "concatenate"}, sources, size=size)
    return graph.leaf(layer, parts[0].resized(axis, size))


def _feature_vectorizer(call: Call) -> Result:
    """Return tables beside each other: single precision is all that this operator has."""
    from onnx import helper

    parts = [call.features(index) for index in range(len(call.inputs))]
    if call.graph.draft.dtype == "float64":
        call.refuse("it rounds to single precision")
    sizes = call.ints("inputdimensions")
    if not all(part.is_axis(1) for part in parts) or sizes not in (None, [part.shapes[0][1] for part in parts]):
        call.refuse("it reads other features than its inputs have")
    node = helper.make_node("Concat", call.node.input, call.node.output, axis=1)
    return _concatenate(Call(call.graph, node))


def _scaler(call: Call) -> Result:
    graph, x, size = call.graph, call.features(), call.features().columns.size
    numbers = (np.array(call.attribute(name, "FLOATS", []), np.float64) for name in ("offset", "scale"))
    offset, scale = (call.per_feature(array, size) for array in numbers)
    if x.term.layer == INPUT and x.moved is None and x.alone and graph.draft.preparation is None:
        with np.errstate(divide="ignore"):
            prepared = Scaling(offset, 1 / scale)
        if np.isfinite(prepared.scale).all():
            graph.draft.preparation = prepared
            return graph.leaf(INPUT, x.shapes)
    steps = [(np.ones(()), -offset), (scale, np.zeros(()))]
    return graph.leaf(graph.draft.affine_steps(call.source(), steps), x.shapes)


OPERATORS: dict[tuple[str, str], Operator] = {
    **{("", name): Call.moved for name in MOVEMENTS},
    **{("", name): formula for name in ELEMENTWISE},
    **{("", name): across for name in ACROSS},
    **{("", name): plainer for name in PLAINER},
    **ANSWERS,
    ("", "BatchNormalization"): _batch_normalization,
    ("", "Cast"): _cast,
    ("", "Concat"): _concatenate,
    ("", "Constant"): _constant,
    ("", "Dropout"): _dropout,
    ("", "Gemm"): _gemm,
    ("", "Identity"): Call.value,
    ("", "LayerNormalization"): _layer_normalization,
    ("", "MatMul"): _matmul,
    ("ai.onnx.ml", "FeatureVectorizer"): _feature_vectorizer,
    ("ai.onnx.ml", "Scaler"): _scaler,
}
"""By domain and name, what is done with operators."""
