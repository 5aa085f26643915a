"""Damaged and forged files are refused with a reason: quickly, without much memory, and nothing in them is executed."""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import specnet
from tests.importing.answers import FILES

SECONDS = 5.0
"""Much more than any of them takes, for machines that are busy."""
MEMORY = 64 * 2**20


def refused(path: Path) -> str:
    """The reason why a file is refused, which has to come soon and without much memory."""
    began = time.perf_counter()
    with pytest.raises(specnet.FileError) as error:
        specnet.import_model(path)
    assert time.perf_counter() - began < SECONDS
    tracemalloc.start()
    try:
        with pytest.raises(specnet.FileError):
            specnet.import_model(path)
        assert tracemalloc.get_traced_memory()[1] < MEMORY + 3 * path.stat().st_size
    finally:
        tracemalloc.stop()
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.source == str(path)
    assert len(diagnostic.message) < 500
    return diagnostic.message


def model_of(nodes: list[Any], tensors: list[Any] = [], columns: Any = 3, outputs: Any = 2) -> Any:  # noqa: B006
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
    ("nodes", "tensors", "reason"),
    [
        ([gemm()], [claimed([50_000, 50_000])], "has more than 100000000 numbers"),
        ([gemm()], [claimed([9_000, 9_000])], "does not have as many numbers"),
        ([gemm()], [claimed([9_000, 9_000], raw_data=b"1234")], "has 4 bytes"),
        ([gemm()], [claimed([-1, 2])], r"has the shape \(-1, 2\)"),
        ([gemm()], [claimed([2**62, 2**62])], "has more than"),
        ([gemm()], [weight(GOOD * np.nan)], "not finite"),
        ([gemm()], [weight(GOOD.astype(np.float16))], "is of the type FLOAT16"),
        ([gemm()], [weight(GOOD.astype(np.complex64))], "is of the type COMPLEX64"),
        ([gemm()], [weight(np.array([[b"a"] * 2] * 3, object))], "and not numbers"),
        ([gemm()], [weight(GOOD[0])], r"a weight of shape \(2,\) is no matrix"),
        ([gemm()], [weight(GOOD.T)], "does not fit"),
        ([gemm("X")], [], "is no constant"),
        ([gemm("other")], [], "it reads 'other', which nothing before it makes"),
        ([gemm("a", "b", "a"), gemm("b", "a", "b")], [], "the graph has 0 inputs"),
        (
            [gemm(), gemm("a", "b", "a"), gemm("b", "a", "b")],
            [weight(GOOD)],
            "it reads 'b', which nothing before it makes",
        ),
        ([gemm("W", "X", "X")], [weight(GOOD)], "it makes 'X', which is there already"),
        ([gemm("W", "X", "other")], [weight(GOOD)], "no node makes the output 'y'"),
        ([helper.make_node("Gemm", ["X"], ["y"])], [], "it has too few inputs"),
        ([helper.make_node("Gemm", ["X", "W"], ["y"], transB="yes")], [weight(GOOD)], "is not of the type INT"),
        ([helper.make_node("Relu", ["X"], ["y"], domain="com.evil")], [], "com.evil.Relu.*not understood"),
        ([helper.make_node("Reshape", ["X", "W"], ["y"])], [weight(np.array([7, 7]))], "the shape"),
        ([helper.make_node("Clip", ["X", "W"], ["y"])], [weight(GOOD)], "its min is no number"),
        ([helper.make_node("Add", ["X", "W"], ["y"])], [weight(np.ones((5, 3), np.float32))], "no number for each"),
        ([helper.make_node("Pow", ["X", "W"], ["y"])], [weight(np.float32(1e9).reshape(()))], "a power of 1e\\+09"),
        (
            [
                helper.make_node("ConstantOfShape", ["W"], ["c"]),
                helper.make_node("Add", ["X", "c"], ["y"]),
            ],
            [weight(np.array([2**40, 2**40]))],
            "is too large",
        ),
        (
            [helper.make_node("Concat", ["W"] * 3, ["c"], axis=0), gemm("c")],
            [weight(GOOD)],
            "it does not put features beside each other",
        ),
        (
            [helper.make_node("Add", ["W", "V"], ["c"]), gemm("c")],
            [weight(np.ones((5_000, 1), np.float32)), weight(np.ones((1, 5_000), np.float32), "V")],
            "do not go together",
        ),
    ],
)
def test_forged_graphs(place: Callable[[Any], Path], nodes: list[Any], tensors: list[Any], reason: str):
    with pytest.raises(specnet.FileError, match=reason):
        specnet.import_model(place(model_of(nodes, tensors)))
    refused(place(model_of(nodes, tensors)))


