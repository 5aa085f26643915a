"""ONNX's operators that are no formulas: those that make layers, and those that change a shape, a type or a place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from specnet.importing.draft import INPUT, Scaling
from specnet.importing.onnx_answers import ANSWERS, flags_of
from specnet.importing.onnx_call import Call, Operator, Result, described
from specnet.importing.onnx_formulas import formula
from specnet.importing.onnx_shapes import reshaped
from specnet.importing.onnx_terms import (
    Dimensions,
    Flags,
    Label,
    Part,
    Shape,
    Term,
    TwoClasses,
    Value,
    Winner,
    per_feature,
)
from specnet.parts.arrays import Array


def _constant(call: Call) -> Result:
    names = call.attributes()
    if names == {"value"}:
        tensor = call.tensor("value")
        assert tensor is not None, "the attribute is there"
        return tensor
    if names == {"value_float"}:
        return np.array(call.number("value_float", 0.0), np.float32)
    if names == {"value_floats"}:
        return call.numbers("value_floats")
    if names == {"value_int"}:
        return np.array(call.integer("value_int", 0), np.int64)
    if names != {"value_ints"}:
        call.refuse(f"a constant of {' and '.join(sorted(names)) or 'nothing'} is not supported")
    return np.array(call.ints("value_ints"), np.int64)


def _constant_of_shape(call: Call) -> Result:
    filling = call.tensor("value")
    if not isinstance(call.value(), Dimensions):
        call.refuse(f"it reads {described(call.value())}, expected a shape")
    return np.zeros((), np.float32) if filling is None else filling.reshape(-1)[:1].reshape(())  # alike for all rows


def _cast(call: Call) -> Result:
    from onnx import TensorProto

    value, to = call.value(), call.integer("to", 0)
    kinds: dict[int, str] = {TensorProto.FLOAT: "f", TensorProto.DOUBLE: "f", TensorProto.BOOL: "b"}
    kind = {**kinds, TensorProto.INT64: "i", TensorProto.INT32: "i"}.get(to, "")
    if isinstance(value, Part | TwoClasses) and kind == "f":
        return value
    if isinstance(value, Term) and kind:
        if kind == value.kind:
            return value.renamed(call.graph.number())
        if value.kind == "f":
            call.refuse("it rounds features to integers or booleans")
        flags = flags_of(call.graph, value) if kind == "i" else None
        return flags or call.graph.formula(call.node, value.shape, [value], kind)
    is_whole = isinstance(value, Dimensions | Winner | Flags) and kind == "i"
    if not isinstance(value, Label) and not is_whole:
        call.refuse(f"it makes another type of {described(value)}")
    return value


def _same(call: Call) -> Result:
    value = call.value()
    return value.renamed(call.graph.number()) if isinstance(value, Term) else value


def _dropout(call: Call) -> Result:
    mode = call.given(2)
    always = call.graph.version() < 7 and not call.integer("is_test", 0)
    if always or (mode is not None and (not isinstance(mode, np.ndarray) or mode.any())):
        call.refuse("it drops features, as only training does")
    return _same(call)


def _gemm(call: Call) -> Result:
    weight = call.constant(1)
    if call.integer("transA", 0):
        call.refuse("it transposes the rows")
    if weight.ndim != 2:
        call.refuse(f"its weight has shape {weight.shape}, expected a matrix")
    weight = weight if call.integer("transB", 0) else weight.T
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    bias = None if call.given(2) is None else call.per_feature(2, len(weight)) * beta
    return _dense(call, 0, weight if alpha == 1 else weight * alpha, bias)


def _matmul(call: Call) -> Result:
    first, second = call.value(0), call.value(1)
    if isinstance(first, np.ndarray) and isinstance(second, Term) and second.shape == first.shape[1:]:
        return _dense(call, 1, first, None)
    weight = call.constant(1)
    if weight.ndim != 2:
        call.refuse(f"its weight has shape {weight.shape}, expected a matrix")
    return _dense(call, 0, weight.T, None)


def _dense(call: Call, index: int, weight: Array, bias: Array | None) -> Term:
    """Return a dense layer's output, weight being (outputs, inputs); on some features its other weights are 0."""
    graph, value = call.graph, call.value(index)
    if isinstance(value, Part) and not value.gated:
        size = graph.draft.size(value.layer)
        if weight.shape[1] != len(value.places):
            call.refuse(f"a weight of shape {weight.T.shape} does not fit {len(value.places)} features")
        graph.draft.check_numbers(len(weight) * size)
        whole = np.zeros((len(weight), size), weight.dtype)
        for column, place in enumerate(value.places):  # which may be there twice
            whole[:, place] += weight[:, column]
        return graph.leaf(graph.draft.dense(value.layer, whole, bias))
    term = call.term(index)
    if not call.along_features(term.shape, -1) or term.size != weight.shape[1]:
        call.refuse(f"a weight of shape {weight.T.shape} does not fit {described(term)}")
    return graph.leaf(graph.draft.dense(graph.source(term), weight, bias), (*term.shape[:-1], len(weight)))


