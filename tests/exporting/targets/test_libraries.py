"""Exports to libraries: scikit-learn's own classes, Keras's own layers, a PyTorch module."""

import importlib.util
import json
import runpy
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import skops.io
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

from specnet import ExportError, Model, SpecClassifier, export
from specnet.errors import MissingPackageError, UnsupportedError
from specnet.importing import open_model
from tests.exporting.models import DTYPES, built, dense, ensemble_of, exported, spec_model
from tests.exporting.tools import LIBRARIES, PEER, peers
from tests.model.models import KINDS, make_model, make_rows
from tests.registry import find, names


def network(*layers: dict[str, Any], outputs: int = 1, **fields: Any) -> Model:
    return built(*layers, input_size=3, output_size=outputs, **fields)


def loaded(path: Any) -> Any:
    return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"two classes"}))
def test_sklearn_answers_as_the_model(kind, dtype, tmp_path):
    model = make_model(kind, dtype)
    exported(model, "sklearn", tmp_path / "m.skops")
    estimator, (X, _) = loaded(tmp_path / "m.skops"), make_rows(model)
    assert isinstance(estimator, Pipeline if not model.target_preprocessing.steps else TransformedTargetRegressor)
    if model.network.task == "values":
        tolerance = {"float64": 1e-12, "float32": 2e-6}[dtype] * np.abs(model.predict(X)).max()
        np.testing.assert_allclose(estimator.predict(X), model.predict(X), rtol=0, atol=tolerance)
    else:
        np.testing.assert_array_equal(estimator.predict(X), model.predict(X))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["moons.toml", "iris.json", "digits.toml", "diabetes.toml", "wine_csv.toml", "logistic.toml"]
)
def test_sklearn_can_say_the_plain_reference_specs(name, tmp_path):
    exported(spec_model(name), "sklearn", tmp_path / "m.skops")


@peers
@pytest.mark.parametrize("name", ["moons.toml", "residual.toml", "digits.toml", "diabetes.toml", "wine_csv.toml"])
@pytest.mark.parametrize("target", ["torch", "keras"])
def test_torch_and_keras_can_say_the_reference_specs(target, name, tmp_path):
    exported(spec_model(name), target, tmp_path / f"m{LIBRARIES[target]}")


@pytest.mark.parametrize("target", ["torch", "keras"])
def test_a_library_that_is_missing_is_named_with_its_extra(target, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, target, None)
    with pytest.raises(MissingPackageError) as caught:
        export(make_model("value"), target, tmp_path / f"m{LIBRARIES[target]}")
    assert target in caught.value.diagnostics[0].message
    assert f"pip install '.[{target}]'" in (caught.value.diagnostics[0].hint or "")


def test_scikit_learn_refuses_an_ensemble_before_it_needs_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(UnsupportedError, match="no equivalent of an ensemble"):
        export(ensemble_of(make_model("value")), "sklearn", tmp_path / "m.skops")
    with pytest.raises(MissingPackageError, match="skops"):
        export(make_model("value"), "sklearn", tmp_path / "m.skops")
    assert not (tmp_path / "m.skops").exists()


@peers
def test_keras_without_a_backend_is_told_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    only_keras = {"keras": importlib.util.find_spec("keras")}
    monkeypatch.setattr("specnet.exporting.targets.keras.find_spec", only_keras.get)
    with pytest.raises(MissingPackageError, match="tensorflow, torch, jax"):
        export(make_model("value"), "keras", tmp_path / "m.keras")


KERAS = """
relu relu6 elu selu celu gelu silu mish sigmoid hard_sigmoid hard_swish tanh hard_tanh softplus softsign squareplus
exponential log_sigmoid tanh_shrink soft_shrink hard_shrink softmax log_softmax prelu leaky_relu linear
"""


@peers
@pytest.mark.parametrize("name", KERAS.split())
def test_activations_of_keras(name, tmp_path):
    middle = {"type": "activation", "activation": name}, dense(4, activation=name)
    layers = [dense(4, activation="tanh"), *middle, dense(1)]
    exported(network(*layers, dtype="float64"), "keras", tmp_path / "m.keras")


@peers
def test_keras_says_normalizations_and_glu_at_the_end_only(tmp_path):
    layers = [dense(4), {"type": "batch_normalization"}, {"type": "layer_normalization"}, dense(1)]
    exported(network(*layers, dtype="float64"), "keras", tmp_path / "normalized.keras")
    exported(network(dense(4, activation="glu"), outputs=2), "keras", tmp_path / "m.keras")
    with pytest.raises(ExportError, match="glu"):
        export(network(dense(4, activation="glu"), dense(1)), "keras", tmp_path / "other.keras")