def test_formulas_that_would_grow_are_refused(place: Callable[[Any], Path]):
    nodes, name = [helper.make_node("Exp", ["X"], ["e"]), helper.make_node("Add", ["X", "e"], ["a0"])], "a0"
    for number in range(30):
        nodes.append(helper.make_node("Mul", [name, name], [f"a{number + 1}"]))
        name = nodes[-1].output[0]
    nodes.append(helper.make_node("Identity", [name], ["y"]))
    assert "no activation that is known here" in refused(place(model_of(nodes)))


def test_long_chains_end(place: Callable[[Any], Path]):
    nodes = [helper.make_node("Tanh", ["X" if n == 0 else f"t{n}"], [f"t{n + 1}"]) for n in range(3_000)]
    nodes.append(helper.make_node("Identity", ["t3000"], ["y"]))
    assert "more than 1000" in refused(place(model_of(nodes, outputs=3)))


@pytest.mark.parametrize("columns", ["N", None, 0])
def test_unknown_columns(place: Callable[[Any], Path], columns: Any):
    assert "with a number of columns" in refused(place(model_of([gemm()], [weight(GOOD)], columns=columns)))


def test_many_columns_take_no_memory(place: Callable[[Any], Path]):
    nodes = [helper.make_node("Relu", ["X"], ["y"])]
    assert "memory" in refused(place(model_of(nodes, columns=2**40, outputs=2**40)))


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("../secret.bin", "outside of the model's folder"),
        ("inside/../../secret.bin", "outside of the model's folder"),
        ("link.bin", "outside of the model's folder"),
        ("linked/secret.bin", "outside of the model's folder"),
        ("", "no file in the model's folder"),
        ("{secret}", "no file in the model's folder"),
        ("missing.bin", "there is no such file"),
        ("short.bin", "does not have there"),
        ("pipe", "a device or a pipe"),
        (".", "a folder, not a file"),
    ],
)
def test_numbers_in_other_files_are_read_from_the_model_s_folder_alone(tmp_path: Path, location: str, reason: str):
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
    with pytest.raises(specnet.FileError, match=reason):
        specnet.import_model(path)