def _batch_normalization(call: Call) -> Result:
    x, graph = call.term(), call.graph
    by_batch = call.integer("training_mode", 0) or (graph.version() < 7 and not call.integer("is_test", 0))
    if by_batch or sum(map(bool, call.node.output)) > 1:  # before opset 14 further outputs alone say so
        call.refuse("it normalizes by the batch, as only training does")
    if len(x.shape) != 2:  # the channels of an image are normalized together
        call.refuse(f"it reads {described(x)}, expected rows of features")
    scale, shift, mean, variance = (call.per_feature(index, x.size) for index in range(1, 5))
    if (variance < 0).any():
        call.refuse("its variance is below 0")
    epsilon, momentum = call.number("epsilon", 1e-5), call.number("momentum", -1.0)
    kept = {"momentum": momentum} if 0 <= momentum < 1 else {}
    fields = {"type": "batch_normalization", "epsilon": epsilon, **kept}
    tensors = {"scale": scale, "shift": shift, "running_mean": mean, "running_variance": variance}
    return graph.leaf(graph.draft.add(fields, [graph.source(x)], tensors))


def _layer_normalization(call: Call) -> Result:
    x, graph = call.term(), call.graph
    if not call.along_features(x.shape, call.integer("axis", -1)):
        call.refuse(f"it does not normalize the features of each row of {described(x)}")
    shift = np.zeros(x.size) if call.given(2) is None else call.per_feature(2, x.size)
    fields = {"type": "layer_normalization", "epsilon": call.number("epsilon", 1e-5)}
    tensors = {"scale": call.per_feature(1, x.size), "shift": shift}
    return graph.leaf(graph.draft.add(fields, [graph.source(x)], tensors), x.shape)


def _concatenate(call: Call) -> Result:
    graph, values = call.graph, [call.value(index) for index in range(len(call.inputs))]
    if any(isinstance(value, Dimensions) for value in values):
        return Dimensions(tuple(size for value in values for size in _sizes(call, value)))
    parts = [value for value in values if isinstance(value, Part)]
    if len(parts) == len(values) and len({part.layer for part in parts}) == 1:
        if call.integer("axis", 0) not in (1, -1):
            call.refuse("it does not put features beside each other")
        return _merged(call, parts)
    terms = [call.term(index) for index in range(len(values))]
    shape = terms[0].shape
    if not all(call.along_features(term.shape, call.integer("axis", 0)) for term in terms):
        call.refuse("it does not put features beside each other")
    if len(terms) == 2 and _is_one_minus(terms[0].origin, terms[1].origin):
        return TwoClasses(graph.source(terms[1]))
    sources = [graph.source(term) for term in terms]
    if len(sources) == 1:
        return terms[0].renamed(graph.number())
    layer = graph.draft.add({"type": "concatenate"}, sources)
    return graph.leaf(layer, (*shape[:-1], graph.draft.size(layer)))


def _is_one_minus(first: Term, second: Term) -> bool:
    """Whether the first of two terms is 1 less the second."""
    if first.node is None or first.node.op_type != "Sub" or second.size != 1 or len(first.terms) != 1:
        return False
    one = first.operands[0]
    return isinstance(one, np.ndarray) and bool((one == 1).all()) and first.terms[0].number == second.number


