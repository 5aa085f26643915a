"""What specnet has exported, asked and measured in a model's place: the same bits and the same table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specnet import ExportError, FileError, Model, export
from specnet.exporting.export_proof import probe_rows
from specnet.exporting.model_program import Program
from specnet.importing import open_model
from specnet.parts.data import Csv
from tests.exporting.models import DTYPES, NAMES, built, dense, ensemble_of, spec_model
from tests.importing.answers import edited, edited_facts
from tests.model.models import KINDS, make_model, make_rows
from tests.texts.pinned import Refused

METRICS = {"values": ["r2", "mean_absolute_error"], "binary": ["accuracy", "roc_auc", "neg_log_loss"]}
METRICS |= {"classes": ["accuracy", "f1_macro", "neg_log_loss"], "multilabel": ["accuracy", "f1_macro"]}
SUFFIXES = {"onnx": ".onnx", "sklearn": ".skops", "keras": ".keras"}
KERAS = [pytest.mark.peers, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # its own
TARGETS = ["onnx", "sklearn", pytest.param("keras", marks=KERAS)]


def opened(model: Model, target: str, folder: Path) -> Model:
    path = folder / f"m{SUFFIXES[target]}"
    export(model, target, path)
    return open_model(path)


def check_the_same(found: Model, model: Model, X: Any, y: np.ndarray, weight: Any = None) -> None:
    np.testing.assert_array_equal(found.predict(X), model.predict(X))
    assert found.gives_probabilities == model.gives_probabilities
    if model.gives_probabilities:
        np.testing.assert_array_equal(found.predict_proba(X), model.predict_proba(X))
    assert found.evaluate(X, y, weight) == model.evaluate(X, y, weight)
    assert found.spec.training.loss == model.spec.training.loss
    assert found.spec.training.metrics == model.spec.training.metrics
    if model.labels is not None:
        np.testing.assert_array_equal(found.labels, model.labels)


@pytest.mark.parametrize("target", TARGETS)
def test_labels_as_far_apart_as_integers_go(target: str, tmp_path: Path):
    model = make_model("classes")
    labels = np.array([-(2**63), 0, 2**63 - 1])
    model = Model(model.network, model.theta, preprocessing=model.preprocessing, labels=labels)
    np.testing.assert_array_equal(opened(model, target, tmp_path).labels, labels)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", TARGETS)
def test_every_kind(target: str, kind: str, dtype: str, tmp_path: Path, refused: Refused):
    model = make_model(kind, dtype, metrics=METRICS[make_model(kind).network.task])
    if target == "sklearn" and kind == "two classes":
        with refused(ExportError):
            opened(model, target, tmp_path)
        return
    X, y = make_rows(model)
    found = opened(model, target, tmp_path)
    check_the_same(found, model, X, y)
    check_the_same(found, model, X, y, np.random.default_rng(0).random(len(X)))


@pytest.mark.parametrize("kind", ["binary, text", "classes", "multilabel", "values"])
def test_ensembles_come_back_from_onnx(kind: str, tmp_path: Path):
    model = ensemble_of(make_model(kind, "float32", metrics=METRICS[make_model(kind).network.task]))
    found, (X, y) = opened(model, "onnx", tmp_path), make_rows(model)
    check_the_same(found, model, X, y)
    np.testing.assert_array_equal(found.theta, model.theta)
    np.testing.assert_array_equal(found.predict_spread(X), model.predict_spread(X))


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_ensembles_do_not_come_back_from_keras(tmp_path: Path):
    with pytest.raises(FileError, match="as of an ensemble") as caught:
        opened(ensemble_of(make_model("classes")), "keras", tmp_path)
    assert caught.value.diagnostics[0].hint == "import the ensemble's model file or its ONNX export"


LOSSES: list[Any] = ["mean_absolute_error", "log_cosh", "poisson", "gamma", "tweedie", "gaussian_nll"]
LOSSES += ["hinge", "squared_hinge", "binary_focal_crossentropy", "categorical_focal_crossentropy", "categorical_hinge"]
LOSSES += [{"type": "huber", "delta": 0.3}, {"type": "quantile", "quantile": 0.9}]


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_loss_is_that_of_training(loss: Any, tmp_path: Path):
    outputs = 2 if loss == "gaussian_nll" else 3 if str(loss).startswith("categorical") else 1
    model = built(dtype="float64", loss=loss, layer_sizes=[3, 4, outputs])
    generator = np.random.default_rng(0)
    X = generator.normal(size=(50, 3))
    y = generator.integers(0, 3 if outputs == 3 else 2, 50) if model.labels is not None else generator.gamma(1, 1, 50)
    check_the_same(opened(model, "onnx", tmp_path), model, X, y)


@pytest.mark.parametrize("activation", ["linear", "softplus"])
def test_an_output_that_the_loss_does_not_expect(activation: str, tmp_path: Path):
    model, X = built(dense(1, activation=activation), input_size=2), np.ones((4, 2))
    check_the_same(opened(model, "onnx", tmp_path), model, X, np.arange(4.0))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_reference_specs(name: str, tmp_path: Path):
    model = spec_model(name)
    found = opened(model, "onnx", tmp_path)
    X = probe_rows(Program(model, np.dtype(np.float32), {}))[0].part(slice(200))
    y = model.predict(X)
    y = np.where(np.arange(200) % 3, y, np.roll(y, 1))
    if model.labels is not None:
        y[: len(model.labels)] = model.labels
    check_the_same(found, model, X, y)
    if name in ("wine_csv.toml", "penguins.toml"):
        assert isinstance(model.spec.data, Csv)
        path = str(model.spec.data.path)
        assert path.startswith("data/")
        assert found.spec.data == model.spec.data.model_copy(update={"path": path.removeprefix("data/")})
    else:
        assert found.spec.data is None


@pytest.mark.parametrize("target", TARGETS)
def test_names_of_columns(target: str, tmp_path: Path):
    model = built(feature_names=["a", 'b "c"'], layer_sizes=[2, 1])
    assert opened(model, target, tmp_path).feature_names == model.feature_names == ("a", 'b "c"')


def told_model() -> Model:
    """A model with a layer that operators alone do not tell."""
    return built({"type": "periodic_embedding", "frequencies": 2, "size": 3}, dense(1), input_size=2)


def layer(facts: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = facts["network"]["layers"][0]
    return first


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts["numbers"]["layers.0.frequency"].reverse(),
        lambda facts: layer(facts).update(variant="plr_lite"),
        lambda facts: layer(facts).update(frequencies=10**9),
        lambda facts: layer(facts).update(type="dense", units=2),
        lambda facts: layer(facts).update(type="snake"),
        lambda facts: facts["network"].update(layers=3),
        lambda facts: facts["network"]["layers"].pop(),
        lambda facts: facts.update(numbers=[]),
        lambda facts: facts["numbers"].update({"layers.0.frequency": ["1", 2, 3, 4]}),
        lambda facts: facts["numbers"].update({"layers.0.frequency": [1]}),
        lambda facts: facts["numbers"].update({"layers.0.frequency": [10**400] * 4}),
        lambda facts: facts.update(labels=[0, 1]),
        lambda facts: facts.update(labels=[1, 0]),
        lambda facts: facts.pop("network"),
        lambda facts: facts.update(training={"loss": "mse", "metrics": 3}),
        lambda facts: facts.update(training={"loss": 7}),
        lambda facts: facts.pop("training"),
        lambda facts: facts.update(data={"type": "make_moons", "n": 3}),
        lambda facts: facts["network"].update(feature_names=["a"]),
        lambda facts: facts["network"].update(feature_names=3),
    ],
)
def test_what_a_file_says_is_not_taken_at_its_word(change: Any, tmp_path: Path, refused: Refused):
    export(told_model(), "onnx", tmp_path / "m.onnx")
    open_model(tmp_path / "m.onnx")
    with edited_facts(tmp_path / "m.onnx") as facts:
        change(facts)
    with refused(FileError, at="m.onnx"):
        open_model(tmp_path / "m.onnx")


def test_a_graph_that_was_changed_is_read_as_another_tool_s(tmp_path: Path):
    model = built(loss="mean_absolute_error", layer_sizes=[2, 3, 1], activations=["tanh", "linear"])
    export(model, "onnx", tmp_path / "m.onnx")
    with edited(tmp_path / "m.onnx") as loaded:
        next(node for node in loaded.graph.node if node.op_type == "Tanh").op_type = "Sigmoid"
    found = open_model(tmp_path / "m.onnx")
    assert [layer.activation.type for layer in found.spec.network.layers or ()] == ["sigmoid", "linear"]
    assert found.spec.training.loss == model.spec.training.loss


def test_labels_that_were_changed_are_not_those_of_the_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # which would tell the labels apart
    export(make_model("classes, text"), "onnx", tmp_path / "m.onnx")
    with edited(tmp_path / "m.onnx") as loaded:
        labels = next(tensor for tensor in loaded.graph.initializer if tensor.string_data)
        labels.string_data[:] = reversed(labels.string_data)
    with refused(FileError, at="m.onnx"):
        open_model(tmp_path / "m.onnx")


def test_labels_that_numpy_would_shorten_are_refused(tmp_path: Path, refused: Refused):
    export(make_model("classes, text"), "onnx", tmp_path / "m.onnx")
    with edited_facts(tmp_path / "m.onnx") as facts:
        facts["labels"][-1] += "\0"
    with refused(FileError, at="m.onnx"):
        open_model(tmp_path / "m.onnx")


def test_a_part_that_is_not_installed_is_named(tmp_path: Path, refused: Refused):
    from tests.exporting.test_export import plugin_model

    export(plugin_model("snake"), "onnx", tmp_path / "m.onnx")
    with refused(FileError, at="m.onnx"):
        open_model(tmp_path / "m.onnx")


@pytest.mark.parametrize("name", ["m.py", "m.c", "m.js", "m.mjs"])
def test_a_program_answers_by_itself(name: str, tmp_path: Path, refused: Refused):
    with refused(FileError):
        open_model(tmp_path / name)


@pytest.mark.parametrize("name", ["sklearn_words.onnx", "keras_binary.keras"])
def test_files_that_name_no_loss_are_refused(name: str, refused: Refused):
    with refused(FileError):
        open_model(Path(__file__).parent / "files" / name)