def test_numbers_beside_the_model_are_read(tmp_path: Path):
    (tmp_path / "network.onnx.data").write_bytes(b"1234" + GOOD.tobytes())
    model = model_of([gemm()], [external("network.onnx.data", offset="4")])
    (tmp_path / "network.onnx").write_bytes(model.SerializeToString())
    np.testing.assert_array_equal(specnet.import_model(tmp_path / "network.onnx").predict([[1, 2, 3]]), [[6, 6]])
    for offset, size in (("5", 24), ("-4", 24), ("4", 23), ("9" * 30, 24)):
        model = model_of([gemm()], [external("network.onnx.data", size, offset)])
        (tmp_path / "network.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(specnet.FileError, match=r"does not (have there|say where)"):
            specnet.import_model(tmp_path / "network.onnx")


@pytest.mark.parametrize("name", ["sklearn_words.onnx", "torch_activations.onnx", "keras_functional.keras"])
def test_cut_off_at_every_kilobyte(tmp_path: Path, name: str):
    content = (FILES / name).read_bytes()
    path = tmp_path / name
    for size in [*range(0, 200, 7), *range(0, len(content), 1000), len(content) - 1]:
        path.write_bytes(content[:size])
        refused(path)


@pytest.mark.parametrize("name", ["sklearn_words.onnx", "keras_binary.keras"])
def test_bytes_turned_over_are_refused_or_harmless(tmp_path: Path, name: str):
    rng, content = np.random.default_rng(0), bytearray((FILES / name).read_bytes())
    path = tmp_path / name
    for _ in range(150):
        damaged = content.copy()
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            specnet.import_model(path)
        except specnet.FileError as error:
            assert error.diagnostics[0].source == str(path)  # noqa: PT017


def test_empty_entries_do_not_become_objects(tmp_path: Path):
    # A node of 2 bytes: 1 MB of them would be half a million objects.
    nodes = b"\x0a\x00" * 500_000
    length = len(nodes)
    size = bytes([length & 127 | 128, length >> 7 & 127 | 128, length >> 14])
    path = tmp_path / "network.onnx"
    path.write_bytes(b"\x08\x09" + b"\x3a" + size + nodes)
    assert "more than 100000 entries" in refused(path)


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch executed",)


def test_pickles_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "objects.npz", X=np.array([Harmful()], dtype=object))
    (tmp_path / "object.pkl").write_bytes(pickle.dumps(Harmful()))
    with zipfile.ZipFile(tmp_path / "object.pt", "w") as archive:
        archive.writestr("object/data.pkl", pickle.dumps(Harmful()))
    for name in ("objects.npz", "object.pkl", "object.pt"):
        refused(tmp_path / name)
    assert not (tmp_path / "executed").exists()


def test_other_files(tmp_path: Path):
    (tmp_path / "text.onnx").write_text("a text\n" * 100)
    assert "no ONNX file" in refused(tmp_path / "text.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    assert "no ONNX file" in refused(tmp_path / "empty.onnx")
    with pytest.raises(specnet.FileError, match="there is no such file"):
        specnet.import_model(tmp_path / "missing.onnx")
    with pytest.raises(specnet.FileError, match="a folder"):
        specnet.import_model(tmp_path)


def keras_file(path: Path, change: Callable[[dict[str, Any]], Any], weights: bytes | None = None, **how: Any) -> Path:
    """A copy of a Keras file with another configuration, or with other weights."""
    with zipfile.ZipFile(FILES / "keras_binary.keras") as archive:
        config, content = json.loads(archive.read("config.json")), archive.read("model.weights.h5")
    change(config)
    with zipfile.ZipFile(path, "w", **how) as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", content if weights is None else weights)
    return path


def layer(config: dict[str, Any], number: int, **fields: Any) -> None:
    config["config"]["layers"][number].update(fields)


def field(config: dict[str, Any], number: int, **fields: Any) -> None:
    config["config"]["layers"][number]["config"].update(fields)


CODE = {"class_name": "__lambda__", "config": {"code": "4wEAAAAA", "defaults": None, "closure": None}}
LAMBDA = {"class_name": "Lambda", "config": {"name": "lambda", "function": CODE}}
ACTIVATION = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c["config"]["layers"][1].update(LAMBDA), "a Lambda is code"),
        (lambda c: layer(c, 1, module="os", class_name="system"), "from the module 'os', not from Keras"),
        (lambda c: layer(c, 1, module="keras.utils"), "from the module 'keras.utils'"),
        (lambda c: layer(c, 1, registered_name="mine>Dense"), "a custom class"),
        (lambda c: layer(c, 1, class_name="TorchModuleWrapper"), "not understood"),
        (lambda c: layer(c, 1, class_name="Conv2D"), "'Conv2D' are not understood"),
        (lambda c: field(c, 1, activation=ACTIVATION), "from the module 'os'"),
        (lambda c: field(c, 1, activation="system"), "the activation 'system' is not understood"),
        (lambda c: field(c, 1, units=10**9), "is needed"),
        (lambda c: field(c, 1, units="5"), "a number is needed"),
        (lambda c: field(c, 1, units=True), "a number is needed"),
        (lambda c: field(c, 1, dtype="float16"), "all in float32"),
        (lambda c: field(c, 2, axis=0), "not that of the features"),
        (lambda c: field(c, 2, epsilon="x"), "a number is needed"),
        (lambda c: field(c, 0, batch_shape=[None, 5]), "is needed"),
        (lambda c: field(c, 0, batch_shape=[None, 28, 28]), "is needed"),
        (lambda c: c.update(class_name="System", module="os"), "from the module 'os'"),
        (lambda c: c["config"].update(layers={}), "no list of layers"),
        (lambda c: c["config"]["layers"].append(7), "is not described"),
        (lambda c: c["config"]["layers"].pop(1), "is needed"),
        (lambda c: c["config"]["layers"].pop(0), "the first layer is no InputLayer"),
    ],
)
def test_keras_files_with_other_configurations(tmp_path: Path, change: Callable[[Any], Any], reason: str):
    path = keras_file(tmp_path / "network.keras", change)
    with pytest.raises(specnet.FileError, match=reason):
        specnet.import_model(path)
    refused(path)


