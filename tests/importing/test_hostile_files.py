"""Damaged and forged files are refused with a reason, and nothing in them is executed: bytes, archives, estimators."""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
import warnings
import zipfile
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
import pytest
import skops.io
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import specnet
from specnet import export
from tests.exporting.models import spec_model
from tests.importing.answers import FILES, reason_of
from tests.importing.conftest import Refuse
from tests.importing.onnx.graphs import graph_of
from tests.texts.pinned import Pinned, Refused

NETWORK = "network.keras"


@pytest.mark.parametrize("name", ["sklearn_words.onnx", "torch_activations.onnx", "keras_functional.keras"])
def test_cut_off_at_every_kilobyte(tmp_path: Path, name: str):
    content = (FILES / name).read_bytes()
    path = tmp_path / name
    for size in [*range(0, 200, 7), *range(0, len(content), 1000), len(content) - 1]:
        path.write_bytes(content[:size])
        reason_of(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sklearn_words.onnx", "keras_binary.keras", "iris.onnx", "weights.keras"])
def test_damaged_files_meet_no_other_error(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]):
    path, count = tmp_path / name, 3
    if name == "weights.keras":
        with zipfile.ZipFile(FILES / "keras_binary.keras") as archive:
            content, count = archive.read("model.weights.h5"), 5
    elif name == "iris.onnx":
        export(spec_model("iris.json"), "onnx", path)
        content, count = path.read_bytes(), 2
    else:
        content = (FILES / name).read_bytes()
    places = np.arange(len(content))
    if name == "iris.onnx":  # names, and what stands by them
        places = [place for place, byte in enumerate(content) if 0x20 <= byte < 0x7F]
    refusals = 0
    for seed in range(150):
        rng, damaged = np.random.default_rng(seed), bytearray(content)
        for place in rng.choice(places, count):
            damaged[place] = rng.integers(0, 256)
        if name == "weights.keras":
            keras_file(path, weights=bytes(damaged))
        else:
            path.write_bytes(damaged)
        try:
            specnet.import_model(path)
        except specnet.FileError as error:
            assert error.diagnostics[0].source == str(path)  # noqa: PT017 - not all are refused
            refusals += 1
    assert refusals > 50
    assert capfd.readouterr() == ("", "")


def unpacked_nodes() -> bytes:
    """A graph of nodes of 2 bytes: 1 MB of them would be half a million objects."""
    nodes = b"\x0a\x00" * 500_000
    length = len(nodes)
    return b"\x08\x09\x3a" + bytes([length & 127 | 128, length >> 7 & 127 | 128, length >> 14]) + nodes


OTHERS: dict[str, bytes] = {
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "pickle": pickle.dumps([1.0] * 10),
    "TOML": b"name = 'moons'\n" * 10,
    "safetensors": bytes([9, 0, 0, 0, 0, 0, 0, 0]) + b'{"a": 1}',
    "text": b"a text\n" * 100,
    "nothing": b"",
    "nodes without end": unpacked_nodes(),
    "tflite": b"\x1c\x00\x00\x00TFL3" + bytes(100),
}


@pytest.mark.parametrize("name", OTHERS)
def test_files_of_other_kinds_are_known(name: str, tmp_path: Path, refuse: Refuse):
    path = tmp_path / f"network.{'tflite' if name == 'tflite' else 'onnx'}"
    path.write_bytes(OTHERS[name])
    refuse(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path, refused: Refused):
    for path in (tmp_path / "missing.onnx", tmp_path):
        with refused(specnet.FileError):
            specnet.import_model(path)


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
        reason_of(tmp_path / name)
    assert not (tmp_path / "executed").exists()


