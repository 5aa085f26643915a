"""Files that other tools wrote answer as these tools do, and become specs that a person can read."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet.files.plain_data import to_toml
from specnet.importing import Imported, read_network, weights_path, write_network
from tests.importing.answers import FILES, KERAS_FILES, ONNX_FILES, TOLERANCE, difference, outputs, stored
from tests.texts.pinned import Refused

BY_CLASS = ["sklearn_binary_by_class", "sklearn_words_by_class"]
NOT_UNDERSTOOD = BY_CLASS
"""An output for each class."""
ALL_FILES = [f"{stem}.onnx" for stem in ONNX_FILES if stem not in NOT_UNDERSTOOD]
ALL_FILES += [f"{stem}.keras" for stem in KERAS_FILES]

# What onnxruntime does not run: tf2onnx's Erfc and Expm1, which are no operators of ONNX.
NOT_RUN = {"tf2onnx_activations", "tf2onnx_functional"}
# skl2onnx keeps the bias of a float64 network in single precision.
ROUNDED = {"sklearn_binary_float64": 1e-7, "sklearn_values_float64": 1e-7}


@cache
def read(name: str) -> Imported:
    return read_network(FILES / name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL_FILES)
def test_a_file_answers_as_the_tool_that_wrote_it(name: str):
    path = FILES / name
    answers = stored(path)
    model = read(name).model
    X, tolerance = answers["X"], ROUNDED.get(path.stem, TOLERANCE[model.spec.network.dtype])
    assert X.dtype == model.network.dtype
    if "value" in answers:
        assert difference(outputs(model, X), answers["value"]) <= tolerance
    elif "probabilities" in answers:
        assert difference(model.predict_proba(X), answers["probabilities"]) <= tolerance
        np.testing.assert_array_equal(model.predict(X), answers["label"])
    else:
        assert difference(outputs(model, X), answers["label"].reshape(len(X), -1)) <= tolerance


@pytest.mark.parametrize("stem", NOT_UNDERSTOOD)
def test_what_is_not_understood_is_named(stem: str, refused: Refused):
    path = FILES / f"{stem}.onnx"
    with refused(specnet.FileError) as error:
        specnet.import_model(path)
    assert error.value.diagnostics[0].source == str(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL_FILES)
def test_spec_and_weights_are_the_model(name: str, tmp_path: Path):
    imported = read(name)
    is_run = name.endswith(".onnx") and Path(name).stem not in NOT_RUN
    assert imported.proof.startswith("compared with onnxruntime on ") == is_run
    place = tmp_path / "network.toml"
    write_network(imported, place)
    again = specnet.load_model(weights_path(place))
    X = stored(FILES / name)["X"]
    np.testing.assert_array_equal(again.predict(X), imported.model.predict(X))
    spec = specnet.parse_spec(place)
    assert specnet.resolve(spec).spec == again.spec
    assert tomllib.loads(place.read_text(encoding="utf-8")) == imported.document
    assert spec.name == Path(name).stem


def activations(name: str) -> list[str]:
    """The activations of a file's layers, or the layers that are none."""
    layers: list[Any] = list(read(name).model.spec.network.layers or ())
    return [layer.activation.type if getattr(layer, "activation", None) else layer.type for layer in layers]


KERAS_ACTIVATIONS = """
relu relu6 leaky_relu elu selu elu gelu silu mish sigmoid hard_sigmoid hard_swish tanh hard_tanh softplus softsign
squareplus exponential log_sigmoid tanh_shrink soft_shrink hard_shrink linear softmax log_softmax leaky_relu prelu elu
relu6 concatenate linear
"""
TORCH_ACTIVATIONS = """
relu relu6 leaky_relu elu selu celu gelu gelu silu mish sigmoid hard_sigmoid hard_swish tanh hard_tanh softplus
softsign log_sigmoid tanh_shrink soft_shrink hard_shrink prelu glu softmax log_softmax concatenate linear
"""
DECOMPOSED = """
gelu gelu hard_swish softplus silu elu layer_normalization linear leaky_relu threshold mish concatenate linear
"""
RESIDUAL = "gelu layer_normalization linear add batch_normalization sigmoid multiply concatenate softmax"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["keras_activations_torch", "tf2onnx_activations"], KERAS_ACTIVATIONS),
        (["torch_activations", "torch_activations_dynamo"], TORCH_ACTIVATIONS),
        (["torch_decomposed", "torch_decomposed_dynamo"], DECOMPOSED),
        (["torch_residual", "torch_residual_dynamo"], RESIDUAL),
        (["tf2onnx_binary", "keras_binary_torch"], "relu scale sigmoid"),
        (["sklearn_words"], "tanh tanh softmax"),
    ],
)
def test_what_is_written_out_in_operators_becomes_one_part(names: list[str], wanted: str):
    for name in names:
        assert sorted(activations(f"{name}.onnx")) == sorted(wanted.split())


def test_a_stack_is_as_short_as_a_person_writes_it():
    assert to_toml(read("sklearn_words.onnx").document) == (
        'name = "sklearn_words"\n\n[network]\ndtype = "float32"\npreprocessing = ["standardize"]\n'
        'layer_sizes = [4, 6, 5, 3]\nactivations = ["tanh", "tanh", "softmax"]\n\n'
        '[training]\nloss = "categorical_crossentropy"\n'
    )


def test_numbers_in_single_precision_have_few_digits():
    text = to_toml(read("torch_activations_dynamo.onnx").document)
    assert 'activation = { type = "leaky_relu", negative_slope = 0.2 }' in text
    assert 'activation = { type = "elu", alpha = 0.7 }' in text
    assert 'activation = { type = "hard_shrink", threshold = 0.3 }' in text


def test_an_imported_model_can_be_trained_on():
    imported = read("torch_residual.onnx")
    X, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3
    assert specnet.fit(to_toml(imported.document), X, y).predict(X).shape == (60,)
