"""What specnet exports and imports again answers with the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import specnet
from specnet import export
from tests.exporting.models import spec_model
from tests.random_specs import random_rows, random_spec


def again(model: specnet.Model, folder: Path) -> specnet.Model:
    written = export(model, "onnx", folder / "network.onnx")
    assert written.dtype == model.network.dtype.name
    return specnet.import_model(folder / "network.onnx")


def network_outputs(model: specnet.Model, X: np.ndarray) -> np.ndarray:
    """The network's own outputs for raw columns, whatever its loss makes of them."""
    prepared = model.preprocessing.apply(X.astype(np.float64)) if model.preprocessing.steps else X
    return model.network.predict(model.theta, prepared, model.state)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["moons.toml", "logistic.toml", "iris.json", "diabetes.toml", "residual.toml"])
def test_reference_specs(name: str, tmp_path: Path):
    model = spec_model(name)
    found = again(model, tmp_path)
    X = np.random.default_rng(0).normal(size=(200, model.network.inputs))
    np.testing.assert_array_equal(found.predict(X), model.predict(X))
    np.testing.assert_array_equal(network_outputs(found, X), network_outputs(model, X))
    assert found.preprocessing.tensors().keys() == model.preprocessing.tensors().keys()
    for key, array in model.target_preprocessing.tensors().items():
        np.testing.assert_array_equal(found.target_preprocessing.tensors()[key], array)
    if model.labels is not None:
        np.testing.assert_array_equal(found.labels, model.labels)


def random_networks(count: int = 40) -> Iterator[tuple[specnet.Model, np.ndarray]]:
    """Random networks over the whole catalogue after an epoch, and their rows."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        spec = random_spec(rng, seed)
        spec["network"]["dtype"] = ("float32", "float64")[seed % 2]
        X, y = random_rows(rng, spec, 60)
        with np.errstate(all="ignore"):
            yield specnet.fit({**spec, "training": {**spec["training"], "epochs": 1}}, X, y), X


@pytest.mark.slow
def test_random_networks_over_the_whole_catalogue(tmp_path: Path):
    tried = 0
    for number, (model, X) in enumerate(random_networks()):
        if export(model, "onnx", tmp_path / "network.onnx").dtype != model.network.dtype.name:
            continue  # in single precision, for want of an operator in double
        found = specnet.import_model(tmp_path / "network.onnx")
        np.testing.assert_array_equal(network_outputs(found, X), network_outputs(model, X), err_msg=f"seed {number}")
        assert found.spec.training.loss == model.spec.training.loss
        tried += 1
    assert tried >= 30, tried


def comes_back(path: Path, target: str, loss: str, dtype: str, values: int) -> None:
    """Hold a standardized network, and so many values of its target, against what is read of its export."""
    X = np.random.default_rng(0).normal(3, 2, (60, 4))
    network = {"dtype": dtype, "hidden_layer_sizes": [8, 5], "preprocessing": ["standardize"]}
    y = np.array(["a", "b", "c"])[np.arange(60) % (2 if loss.startswith("binary") else 3)]
    if loss == "mean_squared_error":
        network["target_preprocessing"] = ["standardize"]
        y = 100 * X[:, :values] + 7
    model = specnet.fit({"network": network, "training": {"loss": loss, "epochs": 2}}, X, y)
    export(model, target, path)
    found = specnet.import_model(path)
    assert found.spec.training.loss == model.spec.training.loss
    np.testing.assert_array_equal(found.predict(X), model.predict(X))
    np.testing.assert_array_equal(network_outputs(found, X), network_outputs(model, X))


CROSSENTROPIES_AND_VALUES = ["binary_crossentropy", "categorical_crossentropy", "mean_squared_error"]


@pytest.mark.parametrize("loss", CROSSENTROPIES_AND_VALUES)
def test_pipelines_of_scikit_learn(loss: str, tmp_path: Path):
    comes_back(tmp_path / "network.skops", "sklearn", loss, "float64", 1)