def test_a_graph_that_begins_like_another_kind_of_file_is_read(tmp_path: Path):
    model = graph_of("Gemm X W Y transB=1", {"W": np.ones((2, 3))})
    model.producer_name = "abc"
    for length in range(1, 60):
        model.graph.name = "g" * length
        if model.SerializeToString()[8:9] == b"{":  # as a safetensors header does
            break
    else:
        raise AssertionError("no length makes such a file")
    onnx.save(model, tmp_path / "m.onnx")
    assert specnet.import_model(tmp_path / "m.onnx").network.inputs == 3


def unchanged(document: dict[str, Any]) -> None:
    """Leave a configuration or a description as it is."""


def keras_file(
    path: Path, change: Callable[[dict[str, Any]], Any] = unchanged, weights: bytes | None = None, **how: Any
) -> Path:
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


def normalized_on_one_branch(config: dict[str, Any]) -> None:
    """A network that reads its columns twice, standardized and as they are."""

    def made(kind: str, name: str, sources: list[str], **fields: Any) -> dict[str, Any]:
        tensors = [
            {"class_name": "__keras_tensor__", "config": {"keras_history": [source, 0, 0]}} for source in sources
        ]
        node = {"args": [tensors if len(sources) > 1 else tensors[0]], "kwargs": {}} if sources else None
        described = {"module": "keras.layers", "class_name": kind, "config": {"name": name, **fields}}
        return {**described, "registered_name": None, "inbound_nodes": [node] if node else []}

    layers = [
        made("InputLayer", "columns", [], batch_shape=[None, 3]),
        made("Normalization", "standard", ["columns"], mean=[5.0], variance=[4.0]),
        made("Add", "sum", ["standard", "columns"]),
    ]
    ends = {"input_layers": ["columns", 0, 0], "output_layers": ["sum", 0, 0]}
    config.update(class_name="Functional", config={"layers": layers, **ends})


def image(config: dict[str, Any], *before: dict[str, Any], data_format: str = "channels_last") -> None:
    """A row of two times two columns, and layers between it and a Flatten."""
    field(config, 0, batch_shape=[None, 2, 2])
    flatten = {"class_name": "Flatten", "config": {"name": "flat", "data_format": data_format}}
    config["config"]["layers"][1:1] = [{"module": "keras.layers", **layer} for layer in (*before, flatten)]


def rescaling(scale: Any) -> dict[str, Any]:
    return {"class_name": "Rescaling", "config": {"name": "scaled", "scale": scale, "offset": 0.0}}


CODE = {"class_name": "__lambda__", "config": {"code": "4wEAAAAA", "defaults": None, "closure": None}}
LAMBDA = {"class_name": "Lambda", "config": {"name": "lambda", "function": CODE}}
ACTIVATION = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
BENT = {"class_name": "Activation", "config": {"name": "bent", "activation": "softmax"}}


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["config"]["layers"][1].update(LAMBDA),
        lambda c: layer(c, 1, module="os", class_name="system"),
        lambda c: layer(c, 1, module="keras.utils"),
        lambda c: layer(c, 1, module="keras.src.ops.numpy", class_name="Add"),
        lambda c: layer(c, 1, registered_name="mine>Dense"),
        lambda c: layer(c, 1, class_name="TorchModuleWrapper"),
        lambda c: layer(c, 1, class_name="Conv2D"),
        lambda c: field(c, 1, activation=ACTIVATION),
        lambda c: field(c, 1, activation="system"),
        lambda c: field(c, 1, units=10**9),
        lambda c: field(c, 1, units="5"),
        lambda c: field(c, 1, units=True),
        lambda c: field(c, 1, dtype="float16"),
        lambda c: field(c, 2, axis=0),
        lambda c: field(c, 2, epsilon="x"),
        lambda c: field(c, 0, batch_shape=[None, 5]),
        lambda c: field(c, 0, batch_shape=[None, 28, 28]),
        lambda c: field(c, 0, batch_shape=[None, 20_000_000]),
        lambda c: c.update(class_name="System", module="os"),
        lambda c: c["config"].update(layers={}),
        lambda c: c["config"]["layers"].append(7),
        lambda c: normalized_on_one_branch(c),
        lambda c: c["config"]["layers"].pop(1),
        lambda c: c["config"]["layers"].pop(0),
        lambda c: image(c, data_format="channels_first"),
        lambda c: image(c, rescaling([1.0, 2.0])),
        lambda c: image(c, BENT),
        lambda c: field(c, 0, batch_shape=[None, 2, 2]),
        lambda c: field(c, 0, batch_shape=[None, 2, None]),
        lambda c: field(c, 0, batch_shape=[None, 2, 2]) or c["config"].update(layers=c["config"]["layers"][:1]),
    ],
)
def test_keras_files_with_other_configurations(tmp_path: Path, change: Callable[[Any], Any], refuse: Refuse):
    refuse(keras_file(tmp_path / NETWORK, change))


