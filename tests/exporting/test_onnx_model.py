"""An exported ONNX file asked and measured: the same answers and the same table as the model's."""

import json

import numpy as np
import onnx
import pytest

import specnet
from specnet.errors import DataError, FileError
from specnet.exporting import export, open_model
from specnet.exporting.onnx_model import FACTS, OnnxModel
from specnet.exporting.program import Program
from specnet.exporting.proof import probe_rows
from specnet.model import Model
from specnet.model_file import task_of
from tests.exporting.models import NAMES, spec_model
from tests.model.models import KINDS, make_model, make_rows

METRICS = {"values": ["r2", "mean_absolute_error"], "binary": ["accuracy", "roc_auc", "neg_log_loss"]}
METRICS |= {"classes": ["accuracy", "f1_macro", "neg_log_loss"], "multilabel": ["accuracy", "f1_macro"]}


def opened(model: Model, path) -> OnnxModel:
    export(model, "onnx", path)
    found = open_model(path)
    assert isinstance(found, OnnxModel)
    return found


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_answers_and_figures(kind, dtype, tmp_path):
    task = task_of(make_model(kind).network)
    model = make_model(kind, dtype, metrics=METRICS[task])
    X, y = make_rows(model)
    weights = np.random.default_rng(0).random(len(X))
    found = opened(model, tmp_path / "m.onnx")
    if task == "values":
        np.testing.assert_allclose(found.predict(X), model.predict(X), rtol=1e-5)
    else:
        np.testing.assert_array_equal(found.predict(X), model.predict(X))
        np.testing.assert_allclose(found.predict_proba(X), model.predict_proba(X), rtol=0, atol=2e-6)
    for given in (None, weights):
        figures, expected = found.evaluate(X, y, given), model.evaluate(X, y, given)
        assert list(figures) == list(expected)
        tolerance = {"float64": 1e-11, "float32": 2e-5}[dtype]
        assert figures == pytest.approx(expected, rel=tolerance, abs=tolerance)


LOSSES = ["mean_absolute_error", "huber", "log_cosh", "poisson", "gamma", "tweedie", "hinge", "squared_hinge"]
LOSSES += ["binary_focal_crossentropy", "categorical_focal_crossentropy", "categorical_hinge"]


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_is_that_of_training(loss, tmp_path):
    outputs = 3 if loss.startswith("categorical") else 1
    spec = {
        "network": {"dtype": "float64", "layer_sizes": [3, 4, outputs]},
        "training": {"loss": {"type": loss, "delta": 0.3} if loss == "huber" else loss},
    }
    network = specnet.build(spec)
    model = Model(network, network.initial_parameters())
    generator = np.random.default_rng(0)
    X = generator.normal(size=(50, 3))
    y = generator.integers(0, 3 if outputs == 3 else 2, 50) if model.labels is not None else generator.gamma(1, 1, 50)
    assert opened(model, tmp_path / "m.onnx").evaluate(X, y) == pytest.approx(model.evaluate(X, y), rel=1e-10)


def test_a_loss_of_more_than_what_is_answered_is_refused(tmp_path):
    network = specnet.build({"network": {"layer_sizes": [3, 4]}, "training": {"loss": "gaussian_nll"}})
    model = Model(network, network.initial_parameters())
    found, X = opened(model, tmp_path / "m.onnx"), np.ones((5, 3))
    np.testing.assert_allclose(found.predict(X), model.predict(X), rtol=1e-6)
    with pytest.raises(DataError, match="gaussian_nll compares outputs that an export does not give"):
        found.evaluate(X, np.ones((5, 2)))


def test_saturated_probabilities_have_a_finite_loss(tmp_path):
    model = make_model("binary", "float32")
    model.theta *= 100
    X, y = make_rows(model)
    found, expected = opened(model, tmp_path / "m.onnx").evaluate(X, y), model.evaluate(X, y)
    assert np.isfinite(found["loss"])
    assert found["loss"] > 0.1 * expected["loss"] > 0


@pytest.mark.parametrize("name", NAMES)
def test_reference_specs_can_be_measured(name, tmp_path):
    model = spec_model(name)
    found = opened(model, tmp_path / "m.onnx")
    assert found.spec.training.metrics == model.spec.training.metrics
    X = probe_rows(Program(model, np.dtype(np.float32), {}))[0][:200]
    y = model.predict(X)
    y = np.where(np.arange(200) % 3, y, np.roll(y, 1))
    if model.labels is not None:
        y[: len(model.labels)] = model.labels
    assert found.evaluate(X, y) == pytest.approx(model.evaluate(X, y), rel=1e-4)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"no onnx")
    with pytest.raises(FileError, match="this is no ONNX file that onnxruntime reads"):
        open_model(tmp_path / "m.onnx")
    export(make_model("value"), "onnx", tmp_path / "m.onnx")
    loaded = onnx.load(tmp_path / "m.onnx")
    facts = next(entry for entry in loaded.metadata_props if entry.key == FACTS)
    assert json.loads(facts.value)["training"]["loss"] == "mean_squared_error"
    for damaged in ("{", "{}", '{"training": {"loss": "mse", "metrics": 3}}', "[]"):
        facts.value = damaged
        onnx.save(loaded, tmp_path / "m.onnx")
        with pytest.raises(FileError, match="what this file says of its spec is"):
            open_model(tmp_path / "m.onnx")
    loaded.metadata_props.remove(facts)
    onnx.save(loaded, tmp_path / "m.onnx")
    with pytest.raises(FileError, match="does not come from `specnet export`"):
        open_model(tmp_path / "m.onnx")
    with pytest.raises(FileError, match="there is no such file"):
        open_model(tmp_path / "missing.onnx")


def test_weights_in_another_file_are_refused(tmp_path):
    export(make_model("value"), "onnx", tmp_path / "m.onnx")
    loaded = onnx.load(tmp_path / "m.onnx")
    onnx.save(loaded, tmp_path / "m.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    with pytest.raises(FileError, match="reads its weights from another file"):
        open_model(tmp_path / "m.onnx")