@peers
def test_labels_are_in_the_archive_of_keras(tmp_path):
    exported(make_model("classes, text"), "keras", tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        said = json.loads(archive.read("specnet.json"))
    assert said["labels"] == ["", "Zürich", "日本"]
    assert len(said["spec_sha256"]) == 64


@peers
def test_the_state_of_torch_has_the_models_names(tmp_path):
    import torch

    model = make_model("classes")
    exported(model, "torch", tmp_path / "m.py")
    state = torch.load(tmp_path / "m.pt", weights_only=True)
    for name, array in model.network.parameters(model.theta).items():
        np.testing.assert_array_equal(state[name.replace(".", "_", 1)].numpy(), array)
    assert "self.layers_0 = nn.Linear(3, 4, dtype=torch.float64)" in (tmp_path / "m.py").read_text()


def torch_network(model: Model, path: Path) -> Any:
    """Return the module that a model was exported to."""
    exported(model, "torch", path)
    return runpy.run_path(str(path))["load"]()


def shaken(model: Model) -> Model:
    """Return a model with random numbers added to what it learned, so that nothing is 0 or 1."""
    theta = model.theta + np.random.default_rng(1).normal(0, 0.2, model.theta.shape)
    return Model(model.network, theta.astype(model.theta.dtype))


def agree_on_gradients(model: Model, module: Any, X: np.ndarray, training: bool) -> None:
    """Compare the gradients of all that was learned with those of the network, and what it keeps afterwards."""
    import torch

    y = np.random.default_rng(2).normal(size=(len(X), model.network.outputs))
    state = {name: array.copy() for name, array in model.state.items()}
    _, gradient = model.network.loss_and_gradient(model.theta, X, y, state=state, training=training)
    module.train(training)
    torch.nn.functional.mse_loss(module(torch.from_numpy(X)), torch.from_numpy(y)).backward()
    found = {name.replace(".", "_"): parameter.grad.numpy() for name, parameter in module.named_parameters()}
    expected = model.network.parameters(gradient)
    assert sum(array.size for array in found.values()) == model.network.parameter_count
    for name, array in expected.items():
        theirs = name.replace(".", "_")
        if theirs not in found:  # a normalization's
            theirs = theirs.replace("_scale", "_weight").replace("_shift", "_bias")
        np.testing.assert_allclose(found[theirs].ravel(), array.ravel(), rtol=1e-9, atol=1e-12, err_msg=name)
    kept = {name.replace(".", "_"): array for name, array in module.state_dict().items()}
    for name, array in state.items():
        if "running" in name:
            theirs = kept[name.replace(".", "_").replace("running_variance", "running_var")]
            np.testing.assert_allclose(theirs.numpy(), array.ravel(), rtol=1e-12)


EMBEDDING = {"type": "embedding", "columns": [0], "categories": 4, "size": 3}
PERIODIC = {"type": "periodic_embedding", "frequencies": 3, "frequency_stddev": 0.5, "size": 2}
LEARNED = {
    "normalizations": [
        dense(5, activation="tanh"),
        {"type": "batch_normalization", "momentum": 0.7, "epsilon": 0.01},
        dense(5),
        {"type": "layer_normalization", "epsilon": 0.02},
    ],
    "one feature": [dense(1), {"type": "batch_normalization"}, dense(1, use_bias=False)],
    "scale, mixtures": [
        {"type": "scale"},
        dense(4, activation={"type": "gelu", "parametric": True}),
        dense(4, activation={"type": "prelu", "parametric": True}, parametrization="ntk"),
        dense(4, activation={"type": "squareplus", "parametric": True}),
    ],
    "embedding": [EMBEDDING],
    "plr": [PERIODIC],
    "plr_lite": [{**PERIODIC, "variant": "plr_lite"}],
    "pbld": [{**PERIODIC, "variant": "pbld"}],
    "piecewise": [{"type": "piecewise_linear_embedding", "bins": 4, "size": 3}],
}


@peers
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", LEARNED)
def test_torch_can_train_further_all_that_was_learned(name, training, tmp_path):
    model = shaken(network(*LEARNED[name], dense(2), outputs=2, dtype="float64"))
    module = torch_network(model, tmp_path / "m.py")
    X = np.random.default_rng(0).normal(size=(20, 3))
    X[:, 0] = np.arange(20) % 4
    agree_on_gradients(model, module, X, training)


@peers
@pytest.mark.parametrize("activation", names("activation"))
def test_activations_of_torch(activation, tmp_path):
    part = find("activation", activation)
    assert part is not None
    model = shaken(network(dense(6, activation=activation), dense(2), outputs=2, dtype="float64"))
    module = torch_network(model, tmp_path / "m.py")
    agree_on_gradients(model, module, np.random.default_rng(0).normal(0, 3, (50, 3)), False)
    call = part.names.torch[1].partition("(")[0] or f"def {activation}"
    assert (call in (tmp_path / "m.py").read_text()) == (activation != "linear")


BELOW = {"type": "threshold", "threshold": -0.5, "default_value": -2}
FIELDS = [
    ({"type": "gelu", "approximate": True}, 'gelu(self.layers_0(x), approximate="tanh")'),
    ({"type": "elu", "alpha": 0.3}, "elu(self.layers_0(x), alpha=0.3)"),
    ({"type": "celu", "alpha": 0.3}, "celu(self.layers_0(x), alpha=0.3)"),
    ({"type": "leaky_relu", "negative_slope": 0.2}, "leaky_relu(self.layers_0(x), negative_slope=0.2)"),
    (BELOW, "threshold(self.layers_0(x), threshold=-0.5, value=-2.0)"),
    ({"type": "soft_shrink", "threshold": 0.1}, "softshrink(self.layers_0(x), lambd=0.1)"),
    ({"type": "hard_shrink", "threshold": 0.1}, "hardshrink(self.layers_0(x), lambd=0.1)"),
]


@peers
@pytest.mark.parametrize(("activation", "call"), FIELDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_fields_of_activations_are_arguments_of_torch(activation, call, dtype, tmp_path):
    exported(shaken(network(dense(6, activation=activation), dense(1), dtype=dtype)), "torch", tmp_path / "m.py")
    assert f"x = nn.functional.{call}" in (tmp_path / "m.py").read_text()


@peers
def test_torch_keeps_digits_of_columns_far_from_zero(tmp_path):
    model = network({"type": "batch_normalization"}, dense(4, activation="tanh"), dense(1), dtype="float32")
    mean = model.state["layers.0.running_mean"]
    mean[...] = np.reshape([2000, -300, 5], mean.shape)
    exported(model, "torch", tmp_path / "m.py")
    assert "self.layers_0(x.to(torch.float64)).to(torch.float32)" in (tmp_path / "m.py").read_text()


@peers
def test_modules_of_torch_are_its_own(tmp_path):
    import torch

    model = shaken(network(*LEARNED["normalizations"], dense(1), dtype="float64"))
    module = torch_network(model, tmp_path / "m.py")
    batch, layer = module.layers_1, module.layers_3
    assert type(batch) is torch.nn.BatchNorm1d
    assert type(layer) is torch.nn.LayerNorm
    assert (batch.eps, round(batch.momentum, 12), layer.eps) == (0.01, 0.3, 0.02)
    assert set(module.state_dict()) == {
        *(f"layers_{k}.{name}" for k in range(5) for name in ("weight", "bias")),
        *(f"layers_1.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")),
    }


@peers
@pytest.mark.parametrize("kind", ["value", "values", "multilabel", "classes, text"])
def test_predictions_of_torch_are_arrays_at_once_of_so_many_columns_only(kind, tmp_path):
    import torch

    model = make_model(kind)
    X, _ = make_rows(model)
    module = torch_network(model, tmp_path / "m.py")
    if kind != "classes, text":
        np.testing.assert_allclose(module.predict(torch.from_numpy(X)).numpy(), model.predict(X), rtol=1e-12)
    assert module(torch.from_numpy(X)).requires_grad
    for shape in [(2, 4), (2, 1), (3,)]:
        for function in (module, module.predict):
            with pytest.raises(ValueError, match=r"\(rows, 3\)"):
                function(torch.zeros(shape))


@peers
def test_torch_refuses_what_is_no_category(tmp_path):
    import torch

    module = torch_network(network(EMBEDDING, dense(1)), tmp_path / "m.py")
    for category in (-1, 0.5, 4):
        with pytest.raises(ValueError, match=r"\b0\b.*\b3\b"):
            module(torch.tensor([[category, 0.0, 0.0]]))


@peers
def test_torch_names_the_columns(tmp_path):
    model = spec_model("wine_csv.toml")
    exported(model, "torch", tmp_path / "m.py")
    assert tuple(runpy.run_path(str(tmp_path / "m.py"))["FEATURES"]) == model.feature_names
    exported(make_model("value"), "torch", tmp_path / "m.py")
    assert "FEATURES" not in (tmp_path / "m.py").read_text()


@pytest.mark.parametrize("target", ["sklearn", pytest.param("keras", marks=PEER)])
def test_a_default_classifier_of_a_complete_table_is_exported(target: str, tmp_path: Path):
    """Libraries without a step that fills gaps take models whose training rows had none, and say what is left out."""
    table = pandas.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    y = np.where(table.a > 0, "yes", "no")
    fitted = SpecClassifier(epochs=2).fit(table, y)
    (group,) = fitted.model_.spec.network.preprocessing
    assert [step.type for step in group.steps] == ["impute", "standardize"]
    written = export(fitted.model_, target, tmp_path / f"model{LIBRARIES[target]}")
    assert "missing cells are not filled" in written.note
    np.testing.assert_array_equal(open_model(written.files[0]).predict(table.to_numpy()), fitted.predict(table))
    gaps = SpecClassifier(epochs=2).fit(table.mask(table > 1), y)
    with pytest.raises(UnsupportedError, match="impute"):
        export(gaps.model_, target, tmp_path / f"gaps{LIBRARIES[target]}")