def test_a_row_of_several_axes_is_flattened(tmp_path: Path):
    path = keras_file(tmp_path / "image.keras", lambda c: image(c, rescaling(2.0)))
    X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    flat = specnet.import_model(FILES / "keras_binary.keras")
    np.testing.assert_allclose(specnet.import_model(path).predict_proba(X), flat.predict_proba(2 * X), atol=1e-6)


def dense_weights(file: h5py.File, **kernel: Any) -> None:
    group = file.create_group("layers/dense/vars")
    group.create_dataset("0", **kernel)
    group.create_dataset("1", data=np.zeros(5, np.float32))


def external_link(file: h5py.File) -> None:
    file["layers"] = h5py.ExternalLink("other.h5", "/layers")


@pytest.mark.parametrize(
    "fill",
    [
        external_link,
        lambda f: dense_weights(f, shape=(4, 5), dtype="f4", chunks=(4, 5), compression="gzip"),
        lambda f: dense_weights(f, shape=(4, 5), dtype="f4", external=[("secret.bin", 0, 80)]),
        lambda f: dense_weights(f, shape=(4, 5), dtype="f4"),
        lambda f: dense_weights(f, shape=(10**5, 10**5), dtype="f4"),
        lambda f: dense_weights(f, data=np.zeros((4, 5), "f2")),
        lambda f: dense_weights(f, data=np.zeros((4, 5), "S3")),
        lambda f: dense_weights(f, data=np.full((4, 5), np.inf, "f4")),
        lambda f: f.create_dataset("layers", data=3.0),
        lambda f: f.create_group("layers/dense/vars"),
    ],
)
def test_keras_files_with_other_weights(tmp_path: Path, fill: Callable[[h5py.File], Any], refuse: Refuse):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        fill(file)
    refuse(keras_file(tmp_path / NETWORK, weights=stream.getvalue()))


@pytest.mark.slow
def test_zip_bombs(tmp_path: Path, refuse: Refuse):
    how, path = {"compression": zipfile.ZIP_DEFLATED}, tmp_path / NETWORK
    keras_file(path, weights=bytes(32 * 2**20), **how)
    assert path.stat().st_size < 2**20
    refuse(path)
    with zipfile.ZipFile(tmp_path / "many.keras", "w") as archive:
        for number in range(1_001):
            archive.writestr(str(number), b"")
    refuse(tmp_path / "many.keras")
    refuse(keras_file(path, lambda config: config.update(nothing="x" * 2**20), **how))


