"""Damaged and forged archives, Keras's and skops's, are refused with a reason, and nothing in them is executed."""

from __future__ import annotations

import io
import json
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import skops.io
from sklearn.neural_network import MLPRegressor

import specnet
from specnet import export
from tests.exporting.models import spec_model
from tests.importing.answers import FILES
from tests.importing.onnx.test_hostile import reason_of
from tests.importing.test_hostile_bytes import Harmful
from tests.texts.pinned import Pinned, Refused


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


CODE = {"class_name": "__lambda__", "config": {"code": "4wEAAAAA", "defaults": None, "closure": None}}
LAMBDA = {"class_name": "Lambda", "config": {"name": "lambda", "function": CODE}}
ACTIVATION = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}


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
    ],
)
def test_keras_files_with_other_configurations(tmp_path: Path, change: Callable[[Any], Any], refused: Refused):
    path = keras_file(tmp_path / "network.keras", change)
    with refused(specnet.FileError, at="network.keras"):
        specnet.import_model(path)
    reason_of(path)


def image(config: dict[str, Any], *before: dict[str, Any], data_format: str = "channels_last") -> None:
    """A row of two times two columns, and layers between it and a Flatten."""
    field(config, 0, batch_shape=[None, 2, 2])
    flatten = {"class_name": "Flatten", "config": {"name": "flat", "data_format": data_format}}
    config["config"]["layers"][1:1] = [{"module": "keras.layers", **layer} for layer in (*before, flatten)]


def rescaling(scale: Any) -> dict[str, Any]:
    return {"class_name": "Rescaling", "config": {"name": "scaled", "scale": scale, "offset": 0.0}}


def test_a_row_of_several_axes_is_flattened(tmp_path: Path):
    path = keras_file(tmp_path / "image.keras", lambda c: image(c, rescaling(2.0)))
    X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    flat = specnet.import_model(FILES / "keras_binary.keras")
    np.testing.assert_allclose(specnet.import_model(path).predict_proba(X), flat.predict_proba(2 * X), atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: image(c, data_format="channels_first"),
        lambda c: image(c, rescaling([1.0, 2.0])),
        lambda c: image(c, {"class_name": "Activation", "config": {"name": "bent", "activation": "softmax"}}),
        lambda c: field(c, 0, batch_shape=[None, 2, 2]),
        lambda c: field(c, 0, batch_shape=[None, 2, None]),
        lambda c: field(c, 0, batch_shape=[None, 2, 2]) or c["config"].update(layers=c["config"]["layers"][:1]),
    ],
)
def test_rows_of_several_axes_that_are_refused(tmp_path: Path, change: Callable[[Any], Any], refused: Refused):
    path = keras_file(tmp_path / "image.keras", change)
    with refused(specnet.FileError, at="image.keras"):
        specnet.import_model(path)


def test_a_tflite_file_says_what_is_accepted_instead(tmp_path: Path, refused: Refused):
    (tmp_path / "network.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(100))
    with refused(specnet.FileError, at="network.tflite"):
        specnet.import_model(tmp_path / "network.tflite")


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
def test_keras_files_with_other_weights(tmp_path: Path, fill: Callable[[h5py.File], Any], refused: Refused):
    path = keras_file(tmp_path / "network.keras", lambda config: None, hdf5(fill))
    with refused(specnet.FileError, at="network.keras"):
        specnet.import_model(path)
    reason_of(path)


@pytest.mark.slow
def test_zip_bombs(tmp_path: Path, pinned: Pinned):
    bomb = bytes(32 * 2**20)
    how = {"compression": zipfile.ZIP_DEFLATED}
    path = keras_file(tmp_path / "network.keras", lambda config: None, bomb, **how)
    assert path.stat().st_size < 2**20
    pinned(reason_of(path))
    with zipfile.ZipFile(tmp_path / "many.keras", "w") as archive:
        for number in range(1_001):
            archive.writestr(str(number), b"")
    pinned(reason_of(tmp_path / "many.keras"))
    keras_file(path, lambda config: config.update(nothing="x" * 2**20), **how)
    pinned(reason_of(path))


def skops_file(path: Path, change: Callable[[dict[str, Any]], None], **arrays: bytes) -> Path:
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
    description["content"]["content"]["activation"] = {
        "__class__": "Popen",
        "__module__": "subprocess",
        "__loader__": "ObjectNode",
        "__id__": 7,
        "content": None,
    }


@pytest.mark.slow
def test_files_of_skops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pinned: Pinned):
    monkeypatch.chdir(tmp_path)
    path = skops_file(tmp_path / "m.skops", lambda description: None)
    assert specnet.import_model(path).network.inputs == 2
    pinned(reason_of(skops_file(path, other_class)))
    pickled = io.BytesIO()
    np.save(pickled, np.array([Harmful()], object), allow_pickle=True)
    pinned(reason_of(skops_file(path, lambda description: None, array=pickled.getvalue())).partition(": ")[0])
    assert not (tmp_path / "executed").exists()
    content = skops_file(path, lambda description: None).read_bytes()
    for size in range(0, len(content), 1024):
        path.write_bytes(content[:size])
        reason_of(path)
    path.write_bytes(content)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", bytes(32 * 2**20))
    pinned(reason_of(path))


