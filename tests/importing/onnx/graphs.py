"""ONNX graphs written as short texts, and what onnxruntime answers about them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.importing.answers import session_of

LEARNING = ("Scaler", "FeatureVectorizer", "Binarizer")
"""Operators of the domain ai.onnx.ml."""
WHOLE = ("ArgMax", "Cast", "Gather")
"""Operators whose result is whole numbers where a graph ends in them."""


def nodes_of(text: str, **fields: Any) -> list[Any]:
    """Return the nodes of a text: ``MatMul X W h; Split h -> u v axis=1``.

    Each has an operator, the tensors that it reads, the one that it makes, or several behind an arrow, and attributes:
    literals, names of ONNX's types, other words, or what `fields` has under these.
    """
    made = []
    for words in map(str.split, text.split("; ")):
        operator, *tensors = [word for word in words if "=" not in word]
        place = tensors.index("->") if "->" in tensors else len(tensors) - 1
        read, outputs = tensors[:place], [name for name in tensors[place:] if name != "->"]
        given = dict(word.split("=") for word in words if "=" in word)
        attributes = {name: _value(value, fields) for name, value in given.items()}
        domain = "ai.onnx.ml" if operator in LEARNING else ""
        made.append(helper.make_node(operator, read, outputs, **{"domain": domain, **attributes}))
    return made


def _value(text: str, fields: Mapping[str, Any]) -> Any:
    if text in fields:
        return fields[text]
    return getattr(TensorProto, text, text) if text[0].isalpha() else ast.literal_eval(text)


def tables(shapes: Mapping[str, Any], kind: int = TensorProto.FLOAT) -> list[Any]:
    """Return descriptions of inputs or outputs by their names; None for one of unknown shape."""
    return [helper.make_tensor_value_info(name, kind, shape) for name, shape in shapes.items()]


def graph_of(
    nodes: str | Sequence[Any],
    constants: Mapping[str, Any] | Iterable[Any] = (),
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    opset: int = 20,
) -> Any:
    """Return a model of nodes, with those of the constants that they read; whole numbers stay such.

    Constants that are tensors already are all in it. By default it reads X, rows of three columns, and makes Y.
    """
    made = nodes_of(nodes) if isinstance(nodes, str) else nodes
    read = {name for node in made for name in node.input}
    if isinstance(constants, Mapping):
        found = {name: np.asarray(array) for name, array in constants.items() if name in read}
        kinds = {name: array.dtype if array.dtype.kind == "i" else np.float32 for name, array in found.items()}
        constants = [numpy_helper.from_array(array.astype(kinds[name]), name) for name, array in found.items()]
    kind = TensorProto.INT64 if made[-1].op_type in WHOLE and outputs is None else TensorProto.FLOAT
    ends = tables(outputs or {"Y": None}, kind)
    graph = helper.make_graph(made, "graph", tables(inputs or {"X": ["N", 3]}), ends, list(constants))
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def written(path: Path, *what: Any, **how: Any) -> Path:
    """Write what `graph_of` returns."""
    path.write_bytes(graph_of(*what, **how).SerializeToString())
    return path


def rows(columns: int = 3, count: int = 64) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 2, (count, columns)).astype(np.float32)


def wanted(path: Path, X: np.ndarray, **others: np.ndarray) -> Any:
    """Return the only answer of onnxruntime about rows X, and other inputs where there are some."""
    (answer,) = session_of(path.read_bytes()).run(None, {"X": X, **others})
    return answer


POLICY = "Gemm X W h; Tanh h t; Gemm t A a; Softmax a action axis=1; Gemm t V value"


def policy_file(folder: Path) -> Path:
    """Write a policy of four actions with a value."""
    rng = np.random.default_rng(0)
    tensors = {name: rng.normal(0, 1, shape) for name, shape in {"W": (3, 5), "A": (5, 4), "V": (5, 1)}.items()}
    constants = {name: array.astype(np.float32) for name, array in tensors.items()}
    outputs = {"action": ("N", 4), "value": ("N", 1)}
    return written(folder / "policy.onnx", POLICY, constants, {"X": ("N", 3)}, outputs)
