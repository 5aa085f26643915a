"""The end of an ONNX graph: which of its outputs are labels, probabilities or values, and of which network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from specnet.errors import FileError
from specnet.files.tensors import shown
from specnet.importing.draft import INPUT, Imported, Scaling
from specnet.importing.onnx_call import Call, Operator, Result, described
from specnet.importing.onnx_graph import Graph, UnknownFormulaError
from specnet.importing.onnx_terms import Flags, Label, Part, Table, Term, TwoClasses, Winner
from specnet.parts.arrays import Array

_HALF = 0.5


def finish(graph: Graph, name: str, facts: Mapping[str, Any] | None) -> Imported:
    """Return spec and model of a graph whose nodes have been read."""
    labels: Label | Winner | Flags | None = None
    answer: Term | TwoClasses | None = None
    classes: Array | None = None
    for output in graph.graph.output:
        value = graph.values.get(output.name)
        if value is None:
            raise FileError(f"the output {shown(output.name)} is not made by any node")
        if isinstance(value, Table):
            classes, value = value.labels, value.probabilities
        if isinstance(value, Part) and not value.gated and answer is None:
            value = graph.selected(value)
        if isinstance(value, Label | Winner | Flags) and labels is None:
            labels = value
        elif isinstance(value, Term | TwoClasses) and answer is None:
            answer = value
        else:
            raise FileError(
                f"the output {shown(output.name)} is {described(value)}; expected labels and probabilities, or values"
            )
    if labels is None and answer is None:
        raise FileError("the graph has no outputs")
    try:
        return _Answers(graph, labels, classes).finish(answer, name, facts)
    except UnknownFormulaError:
        raise
    except FileError as error:
        names = " and ".join(shown(output.name) for output in graph.graph.output)
        raise FileError(f"the output {names}: {error.diagnostics[0].message}") from error


class _Answers:
    def __init__(self, graph: Graph, labels: Label | Winner | Flags | None, classes: Array | None) -> None:
        self.graph, self.labels, self.classes = graph, labels, classes
        self.decision = labels.winner if isinstance(labels, Label) else labels

    def finish(self, answer: Term | TwoClasses | None, name: str, facts: Mapping[str, Any] | None) -> Imported:
        graph, draft = self.graph, self.graph.draft
        if answer is None:
            assert self.decision is not None, "a graph without outputs has been refused"
            output = self.decision.layer
        elif isinstance(answer, TwoClasses):
            output = answer.second
        else:
            term = answer.origin
            if answer.kind != "f":
                raise FileError("it holds integers or booleans, expected floats")
            graph.check_length(term)
            if self.labels is None:
                term, steps = graph.scaled(term)
                if steps:
                    draft.target = _units(steps, answer.size)
            output = graph.source(term)
        if output == INPUT:
            output = draft.activation(output, "linear")
        if isinstance(answer, TwoClasses) and not self.graph.draft.ends_in(output, "sigmoid"):
            raise FileError("the probabilities of two classes do not come from a sigmoid")
        loss = self._loss_of_margins(output, answer)
        of_classes = answer is None and isinstance(self.decision, Winner)
        if loss is None and of_classes and draft.size(output) > 1 and not self.graph.draft.ends_in(output, "softmax"):
            output = draft.activation(output, "softmax")  # which leaves the largest where it is
        return draft.finish(output, name, labels=self._labels(output), loss=loss, facts=facts)

    def _loss_of_margins(self, output: int, answer: Term | TwoClasses | None) -> str | None:
        """Return the loss whose labels are decided by numbers that are no probabilities, None where they are.

        Refuses labels that are decided by something else than the output.
        """
        if self.decision is None:
            return None
        step, single = self.graph.draft.steps[output], self.graph.draft.size(output) == 1
        # The largest of the values before a softmax is the largest after it.
        before = self.graph.draft.ends_in(output, "softmax") and step.inputs == (self.decision.layer,)
        if self.decision.layer != output and not before:
            raise FileError("the labels and the probabilities come from different layers")
        if isinstance(self.decision, Winner) and not single:
            return None if answer is None or self.graph.draft.ends_in(output, "softmax") else "categorical_hinge"
        if self.decision.boundary == _HALF and self.graph.draft.ends_in(output, "sigmoid"):
            return None
        if self.decision.boundary == 0:
            return "hinge"
        raise FileError("the labels are decided by numbers that are not probabilities")

    def _labels(self, output: int) -> Array | None:
        """Return the labels of the classes; None where outputs are 0 or 1, values, or classes from 0 on."""
        found = self.labels.labels if isinstance(self.labels, Label) else None
        size = self.graph.draft.size(output)
        if isinstance(self.labels, Flags) and size > 1:
            return None
        if found is None and self.labels is None and self.classes is None:
            return None
        if found is None and self.labels is None and self.graph.draft.ends_in(output, "sigmoid") and size > 1:
            return None
        if found is None:
            found = np.arange(max(size, 2)) if self.classes is None else self.classes
        elif self.classes is not None and not np.array_equal(found, self.classes):
            raise FileError("the labels and those of the probabilities differ")
        labels = found.reshape(-1)
        return labels if labels.dtype.kind == "U" else labels.astype(np.int64)


def _units(steps: list[tuple[Array, Array]], size: int) -> Scaling:
    """Return factors and shifts in a row as those that give the outputs their units."""
    factor, shift = np.ones(()), np.zeros(())
    for number, constant in steps:
        factor, shift = factor * number, shift * number + constant
    return Scaling(np.broadcast_to(shift, size), np.broadcast_to(factor, size))


def flags_of(graph: Graph, condition: Term) -> Flags | None:
    """Return what a condition is as the labels of a layer's outputs; None where it compares something else."""
    node = condition.node
    if node is None or node.op_type != "Greater" or len(condition.terms) != 1 or condition.terms[0].layer is None:
        return None
    boundary = condition.operands[1]
    for known in (_HALF, 0.0):
        if isinstance(boundary, np.ndarray) and (boundary == known).all():
            return Flags(graph.source(condition.terms[0]), known)
    return None


