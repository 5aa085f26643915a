"""Inputs of any rank, nodes in any order, and layers that read some of the features, against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import specnet
from specnet.importing import read_network
from tests.texts.pinned import Refused

RNG = np.random.default_rng(5)
CONSTANTS: dict[str, Any] = {
    "W": RNG.normal(size=(12, 3)), "V": RNG.normal(size=(3, 2)), "T": RNG.normal(size=(3, 12)), "b": RNG.normal(size=3),
    "U": RNG.normal(size=(4, 3)), "image mean": RNG.normal(size=(1, 1, 3, 4)), "mean": RNG.normal(size=(3, 4)),
    "half": np.array(0.5),
}  # fmt: skip # several to a line
WHOLE: dict[str, Any] = {
    "flat": [-1, 12], "one": [1, 12], "row": [12], "4": [4], "8": [8], "last axis": [1], "every third": [0, 3, 6, 9],
    "four rows": [4, 12], "sizes": [4, 8], "first": [0],
}  # fmt: skip # several to a line


def node(text: str, **attributes: Any) -> Any:
    operator, inputs, outputs = text.split(" | ")
    return helper.make_node(operator, inputs.split(", "), outputs.split(", "), **attributes)


DENSE = [node("Gemm | f, W, b | h"), node("Relu | h | r"), node("MatMul | r, V | Y")]
CASES: dict[str, tuple[list[Any], list[Any]]] = {
    "an image": (["N", 3, 4], [node("Flatten | X | f"), *DENSE]),
    "an image with channels, moved": (
        ["N", 1, 3, 4], [node("Sub | X, image mean | m"), node("Reshape | m, flat | f"), *DENSE]
    ),
    "one row of an image": ([1, 1, 3, 4], [node("Reshape | X, one | f"), *DENSE]),
    "an image whose numbers are bent first": (
        ["N", 3, 4],
        [node("Mul | X, half | m"), node("Sub | m, mean | s"), node("Tanh | s | t"), node("Flatten | t | f"), *DENSE]
    ),
    "an image whose axes change places": (
        ["N", 3, 4], [node("Transpose | X | t", perm=[0, 2, 1]), node("Flatten | t | f"), *DENSE]
    ),
    "an image whose axes change places for a while": (
        ["N", 3, 4],
        [node("Transpose | X | t", perm=[2, 0, 1]), node("Transpose | t | u", perm=[1, 2, 0]), node("Flatten | u | f"),
         *DENSE],
    ),
    "a batch of four": ([4, 12], [node("Identity | X | f"), *DENSE]),
    "a batch of four, row by row": ([4, 3, 4], [node("Reshape | X, four rows | f"), *DENSE]),
    "axes of one": (
        ["N", 1, 1, 12], [node("Squeeze | X, last axis | s"), node("Squeeze | s, last axis | f"), *DENSE]
    ),
    "one row alone": ([12], [node("MatMul | X, W | h"), node("Relu | h | r"), node("MatMul | r, V | Y")]),
    "one row behind its weights": ([12], [node("MatMul | T, X | h"), node("Tanh | h | r"), node("MatMul | r, V | Y")]),
    "one row that becomes a table": ([12], [node("Unsqueeze | X, first | f"), *DENSE]),
    "features at the front": (
        ["N", 12], [node("Slice | X, first, 4, last axis | f"), node("MatMul | f, U | h"), node("MatMul | h, V | Y")]
    ),
    "features that are picked": (
        ["N", 12],
        [node("Gather | X, every third | f", axis=1), node("Relu | f | g"), node("Gemm | g, U, b | h"),
         node("MatMul | h, V | Y")],
    ),
    "features that are split": (
        ["N", 12],
        [node("Split | X, sizes | a, c", axis=1), node("Slice | c, first, 4, last axis | d"), node("MatMul | a, U | p"),
         node("MatMul | d, U | q"), node("Add | p, q | h"), node("MatMul | h, V | Y")],
    ),
}  # fmt: skip # several to a line


def written(shape: list[Any], nodes: list[Any], path: Path) -> bytes:
    read = {name for each in nodes for name in each.input}
    constants = [
        numpy_helper.from_array(np.asarray(array, np.float32 if name in CONSTANTS else np.int64), name)
        for name, array in {**CONSTANTS, **WHOLE}.items()
        if name in read
    ]
    columns = helper.make_tensor_value_info("X", TensorProto.FLOAT, shape)
    answer = helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "graph", [columns], [answer], constants)
    content: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9
    ).SerializeToString()
    path.write_bytes(content)
    return content


@pytest.mark.slow
@pytest.mark.parametrize("order", ["forwards", "backwards"])
@pytest.mark.parametrize("name", CASES)
def test_answered_as_onnxruntime_does(name: str, order: str, tmp_path: Path):
    import onnxruntime

    shape, nodes = CASES[name]
    content = written(shape, nodes, tmp_path / "forwards.onnx")
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    X = np.random.default_rng(0).normal(0, 2, (20, 12)).astype(np.float32)
    if shape[0] == "N":
        (wanted,) = session.run(None, {"X": X.reshape(len(X), *shape[1:])})
    else:
        batches = X.reshape(-1, *shape)
        wanted = np.concatenate([session.run(None, {"X": batch})[0].reshape(-1, 2) for batch in batches])
    written(shape, nodes if order == "forwards" else nodes[::-1], tmp_path / "m.onnx")
    imported = read_network(tmp_path / "m.onnx")
    np.testing.assert_allclose(imported.model.predict(X), wanted, rtol=0, atol=2e-5)
    if order == "forwards":
        assert imported.proof.startswith("compared with onnxruntime on 240 rows: ")


@pytest.mark.parametrize(
    ("shape", "nodes"),
    [
        (["N", 3, 4], [node("Gemm | X, U, b | Y")]),
        (["N", 3, 4], [node("Transpose | X | Y", perm=[1, 0, 2])]),
        (["N", 3, 4], [node("Softmax | X | Y", axis=1)]),
        (["N", "M", 4], [node("Relu | X | Y")]),
    ],
)
def test_messages_name_the_shape_of_the_file(shape: list[Any], nodes: list[Any], tmp_path: Path, refused: Refused):
    written(shape, nodes, tmp_path / "m.onnx")
    with refused(specnet.FileError, at="m.onnx"):
        specnet.import_model(tmp_path / "m.onnx")


TWO_INPUTS = [node("Add | X, Z | s"), node("MatMul | s, W | h"), node("Relu | h | r"), node("MatMul | r, V | Y")]
"""Of a sum of two inputs of 12 columns."""


def written_of(inputs: dict[str, list[Any]], outputs: list[str], nodes: list[Any], path: Path) -> Any:
    """Write a graph of several inputs and outputs, and return a session of onnxruntime."""
    import onnxruntime

    constants = [numpy_helper.from_array(CONSTANTS[name].astype(np.float32), name) for name in ("W", "V")]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    "shapes", [(["N", 12], [1, 12]), ([1, 12], ["N", 12]), (["N", 12], [12]), (["N", 12], ["M", 12])]
)
def test_inputs_of_one_row_beside_any_number_are_read_row_by_row(shapes: tuple[list[Any], ...], tmp_path: Path):
    session = written_of(dict(zip("XZ", shapes, strict=True)), ["Y"], TWO_INPUTS, tmp_path / "m.onnx")
    imported = read_network(tmp_path / "m.onnx")
    assert imported.proof.startswith("compared with onnxruntime on 240 rows: ")
    assert imported.warnings == ()
    rows = np.random.default_rng(0).normal(0, 2, (6, 24)).astype(np.float32)
    for row in rows:
        given = {
            name: part.reshape([n if isinstance(n, int) else 1 for n in shape])
            for name, part, shape in zip("XZ", (row[:12], row[12:]), shapes, strict=True)
        }
        np.testing.assert_allclose(
            imported.model.predict(row[None]), session.run(None, given)[0].reshape(1, -1), rtol=0, atol=2e-5
        )


COPIES: dict[str, tuple[list[str], list[Any], str]] = {
    "as it is": (["M", "Y"], [], "both are left out"),
    "by nodes": (["copy", "Y"], [node("Identity | M | first"), node("Identity | first | copy")], "both are left out"),
    "of what the network reads": (["copy", "Y"], [node("Identity | X | copy")], "it is left out"),
}  # fmt: skip # several to a line


@pytest.mark.parametrize("how", COPIES)
def test_an_input_that_is_copied_to_an_output_is_left_out_with_a_remark(how: str, tmp_path: Path):
    outputs, nodes, hint = COPIES[how]
    inputs = {"M": ["N", 2], "X": ["N", 12]} if hint.startswith("both") else {"X": ["N", 12]}
    session = written_of(
        inputs,
        outputs,
        [*nodes, node("Flatten | X | f"), node("MatMul | f, W | h"), node("Relu | h | r"), node("MatMul | r, V | Y")],
        tmp_path / "m.onnx",
    )
    with pytest.warns(specnet.SpecnetWarning, match="is a copy of the input") as warned:
        model = specnet.import_model(tmp_path / "m.onnx")
    assert hint in str(warned[0].message)
    assert read_network(tmp_path / "m.onnx").proof.startswith("compared with onnxruntime on 240 rows: ")
    X = np.random.default_rng(0).normal(0, 2, (6, 12)).astype(np.float32)
    given = {name: X[:, : shape[1]] for name, shape in inputs.items()}
    np.testing.assert_allclose(model.predict(X), session.run(["Y"], given)[0], rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        (helper.make_node("Identity", ["X"], []), "is not made by any node"),
        (helper.make_node("Identity", ["X"], ["copy"], domain="custom"), "this operator is not supported"),
    ],
)
def test_what_is_no_copy_is_told(identity: Any, reason: str, tmp_path: Path):
    nodes = [identity, node("MatMul | X, W | h"), node("Relu | h | r"), node("MatMul | r, V | Y")]
    constants = [numpy_helper.from_array(CONSTANTS[name].astype(np.float32), name) for name in ("W", "V")]
    columns = helper.make_tensor_value_info("X", TensorProto.FLOAT, ["N", 12])
    answers = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("copy", "Y")]
    graph = helper.make_graph(nodes, "graph", [columns], answers, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), tmp_path / "m.onnx")
    with pytest.raises(specnet.FileError, match=reason):
        specnet.import_model(tmp_path / "m.onnx")


def test_a_graph_that_only_copies_is_a_network_that_does(tmp_path: Path):
    written_of({"X": ["N", 12]}, ["Y"], [node("Identity | X | Y")], tmp_path / "m.onnx")
    X = np.random.default_rng(0).normal(0, 2, (6, 12)).astype(np.float32)
    np.testing.assert_array_equal(specnet.import_model(tmp_path / "m.onnx").predict(X), X)


def test_a_dense_layer_on_some_features_has_zeros_for_the_others(tmp_path: Path):
    written(*CASES["features at the front"], tmp_path / "m.onnx")
    model = specnet.import_model(tmp_path / "m.onnx")
    weight = model.network.parameters(model.theta)["layers.0.weight"]
    np.testing.assert_array_equal(weight[:, :4], CONSTANTS["U"].T.astype(np.float32))
    assert not weight[:, 4:].any()
