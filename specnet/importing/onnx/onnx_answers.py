"""The end of an ONNX graph: which of its outputs are labels, probabilities or values, and of which network."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from specnet.errors import FileError
from specnet.files.tensors import shown
from specnet.importing.draft import INPUT, Imported, Scaling, errors_at
from specnet.importing.onnx.onnx_graph import Graph, UnknownFormulaError
from specnet.importing.onnx.onnx_terms import Segment, TensorFeatures, Value, segments
from specnet.parts.arrays import Array

_HALF = 0.5


@dataclass(frozen=True)
class _Decision:
    """The rule for labels, given the outputs of a layer: above a boundary, or the largest output without a boundary.

    `labels` are the labels of the classes, or None if each output has a label of 0 or 1.
    """

    layer: int
    boundary: float | None
    labels: Array | None


def finish(graph: Graph, name: str, facts: Mapping[str, Any] | None) -> Imported:
    """Return spec and model of a graph, after all its nodes have been read."""
    found: dict[str, TensorFeatures] = {}
    for output in graph.outputs:
        value = graph.values.get(output)
        if value is None:
            raise FileError(f"the output {shown(output)} is not made by any node")
        role = "answer" if _is_numeric(value) else "labels"
        if role == "answer" and role in found:
            numeric = [name for name in graph.outputs if _is_numeric(graph.values.get(name))]
            message = f"the graph has {len(numeric)} outputs of numbers: {', '.join(map(shown, numeric))}"
            raise FileError(message, hint=f"choose one, such as --output {shlex.quote(numeric[0])}")
        if not isinstance(value, TensorFeatures) or role in found:
            raise FileError(f"the output {shown(output)} is {value}; expected labels and probabilities, or values")
        found[role] = value
    if not found:
        raise FileError("the graph has no outputs")
    names = " and ".join(map(shown, graph.outputs))
    with errors_at(f"the output {names}", but=UnknownFormulaError):
        return _Ending(graph, **found).finish(name, facts)


def _is_numeric(value: Value | None) -> bool:
    return isinstance(value, TensorFeatures) and value.term.kind == "f"


class _Ending:
    def __init__(
        self, graph: Graph, answer: TensorFeatures | None = None, labels: TensorFeatures | None = None
    ) -> None:
        self.graph, self.draft, self.answer = graph, graph.draft, answer
        self.decision = None if labels is None else self._decision(labels)

    def finish(self, name: str, facts: Mapping[str, Any] | None) -> Imported:
        output = self.decision.layer if self.decision is not None else INPUT
        if self.answer is not None:
            output = self._second_of_two(self._output(self.answer))
        if output == INPUT:
            output = self.draft.activation(output, "linear")
        loss = self._loss_of_margins(output)
        is_largest = self.decision is not None and self.decision.boundary is None
        if self.answer is None and is_largest and not self.draft.ends_in(output, "softmax"):
            output = self.draft.activation(output, "softmax")  # does not change which output is largest
        return self.draft.finish(output, name, labels=self._labels(output), loss=loss, facts=facts)

    def _output(self, answer: TensorFeatures) -> int:
        """Return the number of the output layer, without the scaling that gives values their units."""
        term = self.graph.term(answer)
        self.graph.check_length(term)
        if self.decision is None:
            term, steps = self.graph.scaled(term)
            factor, shift = np.ones(term.size), np.zeros(term.size)
            for number, constant in steps:
                factor, shift = factor * number, shift * number + constant
            self.draft.target = Scaling(shift, factor) if steps else None
        return self.graph.source(term)

    def _decision(self, labels: TensorFeatures) -> _Decision:
        """Return the rule for labels, given a layer's outputs; it is found by running the end of the graph."""
        end, runner, dtype = self.graph.term(labels), self.graph.runner, np.dtype(self.draft.dtype)
        found = next((each for each in reversed(segments(end)) if each.start.kind == "f"), None)
        if found is None:
            raise FileError("the labels are not decided by the outputs of one layer")
        layer, size, first = self.graph.source(found.start), found.start.size, found.inner[0]
        if first.node is not None and first.node.op_type == "ArgMax":
            if size == 1:
                raise FileError("the largest of one feature is always the first")
            rest = Segment(first, end, found.inner[1:])
            if any(found.start in term.terms for term in rest.inner):
                raise FileError("the labels are not decided by the largest output alone")
            of_classes = rest.run(runner, np.arange(size)).reshape(-1)
            second = self._second_of_two(layer)
            return _Decision(second, None if second == layer else _HALF, of_classes)
        beside = [np.nextafter(dtype.type(number), dtype.type(end)) for number in (0, _HALF) for end in (-1, 1)]
        x = np.sort([-1e4, -1.0, 0.0, _HALF, 1.0, 1e4, *beside]).astype(dtype)[:, None]
        flags = found.run(runner, np.repeat(x, size, axis=1)).reshape(len(x), -1)
        for boundary in (_HALF, 0.0):
            if np.array_equal(flags, np.where(x > boundary, flags[-1:], flags[:1])):
                if size == 1:
                    return _Decision(layer, boundary, flags[[0, -1], 0])
                if flags[-1].all() and not flags[0].any():
                    return _Decision(layer, boundary, None)
        raise FileError("the labels are decided in another way than by the largest output, ½ or 0")

    def _second_of_two(self, layer: int) -> int:
        """Return the layer of p if a layer concatenates the probabilities 1 − p and p, else the layer itself."""
        step = None if layer == INPUT else self.draft.steps[layer]
        if step is None or step.layer.type != "concatenate" or len(step.inputs) != 2 or INPUT in step.inputs:
            return layer
        less, second = self.draft.steps[step.inputs[0]], step.inputs[1]
        is_less = less.layer.type == "scale" and less.inputs == (second,) and less.tensors.keys() == {"factor", "shift"}
        is_one = is_less and less.tensors["factor"] == -1 and less.tensors["shift"] == 1
        return second if is_one and self.draft.ends_in(second, "sigmoid") else layer

    def _loss_of_margins(self, output: int) -> str | None:
        """Return the hinge loss if labels follow from margins, None if they follow from probabilities.

        Raise an error if labels do not follow from the output.
        """
        if self.decision is None:
            return None
        is_softmax = self.draft.ends_in(output, "softmax")
        # The largest of the values before a softmax is the largest after it.
        before = is_softmax and self.draft.steps[output].inputs == (self.decision.layer,)
        if self.decision.layer != output and not before:
            raise FileError("the labels and the probabilities come from different layers")
        if self.decision.boundary is None:
            return None if self.answer is None or is_softmax else "categorical_hinge"
        if self.decision.boundary == _HALF and self.draft.ends_in(output, "sigmoid"):
            return None
        if self.decision.boundary == 0:
            return "hinge"
        raise FileError("the labels are decided by numbers that are not probabilities")

    def _labels(self, output: int) -> Array | None:
        """Return the labels of the classes; None if outputs are 0 or 1, values, or classes from 0 on."""
        classes, of_each = self.graph.classes, self.draft.size(output) > 1 and self.draft.ends_in(output, "sigmoid")
        labels = classes if self.decision is None else self.decision.labels
        if labels is None or (self.decision is None and of_each):
            return None
        if classes is not None and not np.array_equal(labels, classes):
            raise FileError("the labels and those of the probabilities differ")
        return labels.astype(np.str_ if labels.dtype.kind in "UO" else np.int64)