NETWORKS: list[dict[str, Any]] = [
    {"coefs_": []},
    {"coefs_": [1, 2]},
    {"coefs_": None},
    {"coefs_": [np.ones((4, 16)), np.ones((2, 16)), np.ones((16, 3))]},
    {"coefs_": [np.full((4, 16), np.nan), np.ones((16, 16)), np.ones((16, 3))]},
    {"intercepts_": [np.ones(16)]},
    {"intercepts_": [np.ones(3)] * 3},
    {"out_activation_": 7},
    {"activation": [1]},
    {"classes_": "xyz"},
    {"classes_": np.array([2, 1, 0])},
    {"classes_": np.array([0, 1])},
    {"n_features_in_": "many"},
]
SCALERS: list[dict[str, Any]] = [
    {"scale_": "abc"},
    {"mean_": np.ones(7)},
    {"mean_": np.full(4, np.inf)},
    {"scale_": np.zeros(4)},
]


def reason_to_refuse(estimator: Any, path: Path) -> str:
    skops.io.dump(estimator, path)
    # What Python and NumPy say behind the colon differs from one version to another.
    return reason_of(path).partition(": ")[0]


@pytest.mark.slow
@pytest.mark.parametrize("attributes", NETWORKS)
def test_estimators_that_were_put_together(attributes: dict[str, Any], tmp_path: Path, pinned: Pinned):
    network = fitted()
    for name, value in attributes.items():
        setattr(network[-1], name, value)
    pinned(reason_to_refuse(network, tmp_path / "m.skops"))


@pytest.mark.slow
@pytest.mark.parametrize("attributes", SCALERS)
def test_scalers_that_were_put_together(attributes: dict[str, Any], tmp_path: Path, pinned: Pinned):
    network = fitted()
    for name, value in attributes.items():
        setattr(network[0], name, value)
    pinned(reason_to_refuse(network, tmp_path / "m.skops"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "name"), [(0, "mean_"), (0, "n_features_in_"), (1, "out_activation_"), (1, "coefs_"), (1, "intercepts_")]
)
def test_attributes_that_are_missing(step: int, name: str, tmp_path: Path):
    network = fitted()
    delattr(network[step], name)
    skops.io.dump(network, tmp_path / "m.skops")
    reason_of(tmp_path / "m.skops")


@cache
def written() -> bytes:
    """A pipeline that export has written, of 4 columns and 3 classes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "iris.skops"
        export(spec_model("iris.json"), "sklearn", path)
        return path.read_bytes()


def fitted() -> Any:
    return skops.io.loads(written())


@pytest.mark.parametrize(("name", "package"), [("sklearn_words.onnx", "onnx"), ("keras_binary.keras", "h5py")])
def test_a_package_that_is_not_installed_is_named(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch, refused: Refused
):
    monkeypatch.setitem(sys.modules, package, None)
    with refused(specnet.FileError) as error:
        specnet.import_model(FILES / name)
    assert "pip install '.[" in str(error.value.diagnostics[0].hint)


@pytest.mark.slow
def test_damaged_weights_meet_no_other_error(tmp_path: Path):
    with zipfile.ZipFile(FILES / "keras_binary.keras") as archive:
        content = archive.read("model.weights.h5")
    refusals = 0
    for seed in range(150):
        rng, damaged = np.random.default_rng(seed), bytearray(content)
        for place in rng.integers(0, len(damaged), 5):
            damaged[place] = rng.integers(0, 256)
        path = keras_file(tmp_path / "network.keras", lambda config: None, bytes(damaged))
        try:
            specnet.import_model(path)
        except specnet.FileError:
            refusals += 1
    assert refusals > 50
