"""Import of an ONNX file as a spec and a model; nodes are read in topological order.

Files that specnet has exported contain their spec. It is verified: a model is made from the spec and the tensors, and
its export must give the same graph.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from specnet.data import RawColumns
from specnet.data.preparation import TensorForm
from specnet.errors import DataError, Diagnostic, ExportError, FileError, SpecError
from specnet.exporting.export_columns import columns_of
from specnet.exporting.model_facts import (
    DERIVATIVES,
    FACTS,
    INTERVAL,
    LABELS,
    MODELS,
    NUMBERS,
    known_document,
    labels_of,
    read_facts,
)
from specnet.exporting.onnx_inputs import fed
from specnet.exporting.target import CannotRunError
from specnet.exporting.targets.onnx import ENDS, GRADIENT, session_of, written_graph
from specnet.files import PathLike, file_errors
from specnet.files.tensors import shown
from specnet.importing.draft import Imported, errors_at, limit_hint
from specnet.importing.import_proof import ROWS, prove
from specnet.importing.onnx.onnx_answers import finish
from specnet.importing.onnx.onnx_file import TensorReader, read_model
from specnet.importing.onnx.onnx_graph import Graph, NodeCall, UnknownFormulaError
from specnet.importing.onnx.onnx_operators import OPERATORS
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
from specnet.parts.arrays import FLOAT64, Array
from specnet.spec import Limits, parse_spec, resolve

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

_ROUNDING = 4 * np.finfo(np.float32).eps
"""Largest relative difference of a constant in a float64 model that was stored as float32."""


class ChangedError(FileError):
    """The graph differs from the export of the spec and the tensors in the file."""


def read_export(graph: GraphProto, facts: Mapping[str, Any], tensors: TensorReader, limits: Limits | None) -> Imported:
    """Return the model in a file that specnet has exported.

    `facts` are the metadata of the file: the spec, class labels, and numbers of tensors that the graph lacks.

    Raises
    ------
    ChangedError
        If the graph differs from the export of these facts.
    FileError
        If a tensor is damaged.
    """
    document = {key: value for key, value in facts.items() if key not in (LABELS, NUMBERS, INTERVAL, DERIVATIVES)}
    try:
        given = {tensor.name: tensors.read(tensor) for tensor in graph.initializer}
        hidden = facts[NUMBERS] if isinstance(facts.get(NUMBERS), dict) else {}
        labels = labels_of(facts.get(LABELS), "the spec in this file")
        models = parse_models(facts[MODELS]) if MODELS in facts else [(1, document)]
        model = _exported_model(models, given, hidden, labels, limits)
    except (SpecError, DataError) as error:
        hint = limit_hint(error) if isinstance(error, SpecError) else None
        raise ChangedError(f"the spec in this file is not valid: {error.diagnostics[0].message}", hint=hint) from error
    _check_graph(graph, given, model, facts)
    return Imported(document, model, has_facts=True)


def _exported_model(
    models: Sequence[tuple[int, Any]],
    given: Mapping[str, Array],
    hidden: Mapping[str, Any],
    labels: Array | None,
    limits: Limits | None,
) -> Model:
    """Return the model in an exported file.

    Parameters
    ----------
    models : sequence of tuple
        Share and spec of each network.
    given : mapping of str to ndarray
        Tensors of the graph.
    hidden : mapping of str to list
        Tensors that the graph lacks, from the metadata.
    labels : ndarray or None
    limits : Limits or None
    """

    def tensors(kinds: Mapping[str, TensorForm], prefix: str) -> dict[str, Array]:
        return {name: _numbers(prefix + name, given, hidden, *form) for name, form in kinds.items()}

    def quantiles(network: Network, prefix: str) -> ErrorQuantiles:
        def count(name: str) -> int:
            found = hidden.get(prefix + name)
            return len(found) if isinstance(found, list) else 0

        return decode_quantiles(tensors(quantile_kinds(count, network), prefix), network)

    networks = list[TrainedNetwork]()
    for prefix, (_, spec) in zip(name_prefixes(len(models)), models, strict=True):
        network = Network(resolve(parse_spec(spec, limits=limits)))
        numbers = tensors(tensor_kinds(network), prefix)
        networks.append(trained_network(network, numbers, labels, quantiles(network, prefix) if prefix else None))
    return Model.of(networks, [share for share, _ in models], quantiles(networks[0].network, ""))


def _numbers(
    name: str,
    given: Mapping[str, Array],
    hidden: Mapping[str, Any],
    dtype: np.dtype[Any],
    shape: tuple[int | None, ...],
) -> Array:
    """Return the numbers of a tensor from the metadata, or from the graph if the metadata lacks them."""
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


def _check_graph(graph: GraphProto, given: Mapping[str, Array], model: Model, facts: Mapping[str, Any]) -> None:
    from onnx import numpy_helper

    try:
        expected = written_graph(model, facts.get(INTERVAL), derivatives=facts.get(DERIVATIVES) is True)
    except (ExportError, DataError) as error:
        raise ChangedError(error.diagnostics[0].message) from error
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in expected.initializer}
    if _structure(graph) != _structure(expected):
        raise ChangedError("the graph has other nodes, inputs or outputs than its spec")
    for name in {**given, **constants}:
        if name not in given or name not in constants or not _same(given[name], constants[name]):
            raise ChangedError(f"the tensor {name} has other values than the spec")


def _structure(graph: GraphProto) -> list[Any]:
    """Return everything in a graph except its constants: names of inputs and outputs, nodes, and attributes."""
    names = [[value.name for value in values] for values in (graph.input, graph.output)]
    attributes = [sorted(each.SerializeToString(deterministic=True) for each in node.attribute) for node in graph.node]
    nodes = [(node.domain, node.op_type, list(node.input), list(node.output)) for node in graph.node]
    return [names, nodes, attributes]


def _same(given: Array, expected: Array) -> bool:
    """Return whether a constant is the expected one, up to the rounding of a float64 model stored as float32."""
    if given.dtype == expected.dtype == np.float32 and given.shape == expected.shape:
        return bool((abs(given - expected) <= _ROUNDING * abs(expected)).all())
    if expected.dtype == object:  # onnx's texts
        expected = expected.astype(np.str_)
    return given.dtype.kind == expected.dtype.kind and np.array_equal(given, expected)


def import_onnx(path: PathLike, limits: Limits | None, output: str | None = None) -> Imported:
    """Return the network in an ONNX file as a spec and a model, compared with onnxruntime if that is installed.

    `output` is the name of one of several outputs.

    Raises
    ------
    FileError
        If the file is damaged, or has an unsupported part, which the error names.
    """
    with file_errors(path):
        model, tensors = read_model(path), TensorReader(path)
        text = next((entry.value for entry in model.metadata_props if entry.key == FACTS), None)
        facts = read_facts(text, "the spec in this file") if text and model.producer_name == "specnet" else None
        if facts is None or output is not None:
            return _read(model, tensors, path, limits, None, output)
        if MODELS not in facts:
            known_document(facts)
        try:
            imported = read_export(model.graph, facts, tensors, limits)
        except ChangedError as change:
            if MODELS in facts or change.diagnostics[0].hint:  # as another tool's it is as large
                raise
            try:
                return _read(model, tensors, path, limits, facts)
            except FileError as error:
                hint = f"as a file of another tool: {error.diagnostics[0].message}"
                raise FileError(change.diagnostics[0].message, hint=hint) from error
        outputs = [output.name for output in model.graph.output if output.name not in (GRADIENT, *ENDS)]
        return replace(imported, proof=prove_file(path, imported.model, ["X"], outputs))


def _read(
    model: ModelProto,
    tensors: TensorReader,
    path: PathLike,
    limits: Limits | None,
    facts: Mapping[str, Any] | None,
    output: str | None = None,
) -> Imported:
    graph = Graph(model, tensors, limits, output)
    try:
        imported = _finished(graph, path, facts)
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


def _finished(graph: Graph, path: PathLike, facts: Mapping[str, Any] | None) -> Imported:
    """Read the nodes of a graph and return its spec and model."""
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
    return finish(graph, Path(path).stem, facts)


def _left_out(graph: Graph, path: PathLike) -> Iterator[Diagnostic]:
    """Yield a warning for each output that is a copy of an input."""
    for output, name in graph.copies.items():
        message = f"the output {shown(output)} is a copy of the input {shown(name)}"
        hint = "it is left out" if name in graph.inputs.shapes else "both are left out"
        yield Diagnostic("copied-input", message, source=os.fspath(path), hint=hint)


def _sorted(graph: Graph) -> list[tuple[int, NodeProto]]:
    """Return the nodes in topological order: the order of the file if that is topological."""
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


_Feed = Callable[[RawColumns], dict[str, Array]]
"""Returns the inputs of a session by name, given raw rows."""


def prove_file(path: PathLike, model: Model, inputs: Collection[str], outputs: Sequence[str] | None = None) -> str:
    """Compare an ONNX file, run by onnxruntime, with the imported model; return the result in words.

    `inputs` are the names of the inputs that are the model's columns; the file does not read its other inputs.
    `outputs` are the names of the outputs to compare, all by default.

    Raises
    ------
    FileError
        If the outputs do not agree.
    """
    try:
        session = _run(session_of, os.fspath(path))
        values = [*session.get_inputs(), *session.get_outputs()]
        single = model.network.dtype == np.float32 or any(value.type == "tensor(float)" for value in values)
        columns = columns_of(model)
        if any(column.is_text or column.has_words for column in columns):
            feed: _Feed = partial(fed, columns, FLOAT64)
        else:
            feed = partial(_fed, session.get_inputs(), inputs)
        answers = partial(_answers, session, inputs, outputs, feed)
        return prove(model, "float32" if single else "float64", answers, "onnxruntime")
    except CannotRunError as obstacle:
        return f"not compared: {obstacle}"


def _run(call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except CannotRunError:
        raise
    except Exception as error:  # onnxruntime's errors have no class in common
        raise CannotRunError("onnxruntime does not run the file") from error


def _answers(
    session: Any, inputs: Collection[str], outputs: Sequence[str] | None, feed: _Feed, rows: RawColumns
) -> list[Array]:
    """Return the outputs for rows, computed in batches of the size that the file accepts."""
    shapes = [value.shape for value in session.get_inputs() if value.name in inputs]
    batches = [shape[0] if len(shape) > 1 else 1 for shape in shapes]
    size = next((batch for batch in batches if isinstance(batch, int) and batch > 0), len(rows))
    if size > ROWS:
        raise CannotRunError(f"the file takes {size} rows at a time, more than are made here")
    parts = [rows.part(slice(first, first + size)) for first in range(0, len(rows) - size + 1, size)]
    found = [map(_table, _run(session.run, outputs, feed(part))) for part in parts]
    return [np.concatenate([each.reshape(size, -1) for each in answer]) for answer in zip(*found, strict=True)]


def _fed(values: Sequence[Any], inputs: Collection[str], rows: RawColumns) -> dict[str, Array]:
    """Map the name of each input to its columns of the rows, or to zeros if no node reads it."""
    found, begin, X = {}, 0, rows.X
    for value in values:
        shape = [size if isinstance(size, int) else len(X) for size in value.shape]
        array = np.zeros(shape, np.float32 if value.type == "tensor(float)" else np.float64)
        if value.name in inputs:
            width = array.size // len(X)
            array = X[:, begin : begin + width].astype(array.dtype).reshape(shape)
            begin += width
        found[value.name] = array
    return found


def _table(answer: Any) -> Array:
    """Return an output as an array; a list of dictionaries by label becomes a table."""
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        answer = [list(row.values()) for row in answer]
    return np.asarray(answer)
