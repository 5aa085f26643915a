"""From an ONNX file to a spec and a model: its nodes are read in order, each after those whose results it reads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specnet.errors import Diagnostic, FileError
from specnet.exporting.model_facts import FACTS
from specnet.files import PathLike, file_errors
from specnet.files.tensors import shown
from specnet.importing.draft import Imported
from specnet.importing.exported_facts import known_document, read_facts
from specnet.importing.foreign import errors_at
from specnet.importing.onnx.onnx_answers import finish
from specnet.importing.onnx.onnx_exports import ChangedError, read_export
from specnet.importing.onnx.onnx_file import TensorReader, read_model
from specnet.importing.onnx.onnx_graph import Call, Graph, UnknownFormulaError
from specnet.importing.onnx.onnx_operators import OPERATORS
from specnet.importing.onnx.onnx_proof import prove_file
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
            return _read(model, tensors, path, limits, None)
        known_document(said)
        try:
            imported = read_export(model.graph, said, tensors, limits)
        except ChangedError as change:
            try:
                return _read(model, tensors, path, limits, said)
            except FileError as error:
                hint = f"as a file of another tool: {error.diagnostics[0].message}"
                raise FileError(change.diagnostics[0].message, hint=hint) from error
        return replace(imported, proof=prove_file(path, imported.model, ["X"]))


def _read(
    model: ModelProto, tensors: TensorReader, path: PathLike, limits: Limits | None, said: Mapping[str, Any] | None
) -> Imported:
    graph = Graph(model, tensors, limits)
    for index, node in _sorted(graph):
        graph.index = index
        with errors_at(f"node {graph.named(index)}", but=UnknownFormulaError):
            operator = OPERATORS.get((node.domain, node.op_type))
            if operator is None:
                raise FileError("this operator is not supported")
            made = operator(Call(graph, node))
            for name, value in zip(node.output, made if isinstance(made, list) else [made], strict=False):
                if name:
                    graph.bind(name, value)
    imported = finish(graph, Path(path).stem, said)
    proof = prove_file(path, imported.model, graph.inputs.shapes, graph.outputs)
    return replace(imported, proof=proof, warnings=tuple(_left_out(graph, path)))


def _left_out(graph: Graph, path: PathLike) -> Iterator[Diagnostic]:
    """Yield warnings of outputs that are copies of inputs."""
    for output, name in graph.copies.items():
        message = f"the output {shown(output)} is a copy of the input {shown(name)}"
        hint = "it is left out" if name in graph.inputs.shapes else "both are left out"
        yield Diagnostic("copied-input", message, source=os.fspath(path), hint=hint)


def _sorted(graph: Graph) -> list[tuple[int, NodeProto]]:
    """Return the nodes, each behind those whose results it reads, in the file's order where that is one."""
    nodes = list(enumerate(graph.graph.node))
    makers = {name: index for index, node in nodes for name in node.output if name and name not in graph.values}
    read = {index: [makers[name] for name in node.input if name in makers] for index, node in nodes}
    try:
        order = list(TopologicalSorter(read).static_order())
    except CycleError as error:
        raise FileError(f"node {graph.named(min(error.args[1]))}: it reads what is made of its own result") from None
    if all(max(read[index], default=-1) < index for index in order):
        order.sort()
    return [nodes[index] for index in order if any(graph.uses[name] for name in nodes[index][1].output if name)]
