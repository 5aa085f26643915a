"""The end of an ONNX graph: which of its outputs are labels, probabilities or values, and of which network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from specnet.errors import FileError
from specnet.files.tensors import shown
from specnet.importing.draft import INPUT, Imported, Scaling
from specnet.importing.onnx_origins import UnknownFormulaError
from specnet.importing.onnx_values import (
    Column,
    Dimensions,
    Features,
    Flags,
    Label,
    Part,
    RowCount,
    Table,
    TwoClasses,
    Value,
    Winner,
)
from specnet.parts.arrays import Array

if TYPE_CHECKING:
    from specnet.importing.onnx_call import Call
    from specnet.importing.onnx_graph import Graph

_HALF = 0.5


def finish(graph: Graph, name: str) -> Imported:
    """Return spec and model of a graph whose nodes have been read."""
    labels: Label | Winner | Flags | None = None
    answer: Features | TwoClasses | Part | None = None
    classes: Array | None = None
    columns: list[Column] = []
    for output in graph.graph.output:
        value = graph.values.get(output.name)
        if value is None:
            raise FileError(f"no node makes the output {shown(output.name)}")
        if isinstance(value, Table):
            classes, value = value.labels, value.probabilities
        if isinstance(value, Label | Winner | Flags) and labels is None:
            labels = value
        elif isinstance(value, Column) and answer is None:
            columns.append(value)
        elif isinstance(value, Features | TwoClasses | Part) and answer is None and not columns:
            answer = value
        else:
            raise FileError(
                f"the output {shown(output.name)} is {graph.described(value)}; a network here has labels and "
                "probabilities, or values"
            )
    if labels is None and answer is None and not columns:
        raise FileError("the graph has no outputs")
    try:
        if columns:
            answer = _together(graph, columns)
        return _Answers(graph, labels, classes).finish(answer, name)
    except UnknownFormulaError:
        raise
    except FileError as error:
        names = " and ".join(shown(output.name) for output in graph.graph.output)
        raise FileError(f"the output {names}: {error.diagnostics[0].message}") from error


def _together(graph: Graph, columns: Sequence[Column]) -> Features | TwoClasses:
    """Return what outputs of one number of each row are, which have to be all that there are, in their order."""
    first = columns[0]
    count = 2 if first.of_two_classes else graph.draft.size(first.source)
    if list(columns) != [replace(first, index=index) for index in range(count)]:
        raise FileError(f"{len(columns)} of them have one number of each row, and these are not all {count}, in order")
    return TwoClasses(first.source) if first.of_two_classes else graph.copy(first.source)


class _Answers:
    def __init__(self, graph: Graph, labels: Label | Winner | Flags | None, classes: Array | None) -> None:
        self.graph, self.labels, self.classes = graph, labels, classes
        self.decision = labels.winner if isinstance(labels, Label) else labels

    def finish(self, answer: Features | TwoClasses | Part | None, name: str) -> Imported:
        graph, draft = self.graph, self.graph.draft
        if isinstance(answer, Part):
            return draft.finish(self._means(answer), name, loss="gaussian_nll", facts=graph.facts)
        if answer is None:
            assert self.decision is not None, "a graph without outputs has been refused"
            output = self.decision.source
        elif isinstance(answer, TwoClasses):
            output = answer.second
        else:
            in_other_units = not graph.is_marked or graph.section == "target_preprocessing"
            is_scaled = answer.formula.affine is not None and not answer.formula.is_variable
            if self.labels is None and in_other_units and is_scaled:
                assert answer.formula.affine is not None
                draft.target = Scaling(*(np.broadcast_to(x, answer.size) for x in reversed(answer.formula.affine)))
                answer = Features(answer.source, graph.layers.algebra.x, answer.size)
            output = graph.source(answer)
        if output == INPUT:
            output = draft.activation(output, "linear")
        if isinstance(answer, TwoClasses) and not self._ends_in(output, "sigmoid"):
            raise FileError("the probabilities of two classes do not come from a sigmoid")
        loss = self._loss_of_margins(output, answer)
        of_classes = answer is None and isinstance(self.decision, Winner)
        if loss is None and of_classes and draft.size(output) > 1 and not self._ends_in(output, "softmax"):
            output = draft.activation(output, "softmax")  # which leaves the largest where it is
        return draft.finish(output, name, labels=self._labels(output), loss=loss, facts=graph.facts)

    def _means(self, answer: Part) -> int:
        """Return the layer whose first half of outputs is answered, as that of means whose variances are the second."""
        if (
            self.labels is not None
            or answer.gated
            or (answer.begin, 2 * answer.end) != (0, self.graph.draft.size(answer.source))
        ):
            raise FileError("it is a part of a layer's outputs, and not the means in front of as many variances")
        if answer.factor is not None or answer.shift is not None:
            factor, shift = answer.factor, answer.shift
            zero, one = np.zeros(()), np.ones(())
            self.graph.draft.target = Scaling(zero if shift is None else shift, one if factor is None else factor)
        return answer.source

    def _loss_of_margins(self, output: int, answer: Features | TwoClasses | None) -> str | None:
        """Return the loss whose labels are decided by numbers that are no probabilities, None where they are.

        Refuses labels that are decided by something else than the output.
        """
        if self.decision is None:
            return None
        step, single = self.graph.draft.steps[output], self.graph.draft.size(output) == 1
        # The largest of the values before a softmax is the largest after it.
        before = self._ends_in(output, "softmax") and step.inputs == (self.decision.source,)
        if self.decision.source != output and not before:
            raise FileError("the labels and the probabilities come from different layers")
        if isinstance(self.decision, Winner) and not single:
            return None if answer is None or self._ends_in(output, "softmax") else "categorical_hinge"
        if self.decision.boundary == _HALF and self._ends_in(output, "sigmoid"):
            return None
        if self.decision.boundary == 0:
            return "hinge"
        raise FileError("the labels are decided by numbers that are no probabilities")

    def _labels(self, output: int) -> Array | None:
        """Return the labels of the classes; None where outputs are 0 or 1, values, or classes from 0 on."""
        found = self.labels.labels if isinstance(self.labels, Label) else None
        size = self.graph.draft.size(output)
        if isinstance(self.labels, Flags) and size > 1:
            return None
        if found is None and self.labels is None and self.classes is None:
            return None
        if found is None and self.labels is None and self._ends_in(output, "sigmoid") and size > 1:
            return None
        if found is None:
            found = np.arange(max(size, 2)) if self.classes is None else self.classes
        elif self.classes is not None and not np.array_equal(found, self.classes):
            raise FileError("the labels and those of the probabilities differ")
        labels = found.reshape(-1)
        return labels if labels.dtype.kind == "U" else labels.astype(np.int64)

    def _ends_in(self, output: int, activation: str) -> bool:
        return self.graph.draft.steps[output].fields.get("activation") == activation


def _arg_max(call: Call) -> Value:
    if call.integer("axis", 0) not in (1, -1) or call.integer("select_last_index", 0):
        call.refuse("it does not find the first of the largest features")
    value = call.value()
    if isinstance(value, TwoClasses):
        return Winner(value.second)
    if call.features().size == 1:
        call.refuse("the largest of one feature is always the first")
    return Winner(call.graph.source(call.features()))


def _extract(call: Call) -> Value:
    """Return the labels that a winner's index stands for."""
    labels, winner = call.constant(0), call.value(1)
    if isinstance(winner, Flags) and call.graph.draft.size(winner.source) == 1:
        winner = Winner(winner.source, winner.boundary)
    if not isinstance(winner, Winner) or labels.dtype.kind not in "iU":
        call.refuse(f"it takes from a list by {call.graph.described(winner)}")
    return Label(winner, labels)