def _sizes(call: Call, value: Value | Array) -> list[int | None]:
    """Return the entries of a part of a shape."""
    if isinstance(value, Dimensions):
        return list(value.shape)
    if not isinstance(value, np.ndarray) or value.dtype.kind != "i" or value.size > 8:
        call.refuse(f"it reads {described(value)}, expected a part of a shape")
    return [int(size) for size in value.reshape(-1)]


def _merged(call: Call, parts: list[Part]) -> Result:
    """Return some features of a layer's output beside others of it."""
    graph, places = call.graph, np.concatenate([part.places for part in parts])
    layer = parts[0].layer
    if any(part.gated for part in parts):
        call.refuse("it reads a part of the features behind a sigmoid, which glu alone has")
    alone = all(part.alone for part in parts)
    if np.array_equal(places, np.arange(graph.draft.size(layer))):
        term = graph.leaf(layer)
        term.alone = alone
        return term
    return Part(layer, places, alone=alone)


def _feature_vectorizer(call: Call) -> Result:
    """Return parts as the whole that they are: single precision is all that this operator has."""
    values = [call.value(index) for index in range(len(call.inputs))]
    parts = [value for value in values if isinstance(value, Part)]
    sizes = [len(part.places) for part in parts]
    if len(values) == 1 and isinstance(values[0], Term):
        sizes = [values[0].size]
    if call.graph.draft.dtype == "float64":
        call.refuse("it rounds to single precision")
    if call.ints("inputdimensions") not in (None, sizes) or (parts and len(parts) < len(values)):
        call.refuse("it reads other features than its inputs have")
    return _merged(call, parts) if parts else _same(call)


