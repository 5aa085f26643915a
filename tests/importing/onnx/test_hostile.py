"""Damaged and forged files are refused with a reason: without much memory, and nothing in them is executed."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import specnet
from tests.texts.pinned import Pinned, Refused

MEMORY = 64 * 2**20


def reason_of(path: Path) -> str:
    """The reason why a file is refused, which has to come without much memory."""
    tracemalloc.start()
    try:
        with pytest.raises(specnet.FileError) as error:
            specnet.import_model(path)
        assert tracemalloc.get_traced_memory()[1] < MEMORY + 3 * path.stat().st_size
    finally:
        tracemalloc.stop()
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.source == str(path)
    assert len(diagnostic.message) < 500
    return diagnostic.message


def model_of(nodes: list[Any], tensors: Sequence[Any] = (), columns: Any = 3, outputs: Any = 2) -> Any:
    return helper.make_model(
        helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["N", columns])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", outputs])],
            tensors,
        )
    )


def gemm(name: str = "W", source: str = "X", result: str = "y") -> Any:
    return helper.make_node("Gemm", [source, name], [result])


def weight(array: np.ndarray, name: str = "W") -> Any:
    return numpy_helper.from_array(array, name)


def claimed(dims: list[int], **fields: Any) -> Any:
    tensor = TensorProto(name="W", data_type=TensorProto.FLOAT, dims=dims)
    for name, value in fields.items():
        setattr(tensor, name, value)
    return tensor


def external(location: str, size: int = 24, offset: str = "0") -> Any:
    tensor = TensorProto(name="W", data_type=TensorProto.FLOAT, dims=[3, 2], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "offset": offset, "length": str(size)}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


GOOD = np.ones((3, 2), np.float32)


@pytest.fixture
def place(tmp_path: Path) -> Callable[[Any], Path]:
    """Write a model."""

    def write(model: Any) -> Path:
        path = tmp_path / "network.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return write


@pytest.mark.parametrize(
    ("nodes", "tensors"),
    [
        ([gemm()], [claimed([50_000, 50_000])]),
        ([gemm()], [claimed([9_000, 9_000])]),
        ([gemm()], [claimed([9_000, 9_000], raw_data=b"1234")]),
        ([gemm()], [claimed([-1, 2])]),
        ([gemm()], [claimed([2**62, 2**62])]),
        ([gemm()], [weight(GOOD * np.nan)]),
        ([gemm()], [weight(GOOD.astype(np.float16))]),
        ([gemm()], [weight(GOOD.astype(np.complex64))]),
        ([gemm()], [weight(np.array([[b"a"] * 2] * 3, object))]),
        ([gemm()], [weight(GOOD[0])]),
        ([gemm()], [weight(GOOD.T)]),
        ([gemm("X")], []),
        (
            [helper.make_node("BatchNormalization", ["X", "s", "s", "s", "s"], ["y", "mean", "variance"])],
            [weight(np.ones(3, np.float32), "s")],
        ),
        ([gemm("other")], []),
        ([gemm("a", "b", "a"), gemm("b", "a", "b")], []),
        (
            [gemm(), gemm("a", "b", "a"), gemm("b", "a", "b")],
            [weight(GOOD)],
        ),
        ([gemm("W", "X", "X")], [weight(GOOD)]),
        ([gemm("W", "X", "other")], [weight(GOOD)]),
        ([helper.make_node("Gemm", ["X"], ["y"])], []),
        ([helper.make_node("Gemm", ["X", "W"], ["y"], transB="yes")], [weight(GOOD)]),
        ([helper.make_node("Relu", ["X"], ["y"], domain="com.evil")], []),
        ([helper.make_node("Reshape", ["X", "W"], ["y"])], [weight(np.array([7, 7]))]),
        ([helper.make_node("Clip", ["X", "W"], ["y"])], [weight(GOOD)]),
        ([helper.make_node("Add", ["X", "W"], ["y"])], [weight(np.ones((5, 3), np.float32))]),
        (
            [helper.make_node("Pow", ["X", "W"], ["y"])],
            [weight(np.float32(1e9).reshape(()))],
        ),
        (
            [
                helper.make_node("ConstantOfShape", ["W"], ["c"]),
                helper.make_node("Add", ["X", "c"], ["y"]),
            ],
            [weight(np.array([2**40, 2**40]))],
        ),
        (
            [
                helper.make_node("ConstantOfShape", ["W"], ["c"]),
                helper.make_node("Add", ["X", "c"], ["y"]),
            ],
            [weight(np.array([1] * 8 + [2**40]))],
        ),
        (
            [helper.make_node("Expand", ["V", "W"], ["c"]), gemm("c")],
            [weight(np.ones((100_000, 1), np.float32), "V"), weight(np.array([1, 100_000]))],
        ),
        (
            [helper.make_node("Concat", ["W"] * 3, ["c"], axis=0), gemm("c")],
            [weight(GOOD)],
        ),
        (
            [helper.make_node("Add", ["W", "V"], ["c"]), gemm("c")],
            [weight(np.ones((5_000, 1), np.float32)), weight(np.ones((1, 5_000), np.float32), "V")],
        ),
    ],
)
def test_forged_graphs(place: Callable[[Any], Path], nodes: list[Any], tensors: list[Any], refused: Refused):
    with refused(specnet.FileError, at="network.onnx"):
        specnet.import_model(place(model_of(nodes, tensors)))
    reason_of(place(model_of(nodes, tensors)))


def test_formulas_that_would_grow_are_as_many_layers_as_nodes(place: Callable[[Any], Path]):
    nodes, name = [helper.make_node("Tanh", ["X"], ["e"]), helper.make_node("Add", ["X", "e"], ["a0"])], "a0"
    for number in range(30):
        nodes.append(helper.make_node("Mul", [name, name], [f"a{number + 1}"]))
        name = nodes[-1].output[0]
    nodes.append(helper.make_node("Identity", [name], ["y"]))
    model = specnet.import_model(place(model_of(nodes)))
    assert len(model.spec.network.layers or ()) == 33


def test_a_recurrence_is_as_many_layers_as_nodes(place: Callable[[Any], Path]):
    nodes = [helper.make_node("Tanh", ["X"], ["t1"])]
    for number in range(1, 30):
        nodes.append(helper.make_node("Tanh", [f"t{number}"], [f"h{number}"]))
        nodes.append(
            helper.make_node("Add", [f"h{number}", "X" if number == 1 else f"t{number - 1}"], [f"t{number + 1}"])
        )
    nodes.append(helper.make_node("Identity", ["t30"], ["y"]))
    model = specnet.import_model(place(model_of(nodes)))
    assert len(model.spec.network.layers or ()) == 60


@pytest.mark.slow
def test_many_exponentials_in_a_row_are_read_or_refused(place: Callable[[Any], Path]):
    nodes = [helper.make_node("Exp", [f"t{n}" if n else "X"], [f"t{n + 1}"]) for n in range(200)]
    nodes.append(helper.make_node("Identity", ["t200"], ["y"]))
    assert len(specnet.import_model(place(model_of(nodes))).spec.network.layers or ()) == 200


@pytest.mark.parametrize("shape", [["n", 10_000_000], [0, 3], [10_000_000], [], [1, 2, 3, 4, 5, 6, 7, 8, 9]])
def test_sizes_are_bounded_before_anything_is_made(place: Callable[[Any], Path], shape: list[Any], pinned: Pinned):
    model = model_of([helper.make_node("Relu", ["X"], ["y"])])
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info("X", TensorProto.FLOAT, shape))
    pinned(reason_of(place(model)))


@pytest.mark.slow
def test_long_chains_end(place: Callable[[Any], Path], pinned: Pinned):
    nodes = [helper.make_node("Tanh", ["X" if n == 0 else f"t{n}"], [f"t{n + 1}"]) for n in range(3_000)]
    nodes.append(helper.make_node("Identity", ["t3000"], ["y"]))
    pinned(reason_of(place(model_of(nodes, outputs=3))))


INTEGERS = {"first": [0], "most": [249_000], "features": [1], "wide": [1, 10**8]}
MOVED: dict[str, tuple[list[Any], list[Any]]] = {
    "slices of many columns": (
        ["n", 250_000],
        [
            helper.make_node("Slice", ["X", "first", "most", "features"], ["s0"]),
            *(helper.make_node("Concat", [f"s{n}", "s0"], [f"s{n + 1}"], axis=1) for n in range(40)),
            helper.make_node("Relu", ["s40"], ["y"]),
        ],
    ),
    "rows without end": (
        [10**9, 3],
        [helper.make_node("ReduceMean", ["X", "features"], ["m"]), helper.make_node("Sub", ["X", "m"], ["y"])],
    ),
    "one feature made many": (["n", 1], [helper.make_node("Expand", ["X", "wide"], ["y"])]),
    "nodes without end": (
        ["n", 3],
        [helper.make_node("Flatten", ["X" if n == 0 else f"f{n}"], [f"f{n + 1}"]) for n in range(2_500)]
        + [helper.make_node("Relu", ["f2500"], ["y"])],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MOVED)
def test_what_is_moved_is_bounded(place: Callable[[Any], Path], name: str, refused: Refused):
    shape, nodes = MOVED[name]
    read = {name for node in nodes for name in node.input}
    model = model_of(nodes, [weight(np.array(INTEGERS[name]), name) for name in INTEGERS if name in read])
    model.opset_import[0].version = 18
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("X", TensorProto.FLOAT, shape))
    path = place(model)
    tracemalloc.start()
    try:
        with refused(specnet.FileError, at=path.name):
            specnet.import_model(path)
        assert tracemalloc.get_traced_memory()[1] < 4 * MEMORY
    finally:
        tracemalloc.stop()


def test_inputs_of_different_numbers_of_rows_are_refused(place: Callable[[Any], Path], pinned: Pinned):
    model = model_of([helper.make_node("Add", ["V", "Z"], ["y"])])
    for name, rows in (("V", 4), ("Z", 2)):
        model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, 3]))
    pinned(reason_of(place(model)))


@pytest.mark.parametrize("columns", ["N", None, 0])
def test_unknown_columns(place: Callable[[Any], Path], columns: Any, pinned: Pinned):
    pinned(reason_of(place(model_of([gemm()], [weight(GOOD)], columns=columns))))


def test_many_columns_take_no_memory(place: Callable[[Any], Path], pinned: Pinned):
    nodes = [helper.make_node("Relu", ["X"], ["y"])]
    pinned(reason_of(place(model_of(nodes, columns=2**40, outputs=2**40))))


@pytest.mark.parametrize(
    "location",
    [
        "../secret.bin",
        "inside/../../secret.bin",
        "link.bin",
        "linked/secret.bin",
        "",
        "{secret}",
        "missing.bin",
        "short.bin",
        "pipe",
        ".",
    ],
)
def test_numbers_in_other_files_are_read_from_the_model_s_folder_alone(tmp_path: Path, location: str, refused: Refused):
    secret, folder = tmp_path / "secret.bin", tmp_path / "models"
    (folder / "inside").mkdir(parents=True)
    secret.write_bytes(GOOD.tobytes())
    (folder / "short.bin").write_bytes(b"1234")
    (folder / "link.bin").symlink_to(secret)
    (folder / "linked").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    path = folder / "network.onnx"
    model = model_of([gemm()], [external(location.format(secret=secret))])
    path.write_bytes(model.SerializeToString())
    with refused(specnet.FileError):
        specnet.import_model(path)


def test_numbers_beside_the_model_are_read(tmp_path: Path, refused: Refused):
    (tmp_path / "network.onnx.data").write_bytes(b"1234" + GOOD.tobytes())
    model = model_of([gemm()], [external("network.onnx.data", offset="4")])
    (tmp_path / "network.onnx").write_bytes(model.SerializeToString())
    np.testing.assert_array_equal(specnet.import_model(tmp_path / "network.onnx").predict([[1, 2, 3]]), [[6, 6]])
    for offset, size in (("5", 24), ("-4", 24), ("4", 23), ("9" * 30, 24), ("9" * 9_999, 24), ("four", 24)):
        model = model_of([gemm()], [external("network.onnx.data", size, offset)])
        (tmp_path / "network.onnx").write_bytes(model.SerializeToString())
        with refused(specnet.FileError):
            specnet.import_model(tmp_path / "network.onnx")
