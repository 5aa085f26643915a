"""From an ONNX graph to a draft: each node in order, by what its operator makes of what it reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from specnet.errors import FileError
from specnet.exporting.facts import FACTS
from specnet.files import PathLike, file_errors
from specnet.files.tensors import shown
from specnet.importing.algebra import TooInvolvedError
from specnet.importing.draft import INPUT, Draft, Imported
from specnet.importing.facts import read_facts
from specnet.importing.functions import is_of_rows, reduces
from specnet.importing.layers import Layers
from specnet.importing.onnx_answers import finish
from specnet.importing.onnx_call import Call
from specnet.importing.onnx_file import TensorReader, newest_version, read_model
from specnet.importing.onnx_inputs import read_inputs
from specnet.importing.onnx_origins import Origins, UnknownFormulaError
from specnet.importing.onnx_proof import prove_file
from specnet.importing.onnx_sections import read_section, section_end
from specnet.importing.onnx_values import Features, Part, TwoClasses, Value
from specnet.parts.arrays import Array
from specnet.spec import Limits

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

STANDARD, MACHINE_LEARNING = "", "ai.onnx.ml"
_DOMAINS = {"": STANDARD, "ai.onnx": STANDARD, MACHINE_LEARNING: MACHINE_LEARNING}
_WEIGHT_OPERATORS = ("Gemm", "MatMul")
_FOLDED_LIMIT = 50_000_000
"""Numbers of all constants together that are computed from others."""


def import_onnx(path: PathLike, limits: Limits | None) -> Imported:
    """Return the network in an ONNX file as a spec and a model, compared with what onnxruntime answers if that is here.

    Raises
    ------
    FileError
        If the file is damaged, or holds something that is not understood; names it.
    """
    with file_errors(path):
        model = read_model(path)
        graph = Graph(model, TensorReader(path), limits)
        imported = graph.read(Path(path).stem)
        return replace(imported, proof=prove_file(path, imported.model, graph.inputs.widths))


class Graph:
    """An ONNX graph that is being read.

    Parameters
    ----------
    model : ModelProto
    tensors : TensorReader
    limits : Limits or None

    Attributes
    ----------
    inputs : Inputs
    origins : Origins
        Which nodes made what.
    draft : Draft
    layers : Layers
        Puts formulas into the draft.
    settled : dict of int to Features
        What was made a layer although it could have stayed a formula.
    is_marked : bool
        Whether the first node of each layer has a doc string, as in files that `specnet.export` has written. Then
        nothing has to be guessed of where a layer ends.
    section : str
        The doc string of the layer that is being read, in such a file.
    facts : dict or None
        What such a file says of its spec.
    owners : dict of int to Features or None
        The one value through which a layer may still be changed: its output, as long as nothing was made of it.
    told : dict
        What it says of layers that operators alone do not tell, by their keys.
    """

    def __init__(self, model: ModelProto, tensors: TensorReader, limits: Limits | None) -> None:
        self.graph: GraphProto = model.graph
        facts = next((entry.value for entry in model.metadata_props if entry.key == FACTS), None)
        if model.producer_name != "specnet":
            facts = None
        self.facts = None if facts is None else read_facts(facts, "what this file says of its spec")
        self.is_marked, self.section = facts is not None and any(node.doc_string for node in self.graph.node), ""
        told = (self.facts or {}).get("layers")
        self.told: dict[str, Any] = told if isinstance(told, dict) else {}
        self.tensors = tensors
        self.versions: dict[str, int] = {
            _DOMAINS.get(opset.domain, opset.domain): opset.version for opset in model.opset_import
        }
        newest = newest_version()
        if self.version() > newest:
            raise FileError(f"its operators are of version {self.version()}, and those up to {newest} are known")
        self.values: dict[str, Value | Array] = {}
        self._number = 0
        self.settled: dict[int, Features] = {}
        self.owners: dict[int, Features | None] = {}
        self.folded = 0
        for tensor in self.graph.initializer:
            self.values[tensor.name] = tensors.read(tensor)
        if self.graph.sparse_initializer:
            raise FileError("this file has sparse tensors, which are not understood")
        names = [name for node in self.graph.node for name in node.input]
        self.uses = Counter([*names, *(output.name for output in self.graph.output)])
        self.origins = Origins(self.graph.node, self.uses, self.values)
        # Older files list constants among the inputs, and tf2onnx some that nothing reads any more.
        values = self.graph.input
        self.inputs = inputs = read_inputs(
            value for value in values if value.name not in self.values and self.uses[value.name]
        )
        self.draft = Draft(inputs.columns, self._dtype(inputs.dtype), limits)
        self.layers = Layers(self.draft)
        begin = 0
        for name, width in inputs.widths.items():
            whole = width == inputs.columns
            self.bind(name, self.features(INPUT) if whole else Part(INPUT, begin, begin + width))
            begin += width

    def read(self, name: str) -> Imported:
        """Return what the graph computes as a spec and a model."""
        nodes, number = list(self.graph.node), 0
        while number < len(nodes):
            key = nodes[number].doc_string.partition(":")[0] if self.is_marked else ""
            if key in self.told:
                end = section_end(nodes, number)
                self._run_told(key, nodes[number:end])
            else:
                end = number + 1
                self._run(number, nodes[number])
            number = end
        return finish(self, name)

    def version(self, domain: str = STANDARD) -> int:
        """Return the version of the operators of a domain."""
        return self.versions.get(domain, 1)

    def source(self, value: Value | Array) -> int:
        """Return the layer whose output a value is, made where there is none yet."""
        if isinstance(value, TwoClasses):
            one = self.draft.affine(value.second, -1.0, 1.0)
            return self.draft.add({"type": "concatenate"}, [one, value.second], size=2)
        if not isinstance(value, Features):
            raise FileError(f"it reads {self.described(value)}, and features of rows are needed")
        if value.normal is not None and value.formula.affine is not None:
            source = self.layers.normalize(value.source, value.normal.mean, value.normal.factor, value.normal.shift)
        else:
            try:
                source = self.layers.compute(value.source, value.formula)
            except TooInvolvedError:
                maker = self.origins.maker(value)
                raise self.origins.unknown(self._number if maker is None else maker, self._is_activation) from None
        self.owners.setdefault(source, value)
        value.source, value.formula, value.normal, value.departure = source, self.layers.algebra.x, None, None
        return source

    def features(self, source: int) -> Features:
        """Return the output of a layer, which has just been made or changed, as a value."""
        value = self.owners[source] = self.copy(source)
        return value

    def copy(self, source: int) -> Features:
        """Return the output of a layer as another value beside that which it had first."""
        return Features(source, self.layers.algebra.x, self.draft.size(source))

    def may_change(self, value: Features) -> bool:
        """Whether a value is a layer's output and alone reads it, so that a constant can become a part of the layer."""
        return value.alone and value.formula.is_variable and self.owners.get(value.source) is value

    def is_answer(self, name: str) -> bool:
        """Whether a tensor is an output of the graph, and nothing else reads it."""
        return self.uses[name] == 1 and any(output.name == name for output in self.graph.output)

    def fold(self, array: Any) -> Array:
        """Return a constant that was computed from others, within what all of them may take."""
        constant: Array = np.asarray(array)
        self.folded += constant.size
        if self.folded > _FOLDED_LIMIT:
            raise FileError(f"constants are computed that have more than {_FOLDED_LIMIT} numbers")
        return constant

    def bind(self, name: str, value: Value | Array) -> None:
        """Give a tensor its value."""
        self.values[name] = value
        if isinstance(value, Features):
            shared = self.uses[name] > 1
            value.alone &= not shared
            if shared and not self.is_marked:
                self._settle_shared(name, value)

    def described(self, value: Value | Array) -> str:
        """Return in words what a value is."""
        if isinstance(value, np.ndarray):
            return f"a constant of shape {value.shape}"
        return (
            f"{type(value).__name__.lower()} of rows" if isinstance(value, Features) else _WORDS[type(value).__name__]
        )

    def settle(self, value: Features, *, scaled: bool = False) -> None:
        """Make a layer of a value if it is an activation by itself, or times a factor if `scaled`."""
        if self._is_activation(value, scaled=scaled):
            self._end_layer(value)

    def begin_activation(self, value: Features) -> None:
        """Make a layer of what an activation reads, if it is an activation itself or has numbers for each feature."""
        affine = value.formula.affine
        if self.is_marked:
            return
        if affine is not None and (np.ndim(affine[0]) or np.ndim(affine[1])):
            self.source(value)
        else:
            self.settle(value)

    def _begin_section(self, node: NodeProto) -> None:
        self.section = node.doc_string
        for name in node.input:
            value = self.values.get(name)
            if isinstance(value, Features):
                self.source(value)

    def _is_activation(self, value: Features, *, scaled: bool = False) -> bool:
        formula = value.formula
        if formula.affine is not None or formula.value is not None or is_of_rows(formula):
            return False
        try:
            return self.layers.is_activation(value.source, formula, scaled=scaled)
        except TooInvolvedError:
            return False

    def _end_layer(self, value: Features) -> None:
        origin = replace(value)
        self.settled[self.source(value)] = origin

    def _settle_shared(self, name: str, value: Features) -> None:
        """Make a layer of what several nodes read, unless it may be a part of an activation."""
        functions = [atom.function for atom in value.formula.functions()]
        if functions and self.origins.is_reduced(name) and not reduces(value.formula):
            self._end_layer(value)  # here a normalization begins, of whatever was before it
        elif functions != ["relu"] or self.origins.reads_alone(name):
            self.begin_activation(value)

    def _run_told(self, key: str, nodes: Sequence[NodeProto]) -> None:
        where, result = f"layer {shown(key)}", nodes[-1].output[0]
        if result in self.values:
            raise FileError(f"{where}: it makes {shown(result)}, which is there already")
        try:
            self.bind(result, read_section(self, key, self.told[key], nodes))
        except FileError as error:
            raise FileError(f"{where}: {error.diagnostics[0].message}") from error

    def _run(self, number: int, node: NodeProto) -> None:
        from specnet.importing.onnx_operators import OPERATORS

        self._number = number
        where = f"node {self.origins.named(number)}"
        operator = OPERATORS.get((_DOMAINS.get(node.domain, "?"), node.op_type))
        if operator is None:
            raise FileError(f"{where}: this operator is not understood")
        missing = [name for name in node.input if name and name not in self.values]
        if missing:
            raise FileError(f"{where}: it reads {shown(missing[0])}, which nothing before it makes")
        again = [name for name in node.output if name in self.values]
        if again:
            raise FileError(f"{where}: it makes {shown(again[0])}, which is there already")
        try:
            if self.is_marked and node.doc_string:
                self._begin_section(node)
            made = operator(Call(self, node))
        except TooInvolvedError:
            raise FileError(f"{where}: what it computes is no activation that is known here") from None
        except UnknownFormulaError:
            raise
        except FileError as error:
            raise FileError(f"{where}: {error.diagnostics[0].message}") from error
        results = made if isinstance(made, list) else [made]
        for name, value in zip(node.output, results, strict=False):
            if name:
                self.bind(name, value)

    def _dtype(self, default: str) -> str:
        """Return the dtype of the weights, or of the input where there are none."""
        for node in self.graph.node:
            weights = [self.values.get(name) for name in node.input]
            found = [array.dtype for array in weights if isinstance(array, np.ndarray) and array.dtype.kind == "f"]
            if node.op_type in _WEIGHT_OPERATORS and found:
                return found[0].name
        return default


_WORDS = {
    "Part": "a part of the features of rows",
    "Dimensions": "the shape of features",
    "RowCount": "the number of rows",
    "TwoClasses": "the probabilities of two classes",
    "Column": "one number of each row",
    "Winner": "the index of a class",
    "Label": "a label",
    "Flags": "0 or 1 for each output",
    "Table": "probabilities by label",
}
