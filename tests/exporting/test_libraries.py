"""Exports to libraries: scikit-learn's own classes, Keras's own layers, a PyTorch module."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

import specnet
from specnet.exporting import ExportError, export
from specnet.model import Model
from tests.exporting.models import DTYPES, RANDOM, exported, random_model, spec_model
from tests.model.models import KINDS, make_model, make_rows


def peers(test: Any) -> Any:
    """Mark a test that needs Keras and PyTorch, whose own warnings are theirs."""
    return pytest.mark.peers(pytest.mark.filterwarnings("ignore::DeprecationWarning")(test))


def network(*layers: dict[str, Any], loss: str = "mean_squared_error", outputs: int = 1, **fields: Any) -> Model:
    spec = {
        "network": {"input_size": 3, "output_size": outputs, "layers": [*layers], **fields},
        "training": {"loss": loss},
    }
    built = specnet.build(spec)
    return Model(built, built.initial_parameters())


def dense(units: int, **fields: Any) -> dict[str, Any]:
    return {"type": "dense", "units": units, **fields}


def loaded(path: Any) -> Any:
    return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"two classes"}))
def test_sklearn_answers_as_the_model(kind, dtype, tmp_path):
    model = make_model(kind, dtype)
    exported(model, "sklearn", tmp_path / "m.skops")
    estimator, (X, _) = loaded(tmp_path / "m.skops"), make_rows(model)
    assert isinstance(estimator, Pipeline if not model.target_preprocessing.steps else TransformedTargetRegressor)
    if kind in ("value", "values", "plain values"):
        tolerance = {"float64": 1e-12, "float32": 2e-6}[dtype] * np.abs(model.predict(X)).max()
        np.testing.assert_allclose(estimator.predict(X), model.predict(X), rtol=0, atol=tolerance)
    else:
        np.testing.assert_array_equal(estimator.predict(X), model.predict(X))


@pytest.mark.parametrize(
    "name", ["moons.toml", "iris.json", "digits.toml", "diabetes.toml", "wine_csv.toml", "logistic.toml"]
)
def test_sklearn_can_say_the_plain_reference_specs(name, tmp_path):
    exported(spec_model(name), "sklearn", tmp_path / "m.skops")


@pytest.mark.parametrize(
    ("model", "problems"),
    [
        (
            network(dense(4, activation="gelu"), dense(4, activation="relu"), dense(1)),
            ["the activations gelu, relu: all hidden layers have one of linear, sigmoid, tanh, relu"],
        ),
        (
            network(dense(4, activation="tanh"), dense(1, activation="relu")),
            ["the output's activation relu: it has linear there"],
        ),
        (network(dense(2), loss="categorical_crossentropy", outputs=2), ["two outputs for two classes: it has one"]),
        (
            network(dense(3), {"type": "scale"}, dense(3, activation={"type": "relu", "parametric": True}), dense(1)),
            ["layers.1: scale, 3 → 3", "layers.2: dense, 3 → 3, relu(parametric=true)"],
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)  # fmt: skip
def test_sklearn_names_all_that_it_cannot_say(model, problems, tmp_path):
    with pytest.raises(ExportError) as caught:
        export(model, "sklearn", tmp_path / "m.skops")
    assert [item.message for item in caught.value.diagnostics] == [f"sklearn cannot say {text}" for text in problems]
    assert not list(tmp_path.iterdir())


def said_or_refused_by_name(target: str, path: Path) -> int:
    """Export every random network, and return how many the target can say."""
    said = 0
    for seed in range(RANDOM):
        try:
            exported(random_model(seed, DTYPES[seed % 2]), target, path)
            said += 1
        except ExportError as error:
            messages = [item.message for item in error.diagnostics]
            if not all(message.startswith(f"{target} cannot say ") for message in messages):
                raise
    return said


def test_random_networks_are_said_or_refused_by_name(tmp_path):
    assert said_or_refused_by_name("sklearn", tmp_path / "m.skops") < RANDOM


@peers
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("target", "suffix"), [("torch", ".py"), ("keras", ".keras")])
def test_torch_and_keras_answer_as_the_model(target, suffix, kind, dtype, tmp_path):
    exported(make_model(kind, dtype), target, tmp_path / f"m{suffix}")


@peers
@pytest.mark.parametrize("name", ["moons.toml", "residual.toml", "digits.toml", "diabetes.toml", "wine_csv.toml"])
@pytest.mark.parametrize(("target", "suffix"), [("torch", ".py"), ("keras", ".keras")])
def test_torch_and_keras_can_say_the_reference_specs(target, suffix, name, tmp_path):
    exported(spec_model(name), target, tmp_path / f"m{suffix}")


@peers
def test_torch_says_every_random_network(tmp_path):
    for seed in range(RANDOM):
        exported(random_model(seed, DTYPES[seed % 2]), "torch", tmp_path / "m.py")


@peers
def test_keras_says_random_networks_or_refuses_them_by_name(tmp_path):
    assert 0 < said_or_refused_by_name("keras", tmp_path / "m.keras") < RANDOM


KERAS = [
    "relu",
    "relu6",
    "elu",
    "selu",
    "celu",
    "gelu",
    "silu",
    "mish",
    "sigmoid",
    "hard_sigmoid",
    "hard_swish",
    "tanh",
]
KERAS += ["hard_tanh", "softplus", "softsign", "squareplus", "exponential", "log_sigmoid", "tanh_shrink", "soft_shrink"]
KERAS += ["hard_shrink", "softmax", "log_softmax", "prelu", "leaky_relu", "linear"]


@peers
@pytest.mark.parametrize("name", KERAS)
def test_activations_of_keras(name, tmp_path):
    layers = [
        dense(4, activation="tanh"),
        {"type": "activation", "activation": name},
        dense(4, activation=name),
        dense(1),
    ]
    exported(network(*layers, dtype="float64"), "keras", tmp_path / "m.keras")


@peers
def test_keras_says_glu_at_the_end_only(tmp_path):
    exported(network(dense(4, activation="glu"), outputs=2), "keras", tmp_path / "m.keras")
    with pytest.raises(ExportError, match="behind its glu it expects twice as many features"):
        export(network(dense(4, activation="glu"), dense(1)), "keras", tmp_path / "other.keras")


@peers
def test_normalizations_of_keras(tmp_path):
    layers = [dense(4), {"type": "batch_normalization"}, {"type": "layer_normalization"}, dense(1)]
    exported(network(*layers, dtype="float64"), "keras", tmp_path / "m.keras")


@peers
def test_labels_are_in_the_archive_of_keras(tmp_path):
    exported(make_model("classes, text"), "keras", tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        said = json.loads(archive.read("specnet.json"))
    assert said["labels"] == ["", "Zürich", "日本"]
    assert said["agreement"].startswith("Compared with the model on 256 rows: the largest difference is ")


@peers
def test_the_state_of_torch_has_the_models_names(tmp_path):
    import torch

    model = make_model("classes")
    exported(model, "torch", tmp_path / "m.py")
    state = torch.load(tmp_path / "m.pt", weights_only=True)
    for name, array in model.network.parameters(model.theta).items():
        np.testing.assert_array_equal(state[name.replace(".", "_", 1)].numpy(), array)
    assert "self.layers_0 = nn.Linear(3, 4, dtype=torch.float64)" in (tmp_path / "m.py").read_text()
