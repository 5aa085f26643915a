"""What ONNX's operators make that mix features: layers."""

from __future__ import annotations

import math

import numpy as np

from specnet.importing.draft import INPUT, Scaling
from specnet.importing.expressions import formula_of
from specnet.importing.onnx_arithmetic import Operator, Result, like
from specnet.importing.onnx_call import Call, row
from specnet.importing.onnx_values import Column, Features, Part, RowCount, TwoClasses
from specnet.parts.activations import Elu


def _gelu(call: Call) -> Result:
    x, approximate = call.features(), call.word("approximate", "none")
    if approximate not in ("none", "tanh"):
        call.refuse("it is approximated in another way than by tanh")
    part = {"type": "gelu", "approximate": True} if approximate == "tanh" else "gelu"
    return call.graph.features(call.graph.draft.activation(call.graph.source(x), part))


def _selu(call: Call) -> Result:
    x = call.features()
    if not call.attributes():
        return call.graph.features(call.graph.draft.activation(call.graph.source(x), "selu"))
    gamma = call.number("gamma", 1.0507010221481323)
    elu = Elu.model_construct(alpha=call.number("alpha", 1.6732631921768188))
    return like(x, formula_of(elu, x.formula) * gamma)


def _prelu(call: Call) -> Result:
    x = call.features()
    slope = np.broadcast_to(call.per_feature(1, x.size), x.size)
    source = call.graph.draft.activation(call.graph.source(x), "prelu", {"negative_slope": slope})
    return call.graph.features(source)


def _softmax(name: str) -> Operator:
    def operator(call: Call) -> Result:
        if call.integer("axis", -1 if call.graph.version() >= 13 else 1) not in (1, -1):
            call.refuse("it is not along the features")
        return call.graph.features(call.graph.draft.activation(call.graph.source(call.features()), name))

    return operator


def _gemm(call: Call) -> Result:
    graph, weight = call.graph, call.constant(1)
    if call.integer("transA", 0):
        call.refuse("it transposes the rows")
    if weight.ndim != 2:
        call.refuse(f"a weight of shape {weight.shape} is no matrix")
    weight = weight if call.integer("transB", 0) else weight.T
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    bias = None
    if call.given(2) is not None:
        bias = np.broadcast_to(call.per_feature(2, len(weight)), len(weight)) * beta
    x, fields = call.value(), {}
    if isinstance(x, Features) and _divided_by_root(x):
        x, fields = graph.copy(x.source), {"parametrization": "ntk"}
    source = graph.source(x)
    return graph.features(graph.draft.dense(source, weight if alpha == 1 else weight * alpha, bias, **fields))


def _divided_by_root(x: Features) -> bool:
    """Whether this is a layer's output divided by the root of its number of features, as ntk asks."""
    affine = x.formula.affine
    if affine is None or x.formula.is_variable or np.ndim(affine[0]) or np.any(affine[1]):
        return False
    return x.formula.algebra.close(affine[0], 1 / math.sqrt(x.size))


def _matmul(call: Call) -> Result:
    graph, weight = call.graph, call.constant(1)
    if weight.ndim != 2:
        call.refuse(f"a weight of shape {weight.shape} is no matrix")
    return graph.features(graph.draft.dense(graph.source(call.value()), weight.T, None))


def _batch_normalization(call: Call) -> Result:
    x, graph = call.features(), call.graph
    by_batch = call.integer("training_mode", 0) or (graph.version() < 7 and not call.integer("is_test", 0))
    if by_batch or sum(map(bool, call.node.output)) > 1:  # before opset 14 further outputs alone say so
        call.refuse("it normalizes by the batch, as only training does")
    scale, shift, mean, variance = (np.broadcast_to(call.per_feature(index, x.size), x.size) for index in range(1, 5))
    if (variance < 0).any():
        call.refuse("a variance is below 0")
    epsilon, momentum = call.number("epsilon", 1e-5), call.number("momentum", -1.0)
    fields = {"momentum": momentum} if 0 <= momentum < 1 else {}
    source = graph.source(x)
    return graph.features(graph.draft.normalization(source, epsilon, scale, shift, mean, variance, **fields))


def _layer_normalization(call: Call) -> Result:
    x, graph = call.features(), call.graph
    if call.integer("axis", -1) not in (1, -1):
        call.refuse("it is not along the features")
    tensors = {"scale": call.per_feature(1, x.size), "shift": np.zeros(x.size)}
    if call.given(2) is not None:
        tensors["shift"] = call.per_feature(2, x.size)
    tensors = {name: np.broadcast_to(array, x.size) for name, array in tensors.items()}
    fields = {"type": "layer_normalization", "epsilon": call.number("epsilon", 1e-5)}
    return graph.features(graph.draft.add(fields, [graph.source(x)], tensors))


