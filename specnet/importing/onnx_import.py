"""From an ONNX file to a spec and a model: its nodes are read in order, each after those whose results it reads."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from specnet.errors import FileError
from specnet.exporting.facts import FACTS
from specnet.files import PathLike, file_errors
from specnet.files.tensors import shown
from specnet.importing.draft import Imported
from specnet.importing.facts import known_document, read_facts
from specnet.importing.onnx_answers import finish
from specnet.importing.onnx_call import Call, Result
from specnet.importing.onnx_exports import ChangedError, read_export
from specnet.importing.onnx_file import TensorReader, read_model
from specnet.importing.onnx_formulas import formula, plain_nodes
from specnet.importing.onnx_graph import STANDARD, Graph, UnknownFormulaError
from specnet.importing.onnx_operators import OPERATORS
from specnet.importing.onnx_proof import prove_file
from specnet.importing.onnx_running import ACROSS, ELEMENTWISE, FOLDED
from specnet.spec import Limits

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto


def import_onnx(path: PathLike, limits: Limits | None) -> Imported:
    """Return the network in an ONNX file as a spec and a model, compared with what onnxruntime answers if that is here.

    Raises
    ------
    FileError
        If the file is damaged, or holds something that is not understood; names it.
    """
    with file_errors(path):
        model, tensors = read_model(path), TensorReader(path)
        text = next((entry.value for entry in model.metadata_props if entry.key == FACTS), None)
        said = read_facts(text, "the spec in this file") if text and model.producer_name == "specnet" else None
        if said is None:
            imported, inputs = _read(model, tensors, path, limits, None)
        else:
            known_document(said)
            try:
                imported, inputs = read_export(model.graph, said, tensors, limits), ["X"]
            except ChangedError as change:
                try:
                    imported, inputs = _read(model, tensors, path, limits, said)
                except FileError as error:
                    hint = f"as a file of another tool: {error.diagnostics[0].message}"
                    raise FileError(change.diagnostics[0].message, hint=hint) from error
        return replace(imported, proof=prove_file(path, imported.model, inputs))


def _read(
    model: ModelProto, tensors: TensorReader, path: PathLike, limits: Limits | None, said: Mapping[str, Any] | None
) -> tuple[Imported, Collection[str]]:
    graph = Graph(model, tensors, limits)
    for index, node in _sorted(graph):
        graph.index = index
        _run(graph, node)
    return finish(graph, Path(path).stem, said), graph.inputs.shapes


def _sorted(graph: Graph) -> list[tuple[int, NodeProto]]:
    """Return the nodes, each behind those whose results it reads, in the file's order where that is one."""
    nodes = graph.graph.node
    makers: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in filter(None, node.output):
            if name in makers or name in graph.values:
                raise FileError(f"node {graph.named(index)}: {shown(name)} already exists")
            makers[name] = index
    readers: dict[int, list[int]] = {index: [] for index in range(len(nodes))}
    missing = [0] * len(nodes)
    for index, node in enumerate(nodes):
        for name in filter(None, dict.fromkeys(node.input)):
            if name in makers:
                readers[makers[name]].append(index)
                missing[index] += 1
            elif name not in graph.values:
                raise FileError(f"node {graph.named(index)}: it reads {shown(name)}, which does not exist")
    ready = [index for index in range(len(nodes)) if not missing[index]]
    heapq.heapify(ready)
    order = []
    while ready:
        order.append(heapq.heappop(ready))
        for index in readers[order[-1]]:
            missing[index] -= 1
            if not missing[index]:
                heapq.heappush(ready, index)
    if len(order) < len(nodes):
        index = next(index for index in range(len(nodes)) if missing[index])
        raise FileError(f"node {graph.named(index)}: it reads what is made of its own result")
    return [(index, node) for index in order for node in plain_nodes(nodes[index], graph.number)]


def _run(graph: Graph, node: NodeProto) -> None:
    if not any(node.output):
        return  # nothing can read it
    where = f"node {graph.named(graph.index)}"
    is_standard, operator = node.domain == STANDARD, OPERATORS.get((node.domain, node.op_type))
    try:
        call = Call(graph, node)
        constants = [value for value in call.inputs if value is None or isinstance(value, np.ndarray)]
        are_constant = len(constants) == len(call.inputs) and any(value is not None for value in constants)
        made: Result
        if is_standard and are_constant and node.op_type in FOLDED:
            made = graph.runner.fold(node, constants)
        elif operator is not None:
            made = operator(call)
        elif is_standard and node.op_type in ELEMENTWISE | ACROSS:
            made = formula(call)
        else:
            raise FileError("this operator is not supported")
    except UnknownFormulaError:
        raise
    except FileError as error:
        raise FileError(f"{where}: {error.diagnostics[0].message}") from error
    results = made if isinstance(made, list) else [made]
    for name, value in zip(node.output, results, strict=False):
        if name:
            graph.bind(name, value)