def _gather(call: Call) -> Value | Array:
    data, indices = call.value(0), call.value(1)
    if isinstance(data, Dimensions) and isinstance(indices, np.ndarray) and indices.size == 1 and not indices.any():
        return RowCount()
    if not isinstance(data, np.ndarray) or isinstance(indices, np.ndarray):
        call.refuse("only labels are taken by an index")
    if data.ndim != 1 or call.integer("axis", 0):
        call.refuse("it takes rows of a table by an index, as an embedding does")
    return _extract(call)


def _zip_map(call: Call) -> Value:
    value = call.value()
    if not isinstance(value, Features | TwoClasses):
        call.refuse(f"it reads {call.graph.described(value)}, and features of rows are needed")
    integers, texts = call.ints("classlabels_int64s"), call.texts("classlabels_strings")
    if (integers is None) == (texts is None):
        call.refuse("it has no labels, or two kinds of them")
    return Table(value, np.array(integers, np.int64) if texts is None else texts)


def _binarizer(call: Call) -> Value:
    if call.number("threshold", 0.0) != _HALF:
        call.refuse("its threshold is not one half")
    return Flags(call.graph.source(call.features()), _HALF)


ANSWERS: dict[tuple[str, str], Callable[[Call], Value | Array]] = {
    ("", "ArgMax"): _arg_max,
    ("", "Gather"): _gather,
    ("ai.onnx.ml", "ArrayFeatureExtractor"): _extract,
    ("ai.onnx.ml", "Binarizer"): _binarizer,
    ("ai.onnx.ml", "ZipMap"): _zip_map,
}