def skops_file(path: Path, change: Callable[[dict[str, Any]], Any] = unchanged, **arrays: bytes) -> Path:
    """A file of skops with another description, or with other bytes in the place of its arrays."""
    network = MLPRegressor(hidden_layer_sizes=(3,), max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.fit(np.zeros((4, 2)), np.arange(4.0))
    content = skops.io.dumps(network)
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(path, "w") as changed:
        for name in archive.namelist():
            member = archive.read(name)
            if name == "schema.json":
                description = json.loads(member)
                change(description)
                member = json.dumps(description).encode()
            elif "array" in arrays:
                member = arrays["array"]
            changed.writestr(name, member)
    return path


def other_class(description: dict[str, Any]) -> None:
    found = {"__class__": "Popen", "__module__": "subprocess", "__loader__": "ObjectNode", "__id__": 7, "content": None}
    description["content"]["content"]["activation"] = found


@pytest.mark.slow
def test_files_of_skops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuse: Refuse, pinned: Pinned):
    monkeypatch.chdir(tmp_path)
    path = skops_file(tmp_path / "m.skops")
    assert specnet.import_model(path).network.inputs == 2
    refuse(skops_file(path, other_class))
    pickled = io.BytesIO()
    np.save(pickled, np.array([Harmful()], object), allow_pickle=True)
    pinned(reason_without_others(skops_file(path, array=pickled.getvalue())))
    assert not (tmp_path / "executed").exists()
    content = skops_file(path).read_bytes()
    for size in range(0, len(content), 1024):
        path.write_bytes(content[:size])
        reason_of(path)
    path.write_bytes(content)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", bytes(32 * 2**20))
    refuse(path)


def reason_without_others(path: Path) -> str:
    """The reason without what Python and NumPy say behind the colon, which differs from one version to another."""
    return reason_of(path).partition(": ")[0]


ATTRIBUTES: list[tuple[int, dict[str, Any]]] = [
    (1, {"coefs_": []}),
    (1, {"coefs_": [1, 2]}),
    (1, {"coefs_": None}),
    (1, {"coefs_": [np.ones((4, 16)), np.ones((2, 16)), np.ones((16, 3))]}),
    (1, {"coefs_": [np.full((4, 16), np.nan), np.ones((16, 16)), np.ones((16, 3))]}),
    (1, {"intercepts_": [np.ones(16)]}),
    (1, {"intercepts_": [np.ones(3)] * 3}),
    (1, {"out_activation_": 7}),
    (1, {"activation": [1]}),
    (1, {"classes_": "xyz"}),
    (1, {"classes_": np.array([2, 1, 0])}),
    (1, {"classes_": np.array([0, 1])}),
    (1, {"n_features_in_": "many"}),
    (0, {"scale_": "abc"}),
    (0, {"mean_": np.ones(7)}),
    (0, {"mean_": np.full(4, np.inf)}),
    (0, {"scale_": np.zeros(4)}),
]
MISSING = [(0, "mean_"), (0, "n_features_in_"), (1, "out_activation_"), (1, "coefs_"), (1, "intercepts_")]
"""Of a scaler and a network behind it."""


@cache
def fitted() -> Any:
    """A pipeline of 4 columns and 3 classes."""
    X, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3
    network = MLPClassifier((16, 16), max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_pipeline(StandardScaler(), network).fit(X, y)


@pytest.mark.slow
@pytest.mark.parametrize(("step", "attributes"), ATTRIBUTES)
def test_estimators_that_were_put_together(step: int, attributes: dict[str, Any], tmp_path: Path, pinned: Pinned):
    pipeline = deepcopy(fitted())
    for name, value in attributes.items():
        setattr(pipeline[step], name, value)
    skops.io.dump(pipeline, tmp_path / "m.skops")
    pinned(reason_without_others(tmp_path / "m.skops"))


@pytest.mark.slow
@pytest.mark.parametrize(("step", "name"), MISSING)
def test_attributes_that_are_missing(step: int, name: str, tmp_path: Path):
    pipeline = deepcopy(fitted())
    delattr(pipeline[step], name)
    skops.io.dump(pipeline, tmp_path / "m.skops")
    reason_of(tmp_path / "m.skops")


@pytest.mark.parametrize(("name", "package"), [("sklearn_words.onnx", "onnx"), ("keras_binary.keras", "h5py")])
def test_a_package_that_is_not_installed_is_named(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch, refused: Refused
):
    monkeypatch.setitem(sys.modules, package, None)
    with refused(specnet.FileError) as error:
        specnet.import_model(FILES / name)
    assert "pip install '.[" in str(error.value.diagnostics[0].hint)