def _concatenate(call: Call) -> Result:
    graph = call.graph
    if isinstance(call.value(), RowCount):  # a shape, in which 0 stands for as many rows as there are
        return np.concatenate([[0], *(call.constant(index).reshape(-1) for index in range(1, len(call.inputs)))])
    if call.integer("axis", 0) not in (1, -1):
        call.refuse("it does not put features beside each other")
    if isinstance(call.value(), Part):
        return _merged(call)
    if len(call.inputs) == 2:
        first, second = call.features(0), call.features(1)
        one_minus = second.formula.is_variable and first.formula.equals(1.0 - second.formula)
        if first.source == second.source and first.size == 1 and one_minus:
            return TwoClasses(second.source)
    sources = [graph.source(call.features(index)) for index in range(len(call.inputs))]
    if len(sources) == 1:
        return graph.copy(sources[0])
    size = sum(graph.draft.size(source) for source in sources)
    return graph.features(graph.draft.add({"type": "concatenate"}, sources, size=size))


def _merged(call: Call) -> Result:
    """Return the layer's output that all its parts make, in their order."""
    graph, parts = call.graph, [call.value(index) for index in range(len(call.inputs))]
    end, source = 0, INPUT
    for part in parts:
        if not isinstance(part, Part) or not part.is_plain or part.begin != end or (end and part.source != source):
            call.refuse("it puts parts of features in another order than theirs")
        end, source = part.end, part.source
    if end != graph.draft.size(source):
        call.refuse("it leaves out some features")
    read_once = all(graph.uses[name] == 1 for name in call.node.input)
    return graph.features(source) if read_once and source not in graph.owners else graph.copy(source)


def feature_vectorizer(call: Call) -> Result:
    """Return parts as the whole that they are: single precision is all that this operator has."""
    values = [call.value(index) for index in range(len(call.inputs))]
    sizes = [value.end - value.begin if isinstance(value, Part) else 0 for value in values]
    if len(values) == 1 and isinstance(values[0], Features):
        sizes = [values[0].size]
    if call.graph.draft.dtype == "float64":
        call.refuse("it rounds to single precision")
    if call.ints("inputdimensions") not in (None, sizes):
        call.refuse("it takes a part of the features")
    return _merged(call) if isinstance(values[0], Part) else call.features()


def _split(call: Call) -> Result:
    x, parts = call.features(), len(call.node.output)
    if call.integer("axis", 0) not in (1, -1):
        call.refuse("it does not split features")
    sizes = call.integers(1, "split") or [x.size // parts] * parts
    if any(size < 1 for size in sizes) or sum(sizes) != x.size or len(sizes) != parts:
        call.refuse(f"it splits {x.size} features into {parts} parts of sizes {sizes}")
    source, ends = call.graph.source(x), np.cumsum(sizes)
    return [Part(source, int(end) - size, int(end)) for size, end in zip(sizes, ends, strict=True)]


def _slice(call: Call) -> Result:
    value = call.value()
    x = value if isinstance(value, TwoClasses) else call.features()
    size = 2 if isinstance(x, TwoClasses) else x.size
    bounds = [call.integers(index, name) or [] for index, name in ((1, "starts"), (2, "ends"))]
    axes, strides = call.integers(3, "axes"), call.integers(4, "steps") or [1]
    if axes not in ([1], [-1]) or strides != [1] or [len(bound) for bound in bounds] != [1, 1]:
        call.refuse("it takes something else than features that lie beside each other")
    begin, end, _ = slice(*(bound[0] for bound in bounds)).indices(size)
    if begin >= end:
        call.refuse("it takes no features")
    if isinstance(x, TwoClasses):
        return Column(x.second, begin, of_two_classes=True) if end - begin == 1 else x
    return Part(call.graph.source(x), begin, end)


def scaler(call: Call) -> Result:
    x = call.features()
    offset, scale = row(call.numbers("offset"), x.size), row(call.numbers("scale"), x.size)
    if x.source == INPUT and call.graph.may_change(x) and call.graph.draft.preparation is None:
        with np.errstate(divide="ignore"):
            prepared = Scaling(np.broadcast_to(offset, x.size), np.broadcast_to(1 / scale, x.size))
        if np.isfinite(prepared.scale).all():
            call.graph.draft.preparation = prepared
            return call.graph.features(INPUT)
    constant = x.formula.algebra.constant
    return like(x, (x.formula - constant(offset)) * constant(scale))


def _dropout(call: Call) -> Result:
    mode = call.given(2)
    always = call.graph.version() < 7 and not call.integer("is_test", 0)
    if always or (mode is not None and (not isinstance(mode, np.ndarray) or mode.any())):
        call.refuse("it drops features, as only training does")
    return call.value()


LAYERS: dict[str, Operator] = {
    "BatchNormalization": _batch_normalization,
    "Concat": _concatenate,
    "Dropout": _dropout,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "LayerNormalization": _layer_normalization,
    "LogSoftmax": _softmax("log_softmax"),
    "MatMul": _matmul,
    "PRelu": _prelu,
    "Selu": _selu,
    "Slice": _slice,
    "Softmax": _softmax("softmax"),
    "Split": _split,
}
