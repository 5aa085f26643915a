"""ONNX files that specnet has exported: they carry their spec, which is not taken at its word.

The model that spec and tensors make is exported once more. Only if that gives the same graph, it is the file's.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from specnet.errors import DataError, ExportError, FileError, SpecError
from specnet.exporting.model_facts import LABELS, NUMBERS
from specnet.exporting.targets.onnx import written_graph
from specnet.importing.draft import Imported
from specnet.importing.exported_facts import labels_of
from specnet.importing.onnx.onnx_file import TensorReader
from specnet.model import Model
from specnet.model.file import fits, model_of, tensor_kinds
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.spec import Limits, parse_spec, resolve

if TYPE_CHECKING:
    from onnx import GraphProto

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
    document = {key: value for key, value in said.items() if key not in (LABELS, NUMBERS)}
    try:
        network = Network(resolve(parse_spec(document, limits=limits)))
        given = {tensor.name: tensors.read(tensor) for tensor in graph.initializer}
        hidden = said[NUMBERS] if isinstance(said.get(NUMBERS), dict) else {}
        kinds = tensor_kinds(network).items()
        found = {name: _numbers(name, given, hidden, dtype, shape) for name, (dtype, shape) in kinds}
        model = Model(*model_of(network, found, labels_of(said.get(LABELS), "the spec in this file")))
    except (SpecError, DataError) as error:
        raise ChangedError(f"the spec in this file is not valid: {error.diagnostics[0].message}") from error
    _check_graph(graph, given, model)
    return Imported(document, model, has_facts=True)


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


def _check_graph(graph: GraphProto, given: Mapping[str, Array], model: Model) -> None:
    from onnx import numpy_helper

    try:
        wanted = written_graph(model)
    except ExportError as error:
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
