"""Layers of an exported graph that operators alone do not tell: the file says what each is, and its nodes prove it.

The layer that the file speaks of is exported once more. Only where that gives the same nodes with the same numbers is
it taken at its word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from specnet.errors import FileError, SpecError
from specnet.importing.onnx_values import Features
from specnet.model import Model
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.spec import parse_spec, resolve

if TYPE_CHECKING:
    from onnx import NodeProto

    from specnet.importing.onnx_graph import Graph

_LAYER = "layers.0."


def section_end(nodes: Sequence[NodeProto], start: int) -> int:
    """Return behind which node the layer ends whose first node is at `start`."""
    return next((number for number in range(start + 1, len(nodes)) if nodes[number].doc_string), len(nodes))


def read_section(graph: Graph, key: str, said: Any, nodes: Sequence[NodeProto]) -> Features:
    """Return the output of a layer, made of what the file says of it.

    Parameters
    ----------
    graph : Graph
    key : str
        The layer's, with which its tensors' names begin.
    said : mapping
        ``layer``, as a spec says it, and ``numbers`` by name that no tensor of the graph has.
    nodes : sequence of NodeProto

    Raises
    ------
    FileError
        If that is not what the nodes compute.
    """
    if not isinstance(said, dict) or not isinstance(said.get("layer"), dict | str):
        raise FileError("what this file says of this layer is no layer")
    name = _source(graph, nodes)
    source = graph.source(graph.values[name])
    layer = said["layer"] if isinstance(said["layer"], dict) else {"type": said["layer"]}
    fields = {field: layer[field] for field in layer if field not in ("name", "inputs")}
    model = _model(fields, graph.draft.size(source), graph)
    tensors = {**model.network.parameters(model.theta), **model.state}
    tensors = {name.removeprefix(_LAYER): array for name, array in tensors.items()}
    for tensor, place in tensors.items():
        place[...] = _numbers(graph, f"{key}.{tensor}", said.get("numbers", {}), tensor, place)
    if not _same_nodes(graph, nodes, model, name):
        raise FileError(f"these nodes are not those of the layer that this file speaks of, {fields.get('type')}")
    return graph.features(graph.draft.add(fields, [source], tensors, size=model.network.outputs))


def _source(graph: Graph, nodes: Sequence[NodeProto]) -> str:
    """Return the name of the one value that the nodes read and do not make."""
    made = {name for node in nodes for name in node.output}
    read = {name for node in nodes for name in node.input if name not in made}
    found = sorted(name for name in read if isinstance(graph.values.get(name), Features))
    if len(found) != 1:
        raise FileError(f"this layer reads {len(found)} others, and one is needed")
    (name,) = found
    return str(name)


def _model(fields: Mapping[str, Any], columns: int, graph: Graph) -> Model:
    """Return a network of one layer."""
    document = {
        "network": {"dtype": graph.draft.dtype, "input_size": columns, "layers": [fields]},
        "training": {"loss": "mean_squared_error"},
    }
    try:
        network = Network(resolve(parse_spec(document, limits=graph.draft.limits)))
    except SpecError as error:
        raise FileError(f"no spec can say this layer: {error.diagnostics[0].message}") from error
    return Model(network, np.zeros(network.parameter_count, network.dtype), network.initial_state())


def _numbers(graph: Graph, tensor: str, hidden: Any, name: str, place: Array) -> Array:
    """Return the numbers of a layer's parameter, said or from the tensor of its name."""
    given = hidden.get(name) if isinstance(hidden, dict) else None
    if given is None:
        found = graph.values.get(tensor)
        if not isinstance(found, np.ndarray) or found.shape != place.shape:
            raise FileError(f"there are no numbers for {tensor}")
        return found
    if not isinstance(given, list) or len(given) != place.size or {type(number) for number in given} - {int, float}:
        raise FileError(f"what this file says of {tensor} is no list of {place.size} numbers")
    try:
        return np.array(given, np.float64).reshape(place.shape)
    except OverflowError:
        raise FileError(f"what this file says of {tensor} has a number that is too large") from None


def _same_nodes(graph: Graph, nodes: Sequence[NodeProto], model: Model, source: str) -> bool:
    """Whether nodes are those that the export of a model has, with the same constants."""
    from specnet.exporting.targets.onnx import graph_of

    expected, constants = graph_of(model)
    names = {"X": source}
    if len(expected) != len(nodes):
        return False
    for node, other in zip(nodes, expected, strict=True):
        if _kind(node) != _kind(other) or len(node.input) != len(other.input):
            return False
        for given, wanted in zip(node.input, other.input, strict=True):
            if wanted not in constants:
                if names[wanted] != given:
                    return False
            elif not _same_constant(graph.values.get(given), constants[wanted]):
                return False
        names |= dict(zip(other.output, node.output, strict=True))
    return True


def _kind(node: NodeProto) -> tuple[Any, ...]:
    attributes = sorted(attribute.SerializeToString(deterministic=True) for attribute in node.attribute)
    return node.domain, node.op_type, len(node.output), attributes


def _same_constant(given: Any, wanted: Array) -> bool:
    """Whether a constant is the one wanted, but for the rounding of a float64 model that was stored as float32."""
    if not isinstance(given, np.ndarray) or (given.dtype, given.shape) != (wanted.dtype, wanted.shape):
        return False
    if given.dtype != np.float32:
        return given.tobytes() == wanted.tobytes()
    return bool((abs(given - wanted) <= 4 * np.finfo(np.float32).eps * abs(wanted)).all())
