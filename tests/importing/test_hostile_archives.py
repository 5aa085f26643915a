"""Damaged and forged archives, Keras's and skops's, are refused with a reason, and nothing in them is executed."""

from __future__ import annotations

import io
import json
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import skops.io
from sklearn.neural_network import MLPRegressor

import specnet
from specnet.exporting import export
from tests.exporting.models import spec_model
from tests.importing.answers import FILES
from tests.importing.test_hostile import Harmful, refused


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
    ("change", "reason"),
    [
        (lambda c: c["config"]["layers"][1].update(LAMBDA), "a Lambda is code"),
        (lambda c: layer(c, 1, module="os", class_name="system"), "from the module 'os', not from Keras"),
        (lambda c: layer(c, 1, module="keras.utils"), "from the module 'keras.utils'"),
        (lambda c: layer(c, 1, module="keras.src.ops.numpy", class_name="Add"), "is one of Keras's operations"),
        (lambda c: layer(c, 1, registered_name="mine>Dense"), "a custom class"),
        (lambda c: layer(c, 1, class_name="TorchModuleWrapper"), "not supported"),
        (lambda c: layer(c, 1, class_name="Conv2D"), "'Conv2D' are not supported"),
        (lambda c: field(c, 1, activation=ACTIVATION), "from the module 'os'"),
        (lambda c: field(c, 1, activation="system"), "the activation 'system' is not supported"),
        (lambda c: field(c, 1, units=10**9), "expected "),
        (lambda c: field(c, 1, units="5"), r"expected \(4, '5'\)"),
        (lambda c: field(c, 1, units=True), r"expected \(4, True\)"),
        (lambda c: field(c, 1, dtype="float16"), "expected float32 or float64"),
        (lambda c: field(c, 2, axis=0), "not that of the features"),
        (lambda c: field(c, 2, epsilon="x"), "epsilon: Input should be a valid number"),
        (lambda c: field(c, 0, batch_shape=[None, 5]), "expected "),
        (lambda c: field(c, 0, batch_shape=[None, 28, 28]), "expected "),
        (lambda c: field(c, 0, batch_shape=[None, 20_000_000]), "more than 250000 columns"),
        (lambda c: c.update(class_name="System", module="os"), "from the module 'os'"),
        (lambda c: c["config"].update(layers={}), "no list of layers"),
        (lambda c: c["config"]["layers"].append(7), "is not described"),
        (
            lambda c: normalized_on_one_branch(c),
            "which is no layer before it, or one in other units",
        ),
        (lambda c: c["config"]["layers"].pop(1), "expected "),
        (lambda c: c["config"]["layers"].pop(0), "expected one InputLayer"),
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
        (lambda f: dense_weights(f, shape=(10**5, 10**5), dtype="f4"), r"expected \(4, 5\)"),
        (lambda f: dense_weights(f, data=np.zeros((4, 5), "f2")), "not an array of numbers"),
        (lambda f: dense_weights(f, data=np.zeros((4, 5), "S3")), "not an array of numbers"),
        (lambda f: dense_weights(f, data=np.full((4, 5), np.inf, "f4")), "not finite"),
        (lambda f: f.create_dataset("layers", data=3.0), "something else than a Group"),
        (lambda f: f.create_group("layers/dense/vars"), "has 0 arrays, expected 2"),
    ],
)
def test_keras_files_with_other_weights(tmp_path: Path, fill: Callable[[h5py.File], Any], reason: str):
    path = keras_file(tmp_path / "network.keras", lambda config: None, hdf5(fill))
    with pytest.raises(specnet.FileError, match=reason):
        specnet.import_model(path)
    refused(path)


@pytest.mark.slow
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
    assert "'config.json' has" in refused(path)


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
def test_files_of_skops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    path = skops_file(tmp_path / "m.skops", lambda description: None)
    assert specnet.import_model(path).network.inputs == 2
    assert "'subprocess.Popen', which is not trusted" in refused(skops_file(path, other_class))
    pickled = io.BytesIO()
    np.save(pickled, np.array([Harmful()], object), allow_pickle=True)
    assert "not a valid skops file" in refused(skops_file(path, lambda description: None, array=pickled.getvalue()))
    assert not (tmp_path / "executed").exists()
    content = skops_file(path, lambda description: None).read_bytes()
    for size in range(0, len(content), 1024):
        path.write_bytes(content[:size])
        refused(path)
    path.write_bytes(content)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", bytes(200 * 2**20))
    assert "'bomb.npy' has 209715200 bytes, of which at most" in refused(path)


