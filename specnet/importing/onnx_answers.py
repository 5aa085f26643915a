"""The end of an ONNX graph: which of its outputs are labels, probabilities or values, and of which network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from specnet.errors import FileError
from specnet.files.tensors import shown
from specnet.importing.draft import INPUT, Imported, Scaling
from specnet.importing.onnx_call import Call, Operator, Result
from specnet.importing.onnx_file import as_texts
from specnet.importing.onnx_formulas import across
from specnet.importing.onnx_graph import Graph, UnknownFormulaError
from specnet.importing.onnx_terms import Features, Segment, described, segments
from specnet.parts.arrays import Array

_HALF = 0.5


def finish(graph: Graph, name: str, facts: Mapping[str, Any] | None) -> Imported:
    """Return spec and model of a graph whose nodes have been read."""
    labels: Features | None = None
    answer: Features | None = None
    for output in graph.graph.output:
        value = graph.values.get(output.name)
        if value is None:
            raise FileError(f"the output {shown(output.name)} is not made by any node")
        if isinstance(value, Features) and value.term.kind != "f" and labels is None:
            labels = value
        elif isinstance(value, Features) and value.term.kind == "f" and answer is None:
            answer = value
        else:
            raise FileError(
                f"the output {shown(output.name)} is {described(value)}; expected labels and probabilities, or values"
            )
    if labels is None and answer is None:
        raise FileError("the graph has no outputs")
    try:
        decision = None if labels is None else _decision(graph, labels)
        return _finish(graph, answer, decision, name, facts)
    except UnknownFormulaError:
        raise
    except FileError as error:
        names = " and ".join(shown(output.name) for output in graph.graph.output)
        raise FileError(f"the output {names}: {error.diagnostics[0].message}") from error


@dataclass(frozen=True)
class _Decision:
    """What decides the labels of rows: the largest of a layer's outputs, or which of them are above a boundary.

    The labels are those of the classes, None where each output has its own, 0 or 1.
    """

    layer: int
    boundary: float | None
    labels: Array | None


def _decision(graph: Graph, answer: Features) -> _Decision:
    """Return what decides the labels: the end of the graph is run to be known."""
    end = graph.term(answer)
    found = next((each for each in segments(end)[::-1] if each.start.kind == "f"), None)
    if found is None:
        raise FileError("the labels are not decided by the outputs of one layer")
    layer, size = graph.source(found.start), found.start.size
    first = found.inner[0]
    if first.node is not None and first.node.op_type == "ArgMax":
        if size == 1:
            raise FileError("the largest of one feature is always the first")
        if any(each.name == "select_last_index" and each.i for each in first.node.attribute):
            raise FileError("the labels are those of the last of the largest outputs")
        labels = Segment(first, end, found.inner[1:]).run(graph.runner, np.arange(size))
        second = _second_of_two(graph, layer)
        return _Decision(layer if second is None else second, None if second is None else _HALF, labels.reshape(-1))
    tiny = np.finfo(graph.draft.dtype).tiny
    numbers = np.array([-1e4, -1, -tiny, 0, tiny, 0.25, _HALF, 0.75, 1, 1e4], graph.draft.dtype)
    numbers = np.sort([*numbers, *(np.nextafter(numbers[6], side) for side in (numbers[0], numbers[-1]))])
    flags = found.run(graph.runner, np.repeat(numbers[:, None], size, axis=1)).reshape(len(numbers), -1)
    for boundary in (_HALF, 0.0):
        if np.array_equal(flags, np.where(numbers[:, None] > boundary, flags[-1:], flags[:1])):
            if size == 1:
                return _Decision(layer, boundary, flags[[0, -1], 0])
            if flags[-1].all() and not flags[0].any():
                return _Decision(layer, boundary, None)
    raise FileError("the labels are decided in another way than by ½, 0 or the largest of the outputs")


def _second_of_two(graph: Graph, layer: int) -> int | None:
    """Return the layer p if a layer is the probabilities 1 - p and p beside each other."""
    steps = graph.draft.steps
    inputs = steps[layer].inputs if layer != INPUT and steps[layer].fields["type"] == "concatenate" else ()
    if len(inputs) != 2 or INPUT in inputs or graph.draft.size(inputs[1]) != 1:
        return None
    first, second = (steps[number] for number in inputs)
    is_less = first.fields == {"type": "scale", "use_shift": True} and first.inputs == inputs[1:]
    is_one = is_less and first.tensors["factor"] == -1 and first.tensors["shift"] == 1
    return inputs[1] if is_one and second.fields.get("activation") == "sigmoid" else None


def _finish(
    graph: Graph, answer: Features | None, decision: _Decision | None, name: str, facts: Mapping[str, Any] | None
) -> Imported:
    draft = graph.draft
    if answer is None:
        assert decision is not None, "a graph without outputs has been refused"
        output = decision.layer
    else:
        term = graph.term(answer)
        graph.check_length(term)
        if decision is None:
            term, steps = graph.scaled(term)
            if steps:
                draft.target = _units(steps, term.size)
        output = graph.source(term)
    if output == INPUT:
        output = draft.activation(output, "linear")
    output = output if (second := _second_of_two(graph, output)) is None else second
    loss = None if decision is None else _loss_of_margins(graph, output, answer, decision)
    is_largest = decision is not None and decision.boundary is None
    if answer is None and is_largest and not _ends_in(graph, output, "softmax"):
        output = draft.activation(output, "softmax")  # which leaves the largest where it is
    return draft.finish(output, name, labels=_labels(graph, output, decision), loss=loss, facts=facts)


def _units(steps: list[tuple[Array, Array]], size: int) -> Scaling:
    """Return factors and shifts in a row as those that give the outputs their units."""
    factor, shift = np.ones(()), np.zeros(())
    for number, constant in steps:
        factor, shift = factor * number, shift * number + constant
    return Scaling(np.broadcast_to(shift, size), np.broadcast_to(factor, size))


def _loss_of_margins(graph: Graph, output: int, answer: Features | None, decision: _Decision) -> str | None:
    """Return the loss whose labels are decided by numbers that are no probabilities, None where they are.

    Refuses labels that are decided by something else than the output.
    """
    is_softmax = _ends_in(graph, output, "softmax")
    # The largest of the values before a softmax is the largest after it.
    before = is_softmax and graph.draft.steps[output].inputs == (decision.layer,)
    if decision.layer != output and not before:
        raise FileError("the labels and the probabilities come from different layers")
    if decision.boundary is None:
        return None if answer is None or is_softmax else "categorical_hinge"
    if decision.boundary == _HALF and _ends_in(graph, output, "sigmoid"):
        return None
    if decision.boundary == 0:
        return "hinge"
    raise FileError("the labels are decided by numbers that are not probabilities")


def _labels(graph: Graph, output: int, decision: _Decision | None) -> Array | None:
    """Return the labels of the classes; None where outputs are 0 or 1, values, or classes from 0 on."""
    of_each = graph.draft.size(output) > 1 and _ends_in(graph, output, "sigmoid")
    labels = graph.classes if decision is None else decision.labels
    if labels is None or (decision is None and of_each):
        return None
    if graph.classes is not None and not np.array_equal(labels, graph.classes):
        raise FileError("the labels and those of the probabilities differ")
    return labels.astype(np.str_ if labels.dtype.kind in "UO" else np.int64)


def _ends_in(graph: Graph, output: int, activation: str) -> bool:
    return graph.draft.steps[output].fields.get("activation") == activation


def _label(call: Call) -> Result:
    """Return the labels that indices stand for; of features, some at a constant list of places."""
    if isinstance(call.value(0), Features) or not isinstance(call.value(1), Features):
        return call.moved()
    table, index = call.constant(0), call.features(1)
    if table.ndim != 1 or call.integer("axis", 0):
        call.refuse("it selects rows of a table, as an embedding does")
    if index.term.kind != "i" or table.dtype.kind not in "iU":
        call.refuse(f"it takes from {described(table)} by {index}")
    labels = table.astype(object) if table.dtype.kind == "U" else table
    shapes = index.shapes if call.node.op_type == "Gather" else tuple((1, rows) for rows in call.graph.rows)
    return call.graph.computed(call.node, shapes, [labels, call.graph.term(index)], table.dtype.kind)


def _zip_map(call: Call) -> Result:
    integers, texts = call.ints("classlabels_int64s"), call.attribute("classlabels_strings", "STRINGS")
    if (integers is None) == (texts is None):
        call.refuse("it has no labels, or two kinds of them")
    call.graph.classes = np.array(integers, np.int64) if texts is None else as_texts(texts, "classlabels_strings")
    return call.features()


def _binarizer(call: Call) -> Result:
    x = call.features()
    return call.graph.computed(call.node, x.shapes, [call.graph.term(x)], "b")


ANSWERS: dict[tuple[str, str], Operator] = {
    ("", "ArgMax"): across,
    ("", "Gather"): _label,
    ("ai.onnx.ml", "ArrayFeatureExtractor"): _label,
    ("ai.onnx.ml", "Binarizer"): _binarizer,
    ("ai.onnx.ml", "ZipMap"): _zip_map,
}
