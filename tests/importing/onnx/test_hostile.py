"""Damaged and forged files are refused with a reason: without much memory, and nothing in them is executed."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, numpy_helper

import specnet
from specnet.importing.onnx import onnx_graph
from tests.importing.answers import MEMORY
from tests.importing.conftest import Refuse
from tests.importing.onnx.graphs import written
from tests.texts.pinned import Refused


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


GOOD, GEMM = np.ones((3, 2), np.float32), "Gemm X W y"


@pytest.fixture
def place(tmp_path: Path) -> Callable[..., Path]:
    """Write a model of nodes, of tensors, and of rows of some columns."""

    def write(nodes: str, tensors: Sequence[Any] = (), shape: Sequence[Any] = ("N", 3), **how: Any) -> Path:
        return written(tmp_path / "network.onnx", nodes, tensors, {"X": shape}, {"y": None}, **how)

    return write


LOOPS = "Gemm b a a; Gemm a b b"
SHAPED = "ConstantOfShape W c; Add X c y"


@pytest.mark.parametrize(
    ("nodes", "tensors"),
    [
        (GEMM, [claimed([50_000, 50_000])]),
        (GEMM, [claimed([9_000, 9_000])]),
        (GEMM, [claimed([9_000, 9_000], raw_data=b"1234")]),
        (GEMM, [claimed([-1, 2])]),
        (GEMM, [claimed([2**62, 2**62])]),
        (GEMM, [claimed([1] * 9)]),
        (GEMM, [weight(GOOD * np.nan)]),
        (GEMM, [weight(GOOD.astype(np.float16))]),
        (GEMM, [weight(GOOD.astype(np.complex64))]),
        (GEMM, [weight(np.array([[b"a"] * 2] * 3, object))]),
        (GEMM, [weight(GOOD[0])]),
        (GEMM, [weight(GOOD.T)]),
        ("Gemm X X y", []),
        ("BatchNormalization X s s s s -> y mean variance", [weight(np.ones(3, np.float32), "s")]),
        ("Gemm X other y", []),
        (LOOPS, []),
        (f"{GEMM}; {LOOPS}", [weight(GOOD)]),
        ("Gemm X W X", [weight(GOOD)]),
        ("Gemm X W other", [weight(GOOD)]),
        ("Gemm X y", []),
        (f"{GEMM} transB='yes'", [weight(GOOD)]),
        ("Relu X y domain=com.evil", []),
        ("Reshape X W y", [weight(np.array([7, 7]))]),
        ("Clip X W y", [weight(GOOD)]),
        ("Add X W y", [weight(np.ones((5, 3), np.float32))]),
        ("Pow X W y", [weight(np.float32(1e9).reshape(()))]),
        (SHAPED, [weight(np.array([2**40, 2**40]))]),
        (SHAPED, [weight(np.array([1] * 8 + [2**40]))]),
        ("Expand V W c; Gemm X c y", [weight(np.ones((100_000, 1), np.float32), "V"), weight(np.array([1, 100_000]))]),
        ("Concat W W W c axis=0; Gemm X c y", [weight(GOOD)]),
        (
            "Add W V c; Gemm X c y",
            [weight(np.ones((5_000, 1), np.float32)), weight(np.ones((1, 5_000), np.float32), "V")],
        ),
    ],
)
def test_forged_graphs(place: Callable[..., Path], nodes: str, tensors: list[Any], refuse: Refuse):
    refuse(place(nodes, tensors))


def layers_of(path: Path) -> int:
    return len(specnet.import_model(path).spec.network.layers or ())


def test_formulas_that_would_grow_are_as_many_layers_as_nodes(place: Callable[..., Path]):
    squares = "".join(f"Mul a{number} a{number} a{number + 1}; " for number in range(30))
    assert layers_of(place(f"Tanh X e; Add X e a0; {squares}Identity a30 y")) == 33


def test_a_recurrence_is_as_many_layers_as_nodes(place: Callable[..., Path]):
    before = ["X", "X", *(f"t{number}" for number in range(1, 30))]  # what is added to each
    steps = [f"Tanh t{k} h{k}; Add h{k} {before[k]} t{k + 1}" for k in range(1, 30)]
    assert layers_of(place("; ".join(["Tanh X t1", *steps, "Identity t30 y"]))) == 60


def repeated(operator: str, count: int, end: str = "Identity") -> str:
    """Nodes one behind another, from X to y."""
    steps = [f"{operator} {f't{k}' if k else 'X'} t{k + 1}" for k in range(count)]
    return "; ".join([*steps, f"{end} t{count} y"])


@pytest.mark.slow
def test_many_exponentials_in_a_row_are_read_or_refused(place: Callable[..., Path]):
    assert layers_of(place(repeated("Exp", 100))) == 100


SHAPES: list[list[Any]] = [["n", 10_000_000], [0, 3], [10_000_000], [], [1, 2, 3, 4, 5, 6, 7, 8, 9], ["N", 2**40]]


@pytest.mark.parametrize("shape", [*SHAPES, ["N", "N"], ["N", None], ["N", 0]])
def test_sizes_are_bounded_before_anything_is_made(place: Callable[..., Path], shape: list[Any], refuse: Refuse):
    refuse(place("Relu X y", shape=shape))


@pytest.mark.slow
def test_long_chains_end(place: Callable[..., Path], refuse: Refuse):
    refuse(place(repeated("Tanh", 600)))


INTEGERS = {"first": [0], "most": [249_000], "features": [1], "wide": [1, 10**8]}
MOVED: dict[str, tuple[list[Any], str]] = {
    "slices of many columns": (
        ["n", 250_000],
        "Slice X first most features s0; "
        + "".join(f"Concat s{n} s0 s{n + 1} axis=1; " for n in range(40))
        + "Relu s40 y",
    ),
    "rows without end": ([10**9, 3], "ReduceMean X features m; Sub X m y"),
    "one feature made many": (["n", 1], "Expand X wide y"),
    "nodes without end": (["n", 3], repeated("Flatten", 250, "Relu")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MOVED)
def test_what_is_moved_is_bounded(
    place: Callable[..., Path], name: str, monkeypatch: pytest.MonkeyPatch, refused: Refused
):
    monkeypatch.setattr(onnx_graph, "_MAX_MOVED", 200)
    shape, nodes = MOVED[name]
    path = place(nodes, INTEGERS, shape, opset=18)
    tracemalloc.start()
    try:
        with refused(specnet.FileError, at=path.name):
            specnet.import_model(path)
        assert tracemalloc.get_traced_memory()[1] < 4 * MEMORY
    finally:
        tracemalloc.stop()


def test_inputs_of_different_numbers_of_rows_are_refused(tmp_path: Path, refuse: Refuse):
    inputs = {"V": [4, 3], "Z": [2, 3]}
    refuse(written(tmp_path / "network.onnx", "Add V Z y", (), inputs, {"y": None}))


LOCATIONS = ["../secret.bin", "inside/../../secret.bin", "link.bin", "linked/secret.bin", "", "{secret}", "missing.bin"]


@pytest.mark.parametrize("location", [*LOCATIONS, "short.bin", "pipe", "."])
def test_numbers_in_other_files_are_read_from_the_model_s_folder_alone(tmp_path: Path, location: str, refused: Refused):
    secret, folder = tmp_path / "secret.bin", tmp_path / "models"
    (folder / "inside").mkdir(parents=True)
    secret.write_bytes(GOOD.tobytes())
    (folder / "short.bin").write_bytes(b"1234")
    (folder / "link.bin").symlink_to(secret)
    (folder / "linked").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    path = written(folder / "network.onnx", GEMM, [external(location.format(secret=secret))], outputs={"y": None})
    with refused(specnet.FileError):
        specnet.import_model(path)


def test_numbers_beside_the_model_are_read(tmp_path: Path, place: Callable[..., Path], refused: Refused):
    (tmp_path / "network.onnx.data").write_bytes(b"1234" + GOOD.tobytes())
    path = place(GEMM, [external("network.onnx.data", offset="4")])
    np.testing.assert_array_equal(specnet.import_model(path).predict([[1, 2, 3]]), [[6, 6]])
    for offset, size in (*((offset, 24) for offset in ("5", "-4", "9" * 30, "9" * 9_999, "four", "4.0")), ("4", 23)):
        place(GEMM, [external("network.onnx.data", size, offset)])
        with refused(specnet.FileError):
            specnet.import_model(path)