BROKEN = "not a valid fitted network"
NETWORKS: list[tuple[dict[str, Any], str]] = [
    ({"coefs_": []}, BROKEN),
    ({"coefs_": [1, 2]}, BROKEN),
    ({"coefs_": None}, BROKEN),
    ({"coefs_": [np.ones((4, 16)), np.ones((2, 16)), np.ones((16, 3))]}, "does not fit 16 features"),
    ({"coefs_": [np.full((4, 16), np.nan), np.ones((16, 16)), np.ones((16, 3))]}, "not finite"),
    ({"intercepts_": [np.ones(16)]}, BROKEN),
    ({"intercepts_": [np.ones(3)] * 3}, "a bias of shape (3,) does not fit 16 outputs"),
    ({"out_activation_": 7}, "has the activation 7, which is not "),
    ({"activation": [1]}, BROKEN),
    ({"classes_": "xyz"}, BROKEN),
    ({"classes_": np.array([2, 1, 0])}, "the labels of the classes are not 3, ascending and each once"),
    ({"classes_": np.array([0, 1])}, "the labels of the classes are not 3, ascending and each once"),
    ({"n_features_in_": "many"}, BROKEN),
]
SCALERS: list[tuple[dict[str, Any], str]] = [
    ({"scale_": "abc"}, BROKEN),
    ({"mean_": np.ones(7)}, "has shape (7,), expected (4,)"),
    ({"mean_": np.full(4, np.inf)}, "numbers that are not finite"),
    ({"scale_": np.zeros(4)}, "columns are divided by 0"),
]


def check_refused(estimator: Any, path: Path, reason: str) -> None:
    skops.io.dump(estimator, path)
    assert reason in refused(path)


@pytest.mark.slow
@pytest.mark.parametrize(("attributes", "reason"), NETWORKS)
def test_estimators_that_were_put_together(attributes: dict[str, Any], reason: str, tmp_path: Path):
    network = fitted(tmp_path)
    for name, value in attributes.items():
        setattr(network[-1], name, value)
    check_refused(network, tmp_path / "m.skops", reason)


@pytest.mark.parametrize(("attributes", "reason"), SCALERS)
def test_scalers_that_were_put_together(attributes: dict[str, Any], reason: str, tmp_path: Path):
    network = fitted(tmp_path)
    for name, value in attributes.items():
        setattr(network[0], name, value)
    check_refused(network, tmp_path / "m.skops", reason)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "name"), [(0, "mean_"), (0, "n_features_in_"), (1, "out_activation_"), (1, "coefs_"), (1, "intercepts_")]
)
def test_attributes_that_are_missing(step: int, name: str, tmp_path: Path):
    network = fitted(tmp_path)
    delattr(network[step], name)
    skops.io.dump(network, tmp_path / "m.skops")
    refused(tmp_path / "m.skops")


def fitted(folder: Path) -> Any:
    """A pipeline that export has written, of 4 columns and 3 classes."""
    export(spec_model("iris.json"), "sklearn", folder / "iris.skops")
    return skops.io.load(folder / "iris.skops")


@pytest.mark.parametrize(("name", "package"), [("sklearn_words.onnx", "onnx"), ("keras_binary.keras", "h5py")])
def test_a_package_that_is_not_installed_is_named(name: str, package: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(specnet.FileError, match=f"the package {package} reads") as error:
        specnet.import_model(FILES / name)
    assert str(error.value.diagnostics[0].hint).startswith("pip install '.[")


@pytest.mark.slow
def test_damaged_weights_meet_no_other_error(tmp_path: Path):
    with zipfile.ZipFile(FILES / "keras_binary.keras") as archive:
        content = archive.read("model.weights.h5")
    refusals = 0
    for seed in range(300):
        rng, damaged = np.random.default_rng(seed), bytearray(content)
        for place in rng.integers(0, len(damaged), 5):
            damaged[place] = rng.integers(0, 256)
        path = keras_file(tmp_path / "network.keras", lambda config: None, bytes(damaged))
        try:
            specnet.import_model(path)
        except specnet.FileError:
            refusals += 1
    assert refusals > 100
