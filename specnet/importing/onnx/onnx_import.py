"""From an ONNX file to a spec and a model: its nodes are read in order, each after those whose results it reads.

Files that specnet has exported carry their spec, which is not taken at its word. The model that spec and tensors make
is exported once more. Only if that gives the same graph, it is the file's.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from specnet.data.preparation import TensorForm
from specnet.errors import DataError, Diagnostic, ExportError, FileError, SpecError
from specnet.exporting.model_facts import (
    FACTS,
    INTERVAL,
    LABELS,
    MODELS,
    NUMBERS,
    known_document,
    labels_of,
    read_facts,
)
from specnet.exporting.targets.onnx import ENDS, written_graph
from specnet.files import PathLike, file_errors
from specnet.files.tensors import shown
from specnet.importing.draft import Imported, limit_hint
from specnet.importing.foreign import errors_at
from specnet.importing.onnx.onnx_answers import finish
from specnet.importing.onnx.onnx_file import TensorReader, read_model
from specnet.importing.onnx.onnx_graph import Graph, NodeCall, UnknownFormulaError
from specnet.importing.onnx.onnx_operators import OPERATORS
from specnet.importing.onnx.onnx_proof import prove_file
from specnet.model import ErrorQuantiles, Model, TrainedNetwork
from specnet.model.file import (
    decode_quantiles,
    fits,
    name_prefixes,
    parse_models,
    quantile_kinds,
    tensor_kinds,
    trained_network,
)
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.spec import Limits, parse_spec, resolve

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

_ROUNDING = 4 * np.finfo(np.float32).eps
"""What may differ in a constant of a float64 model that was stored as float32."""


class ChangedError(FileError):
    """The graph is not the one that the spec and the tensors of a file are exported as."""


def read_export(graph: GraphProto, said: Mapping[str, Any], tensors: TensorReader, limits: Limits | None) -> Imported:
    """Return the model in a file that specnet has exported.

    What the file has said are the spec, class labels, and numbers by the names of tensors that the graph does not have.

    Raises
    ------
    ChangedError
        If they are not what the graph computes.
    FileError
        If a tensor is damaged.
    """
    document = {key: value for key, value in said.items() if key not in (LABELS, NUMBERS, INTERVAL)}
    try:
        given = {tensor.name: tensors.read(tensor) for tensor in graph.initializer}
        hidden = said[NUMBERS] if isinstance(said.get(NUMBERS), dict) else {}
        labels = labels_of(said.get(LABELS), "the spec in this file")
        source = _Exported(given, hidden, labels, limits)
        model = source.model(parse_models(said[MODELS]) if MODELS in said else [(1, document)])
    except (SpecError, DataError) as error:
        hint = limit_hint(error) if isinstance(error, SpecError) else None
        raise ChangedError(f"the spec in this file is not valid: {error.diagnostics[0].message}", hint=hint) from error
    _check_graph(graph, given, model, said.get(INTERVAL))
    return Imported(document, model, has_facts=True)


@dataclass(frozen=True)
class _Exported:
    """What a file has of a model: tensors of the graph, other numbers by the names of tensors, and class labels."""

    given: Mapping[str, Array]
    hidden: Mapping[str, Any]
    labels: Array | None
    limits: Limits | None

    def model(self, models: Sequence[tuple[int, Any]]) -> Model:
        """Return the model of networks, given the share and the spec of each."""
        prefixes = name_prefixes(len(models))
        networks = [self._network(spec, prefix) for (_, spec), prefix in zip(models, prefixes, strict=True)]
        return Model.of(networks, [share for share, _ in models], self._quantiles(networks[0].network, ""))

    def _network(self, document: Any, prefix: str) -> TrainedNetwork:
        """Return the network of a spec, whose tensors have names with a prefix."""
        network = Network(resolve(parse_spec(document, limits=self.limits)))
        numbers = self._numbers(tensor_kinds(network), prefix)
        return trained_network(network, numbers, self.labels, self._quantiles(network, prefix) if prefix else None)

    def _quantiles(self, network: Network, prefix: str) -> ErrorQuantiles:
        """Return the quantiles of errors under a prefix."""

        def numbers(name: str) -> int:
            hidden = self.hidden.get(prefix + name)
            return len(hidden) if isinstance(hidden, list) else 0

        return decode_quantiles(self._numbers(quantile_kinds(numbers, network), prefix), network)

    def _numbers(self, kinds: Mapping[str, TensorForm], prefix: str = "") -> dict[str, Array]:
        return {name: _numbers(prefix + name, self.given, self.hidden, *form) for name, form in kinds.items()}


def _numbers(
    name: str,
    given: Mapping[str, Array],
    hidden: Mapping[str, Any],
    dtype: np.dtype[Any],
    shape: tuple[int | None, ...],
) -> Array:
    """Return the numbers of a tensor, as they are said, or else from the graph."""
    sizes = [-1 if size is None else size for size in shape]
    numbers = hidden.get(name, given.get(name))
    if isinstance(numbers, list) and {type(number) for number in numbers} <= {int, float}:
        with suppress(ValueError, OverflowError):
            numbers = np.array(numbers, np.float64).reshape(sizes)
    if not isinstance(numbers, np.ndarray) or numbers.dtype.kind != "f" or not fits(numbers.shape, shape):
        raise ChangedError(f"the tensor {name} does not have numbers of the shape {shape}")
    if dtype.kind != "f" and not (np.isfinite(numbers) & (abs(numbers) <= np.iinfo(dtype).max)).all():
        raise ChangedError(f"the tensor {name} has numbers beyond {dtype}")
    return numbers.astype(dtype)


def _check_graph(graph: GraphProto, given: Mapping[str, Array], model: Model, interval: Any) -> None:
    from onnx import numpy_helper

    try:
        wanted = written_graph(model, interval)
    except (ExportError, DataError) as error:
        raise ChangedError(error.diagnostics[0].message) from error
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in wanted.initializer}
    if _structure(graph) != _structure(wanted):
        raise ChangedError("the graph has other nodes, inputs or outputs than its spec")
    for name in {**given, **constants}:
        if name not in given or name not in constants or not _same(given[name], constants[name]):
            raise ChangedError(f"the tensor {name} has other values than the spec")


def _structure(graph: GraphProto) -> list[Any]:
    """Return what a graph is but for its constants: names of inputs and outputs, and its nodes."""
    names = [[value.name for value in values] for values in (graph.input, graph.output)]
    attributes = [sorted(each.SerializeToString(deterministic=True) for each in node.attribute) for node in graph.node]
    nodes = [(node.domain, node.op_type, list(node.input), list(node.output)) for node in graph.node]
    return [names, nodes, attributes]


def _same(given: Array, wanted: Array) -> bool:
    """Whether a constant is the one wanted, but for the rounding of a float64 model that was stored as float32."""
    if given.dtype == wanted.dtype == np.float32 and given.shape == wanted.shape:
        return bool((abs(given - wanted) <= _ROUNDING * abs(wanted)).all())
    if wanted.dtype == object:  # onnx's texts
        wanted = wanted.astype(np.str_)
    return given.dtype.kind == wanted.dtype.kind and np.array_equal(given, wanted)


def import_onnx(path: PathLike, limits: Limits | None, output: str | None = None) -> Imported:
    """Return the network in an ONNX file as a spec and a model, compared with what onnxruntime answers if that is here.

    Of several outputs it is the one that is chosen.

    Raises
    ------
    FileError
        If the file is damaged, or holds something that is not understood; names it.
    """
    with file_errors(path):
        model, tensors = read_model(path), TensorReader(path)
        text = next((entry.value for entry in model.metadata_props if entry.key == FACTS), None)
        said = read_facts(text, "the spec in this file") if text and model.producer_name == "specnet" else None
        if said is None or output is not None:
            return _read(model, tensors, path, limits, None, output)
        if MODELS not in said:
            known_document(said)
        try:
            imported = read_export(model.graph, said, tensors, limits)
        except ChangedError as change:
            if MODELS in said or change.diagnostics[0].hint:  # as another tool's it is as large
                raise
            try:
                return _read(model, tensors, path, limits, said)
            except FileError as error:
                hint = f"as a file of another tool: {error.diagnostics[0].message}"
                raise FileError(change.diagnostics[0].message, hint=hint) from error
        outputs = [output.name for output in model.graph.output if output.name not in ENDS]
        return replace(imported, proof=prove_file(path, imported.model, ["X"], outputs))


def _read(
    model: ModelProto,
    tensors: TensorReader,
    path: PathLike,
    limits: Limits | None,
    said: Mapping[str, Any] | None,
    output: str | None = None,
) -> Imported:
    graph = Graph(model, tensors, limits, output)
    try:
        imported = _finished(graph, path, said)
    except FileError as error:
        numeric = [value.name for value in model.graph.output if _is_numeric(value)]
        if len(numeric) < 2 or output is not None or error.diagnostics[0].hint:
            raise
        hint = f"there are several outputs; choose one, such as --output {shlex.quote(numeric[0])}"
        raise FileError(*(replace(each, hint=hint) for each in error.diagnostics)) from error
    proof = prove_file(path, imported.model, graph.inputs.shapes, graph.outputs)
    return replace(imported, proof=proof, warnings=tuple(_left_out(graph, path)))


def _is_numeric(output: ValueInfoProto) -> bool:
    from onnx import TensorProto

    return output.type.tensor_type.elem_type in (TensorProto.FLOAT, TensorProto.DOUBLE)


def _finished(graph: Graph, path: PathLike, said: Mapping[str, Any] | None) -> Imported:
    """Return spec and model of a graph, after reading its nodes."""
    for index, node in _sorted(graph):
        graph.index = index
        with errors_at(f"node {graph.named(index)}", but=UnknownFormulaError):
            operator = OPERATORS.get((node.domain, node.op_type))
            if operator is None:
                raise FileError("this operator is not supported")
            made = operator(NodeCall(graph, node))
            for name, value in zip(node.output, made if isinstance(made, list) else [made], strict=False):
                if name:
                    graph.bind(name, value)
    return finish(graph, Path(path).stem, said)


def _left_out(graph: Graph, path: PathLike) -> Iterator[Diagnostic]:
    """Yield warnings of outputs that are copies of inputs."""
    for output, name in graph.copies.items():
        message = f"the output {shown(output)} is a copy of the input {shown(name)}"
        hint = "it is left out" if name in graph.inputs.shapes else "both are left out"
        yield Diagnostic("copied-input", message, source=os.fspath(path), hint=hint)


def _sorted(graph: Graph) -> list[tuple[int, NodeProto]]:
    """Return the nodes, each behind those whose results it reads, in the file's order where that is one."""
    nodes = [(index, graph.graph.node[index]) for index in graph.needed]
    makers = {name: index for index, node in nodes for name in node.output if name and name not in graph.values}
    read = {index: [makers[name] for name in node.input if name in makers] for index, node in nodes}
    try:
        order = list(TopologicalSorter(read).static_order())
    except CycleError as error:
        raise FileError(f"node {graph.named(min(error.args[1]))}: it reads what is made of its own result") from None
    if all(max(read[index], default=-1) < index for index in order):
        order.sort()
    known = dict(nodes)
    return [(index, known[index]) for index in order if any(graph.uses[name] for name in known[index].output if name)]
