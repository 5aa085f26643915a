"""ONNX files that specnet has exported: they carry their spec, which is not taken at its word.

The model that spec and tensors make is exported once more. Only if that gives the same graph, it is the file's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from specnet.errors import DataError, FileError, SpecError
from specnet.exporting.facts import LABELS, NUMBERS
from specnet.importing.draft import Imported
from specnet.importing.facts import labels_of
from specnet.importing.onnx_file import TensorReader
from specnet.model import Model
from specnet.model.file import model_of, tensor_kinds
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.spec import Limits, parse_spec, resolve

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

_ROUNDING = 4 * np.finfo(np.float32).eps
"""What may differ in a constant of a float64 model that was stored as float32."""


class ChangedError(FileError):
    """The graph is not the one that the spec and the tensors of a file are exported as."""


def read_export(graph: GraphProto, said: Mapping[str, Any], tensors: TensorReader, limits: Limits | None) -> Imported:
    """Return the model in a file that specnet has exported.

    Parameters
    ----------
    graph : GraphProto
    said : mapping
        The spec, class labels, and numbers by the names of tensors that the graph does not have.
    tensors : TensorReader
    limits : Limits or None

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
        numbers = said.get(NUMBERS)
        found = {
            name: _numbers(name, given, numbers if isinstance(numbers, dict) else {}, shape).astype(dtype)
            for name, (dtype, shape) in tensor_kinds(network).items()
        }
        model = Model(*model_of(network, found, labels_of(said.get(LABELS), "the spec in this file")))
    except SpecError as error:
        raise ChangedError(f"the spec in this file is not valid: {error.diagnostics[0].message}") from error
    except DataError as error:
        raise ChangedError(error.diagnostics[0].message) from error
    _check_graph(graph, given, model)
    return Imported(document, model, has_facts=True)


def _numbers(name: str, given: Mapping[str, Array], hidden: Mapping[str, Any], shape: tuple[int, ...]) -> Array:
    """Return the numbers of a tensor, from the graph or as they are said."""
    if name not in hidden:
        if name not in given or given[name].shape != shape or given[name].dtype.kind != "f":
            raise ChangedError(f"the tensor {name} does not have the shape {shape}")
        return given[name]
    listed = hidden[name]
    if not isinstance(listed, list) or {type(number) for number in listed} - {int, float}:
        raise ChangedError(f"the numbers of {name} are no list of numbers")
    try:
        return np.array(listed, np.float64).reshape(shape)
    except (ValueError, OverflowError):
        raise ChangedError(f"the numbers of {name} do not have the shape {shape}") from None


def _check_graph(graph: GraphProto, given: Mapping[str, Array], model: Model) -> None:
    from onnx import numpy_helper

    from specnet.exporting.targets.onnx import written_graph

    wanted = written_graph(model)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in wanted.initializer}
    names = [[value.name for value in values] for values in (graph.input, graph.output)]
    if names != [[value.name for value in values] for values in (wanted.input, wanted.output)]:
        raise ChangedError("the graph has other inputs or outputs than its spec")
    if [*map(_kind, graph.node)] != [*map(_kind, wanted.node)]:
        raise ChangedError("the graph has other nodes than its spec")
    for name in dict.fromkeys([*given, *constants]):
        if name not in given or name not in constants or not _same(given[name], constants[name]):
            what = "texts" if name in given and given[name].dtype.kind == "U" else "numbers"
            raise ChangedError(f"the tensor {name} has other {what} than the spec")


def _kind(node: NodeProto) -> tuple[Any, ...]:
    attributes = sorted(attribute.SerializeToString(deterministic=True) for attribute in node.attribute)
    return node.domain, node.op_type, list(node.input), list(node.output), attributes


def _same(given: Array, wanted: Array) -> bool:
    """Whether a constant is the one wanted, but for the rounding of a float64 model that was stored as float32."""
    if given.dtype == wanted.dtype == np.float32 and given.shape == wanted.shape:
        return bool((abs(given - wanted) <= _ROUNDING * abs(wanted)).all())
    if wanted.dtype == object:  # onnx's texts
        wanted = wanted.astype(np.str_)
    return given.dtype.kind == wanted.dtype.kind and np.array_equal(given, wanted)