def _arg_max(call: Call) -> Result:
    if call.integer("axis", 0) not in (1, -1) or call.integer("select_last_index", 0):
        call.refuse("it does not find the first of the largest features")
    value = call.value()
    if isinstance(value, TwoClasses):
        return Winner(value.second)
    if call.term().size == 1:
        call.refuse("the largest of one feature is always the first")
    return Winner(call.graph.source(call.term()))


def _extract(call: Call) -> Result:
    """Return the labels that a winner's index stands for."""
    labels, winner = call.constant(0), call.value(1)
    if isinstance(winner, Flags) and call.graph.draft.size(winner.layer) == 1:
        winner = Winner(winner.layer, winner.boundary)
    if not isinstance(winner, Winner) or labels.dtype.kind not in "iU":
        call.refuse(f"it takes from a list by {described(winner)}")
    return Label(winner, labels)


def _zip_map(call: Call) -> Result:
    value = call.value()
    if not isinstance(value, Term | TwoClasses):
        call.refuse(f"it reads {described(value)}, expected features")
    integers, texts = call.ints("classlabels_int64s"), call.texts("classlabels_strings")
    if (integers is None) == (texts is None):
        call.refuse("it has no labels, or two kinds of them")
    return Table(value, np.array(integers, np.int64) if texts is None else texts)


def _binarizer(call: Call) -> Result:
    if call.number("threshold", 0.0) != _HALF:
        call.refuse("its threshold is not one half")
    return Flags(call.graph.source(call.term()), _HALF)


ANSWERS: dict[tuple[str, str], Operator] = {
    ("", "ArgMax"): _arg_max,
    ("ai.onnx.ml", "ArrayFeatureExtractor"): _extract,
    ("ai.onnx.ml", "Binarizer"): _binarizer,
    ("ai.onnx.ml", "ZipMap"): _zip_map,
}