def hdf5(fill: Callable[[h5py.File], Any]) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        fill(file)
    return stream.getvalue()


def dense_weights(file: h5py.File, **kernel: Any) -> None:
    group = file.create_group("layers/dense/vars")
    group.create_dataset("0", **kernel)
    group.create_dataset("1", data=np.zeros(5, np.float32))


def external_link(file: h5py.File) -> None:
    file["layers"] = h5py.ExternalLink("other.h5", "/layers")


@pytest.mark.parametrize(
    ("fill", "reason"),
    [
        (external_link, "has a link in the place of 'layers'"),
        (lambda f: dense_weights(f, shape=(4, 5), dtype="f4", chunks=(4, 5), compression="gzip"), "in one piece"),
        (lambda f: dense_weights(f, shape=(4, 5), dtype="f4", external=[("secret.bin", 0, 80)]), "in one piece"),
        (lambda f: dense_weights(f, shape=(4, 5), dtype="f4"), "does not have the bytes"),
        (lambda f: dense_weights(f, shape=(10**5, 10**5), dtype="f4"), r"and \(4, 5\) is needed"),
        (lambda f: dense_weights(f, data=np.zeros((4, 5), "f2")), "no array of numbers"),
        (lambda f: dense_weights(f, data=np.zeros((4, 5), "S3")), "no array of numbers"),
        (lambda f: dense_weights(f, data=np.full((4, 5), np.inf, "f4")), "not finite"),
        (lambda f: f.create_dataset("layers", data=3.0), "something else than a group"),
        (lambda f: f.create_group("layers/dense/vars"), "has 0 arrays, and 2 are needed"),
    ],
)
def test_keras_files_with_other_weights(tmp_path: Path, fill: Callable[[h5py.File], Any], reason: str):
    path = keras_file(tmp_path / "network.keras", lambda config: None, hdf5(fill))
    with pytest.raises(specnet.FileError, match=reason):
        specnet.import_model(path)
    refused(path)


def test_zip_bombs(tmp_path: Path):
    bomb = bytes(200 * 2**20)
    how = {"compression": zipfile.ZIP_DEFLATED}
    path = keras_file(tmp_path / "network.keras", lambda config: None, bomb, **how)
    assert path.stat().st_size < 2**20
    assert "of which at most" in refused(path)
    with zipfile.ZipFile(tmp_path / "many.keras", "w") as archive:
        for number in range(1_001):
            archive.writestr(str(number), b"")
    assert "more than 1000 members" in refused(tmp_path / "many.keras")
    keras_file(path, lambda config: config.update(nothing="x" * 2**20), **how)
    assert "config.json has" in refused(path)


@pytest.mark.parametrize(("name", "package"), [("sklearn_words.onnx", "onnx"), ("keras_binary.keras", "h5py")])
def test_a_package_that_is_not_installed_is_named(name: str, package: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(specnet.FileError, match=f"the package {package} reads") as error:
        specnet.import_model(FILES / name)
    assert str(error.value.diagnostics[0].hint).startswith("pip install '.[")