def _split(call: Call) -> Result:
    x, parts = call.term(), len(call.node.output)
    if not call.along_features(x.shape, call.integer("axis", 0)):
        call.refuse(f"it does not split the features of {described(x)}")
    sizes = call.integers(1, "split") or [x.size // parts] * parts
    if any(size < 1 for size in sizes) or sum(sizes) != x.size or len(sizes) != parts:
        call.refuse(f"it splits {x.size} features into {parts} parts of sizes {sizes}")
    layer, ends = call.graph.source(x), np.cumsum(sizes)
    alone = x.alone and x.origin.alone
    return [Part(layer, np.arange(end - size, end), alone=alone) for size, end in zip(sizes, ends, strict=True)]


def _slice(call: Call) -> Result:
    value = call.value()
    begins, ends = (call.integers(index, name) or [] for index, name in ((1, "starts"), (2, "ends")))
    axes = call.integers(3, "axes") or list(range(len(begins)))
    steps = call.integers(4, "steps") or [1] * len(axes)
    if not len(begins) == len(ends) == len(axes) == len(steps) == 1 or not steps[0]:
        call.refuse("it slices several axes, expected one")
    places = slice(begins[0], ends[0], steps[0])
    if isinstance(value, Dimensions):
        return _known(value.shape[places])
    return _selected(call, lambda size: np.arange(size)[places], axes[0])


def _selected(call: Call, choose: Callable[[int], Array], axis: int) -> Result:
    """Return some features of a term, or of a part of one."""
    value = call.value()
    if isinstance(value, Part) and not value.gated and axis in (1, -1):
        layer, places, alone = value.layer, value.places, value.alone
    else:
        x = call.term()
        if not call.along_features(x.shape, axis):
            call.refuse(f"it does not select features of {described(x)}")
        layer, places, alone = call.graph.source(x), np.arange(x.size), x.alone and x.origin.alone
    chosen = places[choose(len(places))]
    if not chosen.size:
        call.refuse("it selects no features")
    return Part(layer, chosen, alone=alone)


def _known(shape: Shape) -> Result:
    """Return a part of a shape, as a constant if nothing in it is unknown."""
    return Dimensions(shape) if None in shape else np.array(shape, np.int64)


def _gather(call: Call) -> Result:
    data, indices = call.value(0), call.value(1)
    if isinstance(data, np.ndarray):
        if data.ndim != 1 or call.integer("axis", 0):
            call.refuse("it selects rows of a table, as an embedding does")
        return ANSWERS[("ai.onnx.ml", "ArrayFeatureExtractor")](call)
    if not isinstance(indices, np.ndarray) or indices.dtype.kind != "i" or indices.ndim > 1:
        call.refuse(f"it selects by {described(indices)}, expected a constant list")
    places = indices.reshape(-1)
    if isinstance(data, Dimensions):
        if any(not -len(data.shape) <= place < len(data.shape) for place in places):
            call.refuse("it selects an axis that does not exist")
        chosen = _known(tuple(data.shape[place] for place in places))
        return chosen.reshape(indices.shape) if isinstance(chosen, np.ndarray) else chosen
    if indices.ndim == 0:
        call.refuse("it drops the axis of the features")

    def choose(size: int) -> Array:
        if ((places < -size) | (places >= size)).any():
            call.refuse(f"it selects features beyond the {size} that exist")
        return places

    return _selected(call, choose, call.integer("axis", 0))


def _shape(call: Call) -> Result:
    value = call.term()
    begin, end = call.integer("start", 0), call.integer("end", len(value.shape))
    return _known(value.shape[begin:end])


def _scaler(call: Call) -> Result:
    graph, x = call.graph, call.term()
    offset, scale = (per_feature(call.numbers(name), (None, x.size)).astype(np.float64) for name in ("offset", "scale"))
    offset, scale = np.broadcast_to(offset, x.size), np.broadcast_to(scale, x.size)
    if x.origin.layer == INPUT and x.alone and x.origin.alone and graph.draft.preparation is None:
        with np.errstate(divide="ignore"):
            prepared = Scaling(offset, 1 / scale)
        if np.isfinite(prepared.scale).all():
            graph.draft.preparation = prepared
            return graph.leaf(INPUT)
    steps = [(np.ones(()), -offset), (scale, np.zeros(()))]
    return graph.leaf(graph.draft.affine_steps(graph.source(x), steps))


def _sigmoid(call: Call) -> Result:
    value = call.value()
    if isinstance(value, Part) and not value.gated:
        return Part(value.layer, value.places, gated=True)
    return formula(call)


def _multiply(call: Call) -> Result:
    a, b = call.value(0), call.value(1)
    if not isinstance(a, Part) or not isinstance(b, Part) or not (a.gated or b.gated):
        return formula(call)
    passed, gate = (b, a) if a.gated else (a, b)
    size = call.graph.draft.size(a.layer)
    whole = np.array_equal(np.concatenate([passed.places, gate.places]), np.arange(size))
    if a.layer != b.layer or passed.gated or len(passed.places) != len(gate.places) or not whole:
        call.refuse("it multiplies some features in another way than glu does")
    return call.graph.leaf(call.graph.draft.activation(a.layer, "glu"))


OPERATORS: dict[tuple[str, str], Operator] = {
    **{
        ("", name): operator
        for name, operator in {
            "BatchNormalization": _batch_normalization,
            "Cast": _cast,
            "Concat": _concatenate,
            "Constant": _constant,
            "ConstantOfShape": _constant_of_shape,
            "Dropout": _dropout,
            "Flatten": reshaped,
            "Gather": _gather,
            "Gemm": _gemm,
            "Identity": _same,
            "LayerNormalization": _layer_normalization,
            "MatMul": _matmul,
            "Mul": _multiply,
            "Reshape": reshaped,
            "Shape": _shape,
            "Sigmoid": _sigmoid,
            "Slice": _slice,
            "Split": _split,
            "Squeeze": reshaped,
            "Transpose": reshaped,
            "Unsqueeze": reshaped,
        }.items()
    },
    **ANSWERS,
    ("ai.onnx.ml", "FeatureVectorizer"): _feature_vectorizer,
    ("ai.onnx.ml", "Scaler"): _scaler,
}
"""By domain and name, what is done with operators that are no formulas."""
